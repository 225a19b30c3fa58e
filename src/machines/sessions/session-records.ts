/**
 * Records of sessions: each a row of its own, so that adding one costs its own bytes only.
 *
 *     key of a row     f64 number of the session, u32 place of the record in it, from 0
 *     body of a row    the record
 */
import { assert } from "../../base/assert.ts";
import type { State } from "../../state/state.ts";
import type { Table } from "../../state/table.ts";

const tableId = 8;
const keyBytes = 12;

export class SessionRecords {
  readonly #table: Table;
  readonly #key = Buffer.alloc(keyBytes);

  constructor(state: State) {
    this.#table = state.addTable(tableId);
  }

  /** Records of all sessions. */
  get count(): number {
    return this.#table.count;
  }

  put(
    session: number,
    place: number,
    record: { source: Buffer; start: number; end: number },
  ): void {
    const { source, start, end } = record;
    const address = this.#table.prepare(this.#keyOf(session, place), 0, keyBytes, end - start);
    source.copy(this.#table.slab.buffer(address), this.#table.bodyStart(address), start, end);
    this.#table.put(address);
  }

  /** Copies of the records from 0 to `count` - 1. */
  read(session: number, count: number): Buffer[] {
    const records: Buffer[] = [];
    for (let place = 0; place < count; place++) {
      const address = this.#table.find(this.#keyOf(session, place), 0, keyBytes);
      assert(address !== 0, "a record of a session is missing");
      const start = this.#table.bodyStart(address);
      const record = this.#table.slab.buffer(address).subarray(start, this.#table.bodyEnd(address));
      records.push(Buffer.from(record));
    }
    return records;
  }

  /** Drops the records from `from` to `count` - 1. */
  drop(session: number, from: number, count: number): void {
    for (let place = from; place < count; place++) {
      const removed = this.#table.remove(this.#keyOf(session, place), 0, keyBytes);
      assert(removed, "a record of a session is missing");
    }
  }

  #keyOf(session: number, place: number): Buffer {
    this.#key.writeDoubleLE(session);
    this.#key.writeUInt32LE(place, 8);
    return this.#key;
  }
}
