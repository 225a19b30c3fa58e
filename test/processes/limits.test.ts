/** Bad input to a real node (P8): a clear error or a closed connection, never a crash, never a half effect, memory bounded. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { must } from "../../src/base/assert.ts";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { encodeRequest } from "../../src/protocol/resp-request-writer.ts";
import { digestsOf, keyOf, textOf } from "./fixtures/client.ts";
import { eventually } from "./fixtures/eventually.ts";
import { notBuilt, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";

const mebibyte = 1_048_576;

suite("bad input", { skip: notBuilt }, () => {
  const directory = new TemporaryDirectory();
  let started: ServerProcess | undefined;
  let digests: readonly string[] = [];
  const server = (): ServerProcess => must(started);
  before(async () => {
    started = await ServerProcess.start({
      data: join(directory.path, "data"),
      flags: ["--partitions", "4", "--wal-segment-bytes", "16777216"],
    });
    using client = await started.connect();
    for (let i = 0; i < 10; i++) await client.call("SET", keyOf(i), `value ${i}`);
    digests = await digestsOf(client);
  });
  after(async () => {
    const ended = await server().end("SIGTERM");
    assert.equal(ended.code, 0, ended.stderr);
    directory[Symbol.dispose]();
  });

  /** The node answers, and nothing it holds has changed. */
  async function mustBeUntouched(): Promise<void> {
    using client = await server().connect();
    assert.equal(textOf(await client.call("PING")), "PONG");
    assert.deepEqual(await digestsOf(client), digests, "an effect of bad input");
  }

  const set = `*3\r\n$3\r\nSET\r\n$36\r\n${keyOf(1)}\r\n$4\r\nevil\r\n`;
  for (const [title, request] of [
    [
      "POST with commands in its body",
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n${set}`,
    ],
    ["GET", `GET / HTTP/1.1\r\nHost: localhost:8765\r\n\r\nSET ${keyOf(1)} evil\r\n`],
    ["any method with a Host header", `PUT /x HTTP/1.1\r\nHost: x\r\n\r\nSET ${keyOf(1)} evil\r\n`],
    ["GET with the commands in its path", `GET /${keyOf(1)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ] as const) {
    test(`an HTTP request (${title}) closes the connection without effect`, async () => {
      const answer = await exchange(server().port, request);
      assert.equal(answer.includes("+OK"), false, answer);
      await mustBeUntouched();
    });
  }

  test("half requests and hang-ups have no effect, and nobody waits for them", async () => {
    const whole = Buffer.from(set);
    const cuts = Array.from({ length: whole.length - 1 }, (_, i) => i + 1);
    await Promise.all(
      cuts.map(async (cut) => {
        const socket = await open(server().port);
        socket.write(whole.subarray(0, cut));
        await sleep(20);
        if (cut % 2 === 0) socket.destroy();
        else socket.end();
        await closed(socket);
      }),
    );
    await mustBeUntouched();
  });

  test("a group without its EXEC has no effect", async () => {
    const answer = await exchange(server().port, `*1\r\n$5\r\nMULTI\r\n${set}`, { end: true });
    assert.match(answer, /\+OK\r\n\+QUEUED\r\n/);
    await mustBeUntouched();
  });

  test("oversized: a value, a bulk, a line, a list of arguments: refused by name, or closed", async () => {
    const value = Buffer.alloc(mebibyte + 1, "x");
    const key = keyOf(1);
    using client = await server().connect();
    assert.match(
      textOf(await client.call("SET", key, value)),
      /^-TOOLARGE the value is 1048577 bytes/,
    );
    assert.equal(textOf(await client.call("PING")), "PONG");
    for (const bytes of [
      encodeRequest(["DEL", ...Array.from({ length: 10_000 }, () => key)]),
      "*3\r\n$3\r\nSET\r\n$99999999999\r\n",
      "*99999999999\r\n",
      "*-5\r\n$3\r\nSET\r\n",
      "*3\r\n$3\r\nSET\r\n$-7\r\n",
      `*2\r\n${"*1\r\n".repeat(100_000)}`,
      `SET ${key} ${"x".repeat(2 * mebibyte)}\n`,
      "x".repeat(3 * mebibyte),
    ]) {
      const answer = await exchange(server().port, bytes, { end: true });
      assert.match(answer, /^(-(ERR|TOOLARGE) |Error: |$)/, String(bytes).slice(0, 40));
    }
    await mustBeUntouched();
  });

  test("garbage on 3,000 connections, and commands with bytes changed: the node goes on, in bounded time and memory", async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed);
    const begunMs = performance.now();
    for (let round = 0; round < 60; round++) {
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const socket = await open(server().port);
          socket.resume();
          socket.end(garbage(random));
          await closed(socket);
        }),
      );
    }
    assert.ok(performance.now() - begunMs < 60_000, "bounded time");
    assert.ok(server().residentBytes() < 600 * mebibyte, `${server().residentBytes()} bytes`);
    await mustBeUntouched();
  });
});

/** Bytes drawn from a seed: noise, or reads whose bytes are changed here and there. Nothing that could be a write. */
function garbage(random: SeededRandom): Buffer {
  const bytes = Buffer.alloc(1 + randomBelow(random, 4_096));
  for (let i = 0; i < bytes.length; i++) bytes[i] = randomBelow(random, 256);
  if (randomBelow(random, 3) === 0) return bytes;
  const requests = Array.from({ length: 1 + randomBelow(random, 20) }, () => {
    const key = keyOf(randomBelow(random, 20));
    // One letter changed, and a GET is a SET: but one without a value.
    const read = must(["GET", "EXISTS", "RECORD.GET", "TTL"][randomBelow(random, 4)]);
    const other = must(["SCAN", "CLIENT", "HELLO", "MULTI", "INFO"][randomBelow(random, 5)]);
    const words = randomBelow(random, 2) === 0 ? [read, key] : [other, key, bytes.subarray(0, 20)];
    return encodeRequest(words);
  });
  const text = Buffer.concat(requests);
  for (let i = randomBelow(random, 8); i > 0; i--)
    text[randomBelow(random, text.length)] = randomBelow(random, 256);
  return text.subarray(0, randomBelow(random, text.length + 1));
}

suite("slow clients", { skip: notBuilt }, () => {
  test("one that does not read its answers holds up nobody and little memory; it gets them when it reads", async () => {
    using directory = new TemporaryDirectory();
    await using server = await ServerProcess.start({ data: join(directory.path, "data") });
    using client = await server.connect();
    const value = Buffer.alloc(mebibyte, "v");
    assert.equal(textOf(await client.call("SET", keyOf(1), value)), "OK");
    const restingBytes = server.residentBytes();
    const lazy = await open(server.port);
    lazy.pause();
    const asked = 1_000;
    lazy.write(
      Buffer.concat(Array.from({ length: asked }, () => encodeRequest(["GET", keyOf(1)]))),
    );
    await sleep(500);
    const started = performance.now();
    for (let i = 0; i < 50; i++) assert.equal(textOf(await client.call("PING")), "PONG");
    assert.ok(performance.now() - started < 2_000, "others are served");
    const grown = server.residentBytes() - restingBytes;
    assert.ok(grown < 256 * mebibyte, `${grown} bytes more, for ${asked} answers of 1 MiB`);

    let received = 0;
    lazy.on("data", (chunk: Buffer) => (received += chunk.length));
    lazy.on("close", () => (received = -1));
    lazy.resume();
    const wanted = asked * (mebibyte + "$1048576\r\n\r\n".length);
    await eventually(
      () => received === wanted || received < 0,
      () => `${received} of ${wanted} bytes`,
    );
    assert.equal(received, wanted, "closed although it reads");
    lazy.destroy();
  });

  test("one that sends byte by byte is answered, and others meanwhile", async () => {
    using directory = new TemporaryDirectory();
    await using server = await ServerProcess.start({ data: join(directory.path, "data") });
    const slow = await open(server.port);
    let answer = "";
    slow.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    using client = await server.connect();
    for (const byte of encodeRequest(["SET", keyOf(1), "slow"])) {
      slow.write(Buffer.of(byte));
      assert.equal(textOf(await client.call("PING")), "PONG");
    }
    await eventually(
      () => answer !== "",
      () => "no answer",
    );
    assert.equal(answer, "+OK\r\n");
    slow.destroy();
  });
});

const connectionsCount = 10_000;

/** Why so many connections cannot be opened here, or false. Node raises its soft limit to the hard one. */
function tooFewFiles(): string | false {
  if (process.platform !== "linux") return "the limit of open files is read from /proc";
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(
    readFileSync("/proc/self/limits", "latin1"),
  )?.[1];
  if (limit === "unlimited" || Number(limit) >= connectionsCount + 500) return false;
  return `at most ${limit} open files; 10,000 connections need more (ulimit -n)`;
}

suite("10,000 connections", { skip: notBuilt === false ? tooFewFiles() : notBuilt }, () => {
  test("are served at one time, each in turn, in bounded memory", async (t) => {
    using directory = new TemporaryDirectory();
    await using server = await ServerProcess.start({ data: join(directory.path, "data") });
    const restingBytes = server.residentBytes();
    const sockets: Socket[] = [];
    try {
      while (sockets.length < connectionsCount) {
        const more = Array.from({ length: 250 }, () => open(server.port));
        sockets.push(...(await Promise.all(more)));
      }
      const answered = sockets.map(async (socket, number) => {
        socket.write(encodeRequest(["SET", keyOf(number), String(number)]));
        const [chunk] = await once(socket, "data");
        assert.equal(String(chunk), "+OK\r\n");
      });
      await Promise.all(answered);
      const grown = server.residentBytes() - restingBytes;
      t.diagnostic(`${Math.round(grown / connectionsCount)} bytes for each connection`);
      assert.ok(grown < 400 * mebibyte, `${grown} bytes for ${connectionsCount} connections`);
      using client = await server.connect();
      assert.equal(await client.call("DBSIZE"), connectionsCount);
      const started = performance.now();
      assert.equal(textOf(await client.call("PING")), "PONG");
      assert.ok(performance.now() - started < 1_000);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    const ended = await server.end("SIGTERM");
    assert.equal(ended.code, 0, ended.stderr);
  });
});

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, "close", { signal: AbortSignal.timeout(20_000) });
}

/** Sends, and gives all that comes back until the server closes. `end`: shuts the sending side first. */
async function exchange(
  port: number,
  bytes: string | Buffer,
  { end = false } = {},
): Promise<string> {
  const socket = await open(port);
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
  if (end) socket.end(bytes);
  else socket.write(bytes);
  await closed(socket);
  return answer;
}
