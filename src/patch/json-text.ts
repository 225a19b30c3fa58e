/**
 * JSON as text that somebody sends: bounded before it is parsed, since `JSON.parse` takes depth as it comes and code that walks the value later would run out of stack.
 */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { isFiniteJson } from "./json-value.ts";
import type { Json } from "./json.ts";

/** `what` names the text in errors. Throws TrubaError BADJSON, or TOOLARGE for what is longer than `documentMaxBytes` or nests deeper than `documentDepthMaxCount` (by two levels, so that it may be a patch). A member `__proto__` is a member like any other. */
export function parseJson(text: string, what: string): Json {
  const maxBytes = limits.documentMaxBytes;
  if (text.length > maxBytes)
    throw new TrubaError(
      "TOOLARGE",
      `${what} is ${text.length} characters; the limit is ${maxBytes} (documentMaxBytes)`,
    );
  const max = limits.documentDepthMaxCount + patchLevels;
  if (isDeeper(text, max))
    throw new TrubaError(
      "TOOLARGE",
      `${what} nests deeper than ${max} levels (documentDepthMaxCount)`,
    );
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    throw new TrubaError("BADJSON", `${what} is not JSON: ${(error as Error).message}`);
  }
  if (mayBeInfinite.test(text) && !isFiniteJson(value))
    throw new TrubaError("BADJSON", `${what} has a number in it that is too large for a double`);
  return value;
}

/**
 * The first number of a JSON text that an IEEE 754 double does not hold: whose value is not that of the shortest decimal that stands for its double (RFC 8259 §6). `undefined`: none.
 * `0.1` and `1.0` are held, `12345678901234567890` and `1e400` are not. The text must be JSON.
 */
export function inexactNumber(text: string): string | undefined {
  // Strings are skipped whole, so digits in them are not met.
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/gs)) {
    if (token.startsWith('"') || (token.length <= exactDigits && /^-?\d+(?:\.\d+)?$/.test(token)))
      continue;
    const number = Number(token);
    if (!Number.isFinite(number) || !isSameDecimal(token, String(number))) return token;
  }
  return undefined;
}

/** So many characters of plain decimal are always held: a double holds 15 digits. */
const exactDigits = 15;

function isSameDecimal(a: string, b: string): boolean {
  const left = decimalOf(a);
  const right = decimalOf(b);
  return (
    left.digits === right.digits &&
    (left.digits === "" || (left.exponent === right.exponent && left.negative === right.negative))
  );
}

interface Decimal {
  readonly negative: boolean;
  /** Without zeros at either end; empty for zero. */
  readonly digits: string;
  /** Of the first digit. */
  readonly exponent: number;
}

function decimalOf(text: string): Decimal {
  const [mantissa = "", power = "0"] = text.toLowerCase().split("e");
  const negative = mantissa.startsWith("-");
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const all = whole + fraction;
  const digits = all.replace(/^0+/, "");
  const exponent = whole.length - (all.length - digits.length) + Number(power);
  let { length } = digits;
  // Not by an expression, which would try each run of zeros anew at each of its zeros.
  while (length > 0 && digits.charCodeAt(length - 1) === zero) length--;
  return { negative, digits: digits.slice(0, length), exponent };
}

function isDeeper(text: string, max: number): boolean {
  // What is short cannot be deep, and most texts are.
  if (text.length <= max) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
    } else if (code === openBracket || code === openBrace) {
      depth++;
      if (depth > max) return true;
    } else if (code === closeBracket || code === closeBrace) depth--;
  }
  return false;
}

/** Index of the quote that ends the string that begins at `start`; the end of the text if none does. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}

/** Around the values of a patch there are the operation and the list of them. */
const patchLevels = 2;

/** Of what does not have this no number can be over 1.8e308. */
const mayBeInfinite = /\d[eE]|\d{300}/;

const zero = 0x30;
const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
