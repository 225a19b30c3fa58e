/** A partition's directory as a start finds it: the manifest, what it names, and what a crash has left beside that. */
import type { FileSystem } from "../base/file-system.ts";
import { manifestName, manifestNewName, readManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { damaged, incomingName, runFileName, runIdOf } from "./run-format.ts";
import { checkRun } from "./run-reader.ts";

export interface FoundCheckpoint {
  /** `undefined` before the first. */
  readonly manifest: Manifest | undefined;
  /** No run that is or was there has this id or a larger one. */
  readonly nextRun: number;
  /** Paths of files that nothing names. */
  readonly leftovers: readonly string[];
}

/** Changes nothing. Throws TrubaError DATADAMAGED (naming the file) or DATAVERSION, and the operating system's errors. */
export function lookAround(
  files: FileSystem,
  directory: string,
  partition: number,
): FoundCheckpoint {
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
  const incoming = `${directory}/${incomingName}`;
  for (const name of names.includes(incomingName) ? files.listSync(incoming) : []) {
    nextRun = Math.max(nextRun, (runIdOf(name) ?? 0) + 1);
    leftovers.push(`${incoming}/${name}`);
  }
  for (const run of manifest?.runs ?? []) checkRun(files, directory, partition, run);
  if (names.includes(manifestNewName)) leftovers.push(`${directory}/${manifestNewName}`);
  return { manifest, nextRun, leftovers };
}

/** Makes the directory and those above it that are missing, each with its name durable. */
export function makeDirectoryDurably(files: FileSystem, directory: string): void {
  if (files.existsSync(directory)) return;
  const slash = directory.lastIndexOf("/");
  const parent = slash < 0 ? "." : directory.slice(0, slash);
  if (slash > 0) makeDirectoryDurably(files, parent);
  files.makeDirectorySync(directory);
  files.syncDirectorySync(slash === 0 ? "/" : parent);
}
