/**
 * TaskFlux, one of the sources of Truba: its acceptance checks, and the defects of its code that the public library and the surfaces can show. `elsewhere.ts` says where the others
 * are tested.
 */
import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, open, queue, type Queue, TrubaError, VirtualClock } from "../../src/index.ts";
import { TestNode } from "../client/test-node.ts";
import { request, TestServer } from "../server/test-server.ts";
import { LossyProxy } from "./lossy-proxy.ts";
import { Place, textOf } from "./place.ts";

type Bytes = Queue<Uint8Array | string, Uint8Array>;

const byPriority = queue("orders", { priorities: "any" });
const byRange = queue("orders", { priorities: { min: -1, max: 8 } });

/** Takes everything and acknowledges it. */
async function drain(tasks: Bytes): Promise<string[]> {
  const taken = await tasks.popMany(1_000);
  await Promise.all(taken.map((task) => task.ack()));
  return taken.map((task) => textOf(task.value));
}

async function codeOf(refused: Promise<unknown>): Promise<string> {
  try {
    await refused;
  } catch (error) {
    if (error instanceof TrubaError) return error.code;
    throw error;
  }
  return "done";
}

suite("TaskFlux: acceptance", () => {
  for (const definition of [byPriority, byRange])
    test(`create queue, enqueue 3 priorities, restart → same order (${definition.settings.implementation})`, async () => {
      using place = new Place();
      {
        await using db = await open(place.data);
        const orders = db.queue(definition);
        assert.equal(await orders.create(), true);
        for (const [i, priority] of [5, -1, 3, 5, -1, 3].entries())
          await orders.push(`${priority}/${i}`, { priority });
      }
      await using db = await open(place.data);
      const order = await drain(db.queue(definition));
      assert.deepEqual(order, ["-1/1", "-1/4", "3/2", "3/5", "5/0", "5/3"]);
    });

  test("dequeue without ack + disconnect → the record is back, at its place", async (t) => {
    const node = await TestNode.start();
    t.after(() => node.stop());
    await using other = await connect(node.address);
    await other.queue("default").push("first");
    await other.queue("default").push("second");
    const db = await connect(node.address);
    assert.equal(
      textOf((await db.queue("default").pop({ lease: "1h" }))?.value ?? Buffer.of()),
      "first",
    );
    assert.deepEqual((await other.queue("default").count()).leased, 1);
    await db.close();
    while ((await other.queue("default").count()).leased > 0) await sleep(2);
    assert.deepEqual(await drain(other.queue("default")), ["first", "second"]);
  });

  test("an unacknowledged record survives snapshot + restart", async () => {
    const server = await TestServer.start();
    const client = server.connect();
    await server.exchange(client, request("QUEUE.PUSH", "default", "held"));
    await server.exchange(client, request("QUEUE.POP", "default"));
    await server.exchange(client, request("QUEUE.PUSH", "default", "waits"));
    assert.equal(await server.clock.drive(server.node.checkpoint()), true);
    await server.restart();
    const again = server.connect();
    const both = await server.exchange(again, request("QUEUE.POP", "default", "COUNT", "5"));
    assert.match(both, /held[\s\S]*waits/);
    await server.stop();
  });

  test("a bad packet does not stop the node, nor disturb others (defect 12)", async () => {
    const server = await TestServer.start();
    const good = server.connect();
    await server.exchange(good, request("QUEUE.PUSH", "default", "x"));
    const bad = [
      "C\x7f\xff\xff\xff",
      "*2147483647\r\n",
      "*2\r\n$2147483647\r\n",
      "*1\r\n$-7\r\n",
      "\0\0\0\x01K",
      request("QUEUE.ACK", "default", "no task", "no lease"),
      request("QUEUE.POP", "default", "COUNT", "-1"),
    ];
    for (const bytes of bad) {
      const wire = server.connect();
      await server.exchange(wire, bytes);
      wire.hangUp();
    }
    assert.match(await server.exchange(good, request("QUEUE.COUNT", "default")), /waiting\r\n:1/);
    await server.stop();
  });

  test("corrupt tail: what was not acknowledged is dropped, and all that was is there (defect 16)", async () => {
    using place = new Place();
    {
      await using db = await open(place.data, { partitions: 1 });
      for (let i = 0; i < 50; i++) await db.queue("default").push(String(i));
    }
    const torn = place.killed();
    // A write that the power cut: half of what stands last, again behind it.
    const { file, end } = lastBytes(torn);
    overwrite(file, end, Buffer.alloc(20, 0xa5));
    await using db = await open(torn);
    assert.equal((await drain(db.queue("default"))).length, 50);
  });

  test("corrupt middle: refused with what is damaged, and nothing is deleted (defect 16)", async () => {
    using place = new Place();
    {
      await using db = await open(place.data, { partitions: 1 });
      for (let i = 0; i < 50; i++) await db.queue("default").push(`acknowledged ${i}`);
    }
    const damaged = place.killed();
    const { file, text } = lastBytes(damaged);
    const at = text.indexOf("acknowledged 7");
    assert.ok(at > 0);
    overwrite(file, at, Buffer.from("A"));
    assert.equal(await codeOf(open(damaged)), "DATADAMAGED");
    overwrite(file, at, Buffer.from("a"));
    await using db = await open(damaged);
    assert.equal((await drain(db.queue("default"))).length, 50, "it was left as it was");
  });

  test("metrics names are present: each that TaskFlux has or wished for, as far as one node has it", async (t) => {
    const node = await TestNode.start();
    t.after(() => node.stop());
    const answer = await fetch(`${await node.httpUrl()}/metrics`);
    const text = await answer.text();
    for (const [wish, name] of Object.entries(metricNames))
      assert.match(text, new RegExp(`^${name}(\\{| )`, "m"), wish);
  });

  test("a policy violation is an error on every surface, never `ok` (its HTTP answers ok)", async (t) => {
    const node = await TestNode.start();
    t.after(() => node.stop());
    await using db = await connect(node.address);
    const full = db.queue(queue("full", { maxSize: 1, maxPayload: 3 }));
    await full.create();
    await full.push("one");
    assert.equal(await codeOf(full.push("two")), "QUEUEFULL");
    assert.equal(await codeOf(full.push("four")), "PAYLOADTOOLARGE");
    assert.equal(await codeOf(full.push("two", { priority: 1 })), "PRIORITYOUTOFRANGE");
    const url = `${await node.httpUrl()}/v1/queues/full/tasks`;
    const answer = await fetch(url, { method: "POST", body: "two" });
    assert.equal(answer.ok, false);
    assert.equal(((await answer.json()) as { code: string }).code, "QUEUEFULL");
  });
});

/** §5.9 of what is known of TaskFlux: its metrics, and ours that say the same. */
const metricNames: Readonly<Record<string, string>> = {
  "requests accepted": "truba_requests_total",
  "commands processed": "truba_operations_applied_total",
  "commands accepted": "truba_operations_accepted_total",
  "clients connected": "truba_connections",
  "clients connected in all": "truba_connections_accepted_total",
  "command queue length": "truba_pipeline_operations",
  "fsync duration": "truba_log_sync_duration_seconds_count",
  "log segments": "truba_log_segments",
  "log size": "truba_log_disk_bytes",
  "snapshot time": "truba_checkpoint_last_timestamp_seconds",
  "queue count": "truba_queues",
  tasks: "truba_tasks",
  "node id and version": "truba_node_info",
  serving: "truba_node_serving",
  start: "truba_node_start_time_seconds",
  "garbage collection": "nodejs_gc_duration_seconds_count",
};

suite("TaskFlux: defects that are not ours", () => {
  test("1: a queue that was created or deleted is so after a restart, and what was pushed is in it", async () => {
    using place = new Place();
    {
      await using db = await open(place.data);
      await db.queue(byRange).create();
      await db.queue(byRange).push("kept", { priority: 8 });
      await db.queue(queue("old")).create();
      await db.queue("old").push("gone");
      await db.queue("old").delete();
    }
    // The process is killed, not closed, the second time.
    for (const data of [place.data, place.killed()]) {
      await using db = await open(data);
      const names = (await db.queues()).map((one) => [one.queue, one.implementation]);
      assert.deepEqual(names, [["orders", "range"]]);
      assert.deepEqual(
        (await db.queue(byRange).peek()).map(({ value }) => textOf(value)),
        ["kept"],
      );
      assert.equal(await codeOf(db.queue("old").push("x")), "NOQUEUE");
    }
  });

  test("9: what was refused or not acknowledged is not in memory either: a killed process has exactly what was", async () => {
    using place = new Place();
    await using db = await open(place.data);
    const limited = db.queue(queue("limited", { maxSize: 2 }));
    await limited.create();
    const pushes = await Promise.all(["a", "b", "c"].map((value) => codeOf(limited.push(value))));
    assert.deepEqual(pushes, ["done", "done", "QUEUEFULL"]);
    await using after = await open(place.killed());
    assert.deepEqual(await after.queue("limited").count(), await limited.count());
    assert.deepEqual(await drain(after.queue("limited")), ["a", "b"]);
  });

  test("10: nothing waits without an end: a pop by its time, a request by the client's", async (t) => {
    const clock = new VirtualClock();
    await using db = await open({ memory: true, clock });
    const waiting = db.queue("default").pop({ wait: "20s" });
    await clock.advance(20_000);
    assert.equal(await waiting, undefined);
    const node = await TestNode.start();
    t.after(() => node.stop());
    await using client = await connect(node.address, { timeout: "300ms" });
    await node.cut();
    const started = Date.now();
    assert.match(
      await codeOf(client.queue("default").push("x")),
      /^(NOCONNECTION|UNKNOWNOUTCOME)$/,
    );
    assert.ok(Date.now() - started < 5_000);
  });

  test("13: a task is acknowledged when the application says so, not when it is fetched", async (t) => {
    const node = await TestNode.start();
    t.after(() => node.stop());
    await using watch = await connect(node.address);
    await watch.queue("default").push("x");
    const db = await connect(node.address);
    for await (const task of db.queue("default").consume({ prefetch: 4 })) {
      assert.equal((await watch.queue("default").count()).leased, 1);
      assert.equal(task.settled, false);
      await task.nack();
      break;
    }
    await db.close();
    const [again] = await watch.queue("default").popMany(1);
    assert.equal(textOf(again?.value ?? Buffer.of()), "x");
    assert.ok((again?.deliveries ?? 0) >= 2);
  });

  test("13: a lost answer is asked for again and does nothing twice: push, create, delete, ack return", async (t) => {
    const node = await TestNode.start();
    t.after(() => node.stop());
    await using proxy = await LossyProxy.before(node.address);
    await using db = await connect(proxy.address);
    const jobs = db.queue(queue("jobs"));
    proxy.loseAnswerTo("QUEUE.CREATE");
    assert.equal(await jobs.create({ ifAbsent: false }), true, "not QUEUEEXISTS");
    proxy.loseAnswerTo("QUEUE.PUSH");
    const { duplicate } = await jobs.push("once");
    assert.equal(duplicate, false);
    assert.equal((await jobs.count()).waiting, 1);
    const task = await jobs.pop();
    await jobs.pause();
    proxy.loseAnswerTo("QUEUE.ACK");
    await task?.ack();
    assert.deepEqual(await jobs.count(), { waiting: 0, delayed: 0, leased: 0, dead: 0 });
    proxy.loseAnswerTo("QUEUE.DELETE");
    assert.equal(await jobs.delete(), true, "there was one, though the second attempt found none");
    assert.equal(proxy.lost, 4);
  });

  test("13: a delivery that got lost on its way is not lost: the task comes back, and is handed out again", async (t) => {
    const node = await TestNode.start();
    t.after(() => node.stop());
    await using proxy = await LossyProxy.before(node.address);
    await using db = await connect(proxy.address);
    await db.queue("default").push("x");
    proxy.loseAnswerTo("QUEUE.POP");
    const task = await db.queue("default").pop({ wait: "10s", lease: "1h" });
    assert.equal(proxy.lost, 1);
    assert.equal(textOf(task?.value ?? Buffer.of()), "x");
    assert.equal(task?.deliveries, 2);
    await task.ack();
  });

  test("14: a push resolves when it is confirmed: killed right behind it, the task is there", async () => {
    using place = new Place();
    await using db = await open(place.data);
    for (let i = 0; i < 3; i++) {
      await db.queue("default").push(String(i));
      await using after = await open(place.killed());
      assert.equal((await after.queue("default").count()).waiting, i + 1);
    }
  });
});

/** The segment of the log that was written last: where its used part ends, and its bytes as characters. */
function lastBytes(data: string): { file: string; end: number; text: string } {
  let found: { file: string; end: number; text: string } | undefined;
  for (const name of readdirSync(data, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".wal")) continue;
    const file = join(data, name);
    const bytes = Buffer.alloc(statSync(file).size);
    const handle = openSync(file, "r");
    readSync(handle, bytes, 0, bytes.length, 0);
    closeSync(handle);
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end--;
    const text = bytes.toString("latin1");
    if (text.includes("default")) found = { file, end, text };
  }
  assert.ok(found !== undefined, "a segment with what was pushed");
  return found;
}

function overwrite(file: string, at: number, bytes: Uint8Array): void {
  const handle = openSync(file, "r+");
  writeSync(handle, bytes, 0, bytes.length, at);
  closeSync(handle);
}
