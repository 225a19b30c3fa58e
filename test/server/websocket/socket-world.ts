/** An HTTP server whose connections become links over real sockets; the documents behind it are in memory. */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { WebSocket } from "ws";
import { silentLogger } from "../../../src/base/logger.ts";
import { type TlsFiles, tlsOptions } from "../../../src/base/node-tls.ts";
import { SeededRandom } from "../../../src/base/seeded-random.ts";
import { SystemClock } from "../../../src/base/system-clock.ts";
import { Links } from "../../../src/documents/links/links.ts";
import type { PeerAddress } from "../../../src/documents/links/message-link.ts";
import { Access, type TokenSettings } from "../../../src/server/access.ts";
import { Admittance } from "../../../src/server/http/admittance.ts";
import { documentUpgrades } from "../../../src/server/websocket/document-upgrades.ts";
import { Upgrades } from "../../../src/server/websocket/upgrades.ts";
import { WebSocketDialer } from "../../../src/server/websocket/web-socket-dialer.ts";
import { MemoryExchange } from "../../documents/links/memory-exchange.ts";

export interface SocketWorldOptions {
  readonly source?: string;
  readonly nodeId?: number;
  readonly peers?: readonly PeerAddress[];
  readonly dialer?: WebSocketDialer;
  readonly tokens?: readonly TokenSettings[];
  readonly origins?: readonly string[];
  /** Whether it takes itself to listen on loopback. Default true. */
  readonly loopback?: boolean;
  readonly tls?: TlsFiles;
}

/** `await using` closes it. */
export class SocketWorld implements AsyncDisposable {
  readonly exchange: MemoryExchange;
  readonly links: Links;
  readonly upgrades: Upgrades;
  readonly port: number;
  readonly #server: Server;
  /** The clock's timers keep no process. */
  readonly #hold = setInterval(() => {}, 1_000);

  private constructor(server: Server, options: SocketWorldOptions) {
    const { source = "a", nodeId = 1, peers = [], dialer = new WebSocketDialer() } = options;
    const clock = new SystemClock();
    this.exchange = new MemoryExchange(clock, source, nodeId);
    this.links = new Links({
      exchange: this.exchange,
      dialer,
      clock,
      random: new SeededRandom(nodeId),
      logger: silentLogger,
      peers,
    });
    const routes = documentUpgrades(this.links);
    this.upgrades = new Upgrades({ routes, clock, logger: silentLogger });
    const admittance = new Admittance({
      access: new Access(options.tokens ?? []),
      origins: options.origins ?? [],
      hosts: [],
      listensOnLoopback: options.loopback ?? true,
    });
    this.upgrades.attach(server, admittance);
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.links.start();
  }

  static async start(options: SocketWorldOptions = {}): Promise<SocketWorld> {
    const { tls } = options;
    const server =
      tls === undefined ? createServer(echo) : createSecureServer(tlsOptions(tls) as object, echo);
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    return new SocketWorld(server, options);
  }

  get peer(): PeerAddress {
    return peerAt(this.port);
  }

  /** A client that is open. Rejects with `status: code` when it is refused. */
  connect(path: string, headers: Record<string, string> = {}): Promise<Client> {
    return connect(`ws://127.0.0.1:${this.port}${path}`, headers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#hold);
    this.links.stop();
    await this.upgrades.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

export function peerAt(port: number, tls = false): PeerAddress {
  const host = tls ? "localhost" : "127.0.0.1";
  return { host, port, tls, document: "default", text: `${host}:${port}` };
}

/** A WebSocket of somebody who keeps what it is sent. */
export interface Client {
  readonly socket: WebSocket;
  readonly texts: string[];
  /** The code that it was closed with. */
  readonly closed: Promise<number>;
  /** Of the answer to the handshake. */
  readonly headers: IncomingMessage["headers"];
}

export function connect(url: string, headers: Record<string, string> = {}): Promise<Client> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    const texts: string[] = [];
    let answered: IncomingMessage["headers"] = {};
    const closed = new Promise<number>((told) => {
      socket.on("close", told);
    });
    socket.on("message", (data: Buffer) => texts.push(data.toString("utf8")));
    socket.on("upgrade", (response) => {
      answered = response.headers;
    });
    socket.on("unexpected-response", (request, response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => (body += piece));
      response.on("end", () => {
        const { code } = JSON.parse(body) as { code: string };
        reject(new Error(`${response.statusCode}: ${code}`));
        request.destroy();
      });
    });
    socket.on("error", reject);
    socket.on("open", () => resolve({ socket, texts, closed, headers: answered }));
  });
}

/** Answers with what it was asked. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (piece: string) => (body += piece));
  request.on("end", () => response.end(`${request.method ?? ""} ${request.url ?? ""} ${body}`));
}
