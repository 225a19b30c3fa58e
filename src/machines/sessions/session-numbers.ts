/**
 * Numbers of all sessions, rising, for whoever lists them. Numbers only grow, so a new one goes to the end, and one that leaves stays until such are more than half.
 */
import { must } from "../../base/assert.ts";

/** Below this many, those that left are not worth a rebuild. */
const rebuildMinCount = 1_024;

export class SessionNumbers {
  #numbers: number[] = [];
  #left = 0;
  readonly #stands: (number: number) => boolean;

  /** `stands`: whether there is a session of this number. */
  constructor(stands: (number: number) => boolean) {
    this.#stands = stands;
  }

  add(number: number): void {
    const numbers = this.#numbers;
    if (numbers.length === 0 || must(numbers.at(-1)) < number) {
      numbers.push(number);
      return;
    }
    // One that comes back because a group was undone.
    const at = this.#firstBehind(number - 1);
    if (numbers[at] === number) this.#left--;
    else numbers.splice(at, 0, number);
  }

  remove(): void {
    this.#left++;
    if (this.#numbers.length < rebuildMinCount || this.#left * 2 < this.#numbers.length) return;
    this.#numbers = this.#numbers.filter((number) => this.#stands(number));
    this.#left = 0;
  }

  /** All at once, in any order. */
  load(numbers: number[]): void {
    this.#numbers = numbers.sort((a, b) => a - b);
    this.#left = 0;
  }

  /** Calls `visit` with those above `after`, rising, until it returns false. */
  each(after: number, visit: (number: number) => boolean): void {
    for (let at = this.#firstBehind(after); at < this.#numbers.length; at++) {
      const number = must(this.#numbers[at]);
      if (this.#stands(number) && !visit(number)) return;
    }
  }

  #firstBehind(after: number): number {
    let low = 0;
    let high = this.#numbers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (must(this.#numbers[middle]) <= after) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
