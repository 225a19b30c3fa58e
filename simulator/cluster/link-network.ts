/**
 * The links between the documents of simulated nodes: connections on which whole texts arrive in order, or the connection ends, over the same paths as everything
 * else. What is sent while a path is blocked waits, as TCP would send it again. A connection may be cut, for both sides or for one: the other goes on and hears nothing.
 */
import { must } from "../../src/base/assert.ts";
import type { Random } from "../../src/base/random.ts";
import type {
  Dialed,
  LinkDialer,
  MessageLink,
  PeerAddress,
} from "../../src/documents/links/message-link.ts";
import type { Clock } from "../../src/base/clock.ts";
import { LinkEnd, retryMs } from "./link-end.ts";
import type { LinkCarrier } from "./link-end.ts";
import type { Trace } from "./trace.ts";

/** Who can be dialed: a node, or a plain peer. */
export interface LinkHost {
  readonly clock: Clock;
  /** A connection has come. Answers the version of the protocol of Truba nodes, `null` for a plain peer, `undefined`: refused. */
  accept(link: MessageLink, query: ReadonlyMap<string, string>): number | null | undefined;
}

/** What the network takes from the cluster. */
export interface LinkPaths {
  isBlocked(from: number, to: number): boolean;
  /** One way, drawn anew each time, ms. */
  drawDelayMs(): number;
}

/** Without an answer for so long a dial fails. */
const dialTimeoutMs = 5_000;

export class LinkNetwork implements LinkCarrier {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly #random: Random;
  readonly #paths: LinkPaths;
  readonly #hosts = new Map<number, LinkHost>();
  /** Machines without power: they do not even refuse. */
  readonly #silent = new Set<number>();
  readonly #ends = new Set<LinkEnd>();
  /** Connections that were made, and those that were cut. */
  made = 0;
  cuts = 0;

  constructor(parts: { clock: Clock; random: Random; trace: Trace; paths: LinkPaths }) {
    this.clock = parts.clock;
    this.trace = parts.trace;
    this.#random = parts.random;
    this.#paths = parts.paths;
  }

  /** The process on a host can be dialed from now on. */
  listen(host: number, process: LinkHost): void {
    this.#hosts.set(host, process);
    this.#silent.delete(host);
  }

  /** The process has ended. With its machine alive, the other sides of its connections are told; else they find out. */
  gone(host: number, powerLoss: boolean): void {
    this.#hosts.delete(host);
    if (powerLoss) this.#silent.add(host);
    for (const end of this.#ends) {
      if (end.host !== host) continue;
      end.vanish();
      if (!powerLoss) this.#reset(end);
    }
  }

  /** What the process on a host dials with. `addressOf` finds who is meant. */
  dialer(host: number, clock: Clock): LinkDialer {
    return {
      dial: (peer, query, signal) => this.#dial(host, clock, peer, query, signal),
    };
  }

  /** Some connection ends without cause. `half`: one side is told, the other hears nothing any more. */
  cut(half: boolean): boolean {
    const open = [...this.#ends].filter((end) => end.open);
    if (open.length === 0) return false;
    const end = must(open[this.#random.u32() % open.length]);
    this.cuts++;
    this.trace.say(
      "fault",
      -1,
      `cut: link ${end.number} of h${end.host} to h${end.peer}${half ? ", half" : ""}`,
    );
    end.told("the connection was reset");
    if (!half) this.#reset(end);
    return true;
  }

  arrivalMs(lagMs: number): number {
    return this.clock.monotonicMs() + lagMs + this.#paths.drawDelayMs();
  }

  carry(from: number, to: number, arrive: () => void): void {
    this.clock.after(this.#paths.drawDelayMs(), () => this.#arrive(from, to, arrive));
  }

  answers(host: number): boolean {
    return !this.#silent.has(host);
  }

  forget(end: LinkEnd): void {
    this.#ends.delete(end);
  }

  isBlocked(from: number, to: number): boolean {
    return this.#paths.isBlocked(from, to);
  }

  #arrive(from: number, to: number, arrive: () => void): void {
    if (!this.isBlocked(from, to)) arrive();
    else this.clock.after(retryMs, () => this.#arrive(from, to, arrive));
  }

  /** The other side of a connection is told that it is over. */
  #reset(end: LinkEnd): void {
    const { other } = end;
    if (other === undefined) return;
    this.carry(end.host, other.host, () => other.told("the connection was reset"));
  }

  #dial(
    host: number,
    clock: Clock,
    peer: PeerAddress,
    query: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<Dialed> {
    const to = hostOf(peer);
    return new Promise((resolve, reject) => {
      const state = { over: false };
      const finish = (settle: () => void): void => {
        if (state.over) return;
        state.over = true;
        timer.cancel();
        clock.soon(settle);
      };
      const fail = (text: string): void => finish(() => reject(new Error(text)));
      const timer = this.clock.after(dialTimeoutMs, () => fail(`h${to} does not answer`));
      signal.addEventListener("abort", () => {
        state.over = true;
        timer.cancel();
        reject(new Error("dialing was given up"));
      });
      this.carry(host, to, () => {
        const target = this.#hosts.get(to);
        if (target === undefined) {
          if (this.answers(to)) this.carry(to, host, () => fail(`h${to} refuses the connection`));
          return;
        }
        target.clock.soon(() => {
          if (state.over || this.#hosts.get(to) !== target) return;
          const [near, far] = this.#pair({ host, clock }, { host: to, clock: target.clock });
          const version = target.accept(far, query);
          if (version === undefined) {
            near.vanish();
            far.vanish();
            this.carry(to, host, () => fail(`h${to} refuses the link`));
            return;
          }
          this.carry(to, host, () => {
            if (state.over) near.told("nobody waits for it");
            finish(() => resolve({ link: near, version }));
          });
        });
      });
    });
  }

  #pair(
    near: { readonly host: number; readonly clock: Clock },
    far: { readonly host: number; readonly clock: Clock },
  ): readonly [LinkEnd, LinkEnd] {
    const number = ++this.made;
    const first = new LinkEnd({ ...near, number, peer: far.host, network: this });
    const second = new LinkEnd({ ...far, number, peer: near.host, network: this });
    first.join(second);
    second.join(first);
    this.#ends.add(first);
    this.#ends.add(second);
    return [first, second];
  }
}

/** Hosts have their number as port, plain peers too. */
function hostOf(peer: PeerAddress): number {
  return peer.port - firstPort;
}

const firstPort = 8_000;

/** Under which a host, or a plain peer, is dialed. */
export function addressOf(host: number, document = "default"): PeerAddress {
  const port = firstPort + host;
  return { host: "simulated", port, tls: false, document, text: `simulated:${port}` };
}
