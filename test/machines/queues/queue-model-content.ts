/** What the model of queues holds: plain objects in lists. */
import type { ErrorCode } from "../../../src/base/errors.ts";
import type { Outcome } from "../../../src/machines/outcome.ts";
import type { Owner } from "../../../src/machines/owner.ts";
import type { Int64, QueueSettings, TaskState } from "../../../src/protocol/requests.ts";

export interface ModelQueue {
  readonly name: string;
  readonly number: number;
  readonly createdAtMs: number;
  settings: QueueSettings;
  paused: boolean;
}

export interface ModelTask {
  readonly number: number;
  queue: number;
  priority: bigint;
  readonly pushedAtMs: number;
  expiresAtMs: number;
  readonly payload: string;
  state: TaskState;
  deliveries: number;
  due: number;
  lease: number;
  owner: Owner | undefined;
}

export interface Dedup {
  readonly queue: number;
  readonly id: string;
  readonly task: number;
  readonly end: number;
}

export interface Content {
  queues: ModelQueue[];
  tasks: ModelTask[];
  dedup: Dedup[];
  lastQueue: number;
}

/** Nobody holds it, and it is not dead. */
export function isFree(task: ModelTask): boolean {
  return task.state === "waiting" || task.state === "delayed";
}

export function takes(settings: QueueSettings, priority: bigint): boolean {
  if (settings.implementation === "fifo") return priority === 0n;
  const { priorityMin = -(2n ** 63n), priorityMax = 2n ** 63n } = settings;
  return priority >= priorityMin && priority <= priorityMax;
}

/** A number where that is exact. */
export function short(value: bigint): Int64 {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

export function changed(yes: boolean): Outcome {
  return { kind: "queue", changed: yes };
}

export function error(code: ErrorCode): Outcome {
  return { kind: "error", code, text: "" };
}
