/** Requests on a node: owners, sweeps, groups. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { detached } from "../../src/machines/owner.ts";
import { RequestsWorld, textOf } from "./requests-world.ts";

async function worldWithQueue(): Promise<RequestsWorld> {
  const world = await RequestsWorld.open();
  await world.call("queue.create", { queue: "q" }, detached);
  return world;
}

function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "done",
    (error: unknown) => (error instanceof TrubaError ? error.code : String(error)),
  );
}

async function turn(): Promise<void> {
  for (let i = 0; i < 6; i++)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
}

function push(queue: string): unknown {
  return { verb: "queue.push", request: { queue, payload: Buffer.from("x") } };
}

suite("P4: what an owner holds", () => {
  test("goes back at once when its connection ends, behind all its requests", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    for (let i = 0; i < 5; i++) await world.push("q", String(i), owner);
    const { tasks } = await world.call("queue.pop", { queue: "q", count: 4 }, owner);
    const session = await world.call("session.new", { kind: "job", data: Buffer.from("a") }, owner);
    // Not waited for: the connection ends right behind them.
    const { task, lease } = must(tasks[0]);
    const acked = world.call("queue.ack", { queue: "q", leases: [{ task, lease }] }, owner);
    world.node.requests.closeOwner(owner);
    assert.deepEqual(await acked, { settled: 1, lost: [] });
    await turn();
    const count = await world.call("queue.count", { queue: "q" }, detached);
    assert.deepEqual(count, { waiting: 4, delayed: 0, leased: 0, dead: 0 });
    const info = await world.call("session.get", { session: session.session }, detached);
    assert.equal(info.state, "stored");
    const next = await world.call("queue.pop", { queue: "q", count: 4 }, world.owner());
    assert.deepEqual(
      next.tasks.map(({ payload }) => textOf(payload)),
      ["1", "2", "3", "4"],
      "their old places",
    );
    await world.stop();
  });

  test("is not touched when another's connection ends, nor what is detached", async () => {
    const world = await worldWithQueue();
    const [one, other] = [world.owner(), world.owner()];
    for (let i = 0; i < 3; i++) await world.push("q", String(i), one);
    await world.call("queue.pop", { queue: "q" }, one);
    await world.call("queue.pop", { queue: "q" }, other);
    await world.call("queue.pop", { queue: "q" }, detached);
    const kept = await world.call("session.new", { kind: "job", detached: true }, other);
    world.node.requests.closeOwner(other);
    await turn();
    const count = await world.call("queue.count", { queue: "q" }, detached);
    assert.deepEqual([count.waiting, count.leased], [1, 2]);
    const info = await world.call("session.get", { session: kept.session }, detached);
    assert.equal(info.state, "active");
    await world.stop();
  });

  test("goes back when the node starts again, more than one operation may give back", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    const tasks = 3 * limits.sweepMaxRows + 5;
    await Promise.all(Array.from({ length: tasks }, () => world.push("q", "x", owner)));
    for (let left = tasks; left > 0; left -= limits.takeMaxCount)
      await world.call("queue.pop", { queue: "q", count: limits.takeMaxCount }, owner);
    const held = await world.call("queue.count", { queue: "q" }, detached);
    assert.equal(held.leased, tasks);
    await world.die();
    await world.start();
    await turn();
    await turn();
    const count = await world.call("queue.count", { queue: "q" }, detached);
    assert.deepEqual([count.waiting, count.leased], [tasks, 0]);
    await world.stop();
  });
});

suite("sweeps", () => {
  test("a purge drops everything, however much, and nothing that was pushed behind it", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    const tasks = 2 * limits.sweepMaxRows + 10;
    await Promise.all(Array.from({ length: tasks }, () => world.push("q", "x", owner)));
    const purged = world.call("queue.purge", { queue: "q" }, owner);
    const later = world.push("q", "later", owner);
    assert.deepEqual(await purged, { count: tasks });
    await later;
    const { waiting } = await world.call("queue.count", { queue: "q" }, detached);
    assert.equal(waiting, 1);
    await world.stop();
  });
});

suite("atomic groups", () => {
  test("a new session takes the tag of a record's key as it is written, capitals too", async () => {
    const world = await worldWithQueue();
    const key = "{Order-7}0B5DA5B0-9C5A-4E6F-8B0E-3F3C7A1D2E4F";
    const [, opened] = (await world.node.requests.atomic(
      [
        { verb: "record.set", request: { key, value: Buffer.from("v") } },
        { verb: "session.new", request: { kind: "job" } },
      ],
      { owner: world.owner() },
    )) as [unknown, { session: string }];
    assert.match(opened.session, /^\{Order-7\}/);
    await world.stop();
  });

  test("all of it, with a response for each; a new session takes the tag of the group", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    await world.push("q", "work", owner);
    const { tasks } = await world.call("queue.pop", { queue: "q" }, owner);
    const { task, lease } = must(tasks[0]);
    const responses = await world.node.requests.atomic(
      [
        { verb: "queue.ack", request: { queue: "q", leases: [{ task, lease }] } },
        { verb: "session.new", request: { kind: "job", data: Buffer.from("a") } },
        {
          verb: "record.set",
          request: { key: "{q}00000000-0000-4000-8000-000000000001", value: Buffer.from("v") },
        },
        { verb: "queue.push", request: { queue: "{q}.next", payload: Buffer.from("n") } },
      ].slice(0, 3) as never,
      { owner },
    );
    const [acked, opened, written] = responses as [
      { settled: number },
      { session: string },
      { status: string },
    ];
    assert.equal(acked.settled, 1);
    assert.match(opened.session, /^\{q\}[0-9a-f]{16}$/);
    assert.equal(written.status, "created");
    await world.stop();
  });

  test("none of it when a lease, an epoch or a version does not hold; says which and why", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    const key = "{q}00000000-0000-4000-8000-000000000001";
    const session = await world.call("session.new", { kind: "job", tag: "q" }, owner);
    await world.call("record.set", { key, value: Buffer.from("1") }, owner);
    const refusals = [
      [
        { verb: "queue.check", request: { queue: "q", leases: [{ task: 1, lease: 1 }] } },
        "LEASELOST",
      ],
      [{ verb: "session.touch", request: { ...session, epoch: session.epoch - 1 } }, "FENCED"],
      [{ verb: "record.check", request: { key, ifVersion: 999 } }, "VERSIONCONFLICT"],
    ] as const;
    for (const [condition, code] of refusals) {
      const group = world.node.requests.atomic(
        [
          { verb: "queue.push", request: { queue: "q", payload: Buffer.from("x") } },
          { verb: "session.append", request: { ...session, data: Buffer.from("x") } },
          { verb: "record.set", request: { key, value: Buffer.from("2") } },
          condition,
        ],
        { owner },
      );
      const error = await group.then(
        () => assert.fail("it was applied"),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof TrubaError);
      assert.equal(error.code, "EXECABORT");
      const cause = error.cause as { index: number; code: string };
      assert.deepEqual([cause.index, cause.code], [3, code]);
    }
    assert.equal((await world.call("queue.count", { queue: "q" }, owner)).waiting, 0);
    assert.equal(
      (await world.call("session.get", { session: session.session }, owner)).recordsCount,
      0,
    );
    assert.equal(
      textOf(must((await world.call("record.get", { key }, owner)).value ?? undefined)),
      "1",
    );
    await world.stop();
  });

  test("keys on several partitions, and what cannot stand in a group, are refused", async () => {
    const world = await worldWithQueue();
    const groupOf = (...requests: unknown[]): Promise<string> =>
      codeOf(world.node.requests.atomic(requests as never, { owner: detached }));
    assert.equal(await groupOf(push("q"), push("r"), push("s"), push("t")), "CROSSSLOT");
    assert.equal(
      await groupOf(push("q"), { verb: "queue.pop", request: { queue: "q" } }),
      "NOTSUPPORTED",
    );
    assert.equal(
      await groupOf(push("q"), { verb: "queue.purge", request: { queue: "q" } }),
      "NOTSUPPORTED",
    );
    assert.equal(await groupOf(...Array.from({ length: 1_025 }, () => push("q"))), "TOOLARGE");
    await world.stop();
  });

  test("P3: a group with a request id is done once", async () => {
    const world = await worldWithQueue();
    const group = (): Promise<readonly object[]> =>
      world.node.requests.atomic(
        [{ verb: "queue.push", request: { queue: "q", payload: Buffer.from("x") } }],
        { owner: detached, requestId: "once" },
      );
    assert.deepEqual(await group(), await group());
    assert.equal((await world.call("queue.count", { queue: "q" }, detached)).waiting, 1);
    await world.stop();
  });
});
