/** The commands beside serve, against real nodes and the files that they leave: status, log dump, log verify, bench. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { promisify } from "node:util";
import { must } from "../../src/base/assert.ts";
import { keyOf, textOf } from "./fixtures/client.ts";
import { fingerprint, StoppedNode } from "./fixtures/log-damage.ts";
import { main, notBuilt, run, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";

const flags = ["--partitions", "2", "--wal-segment-bytes", "16777216", "--name", "the-node"];

suite("truba status", { skip: notBuilt }, () => {
  const directory = new TemporaryDirectory();
  let server: ServerProcess | undefined;
  before(async () => {
    server = await ServerProcess.start({ data: join(directory.path, "data"), flags });
    using client = await server.connect();
    for (let number = 0; number < 7; number++)
      assert.equal(textOf(await client.call("SET", keyOf(number), "value")), "OK");
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  test("prints a short table for people, with the warning of the heartbeat", async () => {
    const { code, stdout, stderr } = await run(["status", "--address", must(server).address]);
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split("\n");
    const shown = new Map(lines.map((line) => [line.split(" ", 1)[0], line]));
    assert.match(shown.get("Node") ?? "", /the-node of cluster Truba/);
    assert.match(shown.get("Condition") ?? "", /serving/);
    assert.match(shown.get("Role") ?? "", /leader of 2 partitions/);
    assert.match(shown.get("Records") ?? "", /\b7$/);
    assert.match(shown.get("Connections") ?? "", /1 of at most/);
    assert.match(shown.get("Log") ?? "", /MiB on disk, segments: 1 in use/);
    assert.match(shown.get("Memory") ?? "", /MiB of the process/);
    assert.match(
      shown.get("Warning") ?? "",
      /cluster size \(1\) is smaller than a replication factor \(3\)!/,
    );
    assert.ok(lines.length <= 15);
  });

  test("prints one line of JSON with --json", async () => {
    const { code, stdout } = await run(["status", "--json", "--address", must(server).address]);
    assert.equal(code, 0);
    assert.equal(stdout.trimEnd().split("\n").length, 1);
    const status = JSON.parse(stdout);
    assert.equal(status.info.truba_node, "the-node");
    assert.equal(status.info.truba_records, 7);
    assert.equal(status.heartbeat.replicationFactor, 3);
    assert.equal(status.heartbeat.nodes[0].role, "leader");
    assert.equal(status.partitions.length, 2);
    const numbers = status.partitions.map(({ number }: { number: number }) => number);
    assert.equal(numbers[0] + numbers[1], 7);
    for (const { digest } of status.partitions) assert.match(digest, /^[0-9a-f]{8}$/);
  });

  test("says that nothing answers, and where, with exit code 1", async () => {
    const unused = createServer().listen(0, "127.0.0.1");
    await once(unused, "listening");
    const port = portOf(unused.address());
    unused.close();
    const { code, stdout, stderr } = await run(["status", "--address", `127.0.0.1:${port}`]);
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      new RegExp(`^truba: no node answers at 127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`),
    );
  });

  const strangers: readonly { title: string; serve: (socket: Socket) => void; says: RegExp }[] = [
    {
      title: "a web server",
      serve: (socket) => socket.on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
      says: /does not speak RESP/,
    },
    {
      title: "a server that hangs up",
      serve: (socket) => socket.on("data", () => socket.end()),
      says: /closed the connection/,
    },
    {
      title: "a server that knows none of this",
      serve: (socket) =>
        socket.on("data", () => socket.write("-ERR unknown command\r\n".repeat(3))),
      says: /answers INFO with "ERR unknown command": it is no node/,
    },
    {
      title: "a server that never answers",
      serve: (socket) => socket.resume(),
      says: /no answer within 5 s/,
    },
  ];
  for (const { title, serve, says } of strangers) {
    test(`says what is wrong with ${title}, with exit code 1`, async () => {
      const stranger = createServer((socket) => serve(socket.on("error", () => {})));
      stranger.listen(0, "127.0.0.1");
      await once(stranger, "listening");
      try {
        const address = `127.0.0.1:${portOf(stranger.address())}`;
        const { code, stderr } = await run(["status", "--address", address]);
        assert.equal(code, 1, stderr);
        assert.match(stderr, says);
      } finally {
        stranger.close();
      }
    });
  }

  test("refuses what is no address, with exit code 2", async () => {
    const { code, stderr } = await run(["status", "--address", "nowhere"]);
    assert.equal(code, 2);
    assert.match(stderr, /--address is "nowhere"; it must be HOST:PORT/);
  });
});

suite("truba bench", { skip: notBuilt }, () => {
  test("measures SET, GET and both, in a table and as JSON", async () => {
    using directory = new TemporaryDirectory();
    await using server = await ServerProcess.start({ data: join(directory.path, "data"), flags });
    const small = ["-n", "2000", "-c", "8", "-P", "4", "-k", "100", "--address", server.address];
    const table = await run(["bench", ...small, "-t", "set,get,mixed"]);
    assert.equal(table.code, 0, table.stderr);
    const lines = table.stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /p50 ms +p99 ms +p99\.9 ms +max ms/);
    assert.deepEqual(
      lines.slice(1).map((line) => line.split(" ", 1)[0]),
      ["set", "get", "mixed"],
    );

    const { code, stdout } = await run(["bench", ...small, "--json"]);
    assert.equal(code, 0);
    const { results } = JSON.parse(stdout);
    assert.equal(results.length, 2);
    for (const result of results) {
      assert.equal(result.requests, 2_000);
      assert.deepEqual(result.errors, {});
      assert.ok(result.p50Ms > 0);
      assert.ok(result.p50Ms <= result.p99Ms);
      assert.ok(result.p999Ms <= result.maxMs);
    }
    using client = await server.connect();
    assert.equal(await client.call("DBSIZE"), 100);
  });

  test("refuses numbers out of range, all at once, with exit code 2", async () => {
    const wrong = ["-c", "0", "-P", "many", "-n", "-5", "-s", "99999999", "-t", "set,fly"];
    const { code, stderr } = await run(["bench", ...wrong]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /--connections is "0"; it must be a whole number from 1 to /);
    assert.match(stderr, /--pipeline is "many"/);
    assert.match(stderr, /--value-bytes is "99999999"/);
    assert.match(stderr, /--test has "fly"; it must be some of set, get, mixed/);
  });

  test("says when no node is there, and when it goes away, with exit code 1", async () => {
    using directory = new TemporaryDirectory();
    const server = await ServerProcess.start({ data: join(directory.path, "data"), flags });
    const load = run(["bench", "-n", "100000000", "--address", server.address]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await server.end("SIGKILL");
    const gone = await load;
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, new RegExp(`truba: ${server.address}: .*closed`));
    const none = await run(["bench", "--address", server.address]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /ECONNREFUSED/);
  });
});

suite("truba log", { skip: notBuilt }, () => {
  const directory = new TemporaryDirectory();
  const data = join(directory.path, "data");
  before(async () => {
    await using server = await ServerProcess.start({ data, flags });
    using client = await server.connect();
    for (let number = 0; number < 20; number++)
      await client.call("SET", keyOf(number), "value", "REQUEST", `request-${number}`);
    await client.call("DEL", keyOf(3));
    for (const words of [
      ["MULTI"],
      ["SET", `{t}${keyOf(1)}`, "a"],
      ["GET", `{t}${keyOf(2)}`],
      ["EXEC"],
    ])
      await client.call(...words);
    const running = await run(["log", "verify", "--data", data]);
    assert.match(running.stderr, /warning: a node is using .*data/);
    await server.end("SIGTERM");
  });
  after(() => directory[Symbol.dispose]());

  test("dump prints segments, batches, records and the operations in them, and changes nothing", async () => {
    const unchanged = fingerprint(data);
    const { code, stdout, stderr } = await run(["log", "dump", "--data", data]);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    assert.match(stdout, /^0000000000000001\.wal {2}segment 1, 16777216 bytes/);
    // The terms and votes of all groups, then the entries with which their terms begin, then the first operation.
    assert.match(stdout, /\n {2}batch 2 at \d+: \d+ bytes, 2 records\n {4}hard state/);
    assert.match(stdout, /\n {2}batch 3 at \d+: \d+ bytes, 2 records\n {4}entry: .* 0 bytes at/);
    assert.match(stdout, /\n {2}batch 4 at \d+: \d+ bytes, 1 records\n/);
    assert.match(stdout, /\n {4}hard state: group 1, index \d+, term 1, 8 bytes at \d+\n/);
    assert.match(stdout, /writer \d+, sequence 1, 20\d\d-\S+Z, seed \d+, 1 operations\n/);
    for (let number = 0; number < 20; number++)
      assert.ok(stdout.includes(`recordSet ${keyOf(number)} (request request-${number})\n`));
    assert.ok(stdout.includes(`recordDelete ${keyOf(3)}\n`));
    assert.ok(stdout.includes(`group [recordSet {t}${keyOf(1)}, recordGet {t}${keyOf(2)}]\n`));
    assert.match(stdout, /\nend {2}.*end of the log: after batch \d+ \(row 2\)\n$/);
    assert.equal(fingerprint(data), unchanged);
  });

  test("dump --json prints one object per line", async () => {
    const { stdout } = await run(["log", "dump", "--json", "--data", data]);
    const lines: { type: string; operations?: { key?: string; requestId?: string }[] }[] = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(lines[0]?.type, "segment");
    assert.equal(lines.at(-1)?.type, "finding");
    const operations = lines.flatMap((line) => line.operations ?? []);
    assert.ok(
      operations.some(({ key, requestId }) => key === keyOf(5) && requestId === "request-5"),
    );
  });

  test(
    "dump stops quietly when its reader does",
    { skip: process.platform === "win32" },
    async () => {
      const command = `"${process.execPath}" "${main}" log dump --data "${data}" | head -n 1`;
      const { stdout, stderr } = await promisify(execFile)("sh", ["-c", command]);
      assert.equal(stdout.split("\n").length, 2);
      assert.equal(stderr, "");
    },
  );

  test("verify finds nothing in a whole directory, and says how much it has looked at", async () => {
    const unchanged = fingerprint(data);
    const { code, stdout } = await run(["log", "verify", "--data", data]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /Log +1 segments, \d+ batches, \d+ records/);
    assert.match(stdout, /Nothing is damaged\.\n$/);
    assert.equal(fingerprint(data), unchanged);
  });

  test("verify tells all damage at once: in the log and in every partition, and what is lost", async () => {
    using place = new TemporaryDirectory();
    const copy = join(place.path, "data");
    fs.cpSync(data, copy, { recursive: true });
    await using server = await ServerProcess.start({ data: copy, flags });
    using client = await server.connect();
    assert.equal(textOf(await client.call("SAVE")), "OK");
    await server.end("SIGTERM");
    const node = new StoppedNode(copy);
    node.flipLog(node.middle, must(node.middle.records[0]).offset + 70);
    const [first = "", second = ""] = node.checkpoints(/\.run$/);
    node.flip(first, 40);
    fs.unlinkSync(second);
    const { code, stdout } = await run(["log", "verify", "--json", "--data", copy]);
    assert.equal(code, 1);
    const { damage } = JSON.parse(stdout);
    const texts = damage.map(({ text }: { text: string }) => text).sort();
    assert.equal(texts.length, 3, stdout);
    assert.match(texts.join("\n"), /row 7\)/);
    assert.ok(texts.some((text: string) => text.startsWith(`${first}: block 0 at offset 32`)));
    assert.ok(texts.some((text: string) => text.startsWith(`${second}: the run file is missing`)));
    for (const { lost } of damage) assert.match(lost, /rows: records|from there on/);
    const people = await run(["log", "verify", "--data", copy]);
    assert.equal(people.stdout.match(/^DAMAGED: /gm)?.length, 3);
  });

  test("says when there is no node, with exit code 1", async () => {
    using place = new TemporaryDirectory();
    for (const [path, says] of [
      [join(place.path, "none"), /there is no data directory/],
      [place.path, /holds no node/],
    ] as const) {
      const { code, stderr } = await run(["log", "verify", "--data", path]);
      assert.equal(code, 1);
      assert.match(stderr, says);
    }
  });
});

function portOf(address: ReturnType<ReturnType<typeof createServer>["address"]>): number {
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}
