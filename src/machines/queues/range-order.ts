/**
 * Order of a queue of type range: an array with a {@link Fifo} for each priority of a narrow range. Which of them is next is found in a few steps, whatever the width, and
 * nothing is made for a priority before its first task.
 */
import { must } from "../../base/assert.ts";
import type { Int64, QueueOrder } from "../../protocol/requests.ts";
import { BitTree } from "./bit-tree.ts";
import { Fifo, type Standing } from "./fifo.ts";
import { differenceOf } from "./int64.ts";
import type { Order } from "./order.ts";

const pageCount = 256;

export class RangeOrder implements Order {
  readonly #rows: Standing;
  readonly #lowestFirst: boolean;
  readonly #min: Int64;
  readonly #width: number;
  /** Lists by priority, from the lowest on, in pages. */
  readonly #pages: (Fifo | undefined)[][] = [];
  /** Where tasks stand. */
  readonly #busy: BitTree;

  constructor(
    rows: Standing,
    order: QueueOrder,
    range: { readonly min: Int64; readonly max: Int64 },
  ) {
    this.#rows = rows;
    this.#lowestFirst = order === "lowest";
    this.#min = range.min;
    this.#width = differenceOf(range.max, range.min) + 1;
    this.#busy = new BitTree(this.#width);
    for (let i = 0; i < this.#width; i += pageCount) this.#pages.push([]);
  }

  add(priority: Int64, number: number): void {
    this.#busyFifo(priority).add(number);
  }

  leave(priority: Int64): void {
    const place = differenceOf(priority, this.#min);
    const fifo = this.#fifoAt(place);
    fifo.leave(this.#rows);
    if (fifo.standing === 0) this.#busy.delete(place);
  }

  first(): number {
    const place = this.#next(-1);
    return place < 0 ? 0 : this.#fifoAt(place).first(this.#rows);
  }

  dropFirst(): void {
    this.#fifoAt(this.#next(-1)).dropFirst();
  }

  each(visit: (fifo: Fifo) => boolean): void {
    for (let place = this.#next(-1); place >= 0; place = this.#next(place))
      if (!visit(this.#fifoAt(place))) return;
  }

  load(priority: Int64, number: number): void {
    this.#busyFifo(priority).load(number);
  }

  sort(): void {
    this.each((fifo) => {
      fifo.sort();
      return true;
    });
  }

  #busyFifo(priority: Int64): Fifo {
    const place = differenceOf(priority, this.#min);
    const page = must(this.#pages[Math.floor(place / pageCount)], "a priority is out of its range");
    if (page.length === 0) for (let i = 0; i < pageCount; i++) page.push(undefined);
    let fifo = page[place % pageCount];
    if (fifo === undefined) {
      fifo = new Fifo(priority);
      page[place % pageCount] = fifo;
    }
    if (fifo.standing === 0) this.#busy.add(place);
    return fifo;
  }

  #fifoAt(place: number): Fifo {
    return must(this.#pages[Math.floor(place / pageCount)]?.[place % pageCount]);
  }

  /** The next place where tasks stand, after `place` in the order; -1 as an argument begins, as an answer ends. */
  #next(place: number): number {
    if (this.#lowestFirst) return this.#busy.atLeast(place + 1);
    const from = place < 0 ? this.#width - 1 : place - 1;
    return from < 0 ? -1 : this.#busy.atMost(from);
  }
}
