/** The tools that people have at hand: redis-cli, also with a terminal, redis-benchmark, nc. What is not installed is skipped in clear words. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fieldsOf, keyOf, textOf } from "./fixtures/client.ts";
import { notBuilt, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";

const toolMaxMs = 60_000;

/** Gives a program a terminal. */
const terminal = "script";

/** Why a tool cannot be used, or false. */
function missing(...tools: readonly string[]): string | false {
  const absent = tools.filter((tool) => spawnSync("which", [tool]).status !== 0);
  return absent.length === 0 ? false : `not installed: ${absent.join(", ")}`;
}

interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a tool to its end; kills it when it takes too long. */
async function runTool(
  tool: string,
  args: readonly string[],
  input: string | Buffer = "",
): Promise<Output> {
  const child = spawn(tool, args, { stdio: "pipe", timeout: toolMaxMs, killSignal: "SIGKILL" });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("latin1").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("latin1").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  await once(child, "close");
  return { code: child.exitCode, stdout, stderr };
}

suite("tools", { skip: notBuilt }, () => {
  let directory: TemporaryDirectory;
  let server: ServerProcess;
  const cli = (...args: readonly string[]): Promise<Output> =>
    runTool("redis-cli", ["-p", String(server.port), ...args]);

  const nc = (input: string): Promise<Output> =>
    runTool("nc", ["-N", "127.0.0.1", String(server.port)], input);

  before(async () => {
    directory = new TemporaryDirectory();
    server = await ServerProcess.start({ data: join(directory.path, "data") });
  });

  after(async () => {
    await server[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  suite("redis-cli", { skip: missing("redis-cli") }, () => {
    const key = keyOf(1);

    test("sets, gets and deletes, over RESP2 and RESP3", async () => {
      assert.equal((await cli("SET", key, "hello world")).stdout, "OK\n");
      assert.equal((await cli("-3", "GET", key)).stdout, "hello world\n");
      assert.equal(
        (await cli("RECORD.SET", key, "x", "IFVERSION", "77")).stdout.split("\n")[1],
        "conflict",
      );
      assert.equal((await cli("DEL", key)).stdout, "1\n");
      assert.equal((await cli("GET", key)).stdout, "\n");
      assert.match((await cli("SET", "12345", "x")).stdout, /^BADKEY Key is not a proper UUID4/);
      assert.match((await cli("-3", "HELLO", "3")).stdout, /truba_version/);
    });

    test("follows the cluster (-c), checks it, and looks for big keys", async () => {
      assert.equal((await cli("-c", "SET", key, "x")).stdout, "OK\n");
      const check = await runTool("redis-cli", ["--cluster", "check", `127.0.0.1:${server.port}`]);
      assert.equal(check.code, 0, check.stdout + check.stderr);
      assert.match(check.stdout, /\[OK\] All nodes agree about slots configuration/);
      assert.match(check.stdout, /\[OK\] All 16384 slots covered/);
      const keys = await cli("--bigkeys");
      assert.match(keys.stdout, /Biggest string found/);
      assert.match((await cli("--scan")).stdout, new RegExp(key));
    });

    test("runs a pipe of commands (--pipe) and a group", async () => {
      const count = 20_000;
      const input = Array.from({ length: count }, (_, i) => setRequest(i)).join("");
      const piped = await runTool("redis-cli", ["-p", String(server.port), "--pipe"], input);
      assert.match(piped.stdout, new RegExp(`errors: 0, replies: ${count}`));
      const group = `MULTI\nSET {a}${key} 1\nGET {a}${key}\nEXEC\n`;
      const done = await runTool("redis-cli", ["-p", String(server.port)], group);
      assert.equal(done.stdout, "OK\nQUEUED\nQUEUED\nOK\n1\n\n".replace("\n\n", "\n"));
    });

    test(
      "in a terminal: greets, hints, answers and leaves",
      { skip: missing(terminal) },
      async () => {
        // Without a width redis-cli would ask the terminal, which is not there, where its cursor is.
        const command = `stty cols 150 rows 40; exec redis-cli -p ${server.port}`;
        const child = spawn(terminal, ["-qefc", command, "/dev/null"], {
          env: { ...process.env, TERM: "xterm", HOME: directory.path },
          stdio: "pipe",
          timeout: toolMaxMs,
          killSignal: "SIGKILL",
        });
        let screen = "";
        child.stdout.setEncoding("latin1").on("data", (text: string) => (screen += text));
        const shows = async (wanted: RegExp): Promise<void> => {
          for (let i = 0; i < 200 && !wanted.test(screen); i++) await wait(25);
          assert.match(screen, wanted);
        };
        try {
          await shows(/127\.0\.0\.1:\d+> /);
          child.stdin.write(`SET ${key} `);
          // The hint comes from COMMAND DOCS.
          await shows(/value \[NX\|XX\|IFVERSION/);
          child.stdin.write("typed\r");
          await shows(/\bOK\b/);
          child.stdin.write(`GET ${key}\r`);
          await shows(/"typed"/);
          child.stdin.write("HELP SET\r");
          await shows(/summary:\S* Sets a record/);
          child.stdin.write("QUIT\r");
          await once(child, "close");
        } finally {
          child.kill("SIGKILL");
        }
        assert.equal(child.exitCode, 0, screen);
      },
    );
  });

  test(
    "redis-benchmark sets and gets, alone and in pipelines",
    { skip: missing("redis-benchmark") },
    async () => {
      for (const pipeline of ["1", "16"]) {
        const args = [
          "-p",
          String(server.port),
          "-n",
          "5000",
          "-c",
          "20",
          "-P",
          pipeline,
          "-r",
          "1000",
        ];
        const set = ["SET", "00000000-0000-4000-8000-__rand_int__", "x".repeat(128)];
        const get = ["GET", "00000000-0000-4000-8000-__rand_int__"];
        for (const command of [set, get]) {
          const done = await runTool("redis-benchmark", [...args, "--csv", ...command]);
          assert.equal(done.code, 0, done.stderr);
          assert.match(done.stdout, /"\d+\.\d+"/);
          assert.doesNotMatch(done.stdout + done.stderr, /error/i);
        }
      }
      // By the names of the tests; their keys are no UUIDs, so that every write is refused, and said so.
      const named = await runTool("redis-benchmark", [
        "-p",
        String(server.port),
        "-t",
        "set",
        "-n",
        "10",
        "-q",
      ]);
      assert.match(named.stdout + named.stderr, /BADKEY Key is not a proper UUID4/);
    },
  );

  test("nc gets one line for each request", { skip: missing("nc") }, async () => {
    const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";
    const value = `'{"name": "Chapayev's Mustache comb"}'`;
    assert.equal((await nc(`SET 12345 ${value}\n`)).stdout, "Error: Key is not a proper UUID4\n");
    assert.equal((await nc(`SET ${key} ${value}\n`)).stdout, "Created (1 replicas)\n");
    assert.equal((await nc(`GET ${key}\n`)).stdout, `${value}\n`);
    assert.equal(
      (await nc(`DELETE ${key}\nGET ${key}\n`)).stdout,
      "Deleted (1 replicas)\nNot found\n",
    );
    assert.match(
      (await nc("HEARTBEAT\n")).stdout,
      /^\{"cluster":"Truba".*"warning":"cluster size \(1\)/,
    );
    assert.equal((await nc("POST / HTTP/1.1\r\nHost: x\r\n\r\n")).stdout, "");
  });

  test(
    "ten thousand connections are served within bounded memory (P8)",
    {
      skip: openFilesMax() < 11_000 ? "this process may not have 11,000 open files" : false,
      timeout: 120_000,
    },
    async (context) => {
      const residentBefore = server.residentBytes();
      const count = 10_000;
      const clients = [];
      for (let i = 0; i < count; i += 500) {
        clients.push(...(await Promise.all(Array.from({ length: 500 }, () => server.connect()))));
      }
      try {
        // Each has something half sent, so that each holds memory.
        const key = keyOf(7);
        for (const client of clients)
          client.sendRaw(`*3\r\n$3\r\nSET\r\n$36\r\n${key}\r\n$1000\r\n${"x".repeat(500)}`);
        using watcher = await server.connect();
        await wait(500);
        assert.equal(textOf(await watcher.call("PING")), "PONG");
        const info = textOf(await watcher.call("INFO", "clients"));
        const connected = Number(/connected_clients:(\d+)/.exec(info)?.[1]);
        assert.ok(connected > count, info);
        const each = (server.residentBytes() - residentBefore) / count;
        context.diagnostic(`${Math.round(each)} bytes a connection`);
        assert.ok(each < 40_000, `a connection takes ${Math.round(each)} bytes`);
        for (const client of clients) client.sendRaw(`${"x".repeat(500)}\r\n`);
        const record = fieldsOf(await untilFound(watcher, key));
        assert.equal(textOf(record.get("value") ?? null).length, 1_000);
      } finally {
        for (const client of clients) client.close();
      }
    },
  );
});

/** Files that this process, and so each that it starts, may have open. */
function openFilesMax(): number {
  const said = spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).stdout.trim();
  return said === "unlimited" ? Infinity : Number(said);
}

function setRequest(i: number): string {
  return `*3\r\n${bulk("SET")}${bulk(keyOf(i))}${bulk("v")}`;
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

async function untilFound(client: Awaited<ReturnType<ServerProcess["connect"]>>, key: string) {
  for (let i = 0; i < 100; i++) {
    const record = await client.call("RECORD.GET", key);
    if (textOf(fieldsOf(record).get("status") ?? null) === "found") return record;
    await wait(50);
  }
  throw new Error(`${key} did not come`);
}
