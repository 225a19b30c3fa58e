/**
 * TLS for connections that were accepted in the clear, over `node:tls`. `tls.Server` does the work, because its events are the only documented way to have the
 * peer's certificate checked; it listens nowhere and is handed sockets.
 */
import type { Socket } from "node:net";
import { createServer } from "node:tls";
import type { Server, TlsOptions, TLSSocket } from "node:tls";
import { assert } from "./assert.ts";
import { limits } from "./limits.ts";
import type { Address, Connection, ConnectionEvents, Encryption } from "./network.ts";
import { NodeConnection } from "./node-network.ts";

/** Certificates and keys, in PEM. */
export interface TlsFiles {
  /** This node's certificate, and what is between it and its authority. */
  readonly certificate: string;
  readonly key: string;
  /** Authorities whose certificates clients must have; `undefined`: clients need none. */
  readonly clientAuthorities: string | undefined;
}

/** What servers of `node:tls` and `node:https` are to be made with: TLS 1.2 at least, and clients' certificates checked if there are authorities for them. */
export function tlsOptions({ certificate, key, clientAuthorities }: TlsFiles): TlsOptions {
  return {
    cert: certificate,
    key,
    minVersion: "TLSv1.2",
    handshakeTimeout: limits.tlsHandshakeMaxMs,
    ...(clientAuthorities === undefined
      ? {}
      : { ca: clientAuthorities, requestCert: true, rejectUnauthorized: true }),
  };
}

export class NodeTls implements Encryption {
  readonly #server: Server;
  /** Connections whose handshake is under way, by their two ends. */
  readonly #handshakes = new Map<string, TlsConnection>();

  /** Throws OpenSSL's error for files that are none, or do not belong together. */
  constructor(files: TlsFiles) {
    this.#server = createServer(tlsOptions(files));
    this.#server.on("secureConnection", (socket) => {
      const connection = this.#handshakes.get(endsOf(socket));
      // Nobody waits for it any more.
      if (connection === undefined) socket.destroy();
      else connection.encrypted(socket);
    });
    // Node leaves it to whoever listens to close it; the plain socket's end tells the owner.
    this.#server.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  accept(plain: Connection, first: Uint8Array): Connection {
    assert(plain instanceof NodeConnection, "TLS is spoken over a socket");
    const socket = plain.release();
    const ends = endsOf(socket);
    const connection = new TlsConnection(socket, plain.remote, () => {
      this.#handshakes.delete(ends);
    });
    this.#handshakes.set(ends, connection);
    // A peer that ends in the middle of its handshake is closed at once, not when the handshake takes too long.
    socket.allowHalfOpen = false;
    socket.unshift(first);
    this.#server.emit("connection", socket);
    return connection;
  }
}

/** Four numbers that no other open connection has. */
function endsOf(socket: Socket | TLSSocket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}

/** A connection from the start of its handshake on. What its owner does before the end of the handshake is done then, in the same order. */
class TlsConnection implements Connection {
  readonly remote: Address;
  readonly #plain: Socket;
  readonly #handshakeOver: () => void;
  /** Once the handshake is done. */
  #inner: NodeConnection | undefined;
  #early: ((inner: NodeConnection) => void)[] = [];
  #events: ConnectionEvents | undefined;

  constructor(plain: Socket, remote: Address, handshakeOver: () => void) {
    this.remote = remote;
    this.#plain = plain;
    this.#handshakeOver = handshakeOver;
    plain.once("close", () => {
      handshakeOver();
      this.#early = [];
      if (this.#inner === undefined) this.#events?.closed();
    });
  }

  /** The handshake is done, and the peer's certificate, if it must have one, is good. */
  encrypted(socket: TLSSocket): void {
    assert(this.#events !== undefined, "a connection is bound in the turn in which it comes");
    this.#handshakeOver();
    socket.allowHalfOpen = true;
    const inner = new NodeConnection(socket);
    this.#inner = inner;
    inner.bind(this.#events);
    for (const act of this.#early) act(inner);
    this.#early = [];
  }

  get bufferedBytes(): number {
    return this.#inner?.bufferedBytes ?? 0;
  }

  bind(events: ConnectionEvents): void {
    assert(this.#events === undefined, "a connection is bound once");
    this.#events = events;
  }

  writeText(text: string): void {
    if (this.#inner === undefined) this.#early.push((inner) => inner.writeText(text));
    else this.#inner.writeText(text);
  }

  writeBytes(bytes: Uint8Array): void {
    if (this.#inner === undefined) this.#early.push((inner) => inner.writeBytes(bytes));
    else this.#inner.writeBytes(bytes);
  }

  cork(): void {
    if (this.#inner === undefined) this.#early.push((inner) => inner.cork());
    else this.#inner.cork();
  }

  uncork(): void {
    if (this.#inner === undefined) this.#early.push((inner) => inner.uncork());
    else this.#inner.uncork();
  }

  pause(): void {
    if (this.#inner === undefined) this.#early.push((inner) => inner.pause());
    else this.#inner.pause();
  }

  resume(): void {
    if (this.#inner === undefined) this.#early.push((inner) => inner.resume());
    else this.#inner.resume();
  }

  end(): void {
    if (this.#inner === undefined) this.#early.push((inner) => inner.end());
    else this.#inner.end();
  }

  destroy(): void {
    if (this.#inner === undefined) this.#plain.destroy();
    else this.#inner.destroy();
  }
}
