/**
 * Task numbers, the lowest first: a ring to whose end new ones come, which are higher than all before, and a heap for those that come back. 8 bytes for each that waits.
 *
 * Nothing is taken out of the middle. The rows say who *stands*, that is who is still what this list is of; one that does not is dropped when it comes to the front, or when
 * such ones dominate. How many stand is counted, so an empty list is known without a look at any row. A number may be here twice (it left, came back, and was met
 * neither time); whoever takes it first makes it leave, and then the other does not stand.
 */
import { assert } from "../../base/assert.ts";
import type { Int64 } from "../../protocol/requests.ts";
import { NumberHeap } from "./number-heap.ts";

/** Tells by the rows whether a task is what a list is of. */
export interface Standing {
  stands(number: number, priority: Int64): boolean;
}

const ringMinCount = 8;
/** So many that do not stand are not worth looking for. */
const idleMaxCount = 64;

export class Fifo {
  readonly priority: Int64;
  #standing = 0;
  /** The ring, a power of two; while there is one number only, it is in `#only`, so that a priority with one task costs no array. */
  #ring: Float64Array | undefined;
  #only = 0;
  #head = 0;
  #count = 0;
  /** The last that came to the end of the ring. */
  #last = 0;
  #returned: NumberHeap | undefined;

  constructor(priority: Int64) {
    this.priority = priority;
  }

  /** How many stand. */
  get standing(): number {
    return this.#standing;
  }

  add(number: number): void {
    this.#standing++;
    if (this.#count === 0 || number > this.#last) {
      this.#push(number);
      return;
    }
    this.#returned ??= new NumberHeap();
    this.#returned.push(number);
  }

  /** One of those that stood does not any more. */
  leave(rows: Standing): void {
    this.#standing--;
    assert(this.#standing >= 0, "more tasks left a list than were in it");
    if (this.#standing === 0) this.#clear();
    else if (this.#entries > 2 * this.#standing + idleMaxCount) this.#compact(rows);
  }

  /** The lowest that stands; 0 if there is none. It stays. */
  first(rows: Standing): number {
    if (this.#standing === 0) return 0;
    for (;;) {
      const number = this.#lowest();
      if (number === Infinity) return 0;
      if (rows.stands(number, this.priority)) return number;
      this.dropFirst();
    }
  }

  /** Drops the lowest entry: what {@link first} answered. It must be made to leave as well. */
  dropFirst(): void {
    const returned = this.#returned;
    if (returned !== undefined && returned.size > 0 && returned.top <= this.#front()) {
      returned.pop();
      if (returned.size === 0) this.#returned = undefined;
      return;
    }
    assert(this.#count > 0, "an empty list has no first");
    this.#count--;
    const ring = this.#ring;
    if (ring === undefined) return;
    this.#head = (this.#head + 1) & (ring.length - 1);
    if (ring.length > ringMinCount && this.#count * 8 <= ring.length) this.#resize(ring.length / 4);
  }

  /** Calls `visit` for those above `after` that stand, rising, until it returns false. Returns whether it went through. Nothing must change meanwhile. */
  walk(rows: Standing, after: number, visit: (number: number) => boolean): boolean {
    const returned = this.#returned?.sorted() ?? [];
    let at = this.#placeAbove(after);
    let nextReturned = returned.findIndex((number) => number > after);
    if (nextReturned < 0) nextReturned = returned.length;
    let last = 0;
    while (at < this.#count || nextReturned < returned.length) {
      const fromRing = at < this.#count ? this.#at(at) : Infinity;
      const fromReturned = returned[nextReturned] ?? Infinity;
      const number = Math.min(fromRing, fromReturned);
      if (fromRing <= fromReturned) at++;
      else nextReturned++;
      if (number === last) continue;
      last = number;
      if (rows.stands(number, this.priority) && !visit(number)) return false;
    }
    return true;
  }

  /** As {@link add}, in any order; {@link sort} must follow. */
  load(number: number): void {
    this.#standing++;
    this.#push(number);
  }

  sort(): void {
    const ring = this.#ring;
    if (ring === undefined) return;
    if (this.#head !== 0) this.#resize(ring.length);
    const numbers = (this.#ring as Float64Array).subarray(0, this.#count);
    numbers.sort();
    this.#last = numbers[this.#count - 1] ?? 0;
  }

  get #entries(): number {
    return this.#count + (this.#returned?.size ?? 0);
  }

  #lowest(): number {
    const front = this.#front();
    const returned = this.#returned;
    return returned === undefined ? front : Math.min(front, returned.top);
  }

  #front(): number {
    if (this.#count === 0) return Infinity;
    return this.#ring === undefined ? this.#only : (this.#ring[this.#head] as number);
  }

  #at(place: number): number {
    const ring = this.#ring;
    if (ring === undefined) return this.#only;
    return ring[(this.#head + place) & (ring.length - 1)] as number;
  }

  /** The first place of the ring with a number above this one. */
  #placeAbove(after: number): number {
    let from = 0;
    let to = this.#count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#at(middle) > after) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  #push(number: number): void {
    this.#last = number;
    if (this.#ring === undefined) {
      if (this.#count === 0) {
        this.#only = number;
        this.#count = 1;
        return;
      }
      this.#ring = new Float64Array(ringMinCount);
      this.#ring[0] = this.#only;
      this.#head = 0;
    } else if (this.#count === this.#ring.length) this.#resize(this.#ring.length * 2);
    const ring = this.#ring;
    ring[(this.#head + this.#count) & (ring.length - 1)] = number;
    this.#count++;
  }

  #resize(capacity: number): void {
    const ring = new Float64Array(Math.max(capacity, ringMinCount));
    for (let i = 0; i < this.#count; i++) ring[i] = this.#at(i);
    this.#ring = ring;
    this.#head = 0;
  }

  #clear(): void {
    this.#ring = undefined;
    this.#returned = undefined;
    this.#count = 0;
    this.#head = 0;
  }

  /** Without those that do not stand. */
  #compact(rows: Standing): void {
    const keeps = (number: number): boolean => rows.stands(number, this.priority);
    const kept: number[] = [];
    for (let i = 0; i < this.#count; i++) {
      const number = this.#at(i);
      if (keeps(number)) kept.push(number);
    }
    this.#returned?.filter(keeps);
    if (this.#returned?.size === 0) this.#returned = undefined;
    this.#ring = undefined;
    this.#count = 0;
    for (const number of kept) this.#push(number);
  }
}
