/**
 * Queues as rows.
 *
 *     key    the name
 *     body   f64 number of the queue, f64 log time at which it was made in ms, u8 paused, then its rules as `queue-rules.ts` draws them
 *
 * Tasks name their queue by its number, so a queue that is deleted and made again is another one. Numbers count up; one operation may make several queues. The last one stands
 * in a row of its own:
 *
 *     key    one zero byte, which no name has
 *     body   f64 number
 */
import type { State } from "../../state/state.ts";
import type { Table } from "../../state/table.ts";
import { type QueueRules, decodeRules, encodeRules } from "./queue-rules.ts";

const tableId = 3;
const counterKey = Buffer.of(0);
const rulesAt = 17;

export interface QueueRow {
  readonly name: Buffer;
  readonly number: number;
  readonly createdAtMs: number;
  readonly paused: boolean;
  readonly rules: QueueRules;
}

export class QueueRows {
  readonly table: Table;

  constructor(state: State) {
    this.table = state.addTable(tableId);
  }

  /** Whether the row is a queue. */
  isQueue(address: number): boolean {
    return this.table.slab.buffer(address)[this.table.keyStart(address)] !== 0;
  }

  /** A number that no queue has had. */
  takeNumber(): number {
    const { table } = this;
    const known = table.find(counterKey, 0, 1);
    const number = known === 0 ? 1 : this.numberOf(known) + 1;
    const address = table.prepare(counterKey, 0, 1, 8);
    table.slab.buffer(address).writeDoubleLE(number, table.bodyStart(address));
    table.put(address);
    return number;
  }

  /** Number of the queue. */
  numberOf(address: number): number {
    return this.table.slab.buffer(address).readDoubleLE(this.table.bodyStart(address));
  }

  read(address: number): QueueRow {
    const { table } = this;
    const buffer = table.slab.buffer(address);
    const body = table.bodyStart(address);
    const key = table.keyStart(address);
    return {
      name: Buffer.from(buffer.subarray(key, key + table.keyBytes(address))),
      number: buffer.readDoubleLE(body),
      createdAtMs: buffer.readDoubleLE(body + 8),
      paused: buffer[body + 16] === 1,
      rules: decodeRules(buffer, body + rulesAt),
    };
  }

  put(row: QueueRow): void {
    const { table } = this;
    const rules = encodeRules(row.rules);
    const address = table.prepare(row.name, 0, row.name.length, rulesAt + rules.length);
    const buffer = table.slab.buffer(address);
    const body = table.bodyStart(address);
    buffer.writeDoubleLE(row.number, body);
    buffer.writeDoubleLE(row.createdAtMs, body + 8);
    buffer[body + 16] = row.paused ? 1 : 0;
    rules.copy(buffer, body + rulesAt);
    table.put(address);
  }

  remove(name: Buffer): void {
    this.table.remove(name, 0, name.length);
  }
}
