/**
 * The bodies of the records of a document's history and of its order (record-format.ts has what stands around them). All numbers are little-endian.
 *
 *     history  offset  bytes      in the order in which this node took the transactions
 *              0       1      flags: bit 0: its source counts from 0
 *              1       8      id, from 1
 *              9       8      when it came to this node, wall clock, ms
 *              17      2      length of the source's name
 *              19      …      the source's name, then the payload, both in UTF-8
 *
 *     order    offset  bytes      in the total order, as far as nothing can come before it any more
 *              0       8      number of its history record
 *              8       8      milliseconds of its stamp; 2^53 - 1: it has none
 *              16      4      counter of its stamp
 *              20      1      flags: bit 0: a record of nodes, no patch; bit 1: rejected
 *              21      4      length of the JSON of its rejection, 0 if it has none
 *              25      …      the rejection, then what its author had seen (JSON of a vector clock, or nothing)
 */
import { readU64, writeU64 } from "../base/bytes.ts";
import type { KeptTransaction } from "./journal-batch.ts";
import type { Rejection, Stamp, VectorClock } from "./vocabulary.ts";

const historyHeadBytes = 19;
const orderHeadBytes = 25;
const countsFromZero = 1;
const isRecord = 1;
const isRejected = 2;

export function encodeHistory(transaction: KeptTransaction): Buffer {
  const { source, id, payload, zeroBased, arrivedMs } = transaction;
  const sourceBytes = Buffer.byteLength(source, "utf8");
  const payloadBytes = Buffer.byteLength(payload, "utf8");
  const body = Buffer.allocUnsafe(historyHeadBytes + sourceBytes + payloadBytes);
  body.writeUInt8(zeroBased ? countsFromZero : 0, 0);
  writeU64(body, id, 1);
  writeU64(body, arrivedMs, 9);
  body.writeUInt16LE(sourceBytes, 17);
  body.write(source, historyHeadBytes, "utf8");
  body.write(payload, historyHeadBytes + sourceBytes, "utf8");
  return body;
}

export function decodeHistory(body: Buffer): KeptTransaction {
  const payloadAt = historyHeadBytes + body.readUInt16LE(17);
  return {
    source: body.toString("utf8", historyHeadBytes, payloadAt),
    id: readU64(body, 1),
    payload: body.toString("utf8", payloadAt),
    zeroBased: (body.readUInt8(0) & countsFromZero) !== 0,
    arrivedMs: readU64(body, 9),
  };
}

/** A transaction at its final place. */
export interface OrderRecord {
  /** Number of its record in history. */
  readonly history: number;
  readonly stamp: Stamp | null;
  readonly kind: "patch" | "record";
  readonly rejection: Rejection | undefined;
  readonly seen: VectorClock | undefined;
}

export function encodeOrder({ history, stamp, kind, rejection, seen }: OrderRecord): Buffer {
  const why = rejection === undefined ? "" : JSON.stringify(rejection);
  const context = seen === undefined ? "" : JSON.stringify(seen);
  const whyBytes = Buffer.byteLength(why, "utf8");
  const body = Buffer.allocUnsafe(orderHeadBytes + whyBytes + Buffer.byteLength(context, "utf8"));
  writeU64(body, history, 0);
  writeU64(body, stamp?.ms ?? Number.MAX_SAFE_INTEGER, 8);
  body.writeUInt32LE(stamp?.counter ?? 0, 16);
  const flags = (kind === "record" ? isRecord : 0) | (rejection === undefined ? 0 : isRejected);
  body.writeUInt8(flags, 20);
  body.writeUInt32LE(whyBytes, 21);
  body.write(why, orderHeadBytes, "utf8");
  body.write(context, orderHeadBytes + whyBytes, "utf8");
  return body;
}

export function decodeOrder(body: Buffer): OrderRecord {
  const ms = readU64(body, 8);
  const flags = body.readUInt8(20);
  const contextAt = orderHeadBytes + body.readUInt32LE(21);
  // Written by encodeOrder, and its checksum is right.
  const rejection =
    (flags & isRejected) === 0
      ? undefined
      : (JSON.parse(body.toString("utf8", orderHeadBytes, contextAt)) as Rejection);
  const context = body.toString("utf8", contextAt);
  return {
    history: readU64(body, 0),
    stamp: ms === Number.MAX_SAFE_INTEGER ? null : { ms, counter: body.readUInt32LE(16) },
    kind: (flags & isRecord) === 0 ? "patch" : "record",
    rejection,
    seen: context === "" ? undefined : (JSON.parse(context) as VectorClock),
  };
}
