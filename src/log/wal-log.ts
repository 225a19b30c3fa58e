/**
 * A log of one voter over the node's WAL: the leader at once, confirmed by its own disk. Every start is a new term with an empty entry of its own,
 * as an election of one would make it. {@link WalLogs} is the node's side: all its logs share each write and each sync.
 */
import { assert, must } from "../base/assert.ts";
import { asBuffer } from "../base/bytes.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import type { Wal } from "../wal/wal.ts";
import type { Entry, LogStatus, Position, SharedLog } from "./shared-log.ts";

const selfId = 1;
const emptyBatch = Buffer.alloc(0);
/** From so many entries on, those that were read are let go while others still wait. */
const readMaxEntries = 64;

interface Waiter {
  /** Confirmed when this position is. */
  readonly position: Position;
  resolve(position: Position): void;
  reject(error: Error): void;
}

/** All logs of a node, and the one sync that confirms them. */
export class WalLogs {
  readonly #wal: Wal;
  readonly #logs = new Map<number, WalLog>();
  /** Logs with entries staged since the last flush, and those that the running flush confirms. */
  #staged: WalLog[] = [];
  #flushing: WalLog[] = [];
  readonly #onFlushed: () => void;

  /** `onFlushed` is told after each {@link flush}, also after one that confirmed no entry: the next one may begin. */
  constructor(wal: Wal, onFlushed: () => void = () => {}) {
    this.#wal = wal;
    this.#onFlushed = onFlushed;
  }

  /** The log of a group, to be read. It takes batches after {@link lead}. */
  open(group: number): WalLog {
    assert(!this.#logs.has(group), "a log is opened twice");
    const log = new WalLog(this.#wal, group, (staged) => this.#staged.push(staged));
    this.#logs.set(group, log);
    return log;
  }

  /** Every log begins its term: nothing is written before. Each has its own empty entry durable when the next {@link flush} has ended. */
  lead(): void {
    for (const log of this.#logs.values()) log.lead();
  }

  /** Whether something waits to be written, and no write is under way. */
  get ready(): boolean {
    return !this.#wal.busy && (this.#staged.length > 0 || this.#wal.stagedRecords > 0);
  }

  get busy(): boolean {
    return this.#wal.busy;
  }

  /** Writes and syncs what is staged; the logs tell their listeners when it is durable: before this returns if the disk is fast. */
  flush(): void {
    assert(!this.#wal.busy, "a flush is under way");
    this.#flushing = this.#staged;
    this.#staged = [];
    for (const log of this.#flushing) log.flushBegins();
    this.#wal.flush(() => {
      const confirmed = this.#flushing;
      this.#flushing = [];
      for (const log of confirmed) log.confirm();
      this.#onFlushed();
    });
  }

  /** The WAL cannot go on: what is under way may or may not be durable. */
  fail(error: Error): void {
    for (const log of this.#logs.values()) log.fail(error);
  }
}

export class WalLog implements SharedLog {
  readonly #wal: Wal;
  readonly #group: number;
  readonly #stage: (log: WalLog) => void;
  /** Of the entries from `#termStart` on; before {@link lead} the term of the log as it was found. */
  #term: number;
  #termStart = Infinity;
  #staged = false;
  #last: Position;
  #flushed: Position;
  #committed: Position;
  #read: Position = 0;
  /** Entries not yet read, contiguous, the last one at `#last`: saves reading them back from disk. */
  #recent: Entry[] = [];
  #recentRead = 0;
  /** In the order of their positions; the flush that is under way confirms the first `#flushingWaiters`. */
  #waiters: Waiter[] = [];
  #flushingWaiters = 0;
  #failure: Error | undefined;
  #listener: () => void = () => {};

  constructor(wal: Wal, group: number, stage: (log: WalLog) => void) {
    this.#wal = wal;
    this.#group = group;
    this.#stage = stage;
    const recovered = wal.group(group);
    this.#last = recovered.lastIndex;
    this.#flushed = this.#last;
    this.#committed = this.#last;
    this.#term = Math.max(recovered.hardState?.term ?? 0, recovered.lastTerm);
  }

  /** Begins a new term with an empty entry, as the winner of an election does. */
  lead(): void {
    assert(this.#termStart === Infinity, "a log begins to lead twice");
    this.#term++;
    this.#termStart = this.#last + 1;
    const state = { term: this.#term, votedFor: selfId, commit: this.#committed };
    this.#wal.stageHardState(this.#group, state);
    this.#put(emptyBatch);
  }

  append(batch: Uint8Array): Promise<Position> {
    if (this.#failure !== undefined) return Promise.reject(this.#stopped());
    if (this.#termStart === Infinity)
      return Promise.reject(new TrubaError("NOTLEADER", "the log does not lead yet"));
    try {
      this.#put(asBuffer(batch));
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(errorText(error)));
    }
    return new Promise((resolve, reject) => {
      this.#waiters.push({ position: this.#last, resolve, reject });
    });
  }

  readFrom(position: Position): void {
    this.#read = position;
    this.#recent = this.#recent.filter((entry) => entry.position > position);
    this.#recentRead = 0;
  }

  committed(maxBytes: number): readonly Entry[] {
    if (this.#read >= this.#committed) return [];
    const first = this.#recent[this.#recentRead];
    if (first === undefined || first.position > this.#read + 1) return this.#readBack(maxBytes);
    const entries: Entry[] = [];
    let bytes = 0;
    while (this.#read < this.#committed && (entries.length === 0 || bytes < maxBytes)) {
      const entry = this.#recent[this.#recentRead++];
      assert(entry !== undefined, "a confirmed entry is missing");
      assert(entry.position === this.#read + 1, "entries are read out of order");
      this.#read = entry.position;
      bytes += entry.batch.length;
      entries.push(entry);
    }
    if (this.#recentRead === this.#recent.length) {
      this.#recent = [];
      this.#recentRead = 0;
    } else if (this.#recentRead >= readMaxEntries) {
      // While a slow disk keeps the next entries waiting the list is never read to its end.
      this.#recent.splice(0, this.#recentRead);
      this.#recentRead = 0;
    }
    return entries;
  }

  async barrier(): Promise<Position> {
    if (this.#failure !== undefined) throw this.#stopped();
    return this.#committed;
  }

  trim(upTo: Position): void {
    assert(upTo <= this.#read, "a log is trimmed above what was read");
    if (this.#failure !== undefined || upTo < this.#wal.group(this.#group).firstIndex) return;
    this.#wal.stageTrim(this.#group, upTo, this.#termOf(upTo));
  }

  async resetTo(position: Position, token: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#stopped();
    this.#wal.stageReset(this.#group, position, this.#term, token);
    if (this.#termStart !== Infinity) this.#termStart = 0;
    this.#rejectAll(
      "the log was reset behind a checkpoint before it confirmed the write",
      undefined,
    );
    this.#last = position;
    this.#flushed = position;
    this.#committed = position;
    this.#read = position;
    this.#recent = [];
    this.#recentRead = 0;
    await new Promise<void>((resolve, reject) => {
      this.#waiters.push({ position, resolve: () => resolve(), reject });
      this.#markStaged();
    });
  }

  status(): LogStatus {
    return {
      role:
        this.#failure !== undefined
          ? "stopped"
          : this.#termStart === Infinity
            ? "follower"
            : "leader",
      leader: String(selfId),
      term: this.#term,
      first: this.#wal.group(this.#group).firstIndex,
      last: this.#last,
      committed: this.#committed,
      token: new Uint8Array(0),
    };
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  /** Everything staged so far is part of the flush that begins. */
  flushBegins(): void {
    this.#staged = false;
    this.#flushed = this.#last;
    this.#flushingWaiters = this.#waiters.length;
  }

  /** The flush is durable. */
  confirm(): void {
    this.#committed = this.#flushed;
    const confirmed = this.#waiters.splice(0, this.#flushingWaiters);
    this.#flushingWaiters = 0;
    for (const waiter of confirmed) waiter.resolve(waiter.position);
    this.#listener();
  }

  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#rejectAll("the log stopped before it confirmed the write", error);
    this.#listener();
  }

  #rejectAll(text: string, cause: Error | undefined): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#flushingWaiters = 0;
    for (const waiter of waiters) waiter.reject(new TrubaError("UNKNOWNOUTCOME", text, { cause }));
  }

  #stopped(): TrubaError {
    const cause = this.#failure;
    return new TrubaError("STOPPED", `the log has stopped: ${errorText(cause)}`, { cause });
  }

  /** Throws TrubaError TOOLARGE, having changed nothing. */
  #put(batch: Buffer): void {
    this.#wal.stageEntry(this.#group, this.#last + 1, this.#term, batch);
    this.#last++;
    this.#recent.push({ position: this.#last, batch });
    this.#markStaged();
  }

  #markStaged(): void {
    if (this.#staged) return;
    this.#staged = true;
    this.#stage(this);
  }

  #termOf(position: Position): number {
    if (position >= this.#termStart) return this.#term;
    return must(this.#wal.read(this.#group, position, 0)[0]).term;
  }

  #readBack(maxBytes: number): readonly Entry[] {
    const { firstIndex } = this.#wal.group(this.#group);
    if (this.#read + 1 < firstIndex) {
      throw new TrubaError(
        "DATADAMAGED",
        `entry ${this.#read + 1} of group ${this.#group} was asked for; the log begins at ${firstIndex}`,
      );
    }
    const first = this.#recent[this.#recentRead];
    const entries: Entry[] = [];
    for (const entry of this.#wal.read(this.#group, this.#read + 1, maxBytes)) {
      if (entry.index > this.#committed || entry.index === first?.position) break;
      assert(entry.index === this.#read + 1, "entries are read out of order");
      this.#read = entry.index;
      entries.push({ position: entry.index, batch: entry.body });
    }
    if (entries.length === 0) {
      throw new TrubaError(
        "DATADAMAGED",
        `entry ${this.#read + 1} of group ${this.#group} was asked for and is not in the log`,
      );
    }
    return entries;
  }
}
