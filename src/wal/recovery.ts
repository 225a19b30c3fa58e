/**
 * Opening a log: first only reading, until it is known that the log is whole; then mending what a crash may have left. A log that is
 * refused is not touched.
 */
import { must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import { segmentHeaderBytes } from "./format.ts";
import { Replay } from "./replay.ts";
import { scanWal } from "./scan.ts";
import type { Finding, ScannedBatch } from "./scan.ts";
import { listLog, pathOf, segmentFile, spareNumber } from "./segment.ts";

export interface RecoveredSegment {
  readonly id: number;
  readonly length: number;
  /** Its first batch, which states again what the segments before it said, is whole. */
  readonly canBegin: boolean;
}

/** A log as it was read. */
export interface RecoveredLog {
  readonly replay: Replay;
  /** The segments in use, oldest first. Empty when the directory holds none. */
  readonly segments: readonly RecoveredSegment[];
  /** The last whole batch; 0 if there is none. */
  readonly sequence: number;
  /** Where the next batch goes in the last segment. */
  readonly position: number;
  readonly lastBatch: ScannedBatch | undefined;
  /** The byte, in the last segment, after what an unfinished write has left. At most `position` when it has left nothing. */
  readonly remainsEnd: number;
  /** Segments that were made and never used. */
  readonly unused: readonly number[];
  /** The log goes on in a new segment of this id, and the last one stays as it is. */
  readonly newSegment: number | undefined;
  /** Damage that did not end the log, in words. */
  readonly damages: readonly string[];
  /** What ended the log, in words. */
  readonly ending: string;
}

/**
 * Reads a log without changing anything. Where damage retires groups, they are marked in `replay`, and only what cannot be read at all is refused. Throws TrubaError DATADAMAGED, or DATAVERSION for a log of a newer Truba; the text names file and
 * offset, group and index as far as they are known, and what would be lost.
 */
export function readLog(
  files: FileSystem,
  directory: string,
  nodeId: number,
  onDamage: "refuse" | "retire" = "refuse",
): RecoveredLog {
  const replay = new Replay(onDamage);
  const segments: RecoveredSegment[] = [];
  const unused: number[] = [];
  const damages: string[] = [];
  let lastBatch: ScannedBatch | undefined;
  let ending: Finding | undefined;
  for (const event of scanWal(files, directory, { replay, nodeId, onDamage })) {
    if (event.type === "segment") {
      segments.push({ id: event.header.id, length: event.header.length, canBegin: false });
    } else if (event.type === "batch") {
      lastBatch = event;
      if (event.offset !== segmentHeaderBytes) continue;
      const canBegin = event.records.every(({ damaged }) => damaged !== true);
      segments.push({ ...must(segments.pop()), canBegin });
    } else if (event.row.decision === "unused") {
      unused.push(event.segment);
    } else if (event.goesOn) {
      damages.push(event.text);
    } else {
      refuseDamaged(event);
      ending = event;
    }
  }
  return {
    replay,
    segments,
    sequence: lastBatch?.sequence ?? 0,
    position: ending?.offset ?? segmentHeaderBytes,
    lastBatch,
    remainsEnd: ending?.remainsEnd ?? 0,
    unused,
    newSegment: ending?.newSegment,
    damages,
    ending: ending?.text ?? `${directory} holds no segment`,
  };
}

function refuseDamaged(finding: Finding): void {
  if (finding.row.decision === "damaged")
    throw new TrubaError("DATADAMAGED", `the write-ahead log is damaged: ${finding.text}`);
  if (finding.row.decision === "refuse")
    throw new TrubaError("DATAVERSION", `the write-ahead log cannot be read: ${finding.text}`);
}

/**
 * Makes durable what was accepted and takes away what was not, before anything new is written:
 *
 * 1. the last batch is written again: its sync may have failed, and then only the page cache has it;
 * 2. the remains of an unfinished batch become zeros, so that they are never taken for the one that comes in its place;
 * 3. segments that were named and never used lose their names, the newest first, so that no gap can be seen in between.
 *
 * May be cut off anywhere and done again.
 */
export function mendLog(files: FileSystem, directory: string, log: RecoveredLog): void {
  const current = log.segments.at(-1);
  if (log.lastBatch !== undefined) {
    const { segment, offset, bytes } = log.lastBatch;
    const end = segment === current?.id ? log.remainsEnd : 0;
    rewrite(files, pathOf(directory, segmentFile(segment)), { offset, bytes, zeroTo: end });
  }
  if (current !== undefined && log.lastBatch?.segment !== current.id) {
    const path = pathOf(directory, segmentFile(current.id));
    rewrite(files, path, { offset: segmentHeaderBytes, bytes: 0, zeroTo: log.remainsEnd });
  }
  let number = nextSpareNumber(listLog(files, directory).spares);
  for (const id of log.unused.toReversed()) {
    files.renameSync(pathOf(directory, segmentFile(id)), pathOf(directory, `spare-${number}`));
    files.syncDirectorySync(directory);
    number += 1;
  }
  if (current !== undefined) files.syncDirectorySync(directory);
}

/** A number that no spare's name has. */
export function nextSpareNumber(names: readonly string[]): number {
  return names.reduce((highest, name) => Math.max(highest, spareNumber(name)), 0) + 1;
}

const pieceBytes = 1_048_576;

function rewrite(
  files: FileSystem,
  path: string,
  part: { offset: number; bytes: number; zeroTo: number },
): void {
  const end = part.offset + part.bytes;
  if (part.bytes === 0 && part.zeroTo <= end) return;
  const handle = files.openSync(path, "write");
  try {
    const bytes = Buffer.alloc(part.bytes);
    handle.readSync(bytes, part.offset);
    handle.writeSync(bytes, part.offset);
    for (let at = end; at < part.zeroTo; at += pieceBytes)
      handle.writeSync(Buffer.alloc(Math.min(pieceBytes, part.zeroTo - at)), at);
    handle.syncDataSync();
  } finally {
    handle.closeSync();
  }
}
