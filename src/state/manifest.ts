/**
 * The manifest: which runs of a partition count, and the small state beside the tables. Drawn in docs/checkpoint-format.md.
 * It is replaced in one step, so what it says is true at every moment, also after a crash in the middle of the next.
 */
import { assert } from "../base/assert.ts";
import { checksum } from "../base/checksum.ts";
import { errorText, systemErrorCode, TrubaError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import { limits } from "../base/limits.ts";
import { damaged, runFooterBytes, runHeaderBytes } from "./run-format.ts";
import type { RunInfo } from "./run-format.ts";

export const manifestFormatVersion = 1;
export const manifestName = "manifest";
export const manifestNewName = "manifest.new";

export interface Manifest {
  readonly partition: number;
  /** No run has had this id or a larger one. */
  readonly nextRun: number;
  /** Oldest first: a base, then deltas. */
  readonly runs: readonly RunInfo[];
  /** What the owner of the tables keeps beside them; `null` before its first checkpoint. */
  readonly state: Readonly<Record<string, unknown>> | null;
}

/** The bytes of a manifest: one line of JSON, one line of checksum. */
export function encodeManifest({ partition, nextRun, runs, state }: Manifest): Buffer {
  const json = sortedJson({ format: manifestFormatVersion, partition, nextRun, runs, state });
  const line = Buffer.from(json, "utf8");
  const bytes = Buffer.concat([line, Buffer.from(`\n${checksumText(line)}\n`, "latin1")]);
  assert(bytes.length <= limits.manifestMaxBytes, "a manifest stays below its limit");
  return bytes;
}

/** Reads a manifest. Throws TrubaError DATADAMAGED when one bit differs or it is another partition's, DATAVERSION when a later version wrote it. */
export function decodeManifest(bytes: Buffer, path: string, partition: number): Manifest {
  const end = bytes.indexOf(0x0a);
  const line = bytes.subarray(0, Math.max(end, 0));
  if (end < 0 || !bytes.subarray(end).equals(Buffer.from(`\n${checksumText(line)}\n`, "latin1"))) {
    throw damaged(path, "the checksum of the manifest does not hold");
  }
  const content = parseObject(line, path);
  if (content["format"] !== manifestFormatVersion) {
    const found = JSON.stringify(content["format"]);
    const text = `${path}: manifest format ${found}; this version reads ${manifestFormatVersion}`;
    throw new TrubaError("DATAVERSION", text);
  }
  if (content["partition"] !== partition) {
    const found = JSON.stringify(content["partition"]);
    throw damaged(path, `a manifest of partition ${found}, not of ${partition}`);
  }
  const { nextRun, runs, state } = content;
  if (!isCount(nextRun)) throw damaged(path, "nextRun is not a whole number");
  if (!isRunList(runs, nextRun)) throw damaged(path, "the list of runs makes no sense");
  if (state !== null && !isObject(state)) throw damaged(path, "the state is not an object");
  return { partition, nextRun, runs, state };
}

/** The manifest in the directory; `undefined` if there is none. Throws as {@link decodeManifest} does. */
export function readManifest(
  files: FileSystem,
  directory: string,
  partition: number,
): Manifest | undefined {
  const path = `${directory}/${manifestName}`;
  if (!files.existsSync(path)) return undefined;
  const handle = files.openSync(path, "read");
  try {
    const size = handle.sizeSync();
    if (size > limits.manifestMaxBytes) {
      throw damaged(
        path,
        `the manifest has ${size} bytes; the limit is ${limits.manifestMaxBytes}`,
      );
    }
    const bytes = Buffer.alloc(size);
    if (handle.readSync(bytes, 0) !== size) throw damaged(path, "the manifest ends too early");
    return decodeManifest(bytes, path, partition);
  } catch (error) {
    if (systemErrorCode(error) !== "EIO") throw error;
    throw damaged(path, `the manifest cannot be read: ${errorText(error)}`, error);
  } finally {
    handle.closeSync();
  }
}

/**
 * Writes and syncs the manifest beside the one that counts; nothing has changed yet. Throws the operating system's error, and then
 * leaves nothing that matters.
 */
export async function prepareManifest(
  files: FileSystem,
  directory: string,
  manifest: Manifest,
): Promise<void> {
  const path = `${directory}/${manifestNewName}`;
  if (files.existsSync(path)) files.unlinkSync(path);
  const handle = files.openSync(path, "create");
  try {
    try {
      await handle.write(encodeManifest(manifest), 0);
      await handle.syncData();
    } finally {
      handle.closeSync();
    }
    // The names of the new manifest and of the runs it names.
    await files.syncDirectory(directory);
  } catch (error) {
    // What cannot be removed now is removed by the next attempt.
    await files.unlink(path).catch(() => {});
    throw error;
  }
}

/** Puts the prepared manifest in place. When this throws, either may be there after a crash. */
export async function commitManifest(files: FileSystem, directory: string): Promise<void> {
  await files.rename(`${directory}/${manifestNewName}`, `${directory}/${manifestName}`);
  await files.syncDirectory(directory);
}

/** JSON without spaces, the names of every object sorted, so that equal content is equal text. */
export function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) => {
    assert(isJson(inner), "a manifest holds JSON only");
    if (!isObject(inner)) return inner;
    // Without a prototype, so that `__proto__` is a name like any other.
    const sorted: Record<string, unknown> = Object.create(null);
    for (const name of Object.keys(inner).sort()) sorted[name] = inner[name];
    return sorted;
  });
}

/** Whether the value, whatever is in it, is one that JSON has. */
function isJson(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "string" || typeof value === "boolean" || typeof value === "object";
}

function checksumText(line: Uint8Array): string {
  return checksum(line).toString(16).padStart(8, "0");
}

function parseObject(line: Buffer, path: string): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    content = JSON.parse(line.toString("utf8"));
  } catch (error) {
    throw damaged(path, `the manifest is not JSON: ${errorText(error)}`, error);
  }
  if (!isObject(content)) throw damaged(path, "the manifest is not an object");
  return content;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isRunList(value: unknown, nextRun: number): value is readonly RunInfo[] {
  if (!Array.isArray(value)) return false;
  const runs: readonly unknown[] = value;
  if (!runs.every((run, place) => isRun(run, place, nextRun))) return false;
  return new Set(runs.map((run) => isObject(run) && run["id"])).size === runs.length;
}

function isRun(value: unknown, place: number, nextRun: number): boolean {
  if (!isObject(value)) return false;
  const { id, kind, rows, bytes, checksum: sum } = value;
  if (kind !== (place === 0 ? "base" : "delta")) return false;
  if (!isCount(id) || !isCount(rows) || !isCount(bytes) || !isCount(sum)) return false;
  return id < nextRun && bytes >= runHeaderBytes + runFooterBytes && sum <= 0xffff_ffff;
}
