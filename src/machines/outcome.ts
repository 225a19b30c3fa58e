/**
 * What an operation did: plain data that surfaces render and that `once` keeps. Apply cannot fail; errors are outcomes among others.
 */
import { unreachable } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { DeliveredSession, DeliveredTask } from "../protocol/requests.ts";

/** `exists`, `notfound` and `conflict`: a condition of the request did not hold, nothing changed. Order is the byte in stored outcomes. */
export const recordStatuses = [
  "created",
  "updated",
  "deleted",
  "missing",
  "exists",
  "notfound",
  "conflict",
  "checked",
] as const;
export type RecordStatus = (typeof recordStatuses)[number];

export interface RecordOutcome {
  readonly kind: "record";
  readonly status: RecordStatus;
  /** Version of the record: of the new one, of the deleted one, or of the one that stood in the way; 0 if there is none. */
  readonly version: number;
}

/** A read inside a group. `value` is a copy. */
export interface ValueOutcome {
  readonly kind: "value";
  readonly version: number;
  readonly value: Buffer | undefined;
}

export interface ErrorOutcome {
  readonly kind: "error";
  readonly code: ErrorCode;
  readonly text: string;
  readonly retryAfterMs?: number;
}

export interface GroupOutcome {
  readonly kind: "group";
  readonly outcomes: readonly Outcome[];
}

/** An atomic group that was not applied: the first operation that failed (from 0) and why. */
export interface AbortedOutcome {
  readonly kind: "aborted";
  readonly index: number;
  readonly code: ErrorCode;
  readonly text: string;
}

/** Nobody waits for it: the node's own operations. */
export interface DoneOutcome {
  readonly kind: "done";
}

/** A queue was made, altered, deleted, paused or resumed; or it was so already. */
export interface QueueOutcome {
  readonly kind: "queue";
  readonly changed: boolean;
}

export interface PushedOutcome {
  readonly kind: "pushed";
  readonly task: number;
  /** The dedup id was known: the task is the one pushed then. */
  readonly duplicate: boolean;
}

/** What a pop handed out. Payloads are copies. Never remembered: a pop has no request id. */
export interface TasksOutcome {
  readonly kind: "tasks";
  readonly tasks: readonly DeliveredTask[];
}

/** Leases were acknowledged, given back, extended or checked. */
export interface SettledOutcome {
  readonly kind: "settled";
  readonly settled: number;
  /** Tasks whose lease did not hold. */
  readonly lost: readonly number[];
  /** Of an extension, log time in ms; else 0. */
  readonly leaseEndsAtMs: number;
}

/** So many rows were dropped or revived. */
export interface CountOutcome {
  readonly kind: "count";
  readonly count: number;
}

/** Order is the byte in stored outcomes. */
export const sessionStatuses = [
  "created",
  "appended",
  "replaced",
  "touched",
  "deleted",
  "stored",
  "dead",
] as const;
export type SessionStatus = (typeof sessionStatuses)[number];

export interface SessionOutcome {
  readonly kind: "session";
  readonly status: SessionStatus;
  /** The id as text. */
  readonly session: string;
  readonly epoch: number;
  /** When it counts as hung, or comes back; log time in ms, 0 = never. */
  readonly dueAtMs: number;
  readonly recordsCount: number;
  readonly bytes: number;
}

/** What a take handed out. Records are copies. Never remembered: a take has no request id. */
export interface SessionsOutcome {
  readonly kind: "sessions";
  readonly sessions: readonly DeliveredSession[];
}

export type Outcome =
  | RecordOutcome
  | QueueOutcome
  | PushedOutcome
  | TasksOutcome
  | SettledOutcome
  | CountOutcome
  | SessionOutcome
  | SessionsOutcome
  | ValueOutcome
  | ErrorOutcome
  | GroupOutcome
  | AbortedOutcome
  | DoneOutcome;

export const done: DoneOutcome = { kind: "done" };

export function errorOutcome(code: ErrorCode, text: string, retryAfterMs?: number): ErrorOutcome {
  return retryAfterMs === undefined
    ? { kind: "error", code, text }
    : { kind: "error", code, text, retryAfterMs };
}

/** Why an outcome aborts the group it stands in; `undefined` if it does not. */
export function abortReason(outcome: Outcome): { code: ErrorCode; text: string } | undefined {
  if (outcome.kind === "error") return outcome;
  if (outcome.kind === "settled" && outcome.lost.length > 0)
    return { code: "LEASELOST", text: `the lease of task ${outcome.lost[0]} does not hold` };
  if (outcome.kind !== "record") return undefined;
  const { status } = outcome;
  switch (status) {
    case "exists":
      return { code: "EXISTS", text: `the record exists with version ${outcome.version}` };
    case "notfound":
      return { code: "NOTFOUND", text: "the record does not exist" };
    case "conflict":
      return { code: "VERSIONCONFLICT", text: `the record has version ${outcome.version}` };
    case "created":
    case "updated":
    case "deleted":
    case "missing":
    case "checked":
      return undefined;
    default:
      return unreachable(status);
  }
}
