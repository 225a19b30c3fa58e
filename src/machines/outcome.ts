/**
 * What an operation did: plain data that surfaces render and that `once` keeps. Apply cannot fail; errors are outcomes among others.
 */
import { assert, must, unreachable } from "../base/assert.ts";
import { type ErrorCode, errorCodes } from "../base/errors.ts";

/** `exists`, `notfound` and `conflict`: a condition of the request did not hold, nothing changed. Order is the byte in stored outcomes. */
export const recordStatuses = [
  "created",
  "updated",
  "deleted",
  "missing",
  "exists",
  "notfound",
  "conflict",
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

export type Outcome =
  | RecordOutcome
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
  if (outcome.kind !== "record") return undefined;
  switch (outcome.status) {
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
      return undefined;
    default:
      return unreachable(outcome.status);
  }
}

/**
 * Outcomes as `once` stores them. What a read inside a group found is not stored: a repeat of the group reads again.
 *
 *     record   u8 1, u8 status, f64 version
 *     value    u8 2
 *     group    u8 3, u16 count, outcomes
 *     aborted  u8 4, u16 index, u8 code bytes, code, u16 text bytes, text
 *     error    u8 5, u8 code bytes, code, u16 text bytes, text
 *     done     u8 6
 *     later    u8 7, f64 ms to wait, then as an error: one that says when to come back
 */
export function encodeOutcome(outcome: Outcome): Buffer {
  switch (outcome.kind) {
    case "record": {
      const bytes = Buffer.alloc(10);
      bytes[0] = 1;
      bytes[1] = recordStatuses.indexOf(outcome.status);
      bytes.writeDoubleLE(outcome.version, 2);
      return bytes;
    }
    case "value":
      return Buffer.of(2);
    case "group": {
      const count = Buffer.alloc(3);
      count[0] = 3;
      count.writeUInt16LE(outcome.outcomes.length, 1);
      return Buffer.concat([count, ...outcome.outcomes.map(encodeOutcome)]);
    }
    case "aborted": {
      const index = Buffer.alloc(3);
      index[0] = 4;
      index.writeUInt16LE(outcome.index, 1);
      return Buffer.concat([index, encodeReason(outcome.code, outcome.text)]);
    }
    case "error":
      return Buffer.concat([
        outcome.retryAfterMs === undefined ? Buffer.of(5) : encodeLater(outcome.retryAfterMs),
        encodeReason(outcome.code, outcome.text),
      ]);
    case "done":
      return Buffer.of(6);
    default:
      return unreachable(outcome);
  }
}

export function decodeOutcome(bytes: Buffer): Outcome {
  const cursor = { bytes, at: 0 };
  const outcome = decodeNext(cursor);
  assert(cursor.at === bytes.length, "a stored outcome has bytes left over");
  return outcome;
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

function decodeNext(cursor: Cursor): Outcome {
  const kind = must(cursor.bytes[cursor.at++], "a stored outcome is cut short");
  switch (kind) {
    case 1: {
      const status = must(recordStatuses[must(cursor.bytes[cursor.at])]);
      const version = cursor.bytes.readDoubleLE(cursor.at + 1);
      cursor.at += 9;
      return { kind: "record", status, version };
    }
    case 2:
      return { kind: "value", version: 0, value: undefined };
    case 3: {
      const outcomes: Outcome[] = [];
      const count = cursor.bytes.readUInt16LE(cursor.at);
      cursor.at += 2;
      for (let i = 0; i < count; i++) outcomes.push(decodeNext(cursor));
      return { kind: "group", outcomes };
    }
    case 4: {
      const index = cursor.bytes.readUInt16LE(cursor.at);
      cursor.at += 2;
      return { kind: "aborted", index, ...decodeReason(cursor) };
    }
    case 5:
      return { kind: "error", ...decodeReason(cursor) };
    case 6:
      return done;
    case 7: {
      const retryAfterMs = cursor.bytes.readDoubleLE(cursor.at);
      cursor.at += 8;
      return { kind: "error", ...decodeReason(cursor), retryAfterMs };
    }
    default:
      throw new Error(`a stored outcome has the unknown kind ${kind}`);
  }
}

function encodeLater(retryAfterMs: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = 7;
  bytes.writeDoubleLE(retryAfterMs, 1);
  return bytes;
}

function encodeReason(code: ErrorCode, text: string): Buffer {
  const codeBytes = Buffer.from(code, "latin1");
  const textBytes = Buffer.from(text, "utf8");
  const length = Buffer.alloc(2);
  length.writeUInt16LE(textBytes.length);
  return Buffer.concat([Buffer.of(codeBytes.length), codeBytes, length, textBytes]);
}

function decodeReason(cursor: Cursor): { code: ErrorCode; text: string } {
  const codeBytes = must(cursor.bytes[cursor.at]);
  const name = cursor.bytes.toString("latin1", cursor.at + 1, cursor.at + 1 + codeBytes);
  cursor.at += 1 + codeBytes;
  const textBytes = cursor.bytes.readUInt16LE(cursor.at);
  const text = cursor.bytes.toString("utf8", cursor.at + 2, cursor.at + 2 + textBytes);
  cursor.at += 2 + textBytes;
  return {
    code: must(
      errorCodes.find((known) => known === name),
      `unknown error code ${name}`,
    ),
    text,
  };
}
