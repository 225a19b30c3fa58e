/**
 * Giving up old history, where the configuration asks for it: whole files of history and order from the beginning on, older than so many days.
 *
 * Nothing goes that anybody may still need: it is in the base, final, and by their own words all members have it; and no plain peer was ever seen in the document, because those want all history each
 * time. After that the document cannot be folded anew, and a peer that begins gets the base.
 */
import { TrubaError, errorText } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Document } from "./document.ts";
import type { CheckpointContent, DocumentStore, GivenUp } from "./document-store.ts";
import type { RecordSegment } from "./record-files.ts";
import type { ReplicaBase } from "./replica-base.ts";

const dayMs = 86_400_000;
/** A file takes records for this part of the time that history is kept, so that not much more is kept than is asked for. */
const filesInTime = 8;

/** The same checkpoint, with new files where the old ones are full of days, and with what goes. `days`: how long history is kept; `undefined`: for ever. */
export async function withRetention(
  content: CheckpointContent,
  {
    store,
    document,
    days,
    nowMs,
  }: { store: DocumentStore; document: Document; days: number | undefined; nowMs: number },
): Promise<CheckpointContent> {
  if (days === undefined || content.orderAnew) return content;
  const keptMs = days * dayMs;
  const isFull = ({ firstMs }: RecordSegment): boolean => nowMs - firstMs > keptMs / filesInTime;
  const last = store.history.segments.at(-1);
  const inNewFiles = last !== undefined && isFull(last);
  const old = await store.oldHistory(nowMs - keptMs);
  const giveUp = old !== undefined && mayGo(old, content, document) ? old : undefined;
  return { ...content, inNewFiles, giveUp };
}

function mayGo(
  { history, lastPlace, ids }: GivenUp,
  { head }: CheckpointContent,
  { replica }: Document,
): boolean {
  if (head.restoreFrom < history || lastPlace > replica.final) return false;
  if (replica.members().some(({ kind }) => kind === "plain")) return false;
  const everywhere = replica.receivedEverywhere();
  return [...ids].every(([source, id]) => {
    const held = Object.hasOwn(everywhere, source) ? (everywhere[source] ?? 0) : 0;
    return held >= Math.min(id, replica.cutOf(source) ?? Infinity);
  });
}

/** Longest base that a peer may send. */
const baseMaxBytes = limits.documentMaxBytes * 4;

/** A base that a peer has sent. Throws TrubaError BADJSON, TOOLARGE or BADVALUE unless it has the form of one. */
export function decodeBase(text: string): ReplicaBase {
  if (text.length > baseMaxBytes)
    throw new TrubaError(
      "TOOLARGE",
      `a base is ${text.length} characters; the limit is ${baseMaxBytes}`,
    );
  let base: unknown;
  try {
    base = JSON.parse(text);
  } catch (error) {
    throw new TrubaError("BADJSON", `a base is not JSON: ${errorText(error)}`);
  }
  if (isBase(base)) return base;
  throw new TrubaError("BADVALUE", "a base of a document has not the form of one");
}

function isBase(value: unknown): value is ReplicaBase {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const isCount = (name: string): boolean => Number.isSafeInteger(fields.get(name));
  const isList = (name: string): boolean => Array.isArray(fields.get(name));
  return (
    fields.get("version") === 1 &&
    fields.has("value") &&
    ["transactions", "rejected", "final"].every(isCount) &&
    ["frontier", "sources", "adoptions", "joined", "evictions"].every(isList)
  );
}
