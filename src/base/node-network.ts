/**
 * TCP, over `node:net`. Connections are half-open: a peer that shuts its sending side still gets its answers.
 */
import { createServer, Socket } from "node:net";
import type { Server } from "node:net";
import { assert } from "./assert.ts";
import type { Address, Connection, ConnectionEvents, Listener, Network } from "./network.ts";

/** Connections that wait to be accepted; the operating system lowers it to its own limit. */
const backlog = 4_096;

export class NodeNetwork implements Network {
  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        accept(new NodeConnection(socket));
      });
      server.once("error", reject);
      server.listen({ host: address.host, port: address.port, backlog }, () => {
        server.off("error", reject);
        // A connection that could not be accepted (no file descriptors left) is the peer's loss, not the end of the process.
        server.on("error", () => {});
        resolve(new NodeListener(server));
      });
    });
  }

  connect(address: Address): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = new Socket({ allowHalfOpen: true });
      socket.once("error", reject);
      socket.connect({ host: address.host, port: address.port, noDelay: true }, () => {
        socket.off("error", reject);
        resolve(new NodeConnection(socket));
      });
    });
  }
}

class NodeListener implements Listener {
  readonly address: Address;
  readonly #server: Server;

  constructor(server: Server) {
    const address = server.address();
    assert(
      address !== null && typeof address === "object",
      "a TCP server has an address and a port",
    );
    this.address = { host: address.address, port: address.port };
    this.#server = server;
  }

  /** The port is free on return. `close` of Node also waits for the open connections: its callback is of no use here. */
  close(): Promise<void> {
    this.#server.close();
    return Promise.resolve();
  }
}

/** A connection over one socket. */
export class NodeConnection implements Connection {
  readonly remote: Address;
  readonly #socket: Socket;
  #events: ConnectionEvents | undefined;
  readonly #closed = (): void => this.#events?.closed();
  readonly #drained = (): void => this.#events?.drained();
  readonly #ended = (): void => this.#events?.ended();
  readonly #data = (chunk: Buffer): void => this.#events?.data(chunk);
  #bound = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remote = { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    // Every error ends in "close", which is all that the owner is told.
    socket.on("error", () => {});
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  bind(events: ConnectionEvents): void {
    assert(!this.#bound, "a connection is bound once");
    this.#bound = true;
    const socket = this.#socket;
    if (socket.closed) {
      process.nextTick(() => events.closed());
      return;
    }
    this.#events = events;
    socket.once("close", this.#closed);
    socket.on("drain", this.#drained);
    socket.once("end", this.#ended);
    socket.on("data", this.#data);
  }

  /** Gives the socket to another owner. This connection tells nothing more and must not be used any more. */
  release(): Socket {
    const socket = this.#socket;
    socket.off("close", this.#closed);
    socket.off("drain", this.#drained);
    socket.off("end", this.#ended);
    socket.off("data", this.#data);
    socket.pause();
    return socket;
  }

  writeText(text: string): void {
    if (this.#socket.writable) this.#socket.write(text, "latin1");
  }

  writeBytes(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
