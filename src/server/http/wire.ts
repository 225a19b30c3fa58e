/** Between JSON and the vocabulary: bytes are base64 text, 64-bit numbers beyond 2^53 - 1 decimal text. */
import { TrubaError } from "../../base/errors.ts";
import type { AnyRequest } from "../../protocol/requests.ts";

const bytesFields: ReadonlySet<string> = new Set(["payload", "value", "data"]);
const int64Fields: ReadonlySet<string> = new Set(["priority", "priorityMin", "priorityMax"]);

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

/** The request that JSON describes, whose form was checked against the verb's schema. Throws TrubaError BADVALUE. */
export function fromWire<V extends AnyRequest["verb"]>(
  verb: V,
  fields: Readonly<Record<string, unknown>>,
): Extract<AnyRequest, { verb: V }> {
  const request: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string" && bytesFields.has(name)) request[name] = bytesFrom(name, value);
    else if (typeof value === "string" && int64Fields.has(name))
      request[name] = int64From(name, value);
    else request[name] = value;
  }
  return { verb, request } as unknown as Extract<AnyRequest, { verb: V }>;
}

/** An answer as JSON has it. */
export function toWire(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  if (Array.isArray(value)) return value.map(toWire);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, toWire(each)]));
}

/** Nothing is skipped: Node's own decoder drops what is not base64 in silence. */
function bytesFrom(name: string, text: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  if (text.length % 4 === 0 && bytes.toString("base64") === text) return bytes;
  throw new TrubaError(
    "BADVALUE",
    `${name} is ${text.length} characters that are not base64 (RFC 4648 §4, with padding)`,
  );
}

function int64From(name: string, text: string): number | bigint {
  const value = BigInt(text);
  if (value < int64Min || value > int64Max)
    throw new TrubaError("BADVALUE", `${name} is ${text}; it must be ${int64Min} to ${int64Max}`);
  const near = Number(value);
  return Number.isSafeInteger(near) ? near : value;
}
