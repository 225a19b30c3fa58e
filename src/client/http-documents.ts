/** Requests about documents as HTTP has them: `/v1/documents/NAME`, the document itself as body, its hash as entity tag, its counts in headers. */
import type { AnyDocumentRequest } from "../protocol/document-requests.ts";
import type { DocumentView } from "../protocol/documents.ts";
import { badAnswer } from "./http-wire.ts";

/** What is sent. */
export interface DocumentExchange {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  readonly path: string;
  readonly body?: unknown;
  readonly text?: { readonly text: string; readonly mediaType: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly waitMs?: number;
  readonly changes: boolean;
}

export function documentPath(document: string): string {
  return `/v1/documents/${encodeURIComponent(document)}`;
}

export function documentExchange(asked: AnyDocumentRequest): DocumentExchange {
  const { verb, request } = asked;
  if (verb === "doc.list") return read(`/v1/documents${queryText({ ...request })}`);
  const path = documentPath(request.document);
  switch (verb) {
    case "doc.get":
      return read(path + queryText({ at: request.at }));
    case "doc.history": {
      const { document: _, ...query } = request;
      return read(`${path}/history${queryText(query)}`);
    }
    case "doc.conflicts":
      return read(`${path}/conflicts${queryText({ count: request.count })}`);
    case "doc.status":
      return read(`${path}/status`);
    case "doc.put":
      return { ...change(path, request), method: "PUT", text: json(request.value) };
    case "doc.patch":
      return { ...change(path, request), method: "PATCH", text: patch(request.patch) };
    case "doc.evict": {
      const { source, waitMs = 0 } = request;
      const body = { source };
      return { method: "POST", path: `${path}/evict`, body, waitMs, changes: true };
    }
    default:
      return verb satisfies never;
  }
}

/** The response in an answer. Rejects with TrubaError BADANSWER. */
export async function answerOf(asked: AnyDocumentRequest, response: Response): Promise<object> {
  const text = await response.text();
  if (asked.verb === "doc.get") return viewOf(asked.request.document, text, response.headers);
  const answer = objectIn(text);
  if (asked.verb !== "doc.list") return answer;
  const { documents } = answer as { readonly documents?: unknown };
  if (!Array.isArray(documents)) throw badAnswer("a list without documents");
  return { names: (documents as readonly { readonly name: string }[]).map(({ name }) => name) };
}

function objectIn(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badAnswer("something else than JSON");
  }
  if (typeof value !== "object" || value === null) throw badAnswer("something else than an object");
  return value;
}

function viewOf(name: string, text: string, headers: Headers): DocumentView {
  const header = (of: string): string => {
    const value = headers.get(of);
    if (value === null) throw badAnswer(`a document without ${of}, or its header is not exposed`);
    return value;
  };
  return {
    name,
    text,
    hash: header("etag").replace(/^(?:W\/)?"|"$/g, ""),
    vclock: objectIn(header("truba-vclock")) as DocumentView["vclock"],
    transactions: Number(header("truba-transactions")),
    final: Number(header("truba-final")),
    rejected: Number(header("truba-rejected")),
  };
}

function read(path: string): DocumentExchange {
  return { method: "GET", path, changes: false };
}

interface Conditions {
  readonly ifHash?: string;
  readonly untilFinal?: boolean;
  readonly dryRun?: boolean;
}

function change(
  path: string,
  { ifHash, untilFinal = false, dryRun = false }: Conditions,
): Pick<DocumentExchange, "path" | "headers" | "changes"> {
  const query = queryText({
    wait: untilFinal ? "stable" : undefined,
    "dry-run": dryRun ? "true" : undefined,
  });
  return { path: path + query, headers: condition(ifHash), changes: !dryRun };
}

function condition(ifHash: string | undefined): Readonly<Record<string, string>> {
  if (ifHash === undefined) return {};
  if (ifHash === "none") return { "if-none-match": "*" };
  return { "if-match": ifHash === "*" ? "*" : `"${ifHash}"` };
}

function json(text: string): NonNullable<DocumentExchange["text"]> {
  return { text, mediaType: "application/json" };
}

function patch(text: string): NonNullable<DocumentExchange["text"]> {
  return { text, mediaType: "application/json-patch+json" };
}

function queryText(fields: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
