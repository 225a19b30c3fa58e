import { assert } from "../base/assert.ts";

/**
 * Where the entries of one group stand: two 32-bit numbers each, segment and offset, in a ring. The indexes are contiguous,
 * so an entry's slot follows from its index. Entries leave at the front (trim) and at the back (a later record hides them).
 */
export class EntryIndex {
  /** Lowest index held; `last + 1` when none is. */
  #first = 1;
  #last = 0;
  #segments = new Uint32Array(16);
  #offsets = new Uint32Array(16);

  get first(): number {
    return this.#first;
  }

  get last(): number {
    return this.#last;
  }

  get count(): number {
    return this.#last - this.#first + 1;
  }

  /** Holds nothing; the next index is `last + 1`. */
  restart(last: number): void {
    this.#first = last + 1;
    this.#last = last;
  }

  /** Adds an entry, and drops all at or above its index. The index is at most `last + 1`. */
  put(index: number, segment: number, offset: number): void {
    assert(index <= this.#last + 1, "an entry must not leave a gap");
    if (index < this.#first) this.restart(index - 1);
    this.#last = index;
    if (this.count > this.#segments.length) this.#resize(this.#segments.length * 2);
    const slot = index % this.#segments.length;
    this.#segments[slot] = segment;
    this.#offsets[slot] = offset;
  }

  /** Drops all up to `index`. */
  dropTo(index: number): void {
    if (index < this.#first) return;
    this.#first = Math.min(index, this.#last) + 1;
    const capacity = this.#segments.length;
    if (capacity > 1_024 && this.count < capacity / 8) this.#resize(capacity / 4);
  }

  /** Id of the segment that holds the entry. */
  segmentOf(index: number): number {
    assert(index >= this.#first, "no entry below the first");
    assert(index <= this.#last, "no entry above the last");
    return this.#segments[index % this.#segments.length] ?? 0;
  }

  /** Where the entry's header starts in its segment. */
  offsetOf(index: number): number {
    return this.#offsets[index % this.#offsets.length] ?? 0;
  }

  #resize(capacity: number): void {
    const segments = new Uint32Array(capacity);
    const offsets = new Uint32Array(capacity);
    const kept = Math.min(this.count, this.#segments.length);
    for (let index = this.#first; index < this.#first + kept; index++) {
      const from = index % this.#segments.length;
      segments[index % capacity] = this.#segments[from] ?? 0;
      offsets[index % capacity] = this.#offsets[from] ?? 0;
    }
    this.#segments = segments;
    this.#offsets = offsets;
  }
}
