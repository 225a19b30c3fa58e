/** Replies of RESP3 as the responses of verbs: maps become objects, bulks text unless their field is bytes; error replies become TrubaError. */
import { type ErrorCode, errorTable, TrubaError } from "../base/errors.ts";
import { RespError, type RespReply } from "../protocol/resp-reply.ts";
import type { GroupRefusal } from "./channel.ts";

/** Fields of responses that are bytes, or arrays of them. */
const bytesFields: ReadonlySet<string> = new Set(["payload", "value", "records"]);

/** Fields that come often: making text of their names again and again would be dear. */
const frequentNames =
  "task lease priority deliveries pushedAtMs leaseEndsAtMs payload tasks duplicate settled lost session epoch kind repeats createdAtMs records recordsCount bytes dueAtMs status copies version value deleted"
    .split(" ")
    .map((text) => ({ text, bytes: Buffer.from(text) }));

/** By length, first and last byte. */
const namesByShape: ReadonlyMap<number, (typeof frequentNames)[number]> = new Map(
  frequentNames.map((name) => [shapeOf(name.bytes), name]),
);

/** The response in a reply. Throws TrubaError: the error in the reply, or BADANSWER if it is not a map. */
export function responseIn(reply: RespReply): object {
  if (reply instanceof RespError) throw errorIn(reply);
  if (reply instanceof Map) return objectOf(reply);
  throw badAnswer("a map", reply);
}

/** The items that a subscription pushed. Throws TrubaError BADANSWER. */
export function itemsIn(reply: RespReply | undefined): object[] {
  if (!Array.isArray(reply)) throw badAnswer("an array", reply);
  return reply.map(responseIn);
}

/** Text of a bulk or a status. */
export function textIn(reply: RespReply | undefined): string {
  if (typeof reply === "string") return reply;
  if (reply instanceof Uint8Array) return reply.toString("utf8");
  throw badAnswer("text", reply);
}

/** The error that a reply is. */
export function errorIn(reply: RespError): TrubaError {
  if (reply.code === "EXECABORT") return groupError(reply.text);
  const { text, retryAfterMs } = splitRetry(reply.text);
  const options = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new TrubaError(codeOf(reply.code), text, options);
}

/** What the error table does not know comes from Redis' words, which are about malformed requests. */
export function codeOf(wire: string): ErrorCode {
  if (Object.hasOwn(errorTable, wire)) return wire as ErrorCode;
  return wire === "NOPROTO" ? "NOTSUPPORTED" : "ERR";
}

/** `CODE index text`: which operation kept the group from being applied. */
function groupError(line: string): TrubaError {
  const parts = /^([A-Z]+) (\d+) (.*)$/s.exec(line);
  if (parts === null) return new TrubaError("EXECABORT", line);
  const [, code = "", index = "", text = ""] = parts;
  const cause: GroupRefusal = { index: Number(index), code, text };
  const message = `operation ${index} was refused, nothing was applied: ${code} ${text}`;
  return new TrubaError("EXECABORT", message, { cause });
}

function splitRetry(line: string): { text: string; retryAfterMs?: number } {
  const parts = /^(.*); retry after (\d+) ms$/s.exec(line);
  if (parts === null) return { text: line };
  return { text: parts[1] ?? "", retryAfterMs: Number(parts[2]) };
}

function objectOf(map: Map<RespReply, RespReply>): object {
  const object: Record<string, unknown> = {};
  for (const [key, value] of map) {
    const name = nameOf(key);
    object[name] = valueOf(value, bytesFields.has(name));
  }
  return object;
}

function valueOf(value: RespReply, isBytes: boolean): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return isBytes ? value : value.toString("utf8");
  if (Array.isArray(value)) return value.map((each) => valueOf(each, isBytes));
  if (value instanceof Map) return objectOf(value);
  if (value instanceof RespError) throw errorIn(value);
  throw badAnswer("a value", value);
}

function nameOf(key: RespReply): string {
  if (!(key instanceof Buffer)) return textIn(key);
  const known = namesByShape.get(shapeOf(key));
  return known !== undefined && isEqual(known.bytes, key) ? known.text : key.toString("latin1");
}

function shapeOf(name: Buffer): number {
  const { length } = name;
  return (length << 16) | ((name[0] ?? 0) << 8) | (name[length - 1] ?? 0);
}

function isEqual(a: Buffer, b: Buffer): boolean {
  for (let i = 1; i < a.length - 1; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function badAnswer(wanted: string, got: unknown): TrubaError {
  const kind = got === null ? "null" : typeof got === "object" ? got?.constructor.name : typeof got;
  return new TrubaError("BADANSWER", `the node answered ${kind} where ${wanted} belongs`);
}
