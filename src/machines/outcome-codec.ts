/** Outcomes as bytes: what `once` remembers of an operation. */
import { assert, must, unreachable } from "../base/assert.ts";
import { type ErrorCode, errorCodes } from "../base/errors.ts";
import { type Outcome, done, recordStatuses, sessionStatuses } from "./outcome.ts";

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
 *     queue    u8 8, u8 changed
 *     pushed   u8 9, u8 duplicate, f64 task
 *     settled  u8 10, u32 settled, f64 lease end, u16 lost, f64 for each
 *     count    u8 11, f64 count
 *     session  u8 12, u8 status, f64 epoch, f64 due, f64 records, f64 bytes, u8 id bytes, id
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
    case "queue":
      return Buffer.of(8, outcome.changed ? 1 : 0);
    case "pushed": {
      const bytes = Buffer.alloc(10);
      bytes[0] = 9;
      bytes[1] = outcome.duplicate ? 1 : 0;
      bytes.writeDoubleLE(outcome.task, 2);
      return bytes;
    }
    case "settled": {
      const bytes = Buffer.alloc(15 + outcome.lost.length * 8);
      bytes[0] = 10;
      bytes.writeUInt32LE(outcome.settled, 1);
      bytes.writeDoubleLE(outcome.leaseEndsAtMs, 5);
      bytes.writeUInt16LE(outcome.lost.length, 13);
      outcome.lost.forEach((task, i) => bytes.writeDoubleLE(task, 15 + i * 8));
      return bytes;
    }
    case "count": {
      const bytes = Buffer.alloc(9);
      bytes[0] = 11;
      bytes.writeDoubleLE(outcome.count, 1);
      return bytes;
    }
    case "session": {
      const id = Buffer.from(outcome.session, "utf8");
      const bytes = Buffer.alloc(35);
      bytes[0] = 12;
      bytes[1] = sessionStatuses.indexOf(outcome.status);
      bytes.writeDoubleLE(outcome.epoch, 2);
      bytes.writeDoubleLE(outcome.dueAtMs, 10);
      bytes.writeDoubleLE(outcome.recordsCount, 18);
      bytes.writeDoubleLE(outcome.bytes, 26);
      bytes[34] = id.length;
      return Buffer.concat([bytes, id]);
    }
    case "tasks":
    case "sessions":
      throw new Error(`an outcome of kind ${outcome.kind} is not remembered`);
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
      return decodeLater(kind, cursor);
  }
}

/** The kinds that queues and sessions brought. */
function decodeLater(kind: number, cursor: Cursor): Outcome {
  const { bytes, at } = cursor;
  switch (kind) {
    case 8:
      cursor.at += 1;
      return { kind: "queue", changed: bytes[at] === 1 };
    case 9:
      cursor.at += 9;
      return { kind: "pushed", duplicate: bytes[at] === 1, task: bytes.readDoubleLE(at + 1) };
    case 10: {
      const count = bytes.readUInt16LE(at + 12);
      cursor.at += 14 + count * 8;
      return {
        kind: "settled",
        settled: bytes.readUInt32LE(at),
        leaseEndsAtMs: bytes.readDoubleLE(at + 4),
        lost: Array.from({ length: count }, (_, i) => bytes.readDoubleLE(at + 14 + i * 8)),
      };
    }
    case 11:
      cursor.at += 8;
      return { kind: "count", count: bytes.readDoubleLE(at) };
    case 12: {
      const idBytes = must(bytes[at + 33]);
      cursor.at += 34 + idBytes;
      return {
        kind: "session",
        status: must(sessionStatuses[must(bytes[at])]),
        epoch: bytes.readDoubleLE(at + 1),
        dueAtMs: bytes.readDoubleLE(at + 9),
        recordsCount: bytes.readDoubleLE(at + 17),
        bytes: bytes.readDoubleLE(at + 25),
        session: bytes.toString("utf8", at + 34, at + 34 + idBytes),
      };
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
