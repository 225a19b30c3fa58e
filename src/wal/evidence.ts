/** What the rest of a log proves about a batch that is not there, and what of it can be named: the words of a refusal. */
import type { FileHandle, FileSystem } from "../base/file-system.ts";
import { firstDamaged, survey } from "./batch-reader.ts";
import type { SegmentSource, Survey, Walked } from "./batch-reader.ts";
import { decodeSegmentHeader, segmentHeaderBytes } from "./format.ts";
import type { SegmentHeader } from "./format.ts";
import { describe } from "./replay.ts";
import { FileWindow, pathOf, segmentFile } from "./segment.ts";

/** What the segments behind a place say. */
export interface Following {
  readonly ids: readonly number[];
  /** Why the batch must have been synced. */
  readonly proof: string | undefined;
  readonly batches: number;
  readonly records: number;
}

/** Reads the segments `ids` for what proves that batch `expected`, which should stand before them, was synced. */
export function lookBehind(
  files: FileSystem,
  directory: string,
  ids: readonly number[],
  salt: number,
  expected: number,
): Following {
  let proof: string | undefined;
  let batches = 0;
  let records = 0;
  for (const id of ids) {
    const handle = files.openSync(pathOf(directory, segmentFile(id)), "read");
    try {
      const header = decodeSegmentHeader(readHeader(handle));
      if (header !== undefined && header.id === id && header.sequence >= expected)
        proof ??= `the header of ${segmentFile(id)} names batch ${header.sequence} as synced`;
      const length = handle.sizeSync();
      const window = new FileWindow(handle, length);
      const source = { window, length, segment: id, salt };
      const rest = survey(source, segmentHeaderBytes, expected);
      if (rest.laterBatches > 0) proof ??= `batch ${rest.laterSequence} is in ${segmentFile(id)}`;
      batches += rest.laterBatches;
      records += rest.laterRecords;
    } finally {
      handle.closeSync();
    }
  }
  return { ids, proof, batches, records };
}

/** The header of a segment by its file, or `undefined` when it is damaged. */
export function headerOf(
  files: FileSystem,
  directory: string,
  id: number,
): SegmentHeader | undefined {
  const handle = files.openSync(pathOf(directory, segmentFile(id)), "read");
  try {
    return decodeSegmentHeader(readHeader(handle));
  } finally {
    handle.closeSync();
  }
}

export function readHeader(handle: FileHandle): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  return bytes.subarray(0, handle.readSync(bytes, 0));
}

/** Which acknowledged record is damaged, as far as it can be known. */
export function damageText(
  source: SegmentSource,
  walked: Extract<Walked, { state: "broken" }>,
  rest: Survey,
): string {
  if (rest.own !== undefined) {
    const damaged = firstDamaged(source, rest.own.records);
    const all = `the batch holds ${rest.own.records.length} records`;
    if (damaged !== undefined) return `${describe(damaged)}, at offset ${damaged.offset}; ${all}`;
    return `at offset ${walked.offset} ${walked.detail}; ${all}`;
  }
  const last = walked.records.at(-1);
  const readable =
    last === undefined
      ? "no record before it is readable"
      : `${walked.records.length} records before it are readable, the last is ${describe(last)}`;
  return `at offset ${walked.offset} ${walked.detail}; ${readable}`;
}

/** Why it must have been acknowledged, and how much is lost if the log is cut here. */
export function followsText(rest: Survey, following: Following, predecessorGone: boolean): string {
  const batches = rest.laterBatches + following.batches;
  const records = rest.laterRecords + following.records;
  if (batches > 0)
    return `It was acknowledged: ${batches} whole batches with ${records} records are known to follow and would be lost with it`;
  if (following.proof !== undefined) return `It was acknowledged: ${following.proof}`;
  if (predecessorGone) return "It was acknowledged: the segment before it is already gone";
  return "It was acknowledged: records that were written after it stand behind it";
}
