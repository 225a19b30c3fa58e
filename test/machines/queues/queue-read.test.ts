/** What is read of queues, the queue that makes itself, and responses. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { detached } from "../../../src/machines/owner.ts";
import { queueOperation } from "../../../src/machines/queues/queue-operation.ts";
import { queueResponse } from "../../../src/machines/queues/queue-response.ts";
import { QueueWorld, codeOf, start } from "./queue-world.ts";

function newWorld(queue = "jobs", settings = {}): QueueWorld {
  const world = new QueueWorld();
  world.create({ queue, ...settings });
  return world;
}

suite("what is read", () => {
  test("peek shows what waits in the order of delivery and takes nothing", () => {
    const world = newWorld("jobs", { implementation: "priority" });
    const late = world.push({ queue: "jobs", priority: 9, payload: "late", expiryMs: 50 });
    const soon = world.push({ queue: "jobs", priority: 1, payload: "soon" });
    const { tasks } = world.queues.read("queue.peek", { queue: "jobs" });
    assert.deepEqual(tasks, [
      {
        task: soon,
        state: "waiting",
        priority: 1,
        deliveries: 0,
        pushedAtMs: start,
        dueAtMs: 0,
        expiresAtMs: 0,
        payload: Buffer.from("soon"),
      },
      {
        task: late,
        state: "waiting",
        priority: 9,
        deliveries: 0,
        pushedAtMs: start,
        dueAtMs: 0,
        expiresAtMs: start + 50,
        payload: Buffer.from("late"),
      },
    ]);
    assert.deepEqual(world.counts("jobs"), [2, 0, 0, 0]);
    assert.equal(world.queues.read("queue.peek", { queue: "jobs", count: 1 }).tasks.length, 1);
  });

  test("peek shows the other states by task, from a task on", () => {
    const world = newWorld("jobs", { maxDeliveries: 1 });
    const numbers = Array.from({ length: 3 }, () => world.push({ queue: "jobs", delayMs: 10 }));
    const peek = (state: "delayed" | "leased" | "dead", after = 0): number[] =>
      world.queues
        .read("queue.peek", { queue: "jobs", state, after })
        .tasks.map(({ task }) => task);
    assert.deepEqual(peek("delayed"), numbers);
    assert.deepEqual(peek("delayed", numbers[0]), numbers.slice(1));
    world.pass(10);
    world.due();
    const leased = world.pop("jobs", 3);
    assert.deepEqual(peek("leased", numbers[1]), numbers.slice(2));
    assert.deepEqual(peek("leased"), numbers);
    for (const task of leased) world.nack("jobs", task);
    assert.deepEqual(peek("dead"), numbers);
    assert.deepEqual(peek("dead", numbers[2]), []);
    assert.deepEqual(peek("leased"), []);
  });

  test("a peek answers 4 MiB at most, but one task whatever its size (P8)", () => {
    const world = newWorld();
    for (let i = 0; i < 6; i++) world.push({ queue: "jobs", payload: "x".repeat(1_048_576) });
    assert.equal(world.queues.read("queue.peek", { queue: "jobs" }).tasks.length, 4);
  });

  test("stats tell settings, counts, bytes, and how old the next task is", () => {
    const world = newWorld("jobs", {
      implementation: "range",
      order: "highest",
      priorityMin: -5,
      priorityMax: 2n ** 3n,
      maxSize: 10,
      maxPayloadBytes: 64,
      leaseMs: 1_000,
      maxDeliveries: 0,
      deadLetter: "{jobs}.dead",
      dedupMs: 0,
    });
    world.pass(5);
    world.push({ queue: "jobs", payload: "four", priority: 8 });
    world.pass(5);
    world.push({ queue: "jobs", payload: "elevenbytes", priority: 1, delayMs: 1 });
    world.do("queue.pause", { queue: "jobs" });
    assert.deepEqual(world.queues.read("queue.stats", { queue: "jobs" }), {
      queue: "jobs",
      implementation: "range",
      order: "highest",
      priorityMin: -5,
      priorityMax: 8,
      maxSize: 10,
      maxPayloadBytes: 64,
      leaseMs: 1_000,
      maxDeliveries: 0,
      deadLetter: "{jobs}.dead",
      dedupMs: 0,
      paused: true,
      createdAtMs: start,
      waiting: 1,
      delayed: 1,
      leased: 0,
      dead: 0,
      payloadBytes: 15,
      nextPushedAtMs: start + 5,
    });
  });

  test("list goes through all queues by name, page by page", () => {
    const world = new QueueWorld();
    for (const queue of ["b", "a", "c", "B"]) world.create({ queue });
    const list = (after: string | undefined, count: number): string[] =>
      world.queues
        .read("queue.list", after === undefined ? { count } : { after, count })
        .queues.map(({ queue }) => queue);
    assert.deepEqual(list(undefined, 3), ["B", "a", "b"]);
    assert.deepEqual(list("b", 3), ["c"]);
    assert.deepEqual(list("aa", 1), ["b"]);
    world.do("queue.delete", { queue: "a" });
    assert.deepEqual(list(undefined, 9), ["B", "b", "c"]);
  });

  test("totals are those of all queues", () => {
    const world = newWorld();
    world.create({ queue: "mail", maxDeliveries: 1 });
    world.push({ queue: "jobs" });
    world.push({ queue: "jobs", delayMs: 5 });
    world.push({ queue: "mail" });
    world.nack("mail", world.popOne("mail"));
    world.push({ queue: "mail" });
    world.popOne("mail");
    assert.deepEqual(world.queues.totals, {
      waiting: 1,
      delayed: 1,
      leased: 1,
      dead: 1,
      queues: 2,
    });
    world.do("queue.delete", { queue: "mail" });
    assert.deepEqual(world.queues.totals, {
      waiting: 1,
      delayed: 1,
      leased: 0,
      dead: 0,
      queues: 1,
    });
  });
});

suite("the queue `default`", () => {
  test("it makes itself when it is first written to; until then it reads as empty", () => {
    const world = new QueueWorld();
    assert.deepEqual(world.counts("default"), [0, 0, 0, 0]);
    assert.deepEqual(world.queues.read("queue.peek", { queue: "default" }).tasks, []);
    assert.equal(world.queues.read("queue.stats", { queue: "default" }).implementation, "priority");
    assert.deepEqual(world.queues.read("queue.list", {}).queues, []);
    assert.deepEqual(world.pop("default"), []);
    assert.equal(world.queues.read("queue.list", {}).queues.length, 1);
    world.push({ queue: "default", priority: -(2n ** 63n), payload: "x" });
    assert.deepEqual(world.drain("default"), ["x"]);
  });

  test("what changes only what is there does not make it", () => {
    const world = new QueueWorld();
    const lease = { task: 1, lease: 1 };
    assert.equal(codeOf(world.do("queue.ack", { queue: "default", leases: [lease] })), "LEASELOST");
    assert.deepEqual(world.do("queue.purge", { queue: "default" }), { kind: "count", count: 0 });
    assert.deepEqual(world.do("queue.revive", { queue: "default" }), { kind: "count", count: 0 });
    assert.deepEqual(world.do("queue.resume", { queue: "default" }), {
      kind: "queue",
      changed: false,
    });
    assert.deepEqual(world.do("queue.delete", { queue: "default" }), {
      kind: "queue",
      changed: false,
    });
    assert.equal(world.queues.totals.queues, 0);
    assert.deepEqual(world.do("queue.pause", { queue: "default" }), {
      kind: "queue",
      changed: true,
    });
    assert.equal(world.queues.totals.queues, 1);
  });

  test("it can be deleted, and comes back when it is used", () => {
    const world = new QueueWorld();
    world.push({ queue: "default" });
    assert.deepEqual(world.do("queue.delete", { queue: "default" }), {
      kind: "queue",
      changed: true,
    });
    assert.deepEqual(world.pop("default"), []);
  });
});

suite("responses", () => {
  test("each outcome becomes the response of its verb", () => {
    const change = { kind: "queue", changed: true } as const;
    const settled = { kind: "settled", settled: 1, lost: [2], leaseEndsAtMs: 3 } as const;
    assert.deepEqual(queueResponse("queue.create", change), { created: true });
    assert.deepEqual(queueResponse("queue.alter", change), { altered: true });
    assert.deepEqual(queueResponse("queue.delete", change), { deleted: true });
    assert.deepEqual(queueResponse("queue.pause", change), { changed: true });
    assert.deepEqual(queueResponse("queue.resume", change), { changed: true });
    assert.deepEqual(queueResponse("queue.push", { kind: "pushed", task: 5, duplicate: true }), {
      task: 5,
      duplicate: true,
    });
    assert.deepEqual(queueResponse("queue.pop", { kind: "tasks", tasks: [] }), { tasks: [] });
    assert.deepEqual(queueResponse("queue.ack", settled), { settled: 1, lost: [2] });
    assert.deepEqual(queueResponse("queue.extend", settled), {
      settled: 1,
      lost: [2],
      leaseEndsAtMs: 3,
    });
    assert.deepEqual(queueResponse("queue.purge", { kind: "count", count: 4 }), { count: 4 });
    assert.throws(() => queueResponse("queue.push", { kind: "done" }), /no outcome of kind done/);
  });

  test("what reads is no operation", () => {
    assert.throws(() => queueOperation("queue.count", { queue: "a" }, detached), {
      code: "NOTSUPPORTED",
    });
  });
});
