/** Reads single arguments by the field types of verb-facts.ts. Each error names the field, the value and the limit. */
import { type ErrorCode, TrubaError } from "../base/errors.ts";
import { int64Max, int64Min, parseInt64 } from "../protocol/int64.ts";
import type { Int64 } from "../protocol/requests.ts";
import { type Call, isWord, quoted, textOf } from "./call.ts";

/** Text of an argument that clients mostly repeat: the last one is kept, so that no string is made of the same bytes. */
export class RepeatedText {
  readonly #bytes = Buffer.alloc(64);
  #length = -1;
  #text = "";

  of(call: Call, index: number): string {
    const start = call.start(index);
    const length = call.end(index) - start;
    if (length === this.#length && this.#matches(call.buffer, start, length)) return this.#text;
    const text = textOf(call, index);
    if (length <= this.#bytes.length) {
      call.buffer.copy(this.#bytes, 0, start, start + length);
      this.#length = length;
      this.#text = text;
    }
    return text;
  }

  #matches(source: Buffer, start: number, length: number): boolean {
    for (let i = 0; i < length; i++) if (source[start + i] !== this.#bytes[i]) return false;
    return true;
  }
}

const zero = 0x30;
const nine = 0x39;
const minus = 0x2d;
const dot = 0x2e;

/** Digits that a number can have and be exact for sure. */
const exactDigits = 15;

/** Largest number of whole seconds that an argument may have: beyond every limit of a duration, and exact in ms. */
const secondsMax = 9_999_999_999;

/** Whether an argument begins with a digit. */
export function beginsWithDigit(call: Call, index: number): boolean {
  const byte = call.buffer[call.start(index)] as number;
  return call.end(index) > call.start(index) && byte >= zero && byte <= nine;
}

/** A whole number from `least` to 2^53 - 1. */
export function countOf(
  call: Call,
  index: number,
  { least, label, code = "BADVALUE" }: { least: number; label: string; code?: ErrorCode },
): number {
  const start = call.start(index);
  const value = digitsOf(call.buffer, start, call.end(index));
  if (value >= least && Number.isSafeInteger(value)) return value;
  throw new TrubaError(
    code,
    `${label} is ${quoted(call, index)}; it must be a whole number from ${least} to ${Number.MAX_SAFE_INTEGER}`,
  );
}

/** A signed whole number of 64 bits: a number where it is one of ±(2^53 - 1), else a bigint. */
export function int64Of(call: Call, index: number, label: string): Int64 {
  const start = call.start(index);
  const end = call.end(index);
  const isNegative = call.buffer[start] === minus;
  const first = isNegative ? start + 1 : start;
  if (end - first <= exactDigits) {
    const value = digitsOf(call.buffer, first, end);
    // Not -0.
    if (value >= 0) return isNegative && value !== 0 ? -value : value;
  } else {
    const text = call.buffer.toString("latin1", start, end);
    const value = parseInt64(text);
    if (value !== undefined) return value;
  }
  throw new TrubaError(
    "BADVALUE",
    `${label} is ${quoted(call, index)}; it must be a whole number from ${int64Min} to ${int64Max}`,
  );
}

/** Seconds, with a fraction if need be, as milliseconds. What is finer than a millisecond is rounded up: never early. */
export function millisecondsOf(call: Call, index: number, label: string): number {
  const { buffer } = call;
  const start = call.start(index);
  const end = call.end(index);
  let point = start;
  while (point < end && buffer[point] !== dot) point++;
  const whole = digitsOf(buffer, start, point);
  const hasFraction = point < end;
  const fractionMs = hasFraction ? fractionOf(buffer, point + 1, end) : 0;
  if (whole >= 0 && whole <= secondsMax && fractionMs >= 0) return whole * 1_000 + fractionMs;
  throw new TrubaError(
    "BADVALUE",
    `${label} is ${quoted(call, index)}; it must be seconds from 0 to ${secondsMax}, such as 5 or 0.25`,
  );
}

/** One of some words, in any case. `capitals` are the choices in capitals. */
export function choiceOf(
  call: Call,
  index: number,
  {
    choices,
    capitals,
    label,
    code,
  }: {
    choices: readonly string[];
    capitals: readonly string[];
    label: string;
    code: ErrorCode;
  },
): string {
  for (let i = 0; i < capitals.length; i++)
    if (isWord(call, index, capitals[i] as string)) return choices[i] as string;
  throw new TrubaError(
    code,
    `${label} is ${quoted(call, index)}; it must be one of ${choices.join(", ")}`,
  );
}

/** Text in UTF-8: other bytes would become one and the same character. */
export function utf8Of(call: Call, index: number, label: string): string {
  const text = textOf(call, index);
  if (!text.includes("\ufffd")) return text;
  const bytes = call.buffer.subarray(call.start(index), call.end(index));
  if (Buffer.from(text, "utf8").equals(bytes)) return text;
  throw new TrubaError("BADVALUE", `${label} is ${quoted(call, index)}; it must be UTF-8`);
}

/** Decimal digits as a number, inexact beyond 2^53; -1 if there are none or something else is among them. */
function digitsOf(buffer: Buffer, start: number, end: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (buffer[i] as number) - zero;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** The digits behind a decimal point as milliseconds, rounded up; -1 if there are none or something else is among them. */
function fractionOf(buffer: Buffer, start: number, end: number): number {
  if (start >= end) return -1;
  let value = 0;
  let more = 0;
  for (let i = start; i < end; i++) {
    const digit = (buffer[i] as number) - zero;
    if (digit < 0 || digit > 9) return -1;
    if (i - start < 3) value = value * 10 + digit;
    else if (digit > 0) more = 1;
  }
  for (let i = end - start; i < 3; i++) value *= 10;
  return value + more;
}
