/**
 * What must be so of all copies of one group at every moment, as one executable file: thesis figure 3.2, and what follows for configurations, durability and
 * order. It sees copies from outside, remembers what it saw, and is asked after every event of a test or a simulation; so each look costs little, and what
 * has not changed costs nothing.
 *
 * By the Log Matching property all entries of one term stand in one row that begins at the same index in every log that holds its beginning. So a log is
 * known by the beginnings of its terms, and two logs agree when those do.
 */
import { CommittedTerms } from "./committed-terms.ts";
import { ConfigurationHistory, majorityHolds } from "./configuration-history.ts";
import { type CopyView, firstOfTerm, termOf } from "./copy-view.ts";
import { type Seen, changed, isInstalling, seenOf, unchangedTo } from "./seen-copy.ts";
import { roles } from "./vocabulary.ts";
import type { Index, ReplicaId, Term } from "./vocabulary.ts";

/** Something that Raft promises is not so: the program is wrong. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** What a term's entries follow: the entry before the first of them. */
interface TermStart {
  readonly first: Index;
  readonly before: Term;
}

/** What is known beyond what the copies show. */
export interface Witnessed {
  /**
   * Whether an entry is on the disk of a copy that does not take it for durable yet: a core that has gone on to another term counts no acknowledgement of an earlier one, and the
   * answer that was to leave with it leaves all the same.
   */
  readonly onDisk?: (id: ReplicaId, index: Index, term: Term | undefined) => boolean;
  /** Every vote is seen: copies are looked at after each of their steps. */
  readonly seesVotes?: boolean;
}

export class RaftInvariants {
  readonly #witnessed: Witnessed;
  readonly #seen = new Map<ReplicaId, Seen>();
  /** Copies that are to be seen again as something that was read from disk. */
  readonly #restarted = new Set<ReplicaId>();
  readonly #leaders = new Map<Term, ReplicaId>();
  /** The highest term that each copy has led. */
  readonly #led = new Map<ReplicaId, Term>();
  readonly #starts = new Map<Term, TermStart>();
  readonly #committed = new CommittedTerms();
  readonly #configurations = new ConfigurationHistory(violated);
  /** Leaders that have committed more, and as they were before. */
  readonly #counted: { readonly view: CopyView; readonly before: Seen }[] = [];
  /** Leaders that have just begun, and as they were before. */
  readonly #elected: { readonly view: CopyView; readonly before: Seen }[] = [];
  #begun = false;

  constructor(witnessed: Witnessed = {}) {
    this.#witnessed = witnessed;
  }

  /**
   * Compares the copies with each other and with what was seen before. A copy that is down is left out, and counts as it was seen last: so look once more
   * after its last step. Throws InvariantError, whose text names the invariant.
   */
  observe(copies: readonly CopyView[]): void {
    for (const view of copies) {
      const before = this.#seen.get(view.id);
      if (before === undefined || this.#restarted.has(view.id)) this.#begin(view, before);
      else if (changed(view, before)) this.#advance(view, before);
    }
    // All disks must have been looked at before.
    for (const { view, before } of this.#counted.splice(0)) this.#checkQuorum(view, before);
    for (const { view, before } of this.#elected.splice(0)) this.#checkElected(view, before);
    this.#begun ||= copies.length > 0;
  }

  /** Up to here entries are known to be committed. */
  get committed(): Index {
    return this.#committed.last;
  }

  /** The copy's process has ended; when it is seen again, it is what its disk holds. */
  copyRestarted(id: ReplicaId): void {
    if (this.#seen.has(id)) this.#restarted.add(id);
  }

  #begin(view: CopyView, before: Seen | undefined): void {
    this.#restarted.delete(view.id);
    checkOrder(view, false);
    if (before !== undefined) this.#checkDurable(view, before);
    this.#checkLog(view, 0);
    const next = seenOf(view);
    this.#seen.set(view.id, next);
    this.#noteLeader(next);
    if (view.role === roles.leader) this.#checkComplete(view);
    this.#checkCommitted(next, 0);
    this.#configurations.note(view, this.#begun);
  }

  #advance(view: CopyView, before: Seen): void {
    const installing = isInstalling(view, before);
    checkOrder(view, installing);
    checkMonotonic(view, before);
    this.#checkLog(view, unchangedTo(view, before));
    const next = seenOf(view);
    next.installing = installing;
    if (installing) {
      // It may come back with the log before the snapshot or with the one behind it.
      next.durable = 0;
      next.durableTerm = 0;
    }
    this.#seen.set(view.id, next);
    this.#noteLeader(next);
    if (view.role === roles.leader) {
      if (before.role === roles.leader && before.term === view.term) checkAppendOnly(view, before);
      else {
        this.#checkComplete(view);
        if (this.#witnessed.seesVotes === true) this.#elected.push({ view, before });
      }
      if (view.committed > before.committed) this.#counted.push({ view, before });
    }
    this.#checkCommitted(next, before.committed);
    if (view.configurationIndex !== before.configurationIndex)
      this.#configurations.note(view, true);
  }

  /** What was durable is there again after a restart, and so are the term and the vote of a term that it led. */
  #checkDurable(view: CopyView, { durable, durableTerm }: Seen): void {
    const { id, baseIndex, lastIndex, term, vote } = view;
    const led = this.#led.get(id) ?? 0;
    if (term < led || (term === led && led > 0 && vote !== id)) {
      throw violated(
        "Persistent State (thesis 3.8)",
        `copy ${id} led term ${led} and has come back with term ${term} and vote ${vote}`,
      );
    }
    if (baseIndex >= durable) return;
    const found = lastIndex < durable ? undefined : view.termAt(durable);
    if (found === durableTerm) return;
    throw violated(
      "Persistent State (thesis 3.8)",
      `copy ${id} had entry ${durable} of term ${durableTerm} on disk and has come back with ${found === undefined ? `entries up to ${lastIndex}` : `one of term ${found} there`}`,
    );
  }

  #noteLeader({ view, term, role, leader }: Seen): void {
    const { id } = view;
    const known = this.#leaders.get(term);
    if (role === roles.leader) {
      if (known !== undefined && known !== id) {
        throw violated(
          "Election Safety (thesis 3.4)",
          `copies ${known} and ${id} both lead term ${term}`,
        );
      }
      this.#leaders.set(term, id);
      this.#led.set(id, Math.max(term, this.#led.get(id) ?? 0));
    } else if (leader !== 0 && known !== undefined && known !== leader) {
      throw violated(
        "Election Safety (thesis 3.4)",
        `copy ${id} follows copy ${leader} in term ${term}, which copy ${known} leads`,
      );
    }
  }

  /** Log Matching, for what stands above `from`. */
  #checkLog(view: CopyView, from: Index): void {
    let end = view.lastIndex;
    while (end > Math.max(from, view.baseIndex)) {
      const term = termOf(view, end);
      const first = firstOfTerm(view, end, term);
      this.#checkRun(view, first, end, term);
      end = first - 1;
    }
  }

  #checkRun(view: CopyView, first: Index, end: Index, term: Term): void {
    const { id, baseIndex } = view;
    const known = this.#starts.get(term);
    if (first <= baseIndex) {
      // The beginning is trimmed away; what is left must lie behind it.
      if (known === undefined || end >= known.first) return;
    } else {
      const before = termOf(view, first - 1);
      if (before > term) {
        throw violated(
          "Log Matching (thesis 3.5)",
          `copy ${id} has entry ${first - 1} of term ${before} before one of term ${term}`,
        );
      }
      if (known === undefined) {
        this.#starts.set(term, { first, before });
        return;
      }
      if (known.first === first && known.before === before) return;
    }
    throw violated(
      "Log Matching (thesis 3.5)",
      `in copy ${id} the entries of term ${term} begin at ${first}; elsewhere they begin at ${known.first} behind one of term ${known.before}`,
    );
  }

  /** Leader Completeness: a leader holds all that was committed in terms before its own. */
  #checkComplete(view: CopyView): void {
    const { id, term, lastIndex, baseIndex } = view;
    const complete = this.#committed.before(term);
    if (lastIndex < complete) {
      throw violated(
        "Leader Completeness (thesis 3.6.3)",
        `copy ${id} leads term ${term} with a log that ends at ${lastIndex}; entries up to ${complete} were committed before`,
      );
    }
    const wrong = this.#committed.differs(view, baseIndex, complete);
    if (wrong === undefined) return;
    throw violated(
      "Leader Completeness (thesis 3.6.3)",
      `copy ${id} leads term ${term} with entry ${wrong} of term ${view.termAt(wrong)}; one of term ${this.#committed.termAt(wrong)} was committed`,
    );
  }

  /** Who leads has the votes of a majority, of each half of a joint configuration (thesis 4.3). Who has gone on to a later term may have voted for it. */
  #checkElected(view: CopyView, before: Seen): void {
    const { id, term } = view;
    const voted = (member: ReplicaId): boolean => {
      const seen = this.#seen.get(member);
      return seen !== undefined && (seen.term > term || (seen.term === term && seen.vote === id));
    };
    if (majorityHolds(view.configuration, voted)) return;
    if (majorityHolds(before.configuration, voted)) return;
    const { voters, outgoing } = view.configuration;
    throw violated(
      "Elected By Majority (thesis 3.4, 4.3)",
      `copy ${id} leads term ${term} by the votes of ${[...voters, ...outgoing].filter(voted).join(", ") || "nobody"} among the voters ${voters.join(", ")}${outgoing.length > 0 ? ` and ${outgoing.join(", ")}` : ""}`,
    );
  }

  /** A leader commits what a majority has on disk, and only entries of its own term by counting. */
  #checkQuorum(view: CopyView, before: Seen): void {
    const { id, committed, term } = view;
    const entryTerm = view.termAt(committed);
    if (before.role === roles.leader && before.term === term && entryTerm !== term) {
      throw violated(
        "Commit Of Own Term (thesis 3.6.2)",
        `copy ${id}, leader of term ${term}, has committed entry ${committed} of term ${entryTerm}`,
      );
    }
    const holds = (member: ReplicaId): boolean => this.#holds(member, committed, entryTerm);
    // The configuration may have been applied in the same step, after counting under the one before.
    if (majorityHolds(view.configuration, holds)) return;
    if (majorityHolds(before.configuration, holds)) return;
    const { voters, outgoing } = view.configuration;
    throw violated(
      "Committed On Quorum (thesis 3.6)",
      `copy ${id} has committed entry ${committed} of term ${entryTerm}, which is on the disks of ${[...voters, ...outgoing].filter(holds).join(", ") || "nobody"} among the voters ${voters.join(", ")}${outgoing.length > 0 ? ` and ${outgoing.join(", ")}` : ""}`,
    );
  }

  #holds(member: ReplicaId, index: Index, term: Term | undefined): boolean {
    const seen = this.#seen.get(member);
    if (seen === undefined) return false;
    if (seen.durable < index) return this.#witnessed.onDisk?.(member, index, term) ?? false;
    return seen.view.baseIndex >= index || seen.view.termAt(index) === term;
  }

  /** State Machine Safety: what is committed at an index is so for ever and everywhere. */
  #checkCommitted({ view, committed, base, term }: Seen, from: Index): void {
    const known = this.#committed;
    if (!this.#begun) known.skipTo(base);
    if (base > known.last) {
      throw violated(
        "State Machine Safety (thesis 3.6.3)",
        `copy ${view.id} holds a state up to ${base}; entries are known to be committed up to ${known.last} only`,
      );
    }
    const wrong = known.differs(view, Math.max(base, from), Math.min(committed, known.last));
    if (wrong !== undefined) {
      throw violated(
        "State Machine Safety (thesis 3.6.3)",
        `copy ${view.id} has committed entry ${wrong} of term ${view.termAt(wrong)}; one of term ${known.termAt(wrong)} was committed there`,
      );
    }
    for (let index = known.last + 1; index <= committed; index++) {
      known.add(termOf(view, index), term);
    }
  }
}

function violated(invariant: string, text: string): InvariantError {
  return new InvariantError(`${invariant}: ${text}`);
}

/** Compaction, application, commitment and the end of the log stand in this order. */
function checkOrder(view: CopyView, installing: boolean): void {
  const { id, baseIndex, applied, committed, lastIndex, durable, term } = view;
  if (
    (installing || baseIndex <= applied) &&
    applied <= committed &&
    committed <= lastIndex &&
    baseIndex <= lastIndex &&
    durable <= lastIndex &&
    termOf(view, lastIndex) <= term
  )
    return;
  throw violated(
    "State Ordering (thesis 3.5, 5.1)",
    `copy ${id} in term ${term} has base ${baseIndex}, applied ${applied}, committed ${committed}, durable ${durable}, last ${lastIndex} of term ${view.termAt(lastIndex)}`,
  );
}

function checkMonotonic(view: CopyView, before: Seen): void {
  const { id } = view;
  const pairs = [
    ["term", view.term, before.term],
    ["commit index", view.committed, before.committed],
    ["applied index", view.applied, before.applied],
    ["base", view.baseIndex, before.base],
    ["configuration's index", view.configurationIndex, before.configurationIndex],
  ] as const;
  for (const [name, now, then] of pairs) {
    if (now >= then) continue;
    throw violated(
      "Monotonic State (thesis 3.3, 3.5)",
      `the ${name} of copy ${id} went from ${then} to ${now}`,
    );
  }
  if (view.term === before.term && before.vote !== 0 && view.vote !== before.vote) {
    throw violated(
      "One Vote Per Term (thesis 3.4)",
      `copy ${id} voted for ${before.vote} and then for ${view.vote} in term ${view.term}`,
    );
  }
}

function checkAppendOnly(view: CopyView, before: Seen): void {
  const kept = Math.max(before.last, view.baseIndex);
  if (
    view.lastIndex >= before.last &&
    (kept > before.last || view.termAt(kept) === before.lastTerm)
  )
    return;
  throw violated(
    "Leader Append-Only (thesis 3.5)",
    `copy ${view.id}, leader of term ${view.term}, had entry ${before.last} of term ${before.lastTerm}; its log ends at ${view.lastIndex} with term ${view.termAt(view.lastIndex)}`,
  );
}
