/**
 * The bytes of the files that only grow: a document's history and its order. All numbers are little-endian.
 *
 *     header  offset  bytes
 *             0       8      `TrubaDoc`
 *             8       4      version, 1
 *             12      4      kind: 1 history, 2 order, 4 rescued (bodies as history has them)
 *             16      8      number of the first record
 *             24      4      0
 *             28      4      checksum of the 28 bytes before
 *
 *     record  0       4      length of the body
 *             4       4      checksum of everything behind this field: number and body
 *             8       8      number: 1 for the first record of the document, one more for each
 *             16      …      body
 *
 * How many records of a file count is not said in it but in the newest checkpoint (document-checkpoint.ts): what stands behind them was being written when the node
 * stopped, and the journal has it.
 */
import { checksum } from "../base/checksum.ts";
import { readU64, writeU64 } from "../base/bytes.ts";
import { TrubaError } from "../base/errors.ts";

export const fileHeaderBytes = 32;
export const recordHeaderBytes = 16;
const magic = Buffer.from("TrubaDoc", "latin1");
const version = 1;

export type RecordKind = "history" | "order" | "rescued";
const kindNumbers: Readonly<Record<RecordKind, number>> = { history: 1, order: 2, rescued: 4 };

export function recordFileName(kind: RecordKind, file: number): string {
  return `${kind}-${file}`;
}

/** The number of a file of this kind; `undefined`: the name is of something else. */
export function recordFileNumber(kind: RecordKind, name: string): number | undefined {
  if (!name.startsWith(`${kind}-`)) return undefined;
  const text = name.slice(kind.length + 1);
  const number = Number(text);
  return /^[1-9]\d{0,14}$/.test(text) ? number : undefined;
}

export function encodeFileHeader(kind: RecordKind, first: number): Buffer {
  const bytes = Buffer.alloc(fileHeaderBytes);
  magic.copy(bytes);
  bytes.writeUInt32LE(version, 8);
  bytes.writeUInt32LE(kindNumbers[kind], 12);
  writeU64(bytes, first, 16);
  bytes.writeUInt32LE(checksum(bytes.subarray(0, 28)), 28);
  return bytes;
}

/** Throws TrubaError DOCUMENTDAMAGED or DATAVERSION unless `bytes` begin such a file. */
export function checkFileHeader(
  bytes: Buffer,
  path: string,
  wanted: { readonly kind: RecordKind; readonly first: number },
): void {
  if (
    bytes.length < fileHeaderBytes ||
    bytes.readUInt32LE(28) !== checksum(bytes.subarray(0, 28)) ||
    !bytes.subarray(0, 8).equals(magic)
  )
    throw damagedAt(path, 0, "its header is damaged");
  const found = bytes.readUInt32LE(8);
  if (found !== version) {
    throw new TrubaError(
      "DATAVERSION",
      `${path} has version ${found}; this version of Truba reads ${version}`,
    );
  }
  if (bytes.readUInt32LE(12) !== kindNumbers[wanted.kind] || readU64(bytes, 16) !== wanted.first)
    throw damagedAt(path, 0, "its header is that of another file");
}

export function recordBytes(body: Uint8Array): number {
  return recordHeaderBytes + body.length;
}

/** Writes a record to `target`; answers where the next one goes. */
export function encodeRecord(target: Buffer, at: number, number: number, body: Uint8Array): number {
  target.writeUInt32LE(body.length, at);
  writeU64(target, number, at + 8);
  target.set(body, at + recordHeaderBytes);
  const end = at + recordHeaderBytes + body.length;
  target.writeUInt32LE(checksum(target.subarray(at + 8, end)), at + 4);
  return end;
}

/** The length of the body of the record whose header stands at `at`. */
export function bodyBytesAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at);
}

/** The body of the record at `at`, all of which is in `bytes`; `undefined`: it is not the record of this number, or damaged. */
export function decodeRecord(bytes: Buffer, at: number, number: number): Buffer | undefined {
  const end = at + recordHeaderBytes + bytes.readUInt32LE(at);
  if (end > bytes.length || readU64(bytes, at + 8) !== number) return undefined;
  if (bytes.readUInt32LE(at + 4) !== checksum(bytes.subarray(at + 8, end))) return undefined;
  return bytes.subarray(at + recordHeaderBytes, end);
}

export function damagedAt(path: string, offset: number, what: string): TrubaError {
  return new TrubaError(
    "DOCUMENTDAMAGED",
    `the document's file ${path} is damaged at offset ${offset}: ${what}; nothing was changed`,
  );
}
