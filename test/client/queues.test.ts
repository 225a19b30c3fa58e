/** Queues of the library, each promise in process, over RESP and over HTTP. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { z } from "zod";
import { TrubaError } from "../../src/base/errors.ts";
import { queue } from "../../src/client/definitions.ts";
import { fresh, until, ways, type World, world } from "./ways.ts";

const numbers = queue("numbers", { schema: z.number(), lease: "10s" });
const shortLease = queue("short", { schema: z.number(), lease: "150ms", maxDeliveries: 3 });

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TrubaError && error.code === code;
}

for (const way of ways) {
  suite(`a queue, ${way}`, () => {
    let here: World;
    before(async () => {
      here = await world(way);
    });
    after(() => here[Symbol.asyncDispose]());

    test("is made once, with its settings; alter and delete say whether they did anything", async () => {
      const jobs = here.db.queue(
        queue("jobs", {
          priorities: { min: -3, max: 3 },
          order: "highest",
          lease: "5s",
          maxSize: 7,
          maxPayload: 100,
          maxDeliveries: 4,
          deadLetter: true,
          dedupWindow: "1m",
        }),
      );
      assert.equal(await jobs.create(), true);
      assert.equal(await jobs.create(), false);
      await assert.rejects(jobs.create({ ifAbsent: false }), hasCode("QUEUEEXISTS"));
      const stats = await jobs.stats();
      assert.deepEqual(
        [stats.implementation, stats.order, stats.priorityMin, stats.priorityMax],
        ["range", "highest", -3, 3],
      );
      assert.deepEqual([stats.leaseMs, stats.maxSize, stats.maxPayloadBytes], [5_000, 7, 100]);
      assert.deepEqual([stats.deadLetter, stats.dedupMs], ["{jobs}.dead", 60_000]);
      await jobs.alter({ maxSize: null, lease: "7s" });
      assert.deepEqual([(await jobs.stats()).maxSize, (await jobs.stats()).leaseMs], [null, 7_000]);
      const [listed] = await here.db.queues({ after: "job", count: 1 });
      assert.equal(listed?.queue, "jobs");
      assert.equal(await jobs.delete(), true);
      assert.equal(await jobs.delete(), false);
      await assert.rejects(jobs.push("x"), hasCode("NOQUEUE"));
    });

    test("hands tasks out in order, with what is known of them; ack takes them away", async () => {
      const jobs = here.db.queue(queue("ordered", { schema: z.string(), priorities: "any" }));
      await jobs.create();
      const first = await jobs.push("later", { priority: 9_223_372_036_854_775_807n });
      const second = await jobs.push("sooner", { priority: -9_223_372_036_854_775_808n });
      assert.ok(second.task > first.task);
      const task = await jobs.pop();
      assert.ok(task !== undefined);
      assert.deepEqual(
        [task.value, task.task, task.priority, task.deliveries],
        ["sooner", second.task, -9_223_372_036_854_775_808n, 1],
      );
      const age = Date.now() - task.pushedAt.getTime();
      assert.ok(age >= -50 && age < 5_000, `pushed ${age} ms ago`);
      assert.ok(task.leaseEndsAt.getTime() > task.pushedAt.getTime());
      assert.deepEqual(await jobs.count(), { waiting: 1, delayed: 0, leased: 1, dead: 0 });
      await task.ack();
      assert.equal(task.settled, true);
      assert.deepEqual(await jobs.count(), { waiting: 1, delayed: 0, leased: 0, dead: 0 });
      assert.equal((await jobs.pop())?.value, "later");
      assert.equal(await jobs.pop(), undefined);
    });

    test("settling a task twice is refused with the reason", async () => {
      const jobs = here.db.queue("default");
      await jobs.push("x");
      const task = await jobs.pop();
      assert.ok(task !== undefined);
      await task.ack();
      await assert.rejects(task.nack(), /task \d+ of queue "default" was acknowledged before/);
      await assert.rejects(task.ack(), hasCode("LEASELOST"));
    });

    test("nack puts a task back, later if it says so; dispose gives it back uncounted", async () => {
      const jobs = here.db.queue(fresh(numbers));
      await jobs.create();
      await jobs.push(1);
      {
        await using task = await jobs.pop();
        assert.equal(task?.deliveries, 1);
      }
      const again = await jobs.pop();
      assert.equal(again?.deliveries, 1, "what left its scope unsettled was not counted");
      await again?.nack({ delay: "1h" });
      assert.deepEqual(await jobs.count(), { waiting: 0, delayed: 1, leased: 0, dead: 0 });
    });

    test("a pop that waits gets what is pushed meanwhile, and nothing after its time", async () => {
      const jobs = here.db.queue(fresh(numbers));
      await jobs.create();
      const waiting = jobs.pop({ wait: "5s" });
      const alsoWaiting = jobs.pop({ wait: "5s" });
      // The client is not held up by those that wait.
      await jobs.push(1);
      await jobs.push(2);
      const values = [(await waiting)?.value, (await alsoWaiting)?.value];
      assert.deepEqual(
        values.toSorted((a, b) => Number(a) - Number(b)),
        [1, 2],
      );
      assert.equal(await jobs.pop({ wait: "30ms" }), undefined);
      assert.deepEqual(await jobs.count(), { waiting: 0, delayed: 0, leased: 2, dead: 0 });
    });

    test("a pop that is given up loses no task (P4)", async () => {
      const jobs = here.db.queue(fresh(numbers));
      await jobs.create();
      const giveUp = new AbortController();
      const waiting = jobs.pop({ wait: "5s", signal: giveUp.signal });
      await new Promise((resolve) => setTimeout(resolve, 30));
      giveUp.abort(new Error("enough"));
      await assert.rejects(waiting, /enough/);
      await jobs.push(1);
      const task = await jobs.pop({ wait: "5s" });
      assert.deepEqual([task?.value, task?.deliveries], [1, 1]);
    });

    test("consume brings all tasks, never more than prefetch unsettled; leaving the loop gives the rest back", async () => {
      const jobs = here.db.queue(fresh(numbers));
      await jobs.create();
      for (let i = 0; i < 40; i++) await jobs.push(i);
      const seen: number[] = [];
      for await (const task of jobs.consume({ prefetch: 4 })) {
        seen.push(task.value);
        const { leased } = await jobs.count();
        assert.ok(leased <= 4, `${leased} are leased`);
        await task.ack();
        if (seen.length === 30) break;
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 30 }, (_, i) => i),
      );
      await until(async () => (await jobs.count()).waiting === 10, "the rest is back");
      const [next] = await jobs.peek({ count: 1 });
      assert.deepEqual([next?.value, next?.deliveries], [30, 0]);
    });

    test("consume ends quietly with its signal, and with the error that ends the queue", async () => {
      const jobs = here.db.queue(fresh(numbers));
      await jobs.create();
      const stop = new AbortController();
      const ended = (async () => {
        for await (const task of jobs.consume({ signal: stop.signal })) await task.ack();
      })();
      await jobs.push(1);
      await until(async () => (await jobs.count()).waiting === 0, "it is consumed");
      stop.abort();
      await ended;
      const failing = (async () => {
        for await (const task of here.db.queue("missing").consume()) await task.ack();
      })();
      await assert.rejects(failing, hasCode("NOQUEUE"));
    });

    test("dedup: the same id adds nothing; delay and expiry are kept; purge, pause, resume and revive", async () => {
      const jobs = here.db.queue(fresh(shortLease));
      await jobs.create();
      const one = await jobs.push(1, { dedup: "a" });
      assert.deepEqual(await jobs.push(2, { dedup: "a" }), { task: one.task, duplicate: true });
      await jobs.push(3, { delay: "1h" });
      assert.deepEqual(await jobs.count(), { waiting: 1, delayed: 1, leased: 0, dead: 0 });
      assert.equal(await jobs.pause(), true);
      assert.equal(await jobs.pause(), false);
      assert.equal(await jobs.pop(), undefined);
      assert.equal(await jobs.resume(), true);
      for (let i = 0; i < 3; i++) await (await jobs.pop())?.nack();
      assert.deepEqual(await jobs.count(), { waiting: 0, delayed: 1, leased: 0, dead: 1 });
      const dead = await jobs.peek({ state: "dead" });
      assert.deepEqual(
        dead.map(({ value, deliveries }) => [value, deliveries]),
        [[1, 3]],
      );
      assert.equal(await jobs.revive(), 1);
      assert.equal(await jobs.purge(), 2);
      await jobs.push(4, { expiry: "20ms" });
      await until(async () => (await jobs.count()).waiting === 0, "it has expired");
    });

    test("what does not fit the schema is not pushed, and a task that does not fit says so when its value is asked for", async () => {
      const people = here.db.queue(
        queue("people", { schema: z.object({ name: z.string(), tags: z.array(z.string()) }) }),
      );
      await people.create();
      await assert.rejects(
        people.push({ name: "ann", tags: ["a", 7 as unknown as string] }),
        (error) => hasCode("BADVALUE")(error) && /tags\[1\]/.test((error as Error).message),
      );
      await here.db.queue("people").push("no json");
      const task = await people.pop();
      assert.ok(task !== undefined);
      assert.throws(() => task.value, hasCode("BADVALUE"));
      await task.ack();
      assert.equal((await people.count()).leased, 0);
    });

    test("options that are not right are refused with their name and value", async () => {
      const jobs = here.db.queue(fresh(numbers));
      assert.throws(() => jobs.consume({ prefetch: 0 }), /prefetch is 0/);
      assert.throws(() => jobs.work({ concurrency: 1.5 }, () => {}), /concurrency is 1\.5/);
      await assert.rejects(jobs.pop({ wait: "soon" as "1s" }), /wait is "soon"/);
      await assert.rejects(jobs.push(1, { delay: -1 }), /delay is -1/);
    });
  });
}
