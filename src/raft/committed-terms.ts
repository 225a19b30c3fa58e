/** The terms of all entries that were ever seen to be committed, for the invariants: what no copy may contradict any more. */
import { assert, must } from "../base/assert.ts";
import type { Index, Term } from "./vocabulary.ts";

/** A log as far as its terms are known. */
interface TermsOfLog {
  termAt(index: Index): Term | undefined;
}

interface Run {
  readonly first: Index;
  /** -1: committed before anyone looked. */
  readonly term: Term;
}

const unseen: Term = -1;

export class CommittedTerms {
  readonly #runs: Run[] = [];
  /** Up to `last` was committed when the first copy that knew it was in `term`; both rising. */
  readonly #times: { last: Index; readonly term: Term }[] = [];
  last: Index = 0;

  /** Entries up to `index` were committed before anyone looked. */
  skipTo(index: Index): void {
    if (index <= this.last) return;
    this.#runs.push({ first: this.last + 1, term: unseen });
    this.last = index;
  }

  /** The next entry, of `term`, is committed; a copy in term `seenIn` says so. */
  add(term: Term, seenIn: Term): void {
    this.last++;
    if (this.#runs.at(-1)?.term !== term) this.#runs.push({ first: this.last, term });
    const newest = this.#times.at(-1);
    if (newest !== undefined && newest.term >= seenIn) newest.last = this.last;
    else this.#times.push({ last: this.last, term: seenIn });
  }

  /** The last index that was committed in a term below `term`. */
  before(term: Term): Index {
    for (let at = this.#times.length - 1; at >= 0; at--) {
      const time = must(this.#times[at]);
      if (time.term < term) return time.last;
    }
    return 0;
  }

  /** `undefined`: not committed, or committed before anyone looked. */
  termAt(index: Index): Term | undefined {
    if (index > this.last || index < 1) return undefined;
    const term = must(this.#runs[this.#runAt(index)]).term;
    return term === unseen ? undefined : term;
  }

  /** The first index above `from` and up to `to`, which is committed, where the log has another term or nothing; `undefined` if there is none. */
  differs(log: TermsOfLog, from: Index, to: Index): Index | undefined {
    assert(to <= this.last, "only what is committed can be compared");
    if (to <= from) return undefined;
    for (let at = this.#runAt(from + 1); at < this.#runs.length; at++) {
      const { first, term } = must(this.#runs[at]);
      if (first > to) return undefined;
      const start = Math.max(first, from + 1);
      const end = Math.min((this.#runs[at + 1]?.first ?? to + 1) - 1, to);
      if (term === unseen) continue;
      // Terms never decrease along a log: when both ends are right, so is what lies between.
      if (log.termAt(start) !== term) return start;
      if (log.termAt(end) !== term) return end;
    }
    return undefined;
  }

  #runAt(index: Index): number {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (must(this.#runs[middle]).first <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
