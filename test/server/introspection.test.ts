/** What the node tells about itself is true. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { CommandIndex } from "../../src/server/command-index.ts";
import { commandTable } from "../../src/server/command-table.ts";
import { readUsage } from "../../src/server/command-usage.ts";
import { TestServer, type Wire, keyOf, request } from "./test-server.ts";

async function info(
  server: TestServer,
  wire: Wire,
  ...sections: readonly string[]
): Promise<Map<string, string>> {
  const answer = await server.exchange(wire, request("INFO", ...sections));
  const lines = answer.split("\r\n").slice(1);
  return new Map(
    lines
      .filter((line) => line.includes(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
}

suite("INFO", () => {
  test("has what clients and tools for Redis look for", async () => {
    const server = await TestServer.start();
    const found = await info(server, server.connect());
    const wanted: Readonly<Record<string, string>> = {
      redis_version: "7.2.4",
      truba_version: "0.1.0",
      redis_mode: "cluster",
      loading: "0",
      role: "master",
      cluster_enabled: "1",
      maxmemory_policy: "noeviction",
      connected_clients: "1",
      aof_enabled: "1",
      process_id: String(process.pid),
    };
    for (const [name, value] of Object.entries(wanted)) assert.equal(found.get(name), value, name);
    for (const [name, value] of found) assert.notEqual(value, "undefined", name);
    await server.stop();
  });

  test("counts what happens", async () => {
    const server = await TestServer.start();
    const wire = server.connect();
    for (let i = 0; i < 10; i++) wire.send(request("SET", keyOf(i), "value", "REQUEST", `id-${i}`));
    await server.clock.settle();
    await server.exchange(wire, request("NONSENSE"));
    server.connect().send(request("PING"));
    let found = await info(server, wire);
    assert.equal(found.get("connected_clients"), "2");
    assert.equal(found.get("total_connections_received"), "2");
    assert.equal(found.get("total_commands_processed"), "13");
    assert.equal(found.get("total_error_replies"), "1");
    assert.equal(found.get("db0"), "keys=10");
    assert.equal(found.get("truba_records"), "10");
    assert.equal(found.get("truba_request_ids"), "10");
    assert.equal(found.get("truba_pipeline_operations"), "0");
    assert.equal(found.get("truba_checkpoint_changed_rows"), "20");
    assert.ok(Number(found.get("truba_log_bytes")) > 0);
    assert.ok(Number(found.get("used_memory")) > 1_000_000);
    assert.equal(await server.exchange(wire, request("SAVE")), "+OK\r\n");
    found = await info(server, wire, "truba");
    assert.equal(found.get("truba_checkpoint_changed_rows"), "0");
    assert.ok(Number(found.get("truba_checkpoint_bytes")) > 0);
    assert.equal(found.has("redis_version"), false);
    await server.stop();
  });

  test("tells how late the event loop was since it was last asked", async () => {
    const server = await TestServer.start();
    const wire = server.connect();
    await info(server, wire, "truba");
    await new Promise((resolve) => setTimeout(resolve, 30));
    const end = performance.now() + 60;
    while (performance.now() < end);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const found = await info(server, wire, "truba");
    assert.ok(
      Number(found.get("truba_event_loop_delay_max_ms")) >= 40,
      String(found.get("truba_event_loop_delay_max_ms")),
    );
    await server.stop();
  });
});

suite("TRUBA.DIGEST", () => {
  test("is the same after a restart, and another after a change (P5)", async () => {
    const server = await TestServer.start({ partitions: 3 });
    /** Partition, number and digest: what a restart must not change. A new leader's own entry moves the position. */
    const digests = async (): Promise<readonly string[]> => {
      const answer = await server.exchange(server.connect(), request("TRUBA.DIGEST"));
      assert.match(answer, /^\*3\r\n(\*4\r\n:[0-2]\r\n:\d+\r\n:\d+\r\n:\d+\r\n){3}$/);
      return answer
        .split("*4\r\n")
        .slice(1)
        .map((partition) => partition.split("\r\n").toSpliced(1, 1).join(""));
    };
    const before = await digests();
    const wire = server.connect();
    for (let i = 0; i < 50; i++) wire.send(request("SET", keyOf(i), `value ${i}`));
    await server.clock.settle();
    wire.take();
    const changed = await digests();
    assert.notDeepEqual(changed, before);
    await server.restart();
    assert.deepEqual(await digests(), changed);
    await server.stop();
  });
});

suite("the command table", () => {
  const table = commandTable();

  test("is well formed: names, usage lines, arity and keys agree", () => {
    assert.equal(new CommandIndex(table).byName("get")?.name, "GET");
    for (const { name, arity, usage, keys, keyCountAt, help, subcommands = [] } of table) {
      assert.match(name, /^[A-Z][A-Z0-9._]*$/);
      assert.ok(help.endsWith("."), name);
      const required = readUsage(usage).filter(({ optional }) => !optional).length;
      assert.ok(Math.abs(arity) >= 1 + Math.min(required, 1), name);
      if (arity > 0) assert.equal(arity, 1 + required, name);
      const [first, last, step] = keys;
      assert.equal(first === 0, step === 0, name);
      if (last > 0) assert.ok(first <= last, name);
      // Of a function the number of keys may be 0.
      if (first > 0) assert.ok((keyCountAt ?? first) < Math.abs(arity), name);
      for (const each of subcommands) {
        const needed = readUsage(each.usage).filter(({ optional }) => !optional);
        if (each.arity > 0 && needed.every(({ type }) => type === "string")) {
          assert.equal(each.arity, 2 + needed.length, `${name} ${each.name}`);
        }
      }
    }
  });

  test("every command answers something to no arguments and to too many, and none ends the node", async () => {
    const server = await TestServer.start();
    for (const { name, subcommands = [] } of table) {
      const calls = [[name], [name, ...Array<string>(20).fill("x")]];
      for (const each of subcommands) calls.push([name, each.name], [name, each.name, "x", "x"]);
      for (const call of calls) {
        const wire = server.connect();
        const answer = await server.exchange(wire, request(...call));
        assert.notEqual(answer, "", call.join(" "));
        wire.hangUp();
      }
    }
    assert.equal(server.node.condition, "serving");
    await server.stop();
  });

  test("a usage line becomes the argument tree of COMMAND DOCS", () => {
    const leaf = { optional: false, multiple: false };
    assert.deepEqual(readUsage("key value [NX | XX | IFVERSION version] [REQUEST id]"), [
      { ...leaf, name: "key", type: "key" },
      { ...leaf, name: "value", type: "string" },
      {
        ...leaf,
        name: "alternative",
        type: "oneof",
        optional: true,
        arguments: [
          { ...leaf, name: "nx", type: "pure-token", token: "NX" },
          { ...leaf, name: "xx", type: "pure-token", token: "XX" },
          { ...leaf, name: "version", type: "string", token: "IFVERSION" },
        ],
      },
      { ...leaf, name: "id", type: "string", token: "REQUEST", optional: true },
    ]);
    assert.deepEqual(readUsage("key [key ...]"), [
      { ...leaf, name: "key", type: "key", multiple: true },
    ]);
    assert.throws(() => readUsage("[key"), /no \] for its \[/);
  });
});
