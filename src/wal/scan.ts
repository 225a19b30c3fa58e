/**
 * Reads a log from its oldest batch to its newest and says what is there, by the recovery table. It changes nothing: recovery
 * works from what this yields, and so do the commands that show and check a log at rest.
 */
import { must } from "../base/assert.ts";
import type { FileHandle, FileSystem } from "../base/file-system.ts";
import { recoverBatch, survey, walkBatch } from "./batch-reader.ts";
import type { ScannedRecord, SegmentSource, Walked } from "./batch-reader.ts";
import { damageText, followsText, headerOf, lookBehind, readHeader } from "./evidence.ts";
import { decodeSegmentHeader, formatVersion, kinds, saltOf, segmentHeaderBytes } from "./format.ts";
import { wayOn } from "./onward.ts";
import type { Broken, Onward, Way } from "./onward.ts";
import { decide } from "./recovery-table.ts";
import type { Found } from "./recovery-table.ts";
import { Replay } from "./replay.ts";
import type { ReplayProblem } from "./replay.ts";
import type { Finding, ScanEvent, ScannedSegment } from "./scan-events.ts";
import { FileWindow, listLog, pathOf, segmentFile } from "./segment.ts";

export type { Finding, ScanEvent, ScannedBatch } from "./scan-events.ts";

export interface ScanOptions {
  /** Copy the bodies of entries, too. */
  readonly entryBodies?: boolean;
  /** Rebuilt as the scan goes on. */
  readonly replay?: Replay;
  /** Whether damage ends the scan, or retires the groups that it concerns and the scan goes on behind it. `replay` must be of the same mind. */
  readonly onDamage?: "refuse" | "retire";
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

/** What stands in the way of reading a segment. */
interface Obstacle {
  readonly found: Found;
  readonly detail: string;
  /** What to do about it when damage retires: read the segment nevertheless, leave it out, or give up. */
  readonly retire: "read" | "skip" | "refuse";
}

class Scan {
  readonly #files: FileSystem;
  readonly #directory: string;
  readonly #replay: Replay;
  readonly #entryBodies: boolean;
  readonly #retires: boolean;
  readonly #ids: readonly number[];
  #open: FileHandle | undefined;
  #salt = 0;
  #nodeId: number | undefined;
  /** The last accepted batch. */
  #sequence = 0;
  /** The next batch follows the last one; false where that is not known because something is lost before it. */
  #continuous = true;
  #accepted = 0;
  /** No damage was found behind the last whole batch, which is so the proof of all damage before it. */
  #proved = true;
  /** The open segment: what can be read of it, and whether its end is lost. */
  #segment = { id: 0, length: 0, oldest: false, short: false };

  constructor(files: FileSystem, directory: string, options: ScanOptions) {
    this.#files = files;
    this.#directory = directory;
    this.#retires = options.onDamage === "retire";
    this.#replay = options.replay ?? new Replay(options.onDamage);
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
    if (gap >= 0 && !this.#retires) {
      const missing = segmentFile(first + gap);
      yield this.#finding("idGap", first + gap, 0, { detail: `${missing} is missing` });
      return;
    }
    for (let id: number | undefined = first; id !== undefined;) {
      const obstacle = this.#openSegment(id, id === first);
      if (obstacle === undefined || (this.#retires && obstacle.retire === "read")) {
        if (obstacle !== undefined) yield this.#passing(obstacle.found, id, 0, obstacle.detail);
        id = yield* this.#batches();
      } else if (this.#retires && obstacle.retire === "skip") {
        id = yield* this.#skip(id, obstacle);
      } else {
        yield this.#finding(obstacle.found, id, 0, { detail: obstacle.detail });
        return;
      }
    }
  }

  /** Opens a segment, and believes its header, unless something stands in the way. */
  #openSegment(id: number, oldest: boolean): Obstacle | undefined {
    this.close();
    const path = pathOf(this.#directory, segmentFile(id));
    if (!this.#files.existsSync(path)) {
      const later = this.#retires && this.#after(id) !== undefined;
      const detail = "the log goes on in a segment that is missing";
      return { found: later ? "idGap" : "lostSegment", detail, retire: "skip" };
    }
    const handle = this.#files.openSync(path, "read");
    this.#open = handle;
    const header = decodeSegmentHeader(readHeader(handle));
    if (header === undefined) return this.#openHeadless(handle, id, oldest);
    if (header.version > formatVersion) {
      const detail = `format version ${header.version}`;
      return { found: "newer", detail, retire: "refuse" };
    }
    this.#nodeId ??= header.nodeId;
    this.#salt = saltOf(this.#nodeId);
    if (header.id !== id || header.nodeId !== this.#nodeId) {
      const detail = `its header is of segment ${header.id} of node ${header.nodeId}`;
      const retire = header.nodeId === this.#nodeId ? "skip" : "refuse";
      return { found: "foreign", detail, retire };
    }
    if (oldest ? id > 1 : !this.#continuous) this.#sequence = header.sequence + 1;
    this.#continuous = true;
    const size = handle.sizeSync();
    const short = size < header.length;
    this.#segment = { id, length: Math.min(size, header.length), oldest, short };
    if (!short) return undefined;
    const detail = `it is ${size} bytes long and was ${header.length}`;
    return { found: "short", detail, retire: "read" };
  }

  /** A segment whose header is damaged: its records say themselves that they are of this segment and this node. */
  #openHeadless(handle: FileHandle, id: number, oldest: boolean): Obstacle {
    const found = "lostSegment";
    const detail = "its header is damaged";
    const others = this.#ids
      .filter((other) => other !== id)
      .map((other) => headerOf(this.#files, this.#directory, other));
    const other = others.find((header) => header?.nodeId === this.#nodeId);
    if (other === undefined) return { found, detail, retire: "refuse" };
    this.#salt = saltOf(other.nodeId);
    if (oldest && id > 1) this.#continuous = false;
    const length = handle.sizeSync();
    this.#segment = { id, length, oldest, short: length < other.length };
    return { found, detail, retire: "read" };
  }

  /** Leaves out a segment that cannot be read; returns the one to go on with. */
  *#skip(id: number, { found, detail }: Obstacle): Generator<ScanEvent, number | undefined> {
    const next = this.#after(id);
    if (next === undefined && this.#accepted === 0) {
      yield this.#finding(found, id, 0, { detail });
      return undefined;
    }
    yield this.#loss(found, id, detail);
    if (this.#ids.includes(id)) yield this.#segmentEvent(id, must(this.#open).sizeSync());
    if (next === undefined) yield* this.#endInNewSegment([]);
    return next;
  }

  /** Reads the open segment; returns the segment to go on with, or undefined after the finding that ends the scan. */
  *#batches(): Generator<ScanEvent, number | undefined> {
    const { id, length, oldest } = this.#segment;
    const source = this.#source(id, length);
    yield this.#segmentEvent(id, length);
    let at = segmentHeaderBytes;
    for (;;) {
      const walked = walkBatch(source, at, this.#entryBodies);
      if (walked.state === "whole" && !this.#continuous && at === segmentHeaderBytes) {
        this.#sequence = walked.sequence - 1;
        this.#continuous = true;
      }
      let onward: Onward | undefined;
      if (walked.state === "whole" && walked.sequence === this.#sequence + 1) {
        const establish = oldest && at === segmentHeaderBytes;
        onward = yield* this.#accept(at, walked.end, walked.records, establish);
      } else {
        onward = yield* this.#ending(source, at, walked);
      }
      if (onward === undefined) return undefined;
      if (onward.segment !== undefined) return onward.segment;
      at = onward.at;
    }
  }

  /** Takes over the next batch; says where to go on, or nothing after a problem that ends the scan. */
  *#accept(
    at: number,
    end: number,
    records: readonly ScannedRecord[],
    establish: boolean,
  ): Generator<ScanEvent, Onward | undefined> {
    const { id } = this.#segment;
    const problems = this.#replay.apply({ segment: id, establish }, records);
    if (!(yield* this.#problems(problems))) return undefined;
    this.#sequence += 1;
    this.#accepted += 1;
    this.#proved = true;
    const batch = { offset: at, bytes: end - at, sequence: this.#sequence };
    yield { type: "batch", file: segmentFile(id), segment: id, ...batch, records };
    const link = records.find((record) => record.kind === kinds.link);
    return { at: end, segment: link?.index };
  }

  /** Says what is wrong with groups, and, where it retires them, why they are; whether the scan goes on. */
  *#problems(problems: readonly ReplayProblem[]): Generator<ScanEvent, boolean> {
    for (const { found, group, offset, detail } of problems) {
      const { id } = this.#segment;
      if (!this.#retires) {
        yield this.#finding(found, id, offset, { evidence: true, detail });
        return false;
      }
      const finding = this.#passing(found, id, offset, detail);
      const log = this.#replay.group(group);
      if (log.damage !== undefined) log.damage = finding.text;
      yield finding;
    }
    return true;
  }

  /** What it means that not the next batch stands at `at`; where the scan goes on behind it, if it does. */
  *#ending(
    source: SegmentSource,
    at: number,
    walked: Walked,
  ): Generator<ScanEvent, Onward | undefined> {
    const { id, oldest } = this.#segment;
    const expected = this.#continuous ? this.#sequence + 1 : 1;
    if (walked.state === "newer") {
      yield this.#finding("newer", id, walked.offset, { detail: walked.detail });
      return undefined;
    }
    const rest = survey(source, at, expected);
    const ids = this.#ids.filter((other) => other > id);
    const following = lookBehind(this.#files, this.#directory, ids, this.#salt, expected);
    const whole = walked.state === "whole";
    // The segment before this one is let go only when this one's first batch is durable: that it is gone proves the batch.
    const predecessorGone = oldest && id > 1 && at === segmentHeaderBytes;
    const evidence =
      rest.beyond || rest.laterBatches > 0 || following.proof !== undefined || predecessorGone;
    let found: Found = rest.anything ? "records" : "nothing";
    if (rest.own !== undefined) found = "commit";
    if (whole) found = "misplaced";
    const row = decide(found, evidence);
    if (row.decision === "damaged") {
      const detail = whole
        ? `batch ${walked.sequence} stands where batch ${expected} should`
        : `${damageText(source, walked, rest)}. ${followsText(rest, following, predecessorGone)}`;
      return yield* this.#damage({ source, at, walked, found, rest, following, expected, detail });
    }
    if (this.#retires && ids.some((other, i) => other !== id + 1 + i)) {
      yield this.#loss("idGap", id, "segments behind it are missing");
      return { at: segmentHeaderBytes, segment: ids[0] };
    }
    yield* this.#end(found, at, rest.end, following.ids);
    return undefined;
  }

  /** An acknowledged batch is not there as it was. */
  *#damage(broken: Broken): Generator<ScanEvent, Onward | undefined> {
    const { id, oldest } = this.#segment;
    const { source, at, walked, found, rest, detail } = broken;
    const way = this.#retires ? this.#wayOn(broken) : undefined;
    if (way === undefined) {
      yield this.#finding(found, id, at, { evidence: true, detail });
      return undefined;
    }
    const finding = this.#passing(found, id, at, detail);
    yield finding;
    const establish = oldest && at === segmentHeaderBytes;
    if (found === "commit") {
      const records = recoverBatch(source, must(rest.own).records, this.#entryBodies);
      const onward = yield* this.#accept(at, way.at, records, establish);
      this.#proved = false;
      return onward;
    }
    const readable = walked.state === "broken" ? walked.records : [];
    if (way.complete) {
      const onward = yield* this.#accept(at, way.at, readable, establish);
      this.#proved = false;
      return onward;
    }
    if (way.lost) {
      this.#replay.loseAll(finding.text);
      const votes = readable.filter(({ kind }) => kind === kinds.hardState);
      this.#replay.apply({ segment: id, establish }, votes);
    }
    this.#proved = false;
    this.#continuous = way.segment === undefined;
    if (way.segment === undefined) this.#sequence = way.sequence - 1;
    return way;
  }

  #wayOn(broken: Broken): Way | undefined {
    const { id, oldest } = this.#segment;
    const next = this.#ids.includes(id + 1);
    const nextHeader = next ? headerOf(this.#files, this.#directory, id + 1) : undefined;
    return wayOn(broken, { oldest, continuous: this.#continuous, nextHeader });
  }

  /** Nothing was acknowledged from `at` on. */
  *#end(
    found: Found,
    at: number,
    remainsEnd: number,
    unused: readonly number[],
  ): Generator<ScanEvent, void> {
    const { id, short } = this.#segment;
    if (!(yield* this.#problems(this.#replay.finish(at)))) return;
    if (this.#retires && short) yield this.#loss("short", id, "what it held last may be lost");
    if (this.#retires && (short || !this.#proved)) {
      yield* this.#endInNewSegment(unused);
      return;
    }
    for (const one of unused) yield this.#finding("unlinked", one, 0, {});
    const detail = `after batch ${this.#sequence}`;
    yield this.#finding(found, id, at, { detail, remainsEnd });
  }

  /**
   * The log's last segment cannot be written, or what stands behind its last batch proves damage before it and must stay. A new segment goes by
   * an id that leaves a gap, so that later starts know as well.
   */
  *#endInNewSegment(unused: readonly number[]): Generator<ScanEvent, void> {
    for (const id of unused) {
      const handle = this.#files.openSync(pathOf(this.#directory, segmentFile(id)), "read");
      const size = handle.sizeSync();
      handle.closeSync();
      yield this.#segmentEvent(id, size);
    }
    const newSegment = must(this.#ids.at(-1)) + 2;
    const detail = `after batch ${this.#sequence}, to go on in ${segmentFile(newSegment)}`;
    yield { ...this.#finding("nothing", this.#segment.id, 0, { detail }), newSegment };
  }

  /** Records that may have been of any group are gone; the next batch is one of a segment that nothing links to. */
  #loss(found: Found, segment: number, detail: string): Finding {
    const finding = this.#passing(found, segment, 0, detail);
    this.#replay.loseAll(finding.text);
    this.#continuous = false;
    return finding;
  }

  /** The next segment that is there. */
  #after(id: number): number | undefined {
    return this.#ids.find((other) => other > id);
  }

  #source(id: number, length: number): SegmentSource {
    const window = new FileWindow(must(this.#open), length);
    return { window, length, segment: id, salt: this.#salt };
  }

  #segmentEvent(id: number, length: number): ScannedSegment {
    const sequence = Math.max(0, this.#sequence - 1);
    const header = { version: formatVersion, length, id, sequence, nodeId: this.#nodeId ?? 0 };
    return { type: "segment", file: segmentFile(id), header };
  }

  /** Damage that the scan goes on behind. */
  #passing(found: Found, segment: number, offset: number, detail: string): Finding {
    return { ...this.#finding(found, segment, offset, { evidence: true, detail }), goesOn: true };
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
    const place = { file, segment, offset, remainsEnd: given.remainsEnd ?? 0 };
    return { type: "finding", row, text, ...place, goesOn: false, newSegment: undefined };
  }
}
