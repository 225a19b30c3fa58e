/** The lists under a queue: what they hold is compared with sorted arrays, whatever comes, goes and comes back. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { BitTree } from "../../../src/machines/queues/bit-tree.ts";
import { Fifo, type Standing } from "../../../src/machines/queues/fifo.ts";
import {
  differenceOf,
  int64At,
  readInt64,
  setInt64At,
  writeInt64,
} from "../../../src/machines/queues/int64.ts";
import { NumberHeap } from "../../../src/machines/queues/number-heap.ts";
import type { Order } from "../../../src/machines/queues/order.ts";
import { PriorityOrder } from "../../../src/machines/queues/priority-order.ts";
import { RangeOrder } from "../../../src/machines/queues/range-order.ts";
import { canonicalInt64, int64Max, int64Min } from "../../../src/protocol/int64.ts";
import { SingleOrder } from "../../../src/machines/queues/single-order.ts";
import { OperationReader, OperationWriter } from "../../../src/machines/operation.ts";
import type { Int64, QueueOrder } from "../../../src/protocol/requests.ts";
import { type Draws, forSeeds } from "../../state/draws.ts";

/** The rows, as far as a list asks for them: number → priority of those that stand. */
class Rows implements Standing {
  readonly standing = new Map<number, Int64>();
  looks = 0;

  stands(number: number, priority: Int64): boolean {
    this.looks++;
    return this.standing.get(number) === priority;
  }

  /** In the order in which they go. */
  sorted(order: QueueOrder): number[] {
    return [...this.standing]
      .sort(([a, p], [b, q]) => {
        if (p === q) return a - b;
        return p < q === (order === "lowest") ? -1 : 1;
      })
      .map(([number]) => number);
  }
}

function allOf(order: Order, rows: Rows): number[] {
  const numbers: number[] = [];
  order.each((fifo) =>
    fifo.walk(rows, 0, (number) => {
      numbers.push(number);
      return true;
    }),
  );
  return numbers;
}

/** Tasks come, are handed out, come back, or vanish from the middle. */
function life(
  draws: Draws,
  rows: Rows,
  list: Order,
  order: QueueOrder,
  priorities: readonly Int64[],
): void {
  let next = 1;
  const away: { readonly number: number; readonly priority: Int64 }[] = [];
  const enter = (number: number, priority: Int64): void => {
    rows.standing.set(number, priority);
    list.add(priority, number);
  };
  const leave = (number: number): void => {
    const priority = must(rows.standing.get(number));
    rows.standing.delete(number);
    list.leave(priority);
  };
  for (let i = 0; i < 800; i++) {
    const phase = Math.floor(i / 200) % 2;
    const choice = draws.below(phase === 0 ? 5 : 9);
    if (choice < 3) enter(next++, draws.pick(priorities));
    else if (choice === 3 && away.length > 0) {
      const [back] = away.splice(draws.below(away.length), 1);
      enter(must(back).number, must(back).priority);
    } else if (choice < 7) {
      const first = list.first();
      assert.equal(first, rows.sorted(order)[0] ?? 0, "the first");
      if (first === 0) continue;
      away.push({ number: first, priority: must(rows.standing.get(first)) });
      list.dropFirst();
      leave(first);
    } else if (rows.standing.size > 0) {
      const [number] = must([...rows.standing][draws.below(rows.standing.size)]);
      const priority = must(rows.standing.get(number));
      leave(number);
      if (draws.oneIn(3)) enter(number, priority);
    }
    if (draws.oneIn(20)) assert.deepEqual(allOf(list, rows), rows.sorted(order), "all");
  }
  for (const number of rows.sorted(order)) {
    assert.equal(list.first(), number);
    list.dropFirst();
    leave(number);
  }
  assert.equal(list.first(), 0);
}

suite("orders of a queue", () => {
  const few: readonly Int64[] = [-3, -2, -1, 0, 1, 2, 3];
  const many: readonly Int64[] = [
    ...Array.from({ length: 300 }, (_, i) => i * 3 - 450),
    int64Min,
    -(2n ** 53n),
    2n ** 53n,
    int64Max,
  ];

  test("fifo", () => {
    forSeeds(1, 8, (draws) => {
      const rows = new Rows();
      life(draws, rows, new SingleOrder(rows), "lowest", [0]);
    });
  });

  for (const order of ["lowest", "highest"] as const) {
    test(`priority, ${order} first`, () => {
      forSeeds(1, 8, (draws) => {
        const rows = new Rows();
        life(draws, rows, new PriorityOrder(rows, order), order, draws.oneIn(2) ? few : many);
      });
    });

    test(`range, ${order} first`, () => {
      forSeeds(1, 8, (draws) => {
        const rows = new Rows();
        const wide = draws.oneIn(2);
        const [min, max] = wide ? [-450, 60_000] : [-3, 3];
        const priorities = wide ? [...many.filter((p) => typeof p === "number"), 60_000] : few;
        life(draws, rows, new RangeOrder(rows, order, { min, max }), order, priorities);
      });
    });
  }

  test("loaded in any order, they are as those that grew", () => {
    forSeeds(1, 30, (draws) => {
      const lists = [
        (rows: Rows) => new SingleOrder(rows),
        (rows: Rows) => new PriorityOrder(rows, "highest"),
        (rows: Rows) => new RangeOrder(rows, "highest", { min: 0, max: 40 }),
      ];
      for (const [kind, make] of lists.entries()) {
        const rows = new Rows();
        const list = make(rows);
        for (let i = draws.below(200); i > 0; i--) {
          const number = 1 + draws.below(1_000_000);
          if (rows.standing.has(number)) continue;
          const priority = kind === 0 ? 0 : draws.below(41);
          rows.standing.set(number, priority);
          list.load(priority, number);
        }
        list.sort();
        assert.deepEqual(allOf(list, rows), rows.sorted("highest"));
        const low = 0.5;
        rows.standing.set(low, 0);
        list.add(0, low);
        assert.deepEqual(allOf(list, rows), rows.sorted("highest"), "and goes on");
      }
    });
  });
});

suite("a list of task numbers", () => {
  test("a look at the first costs no more than what is dropped: thousands that vanished are looked at once", () => {
    const rows = new Rows();
    const fifo = new Fifo(0);
    for (let number = 1; number <= 10_000; number++) {
      rows.standing.set(number, 0);
      fifo.add(number);
    }
    for (let number = 1; number < 10_000; number++) {
      rows.standing.delete(number);
      fifo.leave(rows);
    }
    for (let i = 0; i < 100; i++) assert.equal(fifo.first(rows), 10_000);
    assert.ok(rows.looks < 25_000, `${rows.looks} looks`);
  });

  test("a walk begins behind a number, ends when it is told to, and shows one that is here twice once", () => {
    const rows = new Rows();
    const fifo = new Fifo(0);
    for (let number = 1; number <= 20; number++) {
      rows.standing.set(number, 0);
      fifo.add(number);
    }
    // 7 leaves and comes back without having been met.
    rows.standing.delete(7);
    fifo.leave(rows);
    rows.standing.set(7, 0);
    fifo.add(7);
    const seen: number[] = [];
    const wentThrough = fifo.walk(rows, 5, (number) => {
      seen.push(number);
      return number < 10;
    });
    assert.deepEqual(seen, [6, 7, 8, 9, 10]);
    assert.equal(wentThrough, false);
  });

  test("a heap of numbers gives them back rising", () => {
    forSeeds(1, 20, (draws) => {
      const heap = new NumberHeap();
      const numbers = Array.from({ length: draws.below(100) }, () => draws.below(50));
      for (const number of numbers) heap.push(number);
      heap.filter((number) => number !== 7);
      const expected = numbers.filter((number) => number !== 7).sort((a, b) => a - b);
      assert.deepEqual(heap.sorted(), expected);
      for (const number of expected) {
        assert.equal(heap.top, number);
        heap.pop();
      }
      assert.equal(heap.top, Infinity);
    });
  });
});

suite("a tree of bits", () => {
  for (const limit of [1, 2, 31, 32, 33, 1_024, 1_025, 65_536]) {
    test(`finds the next number either way: ${limit}`, () => {
      forSeeds(1, 5, (draws) => {
        const tree = new BitTree(limit);
        const numbers = new Set<number>();
        for (let i = 0; i < 200; i++) {
          const number = draws.oneIn(8) ? draws.pick([0, limit - 1]) : draws.below(limit);
          if (draws.oneIn(2)) {
            tree.add(number);
            numbers.add(number);
          } else {
            tree.delete(number);
            numbers.delete(number);
          }
          const from = draws.below(limit);
          const all = [...numbers].sort((a, b) => a - b);
          assert.equal(tree.atLeast(from), all.find((each) => each >= from) ?? -1);
          assert.equal(tree.atMost(from), all.findLast((each) => each <= from) ?? -1);
        }
      });
    });
  }

  test("nothing is at or above the limit", () => {
    const tree = new BitTree(64);
    tree.add(63);
    assert.equal(tree.atLeast(64), -1);
  });
});

suite("numbers of 64 bits", () => {
  const values: readonly Int64[] = [
    int64Min,
    int64Min + 1n,
    -(2n ** 53n) - 1n,
    -(2n ** 53n),
    Number.MIN_SAFE_INTEGER,
    -(2 ** 32) - 1,
    -(2 ** 32),
    -1,
    0,
    1,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
    2n ** 53n,
    2n ** 53n + 1n,
    int64Max - 1n,
    int64Max,
  ];

  test("each value survives operations and rows, in its one form", () => {
    const buffer = Buffer.alloc(8);
    const writer = new OperationWriter();
    const reader = new OperationReader();
    for (const value of values) {
      setInt64At(buffer, 0, value);
      assert.equal(buffer.readBigInt64LE(), BigInt(value));
      assert.equal(int64At(buffer, 0), value);
      writer.begin(1, undefined);
      writeInt64(writer, value);
      writer.end();
      reader.open(writer.take(), 0);
      assert.equal(readInt64(reader), value);
      assert.equal(canonicalInt64(BigInt(value)), value);
    }
    assert.ok(Object.is(canonicalInt64(-0), 0));
  });

  test("differences are exact where a range can be", () => {
    assert.equal(differenceOf(int64Max, int64Max - 5n), 5);
    assert.equal(differenceOf(2n ** 53n, Number.MAX_SAFE_INTEGER), 1);
    assert.equal(differenceOf(3, -3), 6);
  });
});
