/**
 * A whole node with its client port in a simulated world: virtual time, a disk in memory, and connections whose every byte and every write the test sees.
 */
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Environment } from "../../src/base/environment.ts";
import { silentLogger } from "../../src/base/logger.ts";
import type {
  Address,
  Connection,
  ConnectionEvents,
  Listener,
  Network,
} from "../../src/base/network.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { processFacts } from "../../src/cli/process-facts.ts";
import type { KindSettings } from "../../src/machines/sessions/kinds.ts";
import { Node } from "../../src/node/node.ts";
import { Access } from "../../src/server/access.ts";
import type { TokenSettings } from "../../src/server/access.ts";
import { ClientPort } from "../../src/server/client-port.ts";
import { CommandIndex } from "../../src/server/command-index.ts";
import { commandTable } from "../../src/server/command-table.ts";
import { ServerContext } from "../../src/server/server-context.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";
import { SimulatedNetwork } from "../../simulator/simulated-network.ts";

/** The server's end of a connection whose other end is the test. */
export class Wire implements Connection {
  readonly remote: Address;
  readonly #clock: Clock;
  /** Each write of the server, corked ones as one. */
  readonly writes: string[] = [];
  /** The client does not take what the server writes. */
  stalled = false;
  paused = false;
  bufferedBytes = 0;
  state: "open" | "ended" | "destroyed" = "open";
  #events: ConnectionEvents | undefined;
  #corked: string[] | undefined;

  constructor(remote: Address, clock: Clock) {
    this.remote = remote;
    this.#clock = clock;
  }

  /** What the server has written since the last call. */
  take(): string {
    return this.writes.splice(0).join("");
  }

  /** Bytes of the client, as characters. */
  send(text: string): void {
    if (this.state === "open" || this.state === "ended")
      must(this.#events).data(Buffer.from(text, "latin1"));
  }

  /** The client shuts its sending side. */
  shut(): void {
    must(this.#events).ended();
  }

  /** The client is gone. */
  hangUp(): void {
    this.state = "destroyed";
    must(this.#events).closed();
  }

  /** The client takes all that was written. */
  takeStalled(): void {
    this.stalled = false;
    this.bufferedBytes = 0;
    must(this.#events).drained();
  }

  bind(events: ConnectionEvents): void {
    this.#events = events;
  }

  writeText(text: string): void {
    if (this.state !== "open") return;
    if (this.stalled) this.bufferedBytes += text.length;
    if (this.#corked === undefined) this.writes.push(text);
    else this.#corked.push(text);
  }

  writeBytes(bytes: Uint8Array): void {
    this.writeText(Buffer.from(bytes).toString("latin1"));
  }

  cork(): void {
    this.#corked = [];
  }

  uncork(): void {
    this.writes.push((this.#corked ?? []).join(""));
    this.#corked = undefined;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    if (this.state === "open") this.state = "ended";
  }

  destroy(): void {
    if (this.state === "destroyed") return;
    this.state = "destroyed";
    this.#clock.soon(() => must(this.#events).closed());
  }
}

/** Hands every wire that the test asks for to whoever listens. */
class WireNetwork implements Network {
  accept: ((connection: Connection) => void) | undefined;

  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    this.accept = accept;
    return Promise.resolve({ address, close: () => Promise.resolve() });
  }

  connect(): Promise<Connection> {
    return Promise.reject(new Error("the server connects to nobody"));
  }
}

export interface TestServerOptions {
  readonly partitions?: number;
  readonly seed?: number;
  readonly replicationFactor?: number;
  /** Without them everybody may do everything. */
  readonly tokens?: readonly TokenSettings[];
  /** Kinds of sessions; none by default. */
  readonly kinds?: readonly KindSettings[];
  /** `wires`: {@link TestServer.connect} is the only way in; else through {@link TestServer.network}. */
  readonly network?: "wires" | "simulated";
}

export class TestServer {
  readonly clock: SimulatedClock;
  readonly files: SimulatedFileSystem;
  /** For tests that want a network with delays, splits and half-closed connections. */
  readonly network: SimulatedNetwork;
  readonly #wires = new WireNetwork();
  readonly #options: TestServerOptions;
  readonly #random: SeededRandom;
  #running: { node: Node; context: ServerContext; port: ClientPort } | undefined;
  #nextPort = 50_001;

  private constructor(options: TestServerOptions) {
    this.#options = options;
    this.clock = new SimulatedClock();
    this.#random = new SeededRandom(options.seed ?? 1);
    this.files = new SimulatedFileSystem({ clock: this.clock });
    this.network = new SimulatedNetwork({ clock: this.clock, random: this.#random });
  }

  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options);
    await server.#start();
    return server;
  }

  get node(): Node {
    return must(this.#running).node;
  }

  get context(): ServerContext {
    return must(this.#running).context;
  }

  get port(): ClientPort {
    return must(this.#running).port;
  }

  connect(): Wire {
    const wire = new Wire({ host: "127.0.0.1", port: this.#nextPort++ }, this.clock);
    must(this.#wires.accept)(wire);
    return wire;
  }

  /** Sends, lets everything happen that follows without time passing, and takes what was answered. */
  async exchange(wire: Wire, text: string): Promise<string> {
    wire.send(text);
    await this.clock.settle();
    return wire.take();
  }

  async stop(): Promise<void> {
    const { port, node } = must(this.#running);
    this.#running = undefined;
    await this.clock.drive(
      (async () => {
        await port.close();
        await node.drain();
        await port.stop();
        await node.stop();
      })(),
    );
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.#start();
  }

  async #start(): Promise<void> {
    const { clock, files } = this;
    const environment: Environment = {
      clock,
      files,
      random: this.#random,
      network: this.#wires,
      logger: silentLogger,
    };
    const { partitions = 4, replicationFactor = 1, kinds = [] } = this.#options;
    const node = await clock.drive(
      Node.open(environment, {
        dataDirectory: "/data",
        partitions,
        replicationFactor,
        name: "test",
        kinds,
        walSegmentBytes: 16_777_216,
      }),
    );
    const context = new ServerContext({
      node,
      clock,
      logger: silentLogger,
      advertised: { host: "127.0.0.1", port: 8765 },
      version: "0.1.0",
      access: new Access(this.#options.tokens ?? []),
      processFacts,
    });
    const port = new ClientPort(context, new CommandIndex(commandTable()));
    this.#running = { node, context, port };
    const network = this.#options.network === "simulated" ? this.network : this.#wires;
    await clock.drive(port.listen(network, { host: "127.0.0.1", port: 8765 }));
  }
}

/** A RESP request as characters. */
export function request(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word, "latin1")}\r\n${word}\r\n`).join("")}`;
}

/** A valid key for each number. */
export function keyOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}
