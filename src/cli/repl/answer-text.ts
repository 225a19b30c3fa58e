/**
 * Answers as people read them: Warehouse's words for records, aligned names and values for one thing, a table for several. Payloads are text where they are
 * UTF-8 and hexadecimal where not; numbers stand as they must be typed again.
 */
import { isUtf8 } from "node:buffer";
import { RespError } from "../../protocol/resp-reply.ts";
import type { RespReply } from "../../protocol/resp-reply.ts";
import { cellText, pairsText, tableText } from "../output.ts";
import { type Fields, fieldsOf } from "./reply-fields.ts";
import type { TypedRequest } from "./typed-line.ts";

export interface Answer {
  /** Without the last line break. Bytes where they must reach a pipe as they are. */
  readonly text: string | Buffer;
  /** Not an error. That there is no record is an answer, too. */
  readonly succeeded: boolean;
}

export interface Screen {
  /** A terminal: bytes that would command it are shown, not sent. */
  readonly isTerminal: boolean;
  readonly hasColors: boolean;
}

export function errorAnswer(text: string): Answer {
  return { text: `Error: ${cellText(text)}`, succeeded: false };
}

/** What the node answered to the request. */
export function answerOf(request: TypedRequest, reply: RespReply, screen: Screen): Answer {
  if (reply instanceof RespError) return errorAnswer(reply.text === "" ? reply.code : reply.text);
  const fields = fieldsOf(reply);
  if (request.verb === "GET") return valueAnswer(fields, screen);
  if (request.verb === "SET" || request.verb === "DELETE") return recordAnswer(fields);
  return { text: verbText(fields, screen), succeeded: true };
}

/** Whatever a node answers with, as one line. */
export function plainText(reply: RespReply): string {
  if (Buffer.isBuffer(reply)) return bytesText(reply);
  if (reply === null) return "-";
  if (typeof reply === "boolean") return reply ? "yes" : "no";
  if (Array.isArray(reply)) return reply.length === 0 ? "-" : reply.map(plainText).join(", ");
  if (reply instanceof RespError) return `${reply.code} ${reply.text}`;
  if (typeof reply === "object") return "-";
  return String(reply);
}

const recordTexts: ReadonlyMap<string, string> = new Map([
  ["created", "Created"],
  ["updated", "Updated"],
  ["deleted", "Deleted"],
]);

/** `Created (2 replicas)`, in this wording for every number. */
function recordAnswer(fields: Fields): Answer {
  const status = plainText(fields.get("status") ?? null);
  const done = recordTexts.get(status);
  if (done === undefined) return { text: "Not found", succeeded: true };
  return { text: `${done} (${plainText(fields.get("copies") ?? null)} replicas)`, succeeded: true };
}

/** The value as it was given; a terminal gets no control characters but tabs and line breaks. */
function valueAnswer(fields: Fields, screen: Screen): Answer {
  const value = fields.get("value") ?? null;
  if (!Buffer.isBuffer(value)) return { text: "Not found", succeeded: true };
  if (!screen.isTerminal) return { text: value, succeeded: true };
  const lines = bytesText(value).split("\n");
  const safe = lines.map((line) => line.split("\t").map(cellText).join("\t"));
  return { text: safe.join("\n"), succeeded: true };
}

function verbText(fields: Fields, screen: Screen): string {
  const [first] = fields;
  if (first === undefined) return "Done";
  const [name, value] = first;
  if (fields.size > 1) return detailsAndTables(fields, screen);
  if (!Array.isArray(value)) return detailsText(fields);
  if (value.length === 0) return `No ${name}`;
  const rows = value.map(fieldsOf);
  // Records of a session are a list of their own; they do not fit into a row.
  if (rows.some((row) => row.has("records"))) return rows.map(detailsText).join("\n\n");
  return listText(rows, listColumns[name], screen);
}

/** What is one thing as pairs, and below them a table of each list. */
function detailsAndTables(fields: Fields, screen: Screen): string {
  const parts: string[] = [];
  const single = [...fields].filter(([, value]) => !isList(value));
  if (single.length > 0) parts.push(detailsText(new Map(single)));
  for (const [name, value] of fields)
    if (isList(value)) parts.push(listText(value.map(fieldsOf), listColumns[name], screen));
  return parts.join("\n\n");
}

/** Several things, each with fields of its own. */
function isList(value: RespReply): value is RespReply[] {
  return Array.isArray(value) && value.some((item) => item instanceof Map);
}

/** What a list shows of each; the rest is what `queue stats` tells. Without an entry: all. */
const listColumns: Readonly<Partial<Record<string, readonly string[]>>> = {
  queues: [
    "queue",
    "implementation",
    "order",
    "paused",
    "waiting",
    "delayed",
    "leased",
    "dead",
    "payloadBytes",
  ],
  transactions: ["position", "source", "id", "final", "verdict", "operations"],
};

function listText(
  rows: readonly Fields[],
  chosen: readonly string[] | undefined,
  screen: Screen,
): string {
  const names = chosen ?? [...new Set(rows.flatMap((row) => [...row.keys()]))];
  const columns = names.map((name) => ({
    title: titleOf(name),
    align: rows.every((row) => isNumber(row.get(name))) && !isMoment(name) ? "right" : "left",
  })) satisfies { title: string; align: "left" | "right" }[];
  const cells = rows.map((row) => names.map((name) => fieldText(name, row.get(name) ?? null)));
  const table = tableText(columns, cells).trimEnd();
  if (!screen.hasColors) return table;
  const headEnd = table.indexOf("\n");
  return `${bold(table.slice(0, headEnd))}${table.slice(headEnd)}`;
}

function detailsText(fields: Fields): string {
  const pairs = [...fields].flatMap(([name, value]): [string, string][] => {
    if (name !== "records" || !Array.isArray(value))
      return [[titleOf(name), fieldText(name, value)]];
    return value.map((record, at) => [`record ${at + 1}`, plainText(record)]);
  });
  return pairsText(pairs).trimEnd();
}

/** `leaseEndsAtMs` → `lease ends at`, `maxPayloadBytes` → `max payload bytes`. */
function titleOf(name: string): string {
  return name
    .replace(/Ms$/, "")
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .trim();
}

function fieldText(name: string, value: RespReply): string {
  if (!isNumber(value) || !name.endsWith("Ms")) return plainText(value);
  if (isMoment(name)) return momentText(Number(value));
  return `${Number(value) / 1_000} s`;
}

function isNumber(value: RespReply | undefined): boolean {
  return typeof value === "number" || typeof value === "bigint";
}

/** Whether the field is a moment, in milliseconds since 1970, and not a duration. */
function isMoment(name: string): boolean {
  return name.endsWith("AtMs");
}

/** `2026-11-21 06:35:49.123Z`; 0 is none. */
function momentText(ms: number): string {
  if (ms === 0) return "-";
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString().replace("T", " ");
}

function bytesText(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString("utf8") : `0x${bytes.toString("hex")}`;
}

export function bold(text: string): string {
  return `\u001b[1m${text}\u001b[0m`;
}
