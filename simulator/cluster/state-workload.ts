/** The load on queues and sessions of a run, as one: their groups reach over both. What is left at the end is drained, and read from every replica. */
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { KindSettings } from "../../src/machines/sessions/kinds.ts";
import type { Partition } from "../../src/partition/partition.ts";
import type { TaskState } from "../../src/protocol/requests.ts";
import { SimulationError } from "../node-state.ts";
import type { Request } from "./request.ts";
import { LogTimes } from "./log-times.ts";
import type { CheckReport, EndState, MachineWorkload } from "./machine-workload.ts";
import type { FinalTask } from "./queue-facts.ts";
import { share } from "./queue-shape.ts";
import type { QueueShape } from "./queue-shape.ts";
import { QueueWorkload } from "./queue-workload.ts";
import type { FinalSession } from "./session-facts.ts";
import type { SessionShape } from "./session-shape.ts";
import { SessionWorkload } from "./session-workload.ts";
import { StateBook } from "./state-book.ts";
import { checkStates } from "./state-checks.ts";
import type { FinalState } from "./state-checks.ts";
import { Drain } from "./state-drain.ts";
import { StateLook, sessionsLeft } from "./state-look.ts";
import type { StateListener } from "./state-request.ts";

export interface StateWorkloadParts {
  readonly random: Random;
  readonly clock: Clock;
  readonly partitions: number;
  /** Of all nodes. */
  readonly kinds: readonly KindSettings[];
  readonly listener: StateListener;
  /** Override what is drawn. */
  readonly queues?: Partial<QueueShape> | undefined;
  readonly sessions?: Partial<SessionShape> | undefined;
  /** Part of the requests that are for sessions. */
  readonly sessionShare?: number | undefined;
}

export class StateWorkload implements MachineWorkload {
  readonly queues: QueueWorkload;
  readonly sessions: SessionWorkload;
  readonly #book: StateBook;
  readonly #clock: Clock;
  readonly #sessionShare: number;
  /** Part of the requests that are looks behind a barrier. */
  readonly #looks: number;

  constructor(parts: StateWorkloadParts) {
    const { random, clock, partitions, kinds, listener } = parts;
    this.#clock = clock;
    this.#book = new StateBook(clock, partitions, listener);
    this.sessions = new SessionWorkload({ random, book: this.#book, kinds, shape: parts.sessions });
    this.queues = new QueueWorkload({
      random,
      book: this.#book,
      sessionOf: (client, partition) => this.sessions.sessionOf(client, partition),
      shape: parts.queues,
    });
    const drawn = must([0, 0.3, 0.5, 0.5, 1][random.u32() % 5]);
    this.#looks = chance(random, 0.2) ? 0.9 : share(random, 0.5);
    this.#sessionShare = kinds.length === 0 ? 0 : (parts.sessionShare ?? drawn);
  }

  next(client: number, random: Random): ReturnType<MachineWorkload["next"]> {
    if (chance(random, this.#looks)) return [this.#look(random)];
    const machine = chance(random, this.#sessionShare) ? this.sessions : this.queues;
    return machine.next(client, random);
  }

  #look(random: Random): StateLook {
    const partition = randomBelow(random, this.#book.tags.length);
    return new StateLook(partition, (copy) => sessionsLeft(copy) + copy.stack.queues.totals.queues);
  }

  left(client: number, random: Random): void {
    this.queues.left(client, random);
    this.sessions.left(client, random);
  }

  last(): readonly Request[] {
    return [];
  }

  drain(perform: (request: Request, done: () => void) => void, done: () => void): void {
    if (this.#book.calls.length === 0) {
      done();
      return;
    }
    new Drain(
      {
        book: this.#book,
        clock: this.#clock,
        queues: [...this.queues.queues.values()],
        sessions: this.sessions,
        perform,
      },
      done,
    ).start();
  }

  check(end: EndState): CheckReport {
    const { calls } = this.#book;
    if (calls.length > 0) {
      checkStates({
        calls,
        queues: this.queues.queues,
        kinds: this.sessions.kinds,
        times: end.times ?? new LogTimes(),
        final: this.#final(end),
        partitionOf: (session) => this.#book.partitionOf(session),
        ownerEnded: (call) =>
          Math.min(
            ...call.lives.map((life) => end.lifeEnded(life)),
            end.leftAfter(call.client, call.invoked),
          ),
      });
      this.#requireNothingLeft(end);
    }
    const count = (fate: string): number => calls.filter((call) => call.fate === fate).length;
    return {
      calls: calls.length,
      answered: count("answered"),
      refused: count("refused"),
      unknown: count("unknown") + count("open"),
      histories: 0,
      undecided: 0,
    };
  }

  /** Read from every replica; all have the same. */
  #final(end: EndState): FinalState {
    const tasks: FinalTask[] = [];
    const sessions: FinalSession[] = [];
    const markers = new Map<string, { version: number; value: Uint8Array }>();
    const endMs: number[] = [];
    for (const [partition, tag] of this.#book.tags.entries()) {
      const found = end.replicas(partition).map((replica) => ({
        tasks: this.#tasks(replica),
        sessions: sessionsOf(replica),
      }));
      const [first] = found;
      if (first === undefined) throw new SimulationError(`no copy of partition ${tag} is left`);
      for (const other of found) {
        if (textOf(other) === textOf(first)) continue;
        throw new SimulationError(
          `P5: two copies of partition ${partition} differ: ${textOf(first)} and ${textOf(other)}`,
        );
      }
      tasks.push(...first.tasks);
      sessions.push(...first.sessions);
      const replica = must(end.replicas(partition)[0]);
      endMs.push(replica.timestamp);
      const key = must(this.queues.markers[partition]);
      const marker = markerOf(replica, key);
      if (marker !== undefined) markers.set(key, marker);
    }
    return { tasks, sessions, markers, endMs };
  }

  #tasks(replica: Partition): FinalTask[] {
    const found: FinalTask[] = [];
    const { queues } = replica.stack;
    for (const { name, partition } of this.queues.queues.values()) {
      if (partition !== replica.id || !queues.has(name)) continue;
      for (const state of ["waiting", "delayed", "leased", "dead"] satisfies TaskState[]) {
        const { tasks } = queues.read("queue.peek", {
          queue: name,
          state,
          count: limits.listMaxCount,
        });
        for (const { task, deliveries, payload } of tasks)
          found.push({ queue: name, task, state, deliveries, payload });
      }
    }
    return found;
  }

  /** The drain has had all the time it needs. */
  #requireNothingLeft(end: EndState): void {
    const { tasks, sessions } = this.#final(end);
    const task = tasks.find(({ state }) => state !== "dead");
    if (task !== undefined)
      throw new SimulationError(
        `liveness: task ${task.task} of ${task.queue} is ${task.state} at the end, and nobody is given it`,
      );
    const session = sessions.find(({ state }) => state !== "dead");
    if (session !== undefined)
      throw new SimulationError(
        `liveness: session ${session.session} is ${session.state} at the end, and nobody is given it`,
      );
  }
}

function sessionsOf({ stack }: Partition): FinalSession[] {
  const { sessions } = stack.sessions.read("session.list", { count: limits.listMaxCount });
  return sessions.map(({ session }) => {
    const { kind, state, repeats, records } = stack.sessions.read("session.get", { session });
    return { session, kind, state, repeats, records };
  });
}

/** The record of a group's key, `{tag}` and a UUID: the bytes of the UUID, then those of the tag. */
function markerOf(
  { stack }: Partition,
  key: string,
): { version: number; value: Uint8Array } | undefined {
  const [, tag = "", uuid = ""] = /^\{(.*)\}(.*)$/.exec(key) ?? [];
  const bytes = Buffer.concat([Buffer.from(uuid.replaceAll("-", ""), "hex"), Buffer.from(tag)]);
  const { records } = stack;
  const address = records.find(bytes, 0, bytes.length);
  if (address === 0) return undefined;
  const value = records
    .buffer(address)
    .subarray(records.valueStart(address), records.valueEnd(address));
  return { version: records.version(address), value: Buffer.from(value) };
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_name, one: unknown) =>
    typeof one === "bigint" ? String(one) : one,
  );
}
