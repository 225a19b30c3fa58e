/**
 * The HTTP port: `/v1`, streams of events, health, metrics, and the page (DESIGN §11).
 *
 * Life: `listen`; `close` accepts no more, ends streams and whatever waits, and closes connections once their answers are sent.
 */
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { must } from "../../base/assert.ts";
import { delay } from "../../base/clock.ts";
import { TrubaError, systemErrorCode } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Address } from "../../base/network.ts";
import type { TlsFiles } from "../../base/node-tls.ts";
import type { Access } from "../access.ts";
import { addressText } from "../heartbeat.ts";
import type { ServerContext } from "../server-context.ts";
import { Upgrades } from "../websocket/upgrades.ts";
import { Admittance, isLoopback } from "./admittance.ts";
import { apiPage } from "./api-page.ts";
import { documentEventUpgrade } from "./document-socket.ts";
import { DocumentStreams } from "./document-streams.ts";
import type { RunningCall } from "./fastify-call.ts";
import { type HttpBounds, httpBounds, serverOf } from "./fastify-server.ts";
import { HttpCounters } from "./http-counters.ts";
import { MetricsRegistry } from "./metrics-registry.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { openApiOf } from "./openapi.ts";
import { type Problem, problemMediaType, problemOf } from "./problem.ts";
import type { Route } from "./route.ts";
import { batchRoute } from "./routes/batch-route.ts";
import { documentEventRoutes } from "./routes/document-event-routes.ts";
import { documentHistoryRoutes } from "./routes/document-history-routes.ts";
import { documentRoutes } from "./routes/document-routes.ts";
import { exerciseRoutes } from "./routes/exercise-routes.ts";
import { nodeRoutes } from "./routes/node-routes.ts";
import { queueRoutes } from "./routes/queue-routes.ts";
import { recordRoutes } from "./routes/record-routes.ts";
import { sessionRoutes } from "./routes/session-routes.ts";
import { subscriptionRoutes } from "./routes/subscription-routes.ts";
import { staticRoute, staticRoutes } from "./static-files.ts";
import { Subscriptions } from "./subscriptions.ts";
import { plainRoutes } from "./verb-routes.ts";

export type { HttpBounds } from "./fastify-server.ts";

export interface HttpPortParts {
  readonly context: ServerContext;
  readonly access: Access;
  /** Without it the port speaks plain HTTP. */
  readonly tls?: TlsFiles | undefined;
  /** Origins of other pages that may use the node, as browsers write them: `https://example.com`. */
  readonly origins: readonly string[];
  /** What connections may become WebSockets for, beside the port's own streams of documents. */
  readonly upgrades?: Upgrades | undefined;
  /** Free space of the disk that holds the data, in bytes, for metrics. */
  readonly freeBytes?: () => number;
  /** Whether metrics tell of the process too. Default true. */
  readonly processMetrics?: boolean;
  /** Instead of the limits of the same names. */
  readonly bounds?: Partial<HttpBounds>;
}

/** What a close leaves answers to be sent. */
const lastAnswersMs = 1_000;

export class HttpPort {
  readonly counters = new HttpCounters();
  readonly #parts: HttpPortParts;
  readonly #bounds: HttpBounds;
  readonly #subscriptions: Subscriptions;
  readonly #documentStreams: DocumentStreams;
  readonly #upgrades: Upgrades;
  readonly #running = new Set<RunningCall>();
  #app: FastifyInstance | undefined;
  #address = "";

  constructor(parts: HttpPortParts) {
    this.#parts = parts;
    this.#bounds = { ...httpBounds, ...parts.bounds };
    const { node, clock, logger } = parts.context;
    this.#subscriptions = new Subscriptions(node.requests);
    this.#documentStreams = new DocumentStreams(node.documents);
    this.#upgrades = parts.upgrades ?? new Upgrades({ routes: [], clock, logger });
    this.#upgrades.add(documentEventUpgrade(this.#documentStreams, clock));
  }

  /** Listens; resolves with the address it got. Throws the system's error. */
  async listen(address: Address): Promise<Address> {
    const app = this.#serverFor(address);
    await app.listen({ host: address.host, port: address.port });
    const { address: host, port } = app.server.address() as AddressInfo;
    this.#address = addressText({ host: address.host, port });
    return { host, port };
  }

  /** Accepts no more; ends streams and what waits; closes every connection when its answer is sent, or after a second. */
  async close(): Promise<void> {
    const app = this.#app;
    if (app === undefined) return;
    this.#app = undefined;
    const { clock } = this.#parts.context;
    const reason = new TrubaError("SHUTTINGDOWN", "the node is stopping", { retryAfterMs: 1_000 });
    const { server } = app;
    const closed = app.close();
    this.#subscriptions.end(reason);
    this.#documentStreams.end(reason);
    for (const call of this.#running) call.end(reason);
    await this.#upgrades.close();
    const deadline = clock.monotonicMs() + lastAnswersMs;
    while (this.#running.size > 0 && clock.monotonicMs() < deadline) await delay(clock, 5);
    server.closeAllConnections();
    await closed;
  }

  /** The server for an address, not listening yet: `listen` makes one, and so do tests that inject requests. */
  #serverFor(address: Address): FastifyInstance {
    const { context, access, tls, origins } = this.#parts;
    const admittance = new Admittance({
      access,
      origins,
      hosts: [address.host, context.advertised.host],
      listensOnLoopback: isLoopback(address.host),
    });
    const app = serverOf({
      routes: this.routes(),
      context,
      admittance,
      counters: this.counters,
      tls,
      running: this.#running,
      bounds: this.#bounds,
    });
    this.#app = app;
    this.#guard(app.server);
    this.#upgrades.attach(app.server, admittance);
    return app;
  }

  /** For tests: a server that requests are injected into, as if it listened at the address. */
  injectable(address: Address): FastifyInstance {
    return this.#serverFor(address);
  }

  /** The whole table. */
  routes(): readonly Route[] {
    const { context, processMetrics = true } = this.#parts;
    const { requests, documents } = context.node;
    const sources = {
      context,
      http: this.counters,
      streams: () => this.#subscriptions.count + this.#documentStreams.count,
      freeBytes: this.#parts.freeBytes,
    };
    const metrics = new MetricsRegistry(nodeMetrics(sources), processMetrics);
    const routes = [
      ...recordRoutes(requests, context.node),
      ...queueRoutes(requests),
      ...sessionRoutes(requests),
      batchRoute(requests),
      ...subscriptionRoutes(requests, this.#subscriptions),
      ...documentRoutes(documents),
      ...documentHistoryRoutes(documents),
      ...documentEventRoutes(this.#documentStreams),
      ...exerciseRoutes(documents),
      ...plainRoutes(requests),
      ...nodeRoutes({
        context,
        metrics,
        http: () => ({ address: this.#address, connections: this.counters.connections }),
      }),
      ...staticRoutes(),
    ];
    return [...routes, ...descriptionRoutes(routes, context.version)];
  }

  /** Connections over the limit, and what is not HTTP. */
  #guard(server: Server): void {
    const { counters } = this;
    server.on("connection", (socket: Socket) => {
      counters.connectionsReceived++;
      counters.connections++;
      socket.once("close", () => {
        counters.connections--;
      });
      if (counters.connections <= this.#bounds.connectionsMaxCount) return;
      counters.connectionsRefused++;
      refuseSocket(
        socket,
        new TrubaError(
          "MAXCONNECTIONS",
          `the port has ${counters.connections - 1} connections; the limit is ${this.#bounds.connectionsMaxCount}`,
          { retryAfterMs: 1_000 },
        ),
      );
    });
    server.removeAllListeners("clientError");
    server.on("clientError", (error: Error, socket: Socket) => {
      const response = (socket as { _httpMessage?: ServerResponse })._httpMessage;
      // An answer that has begun cannot be followed by another one.
      if (response?.headersSent === true || !socket.writable) socket.destroy();
      else refuseSocket(socket, clientError(error));
    });
  }
}

function descriptionRoutes(routes: readonly Route[], version: string): readonly Route[] {
  const described = routes.filter(({ path }) => !unlisted.has(path));
  const document = openApiOf(described, version);
  const bytes = Buffer.from(JSON.stringify(document), "utf8");
  return [
    staticRoute({
      path: "/openapi.json",
      type: "application/json",
      summary: "This surface in OpenAPI 3.1",
      bytes,
    }),
    staticRoute({
      path: "/api",
      type: "text/html; charset=utf-8",
      summary: "The same for people",
      bytes: Buffer.from(apiPage(document), "utf8"),
    }),
  ];
}

/** Parts of pages. */
const unlisted: ReadonlySet<string> = new Set(["/page.css", "/page.js", "/icon.svg"]);

/** What Node says of a request that did not become one. */
function clientError(error: Error): TrubaError {
  const code = systemErrorCode(error);
  if (code === "HPE_HEADER_OVERFLOW")
    return new TrubaError(
      "TOOLARGE",
      `request line and headers are more than ${limits.httpHeadersMaxBytes} bytes`,
    );
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new TrubaError("SLOWREQUEST", "the request did not arrive whole in time");
  return new TrubaError("ERR", `the request is not HTTP: ${error.message}`);
}

/** Answers without a request, and closes. */
function refuseSocket(socket: Socket, error: TrubaError): void {
  const problem: Problem = problemOf(error);
  const status = error.code === "TOOLARGE" ? 431 : problem.status;
  const body = JSON.stringify({ ...problem, status });
  const { retryAfterMs } = error;
  const lines = [
    `HTTP/1.1 ${status} ${must(error.code)}`,
    `content-type: ${problemMediaType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    ...(retryAfterMs === undefined ? [] : [`retry-after: ${Math.ceil(retryAfterMs / 1_000)}`]),
    "connection: close",
    "",
    body,
  ];
  socket.end(lines.join("\r\n"), () => socket.destroy());
}
