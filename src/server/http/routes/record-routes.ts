/**
 * `/v1/records`: values as they are, with the conditions of HTTP (RFC 9110 §13). The ETag of a record is its version; a condition that does not hold is answered with 412,
 * as HTTP has it, and the code of the error table.
 */
import { z } from "zod";
import { must } from "../../../base/assert.ts";
import { TrubaError } from "../../../base/errors.ts";
import { limits } from "../../../base/limits.ts";
import { detached } from "../../../machines/owner.ts";
import type { Node } from "../../../node/node.ts";
import type { Requests } from "../../../node/requests.ts";
import type { RecordStatusResponse, RequestOf } from "../../../protocol/requests.ts";
import { Refusal } from "../problem.ts";
import { type Answer, type HttpCall, type Route, type RouteHeader, jsonAnswer } from "../route.ts";
import { isKnown } from "../static-files.ts";
import { recordSchemas } from "../record-schemas.ts";
import { isCursor, scanRecords } from "../../record-scan.ts";
import { count, object, recordKeyText } from "../wire-fields.ts";

const octets = "application/octet-stream";
const path = "/v1/records/{key}";
const parameters = { key: recordKeyText };
const status = recordSchemas["record.set"].response;
const etag = { ETag: "version of the record, in quotes" };

const ifMatch: RouteHeader = {
  name: "If-Match",
  description: "only if the record has this version; * = if there is such a record",
  example: '"12"',
};
const ifNoneMatch: RouteHeader = {
  name: "If-None-Match",
  description: "* = only if there is no such record",
  example: "*",
};

export function recordRoutes(requests: Requests, node: Node): readonly Route[] {
  return [
    listRoute(node),
    getRoute(requests),
    putRoute(requests),
    {
      method: "DELETE",
      path,
      id: "delete_records_key",
      group: "records",
      role: "write",
      summary: "Deletes a record",
      parameters,
      headers: [{ ...ifMatch, description: "only if the record has this version" }],
      once: true,
      answers: { 200: { description: "deleted", json: status } },
      errors: ["BADKEY", "NOTFOUND", "VERSIONCONFLICT"],
      handle: async (call) => {
        const key = must(call.parameters["key"]);
        const { ifVersion } = conditionsOf(call);
        const request = ifVersion === undefined ? { key } : { key, ifVersion };
        const context = { owner: detached, requestId: call.requestId };
        return written(key, await requests.call("record.delete", request, context));
      },
    },
  ];
}

function getRoute(requests: Requests): Route {
  return {
    method: "GET",
    path,
    id: "get_records_key",
    group: "records",
    role: "read",
    summary: "The value of a record",
    parameters,
    headers: [
      { ...ifNoneMatch, description: "not if the record has this version still", example: '"12"' },
    ],
    answers: {
      200: { description: "its bytes", mediaType: octets, headers: etag },
      304: { description: "the record has the version that If-None-Match names", headers: etag },
    },
    errors: ["BADKEY", "NOTFOUND"],
    handle: async (call) => {
      const key = must(call.parameters["key"]);
      const { version, value } = await requests.call("record.get", { key }, { owner: detached });
      if (value === null) throw notFound(key);
      const headers = { etag: `"${version}"` };
      if (isKnown(call, headers.etag)) return { status: 304, headers, body: { kind: "none" } };
      return { status: 200, headers, body: { kind: "bytes", bytes: value, contentType: octets } };
    },
  };
}

const putQuery = object({ expiryMs: recordSchemas["record.set"].request.shape.expiryMs });

function putRoute(requests: Requests): Route {
  return {
    method: "PUT",
    path,
    id: "put_records_key",
    group: "records",
    role: "write",
    summary: "Writes a record",
    description: "The body is the value, whatever its content type.",
    parameters,
    query: putQuery,
    headers: [ifMatch, ifNoneMatch],
    body: { raw: "the value", maxBytes: limits.valueMaxBytes },
    once: true,
    answers: {
      201: { description: "created", json: status, headers: etag },
      200: { description: "updated", json: status, headers: etag },
    },
    errors: ["BADKEY", "TOOLARGE", "EXISTS", "NOTFOUND", "VERSIONCONFLICT"],
    handle: async (call) => {
      const key = must(call.parameters["key"]);
      const request: RequestOf<"record.set"> = {
        key,
        value: call.bytes ?? Buffer.alloc(0),
        ...(call.query as { expiryMs?: number }),
        ...conditionsOf(call),
      };
      const context = { owner: detached, requestId: call.requestId };
      return written(key, await requests.call("record.set", request, context));
    },
  };
}

const listQuery = object({
  cursor: count({ description: "where to go on; 0 = from the start" }).optional(),
  count: count({ description: "about so many", min: 1, max: limits.scanMaxCount }).optional(),
});

const listed = object({
  cursor: count({ description: "where to go on; 0 = that was all" }),
  keys: z.array(recordKeyText).meta({ description: "in no order" }),
});

/** As SCAN: a cursor is good while the node runs, and what is there all the time is told exactly once. */
function listRoute(node: Node): Route {
  return {
    method: "GET",
    path: "/v1/records",
    id: "get_records",
    group: "records",
    role: "read",
    summary: "Keys of records, some at a time",
    query: listQuery,
    answers: { 200: { description: "some keys, and the cursor to go on with", json: listed } },
    errors: [],
    handle: (call) => {
      const { cursor = 0, count: wanted = 100 } = call.query as z.infer<typeof listQuery>;
      if (!isCursor(cursor, node.partitions))
        throw new TrubaError("BADVALUE", `cursor is ${cursor}; it must be one that was answered`);
      const keys: string[] = [];
      const from = { cursor, count: wanted };
      const next = scanRecords(node.partitions, from, (key) => keys.push(key));
      return jsonAnswer({ cursor: next, keys });
    },
  };
}

/** Throws TrubaError BADVALUE for a condition that is none. */
function conditionsOf(
  call: HttpCall,
): Pick<RequestOf<"record.set">, "ifAbsent" | "ifPresent" | "ifVersion"> {
  const { "if-match": match, "if-none-match": noneMatch } = call.headers;
  if (match !== undefined && noneMatch !== undefined)
    throw new TrubaError("BADVALUE", "at most one of If-Match and If-None-Match may be given");
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === "*") return { ifAbsent: true };
    throw new TrubaError(
      "BADVALUE",
      `If-None-Match is ${JSON.stringify(noneMatch)}; here it must be *`,
    );
  }
  if (match === undefined) return {};
  if (match.trim() === "*") return { ifPresent: true };
  const version = /^"(0|[1-9]\d{0,15})"$/.exec(match.trim())?.[1];
  if (version === undefined || !Number.isSafeInteger(Number(version)))
    throw new TrubaError(
      "BADVALUE",
      `If-Match is ${JSON.stringify(match)}; it must be * or one version in quotes`,
    );
  return { ifVersion: Number(version) };
}

function written(key: string, response: RecordStatusResponse): Answer {
  const { status: done, version } = response;
  const headers = { etag: `"${version}"` };
  switch (done) {
    case "created":
      return { ...jsonAnswer(response, 201), headers };
    case "updated":
      return { ...jsonAnswer(response), headers };
    case "deleted":
      return jsonAnswer(response);
    case "missing":
      throw notFound(key);
    case "exists":
      throw new Refusal("EXISTS", `the record ${key} exists, with version ${version}`, {
        status: 412,
        headers,
      });
    case "notfound":
      throw new Refusal("NOTFOUND", `there is no record ${key}`, { status: 412 });
    case "conflict":
      throw new Refusal("VERSIONCONFLICT", `the record ${key} has version ${version}`, {
        status: 412,
        ...(version === 0 ? {} : { headers }),
      });
    default:
      return done satisfies never;
  }
}

function notFound(key: string): TrubaError {
  return new TrubaError("NOTFOUND", `there is no record ${key}`);
}
