/**
 * A peer of the configuration: dialed, linked, and dialed again when the link is over, for ever.
 *
 *     connecting ──► up ──► waiting ──► connecting …
 */
import type { Clock, Timer } from "../../base/clock.ts";
import { errorText } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { LinkStatus } from "../vocabulary.ts";
import type { Ending, LinkHost } from "./link-host.ts";
import { type Dialed, type LinkDialer, type PeerAddress, closeCodes } from "./message-link.ts";
import { PlainSubscriber } from "./plain-subscriber.ts";
import { Redial } from "./redial.ts";
import { TrubaLink } from "./truba-link.ts";
import { protocolVersion } from "./wire.ts";

export interface DialedPeerParts {
  readonly peer: PeerAddress;
  readonly host: LinkHost<TrubaLink>;
  readonly dialer: LinkDialer;
  readonly random: Random;
  /** It is known what it is: a Truba node that may be linked to, a plain peer, or this node itself. */
  resolved(): void;
}

type State =
  | { readonly kind: "connecting"; readonly abort: AbortController }
  | { readonly kind: "truba"; readonly link: TrubaLink }
  | { readonly kind: "plain"; readonly link: PlainSubscriber }
  | { readonly kind: "waiting"; readonly timer: Timer; readonly untilMs: number }
  | { readonly kind: "stopped" };

interface Counts {
  readonly transactionsSent: number;
  readonly transactionsReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

const noCounts: Counts = {
  transactionsSent: 0,
  transactionsReceived: 0,
  bytesSent: 0,
  bytesReceived: 0,
};

export class DialedPeer {
  readonly #parts: DialedPeerParts;
  readonly #redial: Redial;
  #state: State = { kind: "stopped" };
  #kind: LinkStatus["kind"] = "unknown";
  #source: string | null = null;
  /** Why the last link ended, or the last attempt failed. */
  #trouble = "";
  #sinceMs = 0;
  /** Of links that are over. */
  #before: Counts = noCounts;

  constructor(parts: DialedPeerParts) {
    this.#parts = parts;
    this.#redial = new Redial(parts.random);
  }

  start(): void {
    void this.#dial();
  }

  stop(): void {
    const state = this.#state;
    this.#enter({ kind: "stopped" });
    const { goingAway } = closeCodes;
    if (state.kind === "connecting") state.abort.abort();
    else if (state.kind === "waiting") state.timer.cancel();
    else if (state.kind === "truba")
      state.link.end(goingAway, "the node is stopping", { trouble: "", again: "soon" });
    else if (state.kind === "plain") state.link.end(goingAway, "the node is stopping");
  }

  /** A heartbeat has passed. Links that are up are told by the registry. */
  beat(): void {
    if (this.#state.kind === "truba" && !this.#state.link.isUp) this.#state.link.beat();
  }

  /** Its link is over. */
  ended(link: TrubaLink, ending: Ending): void {
    if (this.#state.kind !== "truba" || this.#state.link !== link) return;
    const { transactionsSent, transactionsReceived, openedMs } = link;
    this.#count({ transactionsSent, transactionsReceived, ...bytesOf(link) });
    this.#wait(ending, openedMs);
  }

  /** Its link is up. */
  greeted(): void {
    this.#trouble = "";
    this.#sinceMs = this.#clock.wallMs();
    this.#resolve("truba");
  }

  /** Whether the link is the one that was made to this peer. */
  owns(link: TrubaLink): boolean {
    return this.#state.kind === "truba" && this.#state.link === link;
  }

  /** The peer is this node. */
  isOurselves(): void {
    this.#resolve("truba");
  }

  status(): LinkStatus {
    const state = this.#state;
    const truba = state.kind === "truba" ? state.link : undefined;
    const plain = state.kind === "plain" ? state.link : undefined;
    const link = truba ?? plain;
    const up = plain !== undefined || truba?.isUp === true;
    const waiting = state.kind === "waiting";
    const before = this.#before;
    const now = link === undefined ? { bytesSent: 0, bytesReceived: 0 } : bytesOf(link);
    return {
      address: this.#parts.peer.text,
      direction: "dialed",
      state: up ? "up" : waiting || state.kind === "stopped" ? "waiting" : "connecting",
      kind: this.#kind,
      source: truba?.source ?? this.#source,
      sinceMs: this.#sinceMs,
      roundTripMs: truba?.roundTripMs ?? null,
      skewMs: truba?.skewMs ?? null,
      transactionsSent: before.transactionsSent + (truba?.transactionsSent ?? 0),
      transactionsReceived:
        before.transactionsReceived + (truba?.transactionsReceived ?? plain?.received ?? 0),
      bytesSent: before.bytesSent + now.bytesSent,
      bytesReceived: before.bytesReceived + now.bytesReceived,
      backlog: truba?.backlog ?? 0,
      trouble: up ? (link?.trouble ?? "") : this.#trouble,
      retryInMs: waiting ? Math.max(0, Math.ceil(state.untilMs - this.#clock.monotonicMs())) : null,
    };
  }

  get #clock(): Clock {
    return this.#parts.host.clock;
  }

  async #dial(): Promise<void> {
    const { peer, host, dialer } = this.#parts;
    const { exchange } = host;
    const abort = new AbortController();
    this.#enter({ kind: "connecting", abort });
    const query = new Map([
      ["truba", String(protocolVersion)],
      ["source", exchange.source],
      ["node", String(exchange.nodeId)],
    ]);
    let dialed: Dialed;
    try {
      dialed = await dialer.dial(peer, query, abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) this.#wait({ trouble: errorText(error), again: "soon" });
      return;
    }
    if (abort.signal.aborted) dialed.link.close(closeCodes.goingAway, "the node is stopping");
    else this.#linked(dialed);
  }

  #linked({ link, version }: Dialed): void {
    const { peer, host } = this.#parts;
    const { exchange, clock, logger } = host;
    if (version === null) {
      const { document } = peer;
      const ended = (trouble: string): void => this.#plainEnded(trouble);
      const plain = new PlainSubscriber({ exchange, clock, logger, link, document, ended });
      this.#enter({ kind: "plain", link: plain });
      this.#trouble = "";
      plain.begin();
      this.#resolve("plain");
      return;
    }
    const truba = new TrubaLink({ host, link, via: peer.text });
    this.#enter({ kind: "truba", link: truba });
    if (version === protocolVersion) truba.begin();
    else
      truba.end(closeCodes.refused, `this node speaks version ${protocolVersion}`, {
        trouble: `wants to speak version ${version} of the links' protocol; this node speaks version ${protocolVersion}`,
        again: "late",
      });
  }

  #plainEnded(trouble: string): void {
    const state = this.#state;
    if (state.kind !== "plain") return;
    const { received, openedMs } = state.link;
    this.#count({ transactionsSent: 0, transactionsReceived: received, ...bytesOf(state.link) });
    this.#wait({ trouble: trouble === "" ? state.link.trouble : trouble, again: "soon" }, openedMs);
  }

  #wait({ trouble, again }: Ending, openedMs?: number): void {
    if (this.#state.kind === "stopped") return;
    this.#trouble = trouble;
    const nowMs = this.#clock.monotonicMs();
    const delayMs = this.#redial.delayMs(again, openedMs === undefined ? 0 : nowMs - openedMs);
    const timer = this.#clock.after(delayMs, () => void this.#dial());
    this.#enter({ kind: "waiting", timer, untilMs: nowMs + delayMs });
  }

  #enter(state: State): void {
    this.#state = state;
    this.#sinceMs = this.#clock.wallMs();
  }

  #resolve(kind: "truba" | "plain"): void {
    this.#kind = kind;
    this.#source = this.#state.kind === "truba" ? this.#state.link.source : null;
    this.#parts.resolved();
  }

  #count(more: Counts): void {
    const before = this.#before;
    this.#before = {
      transactionsSent: before.transactionsSent + more.transactionsSent,
      transactionsReceived: before.transactionsReceived + more.transactionsReceived,
      bytesSent: before.bytesSent + more.bytesSent,
      bytesReceived: before.bytesReceived + more.bytesReceived,
    };
  }
}

function bytesOf({ link }: { link: { bytesSent: number; bytesReceived: number } }) {
  return { bytesSent: link.bytesSent, bytesReceived: link.bytesReceived };
}
