/**
 * The state of one partition: its tables, the memory of their rows, the undo list of a running group, and what stands beside the tables. It is
 * changed by applying log entries and by nothing else; a checkpoint of it is written while it goes on changing.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import { DigestSum } from "./digest-sum.ts";
import { FrozenRows } from "./frozen-rows.ts";
import { type RowSink, runRowHeaderBytes } from "./run-format.ts";
import { Slab } from "./slab.ts";
import { Table } from "./table.ts";
import { TimeSlice } from "./time-slice.ts";
import { UndoList } from "./undo-list.ts";

export class State {
  readonly slab: Slab;
  readonly undo = new UndoList();
  readonly #sum = new DigestSum();
  readonly #seed: number;
  readonly #tables = new Map<number, Table>();
  #frozen = false;

  /** `seed` spreads keys over the tables' indexes; random for each run of the process, without effect on what the state holds. */
  constructor(seed: number, slab = new Slab()) {
    this.#seed = seed;
    this.slab = slab;
  }

  /** Adds a table. Its id, 1 to 255, stands in checkpoints and must keep its meaning for ever. */
  addTable(id: number): Table {
    assert(!this.#tables.has(id), "a table id is used twice");
    assert(id >= 1, "a table id is at least 1");
    assert(id <= 255, "a table id is at most 255");
    const table = new Table({
      id,
      slab: this.slab,
      seed: this.#seed,
      undo: this.undo,
      sum: this.#sum,
    });
    this.#tables.set(id, table);
    return table;
  }

  table(id: number): Table | undefined {
    return this.#tables.get(id);
  }

  /** Sum of the hashes of all live rows: equal states have equal digests. */
  get digest(): number {
    return this.#sum.value;
  }

  /** What all live rows take in a run. */
  get liveBytes(): number {
    return this.#sum.liveBytes + this.rows * runRowHeaderBytes;
  }

  get rows(): number {
    let rows = 0;
    for (const table of this.#tables.values()) rows += table.count;
    return rows;
  }

  /** Memory held for rows and their indexes. */
  get memoryBytes(): number {
    let bytes = this.slab.memoryBytes;
    for (const table of this.#tables.values()) bytes += table.indexBytes;
    return bytes;
  }

  /** Rows that changed since the last checkpoint. */
  get changedRows(): number {
    let rows = 0;
    for (const table of this.#tables.values()) rows += table.changedCount;
    return rows;
  }

  /** Takes in a row of a checkpoint, from the oldest run to the newest. Throws TrubaError DATAVERSION for a table that this version does not know. */
  readonly load: RowSink = (table, source, keyStart, keyBytes, bodyStart, bodyBytes, deleted) => {
    const target = this.#tables.get(table);
    if (target === undefined) {
      throw new TrubaError(
        "DATAVERSION",
        `the checkpoint holds rows of table ${table}, which this version does not know`,
      );
    }
    target.load(source, keyStart, keyBytes, bodyStart, bodyBytes, deleted);
  };

  /** Counts all rows as changed, in slices, so that the next freeze holds whatever lives then. */
  async touchAll(clock: Clock): Promise<void> {
    const slice = new TimeSlice(clock);
    for (const table of this.#tables.values()) {
      let hash = 0;
      do {
        hash = table.touch(hash, 1_024);
        if (slice.isOver()) await slice.rest();
      } while (hash !== 0);
    }
  }

  /** The rows changed since the last freeze, as they are now, whatever happens to the tables until {@link thaw}. Constant time. */
  freeze(): FrozenRows {
    assert(!this.#frozen, "a checkpoint is in progress");
    this.#frozen = true;
    const parts = [...this.#tables.values()]
      .sort((a, b) => a.id - b.id)
      .map((table) => ({ table, addresses: table.freeze() }));
    return new FrozenRows(this.slab, parts);
  }

  /** Ends a freeze, in slices. `durable`: whether the checkpoint is on disk. */
  async thaw(frozen: FrozenRows, durable: boolean, clock: Clock): Promise<void> {
    assert(this.#frozen, "nothing is frozen");
    const slice = new TimeSlice(clock);
    for (const { table, addresses } of frozen.parts) {
      let from = 0;
      do {
        const to = Math.min(from + 1_024, addresses.length);
        table.thaw({ durable, from, to });
        from = to;
        if (slice.isOver()) await slice.rest();
      } while (from < addresses.length);
      while (table.reclaim(1_024)) if (slice.isOver()) await slice.rest();
    }
    this.#frozen = false;
  }
}
