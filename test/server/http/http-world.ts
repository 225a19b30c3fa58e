/** A node on a disk in memory with its HTTP port, for tests that inject requests or open sockets. Time is real: Node's own servers know no other. */
import assert from "node:assert/strict";
import { MemoryFileSystem } from "../../../src/base/memory-file-system.ts";
import { must } from "../../../src/base/assert.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { Address } from "../../../src/base/network.ts";
import type { TlsFiles } from "../../../src/base/node-tls.ts";
import { NodeNetwork } from "../../../src/base/node-network.ts";
import { SeededRandom } from "../../../src/base/seeded-random.ts";
import { SystemClock } from "../../../src/base/system-clock.ts";
import { kindDefaults } from "../../../src/machines/sessions/kinds.ts";
import { Node } from "../../../src/node/node.ts";
import { Access, type TokenSettings } from "../../../src/server/access.ts";
import { type HttpBounds, HttpPort } from "../../../src/server/http/http-port.ts";
import { ServerContext } from "../../../src/server/server-context.ts";
import { errorsOf } from "../../../src/server/http/openapi.ts";
import type { Problem } from "../../../src/server/http/problem.ts";
import type { Route } from "../../../src/server/http/route.ts";

/** A stream that was begun where none should be would never end. */
const answerMaxMs = 8_000;

type Injector = ReturnType<HttpPort["injectable"]>;

export interface HttpWorldOptions {
  readonly tokens?: readonly TokenSettings[];
  readonly origins?: readonly string[];
  readonly tls?: TlsFiles;
  readonly advertised?: Address;
  /** Where injected requests think that the port listens. */
  readonly host?: string;
  readonly partitions?: number;
  /** Of the node, as an author of documents. Default "test". */
  readonly name?: string;
  readonly bounds?: Partial<HttpBounds>;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly bytes?: Uint8Array | string;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly bytes: Buffer;
  /** Parsed, if it is JSON. */
  readonly json: unknown;
}

/** `await using` stops it at the end of the block. */
export class HttpWorld implements AsyncDisposable {
  readonly node: Node;
  readonly context: ServerContext;
  readonly port: HttpPort;
  readonly routes: readonly Route[];
  /** What was logged as an error. */
  readonly bugs: object[] = [];
  readonly #app: Injector;
  /** The clock's timers keep no process, and an injected request has no socket that would. */
  readonly #hold = setInterval(() => {}, 1_000);
  #listening: Address | undefined;
  #stopped = false;

  private constructor(node: Node, options: HttpWorldOptions) {
    this.node = node;
    const access = new Access(options.tokens ?? []);
    this.context = new ServerContext({
      node,
      clock: new SystemClock(),
      logger: { ...silentLogger, error: (fields) => this.bugs.push(fields) },
      advertised: options.advertised ?? { host: "127.0.0.1", port: 8765 },
      version: "0.2.0",
      access,
    });
    this.port = new HttpPort({
      context: this.context,
      access,
      origins: options.origins ?? [],
      tls: options.tls,
      bounds: options.bounds ?? {},
      processMetrics: false,
    });
    this.routes = this.port.routes();
    this.#app = this.port.injectable({ host: options.host ?? "127.0.0.1", port: 8080 });
  }

  static async start(options: HttpWorldOptions = {}): Promise<HttpWorld> {
    const hold = setInterval(() => {}, 1_000);
    const clock = new SystemClock();
    const node = await Node.open(
      {
        clock,
        random: new SeededRandom(1),
        files: new MemoryFileSystem(),
        network: new NodeNetwork(),
        logger: silentLogger,
      },
      {
        dataDirectory: "/data",
        partitions: options.partitions ?? 4,
        replicationFactor: 1,
        clusterName: "Truba",
        name: options.name ?? "test",
        walSegmentBytes: 16_777_216,
        kinds: [{ ...kindDefaults, name: "checkout", number: 1, delayMs: 0, spreadMs: 0 }],
      },
    );
    clearInterval(hold);
    return new HttpWorld(node, options);
  }

  /** Listens on a free port of loopback. */
  async listen(): Promise<Address> {
    this.#listening = await this.port.listen({ host: "127.0.0.1", port: 0 });
    return this.#listening;
  }

  /** Asks without a socket, and holds the answer to what the table says of its route. */
  async ask({ method, path, headers = {}, json, bytes }: Asked): Promise<Answered> {
    const payload = json === undefined ? bytes : JSON.stringify(json);
    const timeout = AbortSignal.timeout(answerMaxMs);
    const answer = await this.#app.inject({
      signal: timeout,
      method: method as "GET",
      url: path,
      headers: {
        host: "127.0.0.1:8080",
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(payload === undefined
        ? {}
        : { payload: typeof payload === "string" ? payload : Buffer.from(payload) }),
    });
    const type = String(answer.headers["content-type"] ?? "");
    const answered: Answered = {
      status: answer.statusCode,
      headers: answer.headers,
      bytes: answer.rawPayload,
      json: /json/.test(type) && answer.payload !== "" ? answer.json() : undefined,
    };
    assert.deepEqual(this.bugs, []);
    this.#holdToTable(method, path, answered);
    return answered;
  }

  /** The answer, which must have the status. */
  async good(asked: Asked, status = 200): Promise<Answered> {
    const answered = await this.ask(asked);
    assert.equal(
      answered.status,
      status,
      `${asked.method} ${asked.path}: ${answered.bytes.toString()}`,
    );
    return answered;
  }

  /** The problem, which must have the code. It is asked for as JSON, which the exercise's addresses want to be told. */
  async problem(asked: Asked, code: string, status?: number): Promise<Problem> {
    const headers = { accept: "application/json, text/event-stream", ...asked.headers };
    const answered = await this.ask({ ...asked, headers });
    const problem = answered.json as Problem;
    assert.equal(
      problem?.code,
      code,
      `${asked.method} ${asked.path}: ${answered.bytes.toString()}`,
    );
    assert.equal(answered.headers["content-type"], "application/problem+json");
    if (status !== undefined) assert.equal(answered.status, status);
    return problem;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#app.close();
    await this.port.close();
    await this.node.drain();
    await this.node.stop();
    clearInterval(this.#hold);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Every answer is one that the OpenAPI document has. */
  #holdToTable(method: string, path: string, { status, headers, json }: Answered): void {
    const route = this.#routeOf(method === "HEAD" ? "GET" : method, path.split("?")[0] ?? "");
    if (route === undefined) return;
    const where = `${method} ${route.path} answered ${status}`;
    if (status >= 400) {
      // The answer to HEAD has no body, and so no code.
      if (method === "HEAD") return;
      const code =
        route.exercise === true && json === undefined
          ? headers["truba-error"]
          : (json as Problem).code;
      assert.ok(
        errorsOf(route).some((each) => each === code),
        `${where} with ${String(code)}, which is not in the table`,
      );
      return;
    }
    const answer = must(route.answers[status], `${where}, which is not in the table`);
    if (answer.json === undefined || method === "HEAD") return;
    const checked = answer.json.safeParse(json);
    assert.ok(checked.success, `${where}: ${JSON.stringify(json)}: ${String(checked.error)}`);
  }

  #routeOf(method: string, path: string): Route | undefined {
    const parts = path.split("/");
    const fits = (route: Route): boolean => {
      const pattern = route.path.split("/");
      return (
        route.method === method &&
        pattern.length === parts.length &&
        pattern.every((part, i) => part.startsWith("{") || part === parts[i])
      );
    };
    // What is written out goes before what has a name.
    return this.routes
      .filter(fits)
      .sort((a, b) => a.path.split("{").length - b.path.split("{").length)[0];
  }
}

/** Bytes as JSON has them. */
export function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** A valid key for each number. */
export function keyOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}
