/** open(): what it refuses, and that a loop of reads lets others live. What the database does is tested with the client. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { VirtualClock } from "../../src/base/virtual-clock.ts";
import { open } from "../../src/node/open.ts";

async function refusal(options: object): Promise<string> {
  try {
    await open({ memory: true, clock: new VirtualClock(), ...options });
  } catch (error) {
    return String(error);
  }
  return "opened";
}

suite("open", () => {
  test("refuses options that are out of range, by name, value and range", async () => {
    assert.match(await refusal({ partitions: 0 }), /partitions is 0; it must be .* 1 to 1024/);
    assert.match(await refusal({ partitions: 1.5 }), /partitions is 1.5/);
    assert.match(await refusal({ segmentBytes: 1_000 }), /segmentBytes is 1000; .* 16777216/);
    const number = { sessions: [{ kind: "a", settings: { number: -1 } }] };
    assert.match(await refusal(number), /kinds of sessions/);
  });

  test("what is called at once is done in the order of the calls, however much it is", async () => {
    await using db = await open({ memory: true });
    const jobs = db.queue("default");
    const pushes = await Promise.all(Array.from({ length: 3_000 }, (_, i) => jobs.push(String(i))));
    const tasks = pushes.map(({ task }) => task);
    assert.deepEqual(
      tasks,
      tasks.toSorted((a, b) => a - b),
    );
  });

  test("a loop of reads that are answered at once does not keep timers out", async () => {
    await using db = await open({ memory: true, clock: new VirtualClock() });
    const alarm = { rang: false };
    setTimeout(() => (alarm.rang = true), 1);
    for (let i = 0; i < 200_000 && !alarm.rang; i++) await db.queue("default").count();
    assert.ok(alarm.rang);
  });
});
