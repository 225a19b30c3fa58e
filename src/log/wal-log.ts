/**
 * A log of one voter over the node's WAL: the leader at once, confirmed by its own disk. Every start is a new term with an empty entry of its own,
 * as an election of one would make it. {@link WalLogs} is the node's side: all its logs share each write and each sync.
 */
import { assert } from "../base/assert.ts";
import { asBuffer } from "../base/bytes.ts";
import { TrubaError } from "../base/errors.ts";
import type { Wal } from "../wal/wal.ts";
import type { Entry, LogStatus, Position, SharedLog } from "./shared-log.ts";

const selfId = 1;
const emptyBatch = Buffer.alloc(0);

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

  constructor(wal: Wal) {
    this.#wal = wal;
  }

  /** The log of a group. It leads when the next {@link flush} has ended. */
  open(group: number): WalLog {
    assert(!this.#logs.has(group), "a log is opened twice");
    const log = new WalLog(this.#wal, group, (staged) => this.#staged.push(staged));
    this.#logs.set(group, log);
    return log;
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
  readonly #term: number;
  #staged = false;
  #last: Position;
  #flushed: Position;
  #committed: Position;
  #read: Position = 0;
  /** Entries not yet read, contiguous, the last one at `#last`: saves reading them back from disk. */
  #recent: Entry[] = [];
  #recentRead = 0;
  #waiters: Waiter[] = [];
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
    this.#term = Math.max(recovered.hardState?.term ?? 0, recovered.lastTerm) + 1;
    wal.stageHardState(group, { term: this.#term, votedFor: selfId, commit: this.#committed });
    this.#put(emptyBatch);
  }

  append(batch: Uint8Array): Promise<Position> {
    if (this.#failure !== undefined)
      return Promise.reject(new TrubaError("STOPPED", this.#failure.message));
    this.#put(asBuffer(batch));
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
    }
    return entries;
  }

  async barrier(): Promise<Position> {
    return this.#committed;
  }

  trim(upTo: Position): void {
    assert(upTo <= this.#read, "a log is trimmed above what was read");
    this.#wal.stageTrim(this.#group, upTo, this.#term);
  }

  resetTo(position: Position, token: Uint8Array): Promise<void> {
    this.#wal.stageReset(this.#group, position, this.#term, token);
    this.#rejectAll(
      "the log was reset behind a checkpoint before it confirmed the write",
      undefined,
    );
    this.#last = position;
    this.#committed = position;
    this.#read = position;
    this.#recent = [];
    this.#recentRead = 0;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ position, resolve: () => resolve(), reject });
      this.#markStaged();
    });
  }

  status(): LogStatus {
    return {
      role: this.#failure === undefined ? "leader" : "stopped",
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
  }

  /** The flush is durable. */
  confirm(): void {
    this.#committed = this.#flushed;
    let confirmed = 0;
    for (const waiter of this.#waiters) {
      if (waiter.position > this.#committed) break;
      waiter.resolve(waiter.position);
      confirmed++;
    }
    this.#waiters.splice(0, confirmed);
    this.#listener();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#rejectAll("the log stopped before it confirmed the write", error);
    this.#listener();
  }

  #rejectAll(text: string, cause: Error | undefined): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(new TrubaError("UNKNOWNOUTCOME", text, { cause }));
  }

  #put(batch: Buffer): void {
    this.#last++;
    this.#wal.stageEntry(this.#group, this.#last, this.#term, batch);
    this.#recent.push({ position: this.#last, batch });
    this.#markStaged();
  }

  #markStaged(): void {
    if (this.#staged) return;
    this.#staged = true;
    this.#stage(this);
  }

  #readBack(maxBytes: number): readonly Entry[] {
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
