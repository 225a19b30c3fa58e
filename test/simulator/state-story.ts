/**
 * Histories of queues and sessions as a test writes them by hand, one call after the other, on one partition. Log time is 100 ms for each number; so an operation with
 * number 7 was applied at 700.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SimulationError } from "../../simulator/node-state.ts";
import { LogTimes } from "../../simulator/cluster/log-times.ts";
import type { FinalTask } from "../../simulator/cluster/queue-facts.ts";
import type { QueuePlan } from "../../simulator/cluster/queue-shape.ts";
import type { FinalSession } from "../../simulator/cluster/session-facts.ts";
import { stampedValue } from "../../simulator/cluster/stamped-value.ts";
import { checkStates } from "../../simulator/cluster/state-checks.ts";
import type { StateCall } from "../../simulator/cluster/state-call.ts";
import { errorOutcome } from "../../src/machines/outcome.ts";
import type { Outcome, SessionStatus } from "../../src/machines/outcome.ts";
import type { KindSettings } from "../../src/machines/sessions/kinds.ts";
import type {
  AnyRequest,
  DeliveredTask,
  Lease,
  RequestOf,
  SessionState,
  TaskState,
} from "../../src/protocol/requests.ts";

export const numberMs = 100;
/** Each lends for 1,000 ms unless the pop says otherwise. */
export const q = "{t}q";
export const mortal = "{t}mortal";
export const letters = "{t}mortal.dead";
export const small = "{t}small";
/** Dead after one delivery, and stays. */
export const buried = "{t}buried";
export const marker = "{t}00000000-0000-4000-8000-000000000001";

export const payload = (stamp: number): Buffer => stampedValue(stamp, 6);

// Steps.

export const push = (
  queue: string,
  stamp: number,
  more: Partial<RequestOf<"queue.push">> = {},
): AnyRequest => ({ verb: "queue.push", request: { queue, payload: payload(stamp), ...more } });
export const pop = (queue: string, more: Partial<RequestOf<"queue.pop">> = {}): AnyRequest => ({
  verb: "queue.pop",
  request: { queue, ...more },
});
export const ack = (queue: string, ...leases: Lease[]): AnyRequest => ({
  verb: "queue.ack",
  request: { queue, leases },
});
export const nack = (
  queue: string,
  lease: Lease,
  more: Partial<RequestOf<"queue.nack">> = {},
): AnyRequest => ({ verb: "queue.nack", request: { queue, leases: [lease], ...more } });
export const extend = (queue: string, lease: Lease): AnyRequest => ({
  verb: "queue.extend",
  request: { queue, leases: [lease] },
});
export const setMarker = (stamp: number): AnyRequest => ({
  verb: "record.set",
  request: { key: marker, value: payload(stamp) },
});
export const of = (task: number, lease: number): Lease => ({ task, lease });

// Outcomes.

export const pushed = (task: number): Outcome => ({ kind: "pushed", task, duplicate: false });
export const duplicate = (task: number): Outcome => ({ kind: "pushed", task, duplicate: true });
export const settled = (count = 1, leaseEndsAtMs = 0): Outcome => ({
  kind: "settled",
  settled: count,
  lost: [],
  leaseEndsAtMs,
});
export const refused = errorOutcome;
export const nothing: Outcome = { kind: "tasks", tasks: [] };

/** One pop's answer: by its number, and of each task at least number and stamp. */
export function tasks(
  lease: number,
  ...each: (Partial<DeliveredTask> & { readonly task: number; readonly stamp: number })[]
): Outcome {
  return {
    kind: "tasks",
    tasks: each.map(({ stamp, ...more }) => ({
      lease,
      priority: 0,
      deliveries: 1,
      pushedAtMs: more.task * numberMs,
      leaseEndsAtMs: lease * numberMs + 1_000,
      payload: payload(stamp),
      ...more,
    })),
  };
}

export function session(
  status: SessionStatus,
  number: number,
  epoch: number,
  more: { readonly dueAtMs?: number; readonly recordsCount?: number } = {},
): Outcome {
  return {
    kind: "session",
    status,
    session: id(number),
    epoch,
    dueAtMs: more.dueAtMs ?? 0,
    recordsCount: more.recordsCount ?? 1,
    bytes: 6,
  };
}

export const id = (number: number): string => `{t}${number.toString(16).padStart(16, "0")}`;

/** What a take gives: of each its number, its repeats and the stamps of its records. */
export function given(
  epoch: number,
  ...each: (readonly [number: number, repeats: number, ...records: number[]])[]
): Outcome {
  return {
    kind: "sessions",
    sessions: each.map(([number, repeats, ...records]) => ({
      session: id(number),
      epoch,
      kind: "kind",
      repeats,
      createdAtMs: 0,
      records: records.map(payload),
    })),
  };
}

const queues: readonly QueuePlan[] = [
  plan(q, { implementation: "priority", priorities: [0, 1, 2] }),
  plan(mortal, { maxDeliveries: 2, deadLetter: letters }),
  plan(letters, { implementation: "priority", priorities: [] }),
  plan(buried, { maxDeliveries: 1 }),
  plan(small, { maxSize: 2, dedupMs: 1_000 }),
];

function plan(name: string, more: Partial<QueuePlan>): QueuePlan {
  return {
    name,
    partition: 0,
    implementation: "fifo",
    order: "lowest",
    leaseMs: 1_000,
    maxDeliveries: 0,
    byDeath: false,
    priorities: [0],
    ...more,
  };
}

/** Hung after 1,000 ms, put off for 500 ms, dead after two repeats. */
export const kind: KindSettings = {
  name: "kind",
  number: 1,
  delayMs: 500,
  spreadMs: 0,
  maxRepeats: 2,
  maxBytes: 60,
  silenceMs: 1_000,
};

export class StateStory {
  readonly calls: StateCall[] = [];
  readonly #tasks: FinalTask[] = [];
  readonly #sessions: FinalSession[] = [];
  readonly #markers = new Map<string, { version: number; value: Buffer }>();
  #moment = 0;
  /** When the connections of all clients end. */
  #left = Infinity;

  /** Asked and answered before anything else is asked. */
  did(step: AnyRequest, outcome: Outcome, more: Partial<StateCall> = {}): this {
    return this.#add([step], outcome, more);
  }

  /** An atomic group. */
  group(steps: readonly AnyRequest[], outcomes: readonly Outcome[]): this {
    return this.#add(steps, { kind: "group", outcomes }, { group: true });
  }

  /** Nobody knows whether it was done. */
  lost(step: AnyRequest): this {
    return this.#add([step], undefined, { fate: "unknown" });
  }

  lostGroup(...steps: readonly AnyRequest[]): this {
    return this.#add(steps, undefined, { fate: "unknown", group: true });
  }

  aborted(index: number, ...steps: readonly AnyRequest[]): this {
    const outcome: Outcome = { kind: "aborted", index, code: "LEASELOST", text: "" };
    return this.#add(steps, outcome, { group: true });
  }

  /** The one before is answered only after the next one was asked. */
  meanwhile(step: AnyRequest, outcome: Outcome): this {
    const before = this.calls.at(-1);
    this.#add([step], outcome, { invoked: (before?.invoked ?? 0) + 0.5 });
    return this;
  }

  leaves(): this {
    this.#left = ++this.#moment;
    return this;
  }

  leftTask(queue: string, task: number, stamp: number, state: TaskState, deliveries = 0): this {
    this.#tasks.push({ queue, task, state, deliveries, payload: payload(stamp) });
    return this;
  }

  leftSession(number: number, state: SessionState, repeats: number, ...records: number[]): this {
    const found = { session: id(number), kind: "kind", state, repeats };
    this.#sessions.push({ ...found, records: records.map(payload) });
    return this;
  }

  leftMarker(version: number, stamp: number): this {
    this.#markers.set(marker, { version, value: payload(stamp) });
    return this;
  }

  /** Throws SimulationError. */
  check(): void {
    const times = new LogTimes();
    for (let number = 1; number <= 200; number++) times.note(0, number, number * numberMs);
    checkStates({
      calls: this.calls,
      queues: new Map(queues.map((one) => [one.name, one])),
      kinds: new Map([["kind", kind]]),
      times,
      final: {
        tasks: this.#tasks,
        sessions: this.#sessions,
        markers: this.#markers,
        endMs: [200 * numberMs],
      },
      partitionOf: () => 0,
      ownerEnded: ({ invoked }) => (invoked < this.#left ? this.#left : Infinity),
    });
  }

  #add(steps: readonly AnyRequest[], outcome: Outcome | undefined, more: Partial<StateCall>): this {
    const invoked = ++this.#moment;
    const moment = ++this.#moment;
    this.calls.push({
      client: 1,
      partition: 0,
      requestId: undefined,
      steps,
      group: false,
      detached: false,
      lives: [1],
      invoked,
      fate: "answered",
      answers: outcome === undefined ? [] : [{ outcome, moment }],
      ...more,
    });
    return this;
  }
}

/** A test for each history: nothing is found in the good ones, and what is wrong in the bad ones is named. */
export function tellStories(
  title: string,
  good: readonly (readonly [string, StateStory])[],
  bad: readonly (readonly [string, StateStory, RegExp])[],
): void {
  suite(title, () => {
    for (const [name, story] of good) test(`nothing is found in: ${name}`, () => story.check());
    for (const [name, story, found] of bad) {
      test(`found: ${name}`, () => {
        assert.throws(
          () => story.check(),
          (error: unknown) => {
            assert.ok(error instanceof SimulationError, String(error));
            assert.match(error.message, found);
            return true;
          },
        );
      });
    }
  });
}

/** Two pushes, stamps 1 and 2, tasks 1 and 2. */
export const two = (queue: string): StateStory =>
  new StateStory().did(push(queue, 1), pushed(1)).did(push(queue, 2), pushed(2));
