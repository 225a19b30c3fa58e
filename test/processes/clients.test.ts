/** Clients that people have, as they are, against a real node: ioredis and node-redis of two generations each, alone and in their cluster modes (DESIGN §11, §13). */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { Redis as Redis6 } from "ioredis6";
import { keyOf, textOf } from "./fixtures/client.ts";
import { notBuilt, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";
import { clients, errors, fieldOf } from "./fixtures/redis-clients.ts";

suite("clients of Redis", { skip: notBuilt }, () => {
  let directory: TemporaryDirectory;
  let server: ServerProcess;

  before(async () => {
    directory = new TemporaryDirectory();
    server = await ServerProcess.start({ data: join(directory.path, "data") });
  });

  after(async () => {
    await server[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  let next = 1;
  for (const [name, connect] of Object.entries(clients)) {
    test(`${name} connects, writes, reads, deletes, groups and scans`, async () => {
      errors.length = 0;
      const client = await connect(server.port);
      const key = keyOf(next++);
      const [first, second] = [`{t}${keyOf(next++)}`, `{t}${keyOf(next++)}`] as const;
      assert.equal(await client.set(key, "wörld \r\n $6"), "OK");
      assert.equal(await client.get(key), "wörld \r\n $6");
      assert.equal(await client.get(keyOf(999_999)), null);
      assert.deepEqual(await client.group([first, second]), ["OK", "OK", "1"]);
      const many = Array.from({ length: 500 }, (_, i) => `{${i}}${key}`);
      await Promise.all(many.map((each, i) => client.set(each, String(i))));
      const values = await Promise.all(many.map((each) => client.get(each)));
      assert.deepEqual(
        values,
        many.map((_, i) => String(i)),
      );
      assert.equal(await client.send(first, ["DEL", first, second]), 2);
      const called = await client.send(key, ["FCALL", "record.set", "1", key, "other"]);
      assert.equal(fieldOf(called, "status"), "updated");
      assert.ok(Number(fieldOf(called, "version")) > 0);
      await assert.rejects(client.set("12345", "x"), /BADKEY Key is not a proper UUID4/);
      assert.equal(await client.get(key), "other");
      await client.close();
      assert.deepEqual(errors, []);
    });

    test(`${name}: a repeat with the same request id answers the same and is not applied`, async () => {
      const client = await connect(server.port);
      const key = keyOf(next++);
      const set = ["SET", key, "first", "NX", "REQUEST", `${name.replaceAll(" ", "-")}-${key}`];
      assert.equal(await client.send(key, set), "OK");
      assert.equal(await client.send(key, ["SET", key, "second"]), "OK");
      assert.equal(await client.send(key, set), "OK");
      assert.equal(await client.get(key), "second");
      await client.close();
    });
  }

  test("a client whose connection was lost re-sends by itself; with a request id nothing happens twice (P3)", async () => {
    const key = keyOf(next++);
    const client = new Redis6({
      port: server.port,
      lazyConnect: true,
      retryStrategy: () => 1,
      maxRetriesPerRequest: null,
      connectionName: "victim",
    });
    let reconnects = 0;
    client.on("error", () => {});
    client.on("reconnecting", () => reconnects++);
    await client.connect();
    using killer = await server.connect();
    const answers: Promise<unknown>[] = [];
    for (let i = 0; i < 100; i++) {
      answers.push(client.call("RECORD.SET", key, `${i}`, "REQUEST", `resend-${i}`));
      if (i % 5 !== 0) continue;
      // The write is under way; its connection is closed at about the time of its answer.
      const list = textOf(await killer.call("CLIENT", "LIST"));
      const id = /^id=(\d+) [^\n]*name=victim /m.exec(list)?.[1];
      if (id !== undefined) await killer.call("CLIENT", "KILL", "ID", id);
      await wait(10);
    }
    const versions = (await Promise.all(answers)).map((answer) => fieldOf(answer, "version"));
    assert.ok(reconnects >= 10, `${reconnects} reconnects`);
    assert.equal(new Set(versions).size, 100, "each write has a version of its own");
    assert.equal(await client.get(key), "99");
    const highest = Math.max(...versions.map(Number));
    assert.equal(fieldOf(await client.call("RECORD.GET", key), "version"), highest);
    client.disconnect();
  });

  test("what one client wrote another reads after the node was stopped and started", async () => {
    using own = new TemporaryDirectory();
    const data = join(own.path, "data");
    const key = keyOf(next++);
    const connectIoRedis = clients["ioredis 6"];
    const connectNodeRedis = clients["node-redis 6"];
    assert.ok(connectIoRedis && connectNodeRedis);
    {
      await using first = await ServerProcess.start({ data });
      const client = await connectIoRedis(first.port);
      await client.set(key, "kept");
      await client.close();
      assert.equal((await first.end("SIGTERM")).code, 0);
    }
    await using second = await ServerProcess.start({ data });
    const client = await connectNodeRedis(second.port);
    assert.equal(await client.get(key), "kept");
    await client.close();
  });
});
