/**
 * Who waits for entries that this copy has put into its log as leader, by position and term.
 *
 * Terms never decrease along a log. So an entry of a later term that is confirmed at or below a waiting one's position proves that the waiting one is not in
 * the log that all copies will agree on, and never will be (thesis 3.6.2). Nothing else proves it.
 */
import { TrubaError } from "../base/errors.ts";
import { Fifo } from "../base/fifo.ts";
import type { Index, Term } from "../raft/vocabulary.ts";

export interface PendingEntry<T> {
  readonly position: Index;
  readonly term: Term;
  resolve(value: T): void;
  reject(error: Error): void;
}

export class PendingEntries<T> {
  /** In the order in which they were put into the log, so terms never fall. */
  readonly #entries = new Fifo<PendingEntry<T>>();

  get count(): number {
    return this.#entries.length;
  }

  add(position: Index, term: Term): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#entries.push({ position, term, resolve, reject });
    });
  }

  /**
   * An entry is confirmed; entries come in order. Returns who waits for it. Those who waited for another one in its place, or behind it, are rejected with
   * TrubaError NOTLEADER: theirs was not done.
   */
  confirmed(position: Index, term: Term): PendingEntry<T> | undefined {
    const entries = this.#entries;
    for (;;) {
      const entry = entries.first;
      if (entry === undefined || entry.term > term) return undefined;
      if (entry.term === term && entry.position > position) return undefined;
      entries.shift();
      if (entry.term === term && entry.position === position) return entry;
      entry.reject(
        new TrubaError(
          "NOTLEADER",
          `entry ${entry.position} of term ${entry.term} was replaced by a leader of term ${term}; it was not done`,
        ),
      );
    }
  }

  rejectAll(error: Error): void {
    const entries = this.#entries;
    for (let count = entries.length; count > 0; count--) entries.shift()?.reject(error);
  }
}
