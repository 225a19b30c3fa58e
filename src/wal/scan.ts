/**
 * Reads a log from its oldest batch to its newest and says what is there, by the recovery table. It changes nothing: recovery
 * works from what this yields, and so do the commands that show and check a log at rest.
 */
import type { FileHandle, FileSystem } from "../base/file-system.ts";
import { firstDamaged, survey, walkBatch } from "./batch-reader.ts";
import type { ScannedRecord, SegmentSource, Survey, Walked } from "./batch-reader.ts";
import { decodeSegmentHeader, formatVersion, kinds, saltOf, segmentHeaderBytes } from "./format.ts";
import type { SegmentHeader } from "./format.ts";
import { decide } from "./recovery-table.ts";
import type { Found, RecoveryRow } from "./recovery-table.ts";
import { describe, Replay } from "./replay.ts";
import { FileWindow, listLog, pathOf, segmentFile } from "./segment.ts";

export interface ScannedSegment {
  readonly type: "segment";
  readonly file: string;
  readonly header: SegmentHeader;
}

export interface ScannedBatch {
  readonly type: "batch";
  readonly file: string;
  readonly segment: number;
  readonly offset: number;
  /** With the commit record. */
  readonly bytes: number;
  readonly sequence: number;
  readonly records: readonly ScannedRecord[];
}

/** Anything but a whole batch. The last event of a scan is one, of row 2, 4, 5 or a damaged or refused one. */
export interface Finding {
  readonly type: "finding";
  readonly row: RecoveryRow;
  readonly file: string;
  readonly segment: number;
  readonly offset: number;
  /** What and where, in words, and what is known to follow. */
  readonly text: string;
  /** The byte after what an unfinished write has left behind. */
  readonly remainsEnd: number;
}

export type ScanEvent = ScannedSegment | ScannedBatch | Finding;

export interface ScanOptions {
  /** Copy the bodies of entries, too. */
  readonly entryBodies?: boolean;
  /** Rebuilt as the scan goes on. */
  readonly replay?: Replay;
  /** The node that the log must belong to. Without it, the first segment says. */
  readonly nodeId?: number;
}

/**
 * Yields every segment and batch, in order, then one finding that ends the log or refuses it; findings of row 11 (unused segments) stand
 * before that end. An empty directory yields nothing. Throws only what the file system throws.
 */
export function* scanWal(
  files: FileSystem,
  directory: string,
  options: ScanOptions = {},
): Generator<ScanEvent, void> {
  const scan = new Scan(files, directory, options);
  try {
    yield* scan.run();
  } finally {
    scan.close();
  }
}

class Scan {
  readonly #files: FileSystem;
  readonly #directory: string;
  readonly #replay: Replay;
  readonly #entryBodies: boolean;
  readonly #ids: readonly number[];
  #open: FileHandle | undefined;
  #salt = 0;
  #nodeId: number | undefined;
  /** The last accepted batch. */
  #sequence = 0;

  constructor(files: FileSystem, directory: string, options: ScanOptions) {
    this.#files = files;
    this.#directory = directory;
    this.#replay = options.replay ?? new Replay();
    this.#entryBodies = options.entryBodies ?? false;
    this.#nodeId = options.nodeId;
    this.#ids = listLog(files, directory).segments;
  }

  close(): void {
    this.#open?.closeSync();
    this.#open = undefined;
  }

  *run(): Generator<ScanEvent, void> {
    const first = this.#ids[0];
    if (first === undefined) return;
    const gap = this.#ids.findIndex((id, i) => id !== first + i);
    if (gap >= 0) {
      const missing = segmentFile(first + gap);
      yield this.#finding("idGap", first + gap, 0, { detail: `${missing} is missing` });
      return;
    }
    for (let id = first; ;) {
      const header = this.#openSegment(id);
      if ("found" in header) {
        yield this.#finding(header.found, id, 0, { detail: header.detail });
        return;
      }
      if (id === first && id > 1) this.#sequence = header.sequence + 1;
      yield { type: "segment", file: segmentFile(id), header };
      const next = yield* this.#batches(header, id === first);
      if (next === undefined) return;
      id = next;
    }
  }

  /** The segment's header, once it is believed, or what is wrong with it. */
  #openSegment(id: number): SegmentHeader | { found: Found; detail: string } {
    this.close();
    const path = pathOf(this.#directory, segmentFile(id));
    if (!this.#files.existsSync(path))
      return { found: "lostSegment", detail: "the log goes on in a segment that is missing" };
    const handle = this.#files.openSync(path, "read");
    this.#open = handle;
    const header = decodeSegmentHeader(readHeader(handle));
    if (header === undefined) return { found: "lostSegment", detail: "its header is damaged" };
    if (header.version > formatVersion)
      return { found: "newer", detail: `format version ${header.version}` };
    this.#nodeId ??= header.nodeId;
    this.#salt = saltOf(this.#nodeId);
    if (header.id !== id || header.nodeId !== this.#nodeId) {
      const detail = `its header is of segment ${header.id} of node ${header.nodeId}`;
      return { found: "foreign", detail };
    }
    const size = handle.sizeSync();
    if (size < header.length) {
      const detail = `it is ${size} bytes long and was ${header.length}`;
      return { found: "short", detail };
    }
    return header;
  }

  /** Reads the open segment; returns the segment to go on with, or undefined after the finding that ends the scan. */
  *#batches(header: SegmentHeader, oldest: boolean): Generator<ScanEvent, number | undefined> {
    const source = this.#source(header.id, header.length);
    let at = segmentHeaderBytes;
    for (;;) {
      const walked = walkBatch(source, at, this.#entryBodies);
      if (walked.state !== "whole") {
        yield* this.#ending(source, at, walked, oldest);
        return undefined;
      }
      if (walked.sequence !== this.#sequence + 1) {
        const detail = `batch ${walked.sequence} stands where batch ${this.#sequence + 1} should`;
        yield this.#finding("misplaced", header.id, at, { detail });
        return undefined;
      }
      const establish = oldest && at === segmentHeaderBytes;
      const problem = this.#replay.apply(header.id, walked.records, establish);
      if (problem !== undefined) {
        const { found, offset, detail } = problem;
        yield this.#finding(found, header.id, offset, { detail });
        return undefined;
      }
      this.#sequence = walked.sequence;
      const batch = { offset: at, bytes: walked.end - at, sequence: walked.sequence };
      const { records } = walked;
      yield { type: "batch", file: segmentFile(header.id), segment: header.id, ...batch, records };
      at = walked.end;
      const link = records.find((record) => record.kind === kinds.link);
      if (link !== undefined) return link.index;
    }
  }

  /** What it means that no whole batch stands at `at`. */
  *#ending(
    source: SegmentSource,
    at: number,
    walked: Exclude<Walked, { state: "whole" }>,
    oldest: boolean,
  ): Generator<ScanEvent, void> {
    const id = source.segment;
    if (walked.state === "newer") {
      yield this.#finding("newer", id, walked.offset, { detail: walked.detail });
      return;
    }
    const expected = this.#sequence + 1;
    const rest = survey(source, at, expected);
    const following = this.#following(id, expected);
    // The segment before this one is let go only when this one's first batch is durable: that it is gone proves the batch.
    const predecessorGone = oldest && id > 1 && at === segmentHeaderBytes;
    const evidence =
      rest.beyond || rest.laterBatches > 0 || following.proof !== undefined || predecessorGone;
    let found: Found = rest.anything ? "records" : "nothing";
    if (rest.own !== undefined) found = "commit";
    const row = decide(found, evidence);
    if (row.decision === "damaged") {
      const detail = damageText(source, walked, rest);
      const follows = followsText(rest, following, predecessorGone);
      yield this.#finding(found, id, at, { evidence, detail: `${detail}. ${follows}` });
      return;
    }
    const problem = this.#replay.finish();
    if (problem !== undefined) {
      yield this.#finding(problem.found, id, at, { detail: problem.detail });
      return;
    }
    for (const unused of following.ids) yield this.#finding("unlinked", unused, 0, {});
    const detail = `after batch ${this.#sequence}`;
    yield this.#finding(found, id, at, { evidence, detail, remainsEnd: rest.end });
  }

  /** What the segments after `id` prove about the batch that is not there. */
  #following(id: number, expected: number): Following {
    const ids = this.#ids.filter((other) => other > id);
    let proof: string | undefined;
    let batches = 0;
    let records = 0;
    for (const other of ids) {
      const handle = this.#files.openSync(pathOf(this.#directory, segmentFile(other)), "read");
      try {
        const header = decodeSegmentHeader(readHeader(handle));
        if (header !== undefined && header.id === other && header.sequence >= expected)
          proof ??= `the header of ${segmentFile(other)} names batch ${header.sequence} as synced`;
        const length = handle.sizeSync();
        const window = new FileWindow(handle, length);
        const source = { window, length, segment: other, salt: this.#salt };
        const rest = survey(source, segmentHeaderBytes, expected);
        if (rest.laterBatches > 0)
          proof ??= `batch ${rest.laterSequence} is in ${segmentFile(other)}`;
        batches += rest.laterBatches;
        records += rest.laterRecords;
      } finally {
        handle.closeSync();
      }
    }
    return { ids, proof, batches, records };
  }

  #source(id: number, length: number): SegmentSource {
    const handle = this.#open;
    if (handle === undefined) throw new Error("no segment is open");
    return { window: new FileWindow(handle, length), length, segment: id, salt: this.#salt };
  }

  #finding(
    found: Found,
    segment: number,
    offset: number,
    given: { evidence?: boolean; detail?: string; remainsEnd?: number },
  ): Finding {
    const row = decide(found, given.evidence);
    const file = segmentFile(segment);
    const detail = given.detail === undefined ? "" : `: ${given.detail}`;
    const text = `${pathOf(this.#directory, file)} at offset ${offset}: ${row.words}${detail} (row ${row.row})`;
    return { type: "finding", row, file, segment, offset, text, remainsEnd: given.remainsEnd ?? 0 };
  }
}

interface Following {
  readonly ids: readonly number[];
  readonly proof: string | undefined;
  readonly batches: number;
  readonly records: number;
}

function readHeader(handle: FileHandle): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  return bytes.subarray(0, handle.readSync(bytes, 0));
}

/** Which acknowledged record is damaged, as far as it can be known. */
function damageText(
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
function followsText(rest: Survey, following: Following, predecessorGone: boolean): string {
  const batches = rest.laterBatches + following.batches;
  const records = rest.laterRecords + following.records;
  if (batches > 0)
    return `It was acknowledged: ${batches} whole batches with ${records} records are known to follow and would be lost with it`;
  if (following.proof !== undefined) return `It was acknowledged: ${following.proof}`;
  if (predecessorGone) return "It was acknowledged: the segment before it is already gone";
  return "It was acknowledged: records that were written after it stand behind it";
}
