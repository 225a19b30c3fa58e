import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Address } from "../../../src/base/network.ts";
import type { Problem } from "../../../src/server/http/problem.ts";
import { EventReader } from "./event-reader.ts";
import { HttpWorld, base64 } from "./http-world.ts";

interface Task {
  readonly task: number;
  readonly lease: number;
  readonly deliveries: number;
  readonly payload: string;
}

const post = (path: string, json: object = {}) => ({ method: "POST", path: `/v1/${path}`, json });

/** Payloads of the next `count` tasks, however they are grouped. */
const tasksOf = async (reader: EventReader, count: number): Promise<Task[]> => {
  const tasks: Task[] = [];
  while (tasks.length < count) {
    const { event, data } = await reader.next();
    assert.equal(event, "tasks");
    tasks.push(...(data as Task[]));
  }
  return tasks;
};

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 200; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("not in time");
};

suite("HTTP: server-sent events", () => {
  let world: HttpWorld;
  let address: Address;
  before(async () => {
    world = await HttpWorld.start();
    address = await world.listen();
  });
  after(() => world.stop());

  const push = (queue: string, payload: string) =>
    world.good(post(`queues/${queue}/tasks`, { payload: base64(payload) }), 201);
  const open = async (path: string): Promise<{ reader: EventReader; id: string }> => {
    const reader = await EventReader.open(address, path);
    const first = await reader.next();
    assert.equal(first.event, "subscription");
    return { reader, id: (first.data as { id: string }).id };
  };
  const counts = async (queue: string): Promise<Record<string, number>> =>
    (await world.good(post("queue.count", { queue }))).json as Record<string, number>;

  test("tasks come as they are pushed, as far as there is credit; more credit brings more", async () => {
    await world.good({ method: "PUT", path: "/v1/queues/stream" }, 201);
    await push("stream", "0");
    const { reader, id } = await open("/v1/queues/stream/tasks?credit=2");
    assert.equal(reader.headers["content-type"], "text/event-stream");
    assert.equal(reader.headers["x-content-type-options"], "nosniff");
    for (const payload of ["1", "2", "3"]) await push("stream", payload);
    const tasks = await tasksOf(reader, 2);
    assert.deepEqual(
      tasks.map(({ payload }) => payload),
      [base64("0"), base64("1")],
    );
    await assert.rejects(reader.next(80), /no event in time/);
    assert.deepEqual(await counts("stream"), { waiting: 2, delayed: 0, leased: 2, dead: 0 });
    await world.good(post(`subscriptions/${id}/credit`, { count: 1 }));
    assert.deepEqual(
      (await tasksOf(reader, 1)).map(({ payload }) => payload),
      [base64("2")],
    );
    const leases = tasks.map(({ task, lease }) => ({ task, lease }));
    await world.good(post("queues/stream/ack", { leases }));
    reader.close();
  });

  test("what a stream holds goes back when its client goes, and its place is the old one", async () => {
    await world.good({ method: "PUT", path: "/v1/queues/gone" }, 201);
    for (const payload of ["a", "b", "c"]) await push("gone", payload);
    const { reader } = await open("/v1/queues/gone/tasks?credit=2&leaseMs=60000");
    await tasksOf(reader, 2);
    reader.close();
    await until(async () => (await counts("gone"))["waiting"] === 3);
    const { json } = await world.good(post("queues/gone/pop", { count: 3 }));
    assert.deepEqual(
      (json as { tasks: Task[] }).tasks.map(({ payload }) => payload),
      [base64("a"), base64("b"), base64("c")],
    );
  });

  test("a stream that is stopped brings nothing more and holds what it has until its client goes", async () => {
    await world.good({ method: "PUT", path: "/v1/queues/stop" }, 201);
    await push("stop", "a");
    const { reader, id } = await open("/v1/queues/stop/tasks?credit=5");
    await tasksOf(reader, 1);
    await world.good({ method: "DELETE", path: `/v1/subscriptions/${id}` }, 204);
    await push("stop", "b");
    await assert.rejects(reader.next(80), /no event in time/);
    assert.deepEqual(await counts("stop"), { waiting: 1, delayed: 0, leased: 1, dead: 0 });
    reader.close();
    await until(async () => (await counts("stop"))["waiting"] === 2);
    await world.problem(post(`subscriptions/${id}/credit`, { count: 1 }), "NOSUBSCRIPTION", 404);
    await world.problem(
      { method: "DELETE", path: `/v1/subscriptions/${id}` },
      "NOSUBSCRIPTION",
      404,
    );
  });

  test("the end of a queue ends its streams with the problem", async () => {
    await world.good({ method: "PUT", path: "/v1/queues/end" }, 201);
    const { reader } = await open("/v1/queues/end/tasks?credit=5");
    await world.good({ method: "DELETE", path: "/v1/queues/end" });
    const { event, data } = await reader.next();
    assert.equal(event, "ended");
    assert.equal((data as Problem).code, "NOQUEUE");
    await assert.rejects(reader.next(), /has ended/);
  });

  test("sessions come as they are due, and go back when the client goes (P4)", async () => {
    const opened = await world.good(
      post("sessions", { kind: "checkout", data: base64("step") }),
      201,
    );
    const { session, epoch } = opened.json as { session: string; epoch: number };
    const { reader } = await open("/v1/sessions/due?kinds=checkout&credit=5");
    await world.good(post(`sessions/${encodeURIComponent(session)}/store`, { epoch, afterMs: 0 }));
    const { event, data } = await reader.next();
    assert.equal(event, "sessions");
    const [delivered] = data as { session: string; epoch: number; records: string[] }[];
    assert.deepEqual([delivered?.session, delivered?.records], [session, [base64("step")]]);
    reader.close();
    const again = await open("/v1/sessions/due?kinds=checkout&credit=5");
    const [second] = (await again.reader.next()).data as { session: string; epoch: number }[];
    assert.equal(second?.session, session);
    assert.ok((second?.epoch ?? 0) > (delivered?.epoch ?? 0), "the epoch rises");
    await world.good(
      post(`sessions/${encodeURIComponent(session)}/delete`, { epoch: second?.epoch }),
    );
    again.reader.close();
  });

  test("a client that takes nothing is sent a window at a time, and everything once it takes again (P8)", async () => {
    await world.good({ method: "PUT", path: "/v1/queues/large" }, 201);
    const payload = new Uint8Array(500_000);
    for (let i = 0; i < 60; i++)
      await world.good({ method: "POST", path: "/v1/queues/large/tasks", bytes: payload }, 201);
    const { reader } = await open("/v1/queues/large/tasks?credit=1000");
    reader.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { leased = 0 } = await counts("large");
    assert.ok(
      leased > 0 && leased <= 50,
      `${leased} tasks were sent to a client that takes nothing`,
    );
    reader.resume();
    assert.equal((await tasksOf(reader, 60)).length, 60);
    reader.close();
    await until(async () => (await counts("large"))["waiting"] === 60);
  });

  const refused: readonly (readonly [string, string, string, number])[] = [
    ["a queue that is not there", "/v1/queues/nowhere/tasks?credit=1", "NOQUEUE", 404],
    ["a name that is none", "/v1/queues/a%20b/tasks?credit=1", "BADQUEUENAME", 400],
    ["no credit", "/v1/queues/default/tasks", "BADVALUE", 400],
    ["too much credit", "/v1/queues/default/tasks?credit=10001", "BADVALUE", 400],
    ["a lease out of range", "/v1/queues/default/tasks?credit=1&leaseMs=1", "BADVALUE", 400],
    ["a kind that is not there", "/v1/sessions/due?kinds=nothing&credit=1", "NOKIND", 404],
    ["no kinds", "/v1/sessions/due?credit=1", "BADVALUE", 400],
  ];
  for (const [title, path, code, status] of refused) {
    test(`${title} is ${code}, before anything is sent`, async () => {
      await world.problem({ method: "GET", path }, code, status);
    });
  }

  test("what a page may embed is not begun: an image or a script does not ask for events", async () => {
    const headers = { accept: "image/avif,image/webp,*/*;q=0.8" };
    await world.problem(
      { method: "GET", path: "/v1/queues/default/tasks?credit=1", headers },
      "BADVALUE",
      406,
    );
  });

  test("HEAD does not begin a stream", async () => {
    const answered = await world.ask({ method: "HEAD", path: "/v1/queues/default/tasks?credit=1" });
    assert.equal(answered.status, 405);
  });

  test("the credit of a stream is bounded", async () => {
    const { reader, id } = await open("/v1/queues/stream/tasks?credit=10000");
    await world.problem(post(`subscriptions/${id}/credit`, { count: 1_000 }), "BADVALUE", 400);
    await world.problem(post(`subscriptions/${id}/credit`, { count: 0 }), "BADVALUE", 400);
    reader.close();
  });

  test("the end of the port ends streams with SHUTTINGDOWN", async () => {
    await using other = await HttpWorld.start();
    const reader = await EventReader.open(
      await other.listen(),
      "/v1/queues/default/tasks?credit=1",
    );
    assert.equal((await reader.next()).event, "subscription");
    const stopped = other.stop();
    const { event, data } = await reader.next();
    assert.equal(event, "ended");
    assert.equal((data as Problem).code, "SHUTTINGDOWN");
    await assert.rejects(reader.next(), /has ended/);
    await stopped;
  });
});
