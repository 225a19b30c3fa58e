/**
 * The log of one copy as the core sees it: the terms of all entries, the last entries themselves, and how far each entry has come.
 *
 *     base < … applied ≤ applying ≤ committed ≤ … last          what is known of the entries
 *                       durable ≤ writing ≤ last                 what the disk has
 *
 * Entries above `durable` are always in memory; those below may have to be fetched.
 */
import { assert, must } from "../base/assert.ts";
import { Fifo } from "../base/fifo.ts";
import { EntryWindow, bytesOfAll, dataBytesOf } from "./entry-window.ts";
import { TermRuns, type TermRun } from "./term-runs.ts";
import {
  type AppendAck,
  type Entry,
  type Fetch,
  type Index,
  type SnapshotMeta,
  type Term,
  entryKinds,
} from "./vocabulary.ts";

export interface LogStart {
  readonly base: Index;
  readonly runs: readonly TermRun[];
  readonly last: Index;
  readonly committed: Index;
  readonly applied: Index;
}

/** Entries given out to be applied, until they are. */
interface Applying {
  readonly last: Index;
  readonly bytes: number;
  readonly dataBytes: number;
}

export class ReplicatedLog {
  readonly #terms: TermRuns;
  readonly #window: EntryWindow;
  readonly #maxApplyingBytes: number;
  readonly #applyUnstable: boolean;
  /** Durable and applied entries that are kept in memory. */
  cacheBytes: number;
  /** Last index that is on disk, and last one given out to be written. */
  durable: Index;
  #writing: Index;
  committed: Index;
  #applying: Index;
  applied: Index;
  readonly #applyQueue = new Fifo<Applying>();
  #applyingBytes = 0;
  #applyingPaused = false;
  /** Committed entries that had to be fetched, the next to be applied. */
  #fetched: readonly Entry[] = [];
  /** The end of the fetch under way for the entries to apply; 0 = none. */
  #fetchingTo: Index = 0;
  /** A snapshot that is not durable yet, and whether it was given out. */
  snapshot: SnapshotMeta | undefined;
  #snapshotWriting = false;
  /** Configuration entries that are not applied yet, in order, as far as they have been seen. */
  #configurations: Index[] = [];
  /** Up to here there may be configuration entries that were not seen: the log as it was found. */
  readonly #unseen: Index;

  constructor(
    start: LogStart,
    options: {
      readonly maxApplyingBytes: number;
      readonly applyUnstable: boolean;
      readonly cacheBytes: number;
    },
  ) {
    const { base, runs, last, committed, applied } = start;
    const first = must(runs[0], "a log has at least the term of its base");
    assert(first.first === base, "the runs of a log begin at its base");
    assert(applied >= base, "a log is not applied below its base");
    assert(applied <= last, "a log is not applied above its end");
    this.#terms = new TermRuns(base, first.term);
    for (const [at, run] of runs.entries()) {
      const end = (runs[at + 1]?.first ?? last + 1) - 1;
      if (end > base) this.#terms.extend(end, run.term);
    }
    this.#window = new EntryWindow(last + 1);
    this.durable = last;
    this.#writing = last;
    this.committed = Math.max(applied, Math.min(committed, last));
    this.#applying = applied;
    this.applied = applied;
    this.#unseen = last;
    this.#maxApplyingBytes = options.maxApplyingBytes;
    this.#applyUnstable = options.applyUnstable;
    this.cacheBytes = options.cacheBytes;
  }

  get base(): Index {
    return this.#terms.base;
  }

  get last(): Index {
    return this.#terms.last;
  }

  get lastTerm(): Term {
    return this.#terms.lastTerm;
  }

  termAt(index: Index): Term | undefined {
    return this.#terms.termAt(index);
  }

  matches(index: Index, term: Term): boolean {
    return this.#terms.termAt(index) === term;
  }

  /** Thesis 3.6.1: whether a log that ends so holds at least as much as this one. */
  isUpToDate(lastIndex: Index, lastTerm: Term): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.last);
  }

  /** The leader's own entries, behind all others. */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) this.#put(entry);
  }

  /**
   * Entries of the leader behind `(index, term)`. Returns the last index that is now known to be the leader's, or `undefined` when the log does not hold the
   * entry before them. What differs from them is dropped.
   */
  appendBehind(index: Index, term: Term, entries: readonly Entry[]): Index | undefined {
    if (!this.matches(index, term)) return undefined;
    const last = index + entries.length;
    const from = entries.findIndex((entry) => !this.matches(entry.index, entry.term));
    if (from < 0) return last;
    const first = must(entries[from]).index;
    assert(first > this.committed, "a committed entry must not be replaced");
    this.#cut(first);
    for (let at = from; at < entries.length; at++) this.#put(must(entries[at]));
    return last;
  }

  /** Returns whether the commit index grew. */
  commitTo(index: Index): boolean {
    if (index <= this.committed) return false;
    assert(index <= this.last, "an entry is committed that is not in the log");
    this.committed = index;
    return true;
  }

  /** Where two logs may agree at the latest, for an entry of `term` at `index` (thesis 3.5, back-off by terms). */
  conflictBelow(index: Index, term: Term): { readonly index: Index; readonly term: Term } {
    const at = this.#terms.lastAtOrBelow(index, term);
    return at <= 0 ? { index: 0, term: 0 } : { index: at, term: this.#terms.termAt(at) ?? 0 };
  }

  /** Whether a configuration entry is committed, or may be, that is not applied (thesis 4.1, with configurations that take effect when applied). */
  get hasUnappliedConfiguration(): boolean {
    if (this.applied < Math.min(this.committed, this.#unseen)) return true;
    const [first] = this.#configurations;
    return first !== undefined && first <= this.committed;
  }

  // Durability

  get hasUnwritten(): boolean {
    return this.#writing < this.last;
  }

  unwritten(): readonly Entry[] {
    if (this.#writing >= this.last) return none;
    return this.#window.slice(this.#writing + 1, this.last + 1, Infinity);
  }

  /** What the entries given out until now, and a snapshot given out with them, will be known by; `undefined` when all is durable. */
  ackOf(term: Term, snapshot: SnapshotMeta | undefined): AppendAck | undefined {
    const entries = this.durable < this.last;
    if (!entries && snapshot === undefined) return undefined;
    const index = entries ? this.last : 0;
    const logTerm = entries ? this.lastTerm : 0;
    return { term, index, logTerm, snapshot: snapshot?.index ?? 0 };
  }

  get hasUnwrittenSnapshot(): boolean {
    return this.snapshot !== undefined && !this.#snapshotWriting;
  }

  unwrittenSnapshot(): SnapshotMeta | undefined {
    return this.#snapshotWriting ? undefined : this.snapshot;
  }

  /** All was given out to be written. */
  writing(): void {
    this.#writing = this.last;
    if (this.snapshot !== undefined) this.#snapshotWriting = true;
  }

  /** The log is on disk up to this entry; nothing happens if it is not the one that is in the log now (the ABA problem). */
  durableTo(index: Index, term: Term): void {
    if (index <= this.durable || !this.matches(index, term)) return;
    this.durable = index;
    this.#writing = Math.max(this.#writing, index);
    this.#letGo();
  }

  snapshotDurable(index: Index): void {
    if (this.snapshot?.index !== index) return;
    this.snapshot = undefined;
    this.#snapshotWriting = false;
    this.applied = Math.max(this.applied, index);
    this.#applying = Math.max(this.#applying, index);
  }

  /** A state replaces the whole log; the next entry follows it. */
  restore(snapshot: SnapshotMeta): void {
    const { index, term } = snapshot;
    this.#terms.restart(index, term);
    this.#window.restart(index + 1);
    this.durable = index;
    this.#writing = index;
    this.committed = index;
    this.snapshot = snapshot;
    this.#snapshotWriting = false;
    this.#configurations = [];
    this.#fetched = none;
    this.#fetchingTo = 0;
  }

  /** Entries up to `index`, which are applied, are gone from the disk. */
  compact(index: Index): void {
    assert(index <= this.applied, "a log is compacted above what is applied");
    this.#terms.compact(index);
    this.#window.letGo(index, 0);
  }

  // Reading

  /**
   * Entries from `from` on, as many as `maxBytes` allow; `undefined` when they are not in memory.
   */
  inMemory(from: Index, maxBytes: number): readonly Entry[] | undefined {
    if (from < this.#window.first) return undefined;
    return this.#window.slice(from, this.last + 1, maxBytes);
  }

  /** Where the entries begin that are in memory. */
  get memoryFirst(): Index {
    return this.#window.first;
  }

  // Applying

  get hasToApply(): boolean {
    if (this.#applyingPaused || this.snapshot !== undefined) return false;
    const next = this.#applying + 1;
    if (next > this.#appliable) return false;
    return next >= this.#window.first || this.#fetched.length > 0;
  }

  /** The next entries to apply that are at hand. */
  toApply(): readonly Entry[] {
    if (!this.hasToApply) return none;
    const maxBytes = this.#maxApplyingBytes - this.#applyingBytes;
    if (this.#fetched.length > 0) return this.#fetched;
    return this.#window.slice(this.#applying + 1, this.#appliable + 1, maxBytes);
  }

  /** What must be fetched before {@link toApply} can go on. Asked for once. */
  fetchToApply(): Fetch | undefined {
    const from = this.#applying + 1;
    if (this.#applyingPaused || this.snapshot !== undefined || this.#fetchingTo > 0)
      return undefined;
    if (this.#fetched.length > 0 || from > this.#appliable || from >= this.#window.first)
      return undefined;
    const to = Math.min(this.#appliable + 1, this.#window.first);
    this.#fetchingTo = to;
    return { from, to, maxBytes: this.#maxApplyingBytes - this.#applyingBytes };
  }

  fetched(asked: Fetch, entries: readonly Entry[]): void {
    if (this.#fetchingTo !== asked.to || asked.from !== this.#applying + 1) return;
    this.#fetchingTo = 0;
    this.#fetched = entries;
    for (const entry of entries) {
      if (entry.kind === entryKinds.configuration && !this.#configurations.includes(entry.index))
        this.#configurations.push(entry.index);
    }
    this.#configurations.sort((a, b) => a - b);
  }

  /** These were given out to be applied. */
  applying(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const last = must(entries.at(-1)).index;
    const bytes = bytesOfAll(entries);
    this.#fetched = none;
    this.#applying = last;
    this.#applyQueue.push({ last, bytes, dataBytes: dataBytesOf(entries) });
    this.#applyingBytes += bytes;
    this.#applyingPaused = this.#applyingBytes >= this.#maxApplyingBytes || last < this.#appliable;
  }

  /** Applied up to `index`. Returns the proposed bytes that were given out and are applied now. */
  appliedTo(index: Index): number {
    assert(index <= this.#applying, "an entry was applied that was not given out");
    this.applied = Math.max(this.applied, index);
    let dataBytes = 0;
    const queue = this.#applyQueue;
    for (let batch = queue.first; batch !== undefined && batch.last <= index; batch = queue.first) {
      queue.shift();
      dataBytes += batch.dataBytes;
      this.#applyingBytes -= batch.bytes;
    }
    this.#applyingPaused = this.#applyingBytes >= this.#maxApplyingBytes;
    while (this.#configurations.length > 0 && must(this.#configurations[0]) <= index)
      this.#configurations.shift();
    this.#letGo();
    return dataBytes;
  }

  /** Up to here entries may be applied. */
  get #appliable(): Index {
    return this.#applyUnstable ? this.committed : Math.min(this.committed, this.durable);
  }

  #put(entry: Entry): void {
    this.#terms.put(entry.index, entry.term);
    this.#window.push(entry);
    if (entry.kind === entryKinds.configuration) this.#configurations.push(entry.index);
  }

  #cut(first: Index): void {
    if (first > this.last) return;
    this.#terms.truncate(first - 1);
    this.#window.truncate(first);
    this.durable = Math.min(this.durable, first - 1);
    this.#writing = Math.min(this.#writing, first - 1);
    this.#configurations = this.#configurations.filter((index) => index < first);
  }

  #letGo(): void {
    this.#window.letGo(Math.min(this.durable, this.applied), this.cacheBytes);
  }
}

const none: readonly Entry[] = [];
