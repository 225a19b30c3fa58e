/** `truba serve` as a process: how it starts, what it refuses, how it stops (DESIGN §12). */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite, test } from "node:test";
import { keyOf, Lost, textOf } from "./fixtures/client.ts";
import type { Client } from "./fixtures/client.ts";
import { notBuilt, run, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";

const smallSegments = ["--wal-segment-bytes", "16777216"];

function start(directory: TemporaryDirectory, flags: readonly string[] = []) {
  return ServerProcess.start({
    data: join(directory.path, "data"),
    flags: [...smallSegments, ...flags],
  });
}

function startRefused(data: string, flags: readonly string[] = [], listen = "127.0.0.1:0") {
  const where = ["--data", data, "--listen", listen, "--http", "off"];
  return run(["serve", ...where, ...smallSegments, ...flags]);
}

suite("truba serve starts", { skip: notBuilt }, () => {
  test("and prints one line with the word ready and its address, then hints", async () => {
    using directory = new TemporaryDirectory();
    await using server = await start(directory);
    const lines = server.stdout.split("\n").filter((line) => line.includes("ready"));
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /^truba \S+ ready on 127\.0\.0\.1:\d+, data in \S+\/data$/);
    using client = await server.connect();
    assert.equal(textOf(await client.call("PING")), "PONG");
  });

  test("not on a configuration with problems: all are told at once, exit code 2, and nothing is made", async () => {
    using directory = new TemporaryDirectory();
    writeFileSync(join(directory.path, "truba.yaml"), "partitions: 0\nlisten-to: x\n");
    const ended = await run(
      ["serve", "--replication-factor", "nine", "--no-such", "--listen", "0.0.0.0:0", "extra"],
      { directory: directory.path, environment: { TRUBA_LOG_LEVEL: "loud" } },
    );
    assert.equal(ended.code, 2, ended.stderr);
    assert.equal(ended.stdout, "");
    const told = [
      /truba\.yaml:1: partitions is "0"/,
      /truba\.yaml:2: "listen-to" is not an option/,
      /TRUBA_LOG_LEVEL: log-level is "loud"/,
      /--replication-factor: replication-factor is "nine"/,
      /--no-such: is not an option/,
      /--listen: 0\.0\.0\.0:0 can be reached from other machines/,
    ];
    for (const problem of told) assert.match(ended.stderr, problem);
    assert.match(ended.stderr, /has [67] problems:/);
    assert.equal(existsSync(join(directory.path, "data")), false);
  });

  for (const args of [
    ["serve", "--listen"],
    ["status", "--no-such"],
    ["no-such-command"],
    ["log"],
    ["log", "verify", "too", "many"],
  ]) {
    test(`not when called as "truba ${args.join(" ")}": exit code 2 and a hint`, async () => {
      const ended = await run(args);
      assert.equal(ended.code, 2, ended.stderr);
      assert.match(ended.stderr, /error: |Usage: /);
    });
  }

  test("--help and --version are no errors", async () => {
    for (const args of [["--help"], ["serve", "--help"], ["--version"]]) {
      const ended = await run(args);
      assert.equal(ended.code, 0, ended.stderr);
      assert.notEqual(ended.stdout, "");
    }
  });

  test("not on a directory that another process uses: DATALOCKED, exit code 1; the other goes on", async () => {
    using directory = new TemporaryDirectory();
    await using server = await start(directory);
    const ended = await startRefused(join(directory.path, "data"));
    assert.equal(ended.code, 1, ended.stderr);
    assert.match(ended.stderr, /truba: DATALOCKED: .*data/);
    using client = await server.connect();
    assert.equal(textOf(await client.call("SET", keyOf(1), "still")), "OK");
  });

  test("not on a port that is taken: exit code 1 and the address; the directory is free again", async () => {
    using directory = new TemporaryDirectory();
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : undefined;
    try {
      const data = join(directory.path, "data");
      const ended = await startRefused(data, [], `127.0.0.1:${port}`);
      assert.equal(ended.code, 1, ended.stderr);
      assert.match(ended.stderr, new RegExp(`EADDRINUSE.*127\\.0\\.0\\.1:${port}`));
      await using server = await start(directory);
      assert.equal((await server.end("SIGTERM")).code, 0);
    } finally {
      taken.close();
    }
  });

  test("beyond this machine only with --insecure", async () => {
    using directory = new TemporaryDirectory();
    const data = join(directory.path, "data");
    const refused = await startRefused(data, [], "0.0.0.0:0");
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /--insecure/);
    await using server = await ServerProcess.start({
      data,
      listen: "0.0.0.0:0",
      flags: [...smallSegments, "--insecure"],
    });
    using client = await server.connect();
    assert.equal(textOf(await client.call("PING")), "PONG");
  });

  test("not with other --partitions than at the first start: exit code 2 with both numbers", async () => {
    using directory = new TemporaryDirectory();
    const first = await start(directory, ["--partitions", "4"]);
    assert.equal((await first.end("SIGTERM")).code, 0);
    const ended = await startRefused(join(directory.path, "data"), ["--partitions", "8"]);
    assert.equal(ended.code, 2, ended.stderr);
    assert.match(ended.stderr, /BADCONFIG: partitions is 4 .* cannot become 8/);
    await using again = await start(directory);
    assert.equal((await again.end("SIGTERM")).code, 0);
  });

  test("not where it may not write: exit code 1 and the path", async () => {
    using directory = new TemporaryDirectory();
    const file = join(directory.path, "file");
    writeFileSync(file, "");
    const ended = await startRefused(join(file, "data"));
    assert.equal(ended.code, 1, ended.stderr);
    assert.match(ended.stderr, /ENOTDIR.*file\/data/);
  });

  const root = process.getuid?.() === 0;
  const skip = root ? false : "only root can start a process as another user";
  test("not as a user who may not write there: exit code 1 and the path", { skip }, async (t) => {
    const nobody = { uid: 65_534, directory: "/" };
    if ((await run(["--version"], nobody)).code !== 0) {
      t.skip("another user cannot read the program");
      return;
    }
    using directory = new TemporaryDirectory();
    const data = join(directory.path, "data");
    mkdirSync(data);
    chmodSync(directory.path, 0o755);
    chmodSync(data, 0o555);
    const args = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--http", "off"];
    const ended = await run(args, nobody);
    assert.equal(ended.code, 1, ended.stderr);
    assert.match(ended.stderr, /EACCES.*data/);
  });
});

suite("truba serve stops", { skip: notBuilt }, () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`by ${signal} under load: what is in flight is answered or refused, exit code 0, and a restart finds what was acknowledged and nothing else`, async () => {
      using directory = new TemporaryDirectory();
      const server = await start(directory);
      const writers = await Promise.all(
        Array.from({ length: 8 }, async (_, at) => new Writer(await server.connect(), at)),
      );
      const writing = Promise.all(writers.map((writer) => writer.write()));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const ended = await server.end(signal);
      assert.equal(ended.code, 0, ended.stderr);
      assert.match(ended.stderr, /"message":"stopped"/, "it has come to the end of its stop");
      await writing;
      const acknowledged = writers.flatMap((writer) => writer.acknowledged);
      const others = writers.flatMap((writer) => [...writer.refused, ...writer.unanswered]);
      assert.ok(acknowledged.length > 100, `${acknowledged.length} writes`);

      await using again = await start(directory);
      using client = await again.connect();
      const found = await Promise.all(client.pipeline(acknowledged.map((key) => ["GET", key])));
      for (const [at, key] of acknowledged.entries())
        assert.equal(textOf(found[at] ?? null), `value of ${key}`, `${key} was acknowledged`);
      const absent = await Promise.all(client.pipeline(others.map((key) => ["EXISTS", key])));
      for (const [at, key] of others.entries())
        assert.equal(absent[at], 0, `${key} was refused or never answered`);
      await again.end("SIGTERM");
      const verified = await run(["log", "verify", "--data", join(directory.path, "data")]);
      assert.equal(verified.code, 0, verified.stdout);
    });
  }

  test("also while clients stay, idle or in the middle of a request", async () => {
    using directory = new TemporaryDirectory();
    await using server = await start(directory);
    using idle = await server.connect();
    using half = await server.connect();
    assert.equal(textOf(await idle.call("PING")), "PONG");
    half.sendRaw("*3\r\n$3\r\nSET\r\n$36\r\n0000");
    const started = performance.now();
    const ended = await server.end("SIGTERM");
    assert.equal(ended.code, 0, ended.stderr);
    assert.ok(performance.now() - started < 5_000);
  });

  test("with structured lines on standard error: one JSON object each", async () => {
    using directory = new TemporaryDirectory();
    const server = await start(directory);
    const { stderr } = await server.end("SIGTERM");
    const lines = stderr.trimEnd().split("\n");
    const messages = lines.map((line) => String(JSON.parse(line).message));
    assert.ok(messages.includes("stopping"), stderr);
    assert.ok(messages.includes("stopped"), stderr);
  });
});

/** Writes new keys, 16 at a time, until the node refuses or the connection ends. */
class Writer {
  readonly acknowledged: string[] = [];
  readonly refused: string[] = [];
  readonly unanswered: string[] = [];
  readonly #client: Client;
  #next: number;

  constructor(client: Client, id: number) {
    this.#client = client;
    this.#next = id * 1_000_000;
  }

  async write(): Promise<void> {
    while (!this.#client.closed) {
      const keys = Array.from({ length: 16 }, () => keyOf(this.#next++));
      const commands = keys.map((key) => ["SET", key, `value of ${key}`]);
      const answers = await Promise.allSettled(this.#client.pipeline(commands));
      for (const [at, answer] of answers.entries()) {
        const key = keys[at] ?? "";
        if (answer.status === "rejected") {
          assert.ok(answer.reason instanceof Lost);
          this.unanswered.push(key);
        } else if (textOf(answer.value) === "OK") this.acknowledged.push(key);
        else {
          assert.match(textOf(answer.value), /^-(SHUTTINGDOWN|STOPPED) /);
          this.refused.push(key);
        }
      }
    }
  }
}
