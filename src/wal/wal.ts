/**
 * The write-ahead log of a node: one for all its groups, so that one write and one sync make durable what all of them have staged.
 *
 * Staging copies a record into the batch being built; `flush` makes everything staged durable; a {@link WalGroup} and `read` show only
 * what is durable. Any error of a write or a sync is final: whether the bytes are on disk cannot be known by asking again, so nothing is
 * acknowledged any more and the process must end. See docs/wal-format.md for the bytes and for what recovery decides.
 */
import { dirname } from "node:path";
import { assert, must } from "../base/assert.ts";
import { systemErrorCode, TrubaError } from "../base/errors.ts";
import { BatchBuffer } from "./batch-buffer.ts";
import type { BatchPlace } from "./batch-buffer.ts";
import { BatchWriter } from "./batch-writer.ts";
import { EntryReader } from "./entry-reader.ts";
import type { WalEntry } from "./entry-reader.ts";
import { encodeVote, kinds, saltOf, sealPadBytes, segmentHeaderBytes } from "./format.ts";
import type { Kind } from "./format.ts";
import { GroupLog } from "./group.ts";
import type { HardState, WalGroup } from "./group.ts";
import { mendLog, readLog } from "./recovery.ts";
import type { RecoveredLog } from "./recovery.ts";
import { pathOf, segmentFile } from "./segment.ts";
import { SegmentList } from "./segment-list.ts";
import { SegmentPool } from "./segment-pool.ts";
import { StagedBatches } from "./staged-batches.ts";
import { seams } from "./wal-options.ts";
import type { WalOptions, WalStatistics } from "./wal-options.ts";

export type { WalEntry } from "./entry-reader.ts";
export type { WalOptions, WalStatistics } from "./wal-options.ts";
export type { HardState, WalGroup } from "./group.ts";

export class Wal {
  readonly #options: WalOptions;
  readonly #groups: Map<number, GroupLog>;
  readonly #pool: SegmentPool;
  readonly #writer: BatchWriter;
  readonly #reader: EntryReader;
  readonly #segments: SegmentList;
  /** Nothing was ever staged in this log: it is new, or might as well be. */
  readonly empty: boolean;
  /** Why a group of which the log knows nothing is damaged nevertheless. */
  readonly #lost: string | undefined;
  readonly #staged: StagedBatches;
  readonly #sealBatch = new BatchBuffer(256);
  /** The last batch has records, so nothing proves yet that it was synced. */
  #unsealed: boolean;
  #failed: Error | undefined;
  #closing: Promise<void> | undefined;
  /** Told when a write has ended, either way. */
  #onIdle: (() => void) | undefined;

  private constructor(options: WalOptions, log: RecoveredLog) {
    this.#options = options;
    this.#segments = new SegmentList(options.files);
    this.#groups = log.replay.groups;
    this.empty = log.replay.records === 0;
    this.#unsealed = log.lastBatch?.records.some(({ kind }) => kind !== kinds.pad) ?? false;
    this.#staged = new StagedBatches(options.segmentBytes);
    this.#lost = log.replay.lost;
    for (const group of this.#groups.values()) group.stageFromDurable();
    const onFailure = (error: Error) => this.#fail(error);
    this.#pool = new SegmentPool({ ...seams(options), onFailure, onSpace: options.onSpace });
    this.#writer = new BatchWriter({
      ...seams(options),
      nodeId: options.nodeId,
      pool: this.#pool,
      restate: (batch) => this.#restate(batch),
      onDurable: (batch, place) => this.#durable(batch, place),
      onRotated: (id, path) => {
        this.#segments.add({ id, path, length: options.segmentBytes, canBegin: true });
        this.#release();
      },
      onFailure,
    });
    const salt = saltOf(options.nodeId);
    this.#reader = new EntryReader((id) => this.#segments.byId(id), salt);
  }

  /**
   * Recovers the log, or starts one in an empty directory. Throws TrubaError DATADAMAGED (see `onDamage` of the options) or DATAVERSION, with
   * nothing on disk changed, and DISKFULL when there is no room for the first segment.
   */
  static async open(options: WalOptions): Promise<Wal> {
    const { files, directory, segmentBytes, nodeId, logger } = options;
    assert(Number.isSafeInteger(nodeId), "a node id is a safe integer");
    assert(segmentBytes % 8 === 0, "the size of a segment is a multiple of 8");
    assert(segmentBytes >= 4_096, "a segment has at least 4,096 bytes");
    assert(segmentBytes <= 1_073_741_824, "a segment has at most 1 GiB");
    const log = readLog(files, directory, nodeId, options.onDamage);
    for (const damage of log.damages) logger.error({ directory, damage }, "the log is damaged");
    const wal = new Wal(options, log);
    try {
      if (log.segments.length === 0) await wal.#begin();
      else await wal.#resume(log);
    } catch (error) {
      await wal.abandon();
      if (systemErrorCode(error) !== "ENOSPC") throw error;
      throw new TrubaError("DISKFULL", `no room for the log in ${directory}`, { cause: error });
    }
    logger.info(
      { directory, segments: wal.liveSegments, batch: log.sequence, ending: log.ending },
      "the write-ahead log is open",
    );
    wal.#pool.start();
    return wal;
  }

  /** The group of this id, 0 to 2^32 - 1; a new one has nothing. */
  group(id: number): WalGroup {
    return this.#group(id);
  }

  /** All groups that have records or were asked for. */
  groups(): Iterable<WalGroup> {
    return this.#groups.values();
  }

  /**
   * The groups of which acknowledged records are or may be damaged, with the reason. Of such a group only the hard state counts: the last that
   * is still known. Nothing of it can be read, and nothing staged but `stageRemoved`, after which a new copy can begin with `stageReset`; when that
   * is durable the group leaves this map, and until then every start finds it here. Where records of any group may be lost, one that the log has
   * forgotten is here, too, once `group(id)` has asked for it.
   */
  get damaged(): ReadonlyMap<number, string> {
    const damaged = new Map<number, string>();
    for (const { id, damage } of this.#groups.values())
      if (damage !== undefined) damaged.set(id, damage);
    return damaged;
  }

  /**
   * Stages an entry; the body is copied. Its index is at most one above the last; entries at or above it are hidden. Throws TrubaError
   * TOOLARGE for a body that no segment can hold. Its term is at least that of the entry before it.
   */
  stageEntry(group: number, index: number, term: number, body: Uint8Array): void {
    const owner = this.#group(group);
    assert(index <= owner.stagedLast + 1, "an entry must not leave a gap");
    assert(index > owner.stagedTrim, "an entry must be above what was trimmed");
    const follows = index === owner.stagedLast + 1;
    assert(!follows || term >= owner.stagedLastTerm, "terms never decrease along a log");
    this.#stage(kinds.entry, owner, index, term, body);
    owner.stagedLast = index;
    owner.stagedLastTerm = term;
  }

  /** Stage it before the entries of its term. */
  stageHardState(group: number, state: HardState): void {
    const vote = encodeVote(state.votedFor);
    this.#stage(kinds.hardState, this.#group(group), state.commit, state.term, vote);
  }

  /** The group starts anew behind a checkpoint: its entries are gone, its next index is `index + 1`. */
  stageReset(group: number, index: number, term: number, token: Uint8Array): void {
    const owner = this.#group(group);
    this.#stage(kinds.reset, owner, index, term, token);
    owner.stagedLast = index;
    owner.stagedLastTerm = term;
    owner.stagedTrim = index;
  }

  /** Entries up to `index` are no longer needed; at most the last one. `term` is the term of the entry at `index`. */
  stageTrim(group: number, index: number, term: number): void {
    const owner = this.#group(group);
    assert(index <= owner.stagedLast, "a trim must not be above the last entry");
    if (index <= owner.stagedTrim) return;
    this.#stage(kinds.trim, owner, index, term);
    owner.stagedTrim = index;
  }

  /** The copy leaves this node. Its last hard state is kept for ever; a new copy begins with a reset. */
  stageRemoved(group: number, term: number, votedFor: number): void {
    const owner = this.#group(group);
    owner.stagedDamage = undefined;
    this.#stage(kinds.removed, owner, 0, term, encodeVote(votedFor));
    owner.stagedLast = 0;
    owner.stagedLastTerm = 0;
    owner.stagedTrim = 0;
  }

  /** Bytes that the next flush will write. */
  get stagedBytes(): number {
    return this.#staged.bytes;
  }

  get stagedRecords(): number {
    return this.#staged.records;
  }

  /** A flush is under way in the thread pool, or waits for disk space. */
  get busy(): boolean {
    return this.#writer.busy;
  }

  /**
   * Makes all that is staged durable, in one batch, or several of at most `walBatchMaxBytes`. `done` runs when all of it is: before this
   * returns, or later, in which case `busy` is true until then. Must not be called while busy. After a failure `done` never runs.
   */
  flush(done: () => void): void {
    this.#mustRun();
    assert(!this.busy, "a flush is under way");
    if (this.stagedRecords === 0) {
      done();
      return;
    }
    this.#unsealed = true;
    this.#write(this.#staged.take(), done);
  }

  /**
   * Entries from `fromIndex` on, which is at least the group's first index: as many as `maxBytes` of bodies allow, and at least one if
   * there is one. Throws TrubaError DATADAMAGED, naming file, offset, group and index, when the disk does not give back what was written.
   */
  read(group: number, fromIndex: number, maxBytes: number): WalEntry[] {
    this.#mustRun();
    const owner = this.#group(group);
    assert(owner.damage === undefined, "nothing of a damaged group can be read");
    return this.#reader.read(owner, fromIndex, maxBytes);
  }

  /** Proves that the last batch was synced, by an empty one behind it, if that is still unproved. Nothing may be staged, and not while busy. */
  seal(done: () => void): void {
    this.#mustRun();
    assert(!this.busy, "a flush is under way");
    assert(this.stagedRecords === 0, "a log with staged records cannot be sealed");
    if (!this.#unsealed) {
      done();
      return;
    }
    this.#sealBatch.clear();
    const pad = sealPadBytes(this.#writer.position);
    if (pad !== undefined) this.#sealBatch.stage(kinds.pad, undefined, 0, 0, Buffer.alloc(pad));
    this.#write([this.#sealBatch], () => {
      this.#unsealed = false;
      done();
    });
  }

  /** The group that keeps the oldest segment alive, and how many segments there are. Undefined when only the last one is needed. */
  pinning(): { group: number; segments: number } | undefined {
    let pinning: GroupLog | undefined;
    for (const group of this.#groups.values()) {
      if (group.oldestSegment < (pinning?.oldestSegment ?? this.#writer.segment)) pinning = group;
    }
    return pinning && { group: pinning.id, segments: this.#segments.count };
  }

  /** Bytes of all segments, spares included. */
  get diskBytes(): number {
    return this.#segments.bytes + this.#pool.diskBytes;
  }

  get liveSegments(): number {
    return this.#segments.count;
  }

  get statistics(): WalStatistics {
    return {
      ...this.#writer.statistics,
      liveSegments: this.#segments.count,
      spareSegments: this.#pool.spares,
      diskBytes: this.diskBytes,
    };
  }

  /** Writes what is staged, seals, waits for background work and closes. A flush that waits for disk space is given up. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#pool.giveUp();
    await this.#idle();
    if (this.#failed === undefined) this.flush(() => {});
    await this.#idle();
    if (this.#failed === undefined && this.stagedRecords === 0) this.seal(() => {});
    await this.#idle();
    await this.abandon();
  }

  /** Closes without writing: a start that is refused changes nothing, and seals nothing. */
  async abandon(): Promise<void> {
    this.#failed ??= new Error("the log is closed");
    await this.#pool.stop();
    this.#writer.close();
    this.#segments.close();
  }

  /** Resolves when no write is under way. */
  async #idle(): Promise<void> {
    while (this.busy) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
  }

  async #begin(): Promise<void> {
    const { files, directory } = this.#options;
    files.makeDirectorySync(directory);
    // Also when it was there: an earlier start may have been killed between making and syncing it.
    files.syncDirectorySync(dirname(directory));
    // Spares without a log may be of one that was lost, with ids that are about to be used again.
    this.#pool.adopt(false);
    await this.#pool.prepare();
    this.#writer.begin(must(this.#pool.take()), 1, 0);
    const { segmentBytes } = this.#options;
    const path = pathOf(directory, segmentFile(1));
    this.#segments.add({ id: 1, path, length: segmentBytes, canBegin: true });
  }

  async #resume(log: RecoveredLog): Promise<void> {
    const { files, directory, segmentBytes } = this.#options;
    mendLog(files, directory, log);
    this.#pool.adopt(true);
    const { position, sequence, newSegment } = log;
    const last = must(log.segments.at(-1));
    for (const { id, length, canBegin } of log.segments) {
      const path = pathOf(directory, segmentFile(id));
      // One without a batch gets its first one now.
      const begun = id === last.id && newSegment === undefined && position === segmentHeaderBytes;
      this.#segments.add({ id, path, length, canBegin: canBegin || begun });
    }
    if (newSegment === undefined) {
      this.#writer.resume({ segment: last.id, length: last.length, position, sequence });
    } else {
      if (this.#pool.spares === 0) await this.#pool.prepare();
      this.#writer.begin(must(this.#pool.take()), newSegment, sequence);
      const path = pathOf(directory, segmentFile(newSegment));
      this.#segments.add({ id: newSegment, path, length: segmentBytes, canBegin: true });
    }
    this.#release();
  }

  #group(id: number): GroupLog {
    let group = this.#groups.get(id);
    if (group === undefined) {
      assert(id >>> 0 === id, "a group id is a whole number below 2^32");
      group = new GroupLog(id);
      group.damage = this.#lost;
      group.stagedDamage = this.#lost;
      this.#groups.set(id, group);
    }
    return group;
  }

  #stage(kind: Kind, group: GroupLog, index: number, term: number, body?: Uint8Array): void {
    this.#mustRun();
    assert(group.stagedDamage === undefined, "a damaged group can only be removed");
    this.#staged.stage(kind, group, index, term, body);
  }

  #write(batches: BatchBuffer[], done: () => void): void {
    this.#writer.write(batches, () => {
      const onIdle = this.#onIdle;
      this.#onIdle = undefined;
      onIdle?.();
      done();
    });
  }

  #durable(batch: BatchBuffer, place: BatchPlace): void {
    batch.applyTo(place);
    if (batch.frees) this.#release();
    if (batch !== this.#sealBatch) this.#staged.giveBack(batch);
  }

  #restate(batch: BatchBuffer): void {
    for (const group of this.#groups.values()) group.restate(batch);
  }

  /** Hands the oldest segments back whose entries nobody needs, as far as the log can begin with the next one. */
  #release(): void {
    let needed = this.#writer.segment;
    for (const group of this.#groups.values()) needed = Math.min(needed, group.oldestSegment);
    for (const { path, length } of this.#segments.release(needed)) this.#pool.recycle(path, length);
  }

  #mustRun(): void {
    if (this.#failed === undefined) return;
    throw new TrubaError("STOPPED", `the log has stopped: ${this.#failed.message}`, {
      cause: this.#failed,
    });
  }

  #fail(error: Error): void {
    const onIdle = this.#onIdle;
    this.#onIdle = undefined;
    onIdle?.();
    if (this.#failed !== undefined) return;
    this.#failed = error;
    const { directory, logger, onFailure } = this.#options;
    // A close that gives up waiting for disk space is no failure.
    if (error instanceof TrubaError && error.code === "STOPPED") return;
    logger.error({ directory, error: error.message }, "the write-ahead log has failed");
    onFailure(error);
  }
}
