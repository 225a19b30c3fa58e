import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { suite, test } from "node:test";
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";

import { BareServer, BATCH_HEADER_BYTES, Log } from "../../bench/bare-server.ts";
import { command, ReplyError, RespClient } from "../../bench/resp-client.ts";

const LOG_BYTES = 64 * 1024;

async function withServer(
  body: (client: RespClient, log: () => Buffer, port: number) => Promise<void>,
): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), "truba-bare-"));
  const server = new BareServer(new Log(join(data, "wal"), LOG_BYTES));
  const port = await server.listen(0);
  const client = await RespClient.connect(port);
  try {
    await body(client, () => readFileSync(join(data, "wal")), port);
  } finally {
    client.close();
    await server.close();
    rmSync(data, { recursive: true });
  }
}

/** Sends `text` from a thread of its own, and counts up `seen[0]` when the first answer arrives. */
const OUTSIDE_CLIENT = `
  const { workerData: { port, text, seen } } = require("node:worker_threads");
  const socket = require("node:net").connect(port, "127.0.0.1", () => socket.write(text));
  socket.on("data", () => { Atomics.add(seen, 0, 1); Atomics.notify(seen, 0); socket.end(); });
`;
const COMMIT_DELAY_MS = 150;

/** Holds the commit up and notes whether a client sees an answer meanwhile, before anything is written. */
class WatchedLog extends Log {
  readonly seen = new Int32Array(new SharedArrayBuffer(4));
  early = 0;
  commits = 0;

  override commit(): void {
    if (Atomics.wait(this.seen, 0, 0, COMMIT_DELAY_MS) !== "timed-out") this.early++;
    super.commit();
    this.commits++;
  }
}

/** The commands of all batches in the log, each checksum checked. */
function replay(log: Buffer): string[] {
  const batches: string[] = [];
  for (let at = 0; at + BATCH_HEADER_BYTES <= log.length;) {
    const length = log.readUInt32LE(at);
    if (length === 0) break;
    const body = log.subarray(at + BATCH_HEADER_BYTES, at + BATCH_HEADER_BYTES + length);
    assert.equal(crc32(body), log.readUInt32LE(at + 4));
    assert.equal(Number(log.readBigUInt64LE(at + 8)), batches.length + 1);
    batches.push(body.toString("latin1"));
    at += BATCH_HEADER_BYTES + length;
  }
  return batches;
}

suite("the bare server, the floor of the benchmark", () => {
  test("a pipeline is answered in order, a GET behind its SET too", async () => {
    await withServer(async (client) => {
      const text =
        command("SET", "k", "v\xff\r\n") +
        command("GET", "k") +
        command("PING") +
        command("GET", "none");
      assert.deepEqual(await client.pipeline(text, 4), ["OK", "v\xff\r\n", "PONG", null]);
    });
  });

  test("when a SET is answered its command is in the log, and nothing but the SETs is", async () => {
    await withServer(async (client, log) => {
      const first = command("SET", "a", "1");
      const second = command("set", "b", "2");
      const third = command("SET", "c", "3");
      await client.pipeline(first + second + command("GET", "a") + third, 4);
      assert.deepEqual(replay(log()), [first + second + third]);
      await client.ask("SET", "a", "4");
      assert.deepEqual(replay(log()), [first + second + third, command("SET", "a", "4")]);
    });
  });

  test("no answer to a SET, nor to a GET behind it, leaves before the commit", async () => {
    const data = mkdtempSync(join(tmpdir(), "truba-bare-"));
    const log = new WatchedLog(join(data, "wal"), LOG_BYTES);
    const server = new BareServer(log);
    try {
      const port = await server.listen(0);
      const text = command("SET", "a", "1") + command("GET", "a");
      const worker = new Worker(OUTSIDE_CLIENT, {
        eval: true,
        workerData: { port, text, seen: log.seen },
      });
      await once(worker, "exit");
      assert.equal(log.commits, 1);
      assert.equal(log.early, 0);
      assert.equal(log.seen[0], 1);
    } finally {
      await server.close();
      rmSync(data, { recursive: true });
    }
  });

  test("SETs of several connections that arrive together share one batch", async () => {
    await withServer(async (client, log, port) => {
      const others = await Promise.all(Array.from({ length: 20 }, () => RespClient.connect(port)));
      // A client may count as connected before the server has accepted it; an answer shows that it has.
      await Promise.all(others.map((other) => other.ask("PING")));
      await Promise.all(others.map((other, i) => other.ask("SET", `k${i}`, "v")));
      for (const other of others) other.close();
      assert.equal(await client.ask("GET", "k19"), "v");
      const batches = replay(log());
      assert.equal(batches.join("").split("*3\r\n").length - 1, 20);
      assert.ok(batches.length <= 5, `${batches.length} batches for 20 SETs`);
    });
  });

  test("a command may arrive one byte at a time", async () => {
    await withServer(async (client) => {
      const text = command("SET", "key", "value") + command("GET", "key");
      const replies = client.pipeline(text.slice(0, 1), 2);
      for (const byte of text.slice(1)) {
        await new Promise((resolve) => setImmediate(resolve));
        client.send(byte);
      }
      assert.deepEqual(await replies, ["OK", "value"]);
    });
  });

  test("a full log starts over at its front and the answers stay right", async () => {
    await withServer(async (client, log) => {
      const value = "x".repeat(1000);
      for (let i = 0; i < 200; i++) assert.equal(await client.ask("SET", `k${i}`, value + i), "OK");
      assert.equal(await client.ask("GET", "k0"), `${value}0`);
      assert.equal(await client.ask("GET", "k199"), `${value}199`);
      assert.equal(log().length, LOG_BYTES);
    });
  });

  test("bytes that are no RESP end the connection with an error, after the answers due before them", async () => {
    await withServer(async (client, _log, port) => {
      const replies = await client.pipeline(`${command("SET", "a", "1")}GET / HTTP/1.1\r\n\r\n`, 2);
      assert.equal(replies[0], "OK");
      assert.ok(replies[1] instanceof ReplyError);
      await assert.rejects(client.pipeline("", 1), /closed the connection/);
      const next = await RespClient.connect(port);
      assert.equal(await next.ask("GET", "a"), "1");
      next.close();
    });
  });

  test("CONFIG GET answers what redis-benchmark asks, unknown commands get an error", async () => {
    await withServer(async (client) => {
      assert.deepEqual(await client.ask("CONFIG", "GET", "save"), ["save", ""]);
      assert.ok((await client.ask("FLUSHALL")) instanceof ReplyError);
      assert.ok((await client.ask("SET", "a")) instanceof ReplyError);
    });
  });
});
