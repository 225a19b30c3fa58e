/**
 * Connections of the HTTP port that become WebSockets: a table of paths, and before a connection is taken the same checks as for requests: host, origin, token. What is
 * refused is answered with a problem, as HTTP, before the connection has become anything else.
 *
 * A request may ask for another protocol that this port does not speak; clients of Java ask for HTTP/2 with every request. Such a request is served as if it had not asked
 * (RFC 9110 §7.8).
 */
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  STATUS_CODES,
  type Server,
} from "node:http";
import { type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { WebSocketServer } from "ws";
import { type Clock, delay } from "../../base/clock.ts";
import { TrubaError, errorText } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/logger.ts";
import type { MessageLink } from "../../documents/links/message-link.ts";
import type { Grant } from "../access.ts";
import type { Admittance } from "../http/admittance.ts";
import {
  Refusal,
  bugProblem,
  problemHeaders,
  problemMediaType,
  problemOf,
} from "../http/problem.ts";
import { parametersOf } from "../http/route.ts";
import { WebSocketLink, compression, socketBounds } from "./web-socket-link.ts";

/** A request to become a WebSocket that has passed the checks. */
export interface UpgradeCall {
  /** Of the path, by name; decoded. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly grant: Grant;
  /** Takes the connection; `undefined`: the handshake was wrong, and that was answered. */
  accept(options: AcceptOptions): MessageLink | undefined;
}

export interface AcceptOptions {
  /** Longest message that is read; a longer one closes the connection. */
  readonly maxMessageBytes: number;
  /** Whether messages that ask for it may be compressed. */
  readonly compress: boolean;
  /** Of the answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface UpgradeRoute {
  /** As in the table of routes: `/d/{name}/ws`. */
  readonly path: string;
  /** What a token must have; `peer`: that role, and no page may ask. */
  role(query: URLSearchParams): "read" | "peer";
  /** An address of the exercise: see admittance.ts. */
  readonly exercise: boolean;
  /** Throws TrubaError before it accepts: that is answered. */
  open(call: UpgradeCall): void;
}

export interface UpgradesParts {
  readonly routes: readonly UpgradeRoute[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a close leaves the other sides to answer. */
const lastCloseMs = 1_000;

export class Upgrades {
  readonly #parts: UpgradesParts;
  readonly #routes: UpgradeRoute[];
  readonly #open = new Set<WebSocketLink>();
  /** One for each size and compression that a route asked for. */
  readonly #servers = new Map<string, WebSocketServer>();
  #closing = false;

  constructor(parts: UpgradesParts) {
    this.#parts = parts;
    this.#routes = [...parts.routes];
  }

  /** One more path. */
  add(route: UpgradeRoute): void {
    this.#routes.push(route);
  }

  /** WebSockets that are open. */
  get count(): number {
    return this.#open.size;
  }

  /** Takes what `server` is asked to upgrade. */
  attach(server: Server, admittance: Admittance): void {
    server.on("upgrade", (request, socket, head) => {
      if (request.headers.upgrade?.toLowerCase() === "websocket")
        void this.#upgrade({ request, socket, head, admittance });
      else serveAnyway(server, { request, socket, head });
    });
  }

  /** Takes no more, and closes all. */
  async close(): Promise<void> {
    this.#closing = true;
    const { clock } = this.#parts;
    for (const link of this.#open) link.close(1001, "the node is stopping");
    const deadlineMs = clock.monotonicMs() + lastCloseMs;
    while (this.#open.size > 0 && clock.monotonicMs() < deadlineMs) await delay(clock, 5);
    for (const link of this.#open) link.terminate();
  }

  async #upgrade(asked: Asked & { admittance: Admittance }): Promise<void> {
    const { request, socket, admittance } = asked;
    socket.on("error", () => socket.destroy());
    try {
      if (this.#closing)
        throw new TrubaError("SHUTTINGDOWN", "the node is stopping", { retryAfterMs: 1_000 });
      admittance.checkHost(request.headers);
      const { route, parameters, query } = this.#find(request);
      const grant = grantOf(admittance, route, request, query);
      const accept = (options: AcceptOptions) => this.#accept(asked, options);
      route.open({ parameters, query, headers: request.headers, grant, accept });
    } catch (error) {
      // A token that is not known costs its client time, so that guessing is slow.
      if (error instanceof TrubaError && error.code === "WRONGPASS")
        await delay(this.#parts.clock, limits.authenticationFailureDelayMs);
      this.#refuse(asked, error);
    }
  }

  #find(request: IncomingMessage) {
    const url = new URL(request.url ?? "/", "http://node");
    for (const route of this.#routes) {
      const parameters = parametersAt(route.path, url.pathname);
      if (parameters !== undefined) return { route, parameters, query: url.searchParams };
    }
    throw new TrubaError(
      "NOROUTE",
      `there is no WebSocket at ${url.pathname.slice(0, 200)}; there is one at ${this.#routes.map(({ path }) => path).join(", ")}`,
    );
  }

  #accept({ request, socket, head }: Asked, options: AcceptOptions): MessageLink | undefined {
    let link: WebSocketLink | undefined;
    const { headers = {} } = options;
    const server = this.#serverFor(options);
    const addHeaders = (lines: string[]): void => {
      for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    };
    server.once("headers", addHeaders);
    server.handleUpgrade(request, socket, head, (webSocket) => {
      link = new WebSocketLink(webSocket, socket as Socket);
    });
    server.off("headers", addHeaders);
    if (link === undefined) return undefined;
    const taken = link;
    this.#open.add(taken);
    taken.onClosed(() => this.#open.delete(taken));
    return taken;
  }

  #serverFor({ maxMessageBytes, compress }: AcceptOptions): WebSocketServer {
    const key = `${maxMessageBytes} ${String(compress)}`;
    let server = this.#servers.get(key);
    if (server === undefined) {
      const options = {
        ...socketBounds,
        noServer: true,
        clientTracking: false,
        maxPayload: maxMessageBytes,
        perMessageDeflate: compress ? compression : false,
        // Others than ours are not spoken; a browser closes a connection whose answer names none that it offered.
        handleProtocols: (offered: ReadonlySet<string>) =>
          offered.has(pageProtocol) ? pageProtocol : (false as const),
      };
      server = new WebSocketServer(options);
      this.#servers.set(key, server);
    }
    return server;
  }

  #refuse({ request, socket }: Asked, error: unknown): void {
    const known = error instanceof TrubaError;
    if (!known)
      this.#parts.logger.error(
        { url: request.url?.split("?")[0], error: errorText(error) },
        "bug: a WebSocket was not opened",
      );
    const problem = known ? problemOf(error) : bugProblem;
    const body = JSON.stringify(problem);
    const lines = Object.entries({
      ...(known ? problemHeaders(error) : {}),
      "content-type": problemMediaType,
      "content-length": String(Buffer.byteLength(body)),
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      connection: "close",
    }).map(([name, value]) => `${name}: ${value}`);
    const status = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? "Refused"}`;
    socket.end([status, ...lines, "", body].join("\r\n"), () => socket.destroy());
  }
}

/** What came. */
interface Asked {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

function grantOf(
  admittance: Admittance,
  route: UpgradeRoute,
  request: IncomingMessage,
  query: URLSearchParams,
): Grant {
  const { headers } = request;
  const role = route.role(query);
  if (role === "peer") {
    // A node sends no such header; a page cannot leave it out.
    if (headers.origin !== undefined)
      throw new Refusal("BADORIGIN", "a page cannot be a node: only nodes may ask for this");
    return admittance.peerGrant(headers);
  }
  const secure = request.socket instanceof TLSSocket;
  admittance.checkOrigin(headers, secure, route.exercise);
  return admittance.grant({ ...headers, ...pageAuthorization(headers) }, role);
}

/** What a page offers as a subprotocol, and beside it its token: pages cannot send `Authorization` with a WebSocket. */
const pageProtocol = "truba";
const pageToken = /^truba\.bearer\.([A-Za-z0-9_-]{1,2048})$/;

/** The token that a page offers as the subprotocol `truba.bearer.BASE64URL`, as the header that it could not send. */
function pageAuthorization(headers: IncomingHttpHeaders): { readonly authorization?: string } {
  const { authorization, "sec-websocket-protocol": offered = "" } = headers;
  if (authorization !== undefined) return {};
  for (const each of offered.split(",")) {
    const coded = pageToken.exec(each.trim())?.[1];
    if (coded === undefined) continue;
    return { authorization: `Bearer ${Buffer.from(coded, "base64url").toString("latin1")}` };
  }
  return {};
}

/** Of a path, by the names in the pattern; `undefined`: it is none of these. */
function parametersAt(pattern: string, path: string): ReadonlyMap<string, string> | undefined {
  const names = new Set(parametersOf(pattern));
  const [own, given] = [pattern.split("/"), path.split("/")];
  if (own.length !== given.length) return undefined;
  const parameters = new Map<string, string>();
  for (const [at, part] of own.entries()) {
    const name = part.slice(1, -1);
    const text = given[at] ?? "";
    if (!names.has(name)) {
      if (part !== text) return undefined;
      continue;
    }
    try {
      parameters.set(name, decodeURIComponent(text));
    } catch {
      return undefined;
    }
  }
  return parameters;
}

/** Gives the connection back to the server, with a request that asks for nothing else. */
function serveAnyway(server: Server, { request, socket, head }: Asked): void {
  const lines = [`${request.method ?? "GET"} ${request.url ?? "/"} HTTP/${request.httpVersion}`];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const [name = "", value = ""] = request.rawHeaders.slice(at, at + 2);
    if (!/^(upgrade|connection|http2-settings)$/i.test(name)) lines.push(`${name}: ${value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]));
  server.emit(socket instanceof TLSSocket ? "secureConnection" : "connection", socket);
}
