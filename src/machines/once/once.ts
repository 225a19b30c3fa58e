/**
 * Exactly once (P3): the outcomes of operations that came with a request id, remembered for ten minutes of log time and within a share
 * of memory. It stands below every other machine: an operation with a known id is not applied again.
 *
 *     key of a row     the request id
 *     body of a row    f64 time of the id in ms, f64 number of the operation, u32 checksum of the operation, outcome
 *
 * The time of an id is that of a version 7 UUID (RFC 9562 §5.7), of any other id the batch's log time. Outcomes are forgotten in the order of that time, in
 * steps of {@link bucketMs}; forgetting raises the *horizon*. A version 7 id at or below the horizon that is not known is refused: it may have run.
 * What is forgotten when depends on the log alone, so every replica forgets alike.
 */
import { assert, must } from "../../base/assert.ts";
import { checksum, checksumNext } from "../../base/checksum.ts";
import { limits } from "../../base/limits.ts";
import { isUuidV7, parseUuid, uuidBytes, uuidTextBytes, uuidV7Ms } from "../../base/uuid.ts";
import { rowHeaderBytes } from "../../state/row.ts";
import type { State } from "../../state/state.ts";
import type { Table } from "../../state/table.ts";
import type { Moment } from "../machine.ts";
import { type OperationReader, operationCodes } from "../operation.ts";
import { decodeOutcome, encodeOutcome } from "../outcome-codec.ts";
import { type ErrorOutcome, type Outcome, errorOutcome } from "../outcome.ts";
import { ownerBytes } from "../owner.ts";

const tableId = 2;
const bodyHeaderBytes = 20;
/** Ids are forgotten in steps of this much id time. */
const bucketMs = 100;
/** Rows forgotten by one operation because they are old, so that none takes long: each adds one at most. */
const forgetMaxRows = 16;
/** Rows forgotten by one operation to make room: more than the largest row, the outcome of a whole group, is worth. */
const makeRoomMaxRows = 256;
/** Forgetting may be this late, so that one `due` operation forgets several buckets. */
const forgetLateMs = 1_000;
/** What a row costs beside its bytes: index slots and its place in a bucket. */
const rowOverheadBytes = 32;

/** Rows of one step of id time, in the order of their operation numbers; those before `head` are forgotten. */
interface Bucket {
  readonly addresses: number[];
  head: number;
}

export class Once {
  readonly #table: Table;
  readonly #maxBytes: number;
  #horizon = -1;
  #bytes = 0;
  readonly #buckets = new Map<number, Bucket>();
  /** Starts of the buckets, rising. */
  #starts: number[] = [];
  readonly #scratch = Buffer.alloc(uuidBytes);
  /** Time of the id that was asked for last. */
  #recalledTime: number | undefined;

  constructor(state: State, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#table = state.addTable(tableId);
    this.#table.onChange = (before, after) => {
      if (before !== 0) this.#leave(before);
      if (after !== 0) this.#enter(after);
    };
  }

  /** Rebuilds the buckets after a checkpoint was loaded. */
  loaded(): void {
    const addresses: number[] = [];
    this.#table.each((address) => addresses.push(address));
    addresses.sort((a, b) => this.#number(a) - this.#number(b));
    for (const address of addresses) this.#enter(address);
  }

  get count(): number {
    return this.#table.count;
  }

  /** Id time up to which unknown version 7 ids are refused, in ms; -1 = none yet. Part of a checkpoint. */
  get horizon(): number {
    return this.#horizon;
  }

  restoreHorizon(horizon: number): void {
    this.#horizon = horizon;
  }

  /** The outcome to answer instead of applying the operation; `undefined` if it is new and must be applied. */
  recall(operation: OperationReader, moment: Moment): Outcome | undefined {
    const { buffer, requestIdStart, requestIdBytes } = operation;
    const known = this.#table.find(buffer, requestIdStart, requestIdBytes);
    if (known !== 0) return this.#stored(known, operation);
    const time = this.#idTime(operation);
    this.#recalledTime = time;
    if (time === undefined) return undefined;
    if (time > moment.timestamp + limits.requestAheadMaxMs) return ahead(time, moment.timestamp);
    if (time <= this.#horizon) return tooOld(time, this.#horizon);
    return undefined;
  }

  /** Remembers what an operation did that {@link recall} has just not known. Errors of `recall` itself are not outcomes and not remembered. */
  remember(operation: OperationReader, moment: Moment, outcome: Outcome): void {
    const { buffer, requestIdStart, requestIdBytes } = operation;
    const stored = encodeOutcome(outcome);
    const address = this.#table.prepare(
      buffer,
      requestIdStart,
      requestIdBytes,
      bodyHeaderBytes + stored.length,
    );
    const target = this.#table.slab.buffer(address);
    const body = this.#table.bodyStart(address);
    target.writeDoubleLE(this.#recalledTime ?? moment.timestamp, body);
    target.writeDoubleLE(moment.number, body + 8);
    target.writeUInt32LE(operationChecksum(operation), body + 16);
    stored.copy(target, body + bodyHeaderBytes);
    this.#table.put(address);
    this.#forget(moment.timestamp - limits.onceWindowMs, forgetMaxRows);
  }

  nextDue(): number {
    const oldest = this.#starts[0];
    return oldest === undefined ? Infinity : oldest + bucketMs + limits.onceWindowMs + forgetLateMs;
  }

  handleDue(moment: Moment, maxRows: number): number {
    return this.#forget(moment.timestamp - limits.onceWindowMs, maxRows);
  }

  #stored(address: number, operation: OperationReader): Outcome {
    const buffer = this.#table.slab.buffer(address);
    const body = this.#table.bodyStart(address);
    if (buffer.readUInt32LE(body + 16) !== operationChecksum(operation)) {
      const id = operation.buffer.toString("latin1", operation.requestIdStart, operation.bodyStart);
      return errorOutcome("REQUESTREUSED", `request id ${id} was used with another operation`);
    }
    return decodeOutcome(
      Buffer.from(buffer.subarray(body + bodyHeaderBytes, this.#table.bodyEnd(address))),
    );
  }

  /** Time in a version 7 id, `undefined` for any other id. */
  #idTime(operation: OperationReader): number | undefined {
    if (operation.requestIdBytes !== uuidTextBytes) return undefined;
    if (!parseUuid(operation.buffer, operation.requestIdStart, this.#scratch, 0)) return undefined;
    return isUuidV7(this.#scratch) ? uuidV7Ms(this.#scratch) : undefined;
  }

  /** Forgets up to `maxRows` rows of buckets that ended before `before`, and as many as must go for lack of room. */
  #forget(before: number, maxRows: number): number {
    let rows = 0;
    for (;;) {
      const start = this.#starts[0];
      if (start === undefined) break;
      const full = this.#bytes > this.#maxBytes;
      if (rows >= (full ? Math.max(maxRows, makeRoomMaxRows) : maxRows)) break;
      if (start + bucketMs > before && !full) break;
      this.#horizon = Math.max(this.#horizon, start + bucketMs - 1);
      const bucket = must(this.#buckets.get(start));
      this.#table.removeAt(must(bucket.addresses[bucket.head]));
      rows++;
    }
    return rows;
  }

  #enter(address: number): void {
    this.#bytes += this.#cost(address);
    const start = this.#bucketStart(address);
    let bucket = this.#buckets.get(start);
    if (bucket === undefined) {
      bucket = { addresses: [], head: 0 };
      this.#buckets.set(start, bucket);
      let at = this.#starts.length;
      while (at > 0 && must(this.#starts[at - 1]) > start) at--;
      this.#starts.splice(at, 0, start);
    }
    bucket.addresses.push(address);
  }

  /** Rows leave in order: only forgetting removes them. */
  #leave(address: number): void {
    this.#bytes -= this.#cost(address);
    const start = this.#bucketStart(address);
    const bucket = must(this.#buckets.get(start));
    assert(bucket.addresses[bucket.head] === address, "an outcome is forgotten out of order");
    bucket.head++;
    if (bucket.head < bucket.addresses.length) return;
    this.#buckets.delete(start);
    assert(this.#starts.shift() === start, "a bucket is forgotten out of order");
  }

  #bucketStart(address: number): number {
    const time = this.#table.slab.buffer(address).readDoubleLE(this.#table.bodyStart(address));
    return Math.floor(time / bucketMs) * bucketMs;
  }

  #number(address: number): number {
    return this.#table.slab.buffer(address).readDoubleLE(this.#table.bodyStart(address) + 8);
  }

  #cost(address: number): number {
    const words = this.#table.slab.words(address);
    return (
      (words[this.#table.slab.offset(address) >> 2] as number) + rowHeaderBytes + rowOverheadBytes
    );
  }
}

/** Checksum of what makes two operations the same: code and body, but for who asked. */
function operationChecksum({ buffer, code, bodyStart, end }: OperationReader): number {
  let body: number;
  if (code === operationCodes.sessionNew)
    body = checksum(buffer.subarray(bodyStart + ownerBytes, end));
  else if (code === operationCodes.group) body = groupChecksum(buffer, bodyStart, end);
  else body = checksum(buffer.subarray(bodyStart, end));
  return (body ^ Math.imul(code, 0x9e3779b1)) >>> 0;
}

/** The body of an operation that opens a session begins with its owner, and whoever repeats a request may come by another connection. */
function groupChecksum(buffer: Buffer, start: number, end: number): number {
  let sum = checksum(buffer.subarray(start, start));
  let from = start;
  for (let at = start + 2; at < end; at += 4 + buffer.readUInt32LE(at)) {
    if (buffer[at + 4] !== operationCodes.sessionNew) continue;
    const owner = at + 6 + must(buffer[at + 5]);
    sum = checksumNext(sum, buffer.subarray(from, owner));
    from = owner + ownerBytes;
  }
  return checksumNext(sum, buffer.subarray(from, end));
}

function ahead(time: number, now: number): ErrorOutcome {
  return errorOutcome(
    "REQUESTAHEAD",
    `the request id's time is ${time - now} ms ahead of the server; the limit is ${limits.requestAheadMaxMs} ms`,
  );
}

function tooOld(time: number, horizon: number): ErrorOutcome {
  return errorOutcome(
    "REQUESTTOOOLD",
    `the request id's time ${time} is not above the horizon ${horizon}; the request was not run now`,
  );
}
