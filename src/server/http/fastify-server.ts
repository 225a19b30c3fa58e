/**
 * The table of routes, served by Fastify. Of Fastify there is its router, its hooks and its Ajv; forms of bodies, errors and headers are ours, and the same for all routes.
 *
 *     onRequest   security headers, host, origin, token, form of the body by its headers
 *     handler     body, query and JSON against their schemas, the route's own work, the answer
 */
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { type RequestListener, createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type Clock, delay } from "../../base/clock.ts";
import { TrubaError, systemErrorCode } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type TlsFiles, tlsOptions } from "../../base/node-tls.ts";
import type { ServerContext } from "../server-context.ts";
import type { Admittance } from "./admittance.ts";
import { checkBodyHeaders, forgetMediaType } from "./bodies.ts";
import { ResponseEvents } from "./event-output.ts";
import { FastifyCall, type RunningCall } from "./fastify-call.ts";
import type { HttpCounters } from "./http-counters.ts";
import { Pipelines } from "./pipelines.ts";
import {
  Refusal,
  bugProblem,
  codeHeader,
  problemHeaders,
  problemMediaType,
  problemOf,
  wantsJson,
} from "./problem.ts";
import { type Answer, type Route, routesAt } from "./route.ts";
import { toWire } from "./wire.ts";

/** How many connections there may be, and how long they may take: in ms. */
export interface HttpBounds {
  readonly connectionsMaxCount: number;
  readonly headersArrivalMaxMs: number;
  readonly requestArrivalMaxMs: number;
  readonly keepAliveMs: number;
  readonly slowCheckEveryMs: number;
}

export const httpBounds: HttpBounds = {
  connectionsMaxCount: limits.httpConnectionsMaxCount,
  headersArrivalMaxMs: limits.httpHeadersArrivalMaxMs,
  requestArrivalMaxMs: limits.requestArrivalMaxMs,
  keepAliveMs: limits.httpKeepAliveMs,
  slowCheckEveryMs: limits.httpSlowCheckEveryMs,
};

export interface FastifyParts {
  readonly routes: readonly Route[];
  readonly context: ServerContext;
  readonly admittance: Admittance;
  readonly counters: HttpCounters;
  readonly tls: TlsFiles | undefined;
  readonly bounds: HttpBounds;
  /** Requests under way that something else may end. */
  readonly running: Set<RunningCall>;
}

/** Of every answer. Nothing may embed the node's pages, and they load nothing from elsewhere. */
const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

export function serverOf(parts: FastifyParts): FastifyInstance {
  const { context } = parts;
  const app = fastify({
    serverFactory: (handler) => nodeServer(handler, parts),
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    routerOptions: { maxParamLength: limits.httpHeadersMaxBytes },
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        verbose: true,
        keywords: ["x-code"],
      },
    },
    frameworkErrors: (error, _request, reply) => {
      void refuse(parts, reply, new TrubaError("ERR", error.message));
    },
  });
  app.removeAllContentTypeParsers();
  // Bodies are read by the handler, when the request is known to be one that may be made.
  app.addContentTypeParser("*", (_request, _payload, done) => done(null, undefined));
  const pipelines = new Pipelines();
  app.addHook("onRequest", async (request, reply) => {
    parts.counters.requests++;
    await pipelines.turn(request.raw, reply.raw);
    void reply.headers(securityHeaders);
    parts.admittance.checkHost(request.headers);
  });
  app.setErrorHandler((error, _request, reply) => refuse(parts, reply, asTrubaError(error)));
  app.setNotFoundHandler((request, reply) => refuse(parts, reply, missing(parts, request, reply)));
  for (const route of parts.routes) addRoute(app, route, parts);
  context.logger.debug({ routes: parts.routes.length }, "http routes");
  return app;
}

function nodeServer(handler: RequestListener, { tls, bounds }: FastifyParts) {
  const options = {
    maxHeaderSize: limits.httpHeadersMaxBytes,
    headersTimeout: bounds.headersArrivalMaxMs,
    requestTimeout: bounds.requestArrivalMaxMs,
    keepAliveTimeout: bounds.keepAliveMs,
    connectionsCheckingInterval: bounds.slowCheckEveryMs,
    noDelay: true,
  };
  return tls === undefined
    ? createServer(options, handler)
    : createSecureServer({ ...options, ...tlsOptions(tls) }, handler);
}

function addRoute(app: FastifyInstance, route: Route, parts: FastifyParts): void {
  const { context, admittance, counters, running } = parts;
  const grants = new WeakMap<FastifyRequest, ReturnType<Admittance["grant"]>>();
  app.route({
    method: route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ":$1"),
    exposeHeadRoute: takesHead(route),
    onRequest: async (request, reply) => {
      allowOrigin(admittance, request, reply, route.exercise);
      if (route.role !== "public")
        admittance.checkOrigin(request.headers, request.protocol === "https", route.exercise);
      grants.set(request, await grantOf(admittance, request, route, context.clock));
      checkBodyHeaders(request.raw, route.body);
      forgetMediaType(request.raw, route.body);
    },
    handler: async (request, reply) => {
      const grant = grants.get(request) ?? admittance.grant(request.headers, route.role);
      const call = new FastifyCall({ route, request, reply, grant, context });
      running.add(call);
      reply.raw.once("close", () => running.delete(call));
      const startedMs = context.clock.monotonicMs();
      try {
        await call.read();
        const answer = await route.handle(call);
        counters.answered(route.group, answer.status);
        call.onLost(() => answer.lost?.());
        return await send(answer, reply, context.clock);
      } finally {
        counters.durations.observe((context.clock.monotonicMs() - startedMs) / 1_000);
      }
    },
  });
}

/** A stream of events has no end, and so nothing that HEAD would tell of it. */
function takesHead({ method, answers }: Route): boolean {
  const streams = Object.values(answers).some(({ mediaType }) => mediaType === "text/event-stream");
  return method === "GET" && !streams;
}

/** A token that is not known costs its client time, so that guessing is slow. */
async function grantOf(
  admittance: Admittance,
  request: FastifyRequest,
  route: Route,
  clock: Clock,
): Promise<ReturnType<Admittance["grant"]>> {
  try {
    return admittance.grant(request.headers, route.role);
  } catch (error) {
    if (error instanceof TrubaError && error.code === "WRONGPASS")
      await delay(clock, limits.authenticationFailureDelayMs);
    throw error;
  }
}

async function send(answer: Answer, reply: FastifyReply, clock: Clock): Promise<FastifyReply> {
  const { body } = answer;
  void reply.status(answer.status).headers(answer.headers ?? {});
  switch (body.kind) {
    case "none":
      return reply.send();
    case "json":
      return reply.header("content-type", "application/json").send(jsonBytes(toWire(body.value)));
    case "bytes":
      return reply.header("content-type", body.contentType).send(body.bytes);
    case "events": {
      const output = new ResponseEvents(reply.raw, clock, () => {
        reply.hijack();
        const headers = reply.getHeaders();
        for (const [name, value] of Object.entries(headers))
          if (value !== undefined) reply.raw.setHeader(name, value);
        reply.raw.writeHead(answer.status, { "content-type": "text/event-stream" });
      });
      body.open(output);
      return reply;
    }
    default:
      return body satisfies never;
  }
}

/** CORS (Fetch standard §3.3): pages of origins that the configuration names may read answers, and those of all origins where admittance says so. */
function allowOrigin(
  admittance: Admittance,
  request: FastifyRequest,
  reply: FastifyReply,
  exercise: boolean | undefined,
): boolean {
  const { origin } = request.headers;
  void reply.header("vary", "Origin");
  if (origin === undefined || !admittance.allowsOrigin(origin, exercise)) return false;
  void reply.headers({
    "access-control-allow-origin": origin,
    "access-control-expose-headers": exposedHeaders,
    "cross-origin-resource-policy": "cross-origin",
  });
  return true;
}

const exposedHeaders = [
  "ETag",
  "Retry-After",
  "Allow",
  "Accept-Patch",
  "WWW-Authenticate",
  "Truba-Vclock",
  "Truba-Transactions",
  "Truba-Final",
  "Truba-Rejected",
  "Truba-Error",
].join(", ");

/** Nothing is there; or it takes other methods; or a browser asks in advance what it may do. */
function missing(
  parts: FastifyParts,
  request: FastifyRequest,
  reply: FastifyReply,
): TrubaError | undefined {
  const [path = ""] = request.url.split("?");
  const routes = routesAt(parts.routes, path);
  if (routes.length === 0)
    return new TrubaError(
      "NOROUTE",
      `there is nothing at ${path.slice(0, 200)}; /api lists what there is`,
    );
  const methods = routes.flatMap((route) =>
    takesHead(route) ? [route.method, "HEAD"] : [route.method],
  );
  const allow = [...new Set(methods)].join(", ");
  const exercise = routes.some((route) => route.exercise === true);
  const allowed = allowOrigin(parts.admittance, request, reply, exercise);
  if (
    request.method === "OPTIONS" &&
    request.headers["access-control-request-method"] !== undefined
  ) {
    if (!allowed) {
      const origin = JSON.stringify(request.headers.origin ?? "");
      return new Refusal(
        "BADORIGIN",
        `the origin ${origin} is not one that the configuration allows`,
      );
    }
    void reply.headers({
      "access-control-allow-methods": allow,
      "access-control-allow-headers":
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match",
      "access-control-max-age": "600",
    });
    return undefined;
  }
  return new Refusal("BADMETHOD", `${path} takes ${allow}, not ${request.method}`, {
    headers: { allow },
  });
}

/** `undefined`: a bug. */
function asTrubaError(error: unknown): TrubaError | Error {
  if (error instanceof TrubaError) return error;
  const code = systemErrorCode(error);
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE")
    return new TrubaError("BADCONTENTTYPE", "the content type is not one (RFC 9110 §8.3)");
  if (code?.startsWith("FST_ERR_CTP_") === true && error instanceof Error)
    return new TrubaError("ERR", error.message);
  return error instanceof Error ? error : new Error(String(error));
}

/** Answers with a problem; without one, that there is nothing to say. */
function refuse(parts: FastifyParts, reply: FastifyReply, error: Error | undefined): FastifyReply {
  if (error === undefined) return reply.status(204).send();
  const { context, counters } = parts;
  if (error instanceof TrubaError) {
    const problem = problemOf(error);
    counters.refused(error.code, problem.status);
    void reply.status(problem.status).headers({ ...securityHeaders, ...problemHeaders(error) });
    if (isToldAsText(parts, reply.request))
      return reply
        .headers({ [codeHeader]: error.code, "content-type": "text/plain; charset=utf-8" })
        .send(`${problem.detail}\n`);
    return reply.header("content-type", problemMediaType).send(jsonBytes(problem));
  }
  context.logger.error(
    {
      url: reply.request.url.split("?")[0],
      method: reply.request.method,
      error: error.stack ?? error.message,
    },
    "bug: a request was not answered",
  );
  counters.refused("ERR", bugProblem.status);
  return reply
    .status(bugProblem.status)
    .header("content-type", problemMediaType)
    .send(jsonBytes(bugProblem));
}

/** Whoever uses the exercise's addresses reads text, unless it says that it wants JSON. */
function isToldAsText({ routes }: FastifyParts, { url, headers }: FastifyRequest): boolean {
  const [path = ""] = url.split("?");
  return !wantsJson(headers.accept) && routesAt(routes, path).some(({ exercise }) => exercise);
}

/** As bytes, for to text Fastify adds a charset, which the media types of JSON do not have (RFC 8259 §11). */
function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), "utf8");
}
