/** `/v1/documents`: documents, read and changed. */
import { must } from "../../../base/assert.ts";
import { TrubaError } from "../../../base/errors.ts";
import { limits } from "../../../base/limits.ts";
import type { DocumentExchange } from "../../../documents/exchange.ts";
import type { Accepted, ChangeOptions, DocumentService } from "../../../documents/vocabulary.ts";
import { momentOf } from "../../../protocol/moment.ts";
import { patchMediaType, textOf } from "../bodies.ts";
import { Conditions } from "../document-conditions.ts";
import {
  type Changed,
  acceptedAnswer,
  changeIf,
  changeOptionsOf,
  isConflict,
  viewAnswer,
} from "../document-forms.ts";
import {
  acceptedSchema,
  documentName,
  listQuery,
  listedSchema,
  readQuery,
  writeQuery,
} from "../document-schemas.ts";
import { type Route, type RouteHeader, jsonAnswer } from "../route.ts";

/** What the routes ask for. */
export type Documents = DocumentService & Pick<DocumentExchange, "head">;

const path = "/v1/documents/{name}";
const parameters = { name: documentName };

const ifMatch: RouteHeader = {
  name: "If-Match",
  description: "only if the document has one of these hashes; * = if there is one",
  example: '"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"',
};
const ifNoneMatch: RouteHeader = {
  name: "If-None-Match",
  description: "only if the document has none of these hashes; * = if there is none",
  example: "*",
};
const etag = { ETag: "hash of the canonical JSON, in quotes" };

export function documentRoutes(documents: Documents): readonly Route[] {
  return [listRoute(documents), getRoute(documents), putRoute(documents), patchRoute(documents)];
}

function listRoute(documents: Documents): Route {
  return {
    method: "GET",
    path: "/v1/documents",
    id: "get_documents",
    group: "documents",
    role: "read",
    summary: "Documents by name, some at a time",
    query: listQuery,
    answers: { 200: { description: "some documents", json: listedSchema } },
    errors: [],
    handle: (call) => {
      const { after, count = 100 } = call.query as { after?: string; count?: number };
      const names = documents.list(after, count);
      const listed = names.map((name) => {
        const { vclock = {}, hash, tentative = false } = documents.head(name) ?? {};
        return { name, vclock, ...(hash === undefined ? {} : { hash }), tentative };
      });
      const next = names.length < count ? {} : { next: must(names.at(-1)) };
      return jsonAnswer({ documents: listed, ...next });
    },
  };
}

function getRoute(documents: Documents): Route {
  return {
    method: "GET",
    path,
    id: "get_documents_name",
    group: "documents",
    role: "read",
    summary: "A document, now or as it was",
    description:
      "Canonical JSON (RFC 8785): members sorted by name, no blanks. What is answered is durable.",
    parameters,
    query: readQuery,
    headers: [
      { ...ifNoneMatch, description: "answer 304 if the document has one of these hashes still" },
      ifMatch,
    ],
    answers: {
      200: {
        description: "the document",
        mediaType: "application/json",
        headers: {
          ...etag,
          "Truba-Vclock": "vector clock, as JSON in ASCII; left out if it is long",
          "Truba-Transactions": "transactions in the order",
          "Truba-Final": "those of them that are final",
          "Truba-Rejected": "those of them that are rejected",
          "Accept-Patch": "what PATCH takes",
        },
      },
      304: { description: "the client has it", headers: etag },
    },
    errors: ["BADDOCUMENTNAME", "NODOCUMENT", "HASHCONFLICT", "HISTORYTRIMMED", "DOCUMENTDAMAGED"],
    handle: async (call) => {
      const { at } = call.query as { at?: string };
      const conditions = new Conditions(call.headers);
      const name = must(call.parameters["name"]);
      const moment = at === undefined ? undefined : momentOf(at);
      const view = await documents.read(name, moment);
      if (moment !== undefined && "position" in moment && moment.position > view.transactions)
        throw new TrubaError(
          "BADVALUE",
          `at is ${moment.position}; document ${name} has ${view.transactions} transactions`,
        );
      return viewAnswer(view, conditions);
    },
  };
}

function putRoute(documents: Documents): Route {
  return {
    method: "PUT",
    path,
    id: "put_documents_name",
    group: "documents",
    role: "write",
    summary: "Makes the document this value, any JSON",
    description: "One transaction that replaces everything. To change a part of it, PATCH.",
    parameters,
    query: writeQuery,
    headers: [ifMatch, ifNoneMatch],
    body: {
      raw: "the value",
      mediaType: "application/json",
      example: { "0": ["Hello", "World"] },
      maxBytes: limits.documentPatchMaxBytes,
    },
    answers: {
      200: { description: "the document is this", json: acceptedSchema, headers: etag },
      201: { description: "the document is new", json: acceptedSchema, headers: etag },
    },
    errors: [
      "BADDOCUMENTNAME",
      "BADJSON",
      "BADCONTENTTYPE",
      "PATCHFAILED",
      "HASHCONFLICT",
      "SOURCECONFLICT",
      "DOCUMENTDAMAGED",
    ],
    handle: async (call) => {
      const name = must(call.parameters["name"]);
      const value = textOf(must(call.bytes));
      const options = changeOptionsOf(call);
      const put = (more: ChangeOptions): Promise<Accepted> =>
        documents.put(name, value, { ...options, ...more });
      const conditions = new Conditions(call.headers);
      const { accepted, made } =
        conditions.simple === "any"
          ? await putOrMake(put)
          : await changeIf(documents, name, conditions, put);
      return acceptedAnswer(accepted, made && options.dryRun !== true ? 201 : 200);
    },
  };
}

/** Of those who put a new document at one time one has made it. */
async function putOrMake(put: (more: ChangeOptions) => Promise<Accepted>): Promise<Changed> {
  try {
    return { accepted: await put({ ifHash: "none" }), made: true };
  } catch (error) {
    if (!isConflict(error)) throw error;
    return { accepted: await put({}), made: false };
  }
}

function patchRoute(documents: Documents): Route {
  return {
    method: "PATCH",
    path,
    id: "patch_documents_name",
    group: "documents",
    role: "write",
    summary: "Applies a JSON Patch (RFC 6902), all of it or nothing",
    description:
      "A document that does not exist begins as {}. Answered when the transaction is on disk; with wait=stable when nothing can come before it any more: then its verdict, which may be rejected, stays.",
    parameters,
    query: writeQuery,
    headers: [ifMatch, ifNoneMatch],
    body: {
      raw: "a JSON Patch",
      mediaType: patchMediaType,
      example: [{ op: "add", path: "/0", value: ["Hello"] }],
      maxBytes: limits.documentPatchMaxBytes,
    },
    answers: { 200: { description: "accepted", json: acceptedSchema, headers: etag } },
    errors: [
      "BADDOCUMENTNAME",
      "BADJSON",
      "BADPATCH",
      "BADCONTENTTYPE",
      "PATCHFAILED",
      "HASHCONFLICT",
      "SOURCECONFLICT",
      "DOCUMENTDAMAGED",
    ],
    handle: async (call) => {
      const name = must(call.parameters["name"]);
      const patch = textOf(must(call.bytes));
      const options = changeOptionsOf(call);
      const conditions = new Conditions(call.headers);
      const { accepted } = await changeIf(documents, name, conditions, (more) =>
        documents.patch(name, patch, { ...options, ...more }),
      );
      return acceptedAnswer(accepted);
    },
  };
}
