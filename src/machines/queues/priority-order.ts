/**
 * Order of a queue of type priority: a 4-ary heap of the distinct priorities, each a {@link Fifo}. A priority whose tasks are gone stays in the heap until it comes to the top,
 * or until such ones are more than half.
 */
import { must } from "../../base/assert.ts";
import type { Int64, QueueOrder } from "../../protocol/requests.ts";
import { Fifo, type Standing } from "./fifo.ts";
import type { Order } from "./order.ts";

const children = 4;
const idleMaxCount = 64;

export class PriorityOrder implements Order {
  readonly #rows: Standing;
  readonly #lowestFirst: boolean;
  readonly #fifos = new Map<Int64, Fifo>();
  #heap: Fifo[] = [];
  /** Of the heap, those in which no task stands. */
  #idle = 0;
  /** The one that was used last. */
  #latest: Fifo | undefined;

  constructor(rows: Standing, order: QueueOrder) {
    this.#rows = rows;
    this.#lowestFirst = order === "lowest";
  }

  add(priority: Int64, number: number): void {
    const fifo = this.#fifoFor(priority);
    if (fifo.standing === 0) this.#idle--;
    fifo.add(number);
  }

  leave(priority: Int64): void {
    const fifo = must(this.#find(priority), "a task leaves a priority that no task has");
    fifo.leave(this.#rows);
    if (fifo.standing > 0) return;
    this.#idle++;
    if (this.#idle > idleMaxCount && this.#idle * 2 > this.#heap.length) this.#rebuild();
  }

  first(): number {
    const fifo = this.#top();
    return fifo === undefined ? 0 : fifo.first(this.#rows);
  }

  dropFirst(): void {
    must(this.#top(), "an empty queue has no first").dropFirst();
  }

  /** Best first, so that what is not visited is not sorted either. */
  each(visit: (fifo: Fifo) => boolean): void {
    const heap = this.#heap;
    // Places whose parents were visited, the next one last.
    const places = heap.length === 0 ? [] : [0];
    for (let place = places.pop(); place !== undefined; place = places.pop()) {
      const fifo = must(heap[place]);
      if (fifo.standing > 0 && !visit(fifo)) return;
      const end = Math.min(place * children + 1 + children, heap.length);
      for (let child = place * children + 1; child < end; child++) {
        const { priority } = must(heap[child]);
        let from = 0;
        let to = places.length;
        while (from < to) {
          const middle = (from + to) >>> 1;
          if (this.#isBefore(priority, must(heap[must(places[middle])]).priority))
            from = middle + 1;
          else to = middle;
        }
        places.splice(from, 0, child);
      }
    }
  }

  load(priority: Int64, number: number): void {
    const fifo = this.#fifoFor(priority);
    if (fifo.standing === 0) this.#idle--;
    fifo.load(number);
  }

  sort(): void {
    for (const fifo of this.#heap) fifo.sort();
  }

  #find(priority: Int64): Fifo | undefined {
    if (this.#latest?.priority === priority) return this.#latest;
    const fifo = this.#fifos.get(priority);
    if (fifo !== undefined) this.#latest = fifo;
    return fifo;
  }

  /** The list of this priority, made if there is none. */
  #fifoFor(priority: Int64): Fifo {
    const known = this.#find(priority);
    if (known !== undefined) return known;
    const fifo = new Fifo(priority);
    this.#fifos.set(priority, fifo);
    this.#idle++;
    const heap = this.#heap;
    let at = heap.length;
    heap.push(fifo);
    while (at > 0) {
      const parent = (at - 1) >>> 2;
      const above = heap[parent] as Fifo;
      if (!this.#isBefore(priority, above.priority)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = fifo;
    this.#latest = fifo;
    return fifo;
  }

  /** The first list in which a task stands. */
  #top(): Fifo | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || top.standing > 0) return top;
      this.#forget(top);
      const last = must(this.#heap.pop());
      if (this.#heap.length > 0) this.#sink(0, last);
    }
  }

  #forget(fifo: Fifo): void {
    this.#fifos.delete(fifo.priority);
    if (this.#latest === fifo) this.#latest = undefined;
    this.#idle--;
  }

  #sink(from: number, fifo: Fifo): void {
    const heap = this.#heap;
    const { priority } = fifo;
    let at = from;
    for (;;) {
      const first = at * children + 1;
      if (first >= heap.length) break;
      const end = Math.min(first + children, heap.length);
      let best = heap[first] as Fifo;
      let bestAt = first;
      for (let child = first + 1; child < end; child++) {
        const other = heap[child] as Fifo;
        if (!this.#isBefore(other.priority, best.priority)) continue;
        best = other;
        bestAt = child;
      }
      if (this.#isBefore(priority, best.priority)) break;
      heap[at] = best;
      at = bestAt;
    }
    heap[at] = fifo;
  }

  #rebuild(): void {
    const old = this.#heap;
    this.#heap = [];
    for (const fifo of old) {
      if (fifo.standing > 0) this.#heap.push(fifo);
      else this.#forget(fifo);
    }
    const heap = this.#heap;
    for (let at = Math.floor((heap.length - 2) / children); at >= 0; at--)
      this.#sink(at, must(heap[at]));
  }

  #isBefore(a: Int64, b: Int64): boolean {
    return this.#lowestFirst ? a < b : a > b;
  }
}
