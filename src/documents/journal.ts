/**
 * The journal of all documents of a node: one group of the node's write-ahead log, one entry for each batch that was gathered while the disk was busy.
 *
 *     gather    records are written into the batch being built, and told the index of the entry that it becomes
 *     seal      the batch is staged; the node's turn makes it durable together with what its partitions have staged
 *     confirm   who waits for an index is told
 *
 * What a document has put into its own files (checkpoints) is trimmed here. What belongs to the node as a whole (its name as an author, the ceiling of its clock, the nodes that it knows)
 * is said again in a new batch before the one that said it is trimmed.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { Wal } from "../wal/wal.ts";
import { batchHeaderBytes, decodeBatch, JournalBatch } from "./journal-batch.ts";
import type { JournalRecord, KeptTransaction } from "./journal-batch.ts";
import type { Source, Stamp } from "./vocabulary.ts";

/** The group of the write-ahead log that all documents share. */
export const documentsGroup = 0xffff_ff00;
/** There are no leaders, so there is one term. */
const term = 1;
/** How much of the log is read at once. */
const readBytes = 1_048_576;

interface Waiter {
  readonly index: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Journal {
  readonly #wal: Wal;
  readonly #clock: Clock;
  readonly #entryMaxBytes: number;
  readonly #wake: () => void;
  /** Full ones first; the last is being built. */
  readonly #batches: JournalBatch[] = [new JournalBatch()];
  readonly #free: JournalBatch[] = [];
  #staged: number;
  /** By index, none less than the one before it. */
  #waiters: Waiter[] = [];
  #waitersFrom = 0;
  #failed: Error | undefined;
  /** Bytes gathered or staged that are not durable. */
  #openBytes = 0;
  readonly #stagedBytes: { readonly index: number; readonly bytes: number }[] = [];

  constructor(parts: { wal: Wal; clock: Clock; entryMaxBytes: number; wake: () => void }) {
    this.#wal = parts.wal;
    this.#clock = parts.clock;
    this.#entryMaxBytes = parts.entryMaxBytes;
    this.#wake = parts.wake;
    this.#staged = parts.wal.group(documentsGroup).lastIndex;
  }

  /** Why nothing of the group can be read; `undefined`: it is whole. */
  static damageOf(wal: Wal): string | undefined {
    wal.group(documentsGroup);
    return wal.damaged.get(documentsGroup);
  }

  /** Begins a damaged group anew, behind `index`, which no file of a document knows. It is durable with the next flush. */
  static beginAnew(wal: Wal, index: number): void {
    wal.stageRemoved(documentsGroup, term, 0);
    wal.stageReset(documentsGroup, index, term, Buffer.alloc(0));
  }

  /** What the log holds, in order, batch by batch. Throws TrubaError DATADAMAGED or DATAVERSION. */
  *recovered(): Generator<{ readonly index: number; readonly records: readonly JournalRecord[] }> {
    const group = this.#wal.group(documentsGroup);
    let index = group.firstIndex;
    while (index <= group.lastIndex) {
      for (const entry of this.#wal.read(documentsGroup, index, readBytes)) {
        const where = `entry ${entry.index} of the documents' journal`;
        yield { index: entry.index, records: decodeBatch(entry.body, where) };
        index = entry.index + 1;
      }
    }
  }

  /** The group goes on behind `index`: after {@link beginAnew}. */
  continueAt(index: number): void {
    assert(index >= this.#staged, "the journal never goes back");
    this.#staged = index;
  }

  /** Up to here all is durable. */
  get durable(): number {
    return this.#wal.group(documentsGroup).lastIndex;
  }

  /** The index of the entry that takes what is gathered now. */
  get next(): number {
    return this.#staged + this.#batches.length;
  }

  /** There is something that {@link seal} would stage. */
  get gathered(): boolean {
    return this.#batches.length > 1 || this.#current.records > 0;
  }

  /** Everything that was ever gathered is durable. */
  get idle(): boolean {
    return !this.gathered && this.durable >= this.#staged;
  }

  /** Bytes that are not durable yet. */
  get openBytes(): number {
    return this.#openBytes + this.#batches.reduce((sum, batch) => sum + batch.length, 0);
  }

  /** Whether a transaction of this payload fits into one entry. */
  fits(payload: string, source: Source): boolean {
    return batchHeaderBytes + JournalBatch.bytesOf(payload, source) <= this.#entryMaxBytes;
  }

  /** Each of these answers the index of its entry. */
  transaction(document: string, transaction: Omit<KeptTransaction, "arrivedMs">): number {
    this.#room(JournalBatch.bytesOf(transaction.payload, transaction.source));
    this.#current.transaction(document, transaction);
    return this.next;
  }

  ceiling(clock: Stamp): number {
    this.#room(64);
    this.#current.ceiling(clock);
    return this.next;
  }

  node(source: Source): number {
    this.#room(1_024);
    this.#current.node(source);
    return this.next;
  }

  author(document: string, source: Source): number {
    this.#room(1_024);
    this.#current.author(document, source);
    return this.next;
  }

  known(sources: readonly Source[]): number {
    this.#room(JournalBatch.bytesOfKnown(sources));
    this.#current.known(sources);
    return this.next;
  }

  /** Stages what is gathered. */
  seal(): void {
    const wallMs = this.#clock.wallMs();
    for (const batch of this.#batches) {
      if (batch.records === 0) continue;
      this.#staged++;
      const body = batch.seal(wallMs);
      this.#wal.stageEntry(documentsGroup, this.#staged, term, body);
      this.#stagedBytes.push({ index: this.#staged, bytes: body.length });
      this.#openBytes += body.length;
      batch.clear();
    }
    while (this.#batches.length > 1) {
      const batch = this.#batches.pop();
      if (batch !== undefined && this.#free.length < 2) this.#free.push(batch);
    }
  }

  /** Tells who waits for what has become durable. */
  confirm(): void {
    const { durable } = this;
    while ((this.#stagedBytes[0]?.index ?? Infinity) <= durable)
      this.#openBytes -= this.#stagedBytes.shift()?.bytes ?? 0;
    const waiters = this.#waiters;
    while (this.#waitersFrom < waiters.length) {
      const waiter = waiters[this.#waitersFrom];
      if (waiter === undefined || waiter.index > durable) break;
      this.#waitersFrom++;
      waiter.resolve();
    }
    if (this.#waitersFrom === waiters.length) {
      this.#waiters = [];
      this.#waitersFrom = 0;
    }
  }

  /** Resolves when the entry of this index is durable. Rejects with what {@link fail} was told. */
  whenDurable(index: number): Promise<void> {
    if (index <= this.durable) return Promise.resolve();
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    assert(index <= this.next, "nothing waits for what nobody has gathered");
    return new Promise((resolve, reject) => {
      this.#insert({ index, resolve, reject });
    });
  }

  get failed(): boolean {
    return this.#failed !== undefined;
  }

  /** Nobody is told any more what becomes durable. */
  fail(error: Error): void {
    if (this.#failed !== undefined) return;
    this.confirm();
    this.#failed = error;
    const waiters = this.#waiters.slice(this.#waitersFrom);
    this.#waiters = [];
    this.#waitersFrom = 0;
    for (const { reject } of waiters) reject(error);
  }

  /** Entries up to `index`, durable ones, are no longer needed. The next turn writes that down. */
  trim(index: number): void {
    assert(index <= this.durable, "only what is durable is trimmed");
    if (index <= this.#wal.group(documentsGroup).trimmedTo.index) return;
    this.#wal.stageTrim(documentsGroup, index, term);
    this.#wake();
  }

  get #current(): JournalBatch {
    const batch = this.#batches.at(-1);
    assert(batch !== undefined, "there is always a batch being built");
    return batch;
  }

  /** Begins another batch if the current one has no room for so many bytes. */
  #room(bytes: number): void {
    const current = this.#current;
    const most = Math.min(this.#entryMaxBytes, limits.batchMaxBytes);
    if (current.records > 0 && current.length + bytes > most)
      this.#batches.push(this.#free.pop() ?? new JournalBatch());
    this.#wake();
  }

  /** Waits are for the newest entries, mostly, so the place is near the end. */
  #insert(waiter: Waiter): void {
    let at = this.#waiters.length;
    while (at > this.#waitersFrom && (this.#waiters[at - 1]?.index ?? 0) > waiter.index) at--;
    this.#waiters.splice(at, 0, waiter);
  }
}
