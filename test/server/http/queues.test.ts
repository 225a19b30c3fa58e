import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { QueueStats } from "../../../src/protocol/requests.ts";
import { HttpWorld, base64 } from "./http-world.ts";

interface Task {
  readonly task: number;
  readonly lease: number;
  readonly priority: number | string;
  readonly deliveries: number;
  readonly payload: string;
}

const post = (path: string, json?: object) => ({
  method: "POST",
  path: `/v1/queues/${path}`,
  ...(json === undefined ? {} : { json }),
});

const create = (json: object) => ({ method: "PUT", path: "/v1/queues/refused", json });

suite("HTTP: /v1/queues", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start();
  });
  after(() => world.stop());

  const make = (name: string, settings: object = {}) =>
    world.good({ method: "PUT", path: `/v1/queues/${name}`, json: settings }, 201);
  const push = async (name: string, payload: string, more: object = {}): Promise<number> => {
    const { json } = await world.good(
      post(`${name}/tasks`, { payload: base64(payload), ...more }),
      201,
    );
    return (json as { task: number }).task;
  };
  const pop = async (name: string, request: object = {}): Promise<readonly Task[]> => {
    const { json } = await world.good(post(`${name}/pop`, request));
    return (json as { tasks: readonly Task[] }).tasks;
  };
  const stats = async (name: string): Promise<QueueStats> =>
    (await world.good({ method: "GET", path: `/v1/queues/${name}` })).json as QueueStats;

  test("a queue is made, told of, altered and deleted", async () => {
    await make("life", { implementation: "priority", maxSize: 5, leaseMs: 1_000 });
    await world.problem({ method: "PUT", path: "/v1/queues/life", json: {} }, "QUEUEEXISTS", 409);
    const same = {
      method: "PUT",
      path: "/v1/queues/life",
      json: { implementation: "priority", ifAbsent: true },
    };
    assert.deepEqual((await world.good(same, 200)).json, { created: false });
    await world.good({
      method: "PATCH",
      path: "/v1/queues/life",
      json: { maxSize: null, leaseMs: 2_000 },
    });
    const { maxSize, leaseMs, implementation } = await stats("life");
    assert.deepEqual(
      { maxSize, leaseMs, implementation },
      { maxSize: null, leaseMs: 2_000, implementation: "priority" },
    );
    const { json } = await world.good({ method: "GET", path: "/v1/queues?after=lif&count=1" });
    assert.deepEqual(
      (json as { queues: QueueStats[] }).queues.map(({ queue }) => queue),
      ["life"],
    );
    await world.good({ method: "DELETE", path: "/v1/queues/life" });
    await world.problem({ method: "DELETE", path: "/v1/queues/life" }, "NOQUEUE", 404);
    await world.problem({ method: "GET", path: "/v1/queues/life" }, "NOQUEUE", 404);
  });

  test("a queue without settings is made with none: a body is not needed", async () => {
    await world.good({ method: "PUT", path: "/v1/queues/bare" }, 201);
    assert.equal((await stats("bare")).implementation, "fifo");
  });

  test("names may have any printable character, as the path encodes it", async () => {
    const name = "a/b%c?d#e{f}:g";
    await make(encodeURIComponent(name));
    assert.equal((await stats(encodeURIComponent(name))).queue, name);
    const long = "q".repeat(255);
    await make(long);
    assert.equal((await stats(long)).queue, long);
    await world.problem({ method: "PUT", path: `/v1/queues/${long}q` }, "BADQUEUENAME", 400);
    await world.problem({ method: "PUT", path: "/v1/queues/a%20b" }, "BADQUEUENAME", 400);
    await world.problem({ method: "PUT", path: "/v1/queues/%C3%A4" }, "BADQUEUENAME", 400);
  });

  test("a task comes in JSON or as it is, is lent out, and goes when it is acknowledged", async () => {
    await make("work", { implementation: "priority" });
    const first = await push("work", "in json", { priority: 2 });
    const raw = Uint8Array.from([0, 255, 10, 13]);
    const path = "/v1/queues/work/tasks?priority=1&dedup=one";
    const sent = {
      method: "POST",
      path,
      bytes: raw,
      headers: { "content-type": "application/x-thing" },
    };
    const { json } = await world.good(sent, 201);
    const { task } = json as { task: number };
    assert.deepEqual((await world.good(sent, 200)).json, { task, duplicate: true });
    const tasks = await pop("work", { count: 10 });
    assert.deepEqual(
      tasks.map(({ task: each, payload, priority, deliveries }) => [
        each,
        payload,
        priority,
        deliveries,
      ]),
      [
        [task, Buffer.from(raw).toString("base64"), 1, 1],
        [first, base64("in json"), 2, 1],
      ],
    );
    assert.equal((await stats("work")).leased, 2);
    const leases = tasks.map(({ task: each, lease }) => ({ task: each, lease }));
    assert.deepEqual((await world.good(post("work/ack", { leases }))).json, {
      settled: 2,
      lost: [],
    });
    await world.problem(post("work/ack", { leases: leases.slice(0, 1) }), "LEASELOST", 409);
    assert.deepEqual(await pop("work"), []);
  });

  test("a body without a content type is a payload as it is; an empty one too", async () => {
    await make("raw");
    await world.good({ method: "POST", path: "/v1/queues/raw/tasks", bytes: "{}" }, 201);
    await world.good({ method: "POST", path: "/v1/queues/raw/tasks" }, 201);
    assert.deepEqual(
      (await pop("raw", { count: 2 })).map(({ payload }) => payload),
      [base64("{}"), ""],
    );
  });

  test("what belongs to a body of JSON is refused in the query", async () => {
    await make("mixed");
    const problem = await world.problem(
      post("mixed/tasks?priority=1", { payload: "" }),
      "BADVALUE",
      400,
    );
    assert.match(problem.detail, /priority/);
  });

  test("priorities are exact at the edges of 64 bits", async () => {
    await make("wide", { implementation: "priority" });
    const edges = [
      "-9223372036854775808",
      -9007199254740991,
      0,
      "9007199254740992",
      "9223372036854775807",
    ];
    for (const priority of edges.toReversed()) await push("wide", "x", { priority });
    assert.deepEqual(
      (await pop("wide", { count: 9 })).map(({ priority }) => priority),
      edges,
    );
    for (const priority of [
      "9223372036854775808",
      "-9223372036854775809",
      9007199254740992,
      1.5,
      "1e3",
      "",
      "+1",
      "01",
      true,
    ])
      await world.problem(post("wide/tasks", { payload: "", priority }), "BADVALUE", 400);
  });

  test("nack gives back to the old place, extend prolongs, peek looks, revive and purge manage", async () => {
    await make("care", { maxDeliveries: 1 });
    const first = await push("care", "a");
    const second = await push("care", "b");
    const [taken] = await pop("care");
    const leases = [{ task: taken?.task, lease: taken?.lease }];
    const extended = await world.good(post("care/extend", { leases, leaseMs: 60_000 }));
    assert.ok((extended.json as { leaseEndsAtMs: number }).leaseEndsAtMs > Date.now() + 50_000);
    await world.good(post("care/nack", { leases, uncounted: true }));
    const peeked = await world.good({
      method: "GET",
      path: "/v1/queues/care/peek?count=5&state=waiting",
    });
    assert.deepEqual(
      (peeked.json as { tasks: readonly Task[] }).tasks.map(({ task }) => task),
      [first, second],
    );
    const [again] = await pop("care");
    assert.equal(again?.task, first);
    await world.good(post("care/nack", { leases: [{ task: again?.task, lease: again?.lease }] }));
    assert.equal((await stats("care")).dead, 1);
    assert.deepEqual((await world.good(post("care/revive", {}))).json, { count: 1 });
    assert.deepEqual((await world.good(post("care/purge"))).json, { count: 2 });
  });

  test("pause hands out nothing until resume", async () => {
    await make("halt");
    await push("halt", "x");
    assert.deepEqual((await world.good(post("halt/pause"))).json, { changed: true });
    assert.deepEqual((await world.good(post("halt/pause"))).json, { changed: false });
    assert.deepEqual(await pop("halt"), []);
    await world.good(post("halt/resume"));
    assert.equal((await pop("halt")).length, 1);
  });

  test("a long poll waits for the first task, without polling, and answers none when its time is over", async () => {
    await make("slow");
    const waiting = pop("slow", { waitMs: 5_000, count: 2 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(world.node.requests.takes.waiting, 1);
    await push("slow", "x");
    assert.equal((await waiting).length, 1);
    const started = Date.now();
    assert.deepEqual(await pop("slow", { waitMs: 60 }), []);
    assert.ok(Date.now() - started >= 55);
    assert.equal(world.node.requests.takes.waiting, 0);
  });

  test("each violation has its code, and nothing of it is done", async () => {
    await make("strict", {
      implementation: "range",
      priorityMin: 0,
      priorityMax: 3,
      maxSize: 1,
      maxPayloadBytes: 3,
    });
    const path = "strict/tasks";
    await world.problem(post(path, { payload: base64("long") }), "PAYLOADTOOLARGE", 413);
    await world.problem(post(path, { payload: "", priority: 4 }), "PRIORITYOUTOFRANGE", 400);
    await push("strict", "a");
    const full = await world.problem(post(path, { payload: "" }), "QUEUEFULL", 429);
    assert.equal(full.type, "/docs/errors.md#queuefull");
    assert.equal((await stats("strict")).waiting, 1);
    await world.problem(post("nowhere/tasks", { payload: "" }), "NOQUEUE", 404);
    await world.problem(create({ implementation: "lifo" }), "BADIMPLEMENTATION", 400);
    await world.problem(create({ implementation: "range" }), "NOPRIORITYRANGE", 400);
    await world.problem(
      create({ implementation: "range", priorityMin: 3, priorityMax: 2 }),
      "BADPRIORITYRANGE",
      400,
    );
    await world.problem(create({ maxSize: -1 }), "BADMAXSIZE", 400);
    await world.problem(create({ maxSize: "5" }), "BADMAXSIZE", 400);
    await world.problem(create({ maxPayloadBytes: 1_048_577 }), "BADMAXPAYLOAD", 400);
    await world.problem(create({ deadLetter: "a b" }), "BADQUEUENAME", 400);
    await world.problem(create({ leaseMs: 99 }), "BADVALUE", 400);
    await world.problem({ method: "GET", path: "/v1/queues/refused" }, "NOQUEUE", 404);
  });

  test("the default queue makes itself", async () => {
    await push("default", "x");
    assert.equal((await pop("default")).length, 1);
  });

  test("the same Idempotency-Key pushes once (P3)", async () => {
    await make("once");
    const asked = {
      ...post("once/tasks", { payload: "" }),
      headers: { "idempotency-key": "push-1" },
    };
    const first = await world.good(asked, 201);
    assert.deepEqual((await world.good(asked, 201)).json, first.json);
    assert.equal((await stats("once")).waiting, 1);
  });
});
