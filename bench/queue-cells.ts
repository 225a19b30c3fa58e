/** What the benchmark of queues runs, and what it holds the results against. */

import type { Job } from "./brokers/process.ts";
import type { Cell, Pair, Target } from "./table.ts";
import { BROKERS, type BrokerName } from "./servers.ts";

/** Of a payload, in the cells. */
export const PAYLOAD_BYTES = 128;

/** A load that some or all brokers run in turns. */
export interface QueueCell extends Cell {
  readonly brokers: readonly BrokerName[];
  /** Whether the tasks must be there before: they are pushed in bulks, which is not measured. */
  readonly drains: boolean;
  readonly job: (queue: string, count: number) => Job;
}

const WORKERS = ["truba", "bullmq"] as const;
const push = "push 128 B, 64 in flight";
const bulk = "push 128 B, 8 bulks of 100";
const consume = "pop and ack, 256 in hand";
const work = "pop and ack, 64 handlers";
const sessions = "session new, append, delete";

export function queueCells(): QueueCell[] {
  const bytes = PAYLOAD_BYTES;
  const cell = (
    name: string,
    brokers: readonly BrokerName[],
    drains: boolean,
    job: QueueCell["job"],
  ): QueueCell => ({ name, brokers, drains, job, samples: {} });
  return [
    cell(push, BROKERS, false, (queue, count) => ({ kind: "push", queue, count, bytes })),
    cell(bulk, BROKERS, false, (queue, count) => ({ kind: "bulk", queue, count, bytes })),
    cell(consume, BROKERS, true, (queue, count) => ({ kind: "consume", queue, count })),
    cell(work, WORKERS, true, (queue, count) => ({ kind: "work", queue, count })),
    cell(sessions, ["truba"], false, (_queue, count) => ({ kind: "sessions", count, bytes })),
  ];
}

export const QUEUE_PAIRS: readonly Pair[] = [
  ["truba", "bullmq"],
  ["truba", "rabbitmq"],
  ["truba", "beanstalkd"],
];

export const QUEUE_TARGETS: readonly Target[] = [
  { cell: push, of: "truba", to: "bullmq", atLeast: 2 },
  { cell: bulk, of: "truba", to: "bullmq", atLeast: 2 },
  { cell: consume, of: "truba", to: "bullmq", atLeast: 3 },
  { cell: work, of: "truba", to: "bullmq", atLeast: 3 },
];

/** Sessions opened, appended to and deleted in a second. */
export const SESSIONS_TARGET = { cell: sessions, atLeast: 15_000 } as const;
/** A push into a queue with many waiting may take so many times as long as into an empty one. */
export const DEPTH_TARGET = { waiting: 400_000, atMost: 1.5 } as const;
/** Of a million waiting tasks of 100 bytes. */
export const MEMORY_TARGET = {
  tasks: 1_000_000,
  bytes: 100,
  ofBullMq: 0.5,
  restartSeconds: 3,
} as const;
/** Percent of one core that a server may use while all that it has is consumers that wait. */
export const IDLE_TARGET = { consumers: 1_000, atMostPercent: 1 } as const;
