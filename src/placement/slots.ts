/**
 * Which partition a key is on: key → slot → partition. Slots are those of Redis Cluster, to the bit, so that its clients and ours
 * compute them alike; partitions own equal ranges of them. This is pure arithmetic that anyone can repeat (`truba where KEY`).
 */

import { assert } from "../base/assert.ts";
import { uuidTextBytes } from "../base/uuid.ts";

/** Slots of a cluster, whatever its number of partitions. */
export const slotsCount = 16_384;

const openBrace = 0x7b;
const closeBrace = 0x7d;

/** The remainder of each byte, for CRC-16/XMODEM: polynomial 0x1021, start 0, not reflected. */
const remainders = new Uint16Array(256);
for (let byte = 0; byte < 256; byte++) {
  let remainder = byte << 8;
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 0x8000 ? (remainder << 1) ^ 0x1021 : remainder << 1;
  }
  remainders[byte] = remainder;
}

/** CRC-16/XMODEM of the bytes from `start` up to `end`. */
export function crc16(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0;
  for (let at = start; at < end; at++) crc = crc16Next(crc, bytes[at] ?? 0);
  return crc;
}

/**
 * The slot of the key that stands in `bytes` from `start` up to `end`. If the key has a `{` and a `}` after it with something between the
 * first of each, only what is between counts (the *tag*); so keys with one tag are on one partition.
 */
export function slotOf(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === openBrace) return slotFromBrace(bytes, start, at, end);
    crc = crc16Next(crc, byte);
  }
  return crc % slotsCount;
}

/**
 * The slot of a UUID's text, 36 characters from `start` on, as if its letters were small: one record has one slot, however its key is written. Digits and hyphens
 * have the bit already that tells small letters from capitals.
 */
export function slotOfUuid(bytes: Uint8Array, start: number): number {
  let crc = 0;
  for (let at = start; at < start + uuidTextBytes; at++)
    crc = crc16Next(crc, (bytes[at] as number) | 0x20);
  return crc % slotsCount;
}

/** The partition, 0 to `partitions - 1`, that owns the slot. */
export function partitionOfSlot(slot: number, partitions: number): number {
  return Math.floor((slot * partitions) / slotsCount);
}

/** A run of slots, both ends included. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
}

/** The slots that `partition` of `partitions` owns. Ranges differ by one slot at most; with more partitions than slots some would be empty. */
export function slotRange(partition: number, partitions: number): SlotRange {
  assert(partitions <= slotsCount, "there must not be more partitions than slots");
  assert(partition >= 0, "a partition's number must not be negative");
  assert(partition < partitions, "a partition's number must be below their count");
  const first = Math.ceil((partition * slotsCount) / partitions);
  const next = Math.ceil(((partition + 1) * slotsCount) / partitions);
  return { first, last: next - 1 };
}

function crc16Next(crc: number, byte: number): number {
  return ((crc << 8) & 0xffff) ^ (remainders[(crc >> 8) ^ byte] ?? 0);
}

/** The slot of a key whose first `{` is at `brace`. */
function slotFromBrace(bytes: Uint8Array, start: number, brace: number, end: number): number {
  let close = brace + 1;
  while (close < end && bytes[close] !== closeBrace) close++;
  const hasTag = close < end && close > brace + 1;
  const crc = hasTag ? crc16(bytes, brace + 1, close) : crc16(bytes, start, end);
  return crc % slotsCount;
}
