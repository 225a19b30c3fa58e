/**
 * The changed rows of a partition at one moment, sorted for a run: by table, order hash and key. The blocks stay as they are until the
 * freeze ends, so sorting and writing can take their time, in slices.
 *
 * Sorting is by buckets of the hash's highest byte, so that no single sort is long: a million rows are 256 sorts of four thousand.
 */
import { must } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { rowDeleted, rowHeaderBytes } from "./row.ts";
import { type RowSource, orderHash } from "./run-format.ts";
import type { Slab } from "./slab.ts";
import type { Table } from "./table.ts";
import { TimeSlice } from "./time-slice.ts";

interface FrozenPart {
  readonly table: Table;
  readonly addresses: readonly number[];
}

const bucketCount = 256;

export class FrozenRows implements RowSource {
  readonly parts: readonly FrozenPart[];
  readonly #slab: Slab;
  #sorted: Uint32Array[] = [];
  #part = 0;
  #at = -1;

  table = 0;
  orderHash = 0;
  source: Buffer = Buffer.alloc(0);
  keyStart = 0;
  keyBytes = 0;
  bodyStart = 0;
  bodyBytes = 0;
  deleted = false;

  constructor(slab: Slab, parts: readonly FrozenPart[]) {
    this.#slab = slab;
    this.parts = parts;
  }

  /** Must be done before the first {@link next}. */
  async sort(clock: Clock): Promise<void> {
    const slice = new TimeSlice(clock);
    this.#sorted = [];
    for (const part of this.parts) this.#sorted.push(await this.#sortPart(part.addresses, slice));
  }

  next(): boolean {
    for (;;) {
      const rows = this.#sorted[this.#part];
      if (rows === undefined) return false;
      this.#at++;
      if (this.#at < rows.length) {
        this.#take(must(rows[this.#at]));
        return true;
      }
      this.#part++;
      this.#at = -1;
    }
  }

  #take(address: number): void {
    const buffer = this.#slab.buffer(address);
    const offset = this.#slab.offset(address);
    this.table = must(this.parts[this.#part]).table.id;
    this.source = buffer;
    this.keyStart = offset + rowHeaderBytes;
    this.keyBytes = buffer[offset + 13] as number;
    this.bodyStart = this.keyStart + this.keyBytes;
    this.bodyBytes =
      (this.#slab.words(address)[offset >> 2] as number) - rowHeaderBytes - this.keyBytes;
    this.deleted = ((buffer[offset + 12] as number) & rowDeleted) !== 0;
    this.orderHash = orderHash(buffer, this.keyStart, this.keyBytes);
  }

  async #sortPart(addresses: readonly number[], slice: TimeSlice): Promise<Uint32Array> {
    const hashes = new Uint32Array(addresses.length);
    const ends = new Uint32Array(bucketCount + 1);
    let rows = 0;
    for (let i = 0; i < addresses.length; i++) {
      if ((i & 255) === 255 && slice.isOver()) await slice.rest();
      const address = addresses[i] as number;
      if (address === 0) continue;
      const hash = this.#hashOf(address);
      hashes[i] = hash;
      ends[(hash >>> 24) + 1] = (ends[(hash >>> 24) + 1] as number) + 1;
      rows++;
    }
    for (let bucket = 1; bucket <= bucketCount; bucket++)
      ends[bucket] = (ends[bucket] as number) + (ends[bucket - 1] as number);
    const next = ends.slice(0, bucketCount);
    /** Places in `addresses`, grouped by bucket. */
    const grouped = new Uint32Array(rows);
    for (let i = 0; i < addresses.length; i++) {
      if ((i & 255) === 255 && slice.isOver()) await slice.rest();
      if (addresses[i] === 0) continue;
      const bucket = (hashes[i] as number) >>> 24;
      const target = next[bucket] as number;
      next[bucket] = target + 1;
      grouped[target] = i;
    }
    const sorted = new Uint32Array(rows);
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const from = ends[bucket] as number;
      const to = ends[bucket + 1] as number;
      if (from === to) continue;
      this.#sortBucket(grouped.subarray(from, to), hashes, addresses, sorted, from);
      if (slice.isOver()) await slice.rest();
    }
    return sorted;
  }

  #sortBucket(
    places: Uint32Array,
    hashes: Uint32Array,
    addresses: readonly number[],
    sorted: Uint32Array,
    from: number,
  ): void {
    const keys = new Float64Array(places.length);
    for (let i = 0; i < places.length; i++)
      keys[i] = ((hashes[places[i] as number] as number) & 0xff_ffff) * 2 ** 29 + i;
    keys.sort();
    for (let i = 0; i < places.length; i++) {
      const place = places[(keys[i] as number) % 2 ** 29] as number;
      sorted[from + i] = addresses[place] as number;
    }
    for (let i = 0; i < places.length;) {
      const hash = Math.floor((keys[i] as number) / 2 ** 29);
      let end = i + 1;
      while (end < places.length && Math.floor((keys[end] as number) / 2 ** 29) === hash) end++;
      if (end - i > 1) {
        // The order hash has no seed, so clients can make keys that collide: no quadratic sort here.
        sorted.subarray(from + i, from + end).sort((a, b) => this.#compareKeys(a, b));
      }
      i = end;
    }
  }

  #hashOf(address: number): number {
    const buffer = this.#slab.buffer(address);
    const offset = this.#slab.offset(address);
    return orderHash(buffer, offset + rowHeaderBytes, buffer[offset + 13] as number);
  }

  #compareKeys(a: number, b: number): number {
    return Buffer.compare(this.#keyOf(a), this.#keyOf(b));
  }

  #keyOf(address: number): Buffer {
    const buffer = this.#slab.buffer(address);
    const start = this.#slab.offset(address) + rowHeaderBytes;
    return buffer.subarray(start, start + (buffer[start - 3] as number));
  }
}
