import { assert } from "./assert.ts";

/**
 * Whole numbers up to 2^53 - 1 as 8 bytes, little-endian. Log positions, versions and times are such numbers; where a full 64 bits
 * are needed (priorities) `bigint` is used instead.
 */
export function writeU64(target: Buffer, value: number, offset: number): void {
  assert(value >= 0, "a u64 must not be negative");
  assert(Number.isSafeInteger(value), "a u64 must be a safe integer");
  target.writeUInt32LE(value % 0x1_0000_0000, offset);
  target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

/** The number at `offset`; more than 2^53 - 1 reads as Infinity, which no check against a limit lets pass. */
export function readU64(source: Buffer, offset: number): number {
  const high = source.readUInt32LE(offset + 4);
  if (high > 0x1f_ffff) return Infinity;
  return high * 0x1_0000_0000 + source.readUInt32LE(offset);
}

/** A `Buffer` over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (bytes instanceof Buffer) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `value` rounded up to a multiple of `step`, a power of two. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
