/**
 * The stored sessions of one kind in the order in which they come back: by due time, then by the operation that put them off, then by number, for one operation may put off
 * several. A 4-ary heap like `Deadlines`: a session that leaves stays in it until it comes to the top, or until such are more than half.
 */
import { must } from "../../base/assert.ts";

const children = 4;
const width = 3;
/** Below this many, those that left are not worth a rebuild. */
const rebuildMinCount = 4_096;

/** Whether the session of this number is stored with this due time and epoch. */
type Stands = (due: number, epoch: number, number: number) => boolean;

export class StoredOrder {
  /** due, epoch and number in turn. */
  #cells: number[] = [];
  /** Entries that stood when they were last looked at. */
  #standing = 0;
  readonly #stands: Stands;

  constructor(stands: Stands) {
    this.#stands = stands;
  }

  /** Entries, those that left among them. */
  get size(): number {
    return this.#cells.length / width;
  }

  add(due: number, epoch: number, number: number): void {
    if (this.size >= rebuildMinCount && this.size > 2 * this.#standing) this.#rebuild();
    let at = this.size;
    this.#cells.push(due, epoch, number);
    while (at > 0) {
      const parent = (at - 1) >>> 2;
      if (!this.#isBefore(due, epoch, number, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#set(at, due, epoch, number);
  }

  /** Drops those that left from the top. Whether any is left: {@link due}, {@link epoch} and {@link number} then tell of the first. */
  settle(): boolean {
    const cells = this.#cells;
    while (cells.length > 0) {
      if (this.#stands(must(cells[0]), must(cells[1]), must(cells[2]))) return true;
      const number = must(cells.pop());
      const epoch = must(cells.pop());
      const due = must(cells.pop());
      if (cells.length > 0) this.#sink(0, due, epoch, number);
    }
    this.#standing = 0;
    return false;
  }

  get due(): number {
    return must(this.#cells[0]);
  }

  get epoch(): number {
    return must(this.#cells[1]);
  }

  get number(): number {
    return must(this.#cells[2]);
  }

  /** Whether the first of this one goes before the first of the other. */
  isBefore(other: StoredOrder): boolean {
    return other.size === 0 || this.#isBeforeCells(other.#cells);
  }

  #isBeforeCells(cells: readonly number[]): boolean {
    const [due, epoch, number] = this.#cells;
    return isBefore(must(due), must(epoch), must(number), cells, 0);
  }

  #sink(from: number, due: number, epoch: number, number: number): void {
    const cells = this.#cells;
    const size = this.size;
    let at = from;
    for (;;) {
      const first = at * children + 1;
      if (first >= size) break;
      let least = first;
      const end = Math.min(first + children, size);
      for (let child = first + 1; child < end; child++) {
        const from3 = child * width;
        if (
          this.#isBefore(must(cells[from3]), must(cells[from3 + 1]), must(cells[from3 + 2]), least)
        )
          least = child;
      }
      if (this.#isBefore(due, epoch, number, least)) break;
      this.#move(least, at);
      at = least;
    }
    this.#set(at, due, epoch, number);
  }

  /** Without those that left, so that adding stays cheap whatever becomes of sessions. */
  #rebuild(): void {
    const old = this.#cells;
    const kept: number[] = [];
    for (let i = 0; i < old.length; i += width) {
      const due = must(old[i]);
      const epoch = must(old[i + 1]);
      const number = must(old[i + 2]);
      if (this.#stands(due, epoch, number)) kept.push(due, epoch, number);
    }
    this.#cells = kept;
    this.#standing = this.size;
    for (let at = Math.floor((this.size - 2) / children); at >= 0; at--) {
      const from = at * width;
      this.#sink(at, must(kept[from]), must(kept[from + 1]), must(kept[from + 2]));
    }
  }

  #isBefore(due: number, epoch: number, number: number, at: number): boolean {
    return isBefore(due, epoch, number, this.#cells, at * width);
  }

  #move(from: number, to: number): void {
    const start = from * width;
    const cells = this.#cells;
    this.#set(to, cells[start] as number, cells[start + 1] as number, cells[start + 2] as number);
  }

  #set(at: number, due: number, epoch: number, number: number): void {
    const start = at * width;
    this.#cells[start] = due;
    this.#cells[start + 1] = epoch;
    this.#cells[start + 2] = number;
  }
}

function isBefore(
  due: number,
  epoch: number,
  number: number,
  cells: readonly number[],
  at: number,
): boolean {
  const otherDue = cells[at] as number;
  if (due !== otherDue) return due < otherDue;
  const otherEpoch = cells[at + 1] as number;
  return epoch !== otherEpoch ? epoch < otherEpoch : number < (cells[at + 2] as number);
}
