/**
 * Deadlines of one kind, ordered by (due, number): a 4-ary heap. Nothing is taken out of its middle: whoever owns the rows says whether a deadline still stands, and
 * those that do not are dropped when they come to the top, or when they are more than half. So a lease that is acknowledged in time costs nothing here.
 *
 * The order of those that stand depends on nothing but themselves, so replicas that dropped others at other times handle the same rows in the same order.
 */
import { must } from "../base/assert.ts";

const children = 4;
/** Below this many, dead ones are not worth a rebuild. */
const rebuildMinCount = 4_096;

export class Deadlines {
  /** due and number in turn. */
  #cells: number[] = [];
  /** Entries that stood when they were last looked at. */
  #standing = 0;
  readonly #stands: (due: number, number: number) => boolean;

  /** `stands`: whether the row of this number still has this due time. */
  constructor(stands: (due: number, number: number) => boolean) {
    this.#stands = stands;
  }

  /** Entries, those that no longer stand among them. */
  get size(): number {
    return this.#cells.length / 2;
  }

  add(due: number, number: number): void {
    if (this.size >= rebuildMinCount && this.size > 2 * this.#standing) this.#rebuild();
    const cells = this.#cells;
    let at = this.size;
    cells.push(due, number);
    while (at > 0) {
      const parent = (at - 1) >>> 2;
      if (!this.#isBefore(due, number, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#set(at, due, number);
  }

  /** The due time of the first that stands; Infinity if there is none. */
  next(): number {
    return this.#settleTop() ? must(this.#cells[0]) : Infinity;
  }

  /** The number of the first that stands and is due at `timestamp` or before; `undefined` if there is none. It stays until it no longer stands. */
  due(timestamp: number): number | undefined {
    if (!this.#settleTop() || must(this.#cells[0]) > timestamp) return undefined;
    return this.#cells[1];
  }

  /** Calls `visit` for the number of each that stands, in no order; one that stands twice is visited twice. */
  each(visit: (number: number) => void): void {
    const cells = this.#cells;
    for (let i = 0; i < cells.length; i += 2)
      if (this.#stands(cells[i] as number, cells[i + 1] as number)) visit(cells[i + 1] as number);
  }

  /** Drops what no longer stands from the top. Returns whether anything is left. */
  #settleTop(): boolean {
    while (this.#cells.length > 0) {
      if (this.#stands(must(this.#cells[0]), must(this.#cells[1]))) return true;
      this.#dropTop();
    }
    this.#standing = 0;
    return false;
  }

  #dropTop(): void {
    const cells = this.#cells;
    const number = must(cells.pop());
    const due = must(cells.pop());
    if (cells.length > 0) this.#sink(0, due, number);
  }

  #sink(from: number, due: number, number: number): void {
    const cells = this.#cells;
    const size = this.size;
    let at = from;
    for (;;) {
      const first = at * children + 1;
      if (first >= size) break;
      let least = first;
      const end = Math.min(first + children, size);
      for (let child = first + 1; child < end; child++)
        if (this.#isBefore(must(cells[child * 2]), must(cells[child * 2 + 1]), least))
          least = child;
      if (this.#isBefore(due, number, least)) break;
      this.#move(least, at);
      at = least;
    }
    this.#set(at, due, number);
  }

  /** Without those that no longer stand, so that adding stays cheap whatever becomes of deadlines. */
  #rebuild(): void {
    const old = this.#cells;
    const kept: number[] = [];
    for (let i = 0; i < old.length; i += 2) {
      const due = must(old[i]);
      const number = must(old[i + 1]);
      if (this.#stands(due, number)) kept.push(due, number);
    }
    this.#cells = kept;
    this.#standing = this.size;
    for (let at = Math.floor((this.size - 2) / children); at >= 0; at--)
      this.#sink(at, must(kept[at * 2]), must(kept[at * 2 + 1]));
  }

  #isBefore(due: number, number: number, at: number): boolean {
    const otherDue = this.#cells[at * 2] as number;
    return due < otherDue || (due === otherDue && number < (this.#cells[at * 2 + 1] as number));
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#cells[from * 2] as number, this.#cells[from * 2 + 1] as number);
  }

  #set(at: number, due: number, number: number): void {
    this.#cells[at * 2] = due;
    this.#cells[at * 2 + 1] = number;
  }
}
