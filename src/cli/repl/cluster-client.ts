/**
 * The client of a cluster: connected to one node, which it asks for a heartbeat every second. When that node is gone it connects to another that it knows, or to
 * the same once it is back, with pauses that grow and jitter. A write that was on its way is sent again with the same request id, so it happens once (P3).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Address, type Network } from "../../base/network.ts";
import { type Random, randomBelow } from "../../base/random.ts";
import { formatUuid, makeUuidV7 } from "../../base/uuid.ts";
import { RespError } from "../../protocol/resp-reply.ts";
import type { RespReply } from "../../protocol/resp-reply.ts";
import { addressText, parseAddress } from "../address.ts";
import { KnownNodes } from "./known-nodes.ts";
import { type Heartbeat, NodeLink } from "./node-link.ts";
import { Disconnected } from "./resp-caller.ts";
import type { Timings } from "./timings.ts";
import type { TypedRequest } from "./typed-line.ts";

/** What a person is told of the cluster when a connection is made. */
export interface ClusterView {
  readonly cluster: string;
  /** The node that is connected, as it was reached. */
  readonly address: string;
  readonly nodes: readonly string[];
  readonly warning: string | undefined;
}

export interface ClientListener {
  /** The node was lost, and this one answers now. */
  reconnected(view: ClusterView): void;
  /** Something is wrong with the cluster that was not before. */
  warned(warning: string): void;
}

/** No known node answers. */
export class NoNode extends Error {
  override readonly name = "NoNode";
  /** Whether a write had been sent: then it may have been done. */
  readonly wasSent: boolean;

  constructor(wasSent: boolean) {
    super("no known node answers");
    this.wasSent = wasSent;
  }
}

/** The person did not want to wait. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly wasSent: boolean;

  constructor(wasSent: boolean) {
    super("interrupted");
    this.wasSent = wasSent;
  }
}

export interface ClusterClientParts {
  readonly network: Network;
  readonly random: Random;
  readonly first: Address;
  readonly token: string | undefined;
  readonly timings: Timings;
  readonly listener: ClientListener;
}

/** Answers after which the same request may do better soon, here or on another node. */
const passingCodes: ReadonlySet<string> = new Set([
  "NOTLEADER",
  "NOQUORUM",
  "OVERLOADED",
  "UNKNOWNOUTCOME",
]);
/** Answers of a node that is going. */
const leavingCodes: ReadonlySet<string> = new Set(["SHUTTINGDOWN", "STOPPED"]);

/** Answers that say that nothing was done. */
const refusalCodes: ReadonlySet<string> = new Set(["OVERLOADED", "SHUTTINGDOWN"]);

const retryEveryMs = 100;

/** A request that ends its node each time is not sent for ever. */
const sendsMaxCount = 8;

export class ClusterClient {
  readonly #parts: ClusterClientParts;
  readonly #known: KnownNodes;
  readonly #ending = new AbortController();
  #token: string | Uint8Array | undefined;
  #link: NodeLink | undefined;
  /** Told when there is a link, and after each round in which no node answered. */
  readonly #watchers = new Set<() => void>();
  /** Rounds without an answer since the link was lost. */
  #failedRounds = 0;
  #warning: string | undefined;
  /** The node's clock less ours, in milliseconds. */
  #clockOffsetMs = 0;

  constructor(parts: ClusterClientParts) {
    this.#parts = parts;
    this.#token = parts.token;
    this.#known = new KnownNodes(addressText(parts.first), parts.timings.lostForMs);
  }

  /** Connects to the first node. Rejects when it does not answer, with NodeRefusal when it answers and does not want us. */
  async connect(): Promise<ClusterView> {
    const link = await this.#open(this.#parts.first);
    this.#adopt(link);
    return this.#view(link, link.heartbeat);
  }

  /** Does a request on whatever node answers. Rejects with {@link NoNode}, or {@link Interrupted} when `signal` is aborted. */
  async call(request: TypedRequest, signal: AbortSignal): Promise<RespReply> {
    const words = request.takesRequestId
      ? [...request.words, "REQUEST", this.#newRequestId()]
      : request.words;
    let sent = 0;
    let passingUntilMs = 0;
    for (;;) {
      const link = await this.#usableLink(request.writes && sent > 0, signal);
      let reply: RespReply;
      sent++;
      try {
        reply = await raced(link.call(words), signal);
      } catch (error) {
        if (signal.aborted) {
          this.#letGo(link);
          throw new Interrupted(request.writes);
        }
        if (!(error instanceof Disconnected)) throw error;
        this.#lose(link);
        if (sent >= sendsMaxCount || request.onlyOnce) throw new NoNode(request.writes);
        continue;
      }
      if (!(reply instanceof RespError)) return reply;
      passingUntilMs ||= performance.now() + this.#parts.timings.unreachableMaxMs;
      const leaves = leavingCodes.has(reply.code);
      if (request.onlyOnce && !refusalCodes.has(reply.code)) return reply;
      if (performance.now() > passingUntilMs || !(leaves || passingCodes.has(reply.code)))
        return reply;
      if (leaves) this.#lose(link);
      await this.#pause(retryEveryMs, signal);
    }
  }

  /** Asks the node that is connected, beside the commands. Rejects when there is none, or when it goes. */
  async ask(words: readonly string[]): Promise<RespReply> {
    if (this.#link === undefined) throw new Disconnected("no known node answers");
    return this.#link.ask(words);
  }

  /** Names a token; it stands for the connections to come if the node takes it. Rejects with {@link NoNode}. */
  async authenticate(token: Uint8Array, signal: AbortSignal): Promise<RespReply> {
    const link = await this.#usableLink(false, signal);
    try {
      const reply = await raced(link.authenticate(token), signal);
      if (!(reply instanceof RespError)) this.#token = token;
      return reply;
    } catch (error) {
      if (signal.aborted) throw new Interrupted(true);
      if (error instanceof Disconnected) throw new NoNode(true);
      throw error;
    }
  }

  /** Ends it. Whoever waits is told NoNode. */
  close(): void {
    this.#ending.abort();
    const link = this.#link;
    this.#link = undefined;
    link?.close();
    this.#tellWatchers();
  }

  #open(address: Address): Promise<NodeLink> {
    const { network, timings } = this.#parts;
    const options = { network, address, token: this.#token, connectMaxMs: timings.connectMaxMs };
    let link: NodeLink | undefined;
    const opening = NodeLink.open(options, () => {
      if (link !== undefined) this.#lose(link);
    });
    return opening.then((opened) => (link = opened));
  }

  #adopt(link: NodeLink): void {
    this.#link = link;
    this.#failedRounds = 0;
    this.#known.found(link);
    this.#learn(link.heartbeat);
    this.#warning = this.#view(link, link.heartbeat).warning;
    this.#tellWatchers();
    void this.#watch(link);
  }

  #learn(heartbeat: Heartbeat): void {
    this.#known.learn(heartbeat.nodes, performance.now());
    this.#clockOffsetMs = heartbeat.timeMs - Date.now();
  }

  async #watch(link: NodeLink): Promise<void> {
    const { heartbeatEveryMs, silenceMaxMs } = this.#parts.timings;
    while (this.#link === link) {
      await this.#rest(heartbeatEveryMs);
      if (this.#link !== link) return;
      try {
        const heartbeat = await link.beat(silenceMaxMs);
        if (this.#link !== link) return;
        this.#learn(heartbeat);
        this.#warn(this.#view(link, heartbeat).warning);
      } catch {
        this.#lose(link);
      }
    }
  }

  #warn(warning: string | undefined): void {
    if (warning !== undefined && warning !== this.#warning) this.#parts.listener.warned(warning);
    this.#warning = warning;
  }

  /** The node is gone: another one is looked for. */
  #lose(link: NodeLink): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    link.close();
    this.#known.lose(link, performance.now());
    void this.#reconnect(true);
  }

  /** What was asked of this node on this connection is of no interest any more; a new one begins with nothing under way. */
  #letGo(link: NodeLink): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    link.close();
    const address = parseAddress(link.address);
    if (address === undefined) return;
    this.#open(address).then(
      (opened) => this.#maybeAdopt(opened),
      () => {
        this.#known.lose(link, performance.now());
        void this.#reconnect(true);
      },
    );
  }

  async #reconnect(announce: boolean): Promise<void> {
    const { pauseFirstMs, pauseMaxMs } = this.#parts.timings;
    let pauseMs = pauseFirstMs;
    while (!this.#ending.signal.aborted) {
      for (const address of this.#known.candidates(performance.now())) {
        const link = await this.#open(address).catch(() => undefined);
        if (link === undefined) continue;
        if (this.#maybeAdopt(link) && announce)
          this.#parts.listener.reconnected(this.#view(link, link.heartbeat));
        return;
      }
      this.#failedRounds++;
      this.#tellWatchers();
      // Half of the pause is drawn: clients that lost one node together do not come back together.
      await this.#rest(pauseMs / 2 + randomBelow(this.#parts.random, pauseMs / 2));
      pauseMs = Math.min(pauseMs * 2, pauseMaxMs);
    }
  }

  #maybeAdopt(link: NodeLink): boolean {
    if (this.#ending.signal.aborted) {
      link.close();
      return false;
    }
    this.#adopt(link);
    return true;
  }

  /** The link, or the next one, if it comes in the time that a command has. */
  async #usableLink(wasSent: boolean, signal: AbortSignal): Promise<NodeLink> {
    const { unreachableMaxMs, outcomeMaxMs } = this.#parts.timings;
    const deadlineMs = performance.now() + (wasSent ? outcomeMaxMs : unreachableMaxMs);
    for (;;) {
      if (signal.aborted) throw new Interrupted(wasSent);
      if (this.#link !== undefined) return this.#link;
      const leftMs = deadlineMs - performance.now();
      const gaveUp = leftMs <= 0 && this.#failedRounds > 0;
      if (gaveUp || this.#ending.signal.aborted) throw new NoNode(wasSent);
      await this.#news(Math.max(leftMs, retryEveryMs), signal);
    }
  }

  /** Resolves when the link or the number of failed rounds has changed, the time is over or the signal is aborted. */
  #news(maxMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", finish);
        this.#watchers.delete(finish);
        resolve();
      };
      const timer = setTimeout(finish, maxMs);
      signal.addEventListener("abort", finish);
      this.#watchers.add(finish);
    });
  }

  #tellWatchers(): void {
    for (const watcher of this.#watchers) watcher();
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await sleep(ms, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw new Interrupted(true);
  }

  /** Sleeps, but not past the end. */
  async #rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#ending.signal }).catch(() => {});
  }

  /** Without the nodes that were just lost; the cluster itself may not have noticed yet. */
  #view(link: NodeLink, heartbeat: Heartbeat): ClusterView {
    const alive = this.#known.alive(heartbeat.nodes, performance.now());
    const nodes = alive.length === 0 ? [link.address] : alive;
    const { replicationFactor, cluster } = heartbeat;
    const warning =
      nodes.length < replicationFactor
        ? `cluster size (${nodes.length}) is smaller than a replication factor (${replicationFactor})!`
        : heartbeat.warning;
    return { cluster, address: link.address, nodes, warning };
  }

  /** A request id by the node's clock: its time decides how long it is remembered. */
  #newRequestId(): string {
    const nowMs = Math.max(0, Date.now() + this.#clockOffsetMs);
    return formatUuid(makeUuidV7(nowMs, this.#parts.random));
  }
}

/** The promise, or a rejection as soon as the signal is aborted. */
function raced<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Interrupted(true));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    promise.finally(() => signal.removeEventListener("abort", abort)).then(resolve, reject);
  });
}
