/**
 * A table of rows by key. It knows which rows changed since the last checkpoint, undoes a failed group of operations, tells its hook of
 * every change, and keeps the sum of its rows' hashes (the digest) up to date.
 *
 * A row is written in two steps, so that its body is built in place: `prepare` makes room and copies the key, the caller fills in the
 * body, `put` publishes the row. See `row.ts` for the bytes of a row and `row-index.ts` for how rows are found.
 *
 * A deleted row stays in the index as a *deletion* until a checkpoint has written it, so that each key stands at most once among the changes.
 */
import { assert } from "../base/assert.ts";
import { ChangedRows } from "./changed-rows.ts";
import type { DigestSum } from "./digest-sum.ts";
import { RowIndex } from "./row-index.ts";
import {
  keyHash,
  rowDeleted,
  rowFresh,
  rowHash,
  rowHeaderBytes,
  rowHeir,
  rowKeyMaxBytes,
} from "./row.ts";
import type { Slab } from "./slab.ts";
import type { UndoList } from "./undo-list.ts";

/** Told after every change of a row, undone ones included, but not of rows loaded at start. Addresses are 0 for "no row"; `before` is readable during the call. */
export type ChangeHook = (before: number, after: number) => void;

export class Table {
  readonly id: number;
  readonly slab: Slab;
  onChange: ChangeHook | undefined;
  readonly #seed: number;
  readonly #undo: UndoList;
  readonly #sum: DigestSum;
  readonly #index = new RowIndex();
  #live = 0;
  readonly #changed = new ChangedRows();
  /** What a checkpoint in progress is writing: blocks in it must outlive their replacement. */
  #frozen: readonly number[] | undefined;
  #freeLater: number[] = [];

  constructor(options: { id: number; slab: Slab; seed: number; undo: UndoList; sum: DigestSum }) {
    this.id = options.id;
    this.slab = options.slab;
    this.#seed = options.seed;
    this.#undo = options.undo;
    this.#sum = options.sum;
  }

  /** Live rows. */
  get count(): number {
    return this.#live;
  }

  /** Rows that a checkpoint would write now. */
  get changedCount(): number {
    return this.#changed.count;
  }

  get indexBytes(): number {
    return this.#index.memoryBytes;
  }

  /** The row's address, or 0. */
  find(source: Uint8Array, keyStart: number, keyBytes: number): number {
    const slot = this.#slotOf(
      source,
      keyStart,
      keyBytes,
      keyHash(source, keyStart, keyBytes, this.#seed),
    );
    if (slot < 0) return 0;
    const address = this.#index.addressAt(slot);
    return this.#isDeleted(address) ? 0 : address;
  }

  /** Where the row's key begins in `slab.buffer(address)`, in bytes. */
  keyStart(address: number): number {
    return this.slab.offset(address) + rowHeaderBytes;
  }

  keyBytes(address: number): number {
    return this.slab.buffer(address)[this.slab.offset(address) + 13] as number;
  }

  bodyStart(address: number): number {
    const offset = this.slab.offset(address);
    return offset + rowHeaderBytes + (this.slab.buffer(address)[offset + 13] as number);
  }

  /** Where the row's body ends. */
  bodyEnd(address: number): number {
    return (
      this.slab.offset(address) +
      (this.slab.words(address)[this.slab.offset(address) >> 2] as number)
    );
  }

  /** Makes room for a row of this key. The caller fills in the body at {@link bodyStart}, then calls {@link put}, with nothing between. */
  prepare(source: Uint8Array, keyStart: number, keyBytes: number, bodyBytes: number): number {
    assert(keyBytes <= rowKeyMaxBytes, "a row's key is too long");
    const bytes = rowHeaderBytes + keyBytes + bodyBytes;
    const address = this.slab.allocate(bytes);
    const words = this.slab.words(address);
    const offset = this.slab.offset(address);
    words[(offset + bytes - 1) >> 2] = 0;
    words[offset >> 2] = bytes;
    const buffer = this.slab.buffer(address);
    buffer[offset + 12] = 0;
    buffer[offset + 13] = keyBytes;
    buffer[offset + 14] = 0;
    buffer[offset + 15] = 0;
    const target = offset + rowHeaderBytes;
    for (let i = 0; i < keyBytes; i++) buffer[target + i] = source[keyStart + i] as number;
    return address;
  }

  /** Publishes a prepared row in place of the one with its key, if any. */
  put(address: number): void {
    this.#hashRow(address);
    this.#replace(address);
  }

  /** Deletes the row. Returns whether there was one. */
  remove(source: Uint8Array, keyStart: number, keyBytes: number): boolean {
    const before = this.find(source, keyStart, keyBytes);
    if (before === 0) return false;
    const address = this.prepare(source, keyStart, keyBytes, 0);
    this.slab.buffer(address)[this.slab.offset(address) + 12] = rowDeleted;
    this.slab.words(address)[(this.slab.offset(address) >> 2) + 2] = 0;
    this.#replace(address);
    return true;
  }

  /** Deletes the row at an address that {@link find} or a hook gave. */
  removeAt(address: number): void {
    const removed = this.remove(
      this.slab.buffer(address),
      this.keyStart(address),
      this.keyBytes(address),
    );
    assert(removed, "a row to remove is not in its table");
  }

  /**
   * Live rows with hash at least `fromHash`: `count` of them and a few more, or fewer where deletions wait for a checkpoint, which count as well. Returns the
   * hash to go on from, 0 at the end. The table must not change meanwhile.
   */
  scan(fromHash: number, count: number, visit: (address: number) => void): number {
    return this.#index.scan(fromHash, count, (address) => {
      if (!this.#isDeleted(address)) visit(address);
    });
  }

  /** Calls `visit` for every live row, in no order. The table must not change meanwhile. */
  each(visit: (address: number) => void): void {
    this.#index.each((address) => {
      if (!this.#isDeleted(address)) visit(address);
    });
  }

  /** Takes in a row from a checkpoint: newer rows come later and win. It does not count as changed. */
  load(
    source: Buffer,
    keyStart: number,
    keyBytes: number,
    bodyStart: number,
    bodyBytes: number,
    deleted: boolean,
  ): void {
    const hash = keyHash(source, keyStart, keyBytes, this.#seed);
    const slot = this.#slotOf(source, keyStart, keyBytes, hash);
    const before = slot < 0 ? 0 : this.#index.addressAt(slot);
    let after = 0;
    if (deleted) {
      if (slot >= 0) this.#index.removeAt(slot);
    } else {
      after = this.prepare(source, keyStart, keyBytes, bodyBytes);
      source.copy(this.slab.buffer(after), this.bodyStart(after), bodyStart, bodyStart + bodyBytes);
      this.#hashRow(after);
      this.slab.words(after)[(this.slab.offset(after) >> 2) + 1] = -1;
      if (slot >= 0) this.#index.replaceAt(slot, after);
      else this.#index.insert(hash, after);
    }
    this.#tally(before, after);
    if (before !== 0) this.slab.free(before);
  }

  /** Counts live rows as changed, so that the next checkpoint writes them: `count` and a few more, as {@link scan} does, whose hash it returns. */
  touch(fromHash: number, count: number): number {
    assert(this.#frozen === undefined, "a frozen table is not touched");
    return this.scan(fromHash, count, (address) => {
      if (this.#changed.at(this.#placeOf(address)) === address) return;
      const offset = this.slab.offset(address);
      const buffer = this.slab.buffer(address);
      buffer[offset + 12] = (buffer[offset + 12] as number) & ~rowFresh;
      this.slab.words(address)[(offset >> 2) + 1] = this.#changed.add(address);
    });
  }

  /** Hands over the rows changed so far to a checkpoint; changes from now on are counted anew. {@link thaw} must follow. */
  freeze(): readonly number[] {
    assert(this.#frozen === undefined, "a table is frozen twice");
    this.#frozen = this.#changed.take();
    return this.#frozen;
  }

  /**
   * Ends a freeze. If the checkpoint is durable its deletions leave the index; if it failed, its rows count as changed again, but for those that
   * have changed since. `from` and `to` bound the part of the frozen list to look at, so that the caller can go in slices; the last slice ends it.
   */
  thaw(options: { durable: boolean; from: number; to: number }): void {
    const frozen = this.#frozen;
    assert(frozen !== undefined, "a table is thawed that was not frozen");
    for (let i = options.from; i < options.to; i++) {
      const address = frozen[i] as number;
      if (address === 0 || !this.#isCurrent(address)) continue;
      if (!options.durable) {
        const words = this.slab.words(address);
        words[(this.slab.offset(address) >> 2) + 1] = this.#changed.add(address);
      } else if (this.#isDeleted(address)) {
        this.#dropFromIndex(address);
        this.slab.free(address);
      }
    }
    if (options.to >= frozen.length) this.#frozen = undefined;
  }

  /** Frees up to `count` blocks that only the last checkpoint still needed; returns whether there are more. */
  reclaim(count: number): boolean {
    if (this.#frozen !== undefined) return false;
    for (let i = 0; i < count; i++) {
      const address = this.#freeLater.pop();
      if (address === undefined) return false;
      this.slab.free(address);
    }
    return this.#freeLater.length > 0;
  }

  /** Takes back one change; called by the undo list, newest change first. `after` is what the change put, `before` what it replaced. */
  undo(before: number, after: number): void {
    const slot = this.#slotOfAddress(after);
    const place = this.#changedPlace(after);
    if (before === 0) {
      this.#index.removeAt(slot);
      this.#changed.removeAt(place);
    } else {
      this.#index.replaceAt(slot, before);
      if ((this.#flagsOf(after) & rowHeir) !== 0) this.#changed.replaceAt(place, before);
      else this.#changed.removeAt(place);
    }
    this.#tell(after, before);
    this.slab.free(after);
  }

  /** The change stands: what it replaced is no longer needed; a deletion that nothing on disk knows of goes as well. */
  settle(before: number, after: number): void {
    if (before !== 0) this.#free(before);
    const flags = this.#flagsOf(after) & (rowDeleted | rowFresh);
    if (flags === (rowDeleted | rowFresh) && this.#isCurrent(after)) {
      this.#dropFromIndex(after);
      this.#changed.removeAt(this.#changedPlace(after));
      this.slab.free(after);
    }
  }

  #hashRow(address: number): void {
    const words = this.slab.words(address);
    const first = this.slab.offset(address) >> 2;
    const bytes = (words[first] as number) - rowHeaderBytes;
    // From the word with the flags, still zero, and the key's length on: a byte that moves from key to body makes another hash.
    words[first + 2] = rowHash(words, first + 3, bytes + 4, this.id);
  }

  #replace(address: number): void {
    const buffer = this.slab.buffer(address);
    const offset = this.slab.offset(address);
    const keyBytes = buffer[offset + 13] as number;
    const hash = keyHash(buffer, offset + rowHeaderBytes, keyBytes, this.#seed);
    const slot = this.#slotOf(buffer, offset + rowHeaderBytes, keyBytes, hash);
    const before = slot < 0 ? 0 : this.#index.addressAt(slot);
    let place: number;
    if (before === 0) {
      this.#index.insert(hash, address);
      buffer[offset + 12] = (buffer[offset + 12] as number) | rowFresh;
      place = this.#changed.add(address);
    } else {
      this.#index.replaceAt(slot, address);
      place = this.#placeOf(before);
      if (this.#changed.at(place) === before) {
        const fresh = this.#flagsOf(before) & rowFresh;
        buffer[offset + 12] = (buffer[offset + 12] as number) | fresh | rowHeir;
        this.#changed.replaceAt(place, address);
      } else {
        place = this.#changed.add(address);
      }
    }
    this.slab.words(address)[(offset >> 2) + 1] = place;
    this.#tell(before, address);
    if (this.#undo.active) this.#undo.note(this, before, address);
    else this.settle(before, address);
  }

  /** Keeps count, digest and hook in step with a change from one block to another; a deletion counts as no row. */
  #tell(before: number, after: number): void {
    this.#tally(before, after);
    if (this.onChange === undefined) return;
    const from = before !== 0 && this.#isDeleted(before) ? 0 : before;
    const to = after !== 0 && this.#isDeleted(after) ? 0 : after;
    if (from !== to) this.onChange(from, to);
  }

  #tally(before: number, after: number): void {
    if (before !== 0 && !this.#isDeleted(before)) this.#tallyRow(before, -1);
    if (after !== 0 && !this.#isDeleted(after)) this.#tallyRow(after, 1);
  }

  #tallyRow(address: number, sign: 1 | -1): void {
    const words = this.slab.words(address);
    const first = this.slab.offset(address) >> 2;
    const bytes = (words[first] as number) - rowHeaderBytes;
    this.#sum.tally(words[first + 2] as number, bytes, sign);
    this.#live += sign;
  }

  #flagsOf(address: number): number {
    return this.slab.buffer(address)[this.slab.offset(address) + 12] as number;
  }

  #isDeleted(address: number): boolean {
    return (this.#flagsOf(address) & rowDeleted) !== 0;
  }

  #placeOf(address: number): number {
    return this.slab.words(address)[(this.slab.offset(address) >> 2) + 1] as number;
  }

  #changedPlace(address: number): number {
    const place = this.#placeOf(address);
    assert(this.#changed.at(place) === address, "a changed row is not among the changes");
    return place;
  }

  #inFrozen(address: number): boolean {
    return this.#frozen !== undefined && this.#frozen[this.#placeOf(address)] === address;
  }

  #free(address: number): void {
    if (this.#inFrozen(address)) this.#freeLater.push(address);
    else this.slab.free(address);
  }

  /** Whether the index still points at this very block. */
  #isCurrent(address: number): boolean {
    return this.#findSlot(address) >= 0;
  }

  #dropFromIndex(address: number): void {
    this.#index.removeAt(this.#slotOfAddress(address));
  }

  #slotOfAddress(address: number): number {
    const slot = this.#findSlot(address);
    assert(slot >= 0, "a row is not in its table's index");
    return slot;
  }

  #findSlot(address: number): number {
    const buffer = this.slab.buffer(address);
    const start = this.slab.offset(address) + rowHeaderBytes;
    const keyBytes = buffer[start - 3] as number;
    const hash = keyHash(buffer, start, keyBytes, this.#seed);
    const slot = this.#slotOf(buffer, start, keyBytes, hash);
    return slot >= 0 && this.#index.addressAt(slot) === address ? slot : -1;
  }

  #slotOf(source: Uint8Array, keyStart: number, keyBytes: number, hash: number): number {
    for (
      let slot = this.#index.probe(hash, this.#index.home(hash));
      slot >= 0;
      slot = this.#index.probe(hash, slot + 1)
    ) {
      if (this.#sameKey(this.#index.addressAt(slot), source, keyStart, keyBytes)) return slot;
    }
    return -1;
  }

  #sameKey(address: number, source: Uint8Array, keyStart: number, keyBytes: number): boolean {
    const buffer = this.slab.buffer(address);
    const offset = this.slab.offset(address);
    if (buffer[offset + 13] !== keyBytes) return false;
    const start = offset + rowHeaderBytes;
    for (let i = 0; i < keyBytes; i++) {
      if (buffer[start + i] !== source[keyStart + i]) return false;
    }
    return true;
  }
}
