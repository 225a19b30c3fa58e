/**
 * Keys of records on the wire: a UUID of version 4 in its text form, perhaps with a `{tag}` before it that decides the slot, as in Redis Cluster. A UUID in
 * capitals names the same record as in small letters.
 */
import type { ErrorCode } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { isUuidV4, parseUuid, formatUuid, uuidBytes, uuidTextBytes } from "../../base/uuid.ts";
import { slotOf, slotOfUuid } from "../../placement/slots.ts";
import type { RecordKey } from "./records.ts";

const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Why a key is none. */
export interface BadKey {
  readonly code: ErrorCode;
  readonly text: string;
}

/** Said in these words since Warehouse. */
export const notUuid: BadKey = { code: "BADKEY", text: "Key is not a proper UUID4" };

/** Room for one key, used again for each request. */
export class RecordKeyParser implements RecordKey {
  readonly buffer = Buffer.alloc(uuidBytes + limits.tagMaxBytes);
  bytes = 0;
  slot = 0;

  /** Reads the key from `start` to `end`; says why not. */
  parse(source: Buffer, start: number, end: number): BadKey | undefined {
    const uuidStart = end - uuidTextBytes;
    if (
      uuidStart < start ||
      !parseUuid(source, uuidStart, this.buffer, 0) ||
      !isUuidV4(this.buffer)
    )
      return notUuid;
    this.bytes = uuidBytes;
    if (uuidStart === start) {
      this.slot = slotOfUuid(source, start);
      return undefined;
    }
    const tagBytes = uuidStart - start - 2;
    if (source[start] !== openBrace || source[uuidStart - 1] !== closeBrace || tagBytes < 1)
      return notUuid;
    if (tagBytes > limits.tagMaxBytes) {
      const text = `the key's tag is ${tagBytes} bytes; the limit is ${limits.tagMaxBytes}`;
      return { code: "BADKEY", text };
    }
    if (source.subarray(start + 1, uuidStart - 1).includes(closeBrace)) return notUuid;
    source.copy(this.buffer, uuidBytes, start + 1, uuidStart - 1);
    this.bytes = uuidBytes + tagBytes;
    this.slot = slotOf(source, start, end);
    return undefined;
  }
}

/** The text of a key as a row has it. */
export function recordKeyText(buffer: Buffer, start: number, bytes: number): string {
  const uuid = formatUuid(buffer, start);
  if (bytes === uuidBytes) return uuid;
  return `{${buffer.toString("latin1", start + uuidBytes, start + bytes)}}${uuid}`;
}
