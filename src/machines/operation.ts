/**
 * Operations as bytes: what a batch holds, what the log replicates and what machines apply. Written once, where the request came in.
 *
 *      0  u32  bytes that follow
 *      4  u8   operation code
 *      5  u8   bytes of the request id, 0 = none
 *      6       request id (text), then the body, whose form the machine of the code knows
 *
 * A group's body is a u16 count and so many operations in this same form, without request ids.
 */
import { assert } from "../base/assert.ts";

/** Codes stand in logs and must keep their meaning for ever. */
export const operationCodes = {
  group: 1,
  due: 2,
  digest: 3,
  disconnected: 4,
  restarted: 5,
  recordSet: 16,
  recordDelete: 17,
  recordGet: 18,
  recordCheck: 19,
  queueCreate: 32,
  queueAlter: 33,
  queueDelete: 34,
  queuePause: 35,
  queuePurge: 36,
  queueRevive: 37,
  queuePush: 40,
  queuePop: 41,
  queueAck: 42,
  queueNack: 43,
  queueExtend: 44,
  queueCheck: 45,
  sessionNew: 64,
  sessionAppend: 65,
  sessionReplace: 66,
  sessionTouch: 67,
  sessionDelete: 68,
  sessionStore: 69,
  sessionTake: 70,
  sessionRevive: 71,
  sessionKinds: 80,
} as const;

/** An operation as a surface has made it of a request: where it goes and how it writes itself. */
export interface Operation {
  /** One of {@link operationCodes}. */
  readonly code: number;
  /** Slot of its key, which decides the partition. */
  readonly slot: number;
  /** Writes the body, between the writer's `begin` and `end`. */
  encode(writer: OperationWriter): void;
}

const initialBytes = 16_384;
const arenaBytes = 262_144;

/**
 * Builds a sequence of operations in memory that grows as needed. What was taken out by {@link take} is never written again, so it may
 * be kept; the rest of the arena serves the next sequence.
 */
export class OperationWriter {
  #buffer = Buffer.allocUnsafeSlow(initialBytes);
  #start = 0;
  #at = 0;
  #operationAt = -1;
  #groupAt = -1;

  /** Bytes written since the last {@link take}. */
  get bytes(): number {
    return this.#at - this.#start;
  }

  /** Leaves room for a header of `bytes` at the start of a sequence. */
  reserve(bytes: number): void {
    assert(this.#at === this.#start, "a header comes first");
    this.#room(bytes);
    this.#at += bytes;
  }

  begin(code: number, requestId: Buffer | undefined): void {
    assert(this.#operationAt < 0, "operations do not nest");
    this.#room(64 + (requestId?.length ?? 0));
    this.#operationAt = this.#at - this.#start;
    this.#header(code, requestId);
  }

  end(): void {
    this.#setLength(this.#operationAt);
    this.#operationAt = -1;
  }

  /** Opens a group of `count` operations; each is written by {@link begin} and {@link end}. */
  beginGroup(count: number, requestId: Buffer | undefined): void {
    assert(this.#groupAt < 0, "groups do not nest");
    assert(this.#operationAt < 0, "a group does not stand in an operation");
    this.#room(64 + (requestId?.length ?? 0));
    this.#groupAt = this.#at - this.#start;
    this.#header(operationCodes.group, requestId);
    this.u16(count);
  }

  endGroup(): void {
    assert(this.#operationAt < 0, "an operation is open");
    this.#setLength(this.#groupAt);
    this.#groupAt = -1;
  }

  u8(value: number): void {
    this.#room(1);
    this.#buffer[this.#at++] = value;
  }

  u16(value: number): void {
    this.#room(2);
    this.#at = this.#buffer.writeUInt16LE(value, this.#at);
  }

  u32(value: number): void {
    this.#room(4);
    this.#at = this.#buffer.writeUInt32LE(value, this.#at);
  }

  f64(value: number): void {
    this.#room(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  bytesOf(source: Buffer, start: number, end: number): void {
    const bytes = end - start;
    this.#room(bytes);
    const target = this.#buffer;
    let at = this.#at;
    // Below this the loop is cheaper than a native call.
    if (bytes <= 32) for (let i = start; i < end; i++) target[at++] = source[i] as number;
    else source.copy(target, at, start, end);
    this.#at += bytes;
  }

  /** The sequence so far; the writer goes on with an empty one. */
  take(): Buffer {
    assert(this.#operationAt < 0, "an operation is open");
    assert(this.#groupAt < 0, "a group is open");
    const taken = this.#buffer.subarray(this.#start, this.#at);
    this.#start = this.#at;
    return taken;
  }

  #header(code: number, requestId: Buffer | undefined): void {
    const buffer = this.#buffer;
    buffer[this.#at + 4] = code;
    buffer[this.#at + 5] = requestId?.length ?? 0;
    this.#at += 6;
    if (requestId !== undefined) this.bytesOf(requestId, 0, requestId.length);
  }

  #setLength(start: number): void {
    assert(start >= 0, "nothing is open");
    const at = this.#start + start;
    this.#buffer.writeUInt32LE(this.#at - at - 4, at);
  }

  #room(bytes: number): void {
    if (this.#at + bytes > this.#buffer.length) this.#grow(bytes);
  }

  #grow(bytes: number): void {
    const used = this.#at - this.#start;
    const larger = Buffer.allocUnsafeSlow(Math.max(arenaBytes, (used + bytes) * 2));
    this.#buffer.copy(larger, 0, this.#start, this.#at);
    this.#buffer = larger;
    this.#start = 0;
    this.#at = used;
  }
}

/** Reads operations in place; one reader serves them all. */
export class OperationReader {
  buffer: Buffer = Buffer.alloc(0);
  code = 0;
  requestIdStart = 0;
  requestIdBytes = 0;
  /** Where the body begins; {@link at} starts here. */
  bodyStart = 0;
  end = 0;
  at = 0;

  /** Reads the operation at `start`; returns where the next one begins. Its length must have been checked with the batch. */
  open(buffer: Buffer, start: number): number {
    const end = start + 4 + buffer.readUInt32LE(start);
    assert(end <= buffer.length, "an operation is longer than its batch");
    this.buffer = buffer;
    this.code = buffer[start + 4] as number;
    this.requestIdBytes = buffer[start + 5] as number;
    this.requestIdStart = start + 6;
    this.bodyStart = start + 6 + this.requestIdBytes;
    this.at = this.bodyStart;
    this.end = end;
    return end;
  }

  u8(): number {
    return this.buffer[this.at++] as number;
  }

  u16(): number {
    const value = this.buffer.readUInt16LE(this.at);
    this.at += 2;
    return value;
  }

  u32(): number {
    const value = this.buffer.readUInt32LE(this.at);
    this.at += 4;
    return value;
  }

  f64(): number {
    const value = this.buffer.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  /** Skips `bytes` bytes; returns where they begin. */
  skip(bytes: number): number {
    const start = this.at;
    this.at += bytes;
    return start;
  }
}
