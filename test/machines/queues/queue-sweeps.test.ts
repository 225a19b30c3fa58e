/** What goes in slices: purges, revivals, the tasks of queues that are gone, and what comes back from whoever held it. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import type { Owner } from "../../../src/machines/owner.ts";
import { purgeOperation, reviveOperation } from "../../../src/machines/queues/queue-operation.ts";
import { OperationReader, OperationWriter } from "../../../src/machines/operation.ts";
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

suite("purge", () => {
  test("what waits and what is delayed goes; what is leased or dead stays", () => {
    const world = newWorld({ maxDeliveries: 1 });
    world.push({ queue: "jobs" });
    fail(world);
    world.push({ queue: "jobs" });
    const held = world.popOne("jobs");
    world.push({ queue: "jobs" });
    world.push({ queue: "jobs", delayMs: 5 });
    assert.deepEqual(world.do("queue.purge", { queue: "jobs" }), { kind: "count", count: 2 });
    assert.deepEqual(world.counts("jobs"), [0, 0, 1, 1]);
    assert.deepEqual(world.do("queue.purge", { queue: "jobs", state: "dead" }), {
      kind: "count",
      count: 1,
    });
    world.ack("jobs", held);
    assert.equal(world.replica.state.table(5)?.count, 0);
  });

  test("one operation drops so many at most; those pushed after the first of them stay, whoever pushes meanwhile (P8)", () => {
    const world = newWorld({ implementation: "priority" });
    const count = limits.sweepMaxRows * 2 + 5;
    for (let i = 0; i < count; i++)
      world.push({ queue: "jobs", priority: i % 3, ...(i % 2 === 0 ? { delayMs: 9 } : {}) });
    const upTo = world.replica.moment.number;
    const dropped: number[] = [];
    do {
      world.push({ queue: "jobs", payload: "new", priority: -1 });
      dropped.push(applyCount(world, purgeOperation({ queue: "jobs" }, upTo)));
    } while (dropped.at(-1) === limits.sweepMaxRows);
    assert.deepEqual(dropped, [limits.sweepMaxRows, limits.sweepMaxRows, 5]);
    assert.deepEqual(world.drain("jobs"), ["new", "new", "new"]);
  });

  test("so with a revival", () => {
    const world = newWorld({ maxDeliveries: 1 });
    const count = limits.sweepMaxRows + 7;
    for (let i = 0; i < count; i++) {
      world.push({ queue: "jobs" });
      fail(world);
    }
    const upTo = world.replica.moment.number;
    assert.equal(applyCount(world, reviveOperation({ queue: "jobs" }, upTo)), limits.sweepMaxRows);
    fail(world);
    world.push({ queue: "jobs" });
    assert.equal(applyCount(world, reviveOperation({ queue: "jobs" }, upTo)), 8);
  });
});

/** Applies an operation that no request makes. */
function applyCount(world: QueueWorld, operation: ReturnType<typeof purgeOperation>): number {
  const writer = new OperationWriter();
  writer.begin(operation.code, undefined);
  operation.encode(writer);
  writer.end();
  const reader = new OperationReader();
  reader.open(writer.take(), 0);
  const outcome = world.replica.stack.apply(reader, world.replica.moment);
  assert.ok(outcome.kind === "count", codeOf(outcome));
  return outcome.count;
}

suite("deletion", () => {
  test("the name is free at once; the tasks go in slices, whatever their state, also across a restart (P8)", () => {
    const world = newWorld({ implementation: "priority", maxDeliveries: 1 });
    const count = limits.dueMaxRows + 100;
    for (let i = 0; i < count; i++)
      world.push({ queue: "jobs", priority: i % 5, ...(i % 3 === 0 ? { delayMs: 10 } : {}) });
    fail(world);
    world.pop("jobs", 10, { node: 1, run: 1, connection: 1 });
    world.do("queue.delete", { queue: "jobs" });
    assert.equal(world.queues.readyCount("jobs"), 0);
    assert.deepEqual(world.queues.totals, {
      waiting: 0,
      delayed: 0,
      leased: 0,
      dead: 0,
      queues: 0,
    });
    world.create({ queue: "jobs" });
    world.push({ queue: "jobs", payload: "new" });
    const tasks = (): number => must(world.replica.state.table(4)).count;
    assert.equal(tasks(), count + 1);
    assert.equal(world.replica.stack.nextDue(), world.now, "there is work at once");
    world.step({ verb: "due" });
    assert.equal(tasks(), 101);
    world.restart();
    assert.equal(world.replica.stack.nextDue(), world.now);
    world.due();
    assert.equal(tasks(), 1);
    assert.deepEqual(world.drain("jobs"), ["new"]);
    assert.equal(world.replica.state.table(5)?.count, 0);
  });

  test("of a queue that is gone the lowest number goes first, after a restart as before it (P5)", () => {
    const worlds = [newWorld(), newWorld()];
    for (const world of worlds) {
      for (let i = 0; i < limits.dueMaxRows + 3; i++)
        world.push({ queue: "jobs", payload: `${i}` });
      const [first] = world.pop("jobs", 5);
      world.nack("jobs", must(first));
      world.do("queue.delete", { queue: "jobs" });
    }
    must(worlds[1]).restart();
    for (const world of worlds) world.step({ verb: "due" });
    const [a, b] = worlds.map((world) => world.replica.state.digest);
    assert.equal(a, b);
    const left: number[] = [];
    const table = must(must(worlds[0]).replica.state.table(4));
    table.each((address) =>
      left.push(table.slab.buffer(address).readDoubleLE(table.keyStart(address))),
    );
    assert.deepEqual(
      left.sort((x, y) => x - y),
      [1_026, 1_027, 1_028],
    );
  });

  test("a lease of a task of a queue that is gone just ends", () => {
    const world = newWorld({ maxDeliveries: 1, deadLetter: "{jobs}.dead" });
    const owner = { node: 1, run: 1, connection: 1 };
    world.push({ queue: "jobs" });
    world.popOne("jobs", owner);
    world.do("queue.delete", { queue: "jobs" });
    assert.deepEqual(world.step({ verb: "disconnected", owner }), { kind: "count", count: 1 });
    assert.equal(world.replica.state.table(4)?.count, 0);
    assert.deepEqual(world.queues.read("queue.list", {}).queues, [], "nobody was buried");
    assert.equal(world.replica.stack.nextDue(), Infinity);
  });
});

suite("owners (P4)", () => {
  const a: Owner = { node: 1, run: 5, connection: 1 };
  const b: Owner = { node: 1, run: 5, connection: 2 };
  const old: Owner = { node: 1, run: 4, connection: 1 };
  const elsewhere: Owner = { node: 2, run: 4, connection: 1 };

  function held(): QueueWorld {
    const world = newWorld();
    for (const owner of [a, b, old, elsewhere]) {
      world.push({ queue: "jobs", payload: `${owner.node}/${owner.run}/${owner.connection}` });
      world.popOne("jobs", owner);
    }
    world.push({ queue: "jobs", payload: "detached" });
    world.popOne("jobs");
    return world;
  }

  test("what a connection held comes back at once when it ends; what others hold, and what is detached, does not", () => {
    const world = held();
    world.restart();
    assert.deepEqual(world.step({ verb: "disconnected", owner: a }), { kind: "count", count: 1 });
    assert.deepEqual(world.drain("jobs"), ["1/5/1"]);
    assert.deepEqual(world.step({ verb: "disconnected", owner: a }), { kind: "count", count: 0 });
  });

  test("a node that starts again gives back what its earlier runs held", () => {
    const world = held();
    assert.deepEqual(world.step({ verb: "restarted", node: 1, run: 6 }), {
      kind: "count",
      count: 3,
    });
    assert.deepEqual(world.drain("jobs"), ["1/5/1", "1/5/2", "1/4/1"]);
    assert.deepEqual(world.step({ verb: "restarted", node: 2, run: 4 }), {
      kind: "count",
      count: 0,
    });
    assert.deepEqual(world.counts("jobs"), [0, 0, 2, 0]);
  });

  test("more than one operation gives back take several (P8)", () => {
    const world = newWorld();
    for (let i = 0; i < limits.sweepMaxRows + 9; i++) world.push({ queue: "jobs" });
    for (let i = 0; i < 2; i++) world.pop("jobs", limits.takeMaxCount, a);
    const release = { verb: "disconnected", owner: a } as const;
    assert.deepEqual(world.step(release), { kind: "count", count: limits.sweepMaxRows });
    assert.deepEqual(world.step(release), { kind: "count", count: 9 });
    assert.deepEqual(world.counts("jobs"), [limits.sweepMaxRows + 9, 0, 0, 0]);
  });
});
