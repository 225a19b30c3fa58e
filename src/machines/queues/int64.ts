/** Priorities as 8 bytes, and their differences. Their one form is that of protocol/int64.ts. */
import type { Int64 } from "../../protocol/requests.ts";
import type { OperationReader, OperationWriter } from "../operation.ts";

const wordValues = 0x1_0000_0000;

/** `a - b`, which must be exact as a number. */
export function differenceOf(a: Int64, b: Int64): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return Number(BigInt(a) - BigInt(b));
}

/** 8 bytes, two's complement, little-endian. */
export function writeInt64(writer: OperationWriter, value: Int64): void {
  if (typeof value === "number") {
    writer.u32(value >>> 0);
    writer.u32(Math.floor(value / wordValues) >>> 0);
    return;
  }
  writer.u32(Number(BigInt.asUintN(32, value)));
  writer.u32(Number(BigInt.asUintN(32, value >> 32n)));
}

export function readInt64(reader: OperationReader): Int64 {
  const start = reader.skip(8);
  return int64At(reader.buffer, start);
}

export function setInt64At(buffer: Buffer, at: number, value: Int64): void {
  if (typeof value === "bigint") {
    buffer.writeBigInt64LE(value, at);
    return;
  }
  buffer.writeUInt32LE(value >>> 0, at);
  buffer.writeInt32LE(Math.floor(value / wordValues), at + 4);
}

export function int64At(buffer: Buffer, at: number): Int64 {
  // Rounded where it is not exact, but never into the range where it is.
  const value = buffer.readInt32LE(at + 4) * wordValues + buffer.readUInt32LE(at);
  return Number.isSafeInteger(value) ? value : buffer.readBigInt64LE(at);
}
