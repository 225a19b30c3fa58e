import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { LogClock } from "../../src/partition/log-clock.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";

const step = fc.record({
  elapseMs: fc.oneof(
    fc.constant(0),
    fc.double({ min: 0, max: 100, noNaN: true }),
    fc.nat(100_000_000),
  ),
  jumpMs: fc.oneof(
    fc.constant(0),
    fc.integer({ min: -1_000, max: 1_000 }),
    fc.integer({ min: -(10 ** 11), max: 10 ** 11 }),
  ),
  drift: fc.oneof(fc.constant(0), fc.double({ min: -0.5, max: 0.5, noNaN: true })),
});

suite("LogClock (DESIGN §3)", () => {
  test("never goes back, and differs from the time that passed by a sixteenth of it at most", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: -100_000, max: 100_000 }),
        (steps, ahead) => {
          const clock = new SimulatedClock();
          const logClock = new LogClock(clock, clock.wallMs() + ahead);
          const start = logClock.now();
          assert.equal(start, clock.wallMs() + Math.max(0, ahead));
          let last = start;
          let passed = 0;
          for (const { elapseMs, jumpMs, drift } of steps) {
            clock.jumpWall(jumpMs);
            clock.driftWall(drift);
            clock.elapse(elapseMs);
            passed += elapseMs;
            const now = logClock.now();
            assert.ok(Number.isSafeInteger(now));
            assert.ok(now >= last, `${now} after ${last}`);
            assert.ok(
              Math.abs(now - last - elapseMs) <= elapseMs / 16 + 1,
              `${now - last} ms in ${elapseMs}`,
            );
            last = now;
          }
          assert.ok(Math.abs(last - start - passed) <= passed / 16 + 1);
        },
      ),
    );
  });

  test("is drawn to the wall clock until it is there", () => {
    const clock = new SimulatedClock();
    const logClock = new LogClock(clock, 0);
    for (const jump of [5_000, -5_000]) {
      clock.jumpWall(jump);
      for (let i = 0; i < 79; i++) {
        clock.elapse(1_000);
        assert.notEqual(logClock.now(), clock.wallMs());
      }
      clock.elapse(2_000);
      assert.equal(logClock.now(), clock.wallMs());
    }
  });
});
