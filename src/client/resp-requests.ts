/** Requests as the words of RESP, by the tables of verbs; those of records have the words of Redis. */
import { must } from "../base/assert.ts";
import type { AnyRequest, Lease, RequestOf } from "../protocol/requests.ts";
import type { VerbField } from "../protocol/verb-facts.ts";
import type { AnyDocumentRequest } from "../protocol/document-requests.ts";
import { type WordVerb, wordVerbNames, wordVerbs } from "../protocol/verbs.ts";
import { fixedWord, type RequestBuffer } from "./request-buffer.ts";

interface FieldPlan {
  readonly field: VerbField;
  readonly word: Buffer | undefined;
}

interface VerbPlan {
  readonly name: Buffer;
  readonly fields: readonly FieldPlan[];
}

const plans: Readonly<Record<string, VerbPlan>> = Object.fromEntries(
  wordVerbNames.map((verb) => [verb, planOf(verb)]),
);

const requestWord = fixedWord("REQUEST");
const none = "NONE";
const recordWords = {
  set: fixedWord("RECORD.SET"),
  get: fixedWord("RECORD.GET"),
  delete: fixedWord("RECORD.DELETE"),
  check: fixedWord("RECORD.CHECK"),
  absent: fixedWord("NX"),
  present: fixedWord("XX"),
  version: fixedWord("IFVERSION"),
  expiry: fixedWord("PX"),
} as const;

/** Writes one request; `requestId` goes last. */
export function writeRequest(
  out: RequestBuffer,
  asked: AnyRequest,
  requestId: string | undefined,
): void {
  if (asked.verb === "record.set") writeSet(out, asked.request, requestId);
  else if (asked.verb === "record.delete") writeDelete(out, asked.request, requestId);
  else if (asked.verb === "record.get") {
    out.begin(2);
    out.fixed(recordWords.get);
    out.text(asked.request.key);
  } else if (asked.verb === "record.check") {
    out.begin(4);
    out.fixed(recordWords.check);
    out.text(asked.request.key);
    writeVersion(out, asked.request.ifVersion);
  } else {
    writeByTable(out, asked.verb, asked.request as Readonly<Record<string, unknown>>, requestId);
  }
}

/** Writes one request about a document. */
export function writeDocumentRequest(
  out: RequestBuffer,
  { verb, request }: AnyDocumentRequest,
): void {
  writeByTable(out, verb, request as Readonly<Record<string, unknown>>, undefined);
}

function planOf(verb: WordVerb): VerbPlan {
  const fields: readonly VerbField[] = wordVerbs[verb].fields;
  return {
    name: fixedWord(verb.toUpperCase()),
    fields: fields.map((field) => ({
      field,
      word: field.word === undefined ? undefined : fixedWord(field.word),
    })),
  };
}

function writeByTable(
  out: RequestBuffer,
  verb: WordVerb,
  request: Readonly<Record<string, unknown>>,
  requestId: string | undefined,
): void {
  const { name, fields } = must(plans[verb]);
  let words = requestId === undefined ? 1 : 3;
  for (const { field, word } of fields) words += wordsOf(field, word, request[field.name]);
  out.begin(words);
  out.fixed(name);
  for (const { field, word } of fields) {
    const value = request[field.name];
    if (value === undefined || value === false) continue;
    if (word !== undefined) out.fixed(word);
    if (field.type === "leases") writeLeases(out, value as readonly Lease[]);
    else if (field.type !== "flag") writeValue(out, field, value);
  }
  writeRequestId(out, requestId);
}

function wordsOf(field: VerbField, word: Buffer | undefined, value: unknown): number {
  if (value === undefined || value === false) return 0;
  const own = word === undefined ? 0 : 1;
  if (field.type === "flag") return own;
  if (field.type === "leases") return own + (value as readonly Lease[]).length * 2;
  return own + 1;
}

function writeValue(out: RequestBuffer, field: VerbField, value: unknown): void {
  if (value === null) out.text(none);
  else if (field.type === "bytes") out.raw(value as Uint8Array);
  else if (field.type === "seconds") out.text(secondsText(value as number));
  else if (field.type === "kinds") out.text((value as readonly string[]).join(","));
  else out.text((value as string | number | bigint).toString());
}

function writeLeases(out: RequestBuffer, leases: readonly Lease[]): void {
  for (const { task, lease } of leases) {
    out.text(String(task));
    out.text(String(lease));
  }
}

function writeSet(
  out: RequestBuffer,
  request: RequestOf<"record.set">,
  requestId: string | undefined,
): void {
  const { key, value, ifAbsent = false, ifPresent = false, ifVersion, expiryMs } = request;
  const conditions = (ifAbsent ? 1 : 0) + (ifPresent ? 1 : 0) + (ifVersion === undefined ? 0 : 2);
  out.begin(3 + conditions + (expiryMs === undefined ? 0 : 2) + (requestId === undefined ? 0 : 2));
  out.fixed(recordWords.set);
  out.text(key);
  out.raw(value);
  if (ifAbsent) out.fixed(recordWords.absent);
  if (ifPresent) out.fixed(recordWords.present);
  writeVersion(out, ifVersion);
  if (expiryMs !== undefined) {
    out.fixed(recordWords.expiry);
    out.text(String(expiryMs));
  }
  writeRequestId(out, requestId);
}

function writeDelete(
  out: RequestBuffer,
  { key, ifVersion }: RequestOf<"record.delete">,
  requestId: string | undefined,
): void {
  out.begin(2 + (ifVersion === undefined ? 0 : 2) + (requestId === undefined ? 0 : 2));
  out.fixed(recordWords.delete);
  out.text(key);
  writeVersion(out, ifVersion);
  writeRequestId(out, requestId);
}

function writeVersion(out: RequestBuffer, ifVersion: number | undefined): void {
  if (ifVersion === undefined) return;
  out.fixed(recordWords.version);
  out.text(String(ifVersion));
}

function writeRequestId(out: RequestBuffer, requestId: string | undefined): void {
  if (requestId === undefined) return;
  out.fixed(requestWord);
  out.text(requestId);
}

/** Milliseconds as seconds with up to three decimals, never in exponents. */
export function secondsText(ms: number): string {
  const whole = Math.floor(ms / 1_000);
  const rest = ms - whole * 1_000;
  return rest === 0 ? String(whole) : `${whole}.${String(rest).padStart(3, "0")}`;
}
