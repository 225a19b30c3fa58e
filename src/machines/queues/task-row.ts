/**
 * Tasks as rows, which never change: what becomes of a task is in its delivery row (`delivery-row.ts`), so that handing it out does not copy its payload.
 *
 *     key    f64 number of the operation that pushed it
 *     body    0  f64  number of its queue
 *             8  u48  log time at which it was pushed, ms
 *            14  u8   flags: 1 has a priority (else 0), 2 has an expiry
 *            15       [i64 priority], [f64 expiry, log time in ms], payload
 */
import type { Int64 } from "../../protocol/requests.ts";
import type { State } from "../../state/state.ts";
import type { Table } from "../../state/table.ts";
import { int64At, setInt64At } from "./int64.ts";

const tableId = 4;
const keyBytes = 8;
const flagsAt = 14;
const fixedBytes = 15;
const flagPriority = 1;
const flagExpiry = 2;

export interface NewTask {
  readonly number: number;
  readonly queue: number;
  readonly priority: Int64;
  readonly pushedAtMs: number;
  /** 0 = it does not expire. */
  readonly expiresAtMs: number;
}

export class TaskRows {
  readonly table: Table;
  readonly #key = Buffer.alloc(keyBytes);

  constructor(state: State) {
    this.table = state.addTable(tableId);
  }

  /** The task's address, or 0. */
  find(number: number): number {
    this.#key.writeDoubleLE(number);
    return this.table.find(this.#key, 0, keyBytes);
  }

  put(task: NewTask, source: Buffer, start: number, end: number): void {
    const { table } = this;
    const hasPriority = task.priority !== 0;
    const hasExpiry = task.expiresAtMs > 0;
    const headBytes = fixedBytes + (hasPriority ? 8 : 0) + (hasExpiry ? 8 : 0);
    this.#key.writeDoubleLE(task.number);
    const address = table.prepare(this.#key, 0, keyBytes, headBytes + end - start);
    const buffer = table.slab.buffer(address);
    let at = table.bodyStart(address);
    buffer.writeDoubleLE(task.queue, at);
    buffer.writeUIntLE(task.pushedAtMs, at + 8, 6);
    buffer[at + flagsAt] = (hasPriority ? flagPriority : 0) | (hasExpiry ? flagExpiry : 0);
    at += fixedBytes;
    if (hasPriority) {
      setInt64At(buffer, at, task.priority);
      at += 8;
    }
    if (hasExpiry) at = buffer.writeDoubleLE(task.expiresAtMs, at);
    source.copy(buffer, at, start, end);
    table.put(address);
  }

  removeAt(address: number): void {
    this.table.removeAt(address);
  }

  numberOf(address: number): number {
    return this.table.slab.buffer(address).readDoubleLE(this.table.keyStart(address));
  }

  queueOf(address: number): number {
    return this.table.slab.buffer(address).readDoubleLE(this.table.bodyStart(address));
  }

  pushedAtMs(address: number): number {
    return this.table.slab.buffer(address).readUIntLE(this.table.bodyStart(address) + 8, 6);
  }

  priorityOf(address: number): Int64 {
    const buffer = this.table.slab.buffer(address);
    const body = this.table.bodyStart(address);
    return ((buffer[body + flagsAt] as number) & flagPriority) === 0
      ? 0
      : int64At(buffer, body + fixedBytes);
  }

  /** Log time in ms; 0 = it does not expire. */
  expiresAtMs(address: number): number {
    const buffer = this.table.slab.buffer(address);
    const body = this.table.bodyStart(address);
    const flags = buffer[body + flagsAt] as number;
    if ((flags & flagExpiry) === 0) return 0;
    return buffer.readDoubleLE(body + fixedBytes + ((flags & flagPriority) === 0 ? 0 : 8));
  }

  payloadBytes(address: number): number {
    return this.table.bodyEnd(address) - this.#payloadStart(address);
  }

  /** A copy. */
  payload(address: number): Buffer {
    const end = this.table.bodyEnd(address);
    const start = this.#payloadStart(address);
    const copy = Buffer.allocUnsafe(end - start);
    this.table.slab.buffer(address).copy(copy, 0, start, end);
    return copy;
  }

  #payloadStart(address: number): number {
    const body = this.table.bodyStart(address);
    const flags = this.table.slab.buffer(address)[body + flagsAt] as number;
    return (
      body +
      fixedBytes +
      ((flags & flagPriority) === 0 ? 0 : 8) +
      ((flags & flagExpiry) === 0 ? 0 : 8)
    );
  }
}
