import { crc32 } from "node:zlib";

/** Keeps the checksum of nothing, and of zeros, from being what an empty disk holds. */
const mask = 0x5452_5542;

/** CRC-32 (ISO-HDLC) of the bytes, masked. 32 bits, unsigned. */
export function checksum(bytes: Uint8Array): number {
  return (crc32(bytes) ^ mask) >>> 0;
}

/** The checksum of what `previous` covers followed by `bytes`; start with {@link checksum} of the first piece. */
export function checksumNext(previous: number, bytes: Uint8Array): number {
  return (crc32(bytes, (previous ^ mask) >>> 0) ^ mask) >>> 0;
}
