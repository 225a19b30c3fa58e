/** Tokens with real programs (DESIGN §12): what is refused at the start, and tokens over RESP, lines and HTTP, as redis-cli, ioredis, node-redis and our own commands see it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { Redis as Redis5 } from "ioredis5";
import { Redis as Redis6 } from "ioredis6";
import * as nodeRedis5 from "redis5";
import * as nodeRedis6 from "redis6";
import { keyOf, textOf } from "./fixtures/client.ts";
import { notBuilt, run, TemporaryDirectory, runServe } from "./fixtures/program.ts";
import type { ServerProcess } from "./fixtures/program.ts";
import { configure, makeToken, missing, runTool, startIn } from "./fixtures/secured-node.ts";
import type { Token } from "./fixtures/secured-node.ts";

/** Of both generations of ioredis. */
interface IoRedis {
  set(key: string, value: string): Promise<unknown>;
  call(command: string, word: string): Promise<unknown>;
  once(event: "error", listener: (error: Error) => void): unknown;
  disconnect(): void;
}

interface PasswordOptions {
  readonly port: number;
  readonly password: string;
  readonly username?: string;
  readonly retryStrategy?: null;
  readonly maxRetriesPerRequest?: number;
}

/** Of both generations of node-redis. */
interface NodeRedis {
  on(event: "error", listener: () => void): unknown;
  connect(): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
  sendCommand(words: string[]): Promise<unknown>;
  destroy(): void;
}

interface NodeRedisOptions {
  readonly url: string;
  readonly RESP: 2 | 3;
  readonly password: string;
  readonly socket?: { readonly reconnectStrategy: false };
}

suite("listening beyond loopback", { skip: notBuilt }, () => {
  for (const flag of ["--listen", "--http"]) {
    test(`by ${flag} without tokens is refused with exit code 2, and nothing is made`, async () => {
      using directory = new TemporaryDirectory();
      const data = join(directory.path, "data");
      const ended = await runServe({ data, flags: [flag, "0.0.0.0:0"] });
      assert.equal(ended.code, 2);
      assert.match(
        ended.stderr,
        new RegExp(`${flag}: 0\\.0\\.0\\.0:0 can be reached from other machines`),
      );
      assert.match(ended.stderr, /truba token/);
      assert.equal(existsSync(data), false);
    });
  }

  test("with a token is allowed; that there is no TLS is told in the log", async () => {
    using directory = new TemporaryDirectory();
    configure(directory, [await makeToken("app", "write")]);
    await using server = await startIn(directory, { listen: "0.0.0.0:0" });
    assert.match(server.stderr, /in the clear/);
    using client = await server.connect();
    assert.equal(textOf(await client.call("PING")), "-NOAUTH Authentication required.");
  });

  test("with --insecure is allowed, and told in the log", async () => {
    using directory = new TemporaryDirectory();
    await using server = await startIn(directory, { listen: "0.0.0.0:0", flags: ["--insecure"] });
    assert.match(server.stderr, /may read and write everything/);
  });
});

suite("truba token and config check", { skip: notBuilt }, () => {
  test("what the one prints, the other takes, and shows nothing secret of", async () => {
    using directory = new TemporaryDirectory();
    const made = await run(["token", "--name", "ci:2", "--role", "read"]);
    assert.equal(made.code, 0, made.stderr);
    const secret = /truba_[\w-]{43}/.exec(made.stdout)?.[0] ?? "";
    const yaml = made.stdout.slice(made.stdout.indexOf("tokens:"));
    assert.ok(secret !== "" && !yaml.includes(secret));
    writeFileSync(
      join(directory.path, "truba.yaml"),
      `${yaml}\nlisten: 0.0.0.0:7000\nsessions:\n  order: {number: 7, delay: 0.5}\n`,
    );
    const checked = await run(["config", "check"], {
      directory: directory.path,
      environment: { TRUBA_PARTITIONS: "4" },
    });
    assert.equal(checked.code, 0, checked.stderr);
    assert.match(checked.stdout, /^ok\n/);
    assert.match(checked.stdout, /^listen +0\.0\.0\.0:7000 +truba\.yaml:\d+$/m);
    assert.match(checked.stdout, /^partitions +4 +TRUBA_PARTITIONS$/m);
    assert.match(checked.stdout, /^ci:2 +read$/m);
    assert.match(checked.stdout, /^order +7 +0\.5 +1 +20 /m);
    assert.ok(!checked.stdout.includes(secret));
    await using server = await startIn(directory);
    using client = await server.connect();
    assert.equal(textOf(await client.call("AUTH", "ci:2", secret)), "OK");
  });

  test("problems are told together, with exit code 2; --json for programs", async () => {
    using directory = new TemporaryDirectory();
    const file = join(directory.path, "other.yaml");
    writeFileSync(file, "partitions: 0\ntokens: 5\nsessions: {a: {}}\n");
    const checked = await run(["config", "check", "--config", file]);
    assert.equal(checked.code, 2);
    assert.equal(checked.stdout, "");
    for (const line of [1, 2, 3])
      assert.match(checked.stderr, new RegExp(`other\\.yaml:${line}: `));
    const json = await run(["config", "check", "--config", file, "--json"]);
    assert.equal(json.code, 2);
    const { ok, problems } = JSON.parse(json.stdout) as {
      ok: boolean;
      problems: readonly object[];
    };
    assert.deepEqual([ok, problems.length], [false, 3]);
  });
});

suite("a node with tokens", { skip: notBuilt }, () => {
  let directory: TemporaryDirectory;
  let server: ServerProcess;
  let app: Token;
  let reader: Token;

  before(async () => {
    directory = new TemporaryDirectory();
    [app, reader] = await Promise.all([makeToken("app", "write"), makeToken("reader", "read")]);
    configure(directory, [app, reader], `sessions:\n  order: {number: 7}\n`);
    server = await startIn(directory, { http: "127.0.0.1:0" });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  const cli = (...args: readonly string[]) =>
    runTool("redis-cli", ["-p", String(server.port), "--no-auth-warning", ...args]);

  test(
    "redis-cli: no token, a wrong one, one that may, one that may not",
    { skip: missing("redis-cli") },
    async () => {
      const key = keyOf(1);
      assert.match((await cli("SET", key, "x")).stdout, /^NOAUTH Authentication required\./);
      const wrong = await cli("-a", "wrong", "SET", key, "x");
      assert.match(wrong.stdout + wrong.stderr, /WRONGPASS/);
      assert.equal((await cli("-a", app.secret, "SET", key, "x")).stdout, "OK\n");
      assert.equal(
        (await cli("--user", "reader", "--pass", reader.secret, "GET", key)).stdout,
        "x\n",
      );
      assert.match((await cli("-a", reader.secret, "SET", key, "x")).stdout, /^NOPERM /);
      assert.match(
        (await cli("-a", app.secret, "CLIENT", "KILL", "ID", "999999")).stdout,
        /^NOPERM /,
      );
      assert.equal((await cli("-3", "-a", app.secret, "ACL", "WHOAMI")).stdout, "app\n");
    },
  );

  test("nc on the line protocol", { skip: missing("nc") }, async () => {
    const input = `SET ${keyOf(2)} x\nAUTH ${app.secret}\nSET ${keyOf(2)} x\n`;
    const { stdout } = await runTool("nc", ["-N", "127.0.0.1", String(server.port)], input);
    assert.equal(stdout, "Error: Authentication required.\nOK\nCreated (1 replicas)\n");
  });

  for (const [name, connect] of [
    ["ioredis 5", (options: PasswordOptions): IoRedis => new Redis5(options)],
    ["ioredis 6", (options: PasswordOptions): IoRedis => new Redis6(options)],
  ] as const) {
    test(`${name} with a password, also with the token's name`, async () => {
      for (const username of [undefined, "app"]) {
        const client = connect({
          port: server.port,
          password: app.secret,
          ...(username === undefined ? {} : { username }),
        });
        try {
          assert.equal(await client.set(keyOf(3), "x"), "OK");
          assert.equal(await client.call("ACL", "WHOAMI"), "app");
        } finally {
          client.disconnect();
        }
      }
      const stranger = connect({
        port: server.port,
        password: "wrong",
        retryStrategy: null,
        maxRetriesPerRequest: 0,
      });
      const error = await new Promise<Error>((resolve) => stranger.once("error", resolve));
      assert.match(error.message, /WRONGPASS/);
      stranger.disconnect();
    });
  }

  for (const [name, createClient] of [
    ["node-redis 5", (options: NodeRedisOptions): NodeRedis => nodeRedis5.createClient(options)],
    ["node-redis 6", (options: NodeRedisOptions): NodeRedis => nodeRedis6.createClient(options)],
  ] as const) {
    test(`${name} with a password, over RESP2 and RESP3`, async () => {
      for (const RESP of [2, 3] as const) {
        const connection = { url: `redis://127.0.0.1:${server.port}`, RESP };
        const client = createClient({ ...connection, password: app.secret });
        client.on("error", () => {});
        await client.connect();
        assert.equal(await client.set(keyOf(4), "x"), "OK");
        assert.equal(await client.sendCommand(["ACL", "WHOAMI"]), "app");
        client.destroy();
        const stranger = createClient({
          ...connection,
          password: "wrong",
          socket: { reconnectStrategy: false },
        });
        stranger.on("error", () => {});
        await assert.rejects(stranger.connect(), /WRONGPASS/);
      }
    });
  }

  test("over HTTP the same tokens, as Bearer", async () => {
    const url = /http:\/\/\S+(?=,)/.exec(server.stdout)?.[0] ?? "";
    const get = async (secret?: string): Promise<number> => {
      const headers = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
      const response = await fetch(`${url}/v1/queues`, { headers });
      await response.arrayBuffer();
      return response.status;
    };
    assert.deepEqual([await get(), await get("wrong"), await get(reader.secret)], [401, 401, 200]);
  });

  test("truba status and truba bench, with the token as a flag or in the environment", async () => {
    const where = ["--address", server.address];
    const refused = await run(["status", ...where]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /wants another token: "NOAUTH /);
    const status = await run(["status", ...where, "--json"], {
      environment: { TRUBA_TOKEN: reader.secret },
    });
    assert.equal(status.code, 0, status.stderr);
    const load = ["--requests", "100", "--connections", "4", "--test", "set"];
    const loaded = await run(["bench", ...where, ...load, "--token", app.secret, "--json"]);
    assert.equal(loaded.code, 0, loaded.stderr);
    const wrong = await run(["bench", ...where, ...load, "--token", "wrong"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /WRONGPASS/);
  });

  test("kinds of sessions come from the file", async () => {
    const client = new Redis6({ port: server.port, password: app.secret });
    const kinds = await client.call("SESSION.KINDS");
    client.disconnect();
    assert.match(JSON.stringify(kinds), /"order","number",7,"delayMs",5000,/);
  });

  test("no secret stands in the log or in the data directory, only that somebody tried", async () => {
    using client = await server.connect();
    const secret = "truba_a-secret-that-somebody-mistyped";
    assert.match(textOf(await client.call("AUTH", secret)), /^-WRONGPASS/);
    const { stderr } = server;
    assert.match(stderr, /a token was shown that is not known/);
    for (const text of [secret, app.secret, reader.secret]) assert.ok(!stderr.includes(text));
    const found = spawnSync("grep", ["-rlF", app.secret, directory.path], { encoding: "utf8" });
    assert.equal(found.stdout, "");
  });
});
