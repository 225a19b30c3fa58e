/**
 * The terms of all entries of a log, as runs: (first index, term). Terms never decrease along a log, so there are few of them, and the term of any
 * entry is known without reading it.
 */
import { assert, must } from "../base/assert.ts";
import type { Index, Term } from "./vocabulary.ts";

export interface TermRun {
  readonly first: Index;
  readonly term: Term;
}

export class TermRuns {
  /** The entry before the first one: its term is known, the entry is gone. */
  #base: Index;
  #last: Index;
  /** The first run begins at `#base`. */
  #runs: TermRun[];

  constructor(base: Index = 0, term: Term = 0) {
    this.#base = base;
    this.#last = base;
    this.#runs = [{ first: base, term }];
  }

  /** The lowest index whose term is known: one below the first entry. */
  get base(): Index {
    return this.#base;
  }

  get last(): Index {
    return this.#last;
  }

  get lastTerm(): Term {
    return must(this.#runs.at(-1)).term;
  }

  /** Oldest first; the first one begins at {@link base}. */
  get runs(): readonly TermRun[] {
    return this.#runs;
  }

  /** The term of an entry, or `undefined` below {@link base} and above {@link last}. */
  termAt(index: Index): Term | undefined {
    if (index > this.#last || index < this.#base) return undefined;
    const newest = must(this.#runs.at(-1));
    if (index >= newest.first) return newest.term;
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (must(this.#runs[middle]).first <= index) low = middle;
      else high = middle - 1;
    }
    return must(this.#runs[low]).term;
  }

  /** Puts an entry at `index`, at most one above the last; all at or above it are gone. */
  put(index: Index, term: Term): void {
    if (index <= this.#last) this.truncate(index - 1);
    assert(index === this.#last + 1, "an entry must not leave a gap");
    this.#last = index;
    if (term !== this.lastTerm) {
      assert(term > this.lastTerm, "terms never decrease along a log");
      this.#runs.push({ first: index, term });
    }
  }

  /** Adds entries of one term up to `last`, above the last one. */
  extend(last: Index, term: Term): void {
    this.put(this.#last + 1, term);
    this.#last = last;
  }

  /** Drops all above `last`. */
  truncate(last: Index): void {
    assert(last >= this.#base, "a log is not truncated below its base");
    while (this.#runs.length > 1 && must(this.#runs.at(-1)).first > last) this.#runs.pop();
    this.#last = Math.min(this.#last, last);
  }

  /** Drops all below `base`, whose own term stays known. */
  compact(base: Index): void {
    if (base <= this.#base) return;
    assert(base <= this.#last, "a log is not compacted above its end");
    const term = must(this.termAt(base));
    this.#runs = this.#runs.filter(({ first }) => first > base);
    this.#runs.unshift({ first: base, term });
    this.#base = base;
  }

  /** Holds nothing; the next entry follows `index`. */
  restart(index: Index, term: Term): void {
    this.#base = index;
    this.#last = index;
    this.#runs = [{ first: index, term }];
  }

  /** The largest index at or below `index` whose term is at most `term`; what lies below the base counts as fitting. */
  lastAtOrBelow(index: Index, term: Term): Index {
    let at = Math.min(index, this.#last);
    for (let i = this.#runs.length - 1; i >= 0; i--) {
      const run = must(this.#runs[i]);
      if (run.first > at) continue;
      if (run.term <= term) return at;
      at = run.first - 1;
    }
    return at;
  }
}
