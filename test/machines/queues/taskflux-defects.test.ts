/** What TaskFlux, one of the sources of Truba, got wrong in its queues, and Truba must not. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import { detached } from "../../../src/machines/owner.ts";
import { queueOperation } from "../../../src/machines/queues/queue-operation.ts";
import { CheckedSlab } from "../../state/checked-slab.ts";
import { QueueReplica, QueueWorld, codeOf, start, textOf } from "./queue-world.ts";

/** Makes a range, or says why not. */
function create(priorityMin: number | bigint, priorityMax: number | bigint): void {
  const request = { queue: "q", implementation: "range", priorityMin, priorityMax } as const;
  queueOperation("queue.create", request, detached);
}

suite("defects of TaskFlux", () => {
  test("1: that a queue was made or deleted is durable: pushes that are applied again find it, or do not", () => {
    const world = new QueueWorld();
    world.create({ queue: "orders", implementation: "range", priorityMin: 0, priorityMax: 3 });
    world.create({ queue: "old" });
    world.do("queue.delete", { queue: "old" });
    world.restart();
    world.push({ queue: "orders", priority: 3, payload: "x" });
    const push = { queue: "old", payload: Buffer.alloc(0) };
    assert.equal(codeOf(world.do("queue.push", push)), "NOQUEUE");
    world.restart();
    assert.deepEqual(world.drain("orders"), ["x"]);
  });

  test("1: the same log from its beginning gives the same queues", () => {
    const steps = [
      { verb: "queue.create", request: { queue: "orders" } },
      { verb: "queue.push", request: { queue: "orders", payload: Buffer.from("x") } },
      { verb: "queue.delete", request: { queue: "orders" } },
      { verb: "queue.push", request: { queue: "orders", payload: Buffer.from("y") } },
    ] as const;
    const replicas = [new QueueReplica(1), new QueueReplica(2)];
    const [first, second] = replicas.map((replica) => textOf(replica.apply(start, steps)));
    assert.equal(first, second);
    assert.equal(must(replicas[0]).state.digest, must(replicas[1]).state.digest);
  });

  test("2: a task is removed once: a second acknowledgement is LEASELOST, in life and when the log is applied again", () => {
    const world = new QueueWorld();
    world.create({ queue: "orders" });
    world.push({ queue: "orders" });
    const task = world.popOne("orders");
    world.ack("orders", task);
    world.push({ queue: "orders", payload: "next" });
    const again = world.do("queue.ack", { queue: "orders", leases: [task] });
    assert.equal(codeOf(again), "LEASELOST");
    assert.deepEqual(world.drain("orders"), ["next"]);
  });

  test("3: a leased task survives a checkpoint: it is given back, or comes back by itself, after a restart from it", () => {
    const world = new QueueWorld();
    world.create({ queue: "orders", leaseMs: 1_000 });
    world.push({ queue: "orders", payload: "a" });
    world.push({ queue: "orders", payload: "b" });
    const a = world.popOne("orders");
    world.popOne("orders");
    world.restart();
    assert.deepEqual(world.counts("orders"), [0, 0, 2, 0]);
    world.nack("orders", a);
    assert.deepEqual(world.drain("orders"), ["a"]);
    world.pass(1_000);
    world.due();
    assert.deepEqual(world.drain("orders"), ["b"]);
  });

  test("3: leased tasks count in the greatest size, before and after a restart", () => {
    const world = new QueueWorld();
    world.create({ queue: "orders", maxSize: 1 });
    world.push({ queue: "orders" });
    const task = world.popOne("orders");
    const push = { queue: "orders", payload: Buffer.alloc(0) };
    assert.equal(codeOf(world.do("queue.push", push)), "QUEUEFULL");
    world.restart();
    assert.equal(codeOf(world.do("queue.push", push)), "QUEUEFULL");
    world.ack("orders", task);
    assert.equal(codeOf(world.do("queue.push", push)), "pushed");
  });

  test("15: a range is bounded, its ends may be anywhere, and none is made that overflows", () => {
    const code = "BADPRIORITYRANGE";
    assert.throws(() => create(-(2n ** 63n), 2n ** 63n - 1n), {
      code,
      message: /18446744073709551616/,
    });
    assert.throws(() => create(0, limits.priorityRangeMaxCount), { code });
    create(2n ** 63n - BigInt(limits.priorityRangeMaxCount), 2n ** 63n - 1n);
  });

  test("15: an empty queue of the widest range costs little, and a pop or count does not go through it", () => {
    const world = new QueueWorld();
    const priorityMax = limits.priorityRangeMaxCount - 1;
    world.create({ queue: "wide", implementation: "range", priorityMin: 0, priorityMax });
    const from = performance.now();
    for (let i = 0; i < 500; i++) {
      world.push({ queue: "wide", priority: priorityMax - (i % 2) });
      world.ack("wide", world.popOne("wide"));
      world.counts("wide");
    }
    // Going through 65,536 lists 1,000 times would take longer.
    assert.ok(performance.now() - from < 2_000);
  });

  test("15: what a queue took in memory is given back when its tasks are gone", () => {
    const world = new QueueWorld();
    world.create({ queue: "q", implementation: "priority" });
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 1_000; i++) world.push({ queue: "q", priority: i });
      while (world.pop("q", 500).length > 0);
      world.pass(limits.leaseDefaultMs);
      world.due();
      for (let tasks = world.pop("q", 500); tasks.length > 0; tasks = world.pop("q", 500))
        world.ack("q", ...tasks);
    }
    assert.equal(world.replica.state.rows, 2, "the queue and the count of queues");
    const { slab } = world.replica;
    assert.ok(slab instanceof CheckedSlab);
    assert.equal(slab.blocks.size, 2);
  });

  test("16: a task pushed with nothing in it, and one of the greatest length, come back as they were after a restart", () => {
    const world = new QueueWorld();
    world.create({ queue: "q" });
    const longest = "é".repeat(limits.valueMaxBytes / 2);
    world.push({ queue: "q", payload: "" });
    world.push({ queue: "q", payload: longest });
    world.restart();
    assert.deepEqual(world.drain("q"), ["", longest]);
  });
});
