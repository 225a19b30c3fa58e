/** What the client does about leases as time passes, by a clock that stands still until it is told to go on. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { z } from "zod";
import { TrubaError } from "../../src/base/errors.ts";
import { VirtualClock } from "../../src/base/virtual-clock.ts";
import { queue, session } from "../../src/client/definitions.ts";
import type { Task } from "../../src/client/task.ts";
import type { Truba } from "../../src/client/truba.ts";
import { open } from "../../src/node/open.ts";

const jobsDefinition = queue("jobs", { schema: z.number(), lease: "30s", maxDeliveries: 5 });
const checkout = session("checkout", { delay: "1m", spread: 0, silence: "30s" });

async function still(): Promise<{ clock: VirtualClock; db: Truba }> {
  const clock = new VirtualClock();
  const db = await open({ memory: true, clock, sessions: [checkout] });
  return { clock, db };
}

function isLost(reason: unknown): boolean {
  return reason instanceof TrubaError && reason.code === "LEASELOST";
}

suite("the client and time: leases and silence", () => {
  test("a task that a slow loop holds is lost at the end of its lease, not before, and its signal says so", async () => {
    const { clock, db } = await still();
    await using _ = db;
    const jobs = db.queue(jobsDefinition);
    await jobs.create();
    await jobs.push(1);
    const consumer = jobs.consume({ prefetch: 1 });
    const taken = consumer.next();
    await clock.advance(1);
    const first = await taken;
    assert.ok(first.done !== true);
    const task: Task<number> = first.value;
    await clock.advance(28_000);
    assert.equal(task.signal.aborted, false);
    await clock.advance(4_000);
    assert.equal(task.signal.aborted, true);
    assert.ok(isLost(task.signal.reason));
    await assert.rejects(task.ack(), isLost);
    const again = await consumer.next();
    assert.equal(again.done !== true && again.value.deliveries, 2);
    await consumer.return();
  });

  test("what is fetched ahead and not handed out for long is never counted as delivered, nor dies of it (P4)", async () => {
    const { clock, db } = await still();
    await using _ = db;
    const jobs = db.queue(jobsDefinition);
    await jobs.create();
    for (let i = 0; i < 3; i++) await jobs.push(i);
    const consumer = jobs.consume({ prefetch: 3 });
    const taken = consumer.next();
    await clock.advance(1);
    const first = await taken;
    assert.ok(first.done !== true);
    for (let minute = 0; minute < 20; minute++) {
      await first.value.extend("2m");
      await clock.advance(60_000);
    }
    await first.value.ack();
    const second = await consumer.next();
    assert.deepEqual(second.done !== true && [second.value.value, second.value.deliveries], [1, 1]);
    await consumer.return();
  });

  test("a worker keeps the lease of what it works on, however long that takes", async () => {
    const { clock, db } = await still();
    await using _ = db;
    const jobs = db.queue(jobsDefinition);
    await jobs.create();
    await jobs.push(1);
    const signals: AbortSignal[] = [];
    let finish: (() => void) | undefined;
    const worker = jobs.work({}, async (task, { signal }) => {
      assert.equal(task.deliveries, 1);
      signals.push(signal);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    for (let minute = 0; minute < 8; minute++) await clock.advance(60_000);
    assert.deepEqual(
      signals.map((signal) => signal.aborted),
      [false],
    );
    assert.deepEqual(await jobs.count(), { waiting: 0, delayed: 0, leased: 1, dead: 0 });
    finish?.();
    await worker.stop();
    assert.deepEqual(await jobs.count(), { waiting: 0, delayed: 0, leased: 0, dead: 0 });
  });

  test("back-off doubles from the first to the last, and half of it is random", async () => {
    const { clock, db } = await still();
    await using _ = db;
    const jobs = db.queue(queue("failing", { maxDeliveries: 0 }));
    await jobs.create();
    await jobs.push("x");
    const at: number[] = [];
    const worker = jobs.work({ backoff: { first: "1s", max: "8s" } }, () => {
      at.push(clock.monotonicMs());
      throw new Error("no");
    });
    for (let step = 0; step < 700; step++) await clock.advance(50);
    const waits = at.slice(1).map((time, i) => time - (at[i] ?? 0));
    assert.ok(waits.length >= 5, `${waits.length} waits`);
    for (const [i, wait] of waits.entries()) {
      const full = Math.min(8_000, 1_000 * 2 ** i);
      assert.ok(wait >= full / 2 && wait <= full + 100, `wait ${i} is ${wait} of ${full} ms`);
    }
    await worker.stop();
  });

  test("a handler keeps its session alive; without signs of life it is handed out again after the silence", async () => {
    const { clock, db } = await still();
    await using _ = db;
    const sessions = db.sessions(checkout);
    const own = await sessions.new("a");
    await clock.advance(31_000);
    assert.equal(own.signal.aborted, false, "nobody has asked yet");
    const repeats: number[] = [];
    let finish: (() => void) | undefined;
    const handling = sessions.handle({}, async (one, { signal }) => {
      repeats.push(one.repeats);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      assert.equal(signal.aborted, false);
      return { delete: true };
    });
    // Put off by its silence, for the delay of its kind; then worked on for minutes.
    for (let minute = 0; minute < 8; minute++) await clock.advance(60_000);
    assert.deepEqual(repeats, [1]);
    finish?.();
    await handling.stop();
    await assert.rejects(own.touch(), /FENCED|NOSESSION|no session|there is/);
    assert.equal((await sessions.list()).length, 0);
  });
});
