/** Bad input and greedy clients (P8): a clear error or a closed connection, nothing half done, bounded memory. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../src/base/limits.ts";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { TestServer, type Wire, keyOf, request } from "./test-server.ts";

const key = keyOf(1);

async function closed(server: TestServer, wire: Wire): Promise<boolean> {
  await server.clock.settle();
  return wire.state !== "open";
}

suite("bad input", () => {
  test("a value of the limit is taken; one byte more is TOOLARGE and changes nothing", async () => {
    const server = await TestServer.start();
    const wire = server.connect();
    const largest = "v".repeat(limits.valueMaxBytes);
    assert.equal(await server.exchange(wire, request("SET", key, largest)), "+OK\r\n");
    assert.equal(
      await server.exchange(wire, request("SET", key, `${largest}v`)),
      "-TOOLARGE the value is 1048577 bytes; the limit is 1048576\r\n",
    );
    assert.equal(await server.exchange(wire, request("STRLEN", key)), ":1048576\r\n");
    await server.stop();
  });

  test("a command that is far too large is skipped, refused, and the next one is answered", async () => {
    const server = await TestServer.start();
    const wire = server.connect();
    const bytes = limits.respArgumentMaxBytes + 1;
    wire.send(`*3\r\n$3\r\nSET\r\n$36\r\n${key}\r\n$${bytes}\r\n`);
    const piece = "x".repeat(65_536);
    for (let sent = 0; sent < bytes; sent += piece.length) {
      wire.send(piece.slice(0, Math.min(piece.length, bytes - sent)));
      assert.ok(server.context.heldBytes < 200_000, `${server.context.heldBytes} bytes are held`);
    }
    const answer = await server.exchange(wire, `\r\n${request("EXISTS", key)}`);
    assert.match(answer, /^-TOOLARGE the command is \d+ bytes; a value may be 1048576\r\n:0\r\n$/);
    await server.stop();
  });

  test("a line that is too long is refused, and the next one is answered", async () => {
    const server = await TestServer.start();
    const wire = server.connect();
    wire.send(`SET ${key} `);
    const piece = "x".repeat(65_536);
    for (let sent = 0; sent < 2 * limits.lineMaxBytes; sent += piece.length) wire.send(piece);
    assert.ok(server.context.heldBytes < 2_500_000, `${server.context.heldBytes} bytes are held`);
    assert.equal(
      await server.exchange(wire, `\nGET ${key}\n`),
      `Error: the line is longer than ${limits.lineMaxBytes} bytes\nNot found\n`,
    );
    await server.stop();
  });

  test("a group is limited in operations and in bytes; over it nothing of it is done", async () => {
    const server = await TestServer.start();
    const wire = server.connect();
    const tagged = `{a}${key}`;
    const set = request("SET", tagged, "x");
    const over = limits.groupMaxOperations + 1;
    let answer = await server.exchange(
      wire,
      request("MULTI") + set.repeat(over) + request("EXEC") + request("EXISTS", tagged),
    );
    assert.match(
      answer,
      /-TOOLARGE the group has more than 1024 operations\r\n-EXECABORT .*\r\n:0\r\n$/,
    );
    const large = request("SET", tagged, "x".repeat(limits.valueMaxBytes));
    answer = await server.exchange(
      wire,
      request("MULTI") + large.repeat(5) + request("EXEC") + request("EXISTS", tagged),
    );
    assert.match(
      answer,
      /-TOOLARGE the group is more than 4194304 bytes\r\n.*-EXECABORT .*\r\n:0\r\n$/s,
    );
    await server.stop();
  });

  test("a request that is half there when the client goes is not done", async () => {
    const server = await TestServer.start();
    const set = request("SET", key, "x");
    for (let cut = 1; cut < set.length; cut++) {
      const wire = server.connect();
      wire.send(set.slice(0, cut));
      wire.shut();
      assert.equal(await closed(server, wire), true, `cut at ${cut}`);
      assert.equal(wire.take(), "");
      wire.hangUp();
    }
    const line = server.connect();
    line.send(`SET ${key} x`);
    line.shut();
    await server.clock.settle();
    line.hangUp();
    assert.equal(await server.exchange(server.connect(), `GET ${key}\n`), "Not found\n");
    assert.equal(server.context.heldBytes, 0);
    await server.stop();
  });

  test("no bytes whatever end the node", async () => {
    const server = await TestServer.start();
    const grammar = [
      request("SET", key, "value"),
      request("GET", key),
      request("MULTI"),
      request("EXEC"),
      request("HELLO", "3"),
      request("SCAN", "0"),
      request("CLIENT", "LIST"),
      request("COMMAND", "DOCS"),
      request("RESET"),
      "*2\r\n",
      "$-1\r\n",
      "\r\n",
      `SET ${key} x\n`,
      "REQUEST x GET\n",
      "INFO\r\n",
      "PEER 1 ",
      "GET /",
      "*1\r\n$99999999999\r\n",
    ];
    for (let seed = 1; seed <= 400; seed++) {
      const random = new SeededRandom(seed);
      const wire = server.connect();
      let text = "";
      for (let i = randomBelow(random, 12); i >= 0; i--) {
        text += grammar[randomBelow(random, grammar.length)] ?? "";
        if (randomBelow(random, 3) > 0) continue;
        const at = randomBelow(random, text.length + 1);
        const byte = String.fromCharCode(randomBelow(random, 256));
        text = text.slice(0, at) + byte + text.slice(at + randomBelow(random, 3));
      }
      for (let at = 0; at < text.length;) {
        const length = 1 + randomBelow(random, 64);
        wire.send(text.slice(at, at + length));
        at += length;
      }
      await server.clock.settle();
      wire.hangUp();
      assert.equal(server.node.condition, "serving", `seed ${seed}`);
    }
    assert.equal(await server.exchange(server.connect(), request("PING")), "+PONG\r\n");
    assert.equal(server.context.heldBytes, 0);
    assert.equal(server.context.sessions.size, 1);
    await server.stop();
  });
});

suite("slow and greedy clients (P8)", () => {
  test("a request must arrive whole in time; an idle connection may wait for ever", async () => {
    const server = await TestServer.start();
    const { clock } = server;
    const [idle, half, firstBytes, line, drip] = [1, 2, 3, 4, 5].map(() => server.connect());
    assert.ok(idle && half && firstBytes && line && drip);
    assert.equal(await server.exchange(idle, request("PING")), "+PONG\r\n");
    await clock.advanceSettled(300_000);
    half.send("*2\r\n$3\r\nGET\r\n");
    firstBytes.send("GE");
    line.send(`SET ${key} x`);
    drip.send("*2\r\n$3\r\nGET\r\n$36\r\n");
    for (let second = 0; second < 55; second++) {
      await clock.advanceSettled(1_000);
      if (second % 10 === 0) drip.send("0");
    }
    for (const wire of [idle, half, firstBytes, line, drip]) assert.equal(wire.state, "open");
    await clock.advanceSettled(11_000);
    for (const wire of [half, firstBytes, line, drip]) assert.equal(wire.state, "destroyed");
    assert.equal(await server.exchange(idle, request("PING")), "+PONG\r\n");
    assert.equal(server.port.connections, 1);
    await server.stop();
  });

  test("a client that does not take its answers is not read, and goes on where it was", async () => {
    const server = await TestServer.start();
    const wire = server.connect();
    const value = "v".repeat(100_000);
    await server.exchange(wire, request("SET", key, value));
    wire.stalled = true;
    const count = 200;
    wire.send(request("GET", key).repeat(count));
    await server.clock.settle();
    assert.equal(wire.paused, true);
    assert.ok(wire.bufferedBytes < 2 * limits.connectionOutputPauseBytes);
    let received = wire.take().length;
    for (let round = 0; round < 40 && received < count * (value.length + 11); round++) {
      wire.takeStalled();
      wire.stalled = true;
      await server.clock.settle();
      assert.ok(wire.bufferedBytes < 2 * limits.connectionOutputPauseBytes);
      received += wire.take().length;
    }
    assert.equal(received, count * (value.length + 11));
    await server.stop();
  });

  test("reads that wait for a write do not write all their answers at once", async () => {
    const server = await TestServer.start();
    for (const mode of ["resp", "line"] as const) {
      const wire = server.connect();
      const value = "v".repeat(limits.valueMaxBytes - 100);
      const [set, get] =
        mode === "resp"
          ? [request("SET", key, value), request("GET", key)]
          : [`SET ${key} ${value}\n`, `GET ${key}\n`];
      wire.stalled = true;
      wire.send(set + get.repeat(300));
      await server.clock.settle();
      assert.equal(wire.state, "open", mode);
      assert.ok(wire.bufferedBytes < 3 * limits.connectionOutputPauseBytes, mode);
      let received = wire.take().length;
      for (let round = 0; round < 300 && wire.bufferedBytes > 0; round++) {
        wire.takeStalled();
        wire.stalled = true;
        await server.clock.settle();
        assert.ok(wire.bufferedBytes < 3 * limits.connectionOutputPauseBytes, mode);
        received += wire.take().length;
      }
      assert.ok(received > 300 * value.length, mode);
      wire.hangUp();
    }
    await server.stop();
  });

  test("one answer has a limit", async () => {
    const server = await TestServer.start();
    const wire = server.connect();
    await server.exchange(wire, request("SET", key, "v".repeat(limits.valueMaxBytes)));
    const many = (count: number): string => request("MGET", ...Array<string>(count).fill(key));
    assert.equal((await server.exchange(wire, many(32))).length, 32 * (1_048_576 + 12) + 5);
    assert.equal(
      await server.exchange(wire, many(33)),
      "-TOOLARGE the values are 34603008 bytes; one answer may have 33554432\r\n",
    );
    await server.stop();
  });

  test("behind QUIT nothing is kept, and a client that does not close is closed", async () => {
    const server = await TestServer.start();
    for (const quit of [request("QUIT"), "QUIT\n"]) {
      const wire = server.connect();
      await server.exchange(wire, quit);
      assert.equal(wire.state, "ended");
      for (let i = 0; i < 20; i++) wire.send("x".repeat(65_536));
      assert.ok(server.context.heldBytes < 100_000, `${server.context.heldBytes} bytes are held`);
      await server.clock.advanceSettled(limits.requestArrivalMaxMs + 6_000);
      assert.equal(wire.state, "destroyed");
    }
    await server.stop();
  });

  test("over the limit of connections a new one is told so, what it sends is not done, and it is closed", async () => {
    const server = await TestServer.start();
    const wires = Array.from({ length: limits.connectionsMaxCount }, () => server.connect());
    const refused = server.connect();
    assert.match(refused.take(), /^-MAXCONNECTIONS .* the limit is 12000\r\n$/);
    refused.send(request("SET", key, "evil"));
    await server.clock.settle();
    assert.equal(await server.exchange(wires[0] as Wire, request("EXISTS", key)), ":0\r\n");
    await server.clock.advanceSettled(6_000);
    assert.equal(refused.state, "destroyed");
    wires[1]?.hangUp();
    assert.equal(await server.exchange(server.connect(), request("PING")), "+PONG\r\n");
    await server.stop();
  });

  test("what a peer or a browser sends behind its refusal is not done", async () => {
    const server = await TestServer.start();
    for (const first of ["PEER 1 cluster node\n", "POST / HTTP/1.1\r\n"]) {
      const wire = server.connect();
      wire.send(first);
      wire.send(request("SET", key, "evil"));
      await server.clock.settle();
    }
    assert.equal(await server.exchange(server.connect(), request("EXISTS", key)), ":0\r\n");
    await server.stop();
  });

  test("unfinished requests of all connections together have a limit", async () => {
    const server = await TestServer.start();
    const argument = `$1000000\r\n${"x".repeat(1_000_000)}\r\n`;
    const unfinished = `*9\r\n${argument.repeat(7)}`;
    const wires: Wire[] = [];
    while (wires.length < 50 && wires.every(({ state }) => state === "open")) {
      const wire = server.connect();
      wires.push(wire);
      wire.send(unfinished);
      await server.clock.settle();
    }
    assert.ok(wires.length < 50, "nobody was closed");
    assert.equal(wires.filter(({ state }) => state === "destroyed").length, 1);
    assert.ok(server.context.heldBytes <= limits.requestsHeldMaxBytes);
    for (const wire of wires) if (wire.state === "open") wire.hangUp();
    assert.equal(server.context.heldBytes, 0);
    await server.stop();
  });
});
