/** Atomic groups: applied whole, or not at all: rows, indexes, counts, deadlines, digest. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import { type Draws, forSeeds } from "../../state/draws.ts";
import { type AnyQueueRequest, QueueWorld, codeOf, pictureOf, textOf } from "./queue-world.ts";

const empty = Buffer.alloc(0);
/** Aborts whatever group it ends. */
const refused: AnyQueueRequest = { verb: "queue.push", request: { queue: "none", payload: empty } };

function withTasks(): QueueWorld {
  const world = new QueueWorld();
  world.create({ queue: "jobs", implementation: "priority", leaseMs: 5_000, maxDeliveries: 2 });
  world.create({ queue: "{jobs}.dead" });
  for (let i = 0; i < 12; i++)
    world.push({
      queue: "jobs",
      payload: `${i}`,
      priority: i % 3,
      ...(i % 4 === 0 ? { delayMs: 1_000 } : {}),
      ...(i % 5 === 0 ? { expiryMs: 90_000 } : {}),
    });
  return world;
}

suite("atomic groups", () => {
  test("what a group did is seen inside it, and afterwards", () => {
    const world = new QueueWorld();
    world.create({ queue: "jobs" });
    world.create({ queue: "next" });
    world.push({ queue: "jobs", payload: "step 1" });
    const task = world.popOne("jobs");
    const outcome = world.step({
      verb: "group",
      requests: [
        { verb: "queue.check", request: { queue: "jobs", leases: [task] } },
        { verb: "queue.push", request: { queue: "next", payload: Buffer.from("step 2") } },
        { verb: "queue.ack", request: { queue: "jobs", leases: [task] } },
      ],
    });
    assert.equal(codeOf(outcome), "group");
    assert.deepEqual(world.drain("next"), ["step 2"]);
    assert.deepEqual(world.counts("jobs"), [0, 0, 0, 0]);
  });

  test("a lease that does not hold aborts it, one of several too; the index and LEASELOST say so", () => {
    const world = new QueueWorld();
    world.create({ queue: "jobs" });
    world.push({ queue: "jobs" });
    const task = world.popOne("jobs");
    const before = textOf(pictureOf(world.replica));
    const leases = [task, { task: task.task, lease: task.lease + 1 }];
    const push = { verb: "queue.push", request: { queue: "jobs", payload: empty } } as const;
    for (const verb of ["queue.check", "queue.ack", "queue.nack", "queue.extend"] as const)
      assert.equal(
        codeOf(
          world.step({
            verb: "group",
            requests: [push, { verb, request: { queue: "jobs", leases } }],
          }),
        ),
        "aborted 1 LEASELOST",
      );
    assert.equal(textOf(pictureOf(world.replica)), before);
  });

  test("`default` and a dead-letter queue that a failed group made are not there", () => {
    const world = new QueueWorld();
    world.create({ queue: "jobs", maxDeliveries: 1, deadLetter: "{jobs}.dead" });
    world.push({ queue: "jobs" });
    const task = world.popOne("jobs");
    const before = textOf(pictureOf(world.replica));
    const outcome = world.step({
      verb: "group",
      requests: [
        { verb: "queue.push", request: { queue: "default", payload: empty, dedup: "x" } },
        { verb: "queue.nack", request: { queue: "jobs", leases: [task] } },
        refused,
      ],
    });
    assert.equal(codeOf(outcome), "aborted 2 NOQUEUE");
    assert.equal(textOf(pictureOf(world.replica)), before);
    world.push({ queue: "default", dedup: "x" });
    world.nack("jobs", task);
    assert.deepEqual(world.counts("{jobs}.dead"), [1, 0, 0, 0]);
  });

  test("a task that a failed group had purged, and that comes back with another priority, is handed out by that", () => {
    const world = new QueueWorld();
    const order = { implementation: "priority", order: "highest", maxDeliveries: 1 } as const;
    world.create({ queue: "jobs", ...order, deadLetter: "{jobs}.dead" });
    world.create({ queue: "{jobs}.dead", maxDeliveries: 1, deadLetter: "jobs" });
    const count = limits.sweepMaxRows + 1;
    for (let i = 1; i <= count; i++) world.push({ queue: "jobs", payload: `${i}`, priority: 5 });
    world.step({
      verb: "group",
      requests: [{ verb: "queue.purge", request: { queue: "jobs" } }, refused],
    });
    world.push({ queue: "jobs", payload: "middle", priority: 3 });
    world.ack("jobs", ...world.pop("jobs", count - 3));
    // It dies twice: the fifo between takes its priority away.
    world.nack("jobs", world.popOne("jobs"));
    world.nack("{jobs}.dead", world.popOne("{jobs}.dead"));
    const rest = [count - 1, count, "middle", count - 2].map(String);
    assert.deepEqual(world.drain("jobs"), rest);
  });

  test("a failed group leaves no trace, whatever it did: state, indexes, digest, deadlines, and the order of delivery", () => {
    forSeeds(1, 150, (draws) => {
      const world = withTasks();
      const leases = [...world.pop("jobs", 4, { node: 1, run: 1, connection: 1 })];
      const twin = withTasks();
      twin.pop("jobs", 4, { node: 1, run: 1, connection: 1 });
      const requests = Array.from({ length: 1 + draws.below(7) }, () => anyRequest(draws, leases));
      const before = textOf(pictureOf(world.replica));
      const outcome = world.step({ verb: "group", requests: [...requests, refused] });
      assert.ok(outcome.kind === "aborted", codeOf(outcome));
      assert.equal(textOf(pictureOf(world.replica)), before, "what is read");
      world.pass(1_000);
      world.due();
      twin.pass(1_000);
      twin.due();
      for (const each of [world, twin])
        each.do("queue.nack", { queue: "jobs", leases: leases.slice(1, 3) });
      assert.deepEqual(world.drain("jobs"), twin.drain("jobs"), "the order");
      const owner = { node: 1, run: 1, connection: 1 };
      assert.deepEqual(
        world.step({ verb: "disconnected", owner }),
        twin.step({ verb: "disconnected", owner }),
      );
    });
  });
});

function anyRequest(
  draws: Draws,
  leases: readonly { task: number; lease: number }[],
): AnyQueueRequest {
  const lease = must(leases[draws.below(leases.length)]);
  const queue = "jobs";
  switch (draws.below(9)) {
    case 0:
      return { verb: "queue.ack", request: { queue, leases: [lease] } };
    case 1:
      return {
        verb: "queue.nack",
        request: { queue, leases: [lease], delayMs: draws.pick([0, 50]) },
      };
    case 2:
      return { verb: "queue.extend", request: { queue, leases: [lease], leaseMs: 77_000 } };
    case 3:
      return { verb: "queue.pop", request: { queue, count: 1 + draws.below(3) } };
    case 4:
      return { verb: "queue.purge", request: { queue } };
    case 5:
      return { verb: "queue.delete", request: { queue: draws.pick(["jobs", "{jobs}.dead"]) } };
    case 6:
      return {
        verb: "queue.alter",
        request: { queue, maxDeliveries: 1, deadLetter: "{jobs}.dead" },
      };
    case 7:
      return { verb: "queue.pause", request: { queue } };
    default:
      return {
        verb: "queue.push",
        request: {
          queue: draws.pick(["jobs", "jobs", "default"]),
          payload: Buffer.from("new"),
          priority: draws.below(5),
          dedup: `${draws.below(3)}`,
          ...(draws.oneIn(3) ? { delayMs: 10 } : {}),
        },
      };
  }
}
