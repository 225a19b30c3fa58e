/** What every `Clock` promises. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Clock } from "../../src/base/clock.ts";
import { delay, nextTurn } from "../../src/base/clock.ts";

export interface ClockUnderTest {
  readonly clock: Clock;
  /** Lets time pass until the promise settles. */
  readonly run: <T>(promise: Promise<T>) => Promise<T>;
}

export function clockContract(name: string, make: () => ClockUnderTest): void {
  suite(`the contract of Clock: ${name}`, () => {
    test("monotonic time does not go back, and passes at least as long as a delay", async () => {
      const { clock, run } = make();
      const start = clock.monotonicMs();
      await run(delay(clock, 5));
      // Timers of Node may be early by less than a millisecond.
      assert.ok(clock.monotonicMs() - start >= 4, `${clock.monotonicMs() - start} ms`);
    });

    test("wall time is whole milliseconds since 1970", () => {
      const { clock } = make();
      assert.ok(Number.isSafeInteger(clock.wallMs()));
      assert.ok(clock.wallMs() > Date.UTC(2020, 0, 1));
    });

    test("soon runs tasks in their order, after the code that asked, each once", async () => {
      const { clock, run } = make();
      const seen: string[] = [];
      clock.soon(() => seen.push("a"));
      clock.soon(() => seen.push("b"));
      seen.push("code");
      await run(nextTurn(clock));
      await run(nextTurn(clock));
      assert.deepEqual(seen, ["code", "a", "b"]);
    });

    test("timers run in the order of their time, and of their creation at one time", async () => {
      const { clock, run } = make();
      const seen: string[] = [];
      clock.after(20, () => seen.push("20"));
      clock.after(1, () => seen.push("1"));
      clock.after(1, () => seen.push("1 again"));
      await run(delay(clock, 40));
      assert.deepEqual(seen, ["1", "1 again", "20"]);
    });

    test("a cancelled timer does not run; to cancel one that has run is nothing", async () => {
      const { clock, run } = make();
      const seen: string[] = [];
      const cancelled = clock.after(2, () => seen.push("cancelled"));
      const kept = clock.after(2, () => seen.push("kept"));
      cancelled.cancel();
      cancelled.cancel();
      await run(delay(clock, 10));
      kept.cancel();
      assert.deepEqual(seen, ["kept"]);
    });
  });
}
