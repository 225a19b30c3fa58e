/** Ways to look at a log at rest and to damage it. */
import assert from "node:assert/strict";
import { must } from "../../src/base/assert.ts";
import { TrubaError } from "../../src/base/errors.ts";
import type { ErrorCode } from "../../src/base/errors.ts";
import { BatchBuffer } from "../../src/wal/batch-buffer.ts";
import { saltOf } from "../../src/wal/format.ts";
import type { Kind } from "../../src/wal/format.ts";
import { scanWal } from "../../src/wal/scan.ts";
import type { Finding, ScannedBatch } from "../../src/wal/scan.ts";
import { segmentFile } from "../../src/wal/segment.ts";
import { directory, nodeId, openRun, WalRun } from "./wal-disk.ts";
import type { WalDisk } from "./wal-disk.ts";

export function pathOfSegment(id: number): string {
  return `${directory}/${segmentFile(id)}`;
}

/** The whole batches of a log, in order. */
export function batchesOf(disk: WalDisk): ScannedBatch[] {
  return [...scanWal(disk.files, directory, { nodeId })].flatMap((event) =>
    event.type === "batch" ? [event] : [],
  );
}

export function lastBatch(disk: WalDisk): ScannedBatch {
  return must(batchesOf(disk).at(-1));
}

export function findingsOf(disk: WalDisk): Finding[] {
  return [...scanWal(disk.files, directory, { nodeId })].flatMap((event) =>
    event.type === "finding" ? [event] : [],
  );
}

/** Contents of all files of the log's directory, to see that nothing changed. */
export function snapshot(disk: WalDisk): string {
  return disk.files
    .paths()
    .map((path) => `${path} ${Buffer.from(disk.files.contents(path)).toString("base64")}`)
    .join("\n");
}

/** The log must be refused by this row, with nothing on disk changed; gives the message. */
export async function mustRefuse(
  disk: WalDisk,
  row: number,
  code: ErrorCode = "DATADAMAGED",
): Promise<string> {
  assert.equal(findingsOf(disk).at(-1)?.row.row, row, findingsOf(disk).at(-1)?.text);
  const before = snapshot(disk);
  const run = new WalRun(disk);
  const { operations } = disk.files;
  const error: unknown = await run.open().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof TrubaError, `the log was opened: ${String(error)}`);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, new RegExp(`row ${row}\\)`));
  assert.equal(snapshot(disk), before, "a refused start changes nothing");
  assert.equal(disk.files.operations, operations, "a refused start writes nothing");
  return error.message;
}

/** The log must be opened by this row and go on; gives the open log. */
export async function mustOpen(disk: WalDisk, row: number): Promise<WalRun> {
  assert.equal(findingsOf(disk).at(-1)?.row.row, row, findingsOf(disk).at(-1)?.text);
  return openRun(disk);
}

export function zero(disk: WalDisk, segment: number, from: number, to: number): void {
  disk.files.overwrite(pathOfSegment(segment), from, Buffer.alloc(to - from));
}

/** Turns a bit of one byte over. */
export function flip(disk: WalDisk, segment: number, offset: number): void {
  disk.files.flipBit(pathOfSegment(segment), offset, offset % 8);
}

/** Writes a valid batch of our own making at a place. */
export function forge(
  disk: WalDisk,
  place: { segment: number; offset: number; sequence: number },
  records: readonly {
    kind: Kind;
    group: number;
    index: number;
    term: number;
    body?: Uint8Array;
    flags?: number;
  }[],
): Buffer {
  const batch = new BatchBuffer(1_024);
  for (const { kind, group, index, term, body, flags } of records) {
    const owner = { id: group, applyEntry() {}, apply() {} };
    batch.stage(kind, owner, index, term, body, flags);
  }
  const bytes = batch.finish({ ...place, salt: saltOf(nodeId) });
  disk.files.overwrite(pathOfSegment(place.segment), place.offset, bytes);
  return bytes;
}
