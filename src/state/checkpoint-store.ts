/**
 * The checkpoints of one partition on disk: immutable runs, and the manifest that names those which count.
 *
 * One `addDelta` and one `maybeMerge` may be under way at a time, and both together: a delta that is added during a merge
 * stays behind the merged run.
 *
 * Invariants
 * 1. Every run that the manifest on disk names is on disk, whole; also while it is not known which of two manifests that is.
 * 2. A run's id is used once, whatever became of the attempt.
 * 3. After an error the store is as it was before the call.
 */
import { assert, must } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";
import { CheckpointReceiver, ExportedCheckpoint } from "./checkpoint-transfer.ts";
import type { ReceivedCheckpoint } from "./checkpoint-transfer.ts";
import { checkWholeRun } from "./checkpoint-check.ts";
import { CurrentManifest } from "./current-manifest.ts";
import { encodeManifest, sortedJson } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { incomingName, runFileName } from "./run-format.ts";
import type { RowSink, RowSource, RunInfo } from "./run-format.ts";
import { mergeRuns, planMerge } from "./run-merge.ts";
import { RunReader } from "./run-reader.ts";
import { encodeRows, RunWriter } from "./run-writer.ts";
import { lookAround, makeDirectoryDurably } from "./store-directory.ts";
import { StrayFiles } from "./stray-files.ts";
import { TimeSlice } from "./time-slice.ts";

export interface CheckpointStoreOptions {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The partition's own; made if it is not there. */
  readonly directory: string;
  readonly partition: number;
}

export class CheckpointStore {
  readonly #files: FileSystem;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #directory: string;
  readonly #partition: number;

  readonly #current: CurrentManifest;
  #nextRun: number;
  readonly #strays: StrayFiles;
  #adding: Promise<void> | undefined;
  #merging: Promise<boolean> | undefined;
  #loading: Promise<void> | undefined;
  #adopting: Promise<void> | undefined;
  #checking: Promise<void> | undefined;
  readonly #exports = new Set<ExportedCheckpoint>();
  /** Receivers that have not ended, and what those that are through have received. */
  readonly #receivers = new Map<CheckpointReceiver, ReceivedCheckpoint | undefined>();
  #closed = false;

  private constructor(
    options: CheckpointStoreOptions,
    manifest: Manifest | undefined,
    nextRun: number,
  ) {
    this.#files = options.files;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#directory = options.directory;
    this.#partition = options.partition;
    this.#nextRun = nextRun;
    this.#strays = new StrayFiles(options.files, options.logger);
    this.#current = new CurrentManifest({
      ...options,
      manifest,
      strays: this.#strays,
      nextRun: () => this.#nextRun,
    });
  }

  /**
   * Opens the partition's directory, makes it if need be, and checks that what the manifest names is there. `manifest` is
   * `undefined` before the first checkpoint. Throws TrubaError DATADAMAGED (naming the file) or DATAVERSION, having
   * changed nothing, and the operating system's errors.
   */
  static async open(
    options: CheckpointStoreOptions,
  ): Promise<{ store: CheckpointStore; manifest: Manifest | undefined }> {
    const { files, directory, partition } = options;
    makeDirectoryDurably(files, directory);
    const { manifest, nextRun, leftovers } = lookAround(files, directory, partition);
    // A process that was killed may have left a manifest in its place that the disk has not got yet; whoever opens takes it for durable, and trims the log below it.
    if (manifest !== undefined) await files.syncDirectory(directory);
    const store = new CheckpointStore(options, manifest, nextRun);
    for (const path of leftovers) store.#strays.add(path);
    return { store, manifest: manifest?.state === null ? undefined : manifest };
  }

  /** Removes what a crash has left behind. For later than {@link open}: a start that is refused changes nothing. */
  removeLeftovers(): Promise<void> {
    return this.#strays.removeAll();
  }

  /** Oldest first: the base, then deltas. */
  get runs(): readonly RunInfo[] {
    return this.#current.runs;
  }

  /** Bytes of all runs that count. */
  get runBytes(): number {
    return this.runs.reduce((bytes, run) => bytes + run.bytes, 0);
  }

  /** What stands beside the tables; `undefined` before the first checkpoint. */
  get state(): Readonly<Record<string, unknown>> | undefined {
    return this.#current.manifest?.state ?? undefined;
  }

  /**
   * Gives all rows of all runs to `sink`, oldest run first: a later row of a key stands over an earlier one. Lets the event loop run
   * between slices. Throws TrubaError DATADAMAGED naming file, block and offset; then what the sink has got is worth nothing.
   */
  load(sink: RowSink): Promise<void> {
    assert(!this.#closed, "a closed checkpoint store loads nothing");
    assert(this.#loading === undefined, "one load at a time");
    assert(this.#merging === undefined, "no load during a merge");
    assert(this.#adopting === undefined, "no load during an adoption");
    this.#loading = this.#load(sink).finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /**
   * Makes the rows and the state that belongs to them durable: writes a run if there are rows, then replaces the manifest.
   * `state` is JSON and is copied. Where this is the first run, deletions are left out: there is nothing below.
   *
   * Throws the operating system's error (ENOSPC, EIO, …); then nothing has changed for this store, and the same rows and all later ones
   * must be given again. After a crash it may turn out that the new state is on disk all the same.
   */
  addDelta(source: RowSource, state: object): Promise<void> {
    return this.#begin(source, state, false);
  }

  /** The same with all rows that live: what it writes takes the place of all other runs, which nobody reads for it. No merge may be under way. */
  addBase(source: RowSource, state: object): Promise<void> {
    assert(this.#merging === undefined, "no new base during a merge");
    return this.#begin(source, state, true);
  }

  #begin(source: RowSource, state: object, whole: boolean): Promise<void> {
    assert(!this.#closed, "a closed checkpoint store takes no rows");
    assert(this.#adding === undefined, "one delta at a time");
    assert(this.#adopting === undefined, "no delta during an adoption");
    const copied = copyOf(state);
    this.#adding = this.#add(source, copied, whole).finally(() => {
      this.#adding = undefined;
    });
    return this.#adding;
  }

  /** Reads all runs from front to back; they may be replaced meanwhile. There must be a checkpoint. Throws TrubaError DATADAMAGED naming file, block and offset. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  /**
   * Merges runs if they have become too large or too many, and says whether it did. `liveBytes` is what the rows that live take: keys, bodies
   * and `runRowHeaderBytes` each. Called after each delta, it keeps the runs below 2 × live bytes + `mergeMinBytes`, and below 3 × with
   * what it writes itself, the deltas added since it began not counted.
   *
   * `false` too while another merge, a load or an adoption is under way, and when `close` came in between. Throws TrubaError DATADAMAGED, and
   * what {@link addDelta} throws; then nothing has changed.
   */
  maybeMerge(liveBytes: number): Promise<boolean> {
    const busy = this.#merging !== undefined || this.#loading !== undefined;
    if (this.#closed || busy || this.#adopting !== undefined) return Promise.resolve(false);
    const plan = planMerge(this.runs, liveBytes);
    if (plan === undefined) return Promise.resolve(false);
    this.#merging = this.#merge(this.runs.slice(plan.from, plan.to), plan.from === 0).finally(
      () => {
        this.#merging = undefined;
      },
    );
    return this.#merging;
  }

  /**
   * The newest checkpoint, to be read by others. Its files stay until it is released, also when a merge, a later checkpoint or an adoption takes their
   * place. There must be one.
   */
  exportFiles(): Promise<ExportedCheckpoint> {
    assert(!this.#closed, "a closed checkpoint store gives nothing out");
    const manifest = must(this.#current.manifest, "a checkpoint is made before it is given out");
    assert(manifest.state !== null, "a checkpoint is made before it is given out");
    const { runs } = manifest;
    for (const run of runs) this.#strays.pin(this.#current.pathOf(run));
    const files = runs.map(({ id, bytes }) => ({ name: runFileName(id), bytes }));
    const exported = new ExportedCheckpoint(
      { files: this.#files, directory: this.#directory },
      { manifest: encodeManifest(manifest), files },
      () => {
        this.#exports.delete(exported);
        for (const run of runs) this.#strays.unpin(this.#current.pathOf(run));
        // Not what a manifest of unknown fate may name.
        if (!this.#closed && !this.#current.isInDoubt) void this.#strays.removeAll();
      },
    );
    this.#exports.add(exported);
    return Promise.resolve(exported);
  }

  /** For a checkpoint of another copy that arrives: it is kept beside this store's own until it is adopted. */
  receive(): CheckpointReceiver {
    assert(!this.#closed, "a closed checkpoint store receives nothing");
    const receiver = new CheckpointReceiver({
      files: this.#files,
      directory: this.#directory,
      partition: this.#partition,
      nextRun: () => this.#nextRun++,
      remove: (path) => this.#strays.remove(path),
      received: (checkpoint) => this.#receivers.set(receiver, checkpoint),
      ended: () => this.#receivers.delete(receiver),
    });
    this.#receivers.set(receiver, undefined);
    return receiver;
  }

  /**
   * Puts a received checkpoint in the place of this one, in one step; the runs of this one are removed after that. `fields` are put over those of its state of
   * the same names: by default the mark that the state came from elsewhere. No delta or load may be under way or begin; a merge is ended.
   *
   * Throws the operating system's error; then nothing has changed for this store, and the checkpoint has to be received again. After a crash the
   * old checkpoint or the new one is found, whole.
   */
  adopt(received: ReceivedCheckpoint, fields: object = { installed: 1 }): Promise<void> {
    assert(!this.#closed, "a closed checkpoint store adopts nothing");
    assert(this.#adopting === undefined, "one adoption at a time");
    assert(this.#adding === undefined, "no adoption during a delta");
    assert(this.#loading === undefined, "no adoption during a load");
    const receiver = [...this.#receivers].find(([, checkpoint]) => checkpoint === received)?.[0];
    must(receiver, "a checkpoint is adopted once, by the store that received it").adopted();
    const state = copyOf({ ...received.state, ...fields });
    this.#adopting = this.#adopt(received.runs, state).finally(() => {
      this.#adopting = undefined;
    });
    return this.#adopting;
  }

  /**
   * Ends a merge early, waits for a delta, a load, a check or an adoption that is under way, gives up what is received or given out, and leaves no file open. Never
   * throws.
   */
  async close(): Promise<void> {
    this.#closed = true;
    const receivers = [...this.#receivers.keys()].map((receiver) => receiver.abandon());
    await Promise.allSettled([this.#adding, this.#merging, this.#loading, this.#adopting]);
    await this.#checking?.catch(() => {});
    await Promise.allSettled(receivers);
    for (const exported of this.#exports) await exported.end();
  }

  async #load(sink: RowSink): Promise<void> {
    const slice = new TimeSlice(this.#clock);
    for (const run of this.runs) {
      const reader = new RunReader(this.#files, this.#directory, this.#partition, run);
      try {
        while (await reader.nextBlock()) {
          while (!reader.deliver(sink, slice)) await slice.rest();
          if (slice.isOver()) await slice.rest();
        }
      } finally {
        await reader.close();
      }
    }
  }

  async #add(
    source: RowSource,
    state: Readonly<Record<string, unknown>>,
    whole: boolean,
  ): Promise<void> {
    await this.#makeFirstManifest();
    const first = whole || this.runs.length === 0;
    let run: RunInfo | undefined;
    if (source.next()) {
      run = await this.#writeRun(first ? "base" : "delta", (writer, slice) =>
        encodeRows({ source, writer, slice, dropDeleted: first }),
      );
    }
    const added = run === undefined ? [] : [run];
    await this.#current.replace(added, (runs) => ({
      runs: whole ? added : [...runs, ...added],
      state,
    }));
  }

  async #check(): Promise<void> {
    const { runs } = this;
    const exported = await this.exportFiles();
    const place = { files: this.#files, directory: this.#directory, partition: this.#partition };
    try {
      for (const run of runs) if (!this.#closed) await checkWholeRun(place, run);
    } finally {
      exported.release();
    }
  }

  /** So that a directory without a manifest has never held a run, and one that has lost it is known. */
  async #makeFirstManifest(): Promise<void> {
    if (this.#current.manifest !== undefined) return;
    await this.#current.replace([], (runs) => ({ runs, state: null }));
  }

  async #adopt(runs: readonly RunInfo[], state: Readonly<Record<string, unknown>>): Promise<void> {
    const incoming = `${this.#directory}/${incomingName}`;
    try {
      // It ends by itself, and what it has replaced already is replaced here in turn.
      await this.#merging?.catch(() => {});
      await this.#makeFirstManifest();
      for (const run of runs)
        await this.#files.rename(`${incoming}/${runFileName(run.id)}`, this.#current.pathOf(run));
    } catch (error) {
      for (const run of runs) {
        await this.#strays.remove(`${incoming}/${runFileName(run.id)}`);
        await this.#strays.remove(this.#current.pathOf(run));
      }
      throw error;
    }
    await this.#current.replace(runs, () => ({ runs, state }));
  }

  async #merge(merged: readonly RunInfo[], withOldest: boolean): Promise<boolean> {
    const readers: RunReader[] = [];
    let run: RunInfo | undefined;
    try {
      for (const info of merged) {
        readers.push(new RunReader(this.#files, this.#directory, this.#partition, info));
      }
      const isCancelled = (): boolean => this.#closed || this.#adopting !== undefined;
      run = await this.#writeRun(withOldest ? "base" : "delta", async (writer, slice) =>
        mergeRuns({ readers, writer, dropDeleted: withOldest, slice, isCancelled }),
      );
    } finally {
      for (const reader of readers) await reader.close();
    }
    if (run === undefined) return false;
    const into = run;
    const ids = new Set(merged.map((info) => info.id));
    await this.#current.replace([into], (runs, state) => ({
      runs: runs.flatMap((info) => {
        if (!ids.has(info.id)) return [info];
        return info.id === merged[0]?.id ? [into] : [];
      }),
      state,
    }));
    const bytes = merged.reduce((sum, info) => sum + info.bytes, 0);
    const told = { partition: this.#partition, runs: merged.length, bytes, into: into.bytes };
    this.#logger.debug(told, "checkpoint runs merged");
    return true;
  }

  /**
   * Writes a run under a new id; durable but for its name when this resolves. `fill` says whether the run is wanted: if not, `undefined`.
   * Whatever fails, the file is removed and never written again.
   */
  async #writeRun(
    kind: RunInfo["kind"],
    fill: (writer: RunWriter, slice: TimeSlice) => Promise<boolean>,
  ): Promise<RunInfo | undefined> {
    const identity = { id: this.#nextRun++, partition: this.#partition };
    const writer = new RunWriter(this.#files, this.#directory, identity);
    let run: RunInfo | undefined;
    try {
      if (await fill(writer, new TimeSlice(this.#clock))) run = await writer.finish(kind);
      return run;
    } finally {
      if (run === undefined) {
        writer.abandon();
        await this.#strays.remove(writer.path);
      }
    }
  }
}

function copyOf(state: object): Readonly<Record<string, unknown>> {
  return JSON.parse(sortedJson(state)) as Readonly<Record<string, unknown>>;
}
