/** Everything that is refused, each with its code and a text that names the thing, the value and the limit; and that nothing changes by it. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { ErrorCode } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import type { Outcome } from "../../../src/machines/outcome.ts";
import { detached } from "../../../src/machines/owner.ts";
import { type QueueVerb, queueOperation } from "../../../src/machines/queues/queue-operation.ts";
import { slotOf } from "../../../src/placement/slots.ts";
import { Slab } from "../../../src/state/slab.ts";
import type { RequestOf } from "../../../src/protocol/requests.ts";
import { QueueWorld, codeOf } from "./queue-world.ts";

const payload = Buffer.from("payload");

/** The request is refused before it becomes an operation. */
function refused<V extends QueueVerb>(
  verb: V,
  request: RequestOf<V>,
  code: ErrorCode,
  text: RegExp,
): void {
  assert.throws(() => queueOperation(verb, request, detached), { code, message: text });
}

/** The operation is refused where it is applied, and leaves the state as it was. */
function refusedBy<V extends QueueVerb>(
  world: QueueWorld,
  verb: V,
  request: RequestOf<V>,
  code: ErrorCode,
  text: RegExp,
): void {
  const { digest } = world.replica.state;
  const outcome: Outcome = world.do(verb, request);
  assert.ok(outcome.kind === "error", `${verb} was done`);
  assert.equal(outcome.code, code);
  assert.match(outcome.text, text);
  assert.equal(world.replica.state.digest, digest, "the state");
}

/** A value that no caller with types could give. */
function untyped(value: unknown): never {
  return value as never;
}

/** A creation with these settings is refused. */
function create(settings: object, code: ErrorCode, text: RegExp): void {
  refused("queue.create", { queue: "q", ...settings }, code, text);
}

function bound(queue: string, deadLetter: string): RequestOf<"queue.create"> {
  return { queue, deadLetter };
}

suite("requests that are not right", () => {
  test("a queue's name is printable ASCII of 1 to 255 bytes (BADQUEUENAME)", () => {
    for (const queue of ["", "a b", "ж", "\x7f", "a\n", "x".repeat(256)])
      refused("queue.push", { queue, payload }, "BADQUEUENAME", /1 to 255 printable ASCII/);
    refused("queue.delete", { queue: untyped(7) }, "BADQUEUENAME", /queue is 7;/);
    for (const queue of ["!", "~", "x".repeat(255), "{tag}q"])
      queueOperation("queue.push", { queue, payload }, detached);
  });

  test("types, orders and ranges (BADIMPLEMENTATION, NOPRIORITYRANGE, BADPRIORITYRANGE, BADVALUE)", () => {
    create(
      { implementation: "heap" },
      "BADIMPLEMENTATION",
      /is "heap"; it must be one of fifo, priority, range/,
    );
    create({ order: "random" }, "BADVALUE", /order is "random"/);
    create({ implementation: "range" }, "NOPRIORITYRANGE", /needs its lowest and highest/);
    create(
      { implementation: "range", priorityMin: 1 },
      "BADPRIORITYRANGE",
      /highest priority is missing/,
    );
    create(
      { implementation: "priority", priorityMax: 1 },
      "BADPRIORITYRANGE",
      /lowest priority is missing/,
    );
    create(
      { implementation: "priority", priorityMin: 2, priorityMax: 1n },
      "BADPRIORITYRANGE",
      /2, is above the highest, 1/,
    );
    create(
      { implementation: "fifo", priorityMin: 0, priorityMax: 0 },
      "BADPRIORITYRANGE",
      /fifo takes no/,
    );
    create(
      { implementation: "priority", priorityMin: 0.5, priorityMax: 1 },
      "BADVALUE",
      /priorityMin is 0.5/,
    );
    create(
      { implementation: "priority", priorityMin: 0, priorityMax: 2n ** 63n },
      "BADVALUE",
      /priorityMax is 9223372036854775808/,
    );
    create(
      { implementation: "range", priorityMin: 0, priorityMax: 65_536 },
      "BADPRIORITYRANGE",
      /65537 priorities.*65536 at most/,
    );
  });

  test("sizes, leases and other policies, made or altered (BADMAXSIZE, BADMAXPAYLOAD, BADVALUE)", () => {
    for (const verb of ["queue.create", "queue.alter"] as const) {
      const policy = (policies: object, code: ErrorCode, text: RegExp): void =>
        refused(verb, { queue: "q", ...policies }, code, text);
      policy({ maxSize: -1 }, "BADMAXSIZE", /maxSize is -1; .*0 to 2147483647/);
      policy({ maxSize: 2 ** 31 }, "BADMAXSIZE", /maxSize is 2147483648/);
      policy({ maxPayloadBytes: 1.5 }, "BADMAXPAYLOAD", /maxPayloadBytes is 1.5/);
      policy({ maxPayloadBytes: limits.valueMaxBytes + 1 }, "BADMAXPAYLOAD", /0 to 1048576/);
      policy({ leaseMs: 99 }, "BADVALUE", /leaseMs is 99; .*100 to 43200000/);
      policy({ leaseMs: limits.leaseMaxMs + 1 }, "BADVALUE", /leaseMs/);
      policy({ maxDeliveries: -1 }, "BADVALUE", /maxDeliveries/);
      policy({ maxDeliveries: limits.deliveriesMaxCount + 1 }, "BADVALUE", /maxDeliveries/);
      policy({ dedupMs: limits.dedupMaxMs + 1 }, "BADVALUE", /dedupMs/);
      policy({ deadLetter: "a b" }, "BADQUEUENAME", /deadLetter/);
    }
  });

  test("a dead-letter queue is bound to the same partition and is not the queue itself (BADVALUE, with a name that would do)", () => {
    refused("queue.create", bound("jobs", "jobs"), "BADVALUE", /the queue "jobs" itself/);
    refused("queue.create", bound("jobs", "graveyard"), "BADVALUE", /\{jobs\}\.dead would be/);
    refused("queue.alter", bound("{a}jobs", "graveyard"), "BADVALUE", /\{a\}jobs\.dead would be/);
    assert.equal(slotOf(Buffer.from("{jobs}.dead")), slotOf(Buffer.from("jobs")));
    queueOperation("queue.create", bound("jobs", "{jobs}.dead"), detached);
    queueOperation("queue.create", bound("{a}jobs", "{a}jobs.dead"), detached);
    // No name at hand would do; then none is proposed.
    assert.throws(
      () => queueOperation("queue.create", bound("}", "x"), detached),
      (error: Error) =>
        !/would be/.test(error.message) ||
        slotOf(Buffer.from("{}}.dead")) === slotOf(Buffer.from("}")),
    );
  });

  test("what a push, pop or settlement says (PAYLOADTOOLARGE, BADVALUE)", () => {
    const push = (options: object, code: ErrorCode, text: RegExp): void =>
      refused("queue.push", { queue: "q", payload, ...options }, code, text);
    push(
      { payload: Buffer.alloc(limits.valueMaxBytes + 1) },
      "PAYLOADTOOLARGE",
      /1048577 bytes; queue "q".*1048576/,
    );
    push({ payload: "text" }, "BADVALUE", /payload is no bytes/);
    push({ priority: 2 ** 53 }, "BADVALUE", /priority is 9007199254740992/);
    push({ priority: -(2n ** 63n) - 1n }, "BADVALUE", /priority is -9223372036854775809/);
    push({ priority: NaN }, "BADVALUE", /priority is NaN/);
    push({ delayMs: -1 }, "BADVALUE", /delayMs is -1/);
    push({ delayMs: limits.delayMaxMs + 1 }, "BADVALUE", /delayMs/);
    push({ expiryMs: 0 }, "BADVALUE", /expiryMs is 0/);
    push({ dedup: "" }, "BADVALUE", /dedup is 0 bytes; it must be 1 to 128/);
    push({ dedup: "é".repeat(65) }, "BADVALUE", /dedup is 130 bytes/);
    refused("queue.pop", { queue: "q", count: 0 }, "BADVALUE", /count is 0; .*1 to 1024/);
    refused("queue.pop", { queue: "q", count: 1_025 }, "BADVALUE", /count is 1025/);
    refused("queue.pop", { queue: "q", leaseMs: 1 }, "BADVALUE", /leaseMs/);
    refused(
      "queue.pop",
      { queue: "q", waitMs: 60_001 },
      "BADVALUE",
      /waitMs is 60001; .*0 to 60000/,
    );
    refused(
      "queue.ack",
      { queue: "q", leases: [] },
      "BADVALUE",
      /leases are 0; there must be 1 to 1024/,
    );
    const many = Array.from({ length: 1_025 }, () => ({ task: 1, lease: 1 }));
    refused("queue.nack", { queue: "q", leases: many }, "BADVALUE", /leases are 1025/);
    refused("queue.ack", { queue: "q", leases: [{ task: 0, lease: 1 }] }, "BADVALUE", /task is 0/);
    refused(
      "queue.ack",
      { queue: "q", leases: [{ task: 1, lease: 0.5 }] },
      "BADVALUE",
      /lease is 0.5/,
    );
    refused(
      "queue.nack",
      { queue: "q", leases: [{ task: 1, lease: 1 }], delayMs: NaN },
      "BADVALUE",
      /delayMs/,
    );
    refused(
      "queue.extend",
      { queue: "q", leases: [{ task: 1, lease: 1 }], leaseMs: 5 },
      "BADVALUE",
      /leaseMs/,
    );
    refused("queue.purge", { queue: "q", state: untyped("leased") }, "BADVALUE", /state is leased/);
    refused("queue.revive", { queue: "q", task: 0 }, "BADVALUE", /task is 0/);
  });

  test("reads are checked as well", () => {
    const { queues } = new QueueWorld();
    assert.throws(() => queues.read("queue.count", { queue: "none" }), {
      code: "NOQUEUE",
      message: /"none"/,
    });
    assert.throws(() => queues.read("queue.count", { queue: "a b" }), { code: "BADQUEUENAME" });
    assert.throws(() => queues.read("queue.peek", { queue: "default", count: 1_001 }), {
      code: "BADVALUE",
    });
    assert.throws(() => queues.read("queue.peek", { queue: "default", state: untyped("gone") }), {
      code: "BADVALUE",
      message: /waiting, delayed, leased, dead/,
    });
    assert.throws(() => queues.read("queue.peek", { queue: "default", after: -1 }), {
      code: "BADVALUE",
    });
    assert.throws(() => queues.read("queue.list", { count: 0 }), { code: "BADVALUE" });
  });
});

suite("what a queue refuses", () => {
  test("an unknown queue is NOQUEUE on every verb but delete and create", () => {
    const world = new QueueWorld();
    const queue = "none";
    const leases = [{ task: 1, lease: 1 }];
    const none = /there is no queue "none"/;
    refusedBy(world, "queue.push", { queue, payload }, "NOQUEUE", none);
    refusedBy(world, "queue.pop", { queue }, "NOQUEUE", none);
    refusedBy(world, "queue.ack", { queue, leases }, "NOQUEUE", none);
    refusedBy(world, "queue.nack", { queue, leases }, "NOQUEUE", none);
    refusedBy(world, "queue.extend", { queue, leases }, "NOQUEUE", none);
    refusedBy(world, "queue.check", { queue, leases }, "NOQUEUE", none);
    refusedBy(world, "queue.alter", { queue, maxSize: 1 }, "NOQUEUE", none);
    refusedBy(world, "queue.pause", { queue }, "NOQUEUE", none);
    refusedBy(world, "queue.resume", { queue }, "NOQUEUE", none);
    refusedBy(world, "queue.purge", { queue }, "NOQUEUE", none);
    refusedBy(world, "queue.revive", { queue }, "NOQUEUE", none);
    assert.deepEqual(world.do("queue.delete", { queue }), { kind: "queue", changed: false });
  });

  test("a queue that is there already is QUEUEEXISTS; with ifAbsent only if it is of another type, order or range", () => {
    const world = new QueueWorld();
    world.create({
      queue: "q",
      implementation: "priority",
      priorityMin: 0,
      priorityMax: 9,
      maxSize: 3,
    });
    const same = {
      queue: "q",
      implementation: "priority",
      priorityMin: 0,
      priorityMax: 9,
    } as const;
    refusedBy(world, "queue.create", same, "QUEUEEXISTS", /there is a queue "q" already/);
    assert.deepEqual(world.do("queue.create", { ...same, ifAbsent: true, maxSize: 7 }), {
      kind: "queue",
      changed: false,
    });
    assert.equal(world.queues.read("queue.stats", { queue: "q" }).maxSize, 3, "it stays as it is");
    const other = /another type, order or priority range already: priority, lowest first, 0 to 9/;
    const ifAbsent = true;
    refusedBy(world, "queue.create", { queue: "q", ifAbsent }, "QUEUEEXISTS", other);
    refusedBy(world, "queue.create", { ...same, order: "highest", ifAbsent }, "QUEUEEXISTS", other);
    refusedBy(world, "queue.create", { ...same, priorityMax: 8, ifAbsent }, "QUEUEEXISTS", other);
  });

  test("greatest size counts what waits, is delayed and is leased, not the dead (QUEUEFULL)", () => {
    const world = new QueueWorld();
    world.create({ queue: "q", maxSize: 3, maxDeliveries: 1 });
    world.push({ queue: "q" });
    world.push({ queue: "q", delayMs: 50 });
    world.push({ queue: "q" });
    const task = world.popOne("q");
    const full = /queue "q" has 3 tasks; its greatest size is 3/;
    refusedBy(world, "queue.push", { queue: "q", payload }, "QUEUEFULL", full);
    world.nack("q", task);
    assert.deepEqual(world.counts("q"), [1, 1, 0, 1]);
    world.push({ queue: "q" });
    refusedBy(world, "queue.push", { queue: "q", payload }, "QUEUEFULL", full);
    world.do("queue.alter", { queue: "q", maxSize: 0 });
    refusedBy(world, "queue.push", { queue: "q", payload }, "QUEUEFULL", /greatest size is 0/);
    world.do("queue.alter", { queue: "q", maxSize: null });
    world.push({ queue: "q" });
  });

  test("greatest payload (PAYLOADTOOLARGE)", () => {
    const world = new QueueWorld();
    world.create({ queue: "q", maxPayloadBytes: 6 });
    refusedBy(
      world,
      "queue.push",
      { queue: "q", payload },
      "PAYLOADTOOLARGE",
      /payload is 7 bytes; queue "q" allows 6/,
    );
    world.push({ queue: "q", payload: "sixsix" });
    world.do("queue.alter", { queue: "q", maxPayloadBytes: 0 });
    world.push({ queue: "q", payload: "" });
    refusedBy(world, "queue.push", { queue: "q", payload }, "PAYLOADTOOLARGE", /allows 0/);
  });

  test("priorities outside the range, or other than 0 in a fifo (PRIORITYOUTOFRANGE)", () => {
    const world = new QueueWorld();
    world.create({ queue: "f" });
    world.create({ queue: "r", implementation: "range", priorityMin: -2, priorityMax: 2 });
    world.create({
      queue: "p",
      implementation: "priority",
      priorityMin: 2n ** 62n,
      priorityMax: 2n ** 63n - 1n,
    });
    const push = (queue: string, priority: number | bigint, text: RegExp): void =>
      refusedBy(world, "queue.push", { queue, payload, priority }, "PRIORITYOUTOFRANGE", text);
    push(
      "f",
      1,
      /priority 1 does not go into queue "f": it is of type fifo and takes priority 0 only/,
    );
    push("r", -3, /it takes -2 to 2/);
    push("r", 3, /it takes -2 to 2/);
    push("r", 2n ** 63n - 1n, /it takes -2 to 2/);
    push("p", 0, /it takes 4611686018427387904 to 9223372036854775807/);
    for (const priority of [-2, 0, 2]) world.push({ queue: "r", priority });
    world.push({ queue: "p", priority: 2n ** 63n - 1n });
  });

  test("an alteration changes what it names and nothing else, and what is structural not at all", () => {
    const world = new QueueWorld();
    world.create({
      queue: "q",
      maxSize: 5,
      maxPayloadBytes: 9,
      leaseMs: 1_000,
      deadLetter: "{q}.dead",
    });
    const before = world.queues.read("queue.stats", { queue: "q" });
    world.do("queue.alter", { queue: "q", leaseMs: 2_000, deadLetter: null });
    const after = world.queues.read("queue.stats", { queue: "q" });
    assert.deepEqual(after, { ...before, leaseMs: 2_000, deadLetter: null });
    world.do("queue.alter", { queue: "q" });
    assert.deepEqual(world.queues.read("queue.stats", { queue: "q" }), after);
  });

  test("there are not more queues than there may be (TOOMANY)", () => {
    const world = new QueueWorld(new Slab());
    const steps = Array.from({ length: limits.queuesMaxCount - 1 }, (_, i) => ({
      verb: "queue.create" as const,
      request: { queue: `q${i}`, maxDeliveries: 1, deadLetter: i === 0 ? "{q0}.dead" : null },
    }));
    world.replica.apply(world.now, steps);
    world.push({ queue: "default" });
    const text = /queue "more" is not made: the partition has 65536 queues, the limit/;
    refusedBy(world, "queue.create", { queue: "more" }, "TOOMANY", text);
    // A dead task is kept where it is if its dead-letter queue cannot be made.
    world.push({ queue: "q0" });
    world.nack("q0", world.popOne("q0"));
    assert.deepEqual(world.counts("q0"), [0, 0, 0, 1]);
    world.do("queue.delete", { queue: "q9" });
    assert.equal(codeOf(world.do("queue.create", { queue: "more" })), "queue");
  });
});
