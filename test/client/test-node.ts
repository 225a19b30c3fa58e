/** A node in memory with its client port on a free port of loopback: the real server, for tests of the client over real sockets. */
import { must } from "../../src/base/assert.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { MemoryFileSystem } from "../../src/base/memory-file-system.ts";
import type { Address, Encryption } from "../../src/base/network.ts";
import { NodeNetwork } from "../../src/base/node-network.ts";
import { NodeTls, type TlsFiles } from "../../src/base/node-tls.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import { SystemRandom } from "../../src/base/system-random.ts";
import { processFacts } from "../../src/cli/process-facts.ts";
import type { SessionDefinition } from "../../src/client/definitions.ts";
import { kindDefaults } from "../../src/machines/sessions/kinds.ts";
import { Node } from "../../src/node/node.ts";
import { Access, type TokenSettings } from "../../src/server/access.ts";
import { ClientPort } from "../../src/server/client-port.ts";
import { CommandIndex } from "../../src/server/command-index.ts";
import { commandTable } from "../../src/server/command-table.ts";
import { HttpPort } from "../../src/server/http/http-port.ts";
import { ServerContext } from "../../src/server/server-context.ts";

export interface TestNodeOptions {
  readonly partitions?: number;
  readonly sessions?: readonly SessionDefinition<never, unknown>[];
  readonly tokens?: readonly TokenSettings[];
  /** The client port takes TLS too. */
  readonly tls?: TlsFiles;
}

export class TestNode {
  readonly node: Node;
  readonly context: ServerContext;
  #port: ClientPort | undefined;
  #http: { readonly port: HttpPort; readonly url: string } | undefined;
  #address: Address | undefined;

  readonly #encryption: Encryption | undefined;

  private constructor(node: Node, context: ServerContext, tls: TlsFiles | undefined) {
    this.node = node;
    this.context = context;
    this.#encryption = tls === undefined ? undefined : new NodeTls(tls);
  }

  static async start(options: TestNodeOptions = {}): Promise<TestNode> {
    const clock = new SystemClock();
    const network = new NodeNetwork();
    const node = await Node.open(
      {
        clock,
        network,
        random: new SystemRandom(),
        files: new MemoryFileSystem(),
        logger: silentLogger,
      },
      {
        dataDirectory: "memory",
        partitions: options.partitions ?? 4,
        walSegmentBytes: 16_777_216,
        kinds: (options.sessions ?? []).map(({ kind, settings }, number) => ({
          ...kindDefaults,
          number,
          ...settings,
          name: kind,
        })),
      },
    );
    const context = new ServerContext({
      node,
      clock,
      logger: silentLogger,
      advertised: { host: "127.0.0.1", port: 8765 },
      version: "0.2.0",
      access: new Access(options.tokens ?? []),
      processFacts,
    });
    const made = new TestNode(node, context, options.tls);
    await made.listen();
    return made;
  }

  /** `HOST:PORT`. */
  get address(): string {
    const { host, port } = must(this.#address);
    return `${host}:${port}`;
  }

  /** `http://HOST:PORT`, of an HTTP port that is opened when it is first asked for. */
  async httpUrl(): Promise<string> {
    if (this.#http === undefined) {
      const { context } = this;
      const port = new HttpPort({ context, access: context.access, origins: [] });
      const address = await port.listen({ host: "127.0.0.1", port: 0 });
      this.#http = { port, url: `http://127.0.0.1:${address.port}` };
    }
    return this.#http.url;
  }

  /** The port serves again, under the address that it had. */
  async listen(): Promise<void> {
    const port = new ClientPort(this.context, new CommandIndex(commandTable()), this.#encryption);
    const wanted = this.#address ?? { host: "127.0.0.1", port: 0 };
    this.#address = await port.listen(new NodeNetwork(), wanted);
    this.#port = port;
  }

  /** All connections break and no new ones are taken; the node lives on. */
  async cut(): Promise<void> {
    const port = must(this.#port);
    this.#port = undefined;
    await port.close();
    await port.stop();
  }

  async stop(): Promise<void> {
    await this.#http?.port.close();
    await this.#port?.close();
    await this.node.drain();
    await this.#port?.stop();
    await this.node.stop();
  }
}
