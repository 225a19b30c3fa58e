/** The client over connections that break: a whole server and its client in a simulated network, time and randomness from a seed. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { RespChannel } from "../../src/client/resp-channel.ts";
import type { Task } from "../../src/client/task.ts";
import { Truba } from "../../src/client/truba.ts";
import { kindDefaults } from "../../src/machines/sessions/kinds.ts";
import { ClientPort } from "../../src/server/client-port.ts";
import { CommandIndex } from "../../src/server/command-index.ts";
import { commandTable } from "../../src/server/command-table.ts";
import { TestServer } from "../server/test-server.ts";

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TrubaError && error.code === code;
}

interface Pair {
  readonly server: TestServer;
  readonly db: Truba;
  readonly channel: RespChannel;
  readonly random: SeededRandom;
  /** Breaks all connections of the client. */
  readonly cut: () => void;
  readonly end: () => Promise<void>;
}

async function pair(
  seed: number,
  options: { timeout?: number; addresses?: readonly string[] } = {},
): Promise<Pair> {
  const kind = { ...kindDefaults, name: "checkout", number: 1, delayMs: 0, spreadMs: 0 };
  const server = await TestServer.start({ seed, kinds: [kind] });
  const random = new SeededRandom(seed + 1);
  const { clock } = server;
  const port = new ClientPort(server.context, new CommandIndex(commandTable()));
  await clock.drive(port.listen(server.network.host("node"), { host: "node", port: 8_765 }));
  const channel = new RespChannel({
    network: server.network.host("client"),
    clock,
    random,
    addresses: (options.addresses ?? ["node"]).map((host) => ({ host, port: 8_765 })),
  });
  const db = new Truba(channel, { clock, random }, { timeout: options.timeout ?? "10m" });
  return {
    server,
    db,
    channel,
    random,
    cut: () => server.network.cut("client", "node"),
    async end() {
      await clock.drive(db.close(), { maxMs: 60_000 });
      await clock.drive(port.close());
      await server.stop();
    },
  };
}

suite("the client over RESP, when connections break", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    test(`P3 every push takes effect once, however often its connection breaks (seed ${seed})`, async () => {
      const { server, db, random, cut, end } = await pair(seed);
      const { clock } = server;
      const jobs = db.queue("jobs");
      await clock.drive(jobs.create());
      const pushes: Promise<number>[] = [];
      for (let i = 0; i < 200; i++) {
        pushes.push(jobs.push(`task ${i}`).then(({ task }) => task));
        if (chance(random, 0.1)) await clock.advanceSettled(randomBelow(random, 3));
        if (chance(random, 0.05)) cut();
      }
      const tasks = await clock.drive(Promise.all(pushes), { maxMs: 600_000 });
      assert.equal(new Set(tasks).size, 200, `seed ${seed}`);
      const { waiting } = await clock.drive(jobs.count());
      assert.equal(waiting, 200, `seed ${seed}`);
      await end();
    });

    test(`P4 a consumer goes on after every break, and each task is done in the end (seed ${seed})`, async () => {
      const { server, db, random, cut, end } = await pair(seed);
      const { clock } = server;
      const jobs = db.queue("jobs");
      await clock.drive(jobs.create());
      await clock.drive(Promise.all(Array.from({ length: 150 }, (_, i) => jobs.push(`${i}`))));
      const acknowledged = new Map<number, number>();
      const consumed = (async () => {
        for await (const task of jobs.consume({ prefetch: 8 })) {
          try {
            await task.ack();
            acknowledged.set(task.task, (acknowledged.get(task.task) ?? 0) + 1);
          } catch (error) {
            assert.ok(hasCode("LEASELOST")(error), String(error));
          }
          if (acknowledged.size === 150) break;
        }
      })();
      for (let i = 0; i < 4_000 && acknowledged.size < 150; i++) {
        await clock.advanceSettled(randomBelow(random, 20));
        if (chance(random, 0.05)) cut();
      }
      await clock.drive(consumed, { maxMs: 600_000 });
      // An acknowledgement that was answered is final: nobody gets the task again.
      assert.ok(
        [...acknowledged.values()].every((count) => count === 1),
        `seed ${seed}`,
      );
      assert.deepEqual(await clock.drive(jobs.count()), {
        waiting: 0,
        delayed: 0,
        leased: 0,
        dead: 0,
      });
      await end();
    });
  }

  test("what is held when a connection breaks is lost at once: signals abort, and it is delivered again", async () => {
    const { server, db, cut, end } = await pair(9);
    const { clock } = server;
    const jobs = db.queue("jobs");
    await clock.drive(jobs.create());
    await clock.drive(jobs.push("x"));
    const popped: Task<Uint8Array> = must(await clock.drive(jobs.pop()));
    const own = await clock.drive(db.sessions("checkout").new("a"));
    const detached = await clock.drive(db.sessions("checkout").new("b", { detached: true }));
    assert.deepEqual([popped.signal.aborted, own.signal.aborted], [false, false]);
    cut();
    await clock.advanceSettled(100);
    assert.ok(hasCode("LEASELOST")(popped.signal.reason));
    assert.ok(hasCode("FENCED")(own.signal.reason));
    assert.equal(detached.signal.aborted, false);
    await clock.drive(detached.append("c"));
    const again = must(await clock.drive(jobs.pop()));
    assert.equal(again.task, popped.task);
    await assert.rejects(popped.ack(), hasCode("LEASELOST"));
    await assert.rejects(own.append("d"), hasCode("FENCED"));
    await end();
  });

  test("a pop that waits when the connection breaks waits on, and loses nothing", async () => {
    const { server, db, cut, end } = await pair(10);
    const { clock } = server;
    const jobs = db.queue("jobs");
    await clock.drive(jobs.create());
    const waiting = jobs.pop({ wait: "50s" });
    await clock.advanceSettled(1_000);
    cut();
    await clock.advanceSettled(1_000);
    await clock.drive(jobs.push("x"));
    const task = await clock.drive(waiting, { maxMs: 60_000 });
    assert.equal(task?.deliveries, 1);
    await end();
  });

  test("a handler goes on after a break; what it had in hand is fenced and handled again", async () => {
    const { server, db, cut, end } = await pair(11);
    const { clock } = server;
    const seen: number[] = [];
    const fenced: unknown[] = [];
    let release: (() => void) | undefined;
    const handling = db.sessions("checkout").handle({}, async (one, { signal }) => {
      seen.push(one.repeats);
      if (one.repeats > 1) return { delete: true };
      await new Promise<void>((resolve) => {
        release = resolve;
        signal.addEventListener("abort", () => void fenced.push(signal.reason));
      });
      return { delete: true };
    });
    const own = await clock.drive(db.sessions("checkout").new("a"));
    await clock.drive(own.store(0));
    await clock.advanceSettled(5_000);
    assert.deepEqual(seen, [1]);
    cut();
    await clock.advanceSettled(5_000);
    assert.ok(hasCode("FENCED")(fenced[0]));
    release?.();
    await clock.advanceSettled(5_000);
    assert.deepEqual(seen, [1, 2]);
    assert.equal((await clock.drive(db.sessions("checkout").list())).length, 0);
    await clock.drive(handling.stop());
    await end();
  });

  test("P7 without a node in the time it has, what was never sent is NOCONNECTION and what was sent is UNKNOWNOUTCOME", async () => {
    const { server, db, end } = await pair(12, { timeout: 5_000 });
    const { clock, network } = server;
    const jobs = db.queue("jobs");
    await clock.drive(jobs.create());
    // The request arrives, the answer does not.
    network.partitionOneWay("node", "client");
    const sent = assert.rejects(jobs.push("sent"), hasCode("UNKNOWNOUTCOME"));
    await clock.advanceSettled(5);
    network.refuse("node", true);
    await clock.drive(sent, { maxMs: 120_000 });
    const unsent = assert.rejects(jobs.push("unsent"), hasCode("NOCONNECTION"));
    await clock.drive(unsent, { maxMs: 120_000 });
    network.refuse("node", false);
    network.healAll();
    await clock.advanceSettled(5_000);
    assert.deepEqual(
      (await clock.drive(jobs.peek())).map(({ value }) => Buffer.from(value).toString()),
      ["sent"],
    );
    await end();
  });

  test("a node that is silent is left, and its consumers come back when it speaks again", async () => {
    const { server, db, end } = await pair(13);
    const { clock, network } = server;
    const jobs = db.queue("jobs");
    await clock.drive(jobs.create());
    const got: number[] = [];
    const consumer = jobs.consume();
    const consumed = (async () => {
      for await (const task of consumer) {
        got.push(task.task);
        await task.ack();
      }
    })();
    await clock.advanceSettled(1_000);
    network.partition("client", "node");
    await clock.advanceSettled(60_000);
    network.healAll();
    await clock.advanceSettled(20_000);
    await clock.drive(jobs.push("x"));
    await clock.advanceSettled(1_000);
    assert.equal(got.length, 1);
    assert.ok(server.context.counters.connectionsReceived > 1, "over another connection");
    await clock.drive(consumer.return());
    await clock.drive(consumed);
    await end();
  });

  test("the next address is tried when one does not answer", async () => {
    const { server, db, end } = await pair(14, { addresses: ["nobody", "node"] });
    await server.clock.drive(db.queue("default").push("x"));
    await end();
  });

  test("close refuses what comes after it, and leaves no timer behind", async () => {
    const { server, db, end } = await pair(15);
    const { clock } = server;
    await clock.drive(db.queue("default").push("x"));
    const before = clock.timerCount;
    const worker = db.queue("default").work({}, () => new Promise(() => {}));
    await clock.advanceSettled(100);
    assert.equal(worker.inHand, 1);
    await clock.drive(db.close());
    await assert.rejects(db.queue("default").push("y"), hasCode("CLOSED"));
    await assert.rejects(db.queue("default").pop({ wait: "5s" }), hasCode("CLOSED"));
    await clock.advanceSettled(5_000);
    assert.ok(clock.timerCount <= before, `${clock.timerCount} timers, ${before} before`);
    await end();
  });

  test("requests at once share one connection and few writes, and answers come to whom they belong", async () => {
    const { server, db, end } = await pair(16);
    const { clock } = server;
    await clock.drive(db.queue("jobs").create());
    const results = await clock.drive(
      Promise.all([
        ...Array.from({ length: 50 }, (_, i) => db.queue("jobs").push(`${i}`)),
        db.queue("jobs").stats(),
        db
          .queue("none")
          .push("x")
          .catch((error: unknown) => error),
        db.queue("jobs").count(),
      ]),
    );
    const numbers = results.slice(0, 50).map((one) => (one as { task: number }).task);
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    assert.ok(hasCode("NOQUEUE")(results[51]));
    assert.equal((results[52] as { waiting: number }).waiting, 50);
    assert.equal(server.context.counters.connectionsReceived, 1);
    await end();
  });
});
