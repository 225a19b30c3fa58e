import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { delay } from "../../src/base/clock.ts";
import { VirtualClock } from "../../src/base/virtual-clock.ts";

suite("a clock that stands still", () => {
  test("does not move by itself; wall and monotonic time go on together", async () => {
    const clock = new VirtualClock(1_000);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    assert.deepEqual([clock.wallMs(), clock.monotonicMs()], [1_000, 0]);
    await clock.advance(250);
    assert.deepEqual([clock.wallMs(), clock.monotonicMs()], [1_250, 250]);
  });

  test("what falls due happens at its own time, in order, also what it sets going", async () => {
    const clock = new VirtualClock(0);
    const seen: string[] = [];
    clock.after(30, () => seen.push(`c ${clock.wallMs()}`));
    clock.after(10, () => {
      seen.push(`a ${clock.wallMs()}`);
      clock.after(10, () => seen.push(`b ${clock.wallMs()}`));
    });
    const cancelled = clock.after(15, () => seen.push("never"));
    cancelled.cancel();
    await clock.advance(29);
    assert.deepEqual(seen, ["a 10", "b 20"]);
    await clock.advance(1);
    assert.deepEqual(seen, ["a 10", "b 20", "c 30"]);
  });

  test("promises and turns that come of a timer are over before the next one", async () => {
    const clock = new VirtualClock(0);
    const seen: number[] = [];
    const walk = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        await delay(clock, 10);
        await new Promise<void>((resolve) => {
          clock.soon(resolve);
        });
        seen.push(clock.wallMs());
      }
    };
    const walked = walk();
    await clock.advance(100);
    await walked;
    assert.deepEqual(seen, [10, 20, 30, 40, 50]);
  });
});
