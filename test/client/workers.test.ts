/** Workers: a handler for each task, in process, over RESP and over HTTP. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { z } from "zod";
import { TrubaError } from "../../src/base/errors.ts";
import { queue } from "../../src/client/definitions.ts";
import { fresh, until, ways, type World, world } from "./ways.ts";

const numbers = queue("numbers", { schema: z.number(), lease: "10s" });
const quick = { first: "1ms", max: "5ms" } as const;

for (const way of ways) {
  suite(`a worker, ${way}`, () => {
    let here: World;
    before(async () => {
      here = await world(way);
    });
    after(() => here[Symbol.asyncDispose]());

    test("acknowledges what its handler returns from, and never runs more than its concurrency", async () => {
      const jobs = here.db.queue(fresh(numbers));
      await jobs.create();
      for (let i = 0; i < 50; i++) await jobs.push(i);
      const done = new Set<number>();
      let running = 0;
      let most = 0;
      await using worker = jobs.work({ concurrency: 5 }, async (task) => {
        most = Math.max(most, ++running);
        assert.ok(worker.inHand <= 5);
        await new Promise((resolve) => setTimeout(resolve, 1));
        done.add(task.value);
        running--;
      });
      await until(() => done.size === 50, "all are done");
      await worker.stop();
      assert.equal(most, 5);
      assert.deepEqual(await jobs.count(), { waiting: 0, delayed: 0, leased: 0, dead: 0 });
    });

    test("gives back what its handler throws at, with back-off, until it succeeds or is dead", async () => {
      const jobs = here.db.queue(fresh(queue("failing", { schema: z.number(), maxDeliveries: 3 })));
      await jobs.create();
      await jobs.push(1);
      await jobs.push(2);
      const tries: [number, number][] = [];
      const errors: string[] = [];
      const worker = jobs.work(
        { backoff: quick, onError: (error) => void errors.push((error as Error).message) },
        (task) => {
          tries.push([task.value, task.deliveries]);
          if (task.value === 1 || task.deliveries < 2) throw new Error(`no ${task.value}`);
        },
      );
      await until(async () => (await jobs.count()).dead === 1, "one is dead");
      await until(async () => (await jobs.count()).waiting === 0, "the other is done");
      await worker.stop();
      assert.deepEqual(
        tries.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]),
        [
          [1, 1],
          [1, 2],
          [1, 3],
          [2, 1],
          [2, 2],
        ],
      );
      assert.deepEqual(errors.toSorted(), ["no 1", "no 1", "no 1", "no 2"]);
    });

    test("a handler over its time has its signal aborted, and its task goes back", async () => {
      const jobs = here.db.queue(fresh(numbers));
      await jobs.create();
      await jobs.push(1);
      const reasons: unknown[] = [];
      const deliveries: number[] = [];
      await using worker = jobs.work(
        { timeout: "30ms", backoff: quick },
        async (task, { signal }) => {
          deliveries.push(task.deliveries);
          if (task.deliveries > 1) return;
          await new Promise<void>((resolve) => {
            signal.addEventListener("abort", () => {
              reasons.push(signal.reason);
              resolve();
            });
          });
        },
      );
      await until(async () => {
        const { waiting, delayed, leased } = await jobs.count();
        return waiting + delayed + leased === 0;
      }, "the second try has succeeded");
      assert.deepEqual([deliveries, reasons.length], [[1, 2], 1]);
      assert.match(String(reasons[0]), /TimeoutError: the handler took longer than 30 ms/);
      await worker.stop();
    });

    test("stop finishes what is in hand and gives back what was fetched ahead", async () => {
      const jobs = here.db.queue(fresh(numbers));
      await jobs.create();
      for (let i = 0; i < 10; i++) await jobs.push(i);
      const begun: number[] = [];
      const finished: number[] = [];
      const worker = jobs.work({ concurrency: 2, prefetch: 6 }, async (task) => {
        begun.push(task.value);
        await new Promise((resolve) => setTimeout(resolve, 40));
        finished.push(task.value);
      });
      await until(() => begun.length === 2, "two have begun");
      await worker.stop();
      assert.deepEqual(
        [begun, finished],
        [
          [0, 1],
          [0, 1],
        ],
      );
      assert.deepEqual(await jobs.count(), { waiting: 8, delayed: 0, leased: 0, dead: 0 });
      const ahead = await jobs.peek({ count: 8 });
      assert.ok(
        ahead.every(({ deliveries }) => deliveries === 0),
        "and uncounted",
      );
    });

    test("a task that does not fit the schema never reaches the handler, and dies by its deliveries", async () => {
      const definition = fresh(queue("strict", { schema: z.number(), maxDeliveries: 2 }));
      const jobs = here.db.queue(definition);
      await jobs.create();
      await here.db.queue(definition.name).push("no number");
      let calls = 0;
      const errors: unknown[] = [];
      await using worker = jobs.work(
        { backoff: quick, onError: (error) => void errors.push(error) },
        () => void calls++,
      );
      await until(async () => (await jobs.count()).dead === 1, "it is dead");
      assert.equal(calls, 0);
      assert.ok(errors.every((error) => error instanceof TrubaError && error.code === "BADVALUE"));
      await worker.stop();
    });

    test("a handler that settles its task itself is left to it", async () => {
      const jobs = here.db.queue(fresh(numbers));
      await jobs.create();
      await jobs.push(1);
      await using worker = jobs.work({}, async (task) => task.nack({ delay: "1h" }));
      await until(async () => (await jobs.count()).delayed === 1, "it was put off");
      await worker.stop();
    });

    test("a worker on a queue that is not there ends, with the reason", async () => {
      const worker = here.db.queue("missing").work({}, () => {});
      await assert.rejects(worker.finished(), /NOQUEUE|there is no queue|missing/);
      await assert.rejects(worker.stop());
    });
  });
}
