import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SessionNumbers } from "../../../src/machines/sessions/session-numbers.ts";
import { StoredOrder } from "../../../src/machines/sessions/stored-order.ts";
import { type Draws, forSeeds } from "../../state/draws.ts";

type Triple = readonly [due: number, epoch: number, number: number];

function inOrder(a: Triple, b: Triple): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

function keyOf(triple: readonly number[]): string {
  return triple.join(" ");
}

/** An order beside the set of what stands. */
function newOrder(): { order: StoredOrder; standing: Map<string, Triple> } {
  const standing = new Map<string, Triple>();
  return { order: new StoredOrder((...triple) => standing.has(keyOf(triple))), standing };
}

function drain(order: StoredOrder, standing: Map<string, Triple>): Triple[] {
  const found: Triple[] = [];
  while (order.settle()) {
    const first: Triple = [order.due, order.epoch, order.number];
    found.push(first);
    standing.delete(keyOf(first));
  }
  return found;
}

suite("StoredOrder", () => {
  test("the first is by due time, then by epoch, then by number", () => {
    const { order, standing } = newOrder();
    const triples: Triple[] = [
      [2, 1, 1],
      [1, 9, 1],
      [1, 2, 30],
      [1, 2, 4],
      [3, 1, 2],
    ];
    for (const triple of triples) {
      standing.set(keyOf(triple), triple);
      order.add(...triple);
    }
    assert.deepEqual(drain(order, standing), triples.toSorted(inOrder));
    assert.equal(order.size, 0);
    assert.equal(order.settle(), false);
  });

  test("what left before its turn does not come; what came back comes once more", () => {
    const { order, standing } = newOrder();
    const first: Triple = [1, 1, 1];
    const second: Triple = [2, 2, 2];
    for (const triple of [first, second]) {
      standing.set(keyOf(triple), triple);
      order.add(...triple);
    }
    standing.delete(keyOf(first));
    assert.equal(order.settle(), true);
    assert.equal(order.number, 2);
    standing.set(keyOf(first), first);
    order.add(...first);
    assert.equal(order.settle(), true);
    assert.equal(order.number, 1);
  });

  test("what left takes no more room than what stands, beyond a few thousand", () => {
    const { order, standing } = newOrder();
    for (let number = 0; number < 3_000; number++) {
      standing.set(keyOf([1, 1, number]), [1, 1, number]);
      order.add(1, 1, number);
    }
    // Each leaves at once, and never comes to the top.
    for (let number = 0; number < 50_000; number++) order.add(2, 1, number);
    assert.ok(order.size < 9_000, `${order.size}`);
    assert.equal(drain(order, standing).length, 3_000);
  });

  test("two orders compare by their first", () => {
    const { order, standing } = newOrder();
    const other = newOrder();
    order.add(1, 5, 9);
    other.order.add(1, 6, 2);
    standing.set("1 5 9", [1, 5, 9]);
    other.standing.set("1 6 2", [1, 6, 2]);
    assert.equal(order.isBefore(other.order), true);
    assert.equal(other.order.isBefore(order), false);
    assert.equal(order.isBefore(newOrder().order), true);
  });

  test("random lives: it always has the least of what stands, also beyond the size at which it is rebuilt", () => {
    forSeeds(1, 4, (draws: Draws) => {
      const { order, standing } = newOrder();
      const all: Triple[] = [];
      for (let i = 0; i < 15_000; i++) {
        const triple: Triple = [draws.below(50), draws.below(50), i];
        all.push(triple);
        standing.set(keyOf(triple), triple);
        order.add(...triple);
        // Three of four leave before their turn.
        if (!draws.oneIn(4)) standing.delete(keyOf(draws.pick(all)));
        if (draws.oneIn(4) && order.settle())
          standing.delete(keyOf([order.due, order.epoch, order.number]));
      }
      const left = [...standing.values()].sort(inOrder);
      assert.deepEqual(drain(order, standing), left);
    });
  });
});

suite("SessionNumbers", () => {
  test("random lives: those that are there, rising, behind any number, also when one comes back", () => {
    forSeeds(1, 8, (draws: Draws) => {
      const standing = new Set<number>();
      const numbers = new SessionNumbers((number) => standing.has(number));
      let next = 1;
      const gone: number[] = [];
      for (let i = 0; i < 6_000; i++) {
        if (draws.oneIn(2)) {
          next += 1 + draws.below(3);
          standing.add(next);
          numbers.add(next);
        } else if (gone.length > 0 && draws.oneIn(10)) {
          const back = draws.pick(gone);
          gone.splice(gone.indexOf(back), 1);
          standing.add(back);
          numbers.add(back);
        } else if (standing.size > 0) {
          const leaving = draws.pick([...standing].slice(0, 50));
          standing.delete(leaving);
          numbers.remove();
          gone.push(leaving);
        }
        if (!draws.oneIn(100)) continue;
        const after = draws.below(next + 2);
        const most = 1 + draws.below(500);
        const found: number[] = [];
        numbers.each(after, (number) => found.push(number) < most);
        const expected = [...standing].filter((number) => number > after).sort((a, b) => a - b);
        assert.deepEqual(found, expected.slice(0, most));
      }
    });
  });

  test("loaded at once in any order", () => {
    const numbers = new SessionNumbers(() => true);
    numbers.load([300, 20, 1_000]);
    const found: number[] = [];
    numbers.each(0, (number) => found.push(number) > 0);
    assert.deepEqual(found, [20, 300, 1_000]);
  });
});
