/**
 * What is said on links, as text. One file knows all forms.
 *
 *     to and from plain peers, one transaction a message:
 *       {"Source":"a","Id":1,"Payload":"[{\"op\":…}]"}
 *
 *     between Truba nodes, an array is transactions, an object is about them:
 *       [{"Source":"a","Id":1,"Payload":"…"},{"Document":"notes","Source":"b","Id":7,"Payload":"…"}]
 *       {"type":"hello","version":1,"source":"a","node":81,"run":"5f…","via":"10.0.0.2:8080"}
 *       {"type":"direct","sources":["b","c"]}
 *       {"type":"known","sources":["b","c","d"]}
 *       {"type":"have","documents":[{"document":"notes","vclock":{"a":3},"clocks":{"a":[1767225600000,0,3]},"hash":"9c…","open":8}]}
 *       {"type":"ready"}
 *       {"type":"want","document":"notes","from":{"a":3}}
 *       {"type":"refuse","document":"notes","code":"DOCUMENTDAMAGED","text":"…","retryMs":60000}
 *       {"type":"base","document":"notes","part":1,"parts":2,"text":"…"}
 *       {"type":"ping","at":12.5}          {"type":"pong","at":12.5,"wallMs":1767225600000}
 *
 * Whoever reads passes over members and types of messages that he does not know.
 */
import { shown } from "../../base/shown-value.ts";
import { defaultDocument, isDocumentName } from "../document-name.ts";
import type { ClockOf, PeerClocks, WireTransaction } from "../exchange.ts";
import { isSource } from "../source-name.ts";
import type { Source, VectorClock } from "../vocabulary.ts";

/** Of the protocol between Truba nodes. */
export const protocolVersion = 1;

/** A transaction and the document that it belongs to. */
export interface PlacedOnWire {
  readonly document: string;
  readonly transaction: WireTransaction;
}

/** Who speaks. */
export interface Hello {
  readonly type: "hello";
  readonly version: number;
  readonly source: Source;
  readonly node: number;
  /** This run of the node: another run of it has other links. */
  readonly run: string;
  /** The address that was dialed, as the dialer has it configured; empty from the one that was dialed. */
  readonly via: string;
}

/** The sources to which the speaker has links itself. */
export interface Direct {
  readonly type: "direct";
  readonly sources: readonly Source[];
}

/** The Truba nodes that the speaker knows: said before clocks that count without them. */
export interface Known {
  readonly type: "known";
  readonly sources: readonly Source[];
}

/** How one document stands at the speaker. */
export interface DocumentHeld {
  readonly document: string;
  /** Where it is not the node's own name. */
  readonly source?: Source;
  readonly vclock: VectorClock;
  readonly clocks: PeerClocks;
  readonly hash: string | null;
  /**
   * Above 0 the speaker wants to hear the same of the listener: something is not final, or it has sent what was not confirmed. The number says through how many nodes more the question is to be
   * passed on, for a member's clock may be known only to others.
   */
  readonly open: number;
}

export interface Have {
  readonly type: "have";
  readonly documents: readonly DocumentHeld[];
}

/** The speaker has told of all documents that it has. */
export interface Ready {
  readonly type: "ready";
}

/** Send again, of each source what is behind its first so many. */
export interface Want {
  readonly type: "want";
  readonly document: string;
  readonly from: VectorClock;
}

/** What was sent of the document could not be taken. */
export interface Refuse {
  readonly type: "refuse";
  readonly document: string;
  readonly code: string;
  readonly text: string;
  readonly retryMs: number;
}

/** A piece of the base of a document whose history was given up. */
export interface BasePart {
  readonly type: "base";
  readonly document: string;
  /** From 1. */
  readonly part: number;
  readonly parts: number;
  readonly text: string;
}

export interface Ping {
  readonly type: "ping";
  readonly at: number;
}

export interface Pong {
  readonly type: "pong";
  readonly at: number;
  readonly wallMs: number;
}

export type Control =
  | Hello
  | Direct
  | Known
  | Have
  | Ready
  | Want
  | Refuse
  | BasePart
  | Ping
  | Pong;

/** A message of a Truba node; `unknown` is one that a later version may have. */
export type Decoded =
  | { readonly kind: "transactions"; readonly transactions: readonly PlacedOnWire[] }
  | { readonly kind: "control"; readonly control: Control }
  | { readonly kind: "unknown" }
  | { readonly kind: "broken"; readonly problem: string };

/** A message of a plain peer. */
export interface PlainDecoded {
  readonly transactions: readonly WireTransaction[];
  /** Why some of it, or all, is no transaction; absent: nothing is wrong. */
  readonly problem?: string;
}

/** The three fields, and the document unless it is the default one. */
export function transactionText(
  { source, id, payload }: WireTransaction,
  document: string = defaultDocument,
): string {
  const fields = `"Source":${JSON.stringify(source)},"Id":${id},"Payload":${JSON.stringify(payload)}}`;
  return document === defaultDocument
    ? `{${fields}`
    : `{"Document":${JSON.stringify(document)},${fields}`;
}

export function controlText(control: Control): string {
  return JSON.stringify(
    control.type === "have" ? { ...control, documents: control.documents.map(heldJson) } : control,
  );
}

function heldJson({ document, source, vclock, clocks, hash, open }: DocumentHeld): object {
  const clockFields = [...clocks].map(([name, { clock, count }]) => [
    name,
    [clock.ms, clock.counter, count],
  ]);
  return {
    document,
    ...(source === undefined ? {} : { source }),
    vclock,
    clocks: Object.fromEntries(clockFields) as object,
    ...(hash === null ? {} : { hash }),
    ...(open > 0 ? { open } : {}),
  };
}

/** A message of a plain peer: one transaction, or, as some have it, an array of them. Never throws. */
export function decodePlain(text: string): PlainDecoded {
  const parsed = parsedJson(text);
  if (parsed === undefined) return { transactions: [], problem: "a message is not JSON" };
  const transactions: WireTransaction[] = [];
  let problem: string | undefined;
  for (const each of Array.isArray(parsed) ? (parsed as unknown[]) : [parsed]) {
    const one = transactionOf(each);
    if (typeof one === "string") problem = one;
    else transactions.push(one);
  }
  return problem === undefined ? { transactions } : { transactions, problem };
}

/** A message of a Truba node. Never throws. */
export function decodeMessage(text: string): Decoded {
  const parsed = parsedJson(text);
  if (parsed === undefined) return broken("a message is not JSON");
  if (!Array.isArray(parsed)) return decodeControl(parsed);
  const transactions: PlacedOnWire[] = [];
  for (const each of parsed as unknown[]) {
    const transaction = transactionOf(each);
    if (typeof transaction === "string") return broken(transaction);
    const document = member(each, "Document") ?? defaultDocument;
    if (!isDocumentName(document)) return broken(`Document is ${shown(document)}`);
    transactions.push({ document, transaction });
  }
  return { kind: "transactions", transactions };
}

function decodeControl(parsed: unknown): Decoded {
  const type = member(parsed, "type");
  if (typeof type !== "string") return broken("a message is neither an array nor has it a type");
  const read = Object.hasOwn(readers, type) ? readers[type as Control["type"]] : undefined;
  if (read === undefined) return { kind: "unknown" };
  const control = read(parsed);
  return control === undefined
    ? broken(`a message of type ${type} has not the form of one`)
    : { kind: "control", control };
}

/** One for each type; `undefined`: it has not the form. */
const readers: { readonly [Type in Control["type"]]: (value: unknown) => Control | undefined } = {
  hello: readHello,
  direct(value) {
    const sources = sourcesOf(member(value, "sources"));
    return sources && { type: "direct", sources };
  },
  known(value) {
    const sources = sourcesOf(member(value, "sources"));
    return sources && { type: "known", sources };
  },
  have(value) {
    const all = member(value, "documents");
    if (!Array.isArray(all)) return undefined;
    const documents = (all as unknown[]).map(readHeld);
    return documents.every((each) => each !== undefined) ? { type: "have", documents } : undefined;
  },
  ready: () => ({ type: "ready" }),
  want(value) {
    const document = member(value, "document");
    const from = vclockOf(member(value, "from"));
    return isDocumentName(document) && from ? { type: "want", document, from } : undefined;
  },
  refuse(value) {
    const document = member(value, "document");
    const [code, text] = [member(value, "code"), member(value, "text")];
    const retryMs = member(value, "retryMs");
    if (!isDocumentName(document) || typeof code !== "string" || typeof text !== "string")
      return undefined;
    return isCount(retryMs) ? { type: "refuse", document, code, text, retryMs } : undefined;
  },
  base(value) {
    const document = member(value, "document");
    const [part, parts] = [member(value, "part"), member(value, "parts")];
    const text = member(value, "text");
    if (!isDocumentName(document) || typeof text !== "string") return undefined;
    if (!isCount(part) || !isCount(parts) || part < 1 || part > parts) return undefined;
    return { type: "base", document, part, parts, text };
  },
  ping(value) {
    const at = member(value, "at");
    return isTime(at) ? { type: "ping", at } : undefined;
  },
  pong(value) {
    const [at, wallMs] = [member(value, "at"), member(value, "wallMs")];
    return isTime(at) && isTime(wallMs) ? { type: "pong", at, wallMs } : undefined;
  },
};

function readHello(value: unknown): Hello | undefined {
  const [version, source] = [member(value, "version"), member(value, "source")];
  const [node, run, via] = [member(value, "node"), member(value, "run"), member(value, "via")];
  if (!isCount(version) || !isSource(source) || !isCount(node)) return undefined;
  if (typeof run !== "string" || typeof via !== "string") return undefined;
  return { type: "hello", version, source, node, run, via };
}

function readHeld(value: unknown): DocumentHeld | undefined {
  const [document, source] = [member(value, "document"), member(value, "source")];
  const vclock = vclockOf(member(value, "vclock"));
  const clocks = clocksOf(member(value, "clocks"));
  const hash = member(value, "hash") ?? null;
  if (!isDocumentName(document) || vclock === undefined || clocks === undefined) return undefined;
  if (source !== undefined && !isSource(source)) return undefined;
  if (hash !== null && (typeof hash !== "string" || !/^[0-9a-f]{64}$/.test(hash))) return undefined;
  const open = member(value, "open") ?? 0;
  if (!isCount(open)) return undefined;
  return {
    document,
    ...(source === undefined ? {} : { source }),
    vclock,
    clocks,
    hash,
    open,
  };
}

/** The transaction, or what is wrong with it. */
function transactionOf(value: unknown): WireTransaction | string {
  const source = member(value, "Source");
  const id = member(value, "Id");
  const payload = member(value, "Payload");
  if (!isSource(source)) return `Source is ${shown(source)}`;
  if (!isCount(id)) return `Id is ${shown(id)}`;
  if (typeof payload !== "string") return `Payload is ${shown(payload)}`;
  // Half a surrogate pair has no form in UTF-8: it would be one text in memory and another from the disk.
  return { source, id, payload: loneSurrogates.test(payload) ? mended(payload) : payload };
}

const loneSurrogates = /\p{Surrogate}/u;

function mended(text: string): string {
  return text.replaceAll(/\p{Surrogate}/gu, "\ufffd");
}

/** A count by source; `undefined`: it is none. */
export function vclockOf(value: unknown): VectorClock | undefined {
  if (!isPlainObject(value)) return undefined;
  const entries: [Source, number][] = [];
  for (const [source, count] of Object.entries(value)) {
    if (!isSource(source) || !isCount(count)) return undefined;
    entries.push([source, count]);
  }
  return Object.fromEntries(entries);
}

function clocksOf(value: unknown): PeerClocks | undefined {
  if (!isPlainObject(value)) return undefined;
  const clocks = new Map<Source, ClockOf>();
  for (const [source, given] of Object.entries(value)) {
    if (!isSource(source) || !Array.isArray(given) || given.length !== 3) return undefined;
    const [ms, counter, count] = given as unknown[];
    if (!isCount(ms) || !isCount(counter) || !isCount(count)) return undefined;
    if (ms >= 2 ** 48 || counter >= 2 ** 32) return undefined;
    clocks.set(source, { clock: { ms, counter }, count });
  }
  return clocks;
}

function sourcesOf(value: unknown): readonly Source[] | undefined {
  return Array.isArray(value) && value.every(isSource) ? value : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isPlainObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function member(value: unknown, name: string): unknown {
  if (!isPlainObject(value) || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** `undefined`: the text is not JSON. */
function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function broken(problem: string): Decoded {
  return { kind: "broken", problem };
}
