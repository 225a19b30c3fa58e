/**
 * The checkpoints of one partition on disk: immutable runs, and the manifest that names those which count. Everything that makes a new
 * state durable ends in one replacement of the manifest; what a crash or an error leaves beside it is removed later.
 *
 * One `addDelta` and one `maybeMerge` may be under way at a time, and both together: a delta that is added during a merge
 * stays behind the merged run.
 *
 * Invariants
 * 1. Every run that the manifest on disk names is on disk, whole; also while it is not known which of two manifests that is.
 * 2. A run's id is used once, whatever became of the attempt.
 * 3. After an error the store is as it was before the call.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { errorText, systemErrorCode } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";
import {
  commitManifest,
  manifestName,
  manifestNewName,
  prepareManifest,
  readManifest,
  sortedJson,
} from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { damaged, runFileName, runIdOf } from "./run-format.ts";
import type { RowSink, RowSource, RunInfo } from "./run-format.ts";
import { mergeRuns, planMerge } from "./run-merge.ts";
import { checkRun, RunReader } from "./run-reader.ts";
import { encodeRows, RunWriter } from "./run-writer.ts";
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

  /** What the manifest on disk says, or will say again: see invariant 1. `undefined` before the first. */
  #manifest: Manifest | undefined;
  #nextRun: number;
  /** Run files to be removed once a manifest that does not name them is durable. */
  readonly #strays = new Set<string>();
  /** Settles when the replacement of the manifest that was begun last is over. */
  #replaced: Promise<void> = Promise.resolve();
  #adding: Promise<void> | undefined;
  #merging: Promise<boolean> | undefined;
  #loading: Promise<void> | undefined;
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
    this.#manifest = manifest;
    this.#nextRun = nextRun;
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
    const names = files.listSync(directory);
    const manifest = readManifest(files, directory, partition);
    const named = new Set(manifest?.runs.map((run) => runFileName(run.id)));
    let nextRun = manifest?.nextRun ?? 1;
    const leftovers: string[] = [];
    for (const name of names) {
      const id = runIdOf(name);
      if (id === undefined || named.has(name)) continue;
      if (manifest === undefined) {
        // The first manifest is durable before the first run is begun.
        const text = `the manifest is missing, and there are run files (${name}) that only it can name`;
        throw damaged(`${directory}/${manifestName}`, text);
      }
      nextRun = Math.max(nextRun, id + 1);
      leftovers.push(`${directory}/${name}`);
    }
    for (const run of manifest?.runs ?? []) {
      checkRun(files, directory, partition, run);
    }
    if (names.includes(manifestNewName)) leftovers.push(`${directory}/${manifestNewName}`);
    const store = new CheckpointStore(options, manifest, nextRun);
    for (const path of leftovers) store.#strays.add(path);
    return { store, manifest: manifest?.state === null ? undefined : manifest };
  }

  /** Removes what a crash has left behind. For later than {@link open}: a start that is refused changes nothing. */
  removeLeftovers(): Promise<void> {
    return this.#removeStrays();
  }

  /** Oldest first: the base, then deltas. */
  get runs(): readonly RunInfo[] {
    return this.#manifest?.runs ?? [];
  }

  /** Bytes of all runs that count. */
  get runBytes(): number {
    return this.runs.reduce((bytes, run) => bytes + run.bytes, 0);
  }

  /** What stands beside the tables; `undefined` before the first checkpoint. */
  get state(): Readonly<Record<string, unknown>> | undefined {
    return this.#manifest?.state ?? undefined;
  }

  /**
   * Gives all rows of all runs to `sink`, oldest run first: a later row of a key stands over an earlier one. Lets the event loop run
   * between slices. Throws TrubaError DATADAMAGED naming file, block and offset; then what the sink has got is worth nothing.
   */
  load(sink: RowSink): Promise<void> {
    assert(!this.#closed, "a closed checkpoint store loads nothing");
    assert(this.#loading === undefined, "one load at a time");
    assert(this.#merging === undefined, "no load during a merge");
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
    assert(!this.#closed, "a closed checkpoint store takes no delta");
    assert(this.#adding === undefined, "one delta at a time");
    const copied = copyOf(state);
    this.#adding = this.#addDelta(source, copied).finally(() => {
      this.#adding = undefined;
    });
    return this.#adding;
  }

  /**
   * Merges runs if they have become too large or too many, and says whether it did. `liveBytes` is what the rows that live take: keys, bodies
   * and `runRowHeaderBytes` each. Called after each delta, it keeps the runs below 2 × live bytes + `mergeMinBytes`, and below 3 × with
   * what it writes itself, the deltas added since it began not counted.
   *
   * `false` too while another merge or a load is under way, and when `close` came in between. Throws TrubaError DATADAMAGED, and
   * what {@link addDelta} throws; then nothing has changed.
   */
  maybeMerge(liveBytes: number): Promise<boolean> {
    if (this.#closed || this.#merging !== undefined || this.#loading !== undefined) {
      return Promise.resolve(false);
    }
    const plan = planMerge(this.runs, liveBytes);
    if (plan === undefined) return Promise.resolve(false);
    this.#merging = this.#merge(this.runs.slice(plan.from, plan.to), plan.from === 0).finally(
      () => {
        this.#merging = undefined;
      },
    );
    return this.#merging;
  }

  /** Ends a merge early, waits for a delta or a load that is under way, and leaves no file open. Never throws. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([this.#adding, this.#merging, this.#loading]);
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

  async #addDelta(source: RowSource, state: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#makeFirstManifest();
    const first = this.runs.length === 0;
    let run: RunInfo | undefined;
    if (source.next()) {
      run = await this.#writeRun(first ? "base" : "delta", (writer, slice) =>
        encodeRows({ source, writer, slice, dropDeleted: first }),
      );
    }
    await this.#replace(run, (runs) => ({
      runs: run === undefined ? runs : [...runs, run],
      state,
    }));
  }

  /** So that a directory without a manifest has never held a run, and one that has lost it is known. */
  async #makeFirstManifest(): Promise<void> {
    if (this.#manifest !== undefined) return;
    await this.#replace(undefined, (runs) => ({ runs, state: null }));
  }

  async #merge(merged: readonly RunInfo[], withOldest: boolean): Promise<boolean> {
    const readers: RunReader[] = [];
    let run: RunInfo | undefined;
    try {
      for (const info of merged) {
        readers.push(new RunReader(this.#files, this.#directory, this.#partition, info));
      }
      const isCancelled = (): boolean => this.#closed;
      run = await this.#writeRun(withOldest ? "base" : "delta", async (writer, slice) =>
        mergeRuns({ readers, writer, dropDeleted: withOldest, slice, isCancelled }),
      );
    } finally {
      for (const reader of readers) await reader.close();
    }
    if (run === undefined) return false;
    const into = run;
    const ids = new Set(merged.map((info) => info.id));
    await this.#replace(into, (runs, state) => ({
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
        await this.#remove(writer.path);
      }
    }
  }

  /** Replaces the manifest by what `change` makes of it, one replacement after another, then removes the files that are no longer named. */
  #replace(
    added: RunInfo | undefined,
    change: (
      runs: readonly RunInfo[],
      state: Manifest["state"],
    ) => Pick<Manifest, "runs" | "state">,
  ): Promise<void> {
    const replacement = this.#replaced.then(async () => {
      const before = this.runs;
      const changed = change(before, this.#manifest?.state ?? null);
      await this.#putManifest(added, changed);
      const kept = new Set(changed.runs.map((run) => run.id));
      for (const run of before) if (!kept.has(run.id)) this.#strays.add(this.#pathOf(run));
      await this.#removeStrays();
    });
    this.#replaced = replacement.catch(() => {});
    return replacement;
  }

  async #putManifest(
    added: RunInfo | undefined,
    changed: Pick<Manifest, "runs" | "state">,
  ): Promise<void> {
    const manifest = { partition: this.#partition, nextRun: this.#nextRun, ...changed };
    try {
      await prepareManifest(this.#files, this.#directory, manifest);
    } catch (error) {
      if (added !== undefined) await this.#remove(this.#pathOf(added));
      throw error;
    }
    try {
      await commitManifest(this.#files, this.#directory);
    } catch (error) {
      // The new manifest may be the one on disk: what it names stays until another one is surely there.
      if (added !== undefined) this.#strays.add(this.#pathOf(added));
      throw error;
    }
    this.#manifest = manifest;
  }

  async #removeStrays(): Promise<void> {
    const paths = Array.from(this.#strays);
    this.#strays.clear();
    for (const path of paths) await this.#remove(path);
  }

  /** Removes a file that nothing names. What cannot be removed now is tried again after the next manifest, and at the next start. */
  async #remove(path: string): Promise<void> {
    try {
      await this.#files.unlink(path);
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return;
      this.#strays.add(path);
      this.#logger.warn({ path, error: errorText(error) }, "a run file could not be removed");
    }
  }

  #pathOf(run: RunInfo): string {
    return `${this.#directory}/${runFileName(run.id)}`;
  }
}

function copyOf(state: object): Readonly<Record<string, unknown>> {
  return JSON.parse(sortedJson(state)) as Readonly<Record<string, unknown>>;
}

/** Makes the directory and those above it that are missing, each with its name durable. */
function makeDirectoryDurably(files: FileSystem, directory: string): void {
  if (files.existsSync(directory)) return;
  const slash = directory.lastIndexOf("/");
  const parent = slash < 0 ? "." : directory.slice(0, slash);
  if (slash > 0) makeDirectoryDurably(files, parent);
  files.makeDirectorySync(directory);
  files.syncDirectorySync(slash === 0 ? "/" : parent);
}
