/** Records, and atomic groups over records, queues and sessions, in process, over RESP and over HTTP. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, suite, test } from "node:test";
import { z } from "zod";
import { TrubaError } from "../../src/base/errors.ts";
import { queue, records, session } from "../../src/client/definitions.ts";
import { until, ways, type World, world } from "./ways.ts";

const orders = records({ schema: z.object({ total: z.number() }) });
const checkout = session("checkout", { record: z.object({ step: z.string() }) });
const jobs = queue("{order}jobs", { schema: z.string() });

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TrubaError && error.code === code;
}

/** A group was refused by its operation `index`, with `code`. */
function refusedBy(index: number, code: string): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof TrubaError) || error.code !== "EXECABORT") return false;
    const cause = error.cause as { index: number; code: string };
    assert.deepEqual([cause.index, cause.code], [index, code]);
    return true;
  };
}

for (const way of ways) {
  suite(`records and groups, ${way}`, () => {
    let here: World;
    before(async () => {
      here = await world(way, { sessions: [checkout] });
      await here.db.queue(jobs).create();
    });
    after(() => here[Symbol.asyncDispose]());

    test("a record is set, read with its version, and deleted", async () => {
      const all = here.db.records(orders);
      const key = randomUUID();
      assert.equal(await all.get(key), undefined);
      const made = await all.set(key, { total: 1 });
      assert.equal(made.created, true);
      assert.deepEqual(await all.get(key), { value: { total: 1 }, version: made.version });
      const changed = await all.set(key, { total: 2 }, { ifVersion: made.version });
      assert.ok(!changed.created && changed.version > made.version);
      assert.equal(await all.delete(key), true);
      assert.equal(await all.delete(key), false);
    });

    test("a condition that does not hold is an error, and changes nothing", async () => {
      const all = here.db.records(orders);
      const key = randomUUID();
      await assert.rejects(all.set(key, { total: 1 }, { ifPresent: true }), hasCode("NOTFOUND"));
      const { version } = await all.set(key, { total: 1 }, { ifAbsent: true });
      await assert.rejects(all.set(key, { total: 2 }, { ifAbsent: true }), hasCode("EXISTS"));
      await assert.rejects(
        all.set(key, { total: 2 }, { ifVersion: version + 1 }),
        hasCode("VERSIONCONFLICT"),
      );
      await assert.rejects(all.delete(key, { ifVersion: version + 1 }), hasCode("VERSIONCONFLICT"));
      assert.deepEqual(await all.get(key), { value: { total: 1 }, version });
    });

    test("records expire; raw ones are bytes; keys and values are checked", async () => {
      const key = randomUUID();
      const raw = here.db.records();
      await raw.set(key, Uint8Array.of(0, 200, 13, 10), { expiry: "1s" });
      assert.deepEqual([...((await raw.get(key))?.value ?? [])], [0, 200, 13, 10]);
      await until(async () => (await raw.get(key)) === undefined, "it has expired");
      await assert.rejects(raw.set("no uuid", "x"), hasCode("BADKEY"));
      await assert.rejects(
        here.db.records(orders).set(key, { total: "1" as unknown as number }),
        hasCode("BADVALUE"),
      );
    });

    test("a group does all it says: the step, the task, the record and the acknowledgement", async () => {
      const { db } = here;
      const key = `{order}${randomUUID()}`;
      const own = await db.sessions(checkout).new({ step: "a" }, { tag: "order" });
      await db.queue(jobs).push("old");
      const task = await db.queue(jobs).pop();
      assert.ok(task !== undefined);
      const result = await db.atomic((group) => {
        group.ack(task);
        group.session(own).append({ step: "b" });
        group.records(orders).check(key, 0);
        const record = group.records(orders).set(key, { total: 3 });
        const pushed = group.queue(jobs).push("new");
        const begun = group.sessions(checkout).new({ step: "x" });
        return { record, pushed, begun };
      });
      assert.equal((await db.records(orders).get(key))?.version, result.record.value.version);
      const [next] = await db.queue(jobs).peek();
      assert.deepEqual([next?.task, next?.value], [result.pushed.value.task, "new"]);
      assert.equal(task.settled, true);
      assert.deepEqual(own.records, [{ step: "a" }, { step: "b" }]);
      const begun = result.begun.value;
      assert.match(begun.id, /^\{order\}/);
      await begun.append({ step: "y" });
      await db.atomic((group) => {
        group.session(begun).delete();
        const stored = group.session(own).store("1h");
        group.queue(jobs).push("last");
        return stored;
      });
      assert.deepEqual([begun.settled, own.settled], [true, true]);
      assert.equal((await db.sessions(checkout).get(own.id)).state, "stored");
      await db.queue(jobs).purge();
    });

    test("a group of which one condition does not hold does nothing, and leaves tasks and sessions as they were", async () => {
      const { db } = here;
      const key = `{order}${randomUUID()}`;
      await db.queue(jobs).push("one");
      const task = await db.queue(jobs).pop();
      assert.ok(task !== undefined);
      const own = await db.sessions(checkout).new(undefined, { tag: "order" });
      await assert.rejects(
        db.atomic((group) => {
          group.ack(task);
          group.session(own).delete();
          group.queue(jobs).push("two");
          group.records(orders).set(key, { total: 1 }, { ifPresent: true });
        }),
        refusedBy(3, "NOTFOUND"),
      );
      assert.deepEqual([task.settled, own.settled], [false, false]);
      assert.deepEqual(await db.queue(jobs).count(), {
        waiting: 0,
        delayed: 0,
        leased: 1,
        dead: 0,
      });
      await task.ack();
      await own.delete();
    });

    test("a lost lease and a fenced session refuse the group, and are known to be lost then", async () => {
      const { db } = here;
      const brief = db.queue(queue("{order}brief", { lease: "100ms" }));
      await brief.create();
      await brief.push("x");
      const task = await brief.pop();
      assert.ok(task !== undefined);
      await until(async () => (await brief.count()).waiting === 1, "the lease is over");
      if (!task.settled)
        await assert.rejects(
          db.atomic((group) => group.ack(task)),
          (error) => hasCode("EXECABORT")(error) || hasCode("LEASELOST")(error),
        );
      await until(() => task.signal.aborted, "its signal says so");
      await brief.delete();
    });

    test("keys on several partitions are refused with all of them named", async () => {
      await assert.rejects(
        here.db.atomic((group) => {
          for (let i = 0; i < 6; i++) group.queue(`q${i}`).push("x");
        }),
        (error) =>
          hasCode("CROSSSLOT")(error) &&
          /queue q0 \(slot \d+\), queue q1 \(slot \d+\)/.test((error as Error).message),
      );
    });

    test("a callback that throws, is asynchronous, or goes on afterwards sends nothing", async () => {
      const { db } = here;
      await assert.rejects(
        db.atomic((group) => {
          group.queue(jobs).push("x");
          throw new Error("mine");
        }),
        /mine/,
      );
      await assert.rejects(
        db.atomic(async (group) => {
          group.queue(jobs).push("x");
          await Promise.resolve();
        }),
        /must not be asynchronous/,
      );
      const late = await db.atomic((group) => group);
      assert.throws(() => late.queue(jobs).push("x"), /is complete/);
      assert.deepEqual(await db.queue(jobs).count(), {
        waiting: 0,
        delayed: 0,
        leased: 0,
        dead: 0,
      });
    });
  });
}
