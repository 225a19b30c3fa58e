/**
 * What nodes tell each other inside a transaction: the member `"~"` of the first operation of its patch. RFC 6902 §4 has unknown members ignored, so a plain peer applies the patch, and a peer that passes
 * it on passes this on. Users never see it.
 *
 *     {"t":[ms,counter]                    stamp of the author's hybrid logical clock
 *      "d":{source:count,…}?               what the author has newly seen of others since its last transaction
 *      "a":[[source,first,last],…]?        adoption: these transactions of plain peers get this one's stamp; the least of several counts
 *      "e":{"source":S,"members":[…]}?     asks that S be evicted, when these members have answered
 *      "f":[source,count]?}                answer: the author holds so many of the source, and takes no more until the cut is known
 *
 * A transaction with one of a, e, f is a record: it changes nothing in the document.
 */
import type { Json, JsonObject } from "../patch/json.ts";
import { isSource } from "./source-name.ts";
import { decodeStamp } from "./stamp.ts";
import type { Source, Stamp } from "./vocabulary.ts";

/** The member's name. */
export const metadataName = "~";

/** Ids `first` to `last` of a plain peer. */
export interface AdoptedRange {
  readonly source: Source;
  readonly first: number;
  readonly last: number;
}

/** So many transactions of a source. */
export interface SourceCount {
  readonly source: Source;
  readonly count: number;
}

export interface OrderMetadata {
  readonly stamp: Stamp;
  readonly seen?: readonly SourceCount[];
  readonly adopted?: readonly AdoptedRange[];
  readonly eviction?: { readonly source: Source; readonly members: readonly Source[] };
  readonly frozen?: SourceCount;
}

/** It is what nodes tell each other, and nothing in the document. */
export function isRecord(metadata: OrderMetadata): boolean {
  return (
    metadata.adopted !== undefined ||
    metadata.eviction !== undefined ||
    metadata.frozen !== undefined
  );
}

export function metadataJson(metadata: OrderMetadata): JsonObject {
  const { stamp, seen, adopted, eviction, frozen } = metadata;
  return {
    t: [stamp.ms, stamp.counter],
    ...(seen === undefined || seen.length === 0
      ? {}
      : { d: Object.fromEntries(seen.map(({ source, count }) => [source, count])) }),
    ...(adopted === undefined
      ? {}
      : { a: adopted.map(({ source, first, last }) => [source, first, last]) }),
    ...(eviction === undefined
      ? {}
      : { e: { source: eviction.source, members: eviction.members } }),
    ...(frozen === undefined ? {} : { f: [frozen.source, frozen.count] }),
  };
}

/** `undefined`: it is none. Members that are not known are passed over, for versions to come. */
export function decodeMetadata(value: Json): OrderMetadata | undefined {
  if (!isObject(value)) return undefined;
  const stamp = decodeStamp(own(value, "t"));
  if (stamp === undefined) return undefined;
  const metadata: { -readonly [Name in keyof OrderMetadata]: OrderMetadata[Name] } = { stamp };
  for (const name of Object.keys(value)) {
    const member = own(value, name);
    if (member === undefined) continue;
    if (name === "d") {
      const seen = decodeSeen(member);
      if (seen === undefined) return undefined;
      metadata.seen = seen;
    } else if (name === "a") {
      const adopted = decodeList(member, decodeRange);
      if (adopted === undefined) return undefined;
      metadata.adopted = adopted;
    } else if (name === "e") {
      const eviction = decodeEviction(member);
      if (eviction === undefined) return undefined;
      metadata.eviction = eviction;
    } else if (name === "f") {
      const frozen = decodeCount(member);
      if (frozen === undefined) return undefined;
      metadata.frozen = frozen;
    }
  }
  return metadata;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function own(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function decodeSource(value: Json): Source | undefined {
  return isSource(value) ? value : undefined;
}

function decodeList<T>(
  value: Json,
  decode: (item: Json) => T | undefined,
): readonly T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const list: T[] = [];
  for (const item of value as readonly Json[]) {
    const decoded = decode(item);
    if (decoded === undefined) return undefined;
    list.push(decoded);
  }
  return list;
}

function decodeRange(value: Json): AdoptedRange | undefined {
  if (!Array.isArray(value) || value.length !== 3) return undefined;
  const [source, first, last] = value as readonly Json[];
  if (!isSource(source) || !isCount(first) || !isCount(last) || first < 1 || last < first)
    return undefined;
  return { source, first, last };
}

function decodeCount(value: Json): SourceCount | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [source, count] = value as readonly Json[];
  return isSource(source) && isCount(count) ? { source, count } : undefined;
}

function decodeSeen(value: Json): readonly SourceCount[] | undefined {
  if (!isObject(value)) return undefined;
  const seen: SourceCount[] = [];
  for (const source of Object.keys(value)) {
    const count = own(value, source);
    if (!isSource(source) || !isCount(count)) return undefined;
    seen.push({ source, count });
  }
  return seen;
}

function decodeEviction(value: Json): OrderMetadata["eviction"] {
  if (!isObject(value)) return undefined;
  const source = own(value, "source");
  const members = own(value, "members");
  if (!isSource(source) || members === undefined) return undefined;
  const names = decodeList(members, decodeSource);
  return names === undefined ? undefined : { source, members: names };
}
