/**
 * UUIDs (RFC 9562) as 16 bytes and as the 36 characters of their text. Every request carries one as a key and often one as its id, so
 * parsing goes from the bytes of the wire to the bytes of the log by table, without a string between them.
 */

import type { Random } from "./random.ts";

/** Bytes of a UUID. */
export const uuidBytes = 16;

/** Characters of a UUID's text, hyphens included. */
export const uuidTextBytes = 36;

const hyphen = 0x2d;

/** The value of each hexadecimal digit by its character; -1 for all other characters. */
const digitValues = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  digitValues[digit.charCodeAt(0)] = value;
  digitValues[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Where in the text the first digit of each byte stands: `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`. */
const digitOffsets = Uint8Array.of(0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34);

/** Two lowercase digits for each byte. */
const byteTexts = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/**
 * Reads the 36 characters at `offset` of `source`, digits of either case, into the 16 bytes at `targetOffset` of `target`. False if they
 * are not a UUID's text or `source` ends before; the 16 bytes of the target are then of no meaning. Any version and variant passes.
 */
export function parseUuid(
  source: Uint8Array,
  offset: number,
  target: Uint8Array,
  targetOffset: number,
): boolean {
  if (source.length - offset < uuidTextBytes) return false;
  if (source[offset + 8] !== hyphen || source[offset + 13] !== hyphen) return false;
  if (source[offset + 18] !== hyphen || source[offset + 23] !== hyphen) return false;
  // A digit that is none makes its byte negative, and the sign survives the union of all bytes.
  let union = 0;
  for (let i = 0; i < uuidBytes; i++) {
    const at = offset + (digitOffsets[i] ?? 0);
    const high = digitValues[source[at] ?? 0] ?? -1;
    const low = digitValues[source[at + 1] ?? 0] ?? -1;
    const byte = (high << 4) | low;
    union |= byte;
    target[targetOffset + i] = byte;
  }
  return union >= 0;
}

/** The 16 bytes at `offset` as lowercase text. */
export function formatUuid(bytes: Uint8Array, offset = 0): string {
  let text = "";
  for (let i = 0; i < uuidBytes; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += byteTexts[bytes[offset + i] ?? 0] ?? "";
  }
  return text;
}

/** Whether the 16 bytes at `offset` are of version 4 (random) and of the variant of RFC 9562 (§5.4, §4.1). */
export function isUuidV4(bytes: Uint8Array, offset = 0): boolean {
  return hasVersion(bytes, offset, 4);
}

/** Whether the 16 bytes at `offset` are of version 7 (time-ordered) and of the variant of RFC 9562 (§5.7, §4.1). */
export function isUuidV7(bytes: Uint8Array, offset = 0): boolean {
  return hasVersion(bytes, offset, 7);
}

/** The `unix_ts_ms` of the version 7 UUID at `offset`: milliseconds since 1970-01-01 UTC, 48 bits (§5.7). */
export function uuidV7Ms(bytes: Uint8Array, offset = 0): number {
  let ms = 0;
  for (let i = 0; i < 6; i++) ms = ms * 256 + (bytes[offset + i] ?? 0);
  return ms;
}

/** A new UUID of version 7 for the time `ms` (milliseconds since 1970-01-01 UTC, below 2^48), the other 74 bits random (§5.7). */
export function makeUuidV7(ms: number, random: Random): Uint8Array {
  const bytes = randomUuidBytes(random, 7);
  let rest = ms;
  for (let i = 5; i >= 0; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

/** A new UUID of version 4, 122 bits random (§5.4). */
export function makeUuidV4(random: Random): Uint8Array {
  return randomUuidBytes(random, 4);
}

function randomUuidBytes(random: Random, version: number): Uint8Array {
  const bytes = new Uint8Array(uuidBytes);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < uuidBytes; i += 4) view.setUint32(i, random.u32());
  bytes[6] = (version << 4) | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return bytes;
}

function hasVersion(bytes: Uint8Array, offset: number, version: number): boolean {
  const versionByte = bytes[offset + 6] ?? 0;
  const variantByte = bytes[offset + 8] ?? 0;
  return versionByte >> 4 === version && variantByte >> 6 === 0b10;
}
