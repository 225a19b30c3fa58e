/**
 * The client port: accepts connections, finds out from their first bytes which protocol they speak, and flushes answers at the end of each turn.
 */
import { type Clock, type Timer, delay } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import { isFromThisMachine } from "../base/network.ts";
import type { Address, Connection, Encryption, Listener, Network } from "../base/network.ts";
import { type ClientProtocol, protocolOf } from "../protocol/first-bytes.ts";
import type { CommandIndex } from "./command-index.ts";
import { LineSession } from "./line-session.ts";
import { RespSession } from "./resp-session.ts";
import type { ServerContext } from "./server-context.ts";

type ClientSession = RespSession | LineSession;

/** A connection from its first byte to its last. */
interface Client {
  /** Another one from the moment on in which the client begins to speak TLS. */
  connection: Connection;
  /** What it says has come through TLS. */
  encrypted: boolean;
  /** When it was accepted (monotonic ms). */
  readonly acceptedMs: number;
  session: ClientSession | undefined;
  /** Bytes that came before the protocol was known. */
  first: Buffer;
  /** Its part of the context's held bytes. */
  heldBytes: number;
  /** When the first of them came (monotonic ms). */
  firstMs: number;
}

const sweepEveryMs = 5_000;

/** What a stop leaves clients to take their last answers and close. */
const lastAnswersMs = 1_000;

/** Refused connections that are open at one time; beyond them the reason may be lost on its way. */
const refusedMaxCount = 1_000;

export class ClientPort {
  readonly #context: ServerContext;
  readonly #commands: CommandIndex;
  readonly #encryption: Encryption | undefined;
  readonly #clients = new Set<Client>();
  /** Told why and ended; what they send is dropped, and the next sweep closes those that do not close themselves. */
  readonly #refused = new Set<Connection>();
  #answered: ClientSession[] = [];
  #listener: Listener | undefined;
  #sweep: Timer | undefined;
  #nextId = 1;
  readonly #markAnswered = (session: ClientSession): void => {
    this.#answered.push(session);
  };

  /** With `encryption`, TLS is taken too, and from other machines nothing else. */
  constructor(context: ServerContext, commands: CommandIndex, encryption?: Encryption) {
    this.#context = context;
    this.#commands = commands;
    this.#encryption = encryption;
    context.node.onTurnEnd(() => this.#flush());
  }

  get connections(): number {
    return this.#clients.size;
  }

  /** Listens; resolves with the address it got. Throws the system's error. */
  async listen(network: Network, address: Address): Promise<Address> {
    this.#listener = await network.listen(address, (connection) => this.#accept(connection));
    this.#scheduleSweep(this.#context.clock);
    this.#context.eventLoopDelay.start();
    return this.#listener.address;
  }

  /** Accepts no more connections. */
  async close(): Promise<void> {
    this.#sweep?.cancel();
    this.#context.eventLoopDelay.stop();
    await this.#listener?.close();
  }

  /** Sends what is answered and closes every connection. The node must be drained. */
  async stop(): Promise<void> {
    this.#flush();
    for (const client of this.#clients) client.connection.end();
    const { clock } = this.#context;
    const deadline = clock.monotonicMs() + lastAnswersMs;
    while (this.#clients.size > 0 && clock.monotonicMs() < deadline) await delay(clock, 5);
    for (const { connection } of this.#clients) connection.destroy();
    for (const connection of this.#refused) connection.destroy();
  }

  #accept(connection: Connection): void {
    const { counters } = this.#context;
    counters.connectionsReceived++;
    const client: Client = {
      connection,
      encrypted: false,
      acceptedMs: this.#context.clock.monotonicMs(),
      session: undefined,
      first: Buffer.alloc(0),
      heldBytes: 0,
      firstMs: 0,
    };
    this.#bind(client);
    if (this.#clients.size < limits.connectionsMaxCount) {
      this.#clients.add(client);
      return;
    }
    counters.connectionsRefused++;
    this.#refuse(
      connection,
      `MAXCONNECTIONS the node has ${this.#clients.size} connections; the limit is ${limits.connectionsMaxCount}`,
    );
  }

  #bind(client: Client): void {
    client.connection.bind({
      data: (chunk) => this.#data(client, chunk),
      ended: () => {
        if (client.session === undefined) client.connection.end();
        else client.session.ended();
      },
      drained: () => client.session?.drained(),
      closed: () => this.#forget(client),
    });
  }

  /** Says why, in the form of RESP, and ends. */
  #refuse(connection: Connection, why: string): void {
    connection.writeText(`-${why}\r\n`);
    connection.end();
    if (this.#refused.size < refusedMaxCount) this.#refused.add(connection);
    else connection.destroy();
  }

  #forget(client: Client): void {
    this.#clients.delete(client);
    this.#refused.delete(client.connection);
    if (client.session === undefined) return;
    this.#context.sessions.delete(client.session.id);
    this.#context.heldBytes -= client.heldBytes;
    client.heldBytes = 0;
    client.session.closed();
  }

  #data(client: Client, chunk: Uint8Array): void {
    this.#context.counters.bytesReceived += chunk.length;
    if (this.#refused.has(client.connection)) return;
    if (client.session !== undefined) {
      this.#feed(client, client.session, chunk);
      return;
    }
    const first =
      client.first.length === 0 ? Buffer.from(chunk) : Buffer.concat([client.first, chunk]);
    const protocol = protocolOf(first);
    if (protocol === "more") {
      if (client.first.length === 0) client.firstMs = this.#context.clock.monotonicMs();
      client.first = first;
      return;
    }
    client.first = Buffer.alloc(0);
    this.#begin(client, protocol, first);
  }

  #begin(client: Client, protocol: Exclude<ClientProtocol, "more">, first: Buffer): void {
    const { connection } = client;
    const open =
      client.encrypted || protocol === "tls" || isFromThisMachine(connection.remote.host);
    if (this.#encryption !== undefined && !open) {
      this.#refuse(connection, "NOTSUPPORTED from other machines this node takes TLS only");
      return;
    }
    switch (protocol) {
      case "resp":
      case "inline":
      case "line": {
        const parts = {
          id: this.#nextId++,
          context: this.#context,
          connection,
          answered: this.#markAnswered,
        };
        const session =
          protocol === "line"
            ? new LineSession(parts)
            : new RespSession({ ...parts, commands: this.#commands });
        client.session = session;
        this.#context.sessions.set(session.id, session);
        this.#feed(client, session, first);
        return;
      }
      case "http":
        // A browser can be made to send such a request to any port: nothing of it must be taken for a command.
        connection.destroy();
        return;
      case "peer":
        this.#refuse(connection, "NOTSUPPORTED this node takes no peers");
        return;
      case "tls":
        this.#encrypt(client, first);
        return;
      default:
        protocol satisfies never;
    }
  }

  /** The protocol is then told from what the client says inside TLS, once. */
  #encrypt(client: Client, first: Buffer): void {
    if (this.#encryption === undefined || client.encrypted) {
      client.connection.destroy();
      return;
    }
    client.encrypted = true;
    client.connection = this.#encryption.accept(client.connection, first);
    this.#bind(client);
  }

  /** Gives a session its bytes; closes it when requests that began to arrive hold too much memory in all. */
  #feed(client: Client, session: ClientSession, chunk: Uint8Array): void {
    session.data(chunk);
    this.#account(client, session);
    if (session.heldBytes > session.admission.heldMaxBytes) {
      this.#context.logger.warn(
        { session: session.id, heldBytes: session.heldBytes },
        "closed: a request that is too large for a connection that has not authenticated",
      );
      session.kill();
      return;
    }
    if (this.#context.heldBytes <= limits.requestsHeldMaxBytes || session.heldBytes === 0) return;
    this.#context.logger.warn(
      { session: session.id, heldBytes: this.#context.heldBytes },
      "closed: unfinished requests hold too much memory",
    );
    session.kill();
  }

  #flush(): void {
    const answered = this.#answered;
    if (answered.length === 0) return;
    this.#answered = [];
    for (const session of answered) session.flush();
  }

  #account(client: Client, session: ClientSession): void {
    this.#context.heldBytes += session.heldBytes - client.heldBytes;
    client.heldBytes = session.heldBytes;
  }

  #scheduleSweep(clock: Clock): void {
    this.#sweep = clock.after(sweepEveryMs, () => {
      const nowMs = clock.monotonicMs();
      this.#closeSlow(nowMs - limits.requestArrivalMaxMs);
      if (this.#context.access.required) {
        this.#closeUnauthenticated(nowMs - limits.authenticationMaxMs);
      }
      for (const connection of this.#refused) connection.destroy();
      this.#scheduleSweep(clock);
    });
  }

  /** Closes connections that were accepted at `oldestMs` or before and have shown no token. */
  #closeUnauthenticated(oldestMs: number): void {
    for (const { session, connection, acceptedMs } of this.#clients) {
      if (acceptedMs > oldestMs || session?.admission.grant !== undefined) continue;
      this.#context.logger.info(
        { remote: connection.remote.host },
        "closed: the client did not authenticate in time",
      );
      connection.destroy();
    }
  }

  /** Closes connections whose request began to arrive, first bytes included, or which ought to have closed, at `oldestMs` or before. */
  #closeSlow(oldestMs: number): void {
    for (const client of this.#clients) {
      const { session, connection } = client;
      // A session that was paused has let go of bytes since they were counted.
      if (session !== undefined) this.#account(client, session);
      const firstMs = client.first.length > 0 ? client.firstMs : undefined;
      const since = session === undefined ? firstMs : session.arrivingSinceMs;
      if (since === undefined || since > oldestMs) continue;
      this.#context.logger.info(
        { remote: connection.remote.host },
        "closed: a request did not arrive whole in time, or the client did not close",
      );
      connection.destroy();
    }
  }
}
