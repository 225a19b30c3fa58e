/** How tasks end other than by an acknowledgement: death and expiry; revival; and pushes that are none, because they were made before. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import type { QueueSettings } from "../../../src/protocol/requests.ts";
import { QueueWorld, codeOf } from "./queue-world.ts";

function newWorld(settings: QueueSettings = {}): QueueWorld {
  const world = new QueueWorld();
  world.create({ queue: "jobs", ...settings });
  return world;
}

/** Hands a task out and lets it fail. */
function fail(world: QueueWorld, queue = "jobs"): void {
  world.nack(queue, world.popOne(queue));
}

suite("death after the last delivery (P4)", () => {
  test("by nack: the task is in the dead-letter queue in the same operation, with its number and payload, as never delivered", () => {
    const world = newWorld({
      implementation: "priority",
      maxDeliveries: 2,
      deadLetter: "{jobs}.dead",
    });
    const number = world.push({ queue: "jobs", payload: "bad", priority: -7, expiryMs: 60_000 });
    fail(world);
    const before = world.replica.moment.number;
    fail(world);
    assert.equal(world.replica.moment.number, before + 2, "a pop and a nack");
    assert.deepEqual(world.counts("jobs"), [0, 0, 0, 0]);
    const { tasks } = world.queues.read("queue.peek", { queue: "{jobs}.dead" });
    assert.deepEqual(
      tasks.map(({ task, priority, deliveries, expiresAtMs, payload }) => ({
        task,
        priority,
        deliveries,
        expiresAtMs,
        payload: Buffer.from(payload).toString(),
      })),
      [{ task: number, priority: -7, deliveries: 0, expiresAtMs: 0, payload: "bad" }],
    );
    world.restart();
    world.ack("{jobs}.dead", world.popOne("{jobs}.dead"));
  });

  test("by the end of its lease and by the loss of its owner as well", () => {
    const world = newWorld({ maxDeliveries: 1, leaseMs: 1_000, deadLetter: "{jobs}.dead" });
    const owner = { node: 1, run: 1, connection: 1 };
    world.push({ queue: "jobs", payload: "a" });
    world.push({ queue: "jobs", payload: "b" });
    world.popOne("jobs");
    world.popOne("jobs", owner);
    world.step({ verb: "disconnected", owner });
    assert.deepEqual(world.counts("{jobs}.dead"), [1, 0, 0, 0]);
    world.pass(1_000);
    world.due();
    assert.deepEqual(world.drain("{jobs}.dead"), ["a", "b"]);
  });

  test("the dead-letter queue takes it whatever its own limits: size, payload; a priority that it does not take becomes one that it does", () => {
    const world = newWorld({
      implementation: "priority",
      maxDeliveries: 1,
      deadLetter: "{jobs}.dead",
    });
    world.create({
      queue: "{jobs}.dead",
      implementation: "range",
      priorityMin: 3,
      priorityMax: 5,
      maxSize: 0,
      maxPayloadBytes: 0,
    });
    for (const priority of [4, 9, -9]) {
      world.push({ queue: "jobs", priority, payload: "x" });
      fail(world);
    }
    const { tasks } = world.queues.read("queue.peek", { queue: "{jobs}.dead" });
    assert.deepEqual(
      tasks.map(({ priority }) => priority),
      [3, 3, 4],
    );
  });

  test("a dead-letter queue of type fifo takes it with priority 0; one that was deleted is made again", () => {
    const world = newWorld({
      implementation: "priority",
      maxDeliveries: 1,
      deadLetter: "{jobs}.dead",
    });
    world.create({ queue: "{jobs}.dead" });
    world.push({ queue: "jobs", priority: 4 });
    fail(world);
    assert.equal(world.popOne("{jobs}.dead").priority, 0);
    world.do("queue.delete", { queue: "{jobs}.dead" });
    world.due();
    world.push({ queue: "jobs", priority: 4 });
    fail(world);
    assert.equal(
      world.queues.read("queue.stats", { queue: "{jobs}.dead" }).implementation,
      "priority",
    );
    assert.equal(world.popOne("{jobs}.dead").priority, 4);
  });

  test("without one it stays, as dead: counted, shown, not handed out, and it does not expire", () => {
    const world = newWorld({ maxDeliveries: 2 });
    const number = world.push({ queue: "jobs", payload: "bad", expiryMs: 1_000 });
    fail(world);
    fail(world);
    assert.deepEqual(world.counts("jobs"), [0, 0, 0, 1]);
    world.pass(5_000);
    world.due();
    assert.deepEqual(world.pop("jobs"), []);
    const { tasks } = world.queues.read("queue.peek", { queue: "jobs", state: "dead" });
    assert.deepEqual(
      tasks.map(({ task, deliveries }) => [task, deliveries]),
      [[number, 2]],
    );
  });

  test("0 deliveries means that it never dies", () => {
    const world = newWorld({ maxDeliveries: 0 });
    world.push({ queue: "jobs" });
    for (let i = 0; i < 50; i++) fail(world);
    assert.equal(world.popOne("jobs").deliveries, 51);
  });

  test("many queues' tasks die in one operation, each in its own dead-letter queue, which are all made by it", () => {
    const world = new QueueWorld();
    const queues = ["a", "b", "c"];
    for (const queue of queues) {
      world.create({ queue, maxDeliveries: 1, deadLetter: `{${queue}}.dead`, leaseMs: 1_000 });
      world.push({ queue, payload: queue });
      world.popOne(queue);
    }
    world.pass(1_000);
    world.step({ verb: "due" });
    world.restart();
    for (const queue of queues) assert.deepEqual(world.drain(`{${queue}}.dead`), [queue]);
  });
});

suite("revive", () => {
  test("dead tasks wait again at their old places, as never delivered: all, or one", () => {
    const world = newWorld({ maxDeliveries: 1 });
    const numbers = ["a", "b", "c"].map((payload) => world.push({ queue: "jobs", payload }));
    for (let i = 0; i < 3; i++) fail(world);
    world.push({ queue: "jobs", payload: "d" });
    const one = { queue: "jobs", task: must(numbers[1]) };
    assert.deepEqual(world.do("queue.revive", one), { kind: "count", count: 1 });
    assert.deepEqual(world.do("queue.revive", one), { kind: "count", count: 0 });
    assert.deepEqual(world.counts("jobs"), [2, 0, 0, 2]);
    assert.deepEqual(world.do("queue.revive", { queue: "jobs" }), { kind: "count", count: 2 });
    assert.deepEqual(
      world
        .pop("jobs", 9)
        .map(({ deliveries, payload }) => [deliveries, Buffer.from(payload).toString()]),
      [
        [1, "a"],
        [1, "b"],
        [1, "c"],
        [1, "d"],
      ],
    );
  });

  test("they are not held back by the greatest size", () => {
    const world = newWorld({ maxDeliveries: 1, maxSize: 1 });
    for (let i = 0; i < 3; i++) {
      world.push({ queue: "jobs" });
      fail(world);
    }
    assert.deepEqual(world.do("queue.revive", { queue: "jobs" }), { kind: "count", count: 3 });
    assert.equal(
      codeOf(world.do("queue.push", { queue: "jobs", payload: Buffer.alloc(0) })),
      "QUEUEFULL",
    );
  });
});

suite("expiry", () => {
  test("what waits or is delayed is dropped when its time is over, not a millisecond early", () => {
    const world = newWorld();
    world.push({ queue: "jobs", expiryMs: 500 });
    world.push({ queue: "jobs", expiryMs: 500, delayMs: 800 });
    world.push({ queue: "jobs", payload: "stays" });
    world.pass(499);
    world.step({ verb: "due" });
    assert.deepEqual(world.counts("jobs"), [2, 1, 0, 0]);
    world.pass(1);
    world.due();
    assert.deepEqual(world.counts("jobs"), [1, 0, 0, 0]);
  });

  test("it is not handed out once its time is over, whether its row was dropped yet or not", () => {
    const world = newWorld();
    world.push({ queue: "jobs", expiryMs: 500 });
    world.push({ queue: "jobs", payload: "stays" });
    world.pass(500);
    assert.deepEqual(world.drain("jobs"), ["stays"]);
    assert.equal(world.replica.state.table(4)?.count, 0);
  });

  test("one that somebody holds is his to acknowledge; it is dropped when it comes back", () => {
    const world = newWorld();
    world.push({ queue: "jobs", expiryMs: 500 });
    world.push({ queue: "jobs", expiryMs: 500 });
    const [a, b] = world.pop("jobs", 2);
    world.pass(600);
    world.due();
    assert.deepEqual(world.counts("jobs"), [0, 0, 2, 0]);
    world.ack("jobs", must(a));
    world.nack("jobs", must(b), { delayMs: 1 });
    assert.deepEqual(world.counts("jobs"), [0, 0, 0, 0]);
  });
});

suite("dedup ids (P3)", () => {
  test("a second push with the id changes nothing and names the first task, even if that is gone", () => {
    const world = newWorld({ maxSize: 1 });
    const number = world.push({ queue: "jobs", payload: "first", dedup: "order 1" });
    const push = { queue: "jobs", payload: Buffer.from("second"), dedup: "order 1" };
    const duplicate = { kind: "pushed", task: number, duplicate: true };
    const { digest } = world.replica.state;
    assert.deepEqual(world.do("queue.push", push), duplicate);
    assert.equal(world.replica.state.digest, digest);
    assert.deepEqual(world.drain("jobs"), ["first"]);
    world.restart();
    assert.deepEqual(world.do("queue.push", push), duplicate);
    assert.deepEqual(world.drain("jobs"), []);
  });

  test("it is remembered for the window of the queue from the push on, whether its row was dropped or not", () => {
    for (const handles of [true, false]) {
      const world = newWorld({ dedupMs: 1_000 });
      world.push({ queue: "jobs", dedup: "x", payload: "1" });
      world.pass(999);
      if (handles) world.due();
      const request = { queue: "jobs", payload: Buffer.from("2"), dedup: "x" };
      const again = world.do("queue.push", request);
      assert.ok(again.kind === "pushed" && again.duplicate);
      world.pass(1);
      if (handles) world.due();
      world.push({ queue: "jobs", dedup: "x", payload: "3" });
      assert.deepEqual(world.drain("jobs"), ["1", "3"]);
      world.pass(1_000);
      world.due();
      assert.equal(world.replica.state.table(6)?.count, 0);
    }
  });

  test("ids are those of one queue; one that is deleted and made again knows none", () => {
    const world = newWorld();
    world.create({ queue: "mail" });
    world.push({ queue: "jobs", dedup: "x", payload: "1" });
    world.push({ queue: "mail", dedup: "x", payload: "1" });
    world.do("queue.delete", { queue: "jobs" });
    world.create({ queue: "jobs" });
    world.push({ queue: "jobs", dedup: "x", payload: "2" });
    assert.deepEqual(world.drain("jobs"), ["2"]);
  });

  test("a push that is refused remembers no id; a window of 0 remembers none at all", () => {
    const world = newWorld({ maxPayloadBytes: 1 });
    const request = { queue: "jobs", payload: Buffer.from("long"), dedup: "x" };
    assert.equal(codeOf(world.do("queue.push", request)), "PAYLOADTOOLARGE");
    world.push({ queue: "jobs", dedup: "x", payload: "s" });
    world.do("queue.alter", { queue: "jobs", dedupMs: 0 });
    world.push({ queue: "jobs", dedup: "y" });
    world.push({ queue: "jobs", dedup: "y" });
    assert.deepEqual(world.counts("jobs"), [3, 0, 0, 0]);
  });
});
