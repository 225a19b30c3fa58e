/**
 * Ids of sessions: `{tag}` and 16 small hexadecimal digits of the number of the operation that opened the session. The tag decides the slot, as in keys of records,
 * so whatever names the same tag is on the same partition; the number tells the sessions of a partition apart.
 */
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { shown } from "../../base/shown-value.ts";
import { slotOf } from "../../placement/slots.ts";

const digits = 16;
/** What may stand between the braces; its bytes are counted apart. */
const tagForm = /^[^}\p{Cc}]+$/u;
const numberForm = /^[0-9a-f]{16}$/;

export interface SessionId {
  /** Number of the operation that opened it. */
  readonly number: number;
  /** Without the braces. */
  readonly tag: Buffer;
}

export function sessionIdText(number: number, tag: string): string {
  return `{${tag}}${number.toString(16).padStart(digits, "0")}`;
}

/** Throws TrubaError BADSESSION. */
export function parseSessionId(text: string): SessionId {
  if (typeof text !== "string")
    throw new TrubaError("BADSESSION", `a session's id is a text, not ${typeof text}`);
  const numberStart = text.length - digits;
  const numberText = text.slice(Math.max(0, numberStart));
  const tag = tagBytes(text.slice(1, Math.max(1, numberStart - 1)));
  const number = numberForm.test(numberText) ? Number.parseInt(numberText, 16) : -1;
  if (
    tag === undefined ||
    text[0] !== "{" ||
    text[numberStart - 1] !== "}" ||
    number < 0 ||
    number > Number.MAX_SAFE_INTEGER
  )
    throw new TrubaError(
      "BADSESSION",
      `${shown(text)} is not the id of a session: {tag} and ${digits} small hexadecimal digits`,
    );
  return { number, tag };
}

/** The slot of the session's partition. Throws TrubaError BADSESSION. */
export function sessionSlot(text: string): number {
  return slotOf(parseSessionId(text).tag);
}

/** Bytes of a tag that a request names. Throws TrubaError BADVALUE. */
export function checkedTag(tag: string): Buffer {
  const bytes = typeof tag === "string" ? tagBytes(tag) : undefined;
  if (bytes !== undefined) return bytes;
  throw new TrubaError(
    "BADVALUE",
    `tag is ${shown(tag)}; it must be 1 to ${limits.tagMaxBytes} bytes of UTF-8 without } and without control characters`,
  );
}

/** `undefined` if the text cannot be a tag; also for what UTF-8 has no bytes for. */
function tagBytes(tag: string): Buffer | undefined {
  if (tag.length > limits.tagMaxBytes || !tagForm.test(tag)) return undefined;
  const bytes = Buffer.from(tag, "utf8");
  return bytes.length > limits.tagMaxBytes || bytes.toString("utf8") !== tag ? undefined : bytes;
}
