/** Between the vocabulary and JSON over HTTP: bytes are base64 text, 64-bit numbers beyond 2^53 - 1 decimal text; errors are problems of RFC 9457. */
import { type ErrorCode, errorTable, TrubaError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import type { Rejection } from "../protocol/documents.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import type { GroupRefusal } from "./channel.ts";

const bytesFields: ReadonlySet<string> = new Set(["payload", "value", "records"]);
const int64Fields: ReadonlySet<string> = new Set(["priority", "priorityMin", "priorityMax"]);

/** A request as JSON has it. */
export function toWire(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return toBase64(value);
  if (Array.isArray(value)) return value.map(toWire);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, toWire(each)]));
}

/** A response that JSON described. Throws TrubaError BADANSWER if it is none. */
export function fromWire(value: unknown): object {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw badAnswer("something else than an object");
  return Object.fromEntries(
    Object.entries(value).map(([name, each]: [string, unknown]) => [name, fieldFrom(name, each)]),
  );
}

/** Items that an event brought. */
export function itemsFrom(value: unknown): object[] {
  if (!Array.isArray(value)) throw badAnswer("something else than an array");
  return value.map(fromWire);
}

export function badAnswer(what: string): TrubaError {
  return new TrubaError("BADANSWER", `the node answered ${what}`);
}

/**
 * The error that a problem describes. What has no code comes from something in between: if it may have passed the request on, what became of it is not known.
 */
export function errorFrom(problem: unknown, status: number): TrubaError {
  const { code, detail, retryAfterMs, index, cause } = (
    typeof problem === "object" && problem !== null ? problem : {}
  ) as Readonly<Record<string, unknown>>;
  if (typeof code !== "string" || !Object.hasOwn(errorTable, code)) {
    const text = `the answer has status ${status} and is no problem of Truba's`;
    return new TrubaError(status >= 500 ? "UNKNOWNOUTCOME" : "BADANSWER", text);
  }
  const text = typeof detail === "string" ? detail : code;
  if (code === "EXECABORT" && typeof index === "number" && typeof cause === "string") {
    const refusal: GroupRefusal = { index, code: cause, text };
    return new TrubaError("EXECABORT", text, { cause: refusal });
  }
  if (code === "PATCHFAILED")
    return patchFailed(problem as Readonly<Record<string, unknown>>, text);
  const options = typeof retryAfterMs === "number" ? { retryAfterMs } : {};
  return new TrubaError(code as ErrorCode, text, options);
}

/** With the cause that it has in the node itself. */
function patchFailed(problem: Readonly<Record<string, unknown>>, text: string): TrubaError {
  const { operation, op, path, reason, expected, actual } = problem;
  if (
    typeof operation !== "number" ||
    typeof op !== "string" ||
    typeof path !== "string" ||
    typeof reason !== "string"
  )
    return new TrubaError("PATCHFAILED", text);
  const cause: Rejection = {
    kind: "rejected",
    operation,
    op,
    path,
    reason,
    text,
    ...(expected === undefined ? {} : { expected: expected as Json }),
    ...(actual === undefined ? {} : { actual: actual as Json }),
  };
  return new TrubaError("PATCHFAILED", text, { cause });
}

function fieldFrom(name: string, value: unknown): unknown {
  if (typeof value === "string") {
    if (bytesFields.has(name)) return bytesFrom(value);
    return int64Fields.has(name) ? BigInt(value) : value;
  }
  if (typeof value !== "object" || value === null) return value;
  if (!Array.isArray(value)) return fromWire(value);
  return value.map((each: unknown) => fieldFrom(name, each));
}

function bytesFrom(text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch {
    throw badAnswer("bytes that are not base64");
  }
}
