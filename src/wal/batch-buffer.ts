/**
 * One batch while it is being built: what is staged is encoded at once, where it will be written from. The place in the log is
 * known only when the batch is written, so `finish` fills in segment and offset, the header checksums and the commit record.
 *
 * Hot: about ten records per batch, thousands of batches per second. No objects per record.
 */
import { assert } from "../base/assert.ts";
import { roundUp } from "../base/bytes.ts";
import { checksum } from "../base/checksum.ts";
import {
  commitBytes,
  formatVersion,
  hasWholeBody,
  identityBytes,
  identityStart,
  kinds,
  recordBytes,
  recordHeaderBytes,
  recordMagicNumber,
  voteBytes,
} from "./format.ts";
import type { Kind } from "./format.ts";

/** Where a batch goes. */
export interface BatchPlace {
  readonly segment: number;
  readonly offset: number;
  readonly sequence: number;
  readonly salt: number;
}

/** Whom a record belongs to: told when it has become durable. */
export interface RecordOwner {
  readonly id: number;
  applyEntry(index: number, term: number, segment: number, offset: number): void;
  /** Any other kind. `body` is the batch's memory: what is kept must be copied. */
  apply(kind: number, index: number, term: number, body: Buffer): void;
}

const noBody = new Uint8Array(0);
const high32 = 0x1_0000_0000;

export class BatchBuffer {
  #bytes: Buffer;
  #view: DataView;
  /** Where each record starts. */
  #starts = new Uint32Array(64);
  /** Whose record it is, to be told when it is durable. */
  readonly #groups: (RecordOwner | undefined)[] = [];
  #length = 0;
  #count = 0;
  #wholeBodies = 0;
  #frees = false;

  constructor(capacityBytes: number) {
    this.#bytes = Buffer.alloc(capacityBytes);
    this.#view = viewOf(this.#bytes);
  }

  /** Records staged. */
  get count(): number {
    return this.#count;
  }

  /** Bytes that the batch takes in the log as it stands, its commit record included. */
  get encodedBytes(): number {
    return this.#length + commitBytes(this.#count, this.#wholeBodies);
  }

  /** Whether a record makes earlier entries unneeded, so that segments may become free. */
  get frees(): boolean {
    return this.#frees;
  }

  get capacityBytes(): number {
    return this.#bytes.length;
  }

  clear(): void {
    this.#length = 0;
    this.#count = 0;
    this.#wholeBodies = 0;
    this.#frees = false;
    this.#groups.length = 0;
  }

  /** Copies one record in. `group` is undefined for records of the log itself. */
  stage(
    kind: Kind,
    group: RecordOwner | undefined,
    index: number,
    term: number,
    body: Uint8Array = noBody,
    flags = 0,
  ): void {
    const start = this.#length;
    const end = start + recordBytes(body.length);
    this.#reserve(end);
    const view = this.#view;
    view.setUint32(start, recordMagicNumber, true);
    view.setUint32(start + 4, formatVersion | (kind << 8) | (flags << 16), true);
    view.setUint32(start + 8, group === undefined ? 0 : group.id, true);
    view.setUint32(start + 12, body.length, true);
    setU64(view, start + 16, index);
    setU64(view, start + 24, term);
    view.setUint32(start + 44, checksum(body), true);
    view.setUint32(start + 48, 0, true);
    const bodyStart = start + recordHeaderBytes;
    this.#bytes.set(body, bodyStart);
    for (let at = bodyStart + body.length; at < end; at++) this.#bytes[at] = 0;
    if (this.#count === this.#starts.length) this.#growStarts();
    this.#starts[this.#count] = start;
    this.#groups.push(group);
    this.#count += 1;
    if (hasWholeBody(kind)) this.#wholeBodies += 1;
    if (kind === kinds.trim || kind === kinds.reset || kind === kinds.removed) this.#frees = true;
    this.#length = end;
  }

  /** The bytes to write at `place.offset`. They belong to this buffer; staging more is allowed only after {@link clear}. */
  finish(place: BatchPlace): Buffer {
    const commit = this.#length;
    const total = this.encodedBytes;
    this.#reserve(total);
    const bytes = this.#bytes;
    const view = this.#view;
    let to = commit + recordHeaderBytes;
    for (let i = 0; i < this.#count; i++) {
      const start = this.#starts[i] ?? 0;
      this.#locate(start, place);
      bytes.copy(bytes, to, start + identityStart, start + identityStart + identityBytes);
      to += identityBytes;
      if (!hasWholeBody(bytes[start + 5] ?? 0)) continue;
      bytes.copy(bytes, to, start + recordHeaderBytes, start + recordHeaderBytes + voteBytes);
      to += voteBytes;
    }
    const bodyStart = commit + recordHeaderBytes;
    bytes.fill(0, to, total);
    view.setUint32(commit, recordMagicNumber, true);
    view.setUint32(commit + 4, formatVersion | (kinds.commit << 8), true);
    view.setUint32(commit + 8, this.#count, true);
    view.setUint32(commit + 12, to - bodyStart, true);
    setU64(view, commit + 16, place.sequence);
    setU64(view, commit + 24, commit);
    view.setUint32(commit + 44, checksum(bytes.subarray(bodyStart, to)), true);
    view.setUint32(commit + 48, 0, true);
    this.#locate(commit, place);
    return bytes.subarray(0, total);
  }

  /** Tells each record's group that the batch is durable at `place`. */
  applyTo(place: BatchPlace): void {
    for (let i = 0; i < this.#count; i++) {
      const group = this.#groups[i];
      if (group === undefined) continue;
      const start = this.#starts[i] ?? 0;
      const kind = this.#view.getUint8(start + 5);
      const index = getU64(this.#view, start + 16);
      const term = getU64(this.#view, start + 24);
      if (kind === kinds.entry) {
        group.applyEntry(index, term, place.segment, place.offset + start);
        continue;
      }
      const bodyBytes = this.#view.getUint32(start + 12, true);
      const bodyStart = start + recordHeaderBytes;
      group.apply(kind, index, term, this.#bytes.subarray(bodyStart, bodyStart + bodyBytes));
    }
  }

  #locate(start: number, place: BatchPlace): void {
    const view = this.#view;
    setU64(view, start + 32, place.segment);
    view.setUint32(start + 40, place.offset + start, true);
    const sum = checksum(this.#bytes.subarray(start, start + 52)) ^ place.salt;
    view.setUint32(start + 52, sum >>> 0, true);
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const grown = Buffer.alloc(roundUp(Math.max(bytes, this.#bytes.length * 2), 4_096));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }

  #growStarts(): void {
    const grown = new Uint32Array(this.#starts.length * 2);
    grown.set(this.#starts);
    this.#starts = grown;
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function setU64(view: DataView, at: number, value: number): void {
  assert(Number.isSafeInteger(value), "an index, term or sequence must be a safe integer");
  assert(value >= 0, "an index, term or sequence must not be negative");
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / high32), true);
}

function getU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * high32 + view.getUint32(at, true);
}
