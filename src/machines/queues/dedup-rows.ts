/**
 * Dedup ids that are remembered.
 *
 *     key    f64 number of the queue, then the id
 *     body   f64 number of the task pushed with it, f64 log time up to which it is remembered, ms
 *
 * Ids are forgotten in the order of (that time, task); one whose time is over is as good as forgotten before that.
 */
import { limits } from "../../base/limits.ts";
import { OrderedMap } from "../../state/ordered-map.ts";
import type { State } from "../../state/state.ts";
import type { Table } from "../../state/table.ts";

const tableId = 6;
const numberBytes = 8;
const bodyBytes = 16;

export class DedupRows {
  readonly table: Table;
  /** (time, task) → row address. */
  readonly #ends = new OrderedMap();
  readonly #key = Buffer.alloc(numberBytes + limits.dedupIdMaxBytes);

  constructor(state: State) {
    this.table = state.addTable(tableId);
    this.table.onChange = (before, after) => {
      if (before !== 0) this.#ends.delete(this.#endOf(before), this.#taskOf(before));
      if (after !== 0) this.#ends.set(this.#endOf(after), this.#taskOf(after), after);
    };
  }

  loaded(): void {
    this.table.each((address) =>
      this.#ends.set(this.#endOf(address), this.#taskOf(address), address),
    );
  }

  /** The task that was pushed with this id and is still remembered, or 0. */
  find(queue: number, source: Buffer, start: number, bytes: number, timestamp: number): number {
    const address = this.table.find(
      this.#keyOf(queue, source, start, bytes),
      0,
      numberBytes + bytes,
    );
    return address === 0 || this.#endOf(address) <= timestamp ? 0 : this.#taskOf(address);
  }

  put(
    queue: number,
    id: { readonly source: Buffer; readonly start: number; readonly bytes: number },
    task: number,
    endMs: number,
  ): void {
    const { table } = this;
    const key = this.#keyOf(queue, id.source, id.start, id.bytes);
    const address = table.prepare(key, 0, numberBytes + id.bytes, bodyBytes);
    const buffer = table.slab.buffer(address);
    const body = table.bodyStart(address);
    buffer.writeDoubleLE(task, body);
    buffer.writeDoubleLE(endMs, body + 8);
    table.put(address);
  }

  nextDue(): number {
    return this.#ends.lowest();
  }

  /** Forgets up to `maxRows` ids whose time is over; returns how many. */
  forget(timestamp: number, maxRows: number): number {
    let rows = 0;
    while (rows < maxRows && this.#ends.lowest() <= timestamp) {
      const address = this.#ends.lowestValue();
      if (address === undefined) break;
      this.table.removeAt(address);
      rows++;
    }
    return rows;
  }

  #keyOf(queue: number, source: Buffer, start: number, bytes: number): Buffer {
    this.#key.writeDoubleLE(queue);
    source.copy(this.#key, numberBytes, start, start + bytes);
    return this.#key;
  }

  #taskOf(address: number): number {
    return this.table.slab.buffer(address).readDoubleLE(this.table.bodyStart(address));
  }

  #endOf(address: number): number {
    return this.table.slab.buffer(address).readDoubleLE(this.table.bodyStart(address) + 8);
  }
}
