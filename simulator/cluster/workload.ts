/**
 * The load of a simulated cluster: clients that ask for what the workloads of the machines think of, think or rest, and ask again. Draws its shape and
 * everything else from one seed. For another machine, add its workload to the list.
 */
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { Client } from "./client.ts";
import type { ClientShape } from "./client.ts";
import type { Request } from "./request.ts";
import type { ClusterPort } from "./cluster-port.ts";
import { textOfCall } from "./history.ts";
import { HostLives } from "./host-lives.ts";
import type { CheckReport, EndState, MachineWorkload } from "./machine-workload.ts";
import type { QueueShape } from "./queue-shape.ts";
import { ReadWatch } from "./read-watch.ts";
import { RecordWorkload } from "./record-workload.ts";
import type { RecordShape } from "./record-shape.ts";
import type { SessionShape } from "./session-shape.ts";
import { textOfCall as textOfState } from "./state-call.ts";
import { StateWorkload } from "./state-workload.ts";
import type { KindSettings } from "../../src/machines/sessions/kinds.ts";
import { AbsentLog } from "../../src/partition/absent-log.ts";
import type { Partition } from "../../src/partition/partition.ts";

export interface WorkloadShape extends ClientShape {
  readonly clients: number;
  /** Between an answer and the next request, at most. */
  readonly thinkMaxMs: number;
  /** All clients are busy for so long, then all rest for so long; 0 = nobody rests. */
  readonly busyMs: number;
  readonly restMs: number;
  /** Part of what clients do that is for queues and sessions; the rest is for records. */
  readonly states: number;
  /** Between two looks of the {@link ReadWatch}; 0 = it does not look. */
  readonly watchEveryMs: number;
}

export interface WorkloadOptions {
  readonly random: Random;
  readonly clock: Clock;
  readonly cluster: ClusterPort;
  /** Is told what becomes of each request. */
  readonly trace: (line: string, partition?: number) => void;
  /** Overrides what is drawn. */
  readonly shape?: Partial<WorkloadShape>;
  readonly records?: Partial<RecordShape>;
  readonly queues?: Partial<QueueShape>;
  readonly sessions?: Partial<SessionShape>;
  /** Part of what is for queues and sessions that is for sessions. */
  readonly sessionShare?: number;
  /** Of sessions, as the nodes are configured. */
  readonly kinds?: readonly KindSettings[];
}

/** After so many requests clients slow down: the checkers' time is not virtual. */
const requestsMaxCount = 5_000;
const slowMs = 1_000;
/** Reads at the end, at once. */
const lastAtOnce = 16;
const lastPatienceMs = 30_000;
const lastTimeoutMs = 1_000;

export class Workload {
  readonly shape: WorkloadShape;
  /** Requests that were answered. */
  readonly counts = { reads: 0, writes: 0 };
  readonly records: RecordWorkload;
  readonly states: StateWorkload;
  readonly #options: WorkloadOptions;
  readonly #machines: readonly MachineWorkload[];
  readonly #clients: {
    readonly number: number;
    readonly client: Client;
    readonly random: Random;
  }[];
  readonly #lives: HostLives;
  #moment = 0;
  #requests = 0;
  #running = 0;
  /** Reads what is there at the end, whichever host it takes. */
  readonly #reader: Client;
  #stopped: (() => void) | undefined;
  readonly #watch: ReadWatch | undefined;

  constructor(options: WorkloadOptions) {
    const { random, clock, cluster, trace } = options;
    this.#options = options;
    this.shape = { ...drawShape(random), ...options.shape };
    this.records = new RecordWorkload({
      random,
      clock,
      partitions: cluster.partitions,
      listener: (request) => {
        if (request.fate === "answered") this.counts[request.isRead ? "reads" : "writes"]++;
        trace(textOfCall(request), request.partition);
      },
      shape: options.records,
    });
    this.states = new StateWorkload({
      random,
      clock,
      partitions: cluster.partitions,
      kinds: options.kinds ?? [],
      listener: (request) => {
        if (request.fate === "answered") this.counts.writes++;
        trace(textOfState(request), request.partition);
      },
      queues: options.queues,
      sessions: options.sessions,
      sessionShare: options.sessionShare,
    });
    this.#machines = [this.records, this.states];
    const tick = (): number => ++this.#moment;
    this.#lives = new HostLives(cluster, tick);
    const surroundings = { clock, cluster, shape: this.shape, lives: this.#lives, tick };
    this.#clients = Array.from({ length: this.shape.clients }, (_, index) => {
      const own = new SeededRandom(random.u32());
      return { number: index + 1, client: new Client(surroundings, own), random: own };
    });
    const { oracle } = cluster;
    const everyMs = this.shape.watchEveryMs;
    if (oracle !== undefined && everyMs > 0)
      this.#watch = new ReadWatch({ clock, cluster, oracle, lives: this.#lives, everyMs });
    const patient = { ...this.shape, loss: 0, loyalty: 0, timeoutMs: lastTimeoutMs };
    this.#reader = new Client({ ...surroundings, shape: patient }, new SeededRandom(random.u32()));
    trace(`clients: ${JSON.stringify(this.shape)}, records: ${JSON.stringify(this.records.shape)}`);
  }

  start(): void {
    this.#watch?.start();
    this.#running = this.#clients.length;
    for (let index = 0; index < this.#clients.length; index++) this.#think(index);
  }

  /** No more requests; resolves when all are over, and the state at the end has been read. */
  async stop(): Promise<void> {
    this.#watch?.stop();
    await new Promise<void>((resolve) => {
      this.#stopped = resolve;
      if (this.#running === 0) resolve();
    });
    const last = this.#machines.flatMap((machine) => machine.last());
    await new Promise<void>((resolve) => this.#readLast(last, resolve));
    for (const machine of this.#machines) {
      await new Promise<void>((resolve) => {
        if (machine.drain === undefined) resolve();
        else
          machine.drain(
            (request, done) => this.#reader.perform(request, done, lastPatienceMs),
            resolve,
          );
      });
    }
  }

  /** After `stop`. Throws SimulationError when what the clients were told cannot be. */
  check(): CheckReport {
    const end = this.#end();
    const reports = this.#machines.map((machine) => machine.check(end));
    const sum = (of: (report: CheckReport) => number): number =>
      reports.reduce((total, report) => total + of(report), 0);
    return {
      calls: sum(({ calls }) => calls),
      answered: sum(({ answered }) => answered),
      refused: sum(({ refused }) => refused),
      unknown: sum(({ unknown }) => unknown),
      histories: sum(({ histories }) => histories),
      undecided: sum(({ undecided }) => undecided),
    };
  }

  #think(index: number): void {
    const { clock } = this.#options;
    const { random } = must(this.#clients[index]);
    const { thinkMaxMs, busyMs, restMs } = this.shape;
    let waitMs = (thinkMaxMs * randomBelow(random, 1_001)) / 1_000;
    if (this.#requests > requestsMaxCount) waitMs += slowMs;
    const phaseMs = (clock.monotonicMs() + waitMs) % (busyMs + restMs || 1);
    if (restMs > 0 && phaseMs > busyMs) waitMs += busyMs + restMs - phaseMs;
    clock.after(waitMs, () => this.#ask(index));
  }

  #ask(index: number): void {
    if (this.#stopped !== undefined) {
      this.#running--;
      if (this.#running === 0) this.#stopped();
      return;
    }
    const { number, client, random } = must(this.#clients[index]);
    const machine = chance(random, this.shape.states) ? this.states : this.records;
    const requests = machine.next(number, random);
    if (requests === "leave") {
      client.leave();
      for (const each of this.#machines) each.left?.(number, random);
      this.#think(index);
      return;
    }
    this.#requests += requests.length;
    let open = requests.length;
    for (const request of requests) {
      client.perform(request, () => {
        open--;
        if (open === 0) this.#think(index);
      });
    }
  }

  #end(): EndState {
    const { cluster } = this.#options;
    return {
      replicas: (partition) => newestCopies(cluster, partition),
      times: cluster.oracle?.times,
      lifeEnded: (life) => this.#lives.endOf(life),
      leftAfter: (number, moment) =>
        this.#clients[number - 1]?.client.leftAfter(moment) ?? Infinity,
    };
  }

  #readLast(requests: readonly Request[], done: () => void): void {
    const client = this.#reader;
    let next = 0;
    let open = 0;
    const goOn = (): void => {
      if (next === requests.length && open === 0) done();
      while (open < lastAtOnce && next < requests.length) {
        open++;
        client.perform(
          must(requests[next++]),
          () => {
            open--;
            goOn();
          },
          lastPatienceMs,
        );
      }
    };
    goOn();
  }
}

function newestCopies(cluster: ClusterPort, partition: number): Partition[] {
  const copies: Partition[] = [];
  for (const host of cluster.hosts) {
    const node = cluster.nodeOn(host);
    const copy = node?.partitions[partition];
    if (copy === undefined || copy.log instanceof AbsentLog) continue;
    if (node?.groups[partition]?.raft.isWitness !== true) copies.push(copy);
  }
  const newest = Math.max(...copies.map(({ position }) => position));
  return copies.filter(({ position }) => position === newest);
}

function drawShape(random: Random): WorkloadShape {
  const rests = chance(random, 0.4);
  return {
    clients: pick(random, [1, 2, 4, 4, 8, 8, 16]),
    thinkMaxMs: pick(random, [0, 5, 50, 500]),
    busyMs: rests ? pick(random, [200, 2_000]) : 0,
    restMs: rests ? pick(random, [500, 3_000]) : 0,
    latencyMaxMs: pick(random, [0, 1, 5, 20]),
    loss: chance(random, 0.5) ? randomBelow(random, 10) / 100 : 0,
    timeoutMs: pick(random, [300, 1_000, 4_000]),
    patienceMs: pick(random, [2_000, 8_000, 15_000]),
    loyalty: pick(random, [0, 0.8, 0.98]),
    repeats: chance(random, 0.5) ? 0.1 : 0,
    states: pick(random, [0, 0.5, 0.5, 0.9]),
    watchEveryMs: pick(random, [0, 0, 100, 20]),
  };
}

function pick(random: Random, from: readonly number[]): number {
  return must(from[randomBelow(random, from.length)]);
}
