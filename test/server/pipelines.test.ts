/** Pipelines: answers in order, however the bytes arrive, in one write for a turn. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { limits } from "../../src/base/limits.ts";
import { TestServer, type Wire, keyOf, request } from "./test-server.ts";

function bulk(found: string | undefined): string {
  return found === undefined ? "$-1\r\n" : `$${found.length}\r\n${found}\r\n`;
}

/** What Redis would answer to the requests of one connection, done one by one. */
class Model {
  readonly #records = new Map<string, string>();

  answer([name = "", ...keys]: readonly string[]): string {
    const [key = "", value = ""] = keys;
    switch (name) {
      case "SET":
        this.#records.set(key, value);
        return "+OK\r\n";
      case "GET":
        return bulk(this.#records.get(key));
      case "DEL":
        return `:${keys.filter((each) => this.#records.delete(each)).length}\r\n`;
      case "EXISTS":
        return `:${keys.filter((each) => this.#records.has(each)).length}\r\n`;
      case "MGET":
        return `*${keys.length}\r\n${keys.map((each) => bulk(this.#records.get(each))).join("")}`;
      case "DBSIZE":
        return `:${this.#records.size}\r\n`;
      case "PING":
        return "+PONG\r\n";
      default:
        throw new Error(`the model has no ${name}`);
    }
  }
}

function randomRequest(random: SeededRandom): readonly string[] {
  const key = (): string => keyOf(randomBelow(random, 6));
  switch (randomBelow(random, 8)) {
    case 0:
    case 1:
    case 2:
      return ["SET", key(), `value-${random.u32()}`];
    case 3:
      return ["GET", key()];
    case 4:
      return randomBelow(random, 2) === 0 ? ["DEL", key()] : ["DEL", key(), key()];
    case 5:
      return randomBelow(random, 2) === 0 ? ["EXISTS", key()] : ["EXISTS", key(), key()];
    case 6:
      return ["MGET", key(), key(), key()];
    default:
      return [randomBelow(random, 2) === 0 ? "DBSIZE" : "PING"];
  }
}

/** Sends text in random pieces, sometimes letting the node work between them. */
async function sendCut(
  server: TestServer,
  wire: Wire,
  text: string,
  random: SeededRandom,
): Promise<void> {
  for (let at = 0; at < text.length;) {
    const length = 1 + randomBelow(random, 200);
    wire.send(text.slice(at, at + length));
    at += length;
    if (randomBelow(random, 4) === 0) await server.clock.settle();
  }
  await server.clock.settle();
}

suite("pipelines", () => {
  test("a connection sees its requests done in their order, on any number of partitions", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new SeededRandom(seed);
      const server = await TestServer.start({ partitions: 1 + randomBelow(random, 8), seed });
      const wire = server.connect();
      const model = new Model();
      const requests = Array.from({ length: 120 }, () => randomRequest(random));
      const wanted = requests.map((each) => model.answer(each)).join("");
      const text = requests.map((each) => request(...each)).join("");
      if (seed % 2 === 0) wire.send(text);
      await sendCut(server, wire, seed % 2 === 0 ? "" : text, random);
      assert.equal(wire.take(), wanted, `seed ${seed}`);
      await server.stop();
    }
  });

  test("of lines, too", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new SeededRandom(seed);
      const server = await TestServer.start({ partitions: 4, seed });
      const wire = server.connect();
      const records = new Map<string, string>();
      let lines = "";
      let wanted = "";
      for (let i = 0; i < 100; i++) {
        const key = keyOf(randomBelow(random, 4));
        const found = records.get(key);
        const verb = randomBelow(random, 3);
        if (verb === 0) {
          lines += `SET ${key} value ${i}\n`;
          wanted += `${found === undefined ? "Created" : "Updated"} (1 replicas)\n`;
          records.set(key, `value ${i}`);
        } else if (verb === 1) {
          lines += `GET ${key}\n`;
          wanted += `${found ?? "Not found"}\n`;
        } else {
          lines += `DELETE ${key}\n`;
          wanted += records.delete(key) ? "Deleted (1 replicas)\n" : "Not found\n";
        }
      }
      wire.send(lines);
      await server.clock.settle();
      assert.equal(wire.take(), wanted, `seed ${seed}`);
      await server.stop();
    }
  });

  test("a pipeline of writes is answered in one write, and so is one of reads", async () => {
    const server = await TestServer.start({ partitions: 16 });
    const wire = server.connect();
    const keys = Array.from({ length: 500 }, (_, i) => keyOf(i));
    wire.send(keys.map((key) => request("SET", key, "value")).join(""));
    await server.clock.settle();
    assert.deepEqual(wire.writes.splice(0), ["+OK\r\n".repeat(500)]);
    wire.send(keys.map((key) => request("GET", key)).join(""));
    await server.clock.settle();
    assert.deepEqual(wire.writes.splice(0), ["$5\r\nvalue\r\n".repeat(500)]);
    const mixed = keys.map((key) => request("SET", key, "x") + request("GET", key)).join("");
    wire.send(mixed);
    await server.clock.settle();
    assert.deepEqual(wire.writes.splice(0), ["+OK\r\n$1\r\nx\r\n".repeat(500)]);
    await server.stop();
  });

  test("cut in two at any byte, a pipeline is answered alike", async () => {
    const server = await TestServer.start();
    const pipeline = [
      request("SET", keyOf(1), "a\r\nb"),
      request("GET", keyOf(1)),
      request("MULTI"),
      request("SET", keyOf(2), "x"),
      request("GET", keyOf(2)),
      request("EXEC"),
      "PING\r\n",
      request("DEL", keyOf(1), keyOf(2)),
      request("NONSENSE"),
    ].join("");
    const wanted =
      "+OK\r\n$4\r\na\r\nb\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\nx\r\n+PONG\r\n:2\r\n" +
      '-ERR unknown command "NONSENSE"\r\n';
    for (let cut = 0; cut <= pipeline.length; cut++) {
      const wire = server.connect();
      wire.send(pipeline.slice(0, cut));
      await server.clock.settle();
      wire.send(pipeline.slice(cut));
      await server.clock.settle();
      assert.equal(wire.take(), wanted, `cut at ${cut}`);
      wire.hangUp();
    }
    await server.stop();
  });

  test("more requests than may wait: the connection is paused meanwhile, and all are answered (P8)", async () => {
    const server = await TestServer.start({ partitions: 16 });
    const wire = server.connect();
    const count = limits.connectionPendingMaxCount + 1_000;
    const one = request("SET", keyOf(1), "x");
    wire.send(one.repeat(count));
    assert.equal(wire.paused, true);
    await server.clock.settle();
    assert.equal(wire.take(), "+OK\r\n".repeat(count));
    assert.equal(wire.paused, false);
    await server.stop();
  });

  test("a client that shuts its side after its last request gets all answers, then the end", async () => {
    const server = await TestServer.start({ partitions: 16, network: "simulated" });
    const { clock, network } = server;
    const count = limits.connectionPendingMaxCount * 2 + 5;
    const connection = await clock.drive(network.connect({ host: "127.0.0.1", port: 8765 }));
    let received = 0;
    const state = { closed: false };
    const closed = new Promise<void>((resolve) => {
      connection.bind({
        data: (chunk) => {
          received += chunk.length;
        },
        drained() {},
        ended: () => connection.end(),
        closed: () => {
          state.closed = true;
          resolve();
        },
      });
    });
    connection.writeText(`PING\nSET ${keyOf(1)} x\n${`GET ${keyOf(1)}\n`.repeat(count)}`);
    connection.end();
    await clock.drive(closed);
    assert.equal(received, "PONG\nCreated (1 replicas)\n".length + 2 * count);
    await server.stop();
  });
});
