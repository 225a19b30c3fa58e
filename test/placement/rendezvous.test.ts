/** The order of nodes for a partition: pinned, stable and even. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { rendezvousOrder, weightOf } from "../../src/placement/rendezvous.ts";

const nodes = Array.from({ length: 10 }, (_, i) => `node-${i + 1}`);
const partitions = Array.from({ length: 2_000 }, (_, i) => i);

/** How far the counts are from equal: chi-square with (count of counts - 1) degrees of freedom. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

suite("rendezvous hashing (DESIGN §9)", () => {
  test("weights are for ever: data is where they say", () => {
    assert.deepEqual(rendezvousOrder(0, ["a", "b", "c", "d", "e"]), ["e", "d", "c", "a", "b"]);
    assert.deepEqual(rendezvousOrder(15, ["a", "b", "c", "d", "e"]), ["e", "d", "b", "a", "c"]);
    assert.deepEqual(weightOf(3, "узел-1"), { high: 2192216476, low: 525277559 });
  });

  test("all nodes are in the order, once, however they are given", () => {
    for (const partition of partitions.slice(0, 50)) {
      const order = rendezvousOrder(partition, nodes);
      assert.deepEqual(order.toSorted(), nodes.toSorted());
      assert.deepEqual(rendezvousOrder(partition, nodes.toReversed()), order);
    }
    assert.deepEqual(rendezvousOrder(1, []), []);
  });

  test("a node that leaves or comes moves nothing but its own share", () => {
    for (const partition of partitions.slice(0, 200)) {
      const order = rendezvousOrder(partition, nodes);
      for (const gone of nodes) {
        const rest = nodes.filter((node) => node !== gone);
        assert.deepEqual(
          rendezvousOrder(partition, rest),
          order.filter((node) => node !== gone),
        );
      }
    }
  });

  test("each node is first, and second, for an even share of the partitions", () => {
    const orders = partitions.map((partition) => rendezvousOrder(partition, nodes));
    for (const place of [0, 1, 9]) {
      const counts = nodes.map((node) => orders.filter((order) => order[place] === node).length);
      // 9 degrees of freedom: a fair hash exceeds 27.9 once in a thousand.
      assert.ok(chiSquare(counts) < 27.9, `place ${place}: ${counts.join(" ")}`);
    }
  });

  test("who comes second does not hang on who is first", () => {
    const counts = new Map<string, number>();
    for (const partition of partitions) {
      const pair = rendezvousOrder(partition, nodes).slice(0, 2).join(" ");
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    assert.equal(counts.size, 90);
    // 89 degrees of freedom: a fair hash exceeds 135.8 once in a thousand.
    assert.ok(chiSquare([...counts.values()]) < 135.8);
  });

  test("each bit of both halves of the weight is set for half of the pairs", () => {
    const ones = Array.from({ length: 64 }, () => 0);
    for (const partition of partitions) {
      const { high, low } = weightOf(partition, "node-1");
      for (let bit = 0; bit < 32; bit++) {
        ones[bit] = (ones[bit] ?? 0) + ((low >>> bit) & 1);
        ones[32 + bit] = (ones[32 + bit] ?? 0) + ((high >>> bit) & 1);
      }
    }
    for (const [bit, count] of ones.entries()) {
      assert.ok(Math.abs(count - 1_000) < 100, `bit ${bit} is set ${count} times of 2,000`);
    }
  });

  test("no two pairs of small numbers have one weight", () => {
    const seen = new Set<string>();
    for (const partition of partitions.slice(0, 1_000)) {
      for (const node of nodes) {
        const { high, low } = weightOf(partition, node);
        seen.add(`${high} ${low}`);
      }
    }
    assert.equal(seen.size, 10_000);
  });
});
