/**
 * The addresses of the course exercise, for its document `default` and, below /d/NAME, for another one:
 *
 *     /vclock         Ids by source, {"a":3}
 *     /get            the document
 *     /replace /post  the body is a JSON Patch, under any content type or none, by POST or PUT
 *
 * Users of the exercise read what is answered, so problems are text here, unless `Accept` names JSON; the code stands in `Truba-Error`. Patches are taken as the exercise's
 * examples need it: a `replace` of a member that is not there adds it, before the transaction is made. Who may come from where is said in admittance.ts.
 */
import { must } from "../../../base/assert.ts";
import { limits } from "../../../base/limits.ts";
import type { Accepted, DocumentService } from "../../../documents/vocabulary.ts";
import { textOf } from "../bodies.ts";
import { Conditions, tagOf } from "../document-conditions.ts";
import { changeIf, jsonText, viewAnswer } from "../document-forms.ts";
import { documentName, replacedSchema, vclock } from "../document-schemas.ts";
import type { Answer, HttpCall, Method, Route } from "../route.ts";

/** The document that plain peers share. */
const shared = "default";

export function exerciseRoutes(documents: DocumentService): readonly Route[] {
  return ["", "/d/{name}"].flatMap((base) => [
    vclockRoute(documents, base),
    getRoute(documents, base),
    ...(["/replace", "/post"] as const).flatMap((word) =>
      (["POST", "PUT"] as const).map((method) => replaceRoute(documents, base, word, method)),
    ),
  ]);
}

/** What is the same of all of them; codes that addresses below /v1 have without saying so are said here. */
function common(base: string, word: string, method: Method) {
  const inPath = base === "" ? {} : { parameters: { name: documentName } };
  return {
    method,
    path: `${base}${word}`,
    id: `${method.toLowerCase()}${base === "" ? "" : "_d_name"}_${word.slice(1)}`,
    group: "exercise",
    exercise: true,
    ...inPath,
    errors: [
      ...(base === "" ? [] : (["BADDOCUMENTNAME", "NODOCUMENT"] as const)),
      "DOCUMENTDAMAGED",
      "SHUTTINGDOWN",
      "STOPPED",
    ],
  } as const;
}

function nameOf({ parameters }: HttpCall): string {
  return parameters["name"] ?? shared;
}

function vclockRoute(documents: DocumentService, base: string): Route {
  return {
    ...common(base, "/vclock", "GET"),
    role: "read",
    summary: "Vector clock: the last Id of each source",
    answers: { 200: { description: "Ids by source", json: vclock } },
    handle: async (call) => {
      const view = await documents.read(nameOf(call));
      return { status: 200, body: jsonText(JSON.stringify(view.vclock)) };
    },
  };
}

function getRoute(documents: DocumentService, base: string): Route {
  const route = common(base, "/get", "GET");
  return {
    ...route,
    role: "read",
    summary: "The document",
    answers: {
      200: { description: "canonical JSON", mediaType: "application/json" },
      304: { description: "the client has it" },
    },
    errors: [...route.errors, "HASHCONFLICT"],
    handle: async (call) =>
      viewAnswer(await documents.read(nameOf(call)), new Conditions(call.headers)),
  };
}

function replaceRoute(
  documents: DocumentService,
  base: string,
  word: string,
  method: Method,
): Route {
  const route = common(base, word, method);
  return {
    ...route,
    role: "write",
    summary: "Applies a JSON Patch; a replace of what is not there adds it",
    description: "Answered when the transaction is applied and on disk.",
    body: {
      raw: "a JSON Patch, under any content type",
      maxBytes: limits.documentPatchMaxBytes,
    },
    answers: { 200: { description: "applied and on disk", json: replacedSchema } },
    errors: [
      ...route.errors,
      "BADJSON",
      "BADPATCH",
      "PATCHFAILED",
      "HASHCONFLICT",
      "SOURCECONFLICT",
    ],
    handle: async (call) => {
      const patch = textOf(must(call.bytes));
      const { signal } = call;
      const name = nameOf(call);
      const conditions = new Conditions(call.headers);
      const { accepted } = await changeIf(documents, name, conditions, (more) =>
        documents.patch(name, patch, { lenient: true, signal, ...more }),
      );
      return replaced(accepted);
    },
  };
}

function replaced({ source, id, final, vclock: seen, hash }: Accepted): Answer {
  const value = { Source: source ?? null, Id: id ?? null, final, vclock: seen, hash };
  const headers = hash === undefined ? {} : { etag: tagOf(hash) };
  return { status: 200, headers, body: jsonText(JSON.stringify(value)) };
}
