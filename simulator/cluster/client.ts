/**
 * One request of one client on its way through a cluster: sent to a host, and to another one when that refuses or says nothing, until it is answered or the
 * client gives up. What must not be done twice is sent again only when it was surely not done, or under its request id.
 */
import { must, unreachable } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import { type Outcome, errorOutcome } from "../../src/machines/outcome.ts";
import type { Node } from "../../src/node/node.ts";
import type { Partition } from "../../src/partition/partition.ts";
import { SimulationError } from "../node-state.ts";
import type { ClusterPort } from "./cluster-port.ts";
import type { Fate } from "./history.ts";
import type { HostLives } from "./host-lives.ts";
import { requireAll } from "./read-watch.ts";
import { resultOf } from "./request.ts";
import type {
  AttemptResult,
  Connection,
  LookRequest,
  NodeRequest,
  PartitionRequest,
  Request,
} from "./request.ts";

/** How clients reach hosts and how patient they are. */
export interface ClientShape {
  /** Each way takes up to so long. */
  readonly latencyMaxMs: number;
  /** Part of the requests, and of the answers, that get lost. */
  readonly loss: number;
  /** Silence after which another host is tried. */
  readonly timeoutMs: number;
  /** After so long a client gives up. */
  readonly patienceMs: number;
  /** How often a client goes first to the host that answered last. */
  readonly loyalty: number;
  /** Part of the answered requests that are sent once more. */
  readonly repeats: number;
}

/** What all clients of a run share. */
export interface Surroundings {
  readonly clock: Clock;
  readonly cluster: ClusterPort;
  readonly shape: ClientShape;
  readonly lives: HostLives;
  /** The next moment of the run. */
  readonly tick: () => number;
}

interface Attempt {
  readonly host: number;
  /** Which life of the host got it. */
  life: number;
  /** Sent although it was answered already. */
  readonly again: boolean;
  result: AttemptResult | undefined;
  /** Ends its waiting at the host. */
  giveUp: (() => void) | undefined;
}

export class Client {
  readonly #surroundings: Surroundings;
  readonly #random: Random;
  /** By partition: who answered last. */
  readonly #favourites = new Map<number, number>();
  /** By host: the connection to one life of it. */
  readonly #connections = new Map<number, Connection>();
  readonly #leftAt: number[] = [];
  /** Attempts that a host may still wait for. */
  readonly #open = new Set<Attempt>();

  constructor(surroundings: Surroundings, random: Random) {
    this.#surroundings = surroundings;
    this.#random = random;
  }

  /** Sends the request; `done` is called once the client stops waiting for it. */
  perform(
    request: Request,
    done: () => void,
    patienceMs = this.#surroundings.shape.patienceMs,
  ): void {
    const exchange = new Exchange({
      surroundings: this.#surroundings,
      random: this.#random,
      request,
      patienceMs,
      firstHost: this.#firstHost(request.partition),
      answeredBy: (host) => this.#favourites.set(request.partition, host),
      connection: (host, node) => this.#connection(host, node),
      open: this.#open,
      done,
    });
    exchange.send(false);
  }

  /** Its connections end; the next request opens others. */
  leave(): void {
    const { cluster, lives, tick } = this.#surroundings;
    this.#leftAt.push(tick());
    for (const { host, life, giveUp } of this.#open) if (lives.of(host) === life) giveUp?.();
    this.#open.clear();
    for (const [host, { life, owner }] of this.#connections)
      if (lives.of(host) === life) cluster.nodeOn(host)?.requests.closeOwner(owner);
    this.#connections.clear();
  }

  /** When its connections ended for the first time at a moment or later; Infinity if they have not. */
  leftAfter(moment: number): number {
    return this.#leftAt.find((at) => at >= moment) ?? Infinity;
  }

  #connection(host: number, node: Node): Connection {
    const life = this.#surroundings.lives.of(host);
    const known = this.#connections.get(host);
    if (known?.life === life) return known;
    const connection = { life, owner: node.requests.openOwner() };
    this.#connections.set(host, connection);
    return connection;
  }

  #firstHost(partition: number): number {
    const { cluster, shape } = this.#surroundings;
    const favourite = this.#favourites.get(partition);
    if (favourite !== undefined && chance(this.#random, shape.loyalty)) return favourite;
    return must(cluster.hosts[randomBelow(this.#random, cluster.hosts.length)]);
  }
}

interface ExchangeParts {
  readonly surroundings: Surroundings;
  readonly random: Random;
  readonly request: Request;
  readonly patienceMs: number;
  readonly firstHost: number;
  readonly answeredBy: (host: number) => void;
  readonly connection: (host: number, node: Node) => Connection;
  readonly open: Set<Attempt>;
  readonly done: () => void;
}

class Exchange {
  readonly #parts: ExchangeParts;
  readonly #attempts: Attempt[] = [];
  readonly #startedMs: number;
  #ended = false;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#startedMs = parts.surroundings.clock.monotonicMs();
  }

  /** `again`: it was answered already, and comes once more. */
  send(again: boolean): void {
    const { surroundings, request } = this.#parts;
    const { clock, shape, tick } = surroundings;
    const attempt: Attempt = {
      host: this.#nextHost(),
      life: 0,
      again,
      result: undefined,
      giveUp: undefined,
    };
    this.#attempts.push(attempt);
    request.sent(tick());
    if (!again) clock.after(shape.timeoutMs, () => this.#giveUpOn(attempt));
    if (this.#isLost()) return;
    clock.after(this.#latency(), () => this.#deliver(attempt));
  }

  #nextHost(): number {
    const { surroundings, random, firstHost } = this.#parts;
    const { hosts } = surroundings.cluster;
    const last = this.#attempts.at(-1);
    if (last === undefined) return firstHost;
    // Mostly one after the other, so that the leader is found.
    if (chance(random, 0.2)) return must(hosts[randomBelow(random, hosts.length)]);
    return must(hosts[(hosts.indexOf(last.host) + 1) % hosts.length]);
  }

  #deliver(attempt: Attempt): void {
    const { surroundings, request } = this.#parts;
    const { cluster, lives } = surroundings;
    attempt.life = lives.of(attempt.host);
    const node = cluster.nodeOn(attempt.host);
    if (node === undefined) {
      this.#respond(attempt, errorOutcome("STOPPED", "nobody listens there"));
      return;
    }
    if (request.way === "submit") {
      this.#submit(attempt, node, request);
      return;
    }
    const partition = must(node.partitions[request.partition]);
    switch (request.way) {
      case "log":
        this.#propose(attempt, partition, request);
        break;
      case "barrier":
        this.#readBehindBarrier(attempt, partition, request);
        break;
      case "local":
        this.#settle(attempt, request.read(partition), node.groups[request.partition]?.replica);
        break;
      default:
        unreachable(request);
    }
  }

  #submit(attempt: Attempt, node: Node, request: NodeRequest): void {
    const { connection, open } = this.#parts;
    const sink = { settle: (_tag: number, outcome: Outcome) => this.#respond(attempt, outcome) };
    open.add(attempt);
    try {
      attempt.giveUp = request.submit(node, connection(attempt.host, node), sink);
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
      this.#respond(attempt, errorOutcome(error.code, error.message));
    }
  }

  #propose(attempt: Attempt, partition: Partition, request: PartitionRequest): void {
    const refusal = partition.admit();
    if (refusal !== undefined) {
      this.#respond(attempt, refusal);
      return;
    }
    request.encode(partition.open());
    partition.enqueue({ settle: (_tag, outcome) => this.#respond(attempt, outcome) }, 0);
  }

  #readBehindBarrier(
    attempt: Attempt,
    partition: Partition,
    request: LookRequest | PartitionRequest,
  ): void {
    const { surroundings } = this.#parts;
    const { oracle } = surroundings.cluster;
    const committed = oracle?.committed(request.partition) ?? 0;
    partition.barrier().then(
      () => {
        // The memory of a dead process may be anything.
        if (surroundings.lives.of(attempt.host) !== attempt.life) return;
        if (oracle !== undefined) requireAll(oracle, attempt.host, partition, committed);
        this.#respond(attempt, request.read(partition));
      },
      (error: unknown) => {
        if (!(error instanceof TrubaError)) throw error;
        this.#respond(attempt, errorOutcome(error.code, error.message));
      },
    );
  }

  /** What a host says goes to the client, unless the host is dead or the network loses it. */
  #respond(attempt: Attempt, outcome: Outcome): void {
    const { clock, lives } = this.#parts.surroundings;
    this.#parts.open.delete(attempt);
    if (lives.of(attempt.host) !== attempt.life || this.#isLost()) return;
    clock.after(this.#latency(), () => this.#settle(attempt, outcome));
  }

  #settle(attempt: Attempt, outcome: Outcome, replica = 0): void {
    const { request, surroundings, answeredBy } = this.#parts;
    if (attempt.result !== undefined)
      throw new SimulationError(
        `P3: one request was answered twice, the second time ${outcome.kind}`,
      );
    attempt.result = resultOf(outcome, request);
    if (attempt.result === "answered") {
      request.answered(outcome, surroundings.tick(), `${attempt.life}/${replica}`);
      answeredBy(attempt.host);
    }
    if (attempt.again) return;
    if (this.#ended) request.ended(this.#fate);
    else if (attempt.result === "answered") this.#end();
    else if (attempt !== this.#attempts.at(-1)) return;
    else if (attempt.result === "refused") this.#tryLater();
    else if (attempt.result === "unknown") this.#tryAgain();
    else this.#end();
  }

  #giveUpOn(attempt: Attempt): void {
    if (this.#ended || attempt.result !== undefined || attempt !== this.#attempts.at(-1)) return;
    const { lives } = this.#parts.surroundings;
    if (lives.of(attempt.host) === attempt.life && !this.#isLost()) attempt.giveUp?.();
    this.#tryAgain();
  }

  /** It may have been done. */
  #tryAgain(): void {
    if (this.#parts.request.repeatable) this.#tryLater();
    else this.#end();
  }

  #tryLater(): void {
    const { surroundings, patienceMs, random } = this.#parts;
    const { clock } = surroundings;
    if (clock.monotonicMs() - this.#startedMs > patienceMs) {
      this.#end();
      return;
    }
    const backOffMs = Math.min(400, 5 * 2 ** Math.min(this.#attempts.length, 8));
    clock.after(1 + randomBelow(random, backOffMs), () => {
      if (!this.#ended) this.send(false);
    });
  }

  #end(): void {
    const { request, surroundings, random, done } = this.#parts;
    this.#ended = true;
    request.ended(this.#fate);
    if (
      this.#fate === "answered" &&
      request.repeatable &&
      chance(random, surroundings.shape.repeats)
    )
      surroundings.clock.after(1 + randomBelow(random, 3_000), () => this.send(true));
    done();
  }

  get #fate(): Fate {
    if (this.#attempts.some(({ result }) => result === "answered")) return "answered";
    const done = this.#attempts.every(({ result }) => result?.startsWith("refused") === true);
    return done ? "refused" : "unknown";
  }

  #isLost(): boolean {
    return chance(this.#parts.random, this.#parts.surroundings.shape.loss);
  }

  #latency(): number {
    const { shape } = this.#parts.surroundings;
    return (shape.latencyMaxMs * randomBelow(this.#parts.random, 1_001)) / 1_000;
  }
}
