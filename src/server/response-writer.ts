/** Writes responses of verbs (protocol/requests.ts) as RESP: maps in the order of their fields, bytes as bulks, null as nil. */
import { assert } from "../base/assert.ts";
import { asBuffer } from "../base/bytes.ts";
import type { RespWriter } from "../protocol/resp-writer.ts";

export function writeResponse(value: unknown, reply: RespWriter): void {
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) reply.integer(value);
    else reply.double(value);
  } else if (typeof value === "string") reply.bulkText(value);
  else if (typeof value === "boolean") reply.boolean(value);
  else if (typeof value === "bigint") reply.integer(value);
  else writeComposite(value, reply);
}

function writeComposite(value: unknown, reply: RespWriter): void {
  if (value === null) reply.nullBulk();
  else if (value instanceof Uint8Array) {
    const bytes = asBuffer(value);
    reply.bulk(bytes, 0, bytes.length);
  } else if (Array.isArray(value)) {
    reply.array(value.length);
    for (const each of value as readonly unknown[]) writeResponse(each, reply);
  } else {
    assert(typeof value === "object", "a response is made of what RESP has");
    writeMap(value as Readonly<Record<string, unknown>>, reply);
  }
}

function writeMap(value: Readonly<Record<string, unknown>>, reply: RespWriter): void {
  let count = 0;
  for (const name in value) if (value[name] !== undefined) count++;
  reply.map(count);
  for (const name in value) {
    const field = value[name];
    if (field === undefined) continue;
    reply.bulkText(name);
    writeResponse(field, reply);
  }
}
