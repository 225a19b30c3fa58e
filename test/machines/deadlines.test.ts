/** Deadlines: the first that stands comes first, whatever became of the others. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { Deadlines } from "../../src/machines/deadlines.ts";
import { type Draws, forSeeds } from "../state/draws.ts";

/** Deadlines over a plain map of rows. */
function newWorld(): { due: Map<number, number>; deadlines: Deadlines; looks: () => number } {
  const due = new Map<number, number>();
  let looks = 0;
  const deadlines = new Deadlines((at, number) => {
    looks++;
    return due.get(number) === at;
  });
  return { due, deadlines, looks: () => looks };
}

function life(draws: Draws): void {
  const { due, deadlines } = newWorld();
  let now = 0;
  for (let i = 0; i < 600; i++) {
    const number = 1 + draws.below(80);
    if (draws.oneIn(3)) due.delete(number);
    else {
      const at = now + draws.below(50);
      due.set(number, at);
      deadlines.add(at, number);
    }
    now += draws.below(3);
    const sorted = [...due].sort(([a, x], [b, y]) => x - y || a - b);
    assert.equal(deadlines.next(), sorted[0]?.[1] ?? Infinity, "the first due time");
    const overdue = sorted.filter(([, at]) => at <= now);
    for (const [expected] of overdue.slice(0, draws.below(6))) {
      assert.equal(deadlines.due(now), expected);
      assert.equal(deadlines.due(now), expected, "it stays until its row is changed");
      due.delete(expected);
    }
  }
}

suite("deadlines", () => {
  test("they come by (due, number); those that do not stand any more are passed over", () => {
    forSeeds(1, 60, life);
  });

  test("none is due before its time", () => {
    const { due, deadlines } = newWorld();
    assert.equal(deadlines.next(), Infinity);
    due.set(5, 100);
    deadlines.add(100, 5);
    assert.equal(deadlines.due(99), undefined);
    assert.equal(deadlines.due(100), 5);
  });

  test("two replicas that dropped the others at other times handle the same rows in the same order (P5)", () => {
    forSeeds(1, 20, (draws) => {
      const steady = newWorld();
      const rows: (readonly [number: number, at: number])[] = [];
      for (let number = 1; number <= 300; number++) {
        const at = draws.below(40);
        steady.due.set(number, at);
        steady.deadlines.add(at, number);
        if (draws.oneIn(2)) {
          steady.due.delete(number);
          steady.deadlines.next();
        } else rows.push([number, at]);
      }
      const restarted = newWorld();
      for (const [number, at] of rows.toReversed()) {
        restarted.due.set(number, at);
        restarted.deadlines.add(at, number);
      }
      const handle = ({ due, deadlines }: ReturnType<typeof newWorld>): number[] => {
        const handled: number[] = [];
        for (let number = deadlines.due(40); number !== undefined; number = deadlines.due(40)) {
          handled.push(number);
          due.delete(number);
        }
        return handled;
      };
      assert.deepEqual(handle(restarted), handle(steady));
    });
  });

  test("what is taken back in time costs little memory and few looks at rows (P8)", () => {
    const { due, deadlines, looks } = newWorld();
    // One far deadline that stands, so that the others are not seen at the top.
    due.set(0, 1);
    deadlines.add(1, 0);
    const count = 200_000;
    for (let number = 1; number <= count; number++) {
      due.set(number, 1_000 + number);
      deadlines.add(1_000 + number, number);
      due.delete(number);
    }
    assert.ok(deadlines.size <= 4_097, `${deadlines.size} entries`);
    assert.ok(looks() < count * 1.1, `${looks()} looks`);
  });

  test("many that stand are looked at seldom when more come", () => {
    const { due, deadlines, looks } = newWorld();
    const count = 100_000;
    for (let number = 1; number <= count; number++) {
      due.set(number, number);
      deadlines.add(number, number);
    }
    assert.ok(looks() < count * 2, `${looks()} looks`);
    assert.equal(deadlines.size, count);
  });

  test("each shows what stands", () => {
    const { due, deadlines } = newWorld();
    for (const number of [4, 2, 9]) {
      due.set(number, number);
      deadlines.add(number, number);
    }
    due.delete(2);
    const seen: number[] = [];
    deadlines.each((number) => seen.push(number));
    assert.deepEqual(
      seen.sort((a, b) => a - b),
      [4, 9],
    );
    assert.equal(must(seen[0]), 4);
  });
});
