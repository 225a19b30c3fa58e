/** What each verb of queues does (DESIGN §8: queues). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import { QueueWorld, codeOf, start } from "./queue-world.ts";

const owner = { node: 1, run: 7, connection: 3 };

function newWorld(queue = "jobs", settings = {}): QueueWorld {
  const world = new QueueWorld();
  world.create({ queue, ...settings });
  return world;
}

suite("push, pop, ack", () => {
  test("a task is handed out with its payload, its place in time and a lease, and is gone once it is acknowledged", () => {
    const world = newWorld();
    const number = world.push({ queue: "jobs", payload: "hello" });
    world.pass(10);
    const [task] = world.pop("jobs");
    assert.deepEqual(task, {
      task: number,
      lease: number + 1,
      priority: 0,
      deliveries: 1,
      pushedAtMs: start,
      leaseEndsAtMs: start + 10 + limits.leaseDefaultMs,
      payload: Buffer.from("hello"),
    });
    assert.deepEqual(world.counts("jobs"), [0, 0, 1, 0]);
    world.ack("jobs", must(task));
    assert.deepEqual(world.counts("jobs"), [0, 0, 0, 0]);
    assert.equal(world.replica.state.table(4)?.count, 0);
    assert.equal(world.replica.state.table(5)?.count, 0);
  });

  test("a pop takes as many as were asked for, and no more than there are", () => {
    const world = newWorld();
    for (let i = 0; i < 5; i++) world.push({ queue: "jobs", payload: `${i}` });
    assert.equal(world.pop("jobs", 3).length, 3);
    assert.equal(world.pop("jobs", 3).length, 2);
    assert.equal(world.pop("jobs", 3).length, 0);
  });

  test("a pop hands out 4 MiB of payloads and no more, but its first task whatever its size (P8)", () => {
    const world = newWorld();
    const payload = "x".repeat(limits.valueMaxBytes);
    for (let i = 0; i < 6; i++) world.push({ queue: "jobs", payload });
    assert.equal(world.pop("jobs", 6).length, 4);
    assert.equal(world.pop("jobs", 6).length, 2);
  });

  test("a payload is a copy: what becomes of the task later does not change it", () => {
    const world = newWorld();
    world.push({ queue: "jobs", payload: "before" });
    const task = world.popOne("jobs");
    world.ack("jobs", task);
    for (let i = 0; i < 50; i++) world.push({ queue: "jobs", payload: "after!" });
    assert.equal(Buffer.from(task.payload).toString(), "before");
  });

  test("an empty payload is a payload", () => {
    const world = newWorld();
    world.push({ queue: "jobs", payload: "" });
    assert.equal(world.popOne("jobs").payload.length, 0);
  });

  test("one lease that does not hold is LEASELOST; of several, the others are settled and the lost ones named", () => {
    const world = newWorld();
    for (let i = 0; i < 3; i++) world.push({ queue: "jobs" });
    const tasks = world.pop("jobs", 3);
    const [a, b, c] = [must(tasks[0]), must(tasks[1]), must(tasks[2])];
    const wrong = { task: b.task, lease: b.lease + 1 };
    assert.equal(codeOf(world.do("queue.ack", { queue: "jobs", leases: [wrong] })), "LEASELOST");
    assert.deepEqual(world.do("queue.ack", { queue: "jobs", leases: [a, wrong, c, c] }), {
      kind: "settled",
      settled: 2,
      lost: [b.task, c.task],
      leaseEndsAtMs: 0,
    });
    assert.deepEqual(world.counts("jobs"), [0, 0, 1, 0]);
  });

  test("a lease holds for the queue that gave it only", () => {
    const world = newWorld();
    world.create({ queue: "mail" });
    world.push({ queue: "jobs" });
    const task = world.popOne("jobs");
    for (const verb of ["queue.ack", "queue.nack", "queue.extend", "queue.check"] as const)
      assert.equal(codeOf(world.do(verb, { queue: "mail", leases: [task] })), "LEASELOST", verb);
    world.ack("jobs", task);
  });

  test("a lease is lost once it has ended, was given back, acknowledged, or its queue is gone (P4)", () => {
    const world = newWorld();
    const lost = (lease: { task: number; lease: number }): string =>
      codeOf(world.do("queue.ack", { queue: "jobs", leases: [lease] }));
    world.push({ queue: "jobs" });
    const ended = world.popOne("jobs");
    world.pass(limits.leaseDefaultMs);
    world.due();
    assert.equal(lost(ended), "LEASELOST");
    const given = world.popOne("jobs");
    world.nack("jobs", given);
    assert.equal(lost(given), "LEASELOST");
    const acked = world.popOne("jobs");
    world.ack("jobs", acked);
    assert.equal(lost(acked), "LEASELOST");
    world.push({ queue: "jobs" });
    const orphan = world.popOne("jobs");
    world.do("queue.delete", { queue: "jobs" });
    assert.equal(lost(orphan), "NOQUEUE");
    world.create({ queue: "jobs" });
    assert.equal(lost(orphan), "LEASELOST");
  });
});

suite("leases (P4)", () => {
  test("a task whose lease ends is handed out again, not a millisecond early, and counts the delivery", () => {
    const world = newWorld("jobs", { leaseMs: 5_000 });
    const number = world.push({ queue: "jobs" });
    const first = world.popOne("jobs");
    world.pass(4_999);
    world.step({ verb: "due" });
    assert.deepEqual(world.pop("jobs"), []);
    world.pass(1);
    world.due();
    const again = world.popOne("jobs");
    assert.deepEqual([again.task, again.deliveries], [number, 2]);
    assert.notEqual(again.lease, first.lease);
  });

  test("a pop may ask for a lease of its own", () => {
    const world = newWorld();
    world.push({ queue: "jobs" });
    const [task] = world.pop("jobs", 1, owner, 100);
    assert.equal(must(task).leaseEndsAtMs, start + 100);
    world.pass(100);
    world.due();
    assert.deepEqual(world.counts("jobs"), [1, 0, 0, 0]);
  });

  test("extend begins a lease anew, and keeps who holds it", () => {
    const world = newWorld("jobs", { leaseMs: 1_000 });
    world.push({ queue: "jobs" });
    const task = world.popOne("jobs", owner);
    world.pass(900);
    const extended = world.do("queue.extend", { queue: "jobs", leases: [task] });
    assert.deepEqual(extended, {
      kind: "settled",
      settled: 1,
      lost: [],
      leaseEndsAtMs: start + 1_900,
    });
    world.do("queue.extend", { queue: "jobs", leases: [task], leaseMs: 60_000 });
    world.pass(50_000);
    world.due();
    assert.equal(codeOf(world.do("queue.check", { queue: "jobs", leases: [task] })), "settled");
    assert.deepEqual(world.step({ verb: "disconnected", owner }), { kind: "count", count: 1 });
    assert.deepEqual(world.counts("jobs"), [1, 0, 0, 0]);
  });

  test("check changes nothing", () => {
    const world = newWorld();
    world.push({ queue: "jobs" });
    const task = world.popOne("jobs");
    const { digest } = world.replica.state;
    assert.equal(
      codeOf(world.do("queue.check", { queue: "jobs", leases: [task, task] })),
      "settled",
    );
    assert.equal(world.replica.state.digest, digest);
  });

  test("the first deadline is the end of the first lease, delay, expiry or dedup id", () => {
    const world = newWorld();
    const { stack } = world.replica;
    assert.equal(stack.nextDue(), Infinity);
    world.push({ queue: "jobs", dedup: "x" });
    assert.equal(stack.nextDue(), start + limits.dedupDefaultMs);
    world.popOne("jobs");
    assert.equal(stack.nextDue(), start + limits.leaseDefaultMs);
    world.push({ queue: "jobs", delayMs: 20_000 });
    assert.equal(stack.nextDue(), start + 20_000);
    world.push({ queue: "jobs", expiryMs: 10_000 });
    assert.equal(stack.nextDue(), start + 10_000);
  });
});

suite("nack", () => {
  test("a task that is given back can be handed out at once", () => {
    const world = newWorld();
    world.push({ queue: "jobs" });
    world.nack("jobs", world.popOne("jobs"));
    assert.equal(world.popOne("jobs").deliveries, 2);
  });

  test("with a delay it is handed out when that is over, not before", () => {
    const world = newWorld();
    world.push({ queue: "jobs" });
    world.nack("jobs", world.popOne("jobs"), { delayMs: 700 });
    assert.deepEqual(world.counts("jobs"), [0, 1, 0, 0]);
    world.pass(699);
    world.step({ verb: "due" });
    assert.deepEqual(world.pop("jobs"), []);
    world.pass(1);
    world.due();
    assert.equal(world.popOne("jobs").deliveries, 2);
  });

  test("uncounted, the delivery does not count, so it kills nobody", () => {
    const world = newWorld("jobs", { maxDeliveries: 1 });
    world.push({ queue: "jobs" });
    for (let i = 0; i < 3; i++) {
      const task = world.popOne("jobs");
      assert.equal(task.deliveries, 1);
      world.nack("jobs", task, { uncounted: true });
    }
    assert.deepEqual(world.counts("jobs"), [1, 0, 0, 0]);
    assert.equal(world.replica.state.table(5)?.count, 0, "as if it had never been handed out");
  });
});

suite("pause", () => {
  test("a paused queue hands out nothing and does everything else", () => {
    const world = newWorld("jobs", { leaseMs: 1_000 });
    world.push({ queue: "jobs", payload: "a" });
    world.push({ queue: "jobs", payload: "b" });
    const task = world.popOne("jobs");
    assert.deepEqual(world.do("queue.pause", { queue: "jobs" }), { kind: "queue", changed: true });
    assert.deepEqual(world.do("queue.pause", { queue: "jobs" }), { kind: "queue", changed: false });
    assert.deepEqual(world.pop("jobs", 5), []);
    assert.equal(world.queues.readyCount("jobs"), 0);
    world.push({ queue: "jobs", payload: "c" });
    world.ack("jobs", task);
    world.restart();
    assert.deepEqual(world.pop("jobs", 5), []);
    assert.deepEqual(world.do("queue.resume", { queue: "jobs" }), { kind: "queue", changed: true });
    assert.equal(world.queues.readyCount("jobs"), 2);
    assert.deepEqual(world.drain("jobs"), ["b", "c"]);
  });
});

suite("onReady", () => {
  test("whoever waits is told of each way in which a task becomes ready", () => {
    const world = newWorld("jobs", { leaseMs: 1_000, maxDeliveries: 3 });
    const told: string[] = [];
    world.queues.onReady = (queue) => told.push(queue);
    const count = (work: () => void): number => {
      told.length = 0;
      work();
      return told.length;
    };
    assert.equal(
      count(() => world.push({ queue: "jobs" })),
      1,
      "pushed",
    );
    const task = world.popOne("jobs", owner);
    assert.equal(
      count(() => world.nack("jobs", task)),
      1,
      "given back",
    );
    world.popOne("jobs", owner);
    assert.equal(
      count(() => world.step({ verb: "disconnected", owner })),
      1,
      "owner gone",
    );
    assert.equal(
      count(() => world.push({ queue: "jobs", delayMs: 10 })),
      0,
      "delayed",
    );
    world.pass(10);
    assert.equal(
      count(() => world.due()),
      1,
      "delay over",
    );
    world.pop("jobs", 2);
    world.pass(1_000);
    assert.equal(
      count(() => world.due()),
      1,
      "lease over, of one; the other has died",
    );
    assert.equal(
      count(() => world.do("queue.revive", { queue: "jobs" })),
      1,
      "revived",
    );
    world.do("queue.pause", { queue: "jobs" });
    assert.equal(
      count(() => world.push({ queue: "jobs" })),
      0,
      "paused",
    );
    assert.equal(
      count(() => world.do("queue.resume", { queue: "jobs" })),
      1,
      "resumed",
    );
    assert.deepEqual(new Set(told), new Set(["jobs"]));
  });

  test("a task that comes to a dead-letter queue is ready there", () => {
    const world = newWorld("jobs", { maxDeliveries: 1, deadLetter: "{jobs}.dead" });
    world.push({ queue: "jobs" });
    const task = world.popOne("jobs");
    const told: string[] = [];
    world.queues.onReady = (queue) => told.push(queue);
    world.nack("jobs", task);
    assert.deepEqual(told, ["{jobs}.dead"]);
  });
});
