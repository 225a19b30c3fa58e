/**
 * Values that tell who wrote them: a stamp, given out once in a run, and bytes that follow from it and from the length, so that one wrong bit shows.
 */

/** Bytes of the stamp: the shortest value. */
export const stampBytes = 6;

/** A value of `bytes` bytes, {@link stampBytes} at least. `stamp` is a whole number from 1 to 2^48 - 1. */
export function stampedValue(stamp: number, bytes: number): Buffer {
  const value = Buffer.allocUnsafe(Math.max(bytes, stampBytes));
  value.writeUIntLE(stamp, 0, stampBytes);
  let word = (Math.imul(stamp, 0x9e3779b1) ^ value.length) >>> 0;
  for (let at = stampBytes; at < value.length; at++) {
    word = (Math.imul(word, 0x19660d) + 0x3c6ef35f) >>> 0;
    value[at] = word >>> 24;
  }
  return value;
}

/** The stamp of a value that {@link stampedValue} made; `undefined` for any other bytes. */
export function stampOf(value: Buffer): number | undefined {
  if (value.length < stampBytes) return undefined;
  const stamp = value.readUIntLE(0, stampBytes);
  return stamp > 0 && stampedValue(stamp, value.length).equals(value) ? stamp : undefined;
}
