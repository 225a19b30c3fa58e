/**
 * Reading batches where they should stand, and, where one does not, looking for what is left of it and for later evidence:
 * the two questions that the recovery table asks.
 */
import { checksum } from "../base/checksum.ts";
import {
  decodeIdentity,
  decodeRecordHeader,
  formatVersion,
  hasWholeBody,
  identityBytes,
  identityStart,
  isKind,
  kinds,
  recordBytes,
  recordHeaderBytes,
  recordMagic,
  voteBytes,
} from "./format.ts";
import type { Place, RecordHeader } from "./format.ts";
import type { FileWindow } from "./segment.ts";

/** A record as a scan found it. */
export interface ScannedRecord extends RecordHeader {
  /** Where its header starts in the segment. */
  readonly offset: number;
  /** A copy; absent for entries unless the scan was asked for them. */
  readonly body: Buffer | undefined;
  /** What is known of it comes from its commit record, and that is not all of it. */
  readonly damaged?: boolean;
}

/** The segment that is being read. */
export interface SegmentSource extends Place {
  readonly window: FileWindow;
  readonly length: number;
}

export type Walked =
  | {
      readonly state: "whole";
      readonly sequence: number;
      /** The byte after the commit record. */
      readonly end: number;
      readonly records: readonly ScannedRecord[];
    }
  | { readonly state: "newer"; readonly offset: number; readonly detail: string }
  | {
      readonly state: "broken";
      /** Where it breaks off, and why. */
      readonly offset: number;
      readonly detail: string;
      /** Whole records before that. */
      readonly records: readonly ScannedRecord[];
    };

/** Reads the batch that should start at `start`. */
export function walkBatch(source: SegmentSource, start: number, entryBodies: boolean): Walked {
  const records: ScannedRecord[] = [];
  const identities = new IdentityList();
  let at = start;
  for (;;) {
    const bytes = source.window.view(at, recordHeaderBytes);
    const header = decodeRecordHeader(bytes, 0, source, at);
    if (header === undefined) return broken("no valid record header");
    if (header.version > formatVersion || !isKind(header.kind)) {
      const detail = `format version ${header.version}, record kind ${header.kind}`;
      return { state: "newer", offset: at, detail };
    }
    if (header.kind !== kinds.commit) identities.addHeader(bytes);
    if (at + recordBytes(header.bodyBytes) > source.length) return broken("the body is cut off");
    const body = source.window.view(at + recordHeaderBytes, header.bodyBytes);
    if (body.length < header.bodyBytes) return broken("the body is cut off");
    if (checksum(body) !== header.bodyChecksum) return broken("the body's checksum is wrong");
    const end = at + recordBytes(header.bodyBytes);
    if (header.kind === kinds.commit) {
      if (header.term !== at - start || header.group !== records.length)
        return broken("the commit record does not fit the batch before it");
      if (!identities.equals(body))
        return broken("a record header differs from its copy in the commit record");
      return { state: "whole", sequence: header.index, end, records };
    }
    if (hasWholeBody(header.kind)) {
      if (body.length !== voteBytes) return broken("a vote is not 8 bytes long");
      identities.addBody(body);
    }
    const kept = header.kind !== kinds.entry || entryBodies;
    records.push({ ...header, offset: at, body: kept ? Buffer.from(body) : undefined });
    at = end;
  }

  function broken(detail: string): Walked {
    return { state: "broken", offset: at, detail, records };
  }
}

/** What a commit record says was in its batch. */
export interface CommittedRecord extends RecordHeader {
  readonly offset: number;
  /** Bytes 4..55 of its header. */
  readonly identity: Buffer;
  /** Of a hard state or removal. */
  readonly wholeBody: Buffer | undefined;
}

export interface Survey {
  /** The valid commit record of the very batch that was expected: its place, its end, and what it says was there. */
  readonly own:
    | { readonly offset: number; readonly end: number; readonly records: CommittedRecord[] }
    | undefined;
  /** Something valid, of this segment, stands behind the end of the expected batch. */
  readonly beyond: boolean;
  /** A valid header before the first of the later batches. */
  readonly anything: boolean;
  /** Commit records with a higher sequence. */
  readonly laterBatches: number;
  readonly laterRecords: number;
  /** The highest sequence of them; 0 if there are none. */
  readonly laterSequence: number;
  /** The first of them that begins at or behind the place that was asked about. */
  readonly next: { readonly start: number; readonly sequence: number } | undefined;
  /** The byte after everything valid that was found; the start if nothing was. */
  readonly end: number;
}

/** Looks at all of the segment from `start` on, for what only stands there if a batch was written. */
export function survey(source: SegmentSource, start: number, expectedSequence: number): Survey {
  let own: Survey["own"];
  let beyond = false;
  let first = Infinity;
  let laterStart = Infinity;
  let laterBatches = 0;
  let laterRecords = 0;
  let laterSequence = 0;
  let next: Survey["next"];
  let end = start;
  for (const found of findHeaders(source, start)) {
    const { header, offset } = found;
    first = Math.min(first, offset);
    if (own !== undefined && offset >= own.end) beyond = true;
    end = Math.max(end, Math.min(offset + recordBytes(header.bodyBytes), source.length));
    if (header.kind !== kinds.commit) continue;
    if (header.index > expectedSequence) {
      laterStart = Math.min(laterStart, offset - header.term);
      laterBatches += 1;
      laterRecords += header.group;
      laterSequence = Math.max(laterSequence, header.index);
      const from = offset - header.term;
      if (next === undefined && from >= start) next = { start: from, sequence: header.index };
    } else if (header.index === expectedSequence && offset - header.term === start) {
      const body = source.window.view(offset + recordHeaderBytes, header.bodyBytes);
      if (body.length !== header.bodyBytes || checksum(body) !== header.bodyChecksum) continue;
      const records = committedRecords(body, start);
      own = { offset, end: offset + recordBytes(header.bodyBytes), records };
    }
  }
  const anything = first < laterStart;
  return { own, beyond, anything, laterBatches, laterRecords, laterSequence, next, end };
}

/** The first record of a committed batch that is not there as its commit record says. */
export function firstDamaged(
  source: SegmentSource,
  records: readonly CommittedRecord[],
): CommittedRecord | undefined {
  return records.find((record) => !headerStands(source, record) || !bodyOf(source, record));
}

/**
 * The records of a committed batch of which some are damaged. A record without a body, a hard state and a removal stand whole in the commit
 * record; of the rest those are damaged whose body is, and entries whose header is, because entries are read from their place.
 */
export function recoverBatch(
  source: SegmentSource,
  records: readonly CommittedRecord[],
  entryBodies: boolean,
): ScannedRecord[] {
  return records.map((record): ScannedRecord => {
    const isEntry = record.kind === kinds.entry;
    const body = record.wholeBody ?? bodyOf(source, record);
    const damaged = body === undefined || (isEntry && !headerStands(source, record));
    const kept = body !== undefined && (!isEntry || entryBodies);
    return { ...record, body: kept ? Buffer.from(body) : undefined, damaged };
  });
}

/** Whether the record's header stands at its place as its commit record repeats it. */
function headerStands(source: SegmentSource, record: CommittedRecord): boolean {
  const bytes = source.window.view(record.offset, recordHeaderBytes);
  if (decodeRecordHeader(bytes, 0, source, record.offset) === undefined) return false;
  return bytes.subarray(identityStart, identityStart + identityBytes).equals(record.identity);
}

/** The record's body, if it is right; valid until the window moves. */
function bodyOf(source: SegmentSource, record: CommittedRecord): Buffer | undefined {
  const body = source.window.view(record.offset + recordHeaderBytes, record.bodyBytes);
  const right = body.length === record.bodyBytes && checksum(body) === record.bodyChecksum;
  return right ? body : undefined;
}

const surveyBytes = 1_048_576;

/** Every valid record header of this segment at or after `start`, wherever it stands. */
function* findHeaders(
  source: SegmentSource,
  start: number,
): Generator<{ header: RecordHeader; offset: number }> {
  let position = start;
  while (position + recordHeaderBytes <= source.length) {
    const bytes = source.window.view(position, surveyBytes);
    if (bytes.length < recordHeaderBytes) return;
    // What is found is collected first: whoever asks may move the window.
    const found: { header: RecordHeader; offset: number }[] = [];
    let at = bytes.indexOf(recordMagic);
    while (at >= 0 && at + recordHeaderBytes <= bytes.length) {
      const offset = position + at;
      const header = offset % 8 === 0 ? decodeRecordHeader(bytes, at, source, offset) : undefined;
      if (header !== undefined) found.push({ header, offset });
      at = bytes.indexOf(recordMagic, at + 1);
    }
    // A header that the end of this view cuts is seen whole in the next.
    position += surveyBytes - recordHeaderBytes + 8;
    yield* found;
    if (bytes.length < surveyBytes) return;
  }
}

function committedRecords(body: Buffer, start: number): CommittedRecord[] {
  const records: CommittedRecord[] = [];
  let offset = start;
  for (let at = 0; at + identityBytes <= body.length;) {
    const header = decodeIdentity(body, at);
    const identity = Buffer.from(body.subarray(at, at + identityBytes));
    at += identityBytes;
    let wholeBody: Buffer | undefined;
    if (hasWholeBody(header.kind)) {
      wholeBody = Buffer.from(body.subarray(at, at + voteBytes));
      at += voteBytes;
    }
    records.push({ ...header, offset, identity, wholeBody });
    offset += recordBytes(header.bodyBytes);
  }
  return records;
}

/** Builds what a commit record's body must be from the headers that are read. */
class IdentityList {
  #bytes = Buffer.allocUnsafe(1_024);
  #length = 0;

  addHeader(header: Buffer): void {
    this.#add(header, identityStart, identityBytes);
  }

  addBody(body: Buffer): void {
    this.#add(body, 0, voteBytes);
  }

  equals(body: Buffer): boolean {
    return this.#bytes.subarray(0, this.#length).equals(body);
  }

  #add(source: Buffer, from: number, bytes: number): void {
    if (this.#length + bytes > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(this.#bytes.length * 2);
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    source.copy(this.#bytes, this.#length, from, from + bytes);
    this.#length += bytes;
  }
}
