/** Errors of the real file system under a running node, by a preloaded shim (P1, P7, P8; DESIGN §5, §12). */
import assert from "node:assert/strict";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { digestsOf, keyOf, Lost, textOf } from "./fixtures/client.ts";
import type { Client } from "./fixtures/client.ts";
import { eventually } from "./fixtures/eventually.ts";
import { FaultShim, noShim } from "./fixtures/fault-shim.ts";
import type { Fault } from "./fixtures/fault-shim.ts";
import { notBuilt, run, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";

const skip = notBuilt === false ? noShim : notBuilt;
const flags = ["--wal-segment-bytes", "16777216", "--partitions", "4"];

/** A directory with the shim compiled, and nodes on one data directory in it. */
class Place implements Disposable {
  readonly #directory = new TemporaryDirectory();
  readonly data = join(this.#directory.path, "data");
  readonly shim = new FaultShim(this.#directory.path);

  start({ faults = true } = {}): Promise<ServerProcess> {
    const environment = faults ? this.shim.environment : {};
    return ServerProcess.start({ data: this.data, flags, environment });
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** Sets new keys one after the other until one is not acknowledged; gives those that were, and that one's answer. */
async function writeUntilRefused(client: Client, from: number, valueBytes: number) {
  const acknowledged: string[] = [];
  for (let number = from; number < from + 100_000; number++) {
    const key = keyOf(number);
    const answer = await answerOf(client, "SET", key, value(key, valueBytes));
    if (answer !== "OK") return { acknowledged, answer };
    acknowledged.push(key);
  }
  throw new Error("100,000 writes and no fault");
}

async function answerOf(client: Client, ...words: string[]): Promise<string> {
  try {
    return textOf(await client.call(...words));
  } catch (error) {
    if (error instanceof Lost) return "lost";
    throw error;
  }
}

function value(key: string, bytes: number): string {
  return `value of ${key} `.padEnd(bytes, ".");
}

/** Every key has its value. */
async function mustHold(client: Client, keys: readonly string[], bytes: number): Promise<void> {
  const values = await Promise.all(client.pipeline(keys.map((key) => ["GET", key])));
  for (const [at, key] of keys.entries())
    assert.equal(textOf(values[at] ?? null), value(key, bytes), `${key} was acknowledged (P1)`);
}

/** Every 16th write of a load on several connections is larger, so that segments fill. */
async function writeMany(server: ServerProcess, count: number, bytes: number) {
  const acknowledged: string[] = [];
  const refused = new Map<string, number>();
  await Promise.all(
    Array.from({ length: 4 }, async (_, lane) => {
      using client = await server.connect();
      for (let i = 0; i < count / 4 && !client.closed; i += 16) {
        const keys = Array.from({ length: 16 }, (__, at) => keyOf(1_000_000 * (lane + 1) + i + at));
        const commands = keys.map((key) => ["SET", key, value(key, bytes)]);
        const answers = await Promise.allSettled(client.pipeline(commands));
        for (const [at, answer] of answers.entries()) {
          const text = answer.status === "fulfilled" ? textOf(answer.value) : "lost";
          if (text === "OK") acknowledged.push(keys[at] ?? "");
          else {
            const code = text.split(" ", 1)[0] ?? "";
            refused.set(code, (refused.get(code) ?? 0) + 1);
          }
        }
      }
    }),
  );
  return { acknowledged, refused };
}

interface FatalCase {
  readonly title: string;
  readonly fault: Fault;
  readonly bytes: number;
}

const fatal: readonly FatalCase[] = [
  {
    title: "EIO on the 1st fdatasync of the log",
    fault: { call: "fdatasync", times: 1, fault: "EIO", part: ".wal" },
    bytes: 100,
  },
  {
    title: "EIO on the 40th fdatasync of the log",
    fault: { call: "fdatasync", skip: 39, times: 1, fault: "EIO", part: ".wal" },
    bytes: 100,
  },
  {
    title: "EIO on a write to the log",
    fault: { call: "pwrite", skip: 20, times: 1, fault: "EIO", part: ".wal" },
    bytes: 1_000,
  },
  {
    title: "ENOSPC on a write into the log, whose bytes were there before",
    fault: { call: "pwrite", skip: 5, times: 1, fault: "ENOSPC", part: ".wal" },
    bytes: 100,
  },
  {
    title: "EIO on fsync of the log's directory, when a segment gets its name",
    fault: { call: "fsync", times: 1, fault: "EIO", part: "/wal" },
    bytes: 1_000_000,
  },
  {
    title: "EIO when a segment is renamed",
    fault: { call: "rename", times: 1, fault: "EIO", part: ".wal" },
    bytes: 1_000_000,
  },
];

suite("a disk that fails (P7)", { skip }, () => {
  for (const { title, fault, bytes } of fatal) {
    test(`${title}: nothing is acknowledged any more, exit code 70, and a restart finds what was`, async () => {
      using place = new Place();
      await using server = await place.start();
      using client = await server.connect();
      const before = await writeUntil(client, 10, bytes);
      place.shim.set([fault]);
      const { acknowledged, answer } = await writeUntilRefused(client, 1_000, bytes);
      assert.match(answer, /^(-(UNKNOWNOUTCOME|STOPPED) |lost$)/);
      assert.equal(place.shim.done.length, 1, place.shim.done.join());
      for (let i = 0; i < 3; i++)
        assert.match(await answerOf(client, "SET", keyOf(7), "late"), /^(-STOPPED |lost$)/);
      const ended = await server.ended;
      assert.equal(ended.code, 70, ended.stderr);
      assert.match(ended.stderr, /emergency stop: .*(EIO|ENOSPC)/);

      await using again = await place.start({ faults: false });
      using reader = await again.connect();
      await mustHold(reader, [...before, ...acknowledged], bytes);
      assert.equal(await reader.call("EXISTS", keyOf(7)), 0);
      const stopped = await again.end("SIGTERM");
      assert.equal(stopped.code, 0, stopped.stderr);
      assert.equal((await run(["log", "verify", "--data", place.data])).code, 0);
    });
  }

  test("with many clients in flight: no connection gets an OK behind its first error", async () => {
    using place = new Place();
    await using server = await place.start();
    const clients = await Promise.all(Array.from({ length: 8 }, () => server.connect()));
    place.shim.set([{ call: "fdatasync", skip: 60, times: 1, fault: "EIO", part: ".wal" }]);
    const acknowledged: string[] = [];
    await Promise.all(
      clients.map(async (client, lane) => {
        for (let i = 0, failed = false; !failed; i += 32) {
          const keys = Array.from({ length: 32 }, (_, at) => keyOf(100_000 * (lane + 1) + i + at));
          const commands = keys.map((key) => ["SET", key, value(key, 200)]);
          const answers = await Promise.allSettled(client.pipeline(commands));
          for (const [at, answer] of answers.entries()) {
            const ok = answer.status === "fulfilled" && textOf(answer.value) === "OK";
            assert.ok(!ok || !failed, "an OK behind an error");
            if (ok) acknowledged.push(keys[at] ?? "");
            else failed = true;
          }
        }
      }),
    );
    assert.equal((await server.ended).code, 70);
    await using again = await place.start({ faults: false });
    using reader = await again.connect();
    await mustHold(reader, acknowledged, 200);
  });

  test("EIO while it starts: no node, no exit code 0, and the next start is as if nothing had been", async () => {
    using place = new Place();
    const first = await place.start();
    using client = await first.connect();
    const keys = await writeUntil(client, 20, 100);
    await first.end("SIGKILL");
    place.shim.set([{ call: "fdatasync", times: 1, fault: "EIO", part: ".wal" }]);
    await assert.rejects(place.start(), /ended with 1 before it was ready:[^]*EIO/);
    await using again = await place.start({ faults: false });
    using reader = await again.connect();
    await mustHold(reader, keys, 100);
  });

  test("EIO on what a checkpoint writes: the node goes on, the log keeps what the checkpoint lacks", async () => {
    using place = new Place();
    const server = await place.start();
    place.shim.set([{ call: "fdatasync", fault: "EIO", part: "/partitions/" }]);
    const { acknowledged, refused } = await writeMany(server, 2_400, 16_384);
    assert.deepEqual([...refused], []);
    assert.ok(
      place.shim.done.length > 0,
      "the log went on to another segment, so a checkpoint was tried",
    );
    using client = await server.connect();
    assert.match(textOf(await client.call("SAVE")), /^-ERR /);
    await server.end("SIGKILL");
    await using again = await place.start({ faults: false });
    using reader = await again.connect();
    await mustHold(reader, acknowledged, 16_384);
    assert.equal(textOf(await reader.call("SAVE")), "OK");
  });
});

async function writeUntil(client: Client, count: number, bytes: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, number) => keyOf(900_000_000 + number));
  for (const key of keys) assert.equal(await answerOf(client, "SET", key, value(key, bytes)), "OK");
  return keys;
}

suite("a disk that is full (P8)", { skip }, () => {
  const cases: readonly { title: string; faults: readonly Fault[] }[] = [
    {
      title: "ENOSPC on everything that is new",
      faults: ["/wal/spare-", ".run", "manifest.new"].map((part) => ({
        call: "pwrite",
        fault: "ENOSPC",
        part,
      })),
    },
    { title: "no space left by statfs", faults: [{ call: "statfs", fault: "full", part: "wal" }] },
  ];
  for (const { title, faults } of cases) {
    test(`${title}: writes get DISKFULL and when to come back, reads go on, writes resume`, async () => {
      using place = new Place();
      await using server = await place.start();
      using client = await server.connect();
      place.shim.set(faults);
      const { acknowledged, answer } = await writeUntilRefused(client, 1_000, 16_384);
      assert.match(answer, /^-DISKFULL .*retry after \d+ ms/);
      await sleep(1_200);
      assert.match(await answerOf(client, "SET", keyOf(1), "x"), /^-DISKFULL /);
      await mustHold(client, acknowledged, 16_384);
      const status = await run(["status", "--address", server.address]);
      assert.match(status.stdout, /Condition +disk full/);

      place.shim.set([]);
      await eventually(
        async () => (await answerOf(client, "SET", keyOf(1), "x")) === "OK",
        () => "writes do not resume",
        10_000,
      );
      await server.end("SIGTERM");
      await using again = await place.start({ faults: false });
      using reader = await again.connect();
      await mustHold(reader, acknowledged, 16_384);
      assert.equal(textOf(await reader.call("GET", keyOf(1))), "x");
    });
  }

  test("at the first start: refused with DISKFULL and exit code 1", async () => {
    using place = new Place();
    place.shim.set([{ call: "pwrite", fault: "ENOSPC", part: "/wal/spare-" }]);
    await assert.rejects(place.start(), /ended with 1 before it was ready:[^]*DISKFULL/);
    place.shim.set([]);
    await using again = await place.start();
    assert.equal((await again.end("SIGTERM")).code, 0);
  });
});

suite("a system that writes less than it was asked to", { skip }, () => {
  test("half of every write: all bytes get there all the same, in log, runs and manifests", async () => {
    using place = new Place();
    const server = await place.start();
    place.shim.set([{ call: "pwrite", fault: "short", part: "/data/" }]);
    const { acknowledged, refused } = await writeMany(server, 800, 2_000);
    assert.deepEqual([...refused], []);
    using client = await server.connect();
    assert.equal(textOf(await client.call("SAVE")), "OK");
    const more = await writeUntil(client, 50, 2_000);
    const digests = await digestsOf(client);
    assert.ok(place.shim.done.length > 100, `${place.shim.done.length} short writes`);
    await server.end("SIGKILL");
    await using again = await place.start({ faults: false });
    using reader = await again.connect();
    assert.deepEqual(await digestsOf(reader), digests);
    await mustHold(reader, [...acknowledged, ...more], 2_000);
  });
});
