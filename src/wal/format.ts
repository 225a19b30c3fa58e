/**
 * The bytes of the write-ahead log, as `docs/wal-format.md` draws them. All numbers are little-endian.
 *
 * Segment header (64 bytes)                     Record header (56 bytes)
 *
 *      0  u8[8]  magic "TRUBAWAL"                    0  u32  magic "TWAL"
 *      8  u32    format version                      4  u8   format version
 *     12  u32    segment length                      5  u8   kind
 *     16  u64    segment id                          6  u16  flags: 1 = restated
 *     24  u64    last synced sequence                8  u32  group
 *     32  u64    node id                            12  u32  body length
 *     40  u8[20] zero                               16  u64  index
 *     60  u32    checksum of 0..59                  24  u64  term
 *                                                   32  u64  segment id  } where it stands
 *     Record = header, body, zeros up to 8          40  u32  offset      }
 *     Batch  = records, commit record               44  u32  checksum of the body
 *     Commit body = bytes 4..55 of each header;     48  u32  zero
 *     whole bodies of hard states and removals      52  u32  checksum of 0..51, xor salt
 */
import { asBuffer, readU64, roundUp, writeU64 } from "../base/bytes.ts";
import { checksum } from "../base/checksum.ts";

export const formatVersion = 1;
export const segmentHeaderBytes = 64;
export const recordHeaderBytes = 56;
/** What a commit record repeats of each record's header: all but the magic. */
export const identityBytes = 52;
/** The repeated part starts here. */
export const identityStart = 4;
/** Body of a hard state and of a removal: whom the term's vote went to. */
export const voteBytes = 8;

/** "TWAL" as it stands on disk, to search for. */
export const recordMagic = Buffer.from("TWAL", "latin1");
export const recordMagicNumber = 0x4c41_5754;
const segmentMagic = Buffer.from("TRUBAWAL", "latin1");

/** Record kinds. The numbers are on disk. */
export const kinds = {
  entry: 1,
  hardState: 2,
  reset: 3,
  trim: 4,
  removed: 5,
  commit: 6,
  link: 7,
  last: 8,
  pad: 9,
} as const;

export type Kind = (typeof kinds)[keyof typeof kinds];

const kindNames = new Map<number, string>([
  [kinds.entry, "entry"],
  [kinds.hardState, "hard state"],
  [kinds.reset, "reset"],
  [kinds.trim, "trim"],
  [kinds.removed, "removed"],
  [kinds.commit, "commit"],
  [kinds.link, "link"],
  [kinds.last, "last"],
  [kinds.pad, "pad"],
]);

/** The kind's name for people, or the number when we do not know it. */
export function kindName(kind: number): string {
  return kindNames.get(kind) ?? `kind ${kind}`;
}

export function isKind(kind: number): kind is Kind {
  return kindNames.has(kind);
}

/** Flag of a record that repeats, at the start of a segment, what earlier records said. */
export const restatedFlag = 1;

/** Bytes that a record takes in a segment. */
export function recordBytes(bodyBytes: number): number {
  return recordHeaderBytes + roundUp(bodyBytes, 8);
}

/** Bytes that a commit record takes for its body of identities. */
export function commitBytes(records: number, wholeBodies: number): number {
  return recordBytes(records * identityBytes + wholeBodies * voteBytes);
}

/** What must stay free at a segment's end for the batch that links to the next one. */
export const linkBatchBytes = recordBytes(0) + commitBytes(1, 0);

/**
 * What damage may take at once: a physical sector of today's disks, and a page of the page cache. The commit record of a seal begins in
 * another page than the batch ends that it proves.
 */
export const pageBytes = 4_096;

/** Bytes of the pad before a seal's commit record, when the seal starts at `offset`; undefined when none is needed. */
export function sealPadBytes(offset: number): number | undefined {
  if (offset % pageBytes === 0) return undefined;
  return Math.max(0, roundUp(offset, pageBytes) - offset - recordHeaderBytes);
}

/** Whether the commit record repeats the body of such a record whole. */
export function hasWholeBody(kind: number): boolean {
  return kind === kinds.hardState || kind === kinds.removed;
}

/**
 * What the header checksums of one node's log are xored with: a record of another node's log, or one that somebody stored
 * as a value, does not pass as one of ours.
 */
export function saltOf(nodeId: number): number {
  const bytes = Buffer.alloc(8);
  writeU64(bytes, nodeId, 0);
  return checksum(bytes);
}

export interface SegmentHeader {
  readonly version: number;
  /** Bytes of the whole segment, this header included. */
  readonly length: number;
  readonly id: number;
  /** The last batch that was synced when this header was written; 0 if none. The link batch follows it. */
  readonly sequence: number;
  readonly nodeId: number;
}

export function encodeSegmentHeader(header: Omit<SegmentHeader, "version">): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  segmentMagic.copy(bytes, 0);
  bytes.writeUInt32LE(formatVersion, 8);
  bytes.writeUInt32LE(header.length, 12);
  writeU64(bytes, header.id, 16);
  writeU64(bytes, header.sequence, 24);
  writeU64(bytes, header.nodeId, 32);
  bytes.writeUInt32LE(checksum(bytes.subarray(0, 60)), 60);
  return bytes;
}

/** The header, of whatever version, or `undefined` if the bytes are damaged or none. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < segmentHeaderBytes) return undefined;
  if (bytes.compare(segmentMagic, 0, segmentMagic.length, 0, segmentMagic.length) !== 0)
    return undefined;
  if (bytes.readUInt32LE(60) !== checksum(bytes.subarray(0, 60))) return undefined;
  return {
    version: bytes.readUInt32LE(8),
    length: bytes.readUInt32LE(12),
    id: readU64(bytes, 16),
    sequence: readU64(bytes, 24),
    nodeId: readU64(bytes, 32),
  };
}

/** The part of a record header that says what the record is, wherever it stands. */
export interface RecordHeader {
  readonly version: number;
  /** A {@link Kind}, or a number that a newer version gave a meaning to. */
  readonly kind: number;
  readonly restated: boolean;
  readonly group: number;
  readonly bodyBytes: number;
  readonly index: number;
  readonly term: number;
  readonly bodyChecksum: number;
}

/** A place in the log that a record must name to be believed there. */
export interface Place {
  readonly segment: number;
  readonly salt: number;
}

/**
 * The header at `at` in `bytes`, of whatever version, which stands at `offset` of the segment; `undefined` if it is no header,
 * a damaged one, or one that belongs elsewhere.
 */
export function decodeRecordHeader(
  bytes: Buffer,
  at: number,
  place: Place,
  offset: number,
): RecordHeader | undefined {
  if (at + recordHeaderBytes > bytes.length) return undefined;
  if (bytes.readUInt32LE(at) !== recordMagicNumber) return undefined;
  if (bytes.readUInt32LE(at + 40) !== offset) return undefined;
  if (readU64(bytes, at + 32) !== place.segment) return undefined;
  const expected = (checksum(bytes.subarray(at, at + 52)) ^ place.salt) >>> 0;
  if (bytes.readUInt32LE(at + 52) !== expected) return undefined;
  return decodeIdentity(bytes, at + identityStart);
}

/** The record that a commit record's copy of bytes 4..55 speaks of. */
export function decodeIdentity(bytes: Buffer, at: number): RecordHeader {
  const start = at - identityStart;
  return {
    version: bytes.readUInt8(start + 4),
    kind: bytes.readUInt8(start + 5),
    restated: (bytes.readUInt16LE(start + 6) & restatedFlag) !== 0,
    group: bytes.readUInt32LE(start + 8),
    bodyBytes: bytes.readUInt32LE(start + 12),
    index: readU64(bytes, start + 16),
    term: readU64(bytes, start + 24),
    bodyChecksum: bytes.readUInt32LE(start + 44),
  };
}

/** The body of a hard state or removal. 0 = nobody. */
export function encodeVote(votedFor: number): Buffer {
  const bytes = Buffer.alloc(voteBytes);
  writeU64(bytes, votedFor, 0);
  return bytes;
}

export function decodeVote(body: Uint8Array): number {
  return readU64(asBuffer(body), 0);
}
