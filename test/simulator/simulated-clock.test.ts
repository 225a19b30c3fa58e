import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { delay } from "../../src/base/clock.ts";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { ProcessClock } from "../../simulator/process-clock.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { clockContract } from "../contract/clock.ts";

clockContract("SimulatedClock", () => {
  const clock = new SimulatedClock();
  return { clock, run: (promise) => clock.drive(promise) };
});

clockContract("ProcessClock", () => {
  const time = new SimulatedClock();
  return { clock: new ProcessClock(time), run: (promise) => time.drive(promise) };
});

suite("SimulatedClock", () => {
  test("time stands still until it is moved", () => {
    const clock = new SimulatedClock({ wallMs: 1_000_000 });
    assert.equal(clock.monotonicMs(), 0);
    clock.advance(7.5);
    assert.equal(clock.monotonicMs(), 7.5);
    assert.equal(clock.wallMs(), 1_000_007);
  });

  test("advance runs what falls due, each at its own time, soon tasks between timers", () => {
    const clock = new SimulatedClock();
    const seen: string[] = [];
    const note = (text: string): void => void seen.push(`${text}@${clock.monotonicMs()}`);
    clock.after(10, () => {
      note("a");
      clock.soon(() => note("soon of a"));
      clock.after(5, () => note("c"));
    });
    clock.after(10, () => note("b"));
    clock.after(30, () => note("late"));
    clock.advance(20);
    assert.deepEqual(seen, ["a@10", "soon of a@10", "b@10", "c@15"]);
    assert.equal(clock.timerCount, 1);
  });

  test("timers of many random times and cancels run in the order of (due, creation)", () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = new SeededRandom(seed);
      const clock = new SimulatedClock();
      const expected: { due: number; order: number }[] = [];
      const seen: number[] = [];
      for (let order = 0; order < 400; order++) {
        const due = randomBelow(random, 50);
        const timer = clock.after(due, () => seen.push(order));
        if (randomBelow(random, 3) > 0) timer.cancel();
        else expected.push({ due, order });
      }
      assert.equal(clock.timerCount, expected.length);
      clock.advance(50);
      expected.sort((a, b) => a.due - b.due || a.order - b.order);
      const orders = expected.map(({ order }) => order);
      assert.deepEqual(seen, orders, `seed ${seed}`);
      assert.equal(clock.timerCount, 0);
    }
  });

  test("the wall clock jumps and drifts by itself", () => {
    const clock = new SimulatedClock({ wallMs: 0 });
    clock.jumpWall(5_000);
    clock.driftWall(0.1);
    clock.advance(1_000);
    assert.equal(clock.wallMs(), 6_100);
    clock.driftWall(-0.5);
    clock.jumpWall(-10_000);
    clock.advance(1_000);
    assert.equal(clock.wallMs(), -3_400);
    assert.equal(clock.monotonicMs(), 2_000);
  });

  test("time that elapses in a blocking call makes timers late, not lost", () => {
    const clock = new SimulatedClock();
    const seen: number[] = [];
    clock.after(10, () => seen.push(clock.monotonicMs()));
    clock.elapse(25);
    assert.deepEqual(seen, []);
    clock.advance(0);
    assert.deepEqual(seen, [25]);
  });

  test("runUntilIdle ends at its limit when work never ends", () => {
    const clock = new SimulatedClock();
    const again = (): void => void clock.after(10, again);
    again();
    assert.equal(clock.runUntilIdle({ maxMs: 100 }), false);
    assert.equal(clock.monotonicMs(), 100);
  });

  test("drive lets promises settle between steps", async () => {
    const clock = new SimulatedClock();
    const work = async (): Promise<number> => {
      for (let i = 0; i < 100; i++) await delay(clock, 1_000);
      return clock.monotonicMs();
    };
    assert.equal(await clock.drive(work()), 100_000);
  });

  test("drive says so when a promise can never settle", async () => {
    const clock = new SimulatedClock();
    await assert.rejects(clock.drive(new Promise(() => {})), /nothing is left to run/);
    await assert.rejects(clock.drive(delay(clock, 20), { maxMs: 10 }), /after the limit/);
  });
});

suite("ProcessClock", () => {
  test("a paused process runs nothing; resumed it runs all, in order", () => {
    const time = new SimulatedClock();
    const clock = new ProcessClock(time);
    const seen: string[] = [];
    clock.after(1, () => seen.push("timer"));
    clock.pause();
    clock.soon(() => seen.push("soon"));
    time.advance(10);
    assert.equal(seen.length, 0);
    clock.soon(() => seen.push("after"));
    clock.resume();
    time.advance(0);
    assert.deepEqual(seen, ["soon", "timer", "after"]);
  });

  test("a killed process runs nothing more, others do; each has its own wall clock", () => {
    const time = new SimulatedClock({ wallMs: 0 });
    const [dead, alive] = [new ProcessClock(time), new ProcessClock(time, { wallOffsetMs: 50 })];
    const seen: string[] = [];
    dead.after(1, () => seen.push("dead"));
    dead.soon(() => seen.push("dead"));
    alive.after(1, () => seen.push("alive"));
    alive.jumpWall(100);
    dead.kill();
    time.advance(10);
    assert.deepEqual(seen, ["alive"]);
    assert.deepEqual([dead.wallMs(), alive.wallMs()], [10, 160]);
  });
});
