/**
 * Routes as data, free of any framework: what is asked for at which address, in what form, by whom, and what is done. `fastify-server.ts` serves the table,
 * `openapi.ts` describes it.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { z } from "zod";
import type { ErrorCode } from "../../base/errors.ts";
import type { Grant, NeededRole } from "../access.ts";
import type { EventOutput } from "./event-output.ts";

export type Method = "GET" | "PUT" | "POST" | "PATCH" | "DELETE";

/** `public`: without a token, and read by any page. */
export type RouteRole = NeededRole | "public";

export const groups = {
  records: "Records: small values under UUID keys, linearizable, with versions.",
  queues: "Queues of tasks that are lent out, and acknowledged or given back.",
  sessions: "Sessions: jobs in steps that come back until they are done.",
  groups: "Several requests as one.",
  subscriptions: "Tasks and sessions as they come, by server-sent events.",
  documents: "JSON documents that several nodes change at any time and that converge.",
  exercise: "The same documents at the addresses and in the forms of the course exercise, as text.",
  verbs: "Every request of the vocabulary in its plain form: the request is the body.",
  node: "The node itself.",
} as const;

export type RouteGroup = keyof typeof groups;

/** What a request's body may be. */
export interface RouteBody {
  readonly json?: z.ZodType;
  /** Whether a request without a body counts as `{}`. */
  readonly optional?: boolean;
  /** Bytes as they are, under any content type, but for JSON where there is `json`. */
  readonly raw?: string;
  /** The only media type that raw bytes may have; they are in UTF-8. */
  readonly mediaType?: string;
  /** Of raw bytes. */
  readonly example?: unknown;
  readonly maxBytes: number;
}

/** A request header that means something here. */
export interface RouteHeader {
  readonly name: string;
  readonly description: string;
  readonly example: string;
}

export interface RouteAnswer {
  readonly description: string;
  readonly json?: z.ZodType;
  /** Of what is not JSON: its media type. */
  readonly mediaType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Route {
  readonly method: Method;
  /** As OpenAPI writes it: `/v1/queues/{queue}/pop`. */
  readonly path: string;
  readonly id: string;
  readonly group: RouteGroup;
  readonly role: RouteRole;
  readonly summary: string;
  readonly description?: string;
  /** Of each part of the path in braces. */
  readonly parameters?: Readonly<Record<string, z.ZodType>>;
  readonly query?: z.ZodObject;
  readonly headers?: readonly RouteHeader[];
  readonly body?: RouteBody;
  /** Whether it takes an `Idempotency-Key`. */
  readonly once?: boolean;
  /** By status. */
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  /** Of all problems, where it is not the error table's. */
  readonly problemStatus?: number;
  /** Codes beside those that any route may answer. */
  readonly errors: readonly ErrorCode[];
  /** An address of the course exercise: it answers problems as text unless JSON is asked for, and admittance.ts says which pages may use it. */
  readonly exercise?: boolean;
  handle(call: HttpCall): Answer | Promise<Answer>;
}

/** One request, checked as its route says. */
export interface HttpCall {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
  /** JSON, if the request has such a body. */
  readonly json: unknown;
  /** The body as it is, if it is not JSON. */
  readonly bytes: Buffer | undefined;
  readonly requestId: string | undefined;
  readonly grant: Grant;
  /** Aborted when the client is gone, or the port closes: then the reason is a TrubaError. */
  readonly signal: AbortSignal;
  /** Throws TrubaError unless the value is what the schema says; `where` stands before the field's name. */
  check(schema: z.ZodType, value: unknown, where: string): void;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: AnswerBody;
  /** The client went before it had all of it. */
  lost?(): void;
}

export type AnswerBody =
  | { readonly kind: "none" }
  /** A value of the vocabulary. */
  | { readonly kind: "json"; readonly value: object }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly contentType: string }
  /** Server-sent events; `open` may refuse by throwing TrubaError before it uses the output. */
  | { readonly kind: "events"; open(output: EventOutput): void };

export function jsonAnswer(value: object, status = 200): Answer {
  return { status, body: { kind: "json", value } };
}

/** Those at a path of a request, in the order of the table. */
export function routesAt(routes: readonly Route[], path: string): readonly Route[] {
  const parts = path.split("/");
  return routes.filter((route) => {
    const names = parametersOf(route.path);
    const pattern = route.path.split("/");
    return (
      pattern.length === parts.length &&
      pattern.every(
        (part, i) => part === parts[i] || (names.includes(part.slice(1, -1)) && parts[i] !== ""),
      )
    );
  });
}

/** The parameters of a path, in order. */
export function parametersOf(path: string): readonly string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name));
}
