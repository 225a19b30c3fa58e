/**
 * The appends on their way to one follower, oldest first: a window with a limit in messages and one in bytes, so that a slow follower holds neither the
 * leader's memory nor the network (thesis 10.2.1, pipelining).
 *
 * A ring that grows as it is needed, because most followers of most groups never have more than a few appends in flight.
 */
import { assert, must } from "../base/assert.ts";
import type { Index } from "./vocabulary.ts";

const firstCapacity = 8;

export class Inflights {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  /** The last index of each message, and the bytes of its entries, at the same places. */
  #indexes: Index[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  /** Both limits from 1, `Infinity` allowed. */
  constructor(maxMessages: number, maxBytes: number) {
    assert(maxMessages >= 1, "a window allows one message at least");
    assert(maxBytes >= 1, "a window allows one byte at least");
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** No more may be sent. The limit in bytes is checked here only, so one message may go beyond it: whatever its size, it must be possible to send it. */
  get full(): boolean {
    return this.#count >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  /** A message was sent whose last entry is `index`. Indexes never decrease, and the window must not be full. */
  add(index: Index, bytes: number): void {
    assert(!this.full, "a full window takes no message");
    assert(
      this.#count === 0 || index >= must(this.#indexes[this.#at(this.#count - 1)]),
      "messages are sent in the order of their entries",
    );
    if (this.#count === this.#indexes.length) this.#grow();
    const at = this.#at(this.#count);
    this.#indexes[at] = index;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** The follower has everything up to `index`: frees the messages that end there or before. */
  freeLE(index: Index): void {
    while (this.#count > 0 && must(this.#indexes[this.#start]) <= index) {
      this.#bytes -= must(this.#sizes[this.#start]);
      this.#start = this.#at(1);
      this.#count--;
    }
    if (this.#count === 0) this.#start = 0;
  }

  /** Nothing is in flight any more. */
  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  /** The place of the message that is `offset` behind the oldest. */
  #at(offset: number): number {
    const at = this.#start + offset;
    return at < this.#indexes.length ? at : at - this.#indexes.length;
  }

  #grow(): void {
    const capacity = Math.min(Math.max(firstCapacity, this.#count * 2), this.#maxMessages);
    const indexes: Index[] = [];
    const sizes: number[] = [];
    for (let offset = 0; offset < capacity; offset++) {
      const held = offset < this.#count;
      indexes.push(held ? must(this.#indexes[this.#at(offset)]) : 0);
      sizes.push(held ? must(this.#sizes[this.#at(offset)]) : 0);
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
