/**
 * A batch: what one log entry holds. One format for every engine.
 *
 *      0  u8   format version (1)
 *      1  u8   zero
 *      2  u16  zero
 *      4  u32  number of operations
 *      8  u64  writer: this run of the node that made it
 *     16  u64  sequence: +1 for each batch of the writer in this partition
 *     24  u64  timestamp: log time in ms since 1970
 *     32  u32  seed: the randomness of its operations
 *     36  u32  zero
 *     40       operations (machines/operation.ts)
 */
import { assert } from "../base/assert.ts";
import { readU64 } from "../base/bytes.ts";
import { TrubaError } from "../base/errors.ts";

export const batchHeaderBytes = 40;
const formatVersion = 1;

export interface BatchHeader {
  readonly writer: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly seed: number;
  readonly count: number;
}

/** Fills in the header at the start of a batch, room for which was left. */
export function writeBatchHeader(
  batch: Buffer,
  header: Omit<BatchHeader, "count">,
  count: number,
): void {
  assert(count > 0, "a batch holds at least one operation");
  putU32(batch, formatVersion, 0);
  putU32(batch, count, 4);
  putU64(batch, header.writer, 8);
  putU64(batch, header.sequence, 16);
  putU64(batch, header.timestamp, 24);
  putU32(batch, header.seed, 32);
  putU32(batch, 0, 36);
}

/** Plain stores: a turn writes a header for every partition, and Buffer's own writers check each number again. */
function putU32(target: Buffer, value: number, at: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}

function putU64(target: Buffer, value: number, at: number): void {
  putU32(target, value >>> 0, at);
  putU32(target, Math.floor(value / 0x1_0000_0000), at + 4);
}

/** Reads the header of a batch that came from the log. Throws DATAVERSION for a format this version does not know. */
export function readBatchHeader(batch: Buffer): BatchHeader {
  const version = batch.readUInt32LE(0);
  if (version !== formatVersion) {
    throw new TrubaError(
      "DATAVERSION",
      `a batch has format ${version}; this version of Truba reads format ${formatVersion}`,
    );
  }
  return {
    count: batch.readUInt32LE(4),
    writer: readU64(batch, 8),
    sequence: readU64(batch, 16),
    timestamp: readU64(batch, 24),
    seed: batch.readUInt32LE(32),
  };
}
