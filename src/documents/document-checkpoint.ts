/**
 * A checkpoint of one document: what its files hold, and the document at the settled part of its order. All numbers are little-endian.
 *
 *     offset  bytes
 *     0       8      `TrubaDoc`
 *     8       4      version, 1
 *     12      4      kind, 3
 *     16      4      length of the head
 *     20      4      length of the base, 0 if there is none
 *     24      4      checksum of the head
 *     28      4      checksum of the base
 *     32      4      checksum of the 32 bytes before
 *     36      …      the head: JSON, {@link CheckpointHead}
 *     …       …      the base: JSON, `ReplicaBase`
 *
 * It is written under another name, synced, and renamed; the one before it is kept until the next, and removed then. A start reads heads only.
 */
import { checksum } from "../base/checksum.ts";
import { TrubaError, systemErrorCode } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { RecordSegment } from "./record-files.ts";
import { damagedAt } from "./record-format.ts";
import type { ReplicaBase } from "./replica-base.ts";
import type { Source } from "./vocabulary.ts";

const magic = Buffer.from("TrubaDoc", "latin1");
const version = 1;
const kind = 3;
const fixedBytes = 36;
const temporaryName = "checkpoint.new";

export interface CheckpointHead {
  readonly name: string;
  /** Under which this node writes it. */
  readonly source: Source;
  /** All that the journal has of the document up to this entry is in its files. */
  readonly index: number;
  /** Transactions in history, by source. */
  readonly counts: readonly (readonly [Source, number])[];
  /** Evicted sources and how many of their transactions stand. */
  readonly cuts: readonly (readonly [Source, number])[];
  readonly history: readonly RecordSegment[];
  readonly order: readonly RecordSegment[];
  /** Number of the first history record that the base does not cover. */
  readonly restoreFrom: number;
  /** Numbers of the first record of history and of the first place, where a base of a peer took the place of what came before; else 1. */
  readonly begin: { readonly history: number; readonly order: number };
  /** SHA-256 of the canonical text with all that history holds, if it was known. */
  readonly hash: string | null;
}

export function checkpointName(number: number): string {
  return `checkpoint-${number}`;
}

export function checkpointNumber(name: string): number | undefined {
  const text = /^checkpoint-([1-9]\d{0,14})$/.exec(name)?.[1];
  return text === undefined ? undefined : Number(text);
}

/** Durable when it resolves. */
export async function writeCheckpoint(
  files: FileSystem,
  directory: string,
  number: number,
  content: { readonly head: CheckpointHead; readonly base: ReplicaBase | undefined },
): Promise<void> {
  const head = Buffer.from(JSON.stringify(content.head), "utf8");
  const base =
    content.base === undefined
      ? Buffer.alloc(0)
      : Buffer.from(JSON.stringify(content.base), "utf8");
  const fixed = Buffer.alloc(fixedBytes);
  magic.copy(fixed);
  fixed.writeUInt32LE(version, 8);
  fixed.writeUInt32LE(kind, 12);
  fixed.writeUInt32LE(head.length, 16);
  fixed.writeUInt32LE(base.length, 20);
  fixed.writeUInt32LE(checksum(head), 24);
  fixed.writeUInt32LE(checksum(base), 28);
  fixed.writeUInt32LE(checksum(fixed.subarray(0, 32)), 32);
  const temporary = `${directory}/${temporaryName}`;
  if (files.existsSync(temporary)) files.unlinkSync(temporary);
  const file = files.openSync(temporary, "create");
  try {
    await file.write(Buffer.concat([fixed, head, base]), 0);
    await file.syncData();
  } finally {
    file.closeSync();
  }
  await files.rename(temporary, `${directory}/${checkpointName(number)}`);
  await files.syncDirectory(directory);
}

/** Throws TrubaError DOCUMENTDAMAGED or DATAVERSION. */
export function readCheckpointHead(files: FileSystem, path: string): CheckpointHead {
  const file = open(files, path);
  try {
    const fixed = readFixed(file, path);
    const bytes = Buffer.alloc(fixed.headBytes);
    const got = file.readSync(bytes, fixedBytes);
    if (got !== bytes.length || checksum(bytes) !== fixed.headChecksum)
      throw damagedAt(path, fixedBytes, "its head is damaged");
    // Written by writeCheckpoint, and its checksum is right.
    return JSON.parse(bytes.toString("utf8")) as CheckpointHead;
  } finally {
    file.closeSync();
  }
}

/** `undefined`: it has none. Throws TrubaError DOCUMENTDAMAGED or DATAVERSION. */
export async function readCheckpointBase(
  files: FileSystem,
  path: string,
): Promise<ReplicaBase | undefined> {
  const file = open(files, path);
  try {
    const fixed = readFixed(file, path);
    if (fixed.baseBytes === 0) return undefined;
    const at = fixedBytes + fixed.headBytes;
    const bytes = Buffer.alloc(fixed.baseBytes);
    const got = await file.read(bytes, at);
    if (got !== bytes.length || checksum(bytes) !== fixed.baseChecksum)
      throw damagedAt(path, at, "its base is damaged");
    return JSON.parse(bytes.toString("utf8")) as ReplicaBase;
  } finally {
    file.closeSync();
  }
}

function open(files: FileSystem, path: string): ReturnType<FileSystem["openSync"]> {
  try {
    return files.openSync(path, "read");
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
    throw damagedAt(path, 0, "it is missing");
  }
}

function readFixed(
  file: { sizeSync(): number; readSync(target: Uint8Array, position: number): number },
  path: string,
): { headBytes: number; baseBytes: number; headChecksum: number; baseChecksum: number } {
  const bytes = Buffer.alloc(fixedBytes);
  const got = file.readSync(bytes, 0);
  if (got < fixedBytes || checksum(bytes.subarray(0, 32)) !== bytes.readUInt32LE(32))
    throw damagedAt(path, 0, "its header is damaged");
  if (!bytes.subarray(0, 8).equals(magic) || bytes.readUInt32LE(12) !== kind)
    throw damagedAt(path, 0, "its header is that of another file");
  if (bytes.readUInt32LE(8) !== version) {
    throw new TrubaError(
      "DATAVERSION",
      `${path} has version ${bytes.readUInt32LE(8)}; this version of Truba reads ${version}`,
    );
  }
  const headBytes = bytes.readUInt32LE(16);
  const baseBytes = bytes.readUInt32LE(20);
  if (file.sizeSync() < fixedBytes + headBytes + baseBytes)
    throw damagedAt(path, file.sizeSync(), "it ends too early");
  return {
    headBytes,
    baseBytes,
    headChecksum: bytes.readUInt32LE(24),
    baseChecksum: bytes.readUInt32LE(28),
  };
}
