/**
 * What the log knows of one group: always what is durable, never what is only staged. Recovery and the running log change it
 * through the same two methods, so what is rebuilt after a crash is what was there before.
 */
import { assert, must } from "../base/assert.ts";
import { TermRuns } from "../raft/term-runs.ts";
import type { BatchBuffer, RecordOwner } from "./batch-buffer.ts";
import { EntryIndex } from "./entry-index.ts";
import { decodeVote, encodeVote, kinds, restatedFlag } from "./format.ts";
import type { Kind } from "./format.ts";

/**
 * Raft's hard state. `commit` may be above the last index after a crash: a flush of several batches may have been cut between
 * the one with the hard state and the one with the entries. Such a commit index was never acted upon: take the smaller of the two.
 */
export interface HardState {
  readonly term: number;
  /** 0 = nobody. */
  readonly votedFor: number;
  readonly commit: number;
}

export interface LogPosition {
  readonly index: number;
  readonly term: number;
}

export interface ResetPoint extends LogPosition {
  /** What the owner gave along with the reset; opaque. */
  readonly token: Buffer;
}

/** The read side of one group. */
export interface WalGroup {
  readonly id: number;
  /** Lowest index that can be read: one above {@link trimmedTo}. `lastIndex + 1` when there is none. */
  readonly firstIndex: number;
  /** 0 when there was never an entry, trim or reset. */
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The terms of all entries that can be read, and of {@link trimmedTo}, which is its base. Only to be looked at. */
  readonly terms: TermRuns;
  readonly hardState: HardState | undefined;
  /** The entries up to here are no longer there: trimmed, or replaced by a checkpoint. */
  readonly trimmedTo: LogPosition;
  /** The last reset, if there was one since the group came to this node. */
  readonly reset: ResetPoint | undefined;
  /** The last hard state of a copy that left this node. Stays when a new copy comes, by a reset. */
  readonly removed: { readonly term: number; readonly votedFor: number } | undefined;
}

const origin: LogPosition = { index: 0, term: 0 };

export class GroupLog implements WalGroup, RecordOwner {
  readonly id: number;
  readonly entries = new EntryIndex();
  terms = new TermRuns();
  /** Only while a log is recovered: the term of the base of `terms` is a lower bound, and a trim up to there is still to come. */
  #baseTermIsBound = false;
  hardState: HardState | undefined;
  trimmedTo = origin;
  reset: ResetPoint | undefined;
  removed: { readonly term: number; readonly votedFor: number } | undefined;
  /** Why the group is not to be believed, until its copy is removed. Set by recovery. */
  damage: string | undefined;
  /** The same as of all that is staged. Kept by the log. */
  stagedDamage: string | undefined;
  /** Where the group will be when all that is staged has become durable. Kept by the log. */
  stagedLast = 0;
  stagedLastTerm = 0;
  stagedTrim = 0;

  constructor(id: number) {
    this.id = id;
  }

  /** Nothing is staged: what is durable is all there is. */
  stageFromDurable(): void {
    this.stagedDamage = this.damage;
    if (this.damage !== undefined) return;
    assert(this.terms.base === this.trimmedTo.index, "the terms begin at the trim point");
    this.stagedLast = this.lastIndex;
    this.stagedLastTerm = this.lastTerm;
    this.stagedTrim = this.trimmedTo.index;
  }

  get firstIndex(): number {
    return this.trimmedTo.index + 1;
  }

  get lastIndex(): number {
    return this.entries.last;
  }

  get lastTerm(): number {
    return this.terms.lastTerm;
  }

  /** Whether any record of the group is in the log. */
  get known(): boolean {
    return (
      this.lastIndex > 0 ||
      this.hardState !== undefined ||
      this.reset !== undefined ||
      this.removed !== undefined
    );
  }

  /**
   * Segment of the oldest entry that is still needed, Infinity when none is. All are while the group is damaged: the next start must see the
   * damage again.
   */
  get oldestSegment(): number {
    if (this.damage !== undefined) return 0;
    return this.entries.count === 0 ? Infinity : this.entries.segmentOf(this.entries.first);
  }

  applyEntry(index: number, term: number, segment: number, offset: number): void {
    this.entries.put(index, segment, offset);
    if (index <= this.terms.base) {
      this.terms.restart(index - 1, this.trimmedTo.term);
      this.#baseTermIsBound = true;
    }
    this.terms.put(index, term);
  }

  /**
   * The least term that the entry at `index` may have, which lies above the trim point and at most one above the last: that of the entry
   * before it. Of entries that were left behind with older segments only the term of the trim point is known.
   */
  leastTerm(index: number): number {
    return this.terms.termAt(index - 1) ?? this.trimmedTo.term;
  }

  /** The term of an entry, or of the trim point, where it is known for sure. */
  termAt(index: number): number | undefined {
    if (this.#baseTermIsBound && index === this.terms.base) return undefined;
    return this.terms.termAt(index);
  }

  apply(kind: number, index: number, term: number, body: Buffer): void {
    if (kind === kinds.hardState) {
      this.hardState = { term, votedFor: decodeVote(body), commit: index };
    } else if (kind === kinds.trim) {
      this.trimmedTo = { index, term };
      this.entries.dropTo(index);
      this.#trimTerms(index, term);
    } else if (kind === kinds.reset) {
      this.reset = { index, term, token: Buffer.from(body) };
      this.trimmedTo = { index, term };
      this.#restart(index, term);
    } else if (kind === kinds.removed) {
      this.removed = { term, votedFor: decodeVote(body) };
      this.damage = undefined;
      this.reset = undefined;
      this.hardState = undefined;
      this.trimmedTo = origin;
      this.#restart(0, 0);
    }
  }

  #restart(index: number, term: number): void {
    this.entries.restart(index);
    this.terms.restart(index, term);
    this.#baseTermIsBound = false;
  }

  #trimTerms(index: number, term: number): void {
    if (this.#baseTermIsBound && index === this.terms.base) {
      // Now the base is known. This happens at most once in a recovery, so it need not be fast.
      const known = new TermRuns(index, term);
      for (let at = index + 1; at <= this.terms.last; at++)
        known.put(at, must(this.terms.termAt(at)));
      this.terms = known;
      this.#baseTermIsBound = false;
    } else if (index > this.terms.base) {
      this.terms.compact(index);
      this.#baseTermIsBound = false;
    }
  }

  /** Takes over a record from the start of the oldest segment: all that is left of the records before it. */
  establish(kind: number, index: number, term: number, body: Buffer): void {
    const last = kind === kinds.last || kind === kinds.trim;
    if (last) {
      if (kind === kinds.trim) this.trimmedTo = { index, term };
      if (index >= this.lastIndex) this.#restart(index, term);
    } else {
      this.apply(kind, index, term, body);
    }
  }

  /** Takes over a record of a damaged group: only what it says of votes, and that the copy was removed. */
  applyDamaged(
    kind: number,
    index: number,
    term: number,
    restated: boolean,
    body: Buffer | undefined,
  ): void {
    if (kind === kinds.hardState) this.apply(kind, index, term, must(body));
    else if (kind !== kinds.removed) return;
    else if (restated) this.removed = { term, votedFor: decodeVote(must(body)) };
    else this.apply(kind, index, term, must(body));
  }

  /** Stages the group's metadata again, at the start of a segment. */
  restate(batch: BatchBuffer): void {
    const stage = (kind: Kind, index: number, term: number, body?: Uint8Array) =>
      batch.stage(kind, this, index, term, body, restatedFlag);
    const { removed, reset, trimmedTo, hardState } = this;
    if (removed) stage(kinds.removed, 0, removed.term, encodeVote(removed.votedFor));
    if (reset) stage(kinds.reset, reset.index, reset.term, reset.token);
    if (trimmedTo.index > (reset?.index ?? 0)) stage(kinds.trim, trimmedTo.index, trimmedTo.term);
    if (this.lastIndex > trimmedTo.index) stage(kinds.last, this.lastIndex, this.lastTerm);
    if (hardState) {
      stage(kinds.hardState, hardState.commit, hardState.term, encodeVote(hardState.votedFor));
    }
  }

  /** Whether a restated record says what the records before it said. */
  agrees(kind: number, index: number, term: number, body: Buffer): boolean {
    switch (kind) {
      case kinds.removed:
        return this.removed?.term === term && this.removed.votedFor === decodeVote(body);
      case kinds.reset:
        return samePoint(this.reset, index, term) && must(this.reset).token.equals(body);
      case kinds.trim:
        return samePoint(this.trimmedTo, index, term);
      case kinds.last:
        return this.lastIndex === index && this.lastTerm === term;
      case kinds.hardState:
        return (
          this.hardState?.term === term &&
          this.hardState.commit === index &&
          this.hardState.votedFor === decodeVote(body)
        );
      default:
        return false;
    }
  }
}

function samePoint(point: LogPosition | undefined, index: number, term: number): boolean {
  return point !== undefined && point.index === index && point.term === term;
}
