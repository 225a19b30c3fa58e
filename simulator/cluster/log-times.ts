/**
 * Log time by the number of an operation, as far as it is known: from what the simulator sees of the partitions after each event, and from answers that tell
 * both. Log time never goes back, so between two known points it is between theirs.
 */
import { must } from "../../src/base/assert.ts";

interface Points {
  /** Rising; to each number its time. */
  readonly numbers: number[];
  readonly times: number[];
}

export class LogTimes {
  readonly #partitions: Points[] = [];

  /** The operation of this number was applied at this log time. Numbers that are not above those noted before are known already and ignored. */
  note(partition: number, number: number, timestamp: number): void {
    const { numbers, times } = this.#of(partition);
    if (numbers.length > 0 && number <= must(numbers.at(-1))) return;
    numbers.push(number);
    times.push(timestamp);
  }

  /** It was applied at this time or before; Infinity if nothing is known. */
  latest(partition: number, number: number): number {
    const { numbers, times } = this.#of(partition);
    return times[firstAtLeast(numbers, number)] ?? Infinity;
  }

  /** It was applied at this time or later; 0 if nothing is known. */
  earliest(partition: number, number: number): number {
    const { numbers, times } = this.#of(partition);
    const at = firstAtLeast(numbers, number);
    if (numbers[at] === number) return must(times[at]);
    return times[at - 1] ?? 0;
  }

  #of(partition: number): Points {
    return (this.#partitions[partition] ??= { numbers: [], times: [] });
  }
}

/** The first place at which a rising list has `wanted` or more. */
export function firstAtLeast(list: readonly number[], wanted: number): number {
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (must(list[middle]) < wanted) from = middle + 1;
    else to = middle;
  }
  return from;
}
