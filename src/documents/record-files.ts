/**
 * Records in files that only grow, one after the other: append, read from any record on. A file is closed when it is full, or when it holds bytes of which nobody knows
 * whether they are whole: the next record then begins a new file, so that nothing is ever written over.
 *
 * What was appended counts only when {@link RecordFiles.commit} has been called, which is when a checkpoint that names it is durable.
 */
import { assert, must } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { systemErrorCode } from "../base/errors.ts";
import type { FileHandle, FileSystem } from "../base/file-system.ts";
import {
  bodyBytesAt,
  checkFileHeader,
  damagedAt,
  decodeRecord,
  encodeFileHeader,
  encodeRecord,
  fileHeaderBytes,
  recordBytes,
  recordFileName,
  recordHeaderBytes,
} from "./record-format.ts";
import type { RecordKind } from "./record-format.ts";

/** As a checkpoint names it. */
export interface RecordSegment {
  readonly file: number;
  /** Number of its first record. */
  readonly first: number;
  readonly records: number;
  /** Up to here the file counts. */
  readonly bytes: number;
  /** When its first and its last record were written, wall clock, ms. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/** A record that was read. */
export interface FoundRecord {
  readonly number: number;
  /** The reader's own. */
  readonly body: Buffer;
}

/** A file takes no more records when it is so large. */
const fileMaxBytes = 16_777_216;
const writeBytes = 262_144;
const readBytes = 262_144;
/** The place of every so-many-th record is remembered once it was passed. */
const markEvery = 128;

export class RecordFiles {
  readonly #files: FileSystem;
  readonly #directory: string;
  readonly #kind: RecordKind;
  readonly #clock: Clock;
  /** Number of the first record while there are none. */
  readonly #begin: number;
  #segments: readonly RecordSegment[];
  /** By file: offsets of its records 0, `markEvery`, 2 `markEvery`, … as far as it was read. */
  readonly #marks = new Map<number, number[]>();
  /** The last file ends where its records end, as far as this process knows. */
  #tidy: boolean;
  #nextFile: number;

  /** `nextFile`: no file with this number or a larger one is there. `begin`: number of the first record of all, unless history before it was given up. */
  constructor(parts: {
    files: FileSystem;
    clock: Clock;
    directory: string;
    kind: RecordKind;
    begin: number;
    segments: readonly RecordSegment[];
    nextFile: number;
  }) {
    this.#files = parts.files;
    this.#clock = parts.clock;
    this.#begin = parts.begin;
    this.#directory = parts.directory;
    this.#kind = parts.kind;
    this.#segments = parts.segments;
    this.#nextFile = parts.nextFile;
    this.#tidy = this.#endsTidily();
  }

  get segments(): readonly RecordSegment[] {
    return this.#segments;
  }

  /** The lowest record that is here; one above {@link last} when there is none. */
  get first(): number {
    return this.#segments[0]?.first ?? this.#begin;
  }

  get last(): number {
    const segment = this.#segments.at(-1);
    return segment === undefined ? this.#begin - 1 : segment.first + segment.records - 1;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  pathOf(file: number): string {
    return `${this.#directory}/${recordFileName(this.#kind, file)}`;
  }

  /**
   * Writes records behind the last of `segments`, and syncs them and their names. Answers what a checkpoint has to name; to be given to {@link commit} when it is durable. Not to be called
   * again before that or {@link abandon}. Whatever goes wrong, what counted before counts still.
   */
  async append(
    bodies: readonly Uint8Array[],
    segments: readonly RecordSegment[] = this.#segments,
    inNewFile = false,
  ): Promise<readonly RecordSegment[]> {
    if (bodies.length === 0) return segments;
    const goesOn = segments === this.#segments && this.#tidy && !inNewFile;
    this.#tidy = false;
    const made = [...segments];
    let open = goesOn ? made.pop() : undefined;
    const behind = made.at(-1);
    let number =
      open?.first ?? (behind === undefined ? this.#begin : behind.first + behind.records);
    number += open?.records ?? 0;
    for (let from = 0; from < bodies.length;) {
      if (open === undefined || open.bytes >= fileMaxBytes) {
        if (open !== undefined) made.push(open);
        const nowMs = this.#clock.wallMs();
        open = {
          file: this.#nextFile,
          first: number,
          records: 0,
          bytes: 0,
          firstMs: nowMs,
          lastMs: nowMs,
        };
        this.#nextFile++;
      }
      const room = Math.max(1, fileMaxBytes - open.bytes);
      const until = takeUntil(bodies, from, room);
      open = await this.#write(open, bodies.slice(from, until), number);
      number += until - from;
      from = until;
    }
    if (open !== undefined) made.push(open);
    await this.#files.syncDirectory(this.#directory);
    return made;
  }

  /** These count from now on. */
  commit(segments: readonly RecordSegment[]): void {
    this.#segments = segments;
    this.#tidy = true;
    const named = new Set(segments.map(({ file }) => file));
    for (const file of this.#marks.keys()) if (!named.has(file)) this.#marks.delete(file);
  }

  /** The first `count` records, as a checkpoint would name them: what comes behind them is given up. */
  async upTo(count: number): Promise<readonly RecordSegment[]> {
    const kept: RecordSegment[] = [];
    for (const segment of this.#segments) {
      const records = Math.min(segment.records, count - segment.first + 1);
      if (records <= 0) break;
      const bytes =
        records === segment.records
          ? segment.bytes
          : await this.#offsetOf(segment, segment.first + records);
      kept.push({ ...segment, records, bytes });
    }
    return kept;
  }

  /** Records from `number` on, in pieces that were read at once. Throws TrubaError DOCUMENTDAMAGED, naming file and offset. */
  async *scan(number: number): AsyncGenerator<readonly FoundRecord[], void, void> {
    assert(number >= this.first, "records that were given up cannot be read");
    let next = number;
    // Others may be appended meanwhile.
    while (next <= this.last) {
      const segment = must(this.#segments.findLast(({ first }) => first <= next));
      for await (const piece of this.#scanFile(segment, next)) {
        next += piece.length;
        yield piece;
      }
    }
  }

  /** Removes files that no longer count. */
  async remove(segments: readonly RecordSegment[]): Promise<void> {
    const named = new Set(this.#segments.map(({ file }) => file));
    for (const { file } of segments)
      if (!named.has(file)) await this.#files.unlink(this.pathOf(file));
  }

  #endsTidily(): boolean {
    const last = this.#segments.at(-1);
    if (last === undefined || last.file >= this.#nextFile) return false;
    if (last.file !== this.#nextFile - 1) return false;
    try {
      const handle = this.#files.openSync(this.pathOf(last.file), "read");
      const size = handle.sizeSync();
      handle.closeSync();
      return size === last.bytes;
    } catch {
      // Who reads it is told.
      return false;
    }
  }

  async #write(
    segment: RecordSegment,
    bodies: readonly Uint8Array[],
    number: number,
  ): Promise<RecordSegment> {
    const isNew = segment.bytes === 0;
    const handle = this.#files.openSync(this.pathOf(segment.file), isNew ? "create" : "write");
    try {
      let position = segment.bytes;
      if (isNew) {
        await handle.write(encodeFileHeader(this.#kind, segment.first), 0);
        position = fileHeaderBytes;
      }
      for (let from = 0; from < bodies.length;) {
        const until = takeUntil(bodies, from, writeBytes);
        const piece = bodies.slice(from, until);
        const bytes = Buffer.allocUnsafe(piece.reduce((sum, body) => sum + recordBytes(body), 0));
        let at = 0;
        for (const [n, body] of piece.entries())
          at = encodeRecord(bytes, at, number + from + n, body);
        await handle.write(bytes, position);
        position += bytes.length;
        from = until;
      }
      await handle.syncData();
      const lastMs = this.#clock.wallMs();
      return { ...segment, records: segment.records + bodies.length, bytes: position, lastMs };
    } finally {
      handle.closeSync();
    }
  }

  /** Records of one file from `number` on. */
  async *#scanFile(
    segment: RecordSegment,
    from: number,
  ): AsyncGenerator<readonly FoundRecord[], void, void> {
    const handle = this.#open(segment);
    try {
      const marks = this.#marksOf(segment.file);
      const skip = Math.min(Math.floor((from - segment.first) / markEvery), marks.length - 1);
      let number = segment.first + skip * markEvery;
      let offset = must(marks[skip]);
      const end = segment.first + segment.records;
      let wanted = readBytes;
      while (number < end) {
        const bytes = Buffer.allocUnsafeSlow(Math.min(wanted, segment.bytes - offset));
        const got = await handle.read(bytes, offset);
        const piece: FoundRecord[] = [];
        let at = 0;
        wanted = readBytes;
        while (number < end && at < got) {
          if (
            at + recordHeaderBytes > got ||
            at + recordHeaderBytes + bodyBytesAt(bytes, at) > got
          ) {
            // It reaches beyond what was read; or what says so is damaged.
            if (at > 0) break;
            wanted = got < recordHeaderBytes ? 0 : recordHeaderBytes + bodyBytesAt(bytes, at);
            if (wanted <= got || offset + wanted > segment.bytes) wanted = 0;
            break;
          }
          const body = decodeRecord(bytes.subarray(0, got), at, number);
          if (body === undefined) throw this.#damaged(segment, offset + at, number);
          const place = number - segment.first;
          if (place % markEvery === 0 && place / markEvery === marks.length)
            marks.push(offset + at);
          if (number >= from) piece.push({ number, body });
          number++;
          at += recordHeaderBytes + body.length;
        }
        if (wanted === 0 || got === 0) throw this.#damaged(segment, offset, number);
        offset += at;
        if (piece.length > 0) yield piece;
      }
    } finally {
      handle.closeSync();
    }
  }

  /** Where the record of this number begins, which is in the file. */
  async #offsetOf(segment: RecordSegment, number: number): Promise<number> {
    const bodies = { bytes: 0 };
    let offset = fileHeaderBytes;
    for await (const piece of this.#scanFile(segment, segment.first)) {
      for (const found of piece) {
        if (found.number === number) return offset;
        offset += recordBytes(found.body);
        bodies.bytes += found.body.length;
      }
    }
    return offset;
  }

  #open(segment: RecordSegment): FileHandle {
    const path = this.pathOf(segment.file);
    let handle: FileHandle;
    try {
      handle = this.#files.openSync(path, "read");
    } catch (error) {
      if (systemErrorCode(error) !== "ENOENT") throw error;
      throw damagedAt(path, 0, "it is missing");
    }
    try {
      if (!this.#marks.has(segment.file)) {
        const header = Buffer.alloc(fileHeaderBytes);
        handle.readSync(header, 0);
        checkFileHeader(header, path, { kind: this.#kind, first: segment.first });
      }
      return handle;
    } catch (error) {
      handle.closeSync();
      throw error;
    }
  }

  #marksOf(file: number): number[] {
    let marks = this.#marks.get(file);
    if (marks === undefined) {
      marks = [fileHeaderBytes];
      this.#marks.set(file, marks);
    }
    return marks;
  }

  #damaged(segment: RecordSegment, offset: number, number: number): Error {
    return damagedAt(
      this.pathOf(segment.file),
      offset,
      `record ${number} is not there, or its checksum is wrong`,
    );
  }
}

/** The end of as many bodies from `from` on as make `bytes`, at least one. */
function takeUntil(bodies: readonly Uint8Array[], from: number, bytes: number): number {
  let until = from;
  for (let sum = 0; until < bodies.length && (until === from || sum < bytes); until++)
    sum += recordBytes(must(bodies[until]));
  return until;
}
