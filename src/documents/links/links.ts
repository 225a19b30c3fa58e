/**
 * All links of a node: the peers that it dials, the connections that it accepted, and what they have in common: heartbeats, who carries, who is who.
 *
 * - A node that turns out to be this one is left alone. Another one with our name, or two with one name, are refused: SOURCECONFLICT.
 * - Of several links to one node each side sends transactions on its oldest. A node that has restarted has no links but those of its new run.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/logger.ts";
import { type Random, randomHex } from "../../base/random.ts";
import type { DocumentExchange } from "../exchange.ts";
import type { LinkStatus, Source, VectorClock } from "../vocabulary.ts";
import { DialedPeer } from "./dialed-peer.ts";
import type { Ending, LinkHost, LinkRefusal } from "./link-host.ts";
import { type LinkDialer, type MessageLink, type PeerAddress, closeCodes } from "./message-link.ts";
import { PlainPublisher } from "./plain-publisher.ts";
import { TrubaLink } from "./truba-link.ts";
import type { Hello } from "./wire.ts";

export interface LinksParts {
  readonly exchange: DocumentExchange;
  readonly dialer: LinkDialer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** To be dialed. */
  readonly peers: readonly PeerAddress[];
}

/** A connection that was accepted. */
interface Accepted {
  readonly sinceMs: number;
  readonly link: TrubaLink | PlainPublisher;
}

/** A link that this node refused, shown for a while. */
interface Refused {
  readonly status: LinkStatus;
  readonly untilMs: number;
}

/** How soon after a change other nodes are told how the document stands. */
const announceMs = limits.documentHeartbeatMs / 10;
const refusedShownMs = 60_000;
const refusedShownMaxCount = 16;

export class Links implements LinkHost<TrubaLink> {
  readonly exchange: DocumentExchange;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly run: string;
  readonly #peers: readonly DialedPeer[];
  readonly #unresolved = new Set<DialedPeer>();
  readonly #accepted = new Map<TrubaLink | PlainPublisher, Accepted>();
  /** Links to Truba nodes that are up, the oldest first. */
  #up: readonly TrubaLink[] = [];
  #refused: readonly Refused[] = [];
  /** Documents that have changed since they were last announced. */
  #changed = new Set<string>();
  #announceTimer: Timer | undefined;
  #beatTimer: Timer | undefined;
  #stopListening: () => void = () => {};
  #stopped = false;

  constructor({ exchange, dialer, clock, random, logger, peers }: LinksParts) {
    this.exchange = exchange;
    this.clock = clock;
    this.logger = logger;
    this.run = randomHex(random, 8);
    this.#peers = peers.map((peer) => {
      const resolved = (): void => this.#resolved(dialed);
      const dialed: DialedPeer = new DialedPeer({ peer, host: this, dialer, random, resolved });
      return dialed;
    });
    this.#unresolved = new Set(this.#peers);
  }

  /** Dials the peers. Connections may be accepted before. */
  start(): void {
    this.exchange.expect(this.#unresolved.size);
    this.exchange.setLinks(() => this.status());
    this.#stopListening = this.exchange.onDurable((document) => this.#documentChanged(document));
    this.#beatTimer = this.clock.after(limits.documentHeartbeatMs, () => this.#beat());
    for (const peer of this.#peers) peer.start();
  }

  /** Closes all links; nothing is dialed or accepted any more. */
  stop(): void {
    this.#stopped = true;
    this.#stopListening();
    this.#beatTimer?.cancel();
    this.#announceTimer?.cancel();
    this.#beatTimer = undefined;
    this.#announceTimer = undefined;
    for (const peer of this.#peers) peer.stop();
    for (const link of this.#accepted.keys())
      link.end(closeCodes.goingAway, "the node is stopping", { trouble: "", again: "soon" });
  }

  /** Links that were accepted and are open. */
  get acceptedCount(): number {
    return this.#accepted.size;
  }

  /** Whether it takes no links any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes a connection of a Truba node, by its own words. */
  acceptTruba(link: MessageLink): void {
    const truba = new TrubaLink({ host: this, link, via: "" });
    this.#accepted.set(truba, { sinceMs: this.clock.wallMs(), link: truba });
    truba.begin();
  }

  /** Takes a connection of somebody who wants to hear of one document, from `since` on. */
  acceptPlain(link: MessageLink, document: string, since: VectorClock): void {
    const { exchange } = this;
    const ended = (): void => {
      this.#accepted.delete(plain);
    };
    const plain: PlainPublisher = new PlainPublisher({ exchange, link, document, since, ended });
    this.#accepted.set(plain, { sinceMs: this.clock.wallMs(), link: plain });
    plain.begin();
  }

  status(): readonly LinkStatus[] {
    const nowMs = this.clock.monotonicMs();
    this.#refused = this.#refused.filter(({ untilMs }) => untilMs > nowMs);
    return [
      ...this.#peers.map((peer) => peer.status()),
      ...[...this.#accepted.values()].map(acceptedStatus),
      ...this.#refused.map(({ status }) => status),
    ];
  }

  directSources(): readonly Source[] {
    return [...new Set(this.#up.map(({ source }) => source ?? ""))];
  }

  carries(link: TrubaLink): boolean {
    return this.#up.find(({ hello }) => hello?.node === link.hello?.node) === link;
  }

  greeted(link: TrubaLink, hello: Hello): LinkRefusal | undefined {
    const peer = this.#peers.find((each) => each.owns(link));
    if (hello.run === this.run) {
      peer?.isOurselves();
      const trouble = "this address is the node itself";
      return { code: closeCodes.done, reason: trouble, trouble, again: "rarely" };
    }
    const conflict = this.#conflictWith(hello);
    if (conflict !== undefined) {
      const trouble = `SOURCECONFLICT: ${conflict}`;
      this.logger.error(
        { peer: link.via === "" ? link.link.remote : link.via, source: hello.source },
        trouble,
      );
      this.#showRefused(link, trouble);
      return { code: closeCodes.refused, reason: "SOURCECONFLICT", trouble, again: "late" };
    }
    this.#replaceOld(link, hello);
    const before = this.directSources();
    this.#up = [...this.#up, link];
    this.heardOf([hello.source]);
    if (!before.includes(hello.source)) this.#directChanged(link);
    peer?.greeted();
    this.logger.info({ peer: link.link.remote, source: hello.source }, "linked");
    return undefined;
  }

  heardOf(sources: readonly Source[]): void {
    if (!this.exchange.knows(sources)) return;
    for (const link of this.#up) link.knownChanged();
  }

  askedElsewhere(document: string, except: TrubaLink): number {
    let most = 0;
    for (const link of this.#up)
      if (link !== except) most = Math.max(most, link.askedFor(document));
    return most;
  }

  passOn(document: string, from: TrubaLink): void {
    for (const link of this.#up) if (link !== from) link.passOn(document);
  }

  ended(link: TrubaLink, ending: Ending): void {
    const wasUp = this.#up.includes(link);
    this.#up = this.#up.filter((each) => each !== link);
    if (wasUp) {
      const { source } = link;
      this.logger.info({ peer: link.link.remote, source, trouble: ending.trouble }, "link lost");
      if (!this.directSources().includes(source ?? "")) this.#directChanged(link);
      const next = this.#up.find(({ hello }) => hello?.node === link.hello?.node);
      next?.carry();
    }
    this.#accepted.delete(link);
    for (const peer of this.#peers) peer.ended(link, ending);
  }

  #conflictWith({ source, node }: Hello): string | undefined {
    const { exchange } = this;
    if (node === exchange.nodeId)
      return `another process runs with the identity of this node, ${source}: a data directory must not be copied`;
    if (source === exchange.source) return `another node is named ${source} like this one`;
    const other = this.#up.find((link) => link.source === source && link.hello?.node !== node);
    return other === undefined ? undefined : `two nodes are named ${source}`;
  }

  /** Links that the node must have given up, whether or not we have heard of it. */
  #replaceOld(link: TrubaLink, hello: Hello): void {
    for (const old of this.#up) {
      const { hello: other } = old;
      if (other?.node !== hello.node) continue;
      const sameWay = link.via === "" && old.via === "" && other.via === hello.via;
      if (other.run === hello.run && !sameWay) continue;
      const trouble = "the peer has made a new link in place of this one";
      old.end(closeCodes.done, "replaced by a new link", { trouble, again: "soon" });
    }
  }

  #directChanged(except: TrubaLink): void {
    for (const link of this.#up) if (link !== except) link.directChanged();
  }

  #resolved(peer: DialedPeer): void {
    if (this.#unresolved.delete(peer)) this.exchange.expect(this.#unresolved.size);
  }

  #documentChanged(document: string): void {
    for (const link of this.#up) link.changed(document);
    for (const link of this.#accepted.keys())
      if (link instanceof PlainPublisher && link.document === document) link.wake();
    if (this.#up.length === 0) return;
    // The promise of our clock takes a moment to become durable.
    void this.exchange.clockFor(document);
    this.#changed.add(document);
    this.#announceTimer ??= this.clock.after(announceMs, () => this.#announce());
  }

  #announce(): void {
    this.#announceTimer = undefined;
    const changed = this.#changed;
    this.#changed = new Set();
    for (const link of this.#up) link.announce(changed);
  }

  #beat(): void {
    this.#beatTimer = this.clock.after(limits.documentHeartbeatMs, () => this.#beat());
    for (const link of this.#up) link.beat();
    // Those that have not said who they are.
    for (const link of this.#accepted.keys())
      if (link instanceof TrubaLink && !link.isUp) link.beat();
    for (const peer of this.#peers) peer.beat();
  }

  #showRefused(link: TrubaLink, trouble: string): void {
    const accepted = this.#accepted.get(link);
    if (accepted === undefined) return;
    const status: LinkStatus = { ...acceptedStatus(accepted), state: "waiting", trouble };
    const untilMs = this.clock.monotonicMs() + refusedShownMs;
    const others = this.#refused.filter((each) => each.status.source !== status.source);
    this.#refused = [...others, { status, untilMs }].slice(-refusedShownMaxCount);
  }
}

function acceptedStatus({ link, sinceMs }: Accepted): LinkStatus {
  const truba = link instanceof TrubaLink ? link : undefined;
  const { remote, bytesSent, bytesReceived } = link.link;
  return {
    address: remote,
    direction: "accepted",
    state: truba === undefined || truba.isUp ? "up" : "connecting",
    kind: truba === undefined ? "plain" : "truba",
    source: truba?.source ?? null,
    sinceMs,
    roundTripMs: truba?.roundTripMs ?? null,
    skewMs: truba?.skewMs ?? null,
    transactionsSent: link instanceof TrubaLink ? link.transactionsSent : link.sent,
    transactionsReceived: truba?.transactionsReceived ?? 0,
    bytesSent,
    bytesReceived,
    backlog: link.backlog,
    trouble: link.trouble,
    retryInMs: null,
  };
}
