/**
 * OpenAPI 3.1 out of the table of routes. Made here and not by Fastify's plugin, which takes every body for required, drops `contentEncoding`, and repeats each problem
 * at each route.
 */
import { type ErrorCode, errorTable } from "../../base/errors.ts";
import { type JsonSchema, exampleOf, jsonSchemaOf } from "./json-schema.ts";
import { problemMediaType, titleOf } from "./problem.ts";
import { type Route, type RouteAnswer, groups } from "./route.ts";

/** What any request may be answered with. */
const anyErrors: readonly ErrorCode[] = ["ERR", "BADORIGIN", "OVERLOADED", "SLOWREQUEST"];
const inputErrors: readonly ErrorCode[] = ["BADVALUE"];
const bodyErrors: readonly ErrorCode[] = ["BADJSON", "BADCONTENTTYPE", "TOOLARGE"];
const tokenErrors: readonly ErrorCode[] = ["NOAUTH", "WRONGPASS", "NOPERM"];
const nodeErrors: readonly ErrorCode[] = ["NOTLEADER", "NOQUORUM", "SHUTTINGDOWN", "STOPPED"];
const writeErrors: readonly ErrorCode[] = ["DISKFULL", "UNKNOWNOUTCOME"];
const onceErrors: readonly ErrorCode[] = ["REQUESTAHEAD", "REQUESTTOOOLD", "REQUESTREUSED"];

export interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly [name: string]: unknown;
}

export interface OpenApiOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: RequestBody;
  readonly responses: Readonly<Record<string, Response>>;
  readonly security?: readonly object[];
  readonly "x-role": string;
}

interface RequestBody {
  readonly required: boolean;
  readonly content: Content;
}

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
  readonly example?: unknown;
  readonly style?: string;
  readonly explode?: boolean;
}

type Content = Readonly<
  Record<
    string,
    { readonly schema: object; readonly examples?: object; readonly example?: unknown }
  >
>;

interface Response {
  readonly description: string;
  readonly headers?: object;
  readonly content?: Content;
}

export function openApiOf(routes: readonly Route[], version: string): OpenApiDocument {
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  for (const route of routes) {
    const operations = (paths[route.path] ??= {});
    operations[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Truba",
      version,
      summary:
        "A durable, replicated log with records, queues and sessions on top of it, and documents that converge.",
      description:
        "Bytes are base64 text (RFC 4648 §4) in JSON, but for documents, which are JSON themselves. Times are milliseconds. Whole numbers beyond ±(2^53 - 1) are decimal text. Errors are problems (RFC 9457) with a stable `code`.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: Object.entries(groups).map(([name, description]) => ({ name, description })),
    security: [{ bearer: [] }, {}],
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "A token of this node, if it wants one.",
        },
      },
      schemas: { Problem: problemSchema },
    },
  };
}

function operationOf(route: Route): OpenApiOperation {
  const { body, description } = route;
  const parameters = parametersOf(route);
  return {
    operationId: route.id,
    tags: [route.group],
    summary: route.summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: bodyOf(body) }),
    responses: { ...goodAnswers(route), ...problemsOf(route) },
    ...(route.role === "public" ? { security: [{}] } : {}),
    "x-role": route.role,
  };
}

function parametersOf(route: Route): readonly Parameter[] {
  const found: Parameter[] = [];
  const add = (
    place: Parameter["in"],
    name: string,
    schema: JsonSchema,
    required: boolean,
  ): void => {
    const { description = name, examples: _, ...rest } = schema;
    const list = schema.type === "array" ? { style: "form", explode: false } : {};
    const example = required ? { example: exampleOf(schema) } : {};
    found.push({ name, in: place, required, description, schema: rest, ...example, ...list });
  };
  for (const [name, schema] of Object.entries(route.parameters ?? {}))
    add("path", name, jsonSchemaOf(schema), true);
  const query = route.query === undefined ? undefined : jsonSchemaOf(route.query);
  for (const [name, schema] of Object.entries(query?.properties ?? {}))
    add("query", name, schema, query?.required?.includes(name) === true);
  for (const { name, description, example } of route.headers ?? [])
    add("header", name, { type: "string", description, examples: [example] }, false);
  if (route.once === true)
    add("header", "Idempotency-Key", { type: "string", description: onceText }, false);
  return found;
}

const onceText =
  "id of the request, 1 to 64 printable ASCII characters: sent again with the same id it takes effect once";

function bodyOf(body: NonNullable<Route["body"]>): RequestBody {
  const { json, raw, mediaType, example, optional } = body;
  const content: Record<string, Content[string]> = {};
  if (json !== undefined) {
    const schema = jsonSchemaOf(json);
    content["application/json"] = { schema, example: exampleOf(schema) };
  }
  if (raw !== undefined)
    content[mediaType ?? (json === undefined ? "*/*" : "application/octet-stream")] = {
      schema: { description: raw },
      ...(example === undefined ? {} : { example }),
    };
  return {
    required: optional !== true && (raw === undefined || mediaType !== undefined),
    content,
  };
}

function goodAnswers(route: Route): Readonly<Record<string, Response>> {
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, answer]) => [status, goodAnswer(answer)]),
  );
}

function goodAnswer({ description, json, mediaType, headers }: RouteAnswer): Response {
  const described = Object.entries(headers ?? {}).map(([name, text]) => [
    name,
    { description: text, schema: { type: "string" } },
  ]);
  const schema = json === undefined ? undefined : jsonSchemaOf(json);
  const content: Content | undefined =
    schema === undefined
      ? mediaType === undefined
        ? undefined
        : { [mediaType]: { schema: {} } }
      : { "application/json": { schema, example: exampleOf(schema) } };
  return {
    description,
    ...(described.length === 0 ? {} : { headers: Object.fromEntries(described) as object }),
    ...(content === undefined ? {} : { content }),
  };
}

/** All codes that a route may answer. */
export function errorsOf(route: Route): readonly ErrorCode[] {
  const { role, body, query, once, parameters, path } = route;
  const codes = [
    ...anyErrors,
    ...(role === "public" ? [] : tokenErrors),
    ...(body === undefined && query === undefined && parameters === undefined && once !== true
      ? []
      : inputErrors),
    ...(body === undefined ? [] : body.json === undefined ? (["TOOLARGE"] as const) : bodyErrors),
    ...(path.startsWith("/v1/") ? nodeErrors : []),
    ...(role === "write" || role === "admin" ? writeErrors : []),
    ...(once === true ? onceErrors : []),
    ...route.errors,
  ];
  return [...new Set(codes)];
}

/** Codes of one status are one answer with an example for each. */
function problemsOf(route: Route): Readonly<Record<string, Response>> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorsOf(route)) {
    const own = route.errors.includes(code) ? route.problemStatus : undefined;
    const status = own ?? errorTable[code].status;
    const statuses = conditional.has(code) && route.headers !== undefined ? [412] : [status];
    // A delete or read of what is not there is 404, whatever a condition would be.
    if (code === "NOTFOUND" && statuses[0] === 412) statuses.push(404);
    for (const each of statuses) byStatus.set(each, [...(byStatus.get(each) ?? []), code]);
  }
  const entries = [...byStatus].map(([status, codes]): [string, Response] => [
    String(status),
    {
      description: codes.join(", "),
      ...(codes.some((code) => errorTable[code].retryable)
        ? {
            headers: {
              "Retry-After": {
                description: "seconds to wait, if known",
                schema: { type: "integer" },
              },
            },
          }
        : {}),
      content: {
        ...(route.exercise === true
          ? { "text/plain": { schema: { type: "string", description: "the problem in words" } } }
          : {}),
        [problemMediaType]: {
          schema: { $ref: "#/components/schemas/Problem" },
          examples: Object.fromEntries(
            codes.map((code) => [code, { value: exampleProblem(code, status) }]),
          ),
        },
      },
    },
  ]);
  return Object.fromEntries(entries);
}

/** Answered with 412 where they come from If-Match and If-None-Match. */
const conditional: ReadonlySet<ErrorCode> = new Set(["EXISTS", "NOTFOUND", "VERSIONCONFLICT"]);

function exampleProblem(code: ErrorCode, status: number): object {
  const { meaning } = errorTable[code];
  const more = moreOf[code] ?? {};
  return {
    type: `/docs/errors.md#${code.toLowerCase()}`,
    title: titleOf(meaning),
    status,
    detail: meaning,
    code,
    ...more,
  };
}

/** Members that the problems of one code have beside those of all. */
const moreOf: Partial<Readonly<Record<ErrorCode, object>>> = {
  EXECABORT: { index: 0, cause: "VERSIONCONFLICT" },
  PATCHFAILED: {
    operation: 0,
    op: "test",
    path: "/0",
    reason: "test-failed",
    expected: 1,
    actual: 2,
  },
};

const problemSchema = {
  type: "object",
  description: "RFC 9457",
  required: ["type", "title", "status", "detail", "code"],
  properties: {
    type: { type: "string", format: "uri-reference", description: "where the code is explained" },
    title: { type: "string", description: "what the code means" },
    status: { type: "integer" },
    detail: { type: "string", description: "names the thing, the value and the limit" },
    code: { type: "string", description: "stable: branch on it" },
    retryAfterMs: { type: "integer", description: "when to come back, if known" },
    index: { type: "integer", description: "of EXECABORT: which request was refused, from 0" },
    cause: { type: "string", description: "of EXECABORT: the code of that request" },
    operation: { type: "integer", description: "of PATCHFAILED: which operation, from 0" },
    op: { type: "string", description: "of PATCHFAILED: its op" },
    path: { type: "string", description: "of PATCHFAILED: its path or from, whichever failed" },
    reason: { type: "string", description: "of PATCHFAILED: stable word for the reason" },
    expected: { description: "of PATCHFAILED: what a test wanted" },
    actual: { description: "of PATCHFAILED: what it found; absent: nothing, or it is too long" },
  },
} as const;
