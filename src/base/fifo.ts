/** First in, first out, in constant time and without garbage: a ring that grows. What was taken is not kept alive. */
import { must } from "./assert.ts";

const roomAtFirst = 8;
/** An empty queue with more room than this gives it back. */
const roomKeptMax = 1_024;

export class Fifo<T> {
  /** A power of two of places. */
  #ring: (T | undefined)[] = room(roomAtFirst);
  #mask = roomAtFirst - 1;
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#length > this.#mask) this.#grow();
    this.#ring[(this.#head + this.#length) & this.#mask] = item;
    this.#length++;
  }

  /** Takes the oldest; `undefined` when there is none. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length--;
    if (this.#length === 0 && this.#mask >= roomKeptMax) this.clear();
    return item;
  }

  /** Takes the newest; `undefined` when there is none. */
  pop(): T | undefined {
    if (this.#length === 0) return undefined;
    this.#length--;
    const at = (this.#head + this.#length) & this.#mask;
    const item = this.#ring[at];
    this.#ring[at] = undefined;
    return item;
  }

  /** The oldest, which stays. */
  get first(): T | undefined {
    return this.#length === 0 ? undefined : this.#ring[this.#head];
  }

  /** By age, from 0; must be there. */
  at(place: number): T {
    return must(this.#ring[(this.#head + place) & this.#mask], "a place of the queue is empty");
  }

  clear(): void {
    this.#ring = room(roomAtFirst);
    this.#mask = roomAtFirst - 1;
    this.#head = 0;
    this.#length = 0;
  }

  #grow(): void {
    const grown = room<T>(2 * (this.#mask + 1));
    for (let place = 0; place < this.#length; place++)
      grown[place] = this.#ring[(this.#head + place) & this.#mask];
    this.#ring = grown;
    this.#mask = grown.length - 1;
    this.#head = 0;
  }
}

function room<T>(places: number): (T | undefined)[] {
  return Array.from({ length: places }, () => undefined);
}
