/**
 * Reads everything of one partition's checkpoints that counts and says what is wrong with it. It changes nothing, unlike opening the store, which
 * removes what a crash has left behind: so that a directory can be looked at before anybody decides what to do with it.
 */
import { TrubaError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import { limits } from "../base/limits.ts";
import { manifestName, manifestNewName, readManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { damaged, incomingName, runFileName, runIdOf } from "./run-format.ts";
import type { RunInfo } from "./run-format.ts";
import { RunReader } from "./run-reader.ts";

export interface CheckpointDamage {
  /** DATADAMAGED or DATAVERSION; names file, and block and offset where they are known. */
  readonly error: TrubaError;
  /** What is lost with it, in words. */
  readonly lost: string;
}

export interface CheckpointReport {
  /** `undefined` when there is none, or none that can be read. */
  readonly manifest: Manifest | undefined;
  /** Rows in whole runs, deletions included. */
  readonly rows: number;
  /** Bytes of the runs that were read. */
  readonly bytes: number;
  /** Files that nothing names; the next start removes them. */
  readonly leftovers: readonly string[];
  readonly damage: readonly CheckpointDamage[];
}

export interface CheckpointCheckOptions {
  readonly files: FileSystem;
  /** The partition's own. One that is not there is that of a partition without a checkpoint. */
  readonly directory: string;
  readonly partition: number;
  /** Told now and then how many more bytes of runs have been read. */
  readonly onBytes?: (bytes: number) => void;
}

/** Throws only what the file system throws. */
export async function checkCheckpoints(options: CheckpointCheckOptions): Promise<CheckpointReport> {
  const { files, directory, partition } = options;
  const names = files.existsSync(directory) ? files.listSync(directory) : [];
  const damage: CheckpointDamage[] = [];
  let manifest: Manifest | undefined;
  try {
    manifest = readManifest(files, directory, partition);
    if (manifest === undefined) checkNoRuns(directory, names);
  } catch (error) {
    const lost = "every record of the partition that is not in the log";
    damage.push({ error: mustBeKnown(error), lost });
    return { manifest: undefined, rows: 0, bytes: 0, leftovers: [], damage };
  }
  let rows = 0;
  let bytes = 0;
  for (const run of manifest?.runs ?? []) {
    try {
      await checkWholeRun(options, run);
      rows += run.rows;
      bytes += run.bytes;
    } catch (error) {
      const lost = `up to ${run.rows.toLocaleString("en-US")} rows: records, deletions and request ids`;
      damage.push({ error: mustBeKnown(error), lost });
    }
  }
  const incoming = `${directory}/${incomingName}`;
  const arrived = files.existsSync(incoming) ? files.listSync(incoming) : [];
  const leftovers = leftoversOf(manifest, names);
  leftovers.push(...arrived.map((name) => `${incomingName}/${name}`));
  return { manifest, rows, bytes, leftovers, damage };
}

/** The first manifest is durable before the first run is begun. */
function checkNoRuns(directory: string, names: readonly string[]): void {
  const run = names.find((name) => runIdOf(name) !== undefined);
  if (run === undefined) return;
  const text = `the manifest is missing, and there are run files (${run}) that only it can name`;
  throw damaged(`${directory}/${manifestName}`, text);
}

/** Reads a run from front to back. Throws TrubaError DATADAMAGED or DATAVERSION unless it is whole and the one named. */
export async function checkWholeRun(options: CheckpointCheckOptions, run: RunInfo): Promise<void> {
  const { files, directory, partition, onBytes } = options;
  const reader = new RunReader(files, directory, partition, run);
  let told = 0;
  let blocks = 0;
  try {
    while (await reader.nextBlock()) {
      while (reader.nextRow());
      blocks++;
      // Blocks are of about one size; the rest is told at the end.
      const read = Math.min(run.bytes, blocks * limits.runBlockBytes);
      onBytes?.(read - told);
      told = read;
    }
  } finally {
    onBytes?.(run.bytes - told);
    await reader.close();
  }
}

function leftoversOf(manifest: Manifest | undefined, names: readonly string[]): string[] {
  const named = new Set(manifest?.runs.map((run) => runFileName(run.id)));
  return names.filter(
    (name) => name === manifestNewName || (runIdOf(name) !== undefined && !named.has(name)),
  );
}

function mustBeKnown(error: unknown): TrubaError {
  if (error instanceof TrubaError) return error;
  throw error;
}
