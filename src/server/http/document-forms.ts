/** Documents between HTTP and `DocumentService`: moments out of queries, views as answers, and changes under conditions. */
import { TrubaError } from "../../base/errors.ts";
import type {
  Accepted,
  ChangeOptions,
  DocumentService,
  DocumentView,
} from "../../documents/vocabulary.ts";
import { acceptPatch } from "./bodies.ts";
import { type Conditions, tagOf } from "./document-conditions.ts";
import { type Answer, type HttpCall, jsonAnswer } from "./route.ts";

/** A document that others change all the time may be compared with in vain so often; then the condition counts as failed. */
const conditionTriesMaxCount = 8;

/** Longer ones are left out of headers, of which many clients take 16 KiB in all; the status of the document has them. */
const vclockHeaderMaxLength = 4_096;

/** The document itself, or 304. Throws Refusal HASHCONFLICT. */
export function viewAnswer(view: DocumentView, conditions: Conditions): Answer {
  const headers = {
    etag: tagOf(view.hash),
    // Kept by browsers, and asked for again each time; not by what stands in between, for tokens decide who reads it.
    "cache-control": "private, no-cache",
    "truba-transactions": String(view.transactions),
    "truba-final": String(view.final),
    "truba-rejected": String(view.rejected),
    ...vclockHeader(view),
    ...acceptPatch,
  };
  if (conditions.isKnown(view.hash)) return { status: 304, headers, body: { kind: "none" } };
  return { status: 200, headers, body: jsonText(view.text) };
}

/** JSON that is text already. */
export function jsonText(text: string): Answer["body"] {
  return { kind: "bytes", bytes: Buffer.from(text, "utf8"), contentType: "application/json" };
}

/** Headers are ASCII, sources need not be. */
function vclockHeader({ vclock }: DocumentView): Readonly<Record<string, string>> {
  const text = JSON.stringify(vclock).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return text.length <= vclockHeaderMaxLength ? { "truba-vclock": text } : {};
}

/** What a change gave. */
export function acceptedAnswer(accepted: Accepted, status = 200): Answer {
  const { hash, text } = accepted;
  const headers = text === undefined && hash !== undefined ? { etag: tagOf(hash) } : {};
  return { ...jsonAnswer(accepted, status), headers };
}

/** What became of a change under conditions, and whether it made the document. */
export interface Changed {
  readonly accepted: Accepted;
  readonly made: boolean;
}

/** Changes the document if the conditions hold at that moment. Throws TrubaError HASHCONFLICT, and what `change` throws. */
export async function changeIf(
  documents: DocumentService,
  name: string,
  conditions: Conditions,
  change: (options: Pick<ChangeOptions, "ifHash">) => Promise<Accepted>,
): Promise<Changed> {
  const { simple } = conditions;
  if (simple === "any") return { accepted: await change({}), made: false };
  if (simple !== undefined)
    return { accepted: await change({ ifHash: simple }), made: simple === "none" };
  for (let tries = 1; ; tries++) {
    const hash = await hashOf(documents, name);
    conditions.checkWrite(hash);
    try {
      const accepted = await change({ ifHash: hash ?? "none" });
      return { accepted, made: hash === undefined };
    } catch (error) {
      // Somebody else was faster: what they made may fit the conditions as well.
      if (!isConflict(error) || tries >= conditionTriesMaxCount) throw error;
    }
  }
}

async function hashOf(documents: DocumentService, name: string): Promise<string | undefined> {
  try {
    return (await documents.read(name)).hash;
  } catch (error) {
    if (error instanceof TrubaError && error.code === "NODOCUMENT") return undefined;
    throw error;
  }
}

export function isConflict(error: unknown): boolean {
  return error instanceof TrubaError && error.code === "HASHCONFLICT";
}

/** What the query of a change says of it. */
export function changeOptionsOf({ query, signal }: HttpCall): ChangeOptions {
  const { wait, "dry-run": dryRun } = query as { wait?: "durable" | "stable"; "dry-run"?: boolean };
  return {
    signal,
    ...(wait === "stable" ? { untilFinal: true } : {}),
    ...(dryRun === true ? { dryRun } : {}),
  };
}
