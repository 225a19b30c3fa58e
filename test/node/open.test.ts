/** open(): what it refuses, and that a loop of reads lets others live. What the database does is tested with the client. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { VirtualClock } from "../../src/base/virtual-clock.ts";
import { open } from "../../src/node/open.ts";

suite("open", () => {
  test("refuses options that are out of range, by name, value and range", async () => {
    const refusal = async (options: object): Promise<string> => {
      try {
        await open({ memory: true, clock: new VirtualClock(), ...options });
      } catch (error) {
        return String(error);
      }
      return "opened";
    };
    assert.match(await refusal({ partitions: 0 }), /partitions is 0; it must be .* 1 to 1024/);
    assert.match(await refusal({ partitions: 1.5 }), /partitions is 1.5/);
    assert.match(await refusal({ segmentBytes: 1_000 }), /segmentBytes is 1000; .* 16777216/);
    const number = { sessions: [{ kind: "a", settings: { number: -1 } }] };
    assert.match(await refusal(number), /kinds of sessions/);
  });

  test("a loop of reads that are answered at once does not keep timers out", async () => {
    await using db = await open({ memory: true, clock: new VirtualClock() });
    let rang = false;
    setTimeout(() => (rang = true), 1);
    for (let i = 0; i < 200_000 && !rang; i++) await db.queue("default").count();
    assert.ok(rang);
  });
});
