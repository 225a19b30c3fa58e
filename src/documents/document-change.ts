/** One change of a document by a client: from its text to the answer, which is given when it is durable. */
import { must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Json } from "../patch/json.ts";
import { inexactNumber, parseJson } from "../patch/json-text.ts";
import type { Document } from "./document.ts";
import type { Version } from "./document-progress.ts";
import { defaultDocument } from "./document-name.ts";
import type { StoredTransaction } from "./ledger.ts";
import type { Accepted, ChangeOptions, Rejection } from "./vocabulary.ts";

/** See `DocumentService.patch`. */
export async function changeDocument(
  document: Document,
  operations: readonly Json[],
  options: ChangeOptions,
): Promise<Accepted> {
  const { untilFinal = false, lenient = false, dryRun = false, ifHash, signal } = options;
  signal?.throwIfAborted();
  // Nothing may come between this look and the submission.
  const conflict = ifHash === undefined ? undefined : hashConflict(document, ifHash);
  if (conflict !== undefined) {
    // What it is about may not be durable yet.
    await document.version("facts");
    throw conflict;
  }
  if (dryRun) return tryChange(document, operations, lenient);
  const made = document.submit(operations, { lenient });
  if (made !== undefined && isRejection(made)) {
    await document.version("facts");
    throw failed(made);
  }
  if (made === undefined) {
    const { vclock, hash } = await document.version("hash");
    return { verdict: { kind: "ok" }, final: true, vclock, hash: must(hash) };
  }
  const version = await written(document, made);
  if (!untilFinal) return accepted(document, made, version);
  await document.whenFinal(made.source, made.id, signal);
  return accepted(document, made, await document.version("hash"));
}

/** JSON whose numbers all are what they say. Throws TrubaError BADJSON, TOOLARGE or BADVALUE. */
export function checkedJson(text: string, what: string): Json {
  const bytes = Buffer.byteLength(text, "utf8");
  if (bytes > limits.documentPatchMaxBytes) {
    throw new TrubaError(
      "TOOLARGE",
      `${what} is ${bytes} bytes; the limit is ${limits.documentPatchMaxBytes}`,
    );
  }
  let value: Json;
  try {
    value = parseJson(text, what);
  } catch (error) {
    // A number beyond all doubles is none of JSON's business.
    if (isJson(text)) refuseInexact(text, what);
    throw error;
  }
  refuseInexact(text, what);
  return value;
}

function refuseInexact(text: string, what: string): void {
  const inexact = inexactNumber(text);
  if (inexact === undefined) return;
  throw new TrubaError(
    "BADVALUE",
    `${what} has the number ${inexact}, which would become ${Number(inexact)}; send it as a string`,
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Operations, not decoded yet. Throws as {@link checkedJson}, and BADPATCH. */
export function checkedPatch(text: string): readonly Json[] {
  const operations = checkedJson(text, "the patch");
  if (Array.isArray(operations)) return operations as readonly Json[];
  throw new TrubaError("BADPATCH", "a JSON Patch is an array of operations");
}

/** The document with the transaction, durable. */
async function written(document: Document, { source, id }: StoredTransaction): Promise<Version> {
  try {
    // To hash a large document takes a tenth of a second, in which the node would do nothing else: whoever wants the hash reads the document.
    const isSmall = document.replica.weight <= limits.documentHashedMaxBytes;
    return await document.version(isSmall ? "hash" : "facts");
  } catch (error) {
    throw new TrubaError(
      "UNKNOWNOUTCOME",
      `whether transaction ${id} of ${source} in document ${document.name} is durable is not known`,
      { cause: error },
    );
  }
}

function accepted(
  document: Document,
  { source, id }: StoredTransaction,
  { vclock, hash }: Version,
): Accepted {
  // One that is no more in memory was accepted here, and is settled.
  const { verdict = { kind: "ok" } as const, final = true } =
    document.replica.verdictOf(source, id) ?? {};
  return { source, id, verdict, final, vclock, ...(hash === undefined ? {} : { hash }) };
}

function tryChange(document: Document, operations: readonly Json[], lenient: boolean): Accepted {
  const would = document.replica.dryRun(operations, { lenient });
  if (would.kind === "rejected") throw failed(would);
  const { text, hash } = would;
  return { verdict: { kind: "ok" }, final: false, vclock: document.replica.vclock, hash, text };
}

function isRejection(made: StoredTransaction | Rejection): made is Rejection {
  return "kind" in made;
}

function failed(rejection: Rejection): TrubaError {
  return new TrubaError("PATCHFAILED", rejection.text, { cause: rejection });
}

/** Why the document is not the one that is wanted; `undefined`: it is. */
function hashConflict(document: Document, wanted: string): TrubaError | undefined {
  const { replica, name } = document;
  const exists = document.exists || name === defaultDocument;
  const found = exists ? replica.hash() : "none";
  if (wanted === "*" ? exists : wanted === found) return undefined;
  const has = exists ? `has the hash ${found}` : "does not exist";
  return new TrubaError(
    "HASHCONFLICT",
    wanted === "*" || wanted === "none"
      ? `document ${name} ${has}`
      : `document ${name} ${has}; wanted is ${wanted}`,
  );
}
