/**
 * Filling a server with records whose keys and values follow from a seed, so that a later run can ask for any of them
 * and know the answer without having kept it.
 */

import { SeededRandom } from "../src/base/seeded-random.ts";
import { command, RespClient } from "./resp-client.ts";

const COMMANDS_PER_WRITE = 512;
const CONNECTIONS = 2;
/** Spreads record numbers over the seeds of the generator. */
const GOLDEN = 0x9e3779b1;

/** `count` records of `valueBytes` bytes; `version` counts overwrites and changes every value. */
export interface RecordSet {
  readonly seed: number;
  readonly count: number;
  readonly valueBytes: number;
}

const hex = (word: number): string => word.toString(16).padStart(8, "0");

/** The key of record `index`: a random UUID, version 4, variant 1 (RFC 9562 section 5.4). */
export function recordKey(records: RecordSet, index: number): string {
  const random = new SeededRandom((records.seed + Math.imul(index, GOLDEN)) | 0);
  const a = hex(random.u32());
  const b = hex(random.u32());
  const c = hex(random.u32());
  const d = hex(random.u32());
  const variant = "89ab"[Number.parseInt(c.slice(0, 1), 16) & 3] ?? "8";
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${d}`;
}

/** The value of record `index` after `version` overwrites: random hexadecimal digits, so it does not compress by half. */
export function recordValue(records: RecordSet, index: number, version: number): string {
  const random = new SeededRandom(
    (records.seed ^ Math.imul(index + 1, GOLDEN) ^ Math.imul(version + 1, 0x85ebca6b)) | 0,
  );
  let value = "";
  while (value.length < records.valueBytes) value += hex(random.u32());
  return value.slice(0, records.valueBytes);
}

/**
 * Sets every record once and resolves to the seconds it took, when all are acknowledged. Rejects on the first answer
 * that is not OK.
 */
export function loadRecords(port: number, records: RecordSet, version = 0): Promise<number> {
  const key = (index: number): string => recordKey(records, index);
  return setAll(port, {
    count: records.count,
    key,
    value: (index) => recordValue(records, index, version),
  });
}

/** Keys and values by number, from 0 to `count` - 1. */
export interface Fill {
  readonly count: number;
  readonly key: (index: number) => string;
  readonly value: (index: number) => string;
}

/** As {@link loadRecords}, for any keys and values. */
export async function setAll(port: number, fill: Fill): Promise<number> {
  const start = performance.now();
  const cursor = { next: 0 };
  await Promise.all(Array.from({ length: CONNECTIONS }, () => setShare(port, fill, cursor)));
  return (performance.now() - start) / 1000;
}

async function setShare(port: number, fill: Fill, cursor: { next: number }): Promise<void> {
  const client = await RespClient.connect(port);
  try {
    while (cursor.next < fill.count) {
      const from = cursor.next;
      const to = Math.min(fill.count, from + COMMANDS_PER_WRITE);
      cursor.next = to;
      let text = "";
      for (let i = from; i < to; i++) text += command("SET", fill.key(i), fill.value(i));
      const replies = await client.pipeline(text, to - from);
      const wrong = replies.find((reply) => reply !== "OK");
      if (wrong !== undefined) throw new Error(`SET was answered ${String(wrong)}`);
    }
  } finally {
    client.close();
  }
}
