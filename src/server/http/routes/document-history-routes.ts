/** `/v1/documents/NAME/…`: what happened to a document, how its members stand, and the links that carry it. */
import { must } from "../../../base/assert.ts";
import { TrubaError } from "../../../base/errors.ts";
import { limits } from "../../../base/limits.ts";
import type { DocumentService, HistoryQuery } from "../../../documents/vocabulary.ts";
import { historyPage } from "../document-history.ts";
import {
  conflictsQuery,
  conflictsSchema,
  documentName,
  documentStatusSchema,
  evictionSchema,
  historyQuery,
  historySchema,
  linksSchema,
  source,
} from "../document-schemas.ts";
import { type Route, jsonAnswer } from "../route.ts";
import { object } from "../wire-fields.ts";

const parameters = { name: documentName };

export function documentHistoryRoutes(documents: DocumentService): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/v1/documents/{name}/history",
      id: "get_documents_name_history",
      group: "documents",
      role: "read",
      summary: "Transactions of a document in their order, with verdicts",
      description: "A page ends early where its patches are large; `next` says where to go on.",
      parameters,
      query: historyQuery,
      answers: { 200: { description: "a page", json: historySchema } },
      errors: ["BADDOCUMENTNAME", "NODOCUMENT", "HISTORYTRIMMED", "DOCUMENTDAMAGED"],
      handle: async (call) => {
        const query = call.query as HistoryQuery;
        if (query.from === 0)
          throw new TrubaError("BADVALUE", "from is 0; places count from 1, or from -1 backwards");
        return jsonAnswer(await historyPage(documents, must(call.parameters["name"]), query));
      },
    },
    {
      method: "GET",
      path: "/v1/documents/{name}/conflicts",
      id: "get_documents_name_conflicts",
      group: "documents",
      role: "read",
      summary: "What was overwritten or shifted by authors who did not know of each other",
      parameters,
      query: conflictsQuery,
      answers: { 200: { description: "the conflicts", json: conflictsSchema } },
      errors: ["BADDOCUMENTNAME", "NODOCUMENT", "HISTORYTRIMMED", "DOCUMENTDAMAGED"],
      handle: async (call) => {
        const { count } = call.query as { count?: number };
        const name = must(call.parameters["name"]);
        return jsonAnswer({ conflicts: await documents.conflicts(name, count) });
      },
    },
    {
      method: "GET",
      path: "/v1/documents/{name}/status",
      id: "get_documents_name_status",
      group: "documents",
      role: "read",
      summary: "How a document stands, and its members as this node knows them",
      parameters,
      answers: { 200: { description: "as it is now", json: documentStatusSchema } },
      errors: ["BADDOCUMENTNAME", "NODOCUMENT", "DOCUMENTDAMAGED"],
      handle: async (call) => jsonAnswer(await documents.status(must(call.parameters["name"]))),
    },
    {
      method: "GET",
      path: "/v1/document-links",
      id: "get_document_links",
      group: "documents",
      role: "read",
      summary: "Connections to other nodes",
      answers: { 200: { description: "as they are now", json: linksSchema } },
      errors: [],
      handle: () => jsonAnswer({ links: documents.links() }),
    },
    evictRoute(documents),
  ];
}

function evictRoute(documents: DocumentService): Route {
  return {
    method: "POST",
    path: "/v1/documents/{name}/evict",
    id: "post_documents_name_evict",
    group: "documents",
    role: "admin",
    summary: "A member that is gone for good holds back finality no longer",
    description:
      "Its transactions above what the remaining members hold are refused everywhere from then on. Answered when the remaining members agree on the cut; whoever goes earlier has asked for it all the same.",
    parameters,
    body: { json: object({ source }), maxBytes: limits.httpBodyMaxBytes },
    answers: { 200: { description: "they agree", json: evictionSchema } },
    errors: ["BADDOCUMENTNAME", "NODOCUMENT", "NOMEMBER", "DOCUMENTDAMAGED"],
    handle: async (call) => {
      const { source: gone } = call.json as { source: string };
      const name = must(call.parameters["name"]);
      return jsonAnswer({ source: gone, cut: await documents.evict(name, gone, call.signal) });
    },
  };
}
