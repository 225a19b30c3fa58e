/** Reads entries back from segments, for followers, replay and repair. Every read checks the checksums again. */
import { assert } from "../base/assert.ts";
import { checksum } from "../base/checksum.ts";
import { TrubaError } from "../base/errors.ts";
import { decodeRecordHeader, kinds, recordBytes, recordHeaderBytes } from "./format.ts";
import type { GroupLog } from "./group.ts";
import type { Segment } from "./segment.ts";

export interface WalEntry {
  readonly index: number;
  readonly term: number;
  /** The caller's. Entries that were read together may share one piece of memory. */
  readonly body: Buffer;
}

/** How much is read at once, while several entries are wanted. */
const readAheadBytes = 65_536;

export class EntryReader {
  readonly #segmentOf: (id: number) => Segment;
  readonly #salt: number;

  constructor(segmentOf: (id: number) => Segment, salt: number) {
    this.#segmentOf = segmentOf;
    this.#salt = salt;
  }

  /**
   * Entries from `fromIndex` on, without a gap, as many as `maxBytes` of bodies allow, and at least one if there is one. Throws TrubaError
   * DATADAMAGED when what stands on disk is not the entry.
   */
  read(group: GroupLog, fromIndex: number, maxBytes: number): WalEntry[] {
    assert(fromIndex >= group.firstIndex, `index ${fromIndex} of group ${group.id} is trimmed`);
    const entries: WalEntry[] = [];
    const piece = new Piece();
    let bytes = 0;
    for (let index = fromIndex; index <= group.lastIndex; index++) {
      const segment = this.#segmentOf(group.entries.segmentOf(index));
      const offset = group.entries.offsetOf(index);
      const ahead = Math.min(maxBytes - bytes + recordHeaderBytes, readAheadBytes);
      const entry = this.#entry(piece, segment, offset, ahead, group.id, index);
      bytes += entry.body.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(entry);
      if (bytes >= maxBytes) break;
    }
    return entries;
  }

  #entry(
    piece: Piece,
    segment: Segment,
    offset: number,
    ahead: number,
    group: number,
    index: number,
  ): WalEntry {
    const place = { segment: segment.id, salt: this.#salt };
    const head = piece.view(segment, offset, recordHeaderBytes, ahead);
    const header = decodeRecordHeader(head, 0, place, offset);
    if (
      header === undefined ||
      header.kind !== kinds.entry ||
      header.group !== group ||
      header.index !== index
    ) {
      throw damaged("its header is not there", segment, offset, group, index);
    }
    const whole = piece.view(segment, offset, recordBytes(header.bodyBytes), ahead);
    const body = whole.subarray(recordHeaderBytes, recordHeaderBytes + header.bodyBytes);
    if (body.length !== header.bodyBytes || checksum(body) !== header.bodyChecksum)
      throw damaged("its checksum is wrong", segment, offset, group, index);
    return { index, term: header.term, body };
  }
}

function damaged(
  what: string,
  segment: Segment,
  offset: number,
  group: number,
  index: number,
): TrubaError {
  return new TrubaError(
    "DATADAMAGED",
    `the write-ahead log is damaged: entry ${index} of group ${group}, ${segment.path} at offset ${offset}: ${what}`,
  );
}

/** The last piece that was read. A new one is new memory, because entries keep the old. */
class Piece {
  #segment = 0;
  #start = 0;
  #bytes = Buffer.alloc(0);

  view(segment: Segment, offset: number, bytes: number, ahead: number): Buffer {
    const from = offset - this.#start;
    if (segment.id !== this.#segment || from < 0 || from + bytes > this.#bytes.length) {
      const wanted = Math.min(Math.max(bytes, ahead), segment.length - offset);
      const memory = Buffer.allocUnsafeSlow(wanted);
      this.#bytes = memory.subarray(0, segment.reader.readSync(memory, offset));
      this.#segment = segment.id;
      this.#start = offset;
      return this.#bytes.subarray(0, bytes);
    }
    return this.#bytes.subarray(from, from + bytes);
  }
}
