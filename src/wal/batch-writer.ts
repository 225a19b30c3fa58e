/**
 * Writes batches one after the other, each with one write and one sync, and goes on in a new segment when the old one is full.
 *
 * Two ways: on a fast disk the calls are made synchronously, which saves the hop to the thread pool and back; on a slow one they go through
 * the pool, so that the event loop stays responsive. Which one follows from an exponential average of what the calls take.
 *
 * Order: nothing of a batch is written before the batch before it is synced. A new segment has its header and its name on disk
 * before the link batch that names it, and its first batch states all metadata again before anything else.
 */
import { assert, must } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { errorText } from "../base/errors.ts";
import type { FileHandle, FileSystem } from "../base/file-system.ts";
import { Histogram } from "../base/histogram.ts";
import { limits } from "../base/limits.ts";
import { BatchBuffer } from "./batch-buffer.ts";
import type { BatchPlace } from "./batch-buffer.ts";
import {
  encodeSegmentHeader,
  kinds,
  linkBatchBytes,
  saltOf,
  segmentHeaderBytes,
} from "./format.ts";
import { pathOf, segmentFile } from "./segment.ts";
import type { SegmentPool } from "./segment-pool.ts";

export interface BatchWriterOptions {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly pool: SegmentPool;
  readonly directory: string;
  readonly segmentBytes: number;
  readonly nodeId: number;
  /** Stages the metadata of all groups. */
  readonly restate: (batch: BatchBuffer) => void;
  readonly onDurable: (batch: BatchBuffer, place: BatchPlace) => void;
  /** The log goes on in this segment. */
  readonly onRotated: (id: number, path: string) => void;
  readonly onFailure: (error: Error) => void;
}

export interface WriterStatistics {
  readonly mode: "sync" | "pool";
  readonly batches: number;
  readonly bytes: number;
  /** Average of what a write and its sync take, in milliseconds; the newest count most. */
  readonly syncAverageMs: number;
  readonly syncMaxMs: number;
  /** Of each write and its sync, in seconds. */
  readonly syncDurations: Histogram;
}

interface Write {
  readonly handle: FileHandle;
  readonly bytes: Buffer;
  readonly position: number;
}

/** Seconds. */
const syncBounds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];

/** Part of the newest measurement in the average. */
const averageWeight = 1 / 8;

export class BatchWriter {
  readonly #options: BatchWriterOptions;
  readonly #salt: number;
  /** Link batches and restatements. */
  readonly #own = new BatchBuffer(4_096);
  #segment = 0;
  #length = 0;
  #handle: FileHandle | undefined;
  /** The segment before, while its last batch is written. */
  #retiring: FileHandle | undefined;
  #position = 0;
  #sequence = 0;
  #busy = false;
  #stopped = false;
  #mode: "sync" | "pool" = "sync";
  #batches = 0;
  #bytes = 0;
  #averageMs = 0;
  #maxMs = 0;
  /** What each write and its sync took, in seconds. */
  readonly #syncDurations = new Histogram(syncBounds);

  constructor(options: BatchWriterOptions) {
    this.#options = options;
    this.#salt = saltOf(options.nodeId);
  }

  /** A write has begun and its callback has not been called. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Segment that is written. */
  get segment(): number {
    return this.#segment;
  }

  /** Where the next batch goes, if it fits. */
  get position(): number {
    return this.#position;
  }

  get statistics(): WriterStatistics {
    return {
      mode: this.#mode,
      batches: this.#batches,
      bytes: this.#bytes,
      syncAverageMs: this.#averageMs,
      syncMaxMs: this.#maxMs,
      syncDurations: this.#syncDurations,
    };
  }

  /** Goes on in a recovered segment. A segment without a batch gets its first one now. */
  resume(at: { segment: number; length: number; position: number; sequence: number }): void {
    this.#segment = at.segment;
    this.#length = at.length;
    this.#position = at.position;
    this.#sequence = at.sequence;
    const path = pathOf(this.#options.directory, segmentFile(at.segment));
    this.#handle = this.#options.files.openSync(path, "write");
    if (at.position > segmentHeaderBytes) return;
    const write = this.#restatement();
    write.handle.writeSync(write.bytes, write.position);
    write.handle.syncDataSync();
    this.#advance(write.bytes.length);
  }

  /** Makes a spare the next segment without a link to it: the first one in an empty directory, or one behind a lost end, after batch `sequence`. */
  begin(spare: string, segment: number, sequence: number): void {
    this.#sequence = sequence;
    for (const write of this.#open(spare, segment)) {
      write.handle.writeSync(write.bytes, write.position);
      write.handle.syncDataSync();
    }
    // As if there had been a link.
    if (segment > 1) this.#sequence += 1;
    const write = this.#restatement();
    write.handle.writeSync(write.bytes, write.position);
    write.handle.syncDataSync();
    this.#advance(write.bytes.length);
  }

  /** Writes the batches in order; `done` runs when all of them are durable, before this returns in the synchronous way. */
  write(batches: readonly BatchBuffer[], done: () => void): void {
    assert(!this.#busy, "a write is under way");
    this.#busy = true;
    let written = 0;
    try {
      while (this.#mode === "sync" && written < batches.length) {
        const batch = must(batches[written]);
        if (!this.#fits(batch)) {
          if (this.#options.pool.spares === 0) break;
          for (const write of this.#rotation()) this.#persistSync(write);
        }
        this.#persistSync(this.#placed(batch));
        this.#durable(batch);
        written += 1;
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (written < batches.length) {
      void this.#writePooled(batches, written, done);
      return;
    }
    this.#busy = false;
    done();
  }

  /** No write may be under way, but for one that failed. */
  close(): void {
    this.#stopped = true;
    this.#retiring?.closeSync();
    this.#handle?.closeSync();
    this.#handle = undefined;
  }

  async #writePooled(
    batches: readonly BatchBuffer[],
    written: number,
    done: () => void,
  ): Promise<void> {
    try {
      for (let i = written; i < batches.length; i++) {
        const batch = must(batches[i]);
        if (!this.#fits(batch)) {
          await this.#options.pool.ready();
          for (const write of this.#rotation()) await this.#persist(write);
        }
        await this.#persist(this.#placed(batch));
        this.#durable(batch);
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#busy = false;
    done();
  }

  #fits(batch: BatchBuffer): boolean {
    return this.#position + batch.encodedBytes + linkBatchBytes <= this.#length;
  }

  /** The steps from this segment to the next. Each write is synced before the next step is taken. */
  *#rotation(): Generator<Write, void> {
    const spare = must(this.#options.pool.take());
    const old = must(this.#handle);
    this.#retiring = old;
    const oldPosition = this.#position;
    const oldSegment = this.#segment;
    yield* this.#open(spare, oldSegment + 1);
    this.#own.clear();
    this.#own.stage(kinds.link, undefined, this.#segment, 0);
    this.#sequence += 1;
    const link = { segment: oldSegment, offset: oldPosition };
    const bytes = this.#own.finish({ ...link, sequence: this.#sequence, salt: this.#salt });
    yield { handle: old, bytes, position: oldPosition };
    old.closeSync();
    this.#retiring = undefined;
    const write = this.#restatement();
    yield write;
    this.#advance(write.bytes.length);
    const path = pathOf(this.#options.directory, segmentFile(this.#segment));
    this.#options.onRotated(this.#segment, path);
  }

  /** Makes a spare the segment of this id: header, name, both synced. */
  *#open(spare: string, id: number): Generator<Write, void> {
    const { files, directory, segmentBytes, nodeId } = this.#options;
    const path = pathOf(directory, segmentFile(id));
    const handle = files.openSync(spare, "write");
    this.#handle = handle;
    this.#segment = id;
    this.#length = segmentBytes;
    this.#position = segmentHeaderBytes;
    const header = { length: segmentBytes, id, sequence: this.#sequence, nodeId };
    yield { handle, bytes: encodeSegmentHeader(header), position: 0 };
    files.renameSync(spare, path);
    files.syncDirectorySync(directory);
  }

  /** The first batch of a segment. */
  #restatement(): Write {
    this.#own.clear();
    this.#options.restate(this.#own);
    const fits = this.#fits(this.#own);
    assert(fits, `the metadata of all groups does not fit a segment of ${this.#length} bytes`);
    return this.#placed(this.#own);
  }

  #placed(batch: BatchBuffer): Write {
    assert(this.#fits(batch), `a batch does not fit a segment of ${this.#length} bytes`);
    const bytes = batch.finish(this.#place());
    return { handle: must(this.#handle), bytes, position: this.#position };
  }

  /** Where the next batch goes. */
  #place(): BatchPlace {
    return {
      segment: this.#segment,
      offset: this.#position,
      sequence: this.#sequence + 1,
      salt: this.#salt,
    };
  }

  #durable(batch: BatchBuffer): void {
    const place = this.#place();
    const bytes = batch.encodedBytes;
    this.#advance(bytes);
    this.#batches += 1;
    this.#bytes += bytes;
    this.#options.onDurable(batch, place);
  }

  #advance(bytes: number): void {
    this.#position += bytes;
    this.#sequence += 1;
  }

  #persistSync(write: Write): void {
    const start = this.#options.clock.monotonicMs();
    write.handle.writeSync(write.bytes, write.position);
    write.handle.syncDataSync();
    this.#measured(this.#options.clock.monotonicMs() - start);
  }

  async #persist(write: Write): Promise<void> {
    const start = this.#options.clock.monotonicMs();
    await write.handle.write(write.bytes, write.position);
    await write.handle.syncData();
    this.#measured(this.#options.clock.monotonicMs() - start);
  }

  #measured(ms: number): void {
    this.#syncDurations.observe(ms / 1_000);
    this.#averageMs += (ms - this.#averageMs) * averageWeight;
    this.#maxMs = Math.max(this.#maxMs, ms);
    if (this.#mode === "sync" && this.#averageMs > limits.walSyncSlowMs) this.#mode = "pool";
    else if (this.#mode === "pool" && this.#averageMs < limits.walSyncFastMs) this.#mode = "sync";
  }

  /** What was written may or may not be durable, and no retry could tell: nothing is written any more. */
  #fail(error: unknown): void {
    this.#busy = false;
    if (this.#stopped) return;
    this.#stopped = true;
    this.#options.onFailure(error instanceof Error ? error : new Error(errorText(error)));
  }
}
