/**
 * Which runs are merged, and how: file to file, in one pass, the newest row of each key wins.
 *
 * Two reasons to merge. Space: together the runs are larger than twice what lives; then all become one base, and deletions fall
 * away. Count: too many deltas; then the newest runs that together outweigh an older one are merged with it, so that a row is
 * rewritten about once for every doubling of the runs it is in, and small deltas leave a large base alone.
 */
import { limits } from "../base/limits.ts";
import type { RunInfo } from "./run-format.ts";
import type { RunReader } from "./run-reader.ts";
import type { RunWriter } from "./run-writer.ts";
import type { TimeSlice } from "./time-slice.ts";

/** Rows between two looks at the clock. */
const rowsPerLook = 16;

/** A stretch of runs, from the place `from` on, `to` not included. */
export interface MergePlan {
  readonly from: number;
  readonly to: number;
}

/** What to merge now, if anything. `liveBytes`: keys, bodies and row headers of the rows that live. */
export function planMerge(runs: readonly RunInfo[], liveBytes: number): MergePlan | undefined {
  if (runs.length < 2) return undefined;
  const total = runs.reduce((bytes, run) => bytes + run.bytes, 0);
  if (total > 2 * liveBytes + limits.mergeMinBytes) return bounded(0, runs.length);
  if (runs.length - 1 <= limits.deltasMaxCount) return undefined;
  let newer = total;
  for (const [place, run] of runs.entries()) {
    newer -= run.bytes;
    if (run.bytes < newer) return bounded(place, runs.length);
  }
  // Each run outweighs all newer ones together: so there are few, whatever the limit says.
  return undefined;
}

/** Where many merges have failed, the oldest runs first. */
function bounded(from: number, to: number): MergePlan {
  return { from, to: Math.min(to, from + limits.mergeRunsMaxCount) };
}

export interface Merge {
  /** Oldest first, none of them begun. */
  readonly readers: readonly RunReader[];
  readonly writer: RunWriter;
  /** Only when the oldest run of all is among the readers: there is nothing below that a deletion hides. */
  readonly dropDeleted: boolean;
  readonly slice: TimeSlice;
  isCancelled(): boolean;
}

/**
 * Writes the merged rows; `false` if it was cancelled before the end. Throws DATADAMAGED, or what the file system throws. The
 * writer is neither finished nor abandoned.
 */
export async function mergeRuns(merge: Merge): Promise<boolean> {
  const { writer, slice } = merge;
  const heads = new Heads(merge.readers);
  for (;;) {
    if (merge.isCancelled()) return false;
    await heads.refill();
    if (slice.isOver()) await slice.rest();
    const why = heads.writeSome(merge);
    if (why === "end") return true;
    if (why === "full") await writer.flush();
    if (why === "slice") await slice.rest();
    else if (why === "full") slice.restart();
  }
}

/** The next row of each run. */
class Heads {
  readonly #readers: readonly RunReader[];
  /** The order of each reader's row; Infinity at the end of its run. */
  readonly #orders: Float64Array;
  /** Readers that need their next block. */
  #waiting: number[] = [];

  constructor(readers: readonly RunReader[]) {
    this.#readers = readers;
    this.#orders = new Float64Array(readers.length);
    this.#waiting = readers.map((_, place) => place);
  }

  async refill(): Promise<void> {
    for (const place of this.#waiting) this.#orders[place] = await firstOrder(this.#at(place));
    this.#waiting = [];
  }

  writeSome({ writer, dropDeleted, slice }: Merge): "end" | "refill" | "full" | "slice" {
    for (let looked = 1; ; looked++) {
      const newest = this.#lowest();
      if (newest < 0) return "end";
      const row = this.#at(newest);
      if (!(dropDeleted && row.deleted)) {
        writer.add(
          row.table,
          row.orderHash,
          row.buffer,
          row.keyStart,
          row.keyBytes,
          row.bodyStart,
          row.bodyBytes,
          row.deleted,
        );
      }
      this.#advance(newest);
      if (this.#waiting.length > 0) return "refill";
      if (writer.isFull()) return "full";
      if (looked % rowsPerLook === 0 && slice.isOver()) return "slice";
    }
  }

  /** The place of the first row in order, the newest of its key; older rows of that key are passed over. -1 at the end of all. */
  #lowest(): number {
    const orders = this.#orders;
    let best = -1;
    let bestOrder = Infinity;
    for (let place = orders.length - 1; place >= 0; place--) {
      const order = orders[place] as number;
      if (order > bestOrder || order === Infinity) continue;
      if (order < bestOrder) {
        best = place;
        bestOrder = order;
        continue;
      }
      const compared = compareKeys(this.#at(place), this.#at(best));
      if (compared < 0) best = place;
      else if (compared === 0) this.#advance(place);
    }
    return best;
  }

  #advance(place: number): void {
    const reader = this.#at(place);
    if (reader.nextRow()) this.#orders[place] = reader.order;
    else this.#waiting.push(place);
  }

  #at(place: number): RunReader {
    return this.#readers[place] as RunReader;
  }
}

/** Moves to the first row of the next block that has one; its order, or Infinity at the end of the run. */
async function firstOrder(reader: RunReader): Promise<number> {
  while (await reader.nextBlock()) {
    if (reader.nextRow()) return reader.order;
  }
  return Infinity;
}

function compareKeys(a: RunReader, b: RunReader): number {
  return a.buffer.compare(
    b.buffer,
    b.keyStart,
    b.keyStart + b.keyBytes,
    a.keyStart,
    a.keyStart + a.keyBytes,
  );
}
