/**
 * The bytes of a run file, drawn in docs/checkpoint-format.md; no other file knows them.
 *
 *     header 32 | block: header 24, rows | block … | footer 48
 *
 * What may be anything in a damaged file is checked before it is believed: first the checksum, then the version, then the rest.
 */
import { assert } from "../base/assert.ts";
import { readU64, writeU64 } from "../base/bytes.ts";
import { checksum } from "../base/checksum.ts";
import { TrubaError } from "../base/errors.ts";

export const runFormatVersion = 1;
export const runHeaderBytes = 32;
export const blockHeaderBytes = 24;
export const runFooterBytes = 48;
/** What a row takes beside its key and body. The live bytes of a partition are counted with it. */
export const runRowHeaderBytes = 10;
/** In the place of the body's length: the row is deleted. */
export const deletedBody = 0xffff_ffff;
export const keyMaxBytes = 255;
export const tableMaxNumber = 255;

const runMagic = Buffer.from("TRUBARUN", "latin1");
const blockMagic = 0x4b4c_4254;
const footerMagic = 0x544f_4f46;

/**
 * Rows of one checkpoint, in the order of (table, order hash, key), each key at most once. `next()` moves to the next row;
 * the fields are valid until it is called again. Key and body may lie apart in `source`; where the body follows the key, copying is cheaper.
 */
export interface RowSource {
  next(): boolean;
  /** 0 to 255. */
  readonly table: number;
  /** {@link orderHash} of the key. */
  readonly orderHash: number;
  readonly source: Buffer;
  readonly keyStart: number;
  /** 0 to 255. */
  readonly keyBytes: number;
  readonly bodyStart: number;
  readonly bodyBytes: number;
  /** The key is gone; there is no body. */
  readonly deleted: boolean;
}

/** Takes one row of a run. The buffer is valid until it returns. */
export type RowSink = (
  table: number,
  buffer: Buffer,
  keyStart: number,
  keyBytes: number,
  bodyStart: number,
  bodyBytes: number,
  deleted: boolean,
) => void;

/** What a manifest says of a run. */
export interface RunInfo {
  readonly id: number;
  /** A base stands alone and holds no deletions; a delta counts over all that is older. */
  readonly kind: "base" | "delta";
  /** Rows, deletions included. */
  readonly rows: number;
  /** Length of the file. */
  readonly bytes: number;
  /** The checksum that ends the file; it covers, through those below it, every byte of rows. */
  readonly checksum: number;
}

/** Directory, beside the runs of a partition, of those of another copy that arrive. */
export const incomingName = "incoming";

/** FNV-1a, 32 bit, of the key: the order of rows within a table. */
export function orderHash(source: Uint8Array, start: number, bytes: number): number {
  let hash = 0x811c_9dc5;
  for (let i = start; i < start + bytes; i++)
    hash = Math.imul(hash ^ (source[i] as number), 0x0100_0193);
  return hash >>> 0;
}

/** `00000012.run`. */
export function runFileName(id: number): string {
  return `${String(id).padStart(8, "0")}.run`;
}

/** The id in a run's file name; `undefined` if it is no such name. */
export function runIdOf(fileName: string): number | undefined {
  const digits = /^(\d{8,15})\.run$/.exec(fileName)?.[1];
  if (digits === undefined) return undefined;
  const id = Number(digits);
  return runFileName(id) === fileName ? id : undefined;
}

/** The error for a file that is not what it was when it was written. */
export function damaged(path: string, what: string, cause?: unknown): TrubaError {
  return new TrubaError("DATADAMAGED", `${path}: ${what}`, { cause });
}

export interface RunIdentity {
  readonly id: number;
  readonly partition: number;
}

export function writeRunHeader(target: Buffer, { id, partition }: RunIdentity): void {
  runMagic.copy(target, 0);
  target.writeUInt32LE(runFormatVersion, 8);
  target.writeUInt32LE(partition, 12);
  writeU64(target, id, 16);
  target.writeUInt32LE(0, 24);
  target.writeUInt32LE(checksum(target.subarray(0, 28)), 28);
}

/** Throws TrubaError DATADAMAGED or DATAVERSION unless the bytes are the header of this run. */
export function checkRunHeader(bytes: Buffer, path: string, { id, partition }: RunIdentity): void {
  assert(bytes.length === runHeaderBytes, "a run header has its length");
  if (
    checksum(bytes.subarray(0, 28)) !== bytes.readUInt32LE(28) ||
    !bytes.subarray(0, 8).equals(runMagic)
  ) {
    throw damaged(path, "offset 0: the header of the run file is damaged");
  }
  const version = bytes.readUInt32LE(8);
  if (version !== runFormatVersion) {
    throw new TrubaError(
      "DATAVERSION",
      `${path}: run format ${version}; this version reads ${runFormatVersion}`,
    );
  }
  if (bytes.readUInt32LE(12) !== partition) {
    throw damaged(
      path,
      `offset 12: a run of partition ${bytes.readUInt32LE(12)}, not of ${partition}`,
    );
  }
  if (readU64(bytes, 16) !== id)
    throw damaged(path, `offset 16: this is run ${readU64(bytes, 16)}, not ${id}`);
}

export interface BlockHeader {
  /** Bytes of rows that follow the header. */
  readonly bytes: number;
  readonly rows: number;
  /** From 0. */
  readonly number: number;
  /** Of the rows. */
  readonly checksum: number;
}

export function writeBlockHeader(target: Buffer, offset: number, header: BlockHeader): void {
  target.writeUInt32LE(blockMagic, offset);
  target.writeUInt32LE(header.bytes, offset + 4);
  target.writeUInt32LE(header.rows, offset + 8);
  target.writeUInt32LE(header.number, offset + 12);
  target.writeUInt32LE(header.checksum, offset + 16);
  target.writeUInt32LE(checksum(target.subarray(offset, offset + 20)), offset + 20);
}

/** The header at `offset`; `undefined` if it is damaged. */
export function readBlockHeader(source: Buffer, offset: number): BlockHeader | undefined {
  if (source.readUInt32LE(offset) !== blockMagic) return undefined;
  if (checksum(source.subarray(offset, offset + 20)) !== source.readUInt32LE(offset + 20))
    return undefined;
  return {
    bytes: source.readUInt32LE(offset + 4),
    rows: source.readUInt32LE(offset + 8),
    number: source.readUInt32LE(offset + 12),
    checksum: source.readUInt32LE(offset + 16),
  };
}

export interface RunFooter {
  readonly blocks: number;
  readonly rows: number;
  /** Of the file, this footer included. */
  readonly bytes: number;
  readonly id: number;
  /** Over the checksums of the rows of all blocks, 4 bytes each, in order. */
  readonly blocksChecksum: number;
}

/** Writes the footer and returns the checksum that ends it. */
export function writeRunFooter(target: Buffer, offset: number, footer: RunFooter): number {
  target.writeUInt32LE(footerMagic, offset);
  target.writeUInt32LE(footer.blocks, offset + 4);
  writeU64(target, footer.rows, offset + 8);
  writeU64(target, footer.bytes, offset + 16);
  writeU64(target, footer.id, offset + 24);
  target.writeUInt32LE(footer.blocksChecksum, offset + 32);
  target.fill(0, offset + 36, offset + 44);
  const sum = checksum(target.subarray(offset, offset + 44));
  target.writeUInt32LE(sum, offset + 44);
  return sum;
}

/** The footer; throws TrubaError DATADAMAGED unless it is whole and that of the run which the manifest names. */
export function readRunFooter(bytes: Buffer, path: string, expected: RunInfo): RunFooter {
  assert(bytes.length === runFooterBytes, "a run footer has its length");
  const offset = expected.bytes - runFooterBytes;
  const sum = checksum(bytes.subarray(0, 44));
  if (sum !== bytes.readUInt32LE(44) || bytes.readUInt32LE(0) !== footerMagic) {
    throw damaged(path, `offset ${offset}: the footer of the run file is damaged`);
  }
  const footer: RunFooter = {
    blocks: bytes.readUInt32LE(4),
    rows: readU64(bytes, 8),
    bytes: readU64(bytes, 16),
    id: readU64(bytes, 24),
    blocksChecksum: bytes.readUInt32LE(32),
  };
  const same =
    sum === expected.checksum &&
    footer.id === expected.id &&
    footer.rows === expected.rows &&
    footer.bytes === expected.bytes;
  if (!same)
    throw damaged(
      path,
      `offset ${offset}: the footer is whole but not that of the run which the manifest names`,
    );
  return footer;
}
