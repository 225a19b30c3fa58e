/** Requests on a node: takes that wait and subscriptions. What the machines do is tested with them. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { detached } from "../../src/machines/owner.ts";
import type { DeliveredTask, DeliveredSession } from "../../src/protocol/requests.ts";
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

suite("a pop that waits", () => {
  test("costs the log nothing until there is something, and then has it at once", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    const position = (): number =>
      world.node.partitions.reduce((sum, each) => sum + each.position, 0);
    const popped = world.call("queue.pop", { queue: "q", waitMs: 30_000 }, owner);
    await turn();
    const before = position();
    await world.clock.advance(29_000);
    assert.equal(position(), before, "nothing went into the log in 29 s");
    await world.push("q", "late", owner);
    const { tasks } = await popped;
    assert.deepEqual(
      tasks.map(({ payload }) => textOf(payload)),
      ["late"],
    );
    await world.stop();
  });

  test("is answered with none when its time is over", async () => {
    const world = await worldWithQueue();
    const popped = world.call("queue.pop", { queue: "q", waitMs: 1_000 }, world.owner());
    await turn();
    await world.clock.advance(1_000);
    assert.deepEqual(await popped, { tasks: [] });
    await world.stop();
  });

  test("of a queue that is not there is an error at once", async () => {
    const world = await worldWithQueue();
    const popped = world.call("queue.pop", { queue: "none", waitMs: 30_000 }, world.owner());
    assert.equal(await codeOf(popped), "NOQUEUE");
    await world.stop();
  });

  test("of `default` waits for the first push, which makes the queue", async () => {
    const world = await worldWithQueue();
    const popped = world.call("queue.pop", { queue: "default", waitMs: 30_000 }, world.owner());
    await turn();
    await world.push("default", "first", detached);
    assert.equal((await popped).tasks.length, 1);
    await world.stop();
  });

  test("longer than the limit is refused, and says the limit", async () => {
    const world = await worldWithQueue();
    const popped = world.call(
      "queue.pop",
      { queue: "q", waitMs: limits.waitMaxMs + 1 },
      world.owner(),
    );
    await assert.rejects(
      popped,
      new RegExp(`waitMs is 60001; it must be .*0 to ${limits.waitMaxMs}`),
    );
    await world.stop();
  });

  test("first come, first served; the pops of a thousand who wait are one entry and one sync", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    const served: number[] = [];
    const waiting = Array.from({ length: 1_000 }, (_, i) =>
      world.call("queue.pop", { queue: "q", waitMs: 30_000 }, owner).then(({ tasks }) => {
        served.push(i);
        return tasks[0]?.task;
      }),
    );
    await turn();
    const pushes = Array.from({ length: 1_000 }, (_, i) => world.push("q", String(i), owner));
    const before = world.node.wal.statistics.batches;
    const tasks = await Promise.all(waiting);
    await Promise.all(pushes);
    assert.equal(world.node.wal.statistics.batches - before, 2, "one entry of pushes, one of pops");
    assert.deepEqual(served, [...served.keys()]);
    assert.deepEqual(
      tasks,
      [...tasks].sort((a, b) => must(a) - must(b)),
      "oldest task to who waits longest",
    );
    await world.stop();
  });

  test("a task is asked for once, however many wait", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    const waiting = Array.from({ length: 50 }, () =>
      world.call("queue.pop", { queue: "q", waitMs: 5_000 }, owner),
    );
    await turn();
    const partition = must(world.node.partitions.find(({ takersCount }) => takersCount > 0));
    const before = partition.number;
    await world.push("q", "one", owner);
    await turn();
    assert.equal(partition.number - before, 2, "one push, one pop");
    await world.clock.advance(5_000);
    const answers = await Promise.all(waiting);
    assert.equal(answers.filter(({ tasks }) => tasks.length === 1).length, 1);
    assert.equal(partition.takersCount, 0);
    await world.stop();
  });

  test("a delayed task comes to who waits when its delay is over, never before", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    let at = 0;
    const popped = world.call("queue.pop", { queue: "q", waitMs: 60_000 }, owner).then((answer) => {
      at = world.clock.wallMs();
      return answer;
    });
    const pushedAt = world.clock.wallMs();
    await world.call(
      "queue.push",
      { queue: "q", payload: Buffer.from("x"), delayMs: 20_000 },
      owner,
    );
    await world.clock.advance(19_999);
    assert.equal(at, 0);
    await world.clock.advance(100);
    assert.equal((await popped).tasks.length, 1);
    assert.ok(at >= pushedAt + 20_000 && at < pushedAt + 20_200, `after ${at - pushedAt} ms`);
    await world.stop();
  });

  test("given up by its signal: it takes nothing", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    const gone = new AbortController();
    const popped = world.node.requests.call(
      "queue.pop",
      { queue: "q", waitMs: 30_000 },
      { owner, signal: gone.signal },
    );
    await turn();
    gone.abort(new Error("no longer needed"));
    await assert.rejects(popped, /no longer needed/);
    await world.push("q", "one", owner);
    assert.deepEqual(await world.call("queue.count", { queue: "q" }, owner), {
      waiting: 1,
      delayed: 0,
      leased: 0,
      dead: 0,
    });
    await world.stop();
  });

  test("given up while its pop is in the log: what comes goes back uncounted, at once", async () => {
    const world = await worldWithQueue();
    const answers: unknown[] = [];
    const sink = { settle: (_: number, outcome: unknown) => answers.push(outcome) };
    const giveUp = world.node.requests.submit(
      "queue.pop",
      { queue: "q", waitMs: 30_000 },
      { owner: detached },
      sink,
      0,
    );
    const pushed = world.push("q", "one", detached);
    const partition = must(world.node.partitions.find(({ takersCount }) => takersCount > 0));
    const started = partition.number;
    while (partition.number === started) await new Promise(setImmediate);
    must(giveUp)();
    await pushed;
    await turn();
    const { tasks } = await world.call("queue.peek", { queue: "q" }, detached);
    assert.deepEqual(
      tasks.map(({ state, deliveries }) => [state, deliveries]),
      [["waiting", 0]],
    );
    assert.deepEqual(answers, []);
    await world.stop();
  });
});

suite("a take of sessions", () => {
  test("given up while it is in the log: what comes goes back at once, and no repeat is counted", async () => {
    const world = await RequestsWorld.open();
    const session = await world.call("session.new", { kind: "job", tag: "a" }, detached);
    await world.call("session.store", { ...session, afterMs: 0 }, detached);
    const { requests } = world.node;
    const giveUp = requests.submit(
      "session.take",
      { kinds: ["job"], waitMs: 60_000 },
      { owner: detached },
      { settle: () => assert.fail("nobody waits for it") },
      0,
    );
    must(giveUp)();
    await turn();
    const info = await world.call("session.get", { session: session.session }, detached);
    assert.deepEqual([info.state, info.repeats], ["stored", 0]);
    const { sessions } = await world.call("session.take", { kinds: ["job"] }, detached);
    assert.deepEqual(
      sessions.map(({ repeats }) => repeats),
      [1],
    );
    await world.stop();
  });
});

suite("a subscription", () => {
  test("brings tasks as far as there is credit, and more with more credit", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    const got: DeliveredTask[] = [];
    const subscription = world.node.requests.takes.tasks({ queue: "q", credit: 3 }, owner, {
      items: (tasks) => got.push(...tasks),
      ended: (error) => assert.fail(error.message),
    });
    for (let i = 0; i < 10; i++) await world.push("q", String(i), owner);
    await turn();
    assert.deepEqual(
      got.map(({ payload }) => textOf(payload)),
      ["0", "1", "2"],
    );
    subscription.credit(2);
    await turn();
    assert.deepEqual(
      got.map(({ payload }) => textOf(payload)),
      ["0", "1", "2", "3", "4"],
    );
    subscription.close();
    subscription.credit(5);
    await turn();
    assert.equal(got.length, 5);
    await world.stop();
  });

  test("several share what comes, in turn", async () => {
    const world = await worldWithQueue();
    const owner = world.owner();
    const counts = [0, 0, 0];
    for (const i of counts.keys())
      world.node.requests.takes.tasks({ queue: "q", credit: 100 }, owner, {
        items: (tasks) => (counts[i] = must(counts[i]) + tasks.length),
        ended: () => {},
      });
    for (let i = 0; i < 30; i++) await world.push("q", "x", owner);
    await turn();
    assert.deepEqual(counts, [10, 10, 10]);
    await world.stop();
  });

  test("of sessions brings them from every partition, each when it is due", async () => {
    const world = await RequestsWorld.open();
    const owner = world.owner();
    const got: DeliveredSession[] = [];
    world.node.requests.takes.sessions({ kinds: ["job"], credit: 100 }, owner, {
      items: (sessions) => got.push(...sessions),
      ended: () => {},
    });
    const partitions = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const handle = await world.call(
        "session.new",
        { kind: "job", data: Buffer.from("x") },
        owner,
      );
      partitions.add(handle.session.slice(0, 9));
      await world.call("session.store", { ...handle, afterMs: 3_000 }, owner);
    }
    assert.ok(partitions.size > 10);
    await world.clock.advance(2_900);
    assert.equal(got.length, 0);
    await world.clock.advance(1_500);
    assert.equal(got.length, 20);
    await world.stop();
  });

  test("ends with the node, and says so once", async () => {
    const world = await worldWithQueue();
    const codes: string[] = [];
    world.node.requests.takes.tasks({ queue: "q", credit: 1 }, world.owner(), {
      items: () => {},
      ended: ({ code }) => codes.push(code),
    });
    const popped = codeOf(world.call("queue.pop", { queue: "q", waitMs: 60_000 }, world.owner()));
    await turn();
    await world.stop();
    assert.deepEqual(codes, ["SHUTTINGDOWN"]);
    assert.equal(await popped, "SHUTTINGDOWN");
  });
});
