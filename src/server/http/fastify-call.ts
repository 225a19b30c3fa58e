/** One request as routes see it, out of Fastify's: read, checked, and watched for its client going away. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { TrubaError } from "../../base/errors.ts";
import type { Grant } from "../access.ts";
import { badRequestId } from "../../machines/once/request-id.ts";
import type { ServerContext } from "../server-context.ts";
import { hasBody, isJson, parseJson, readBody } from "./bodies.ts";
import { type FieldError, fieldRefusal, queryValues } from "./field-check.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import type { HttpCall, Route } from "./route.ts";

/** A request under way. */
export interface RunningCall {
  /** Ends what it waits for. */
  end(reason: TrubaError): void;
}

interface CallParts {
  readonly route: Route;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly grant: Grant;
  readonly context: ServerContext;
}

export class FastifyCall implements HttpCall, RunningCall {
  readonly parameters: Readonly<Record<string, string>>;
  readonly headers: HttpCall["headers"];
  readonly grant: Grant;
  query: Readonly<Record<string, unknown>> = {};
  json: unknown;
  bytes: Buffer | undefined;
  requestId: string | undefined;
  readonly #parts: CallParts;
  readonly #ended = new AbortController();
  #lost: () => void = () => {};
  /** The system has all of the answer. */
  #sent = false;
  /** The connection is over, and the answer was not all sent. */
  #closed = false;
  /** Of its body, in the context's sum. */
  #heldBytes = 0;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.parameters = parts.request.params as Readonly<Record<string, string>>;
    this.headers = parts.request.headers;
    this.grant = parts.grant;
    const { raw } = parts.reply;
    raw.once("finish", () => {
      // Node tells the same when a connection breaks with a part of the answer still in hand.
      this.#sent = !parts.request.raw.socket.destroyed;
    });
    raw.once("close", () => {
      parts.context.heldBytes -= this.#heldBytes;
      if (this.#sent) return;
      this.end(new TrubaError("CLOSED", "the client is gone"));
      this.#closed = true;
      this.#lost();
    });
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  end(reason: TrubaError): void {
    this.#ended.abort(reason);
  }

  /** Told once if the client goes before it has all of its answer. */
  onLost(lost: () => void): void {
    this.#lost = lost;
    if (this.#closed) lost();
  }

  /** Reads and checks all that the route says of a request. Throws TrubaError. */
  async read(): Promise<void> {
    const { route, request } = this.#parts;
    if (route.query !== undefined) this.#readQuery(route.query);
    if (route.once === true) this.requestId = requestIdOf(this.headers["idempotency-key"]);
    const { body } = route;
    if (body === undefined) return;
    const bytes = await this.#readBody(body.maxBytes);
    if (
      body.json === undefined ||
      (body.raw !== undefined && !isJson(this.headers["content-type"]))
    ) {
      this.bytes = bytes;
      return;
    }
    if (bytes.length === 0 && body.optional !== true && !hasBody(request.raw))
      throw new TrubaError(
        "BADJSON",
        "there is no body; it must be JSON, with content type application/json",
      );
    this.json = bytes.length === 0 ? {} : parseJson(bytes);
    this.check(body.json, this.json, "");
  }

  check(schema: z.ZodType, value: unknown, where: string): void {
    const validate = this.#parts.request.compileValidationSchema(jsonSchemaOf(schema));
    if (!validate(value))
      throw fieldRefusal((validate.errors ?? []) as readonly FieldError[], where);
  }

  #readQuery(schema: z.ZodObject): void {
    const given = this.#parts.request.query as Readonly<Record<string, unknown>>;
    this.query = queryValues(given, jsonSchemaOf(schema));
    this.check(schema, this.query, "");
  }

  async #readBody(maxBytes: number): Promise<Buffer> {
    const { request, context } = this.#parts;
    if (!hasBody(request.raw)) return Buffer.alloc(0);
    return readBody(request.raw, maxBytes, context, (bytes) => {
      this.#heldBytes += bytes;
    });
  }
}

/** Checked as RESP's. */
function requestIdOf(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const id = String(header);
  const bad = badRequestId(Buffer.from(id, "utf8"));
  if (bad === undefined) return id;
  throw new TrubaError("BADVALUE", `Idempotency-Key: ${bad}`);
}
