/** A heap of numbers, the lowest on top: what came back to a {@link Fifo} out of its order. */
import { must } from "../../base/assert.ts";

export class NumberHeap {
  #cells: number[] = [];

  get size(): number {
    return this.#cells.length;
  }

  /** The lowest; Infinity if there is none. */
  get top(): number {
    return this.#cells.length === 0 ? Infinity : (this.#cells[0] as number);
  }

  push(number: number): void {
    const cells = this.#cells;
    let at = cells.length;
    cells.push(number);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = cells[parent] as number;
      if (above <= number) break;
      cells[at] = above;
      at = parent;
    }
    cells[at] = number;
  }

  /** Takes out the lowest, which must be there. */
  pop(): void {
    const cells = this.#cells;
    const last = must(cells.pop(), "an empty heap has no top");
    if (cells.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= cells.length) break;
      if (child + 1 < cells.length && (cells[child + 1] as number) < (cells[child] as number))
        child++;
      const below = cells[child] as number;
      if (last <= below) break;
      cells[at] = below;
      at = child;
    }
    cells[at] = last;
  }

  /** All of them, rising. */
  sorted(): number[] {
    return this.#cells.toSorted((a, b) => a - b);
  }

  /** Keeps those that `keeps` says yes to. */
  filter(keeps: (number: number) => boolean): void {
    // Sorted cells are a heap.
    this.#cells = this.sorted().filter(keeps);
  }
}
