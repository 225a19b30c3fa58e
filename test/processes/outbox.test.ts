/** The outbox of examples/, killed at random points: never half. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite, test } from "node:test";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { TrubaError } from "../../src/base/errors.ts";
import type { Truba } from "../../src/client/truba.ts";
import { open } from "../../src/node/open.ts";
import { TemporaryDirectory } from "./fixtures/program.ts";

const ordersCount = 400;
const killsMaxCount = 8;
const example = join(import.meta.dirname, "..", "..", "examples", "outbox.ts");

/** When it is killed: so long after its start, or after it has queued all orders. */
interface Kill {
  readonly after: "start" | "queued";
  readonly ms: number;
}

/** Runs the example, and kills it unless it ends before. Returns whether it came to its end. */
async function run(directory: string, kill: Kill | undefined): Promise<boolean> {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", example, directory, String(ordersCount)],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const ended = once(child, "close");
  if (kill !== undefined) {
    if (kill.after === "queued") await Promise.race([ended, once(child.stdout, "data")]);
    await Promise.race([ended, sleep(kill.ms)]);
    child.kill("SIGKILL");
  }
  await ended;
  if (child.exitCode === null) return false;
  assert.equal(child.exitCode, 0, output);
  return true;
}

/** A quarter of the kills fall while orders come in, the others while they are worked on. */
function drawKill(random: SeededRandom): Kill {
  if (randomBelow(random, 4) === 0) return { after: "start", ms: 300 + randomBelow(random, 500) };
  return { after: "queued", ms: randomBelow(random, 250) };
}

function keyOf(order: number): string {
  return `{shop}00000000-0000-4000-8000-${String(order).padStart(12, "0")}`;
}

/** Nothing, if the process died before it made the queue, or told the node of the kind. */
function ifMade<T>(found: Promise<readonly T[]>): Promise<readonly T[]> {
  return found.catch((error: unknown) => {
    if (error instanceof TrubaError && /^(NOQUEUE|NOKIND)$/.test(error.code)) return [];
    throw error;
  });
}

/** What the tasks of a queue say. */
async function textsOf(db: Truba, queue: string): Promise<string[]> {
  const tasks = await ifMade(db.queue(queue).peek({ count: 1_000 }));
  assert.ok(tasks.length <= ordersCount, `${tasks.length} tasks in ${queue}`);
  return tasks.map(({ value }) => Buffer.from(value).toString());
}

/** Orders of whose sessions one has the step that is noted with the order. */
async function orderedOf(db: Truba): Promise<Set<string>> {
  const sessions = db.sessions("shipment");
  const found = new Set<string>();
  for (const { session } of await ifMade(sessions.list({ count: 1_000 }))) {
    const [title = "", ...steps] = (await sessions.get(session)).records.map((record) =>
      Buffer.from(record).toString(),
    );
    if (steps.includes("ordered")) found.add(title.replace("order ", ""));
  }
  return found;
}

/** What stands of each order must be all or nothing. Returns how many are done. */
async function check(directory: string): Promise<number> {
  await using db = await open(directory);
  const waiting = new Set<string>();
  for (const text of await textsOf(db, "{shop}orders"))
    waiting.add((JSON.parse(text) as { key: string }).key);
  const mailed = new Map<string, number>();
  for (const text of await textsOf(db, "{shop}mails"))
    mailed.set(text, (mailed.get(text) ?? 0) + 1);
  const ordered = await orderedOf(db);
  let done = 0;
  for (let order = 0; order < ordersCount; order++) {
    const key = keyOf(order);
    const record = await db.records().get(key);
    const sent = mailed.get(`thank you for item ${order}`) ?? 0;
    if (record === undefined) {
      assert.equal(sent, 0, `order ${order}: a mail without an order`);
      assert.ok(!ordered.has(key), `order ${order}: a step of a session without an order`);
    } else {
      assert.equal(sent, 1, `order ${order} is written, and there are ${sent} mails`);
      assert.ok(!waiting.has(key), `order ${order} is written and waits still`);
      done++;
    }
  }
  return done;
}

suite("the outbox: kill -9 at random points", () => {
  test("an order is acknowledged, written and mailed, or none of it; in the end all are, once", async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed);
    // All may be done before it is killed in the middle: then once more.
    let halfway = false;
    for (let attempt = 0; attempt < 20 && !halfway; attempt++) {
      using place = new TemporaryDirectory();
      const directory = join(place.path, "data");
      const done: number[] = [];
      while (done.length < killsMaxCount && !(await run(directory, drawKill(random))))
        done.push(await check(directory));
      t.diagnostic(`killed ${done.length} times; orders done at each: ${done.join(" ")}`);
      halfway = done.some((count) => count > 0 && count < ordersCount);
      assert.ok(await run(directory, undefined), "it ends when it is not killed");
      assert.equal(await check(directory), ordersCount);
    }
    assert.ok(halfway, "it was killed between its first order and its last");
  });
});
