/** In which order tasks are handed out: by priority, and in a priority strictly as they were pushed, whatever happened to them meanwhile. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import type { Int64, QueueSettings } from "../../../src/protocol/requests.ts";
import { QueueWorld } from "./queue-world.ts";

const kinds: readonly (QueueSettings & { readonly implementation: string })[] = [
  { implementation: "fifo" },
  { implementation: "priority" },
  { implementation: "priority", order: "highest" },
  { implementation: "range", priorityMin: -3, priorityMax: 3 },
  { implementation: "range", priorityMin: 0, priorityMax: 0, order: "highest" },
];

function withFive(settings: QueueSettings): QueueWorld {
  const world = new QueueWorld();
  world.create({ queue: "q", leaseMs: 1_000, ...settings });
  for (const payload of ["a", "b", "c", "d", "e"]) world.push({ queue: "q", payload });
  return world;
}

suite("strict FIFO inside one priority", () => {
  for (const settings of kinds) {
    const name = JSON.stringify(settings);

    test(`tasks come as they were pushed: ${name}`, () => {
      assert.deepEqual(withFive(settings).drain("q"), ["a", "b", "c", "d", "e"]);
    });

    test(`a task that is given back is at its old place: ${name}`, () => {
      const world = withFive(settings);
      const tasks = world.pop("q", 4);
      world.nack("q", must(tasks[2]));
      world.nack("q", must(tasks[0]));
      assert.deepEqual(world.drain("q"), ["a", "c", "e"]);
    });

    test(`so is one whose lease has ended: ${name}`, () => {
      const world = withFive(settings);
      const tasks = world.pop("q", 3);
      world.pass(500);
      world.do("queue.extend", { queue: "q", leases: [must(tasks[1])] });
      world.pass(500);
      world.due();
      assert.deepEqual(world.drain("q"), ["a", "c", "d", "e"]);
    });

    test(`and one whose delay is over, pushed or given back with it: ${name}`, () => {
      const world = new QueueWorld();
      world.create({ queue: "q", ...settings });
      world.push({ queue: "q", payload: "a", delayMs: 300 });
      world.push({ queue: "q", payload: "b" });
      world.push({ queue: "q", payload: "c" });
      world.nack("q", world.popOne("q"), { delayMs: 100 });
      world.push({ queue: "q", payload: "d" });
      world.pass(300);
      world.due();
      assert.deepEqual(world.drain("q"), ["a", "b", "c", "d"]);
    });

    test(`a restart from a checkpoint changes nothing of this (P5): ${name}`, () => {
      const world = withFive(settings);
      const tasks = world.pop("q", 3);
      world.nack("q", must(tasks[1]));
      world.restart();
      world.push({ queue: "q", payload: "f" });
      world.nack("q", must(tasks[0]), { delayMs: 10 });
      world.restart();
      world.pass(10);
      world.due();
      assert.deepEqual(world.drain("q"), ["a", "b", "d", "e", "f"]);
      world.pass(1_000);
      world.due();
      assert.deepEqual(world.drain("q"), ["c"]);
    });
  }
});

suite("priorities", () => {
  const edges: readonly Int64[] = [
    -(2n ** 63n),
    -(2n ** 63n) + 1n,
    -(2n ** 53n) - 1n,
    -(2n ** 53n),
    -Number.MAX_SAFE_INTEGER,
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
    2n ** 63n - 2n,
    2n ** 63n - 1n,
  ];
  /** In no order. */
  const shuffled = edges.map((_, i) => must(edges[(i * 7) % edges.length]));

  for (const order of ["lowest", "highest"] as const) {
    test(`signed 64 bits are exact at the edges, numbers where they are, bigints beyond: ${order} first`, () => {
      const world = new QueueWorld();
      world.create({ queue: "q", implementation: "priority", order });
      for (const priority of shuffled) world.push({ queue: "q", priority });
      world.restart();
      const got = world.pop("q", 100).map(({ priority }) => priority);
      assert.deepEqual(got, order === "lowest" ? edges : edges.toReversed());
      const peeked = world.queues.read("queue.peek", { queue: "q", state: "leased", count: 100 });
      assert.deepEqual(
        peeked.tasks.map(({ priority }) => priority),
        shuffled,
      );
    });
  }

  test("5 and 5n are one priority, and so is -0", () => {
    const world = new QueueWorld();
    world.create({ queue: "q", implementation: "priority" });
    world.push({ queue: "q", priority: 5, payload: "a" });
    world.push({ queue: "q", priority: 5n, payload: "b" });
    world.push({ queue: "q", priority: -0, payload: "zero" });
    world.push({ queue: "q", priority: 5, payload: "c" });
    world.push({ queue: "q", priority: 0n, payload: "zero too" });
    assert.deepEqual(world.drain("q"), ["zero", "zero too", "a", "b", "c"]);
  });

  test("a range may lie at either edge, and across where numbers end", () => {
    for (const [min, max] of [
      [-(2n ** 63n), -(2n ** 63n) + 2n],
      [2n ** 63n - 3n, 2n ** 63n - 1n],
      [Number.MAX_SAFE_INTEGER - 1, 2n ** 53n],
      [-(2n ** 53n), -Number.MAX_SAFE_INTEGER + 1],
    ] as const) {
      const world = new QueueWorld();
      world.create({ queue: "q", implementation: "range", priorityMin: min, priorityMax: max });
      world.push({ queue: "q", priority: max, payload: "max" });
      world.push({ queue: "q", priority: min, payload: "min" });
      const middle = BigInt(min) + 1n;
      world.push({ queue: "q", priority: middle, payload: "middle" });
      assert.deepEqual(world.drain("q"), ["min", "middle", "max"], `${min}`);
    }
  });

  test("a higher priority overtakes what waits, at once", () => {
    const world = new QueueWorld();
    world.create({ queue: "q", implementation: "priority", order: "highest" });
    world.push({ queue: "q", priority: 1, payload: "low" });
    const low = world.popOne("q");
    world.push({ queue: "q", priority: 2, payload: "high" });
    world.nack("q", low);
    assert.deepEqual(world.drain("q"), ["high", "low"]);
  });

  test("priorities that come and go leave nothing behind", () => {
    const world = new QueueWorld();
    world.create({ queue: "q", implementation: "priority" });
    for (let i = 0; i < 800; i++) {
      world.push({ queue: "q", priority: (i * 37) % 500, payload: `${i}` });
      world.push({ queue: "q", priority: 1_000_000 + i, expiryMs: 1 });
      world.ack("q", world.popOne("q"));
      if (i % 100 !== 99) continue;
      world.pass(1);
      world.due();
    }
    assert.deepEqual(world.counts("q"), [0, 0, 0, 0]);
    assert.deepEqual(world.drain("q"), []);
  });
});
