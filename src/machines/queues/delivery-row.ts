/**
 * What became of a task, as a row beside its own; a task without one waits and was never handed out.
 *
 *     key    f64 number of the task
 *     body    0  u8   0 waiting, 1 delayed, 2 leased, 3 dead
 *             1  u32  deliveries so far
 *             5  f64  log time at which the delay or the lease ends, ms; 0 = neither
 *            13  f64  number of the operation that handed it out, while it is leased
 *            21       whoever holds it, if that is anybody: f64 node, f64 run, f64 connection
 */
import type { TaskState } from "../../protocol/requests.ts";
import type { State } from "../../state/state.ts";
import type { Table } from "../../state/table.ts";
import { type Owner, detached, isDetached } from "../owner.ts";

const tableId = 5;
const keyBytes = 8;
const plainBytes = 13;
const leasedBytes = 21;
const heldBytes = 45;

export const waiting = 0;
export const delayed = 1;
export const leased = 2;
export const dead = 3;
/** Order is the byte in rows. */
export const taskStates = [
  "waiting",
  "delayed",
  "leased",
  "dead",
] as const satisfies readonly TaskState[];

export class DeliveryRows {
  readonly table: Table;
  readonly #key = Buffer.alloc(keyBytes);

  constructor(state: State) {
    this.table = state.addTable(tableId);
  }

  /** The address of the task's delivery row, or 0. */
  find(number: number): number {
    if (this.table.count === 0) return 0;
    this.#key.writeDoubleLE(number);
    return this.table.find(this.#key, 0, keyBytes);
  }

  /** State of the task with this delivery row, or none. */
  stateAt(address: number): number {
    if (address === 0) return waiting;
    return this.table.slab.buffer(address)[this.table.bodyStart(address)] as number;
  }

  deliveriesAt(address: number): number {
    if (address === 0) return 0;
    return this.table.slab.buffer(address).readUInt32LE(this.table.bodyStart(address) + 1);
  }

  dueAt(address: number): number {
    if (address === 0) return 0;
    return this.table.slab.buffer(address).readDoubleLE(this.table.bodyStart(address) + 5);
  }

  leaseAt(address: number): number {
    return this.table.slab.buffer(address).readDoubleLE(this.table.bodyStart(address) + 13);
  }

  numberOf(address: number): number {
    return this.table.slab.buffer(address).readDoubleLE(this.table.keyStart(address));
  }

  isHeld(address: number): boolean {
    return this.table.bodyEnd(address) - this.table.bodyStart(address) === heldBytes;
  }

  /** Whoever holds a task that {@link isHeld}. */
  ownerAt(address: number): Owner {
    const buffer = this.table.slab.buffer(address);
    const at = this.table.bodyStart(address) + leasedBytes;
    return {
      node: buffer.readDoubleLE(at),
      run: buffer.readDoubleLE(at + 8),
      connection: buffer.readDoubleLE(at + 16),
    };
  }

  putWaiting(number: number, deliveries: number): void {
    if (deliveries > 0) this.#put(number, waiting, deliveries, 0);
    else this.remove(number);
  }

  putDelayed(number: number, deliveries: number, dueAtMs: number): void {
    this.#put(number, delayed, deliveries, dueAtMs);
  }

  putDead(number: number, deliveries: number): void {
    this.#put(number, dead, deliveries, 0);
  }

  putLeased(
    number: number,
    deliveries: number,
    dueAtMs: number,
    lease: number,
    owner: Owner,
  ): void {
    const held = !isDetached(owner);
    const address = this.#prepare(
      number,
      leased,
      deliveries,
      dueAtMs,
      held ? heldBytes : leasedBytes,
    );
    const buffer = this.table.slab.buffer(address);
    const body = this.table.bodyStart(address);
    buffer.writeDoubleLE(lease, body + 13);
    if (held) {
      buffer.writeDoubleLE(owner.node, body + leasedBytes);
      buffer.writeDoubleLE(owner.run, body + leasedBytes + 8);
      buffer.writeDoubleLE(owner.connection, body + leasedBytes + 16);
    }
    this.table.put(address);
  }

  /** The same delivery, until later. */
  putExtended(address: number, dueAtMs: number): void {
    const owner = this.isHeld(address) ? this.ownerAt(address) : detached;
    const number = this.numberOf(address);
    this.putLeased(number, this.deliveriesAt(address), dueAtMs, this.leaseAt(address), owner);
  }

  remove(number: number): void {
    this.#key.writeDoubleLE(number);
    this.table.remove(this.#key, 0, keyBytes);
  }

  #put(number: number, state: number, deliveries: number, dueAtMs: number): void {
    this.table.put(this.#prepare(number, state, deliveries, dueAtMs, plainBytes));
  }

  #prepare(
    number: number,
    state: number,
    deliveries: number,
    dueAtMs: number,
    bytes: number,
  ): number {
    this.#key.writeDoubleLE(number);
    const address = this.table.prepare(this.#key, 0, keyBytes, bytes);
    const buffer = this.table.slab.buffer(address);
    const body = this.table.bodyStart(address);
    buffer[body] = state;
    buffer.writeUInt32LE(deliveries, body + 1);
    buffer.writeDoubleLE(dueAtMs, body + 5);
    return address;
  }
}
