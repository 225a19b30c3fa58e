/** P4 for sessions, with a handler that fails, throws, hangs and is killed with its process. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite, test } from "node:test";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { partitionOfSlot, slotOf } from "../../src/placement/slots.ts";
import { open } from "../../src/node/open.ts";
import { TemporaryDirectory } from "./fixtures/program.ts";
import { effectKey, jobs } from "./fixtures/session-job.ts";

const sessionsCount = 10_000;
const roundsMaxCount = 60;
const partitions = 16;

interface Stored {
  readonly id: string;
  readonly dueAtMs: number;
}

/** In the order in which they were stored, for each partition one after the other. */
async function storeAll(directory: string, random: SeededRandom): Promise<Stored[]> {
  await using db = await open(directory, { sessions: [jobs], partitions });
  const sessions = db.sessions(jobs);
  const opened = await Promise.all(
    Array.from({ length: sessionsCount }, (_, i) => sessions.new(`session ${i}`)),
  );
  // All stores are sent in this order, so each partition takes its own in this order.
  return Promise.all(
    opened.map(async (session) => {
      const { dueAtMs } = await session.store(1_000 * (1 + randomBelow(random, 6)));
      return { id: session.id, dueAtMs };
    }),
  );
}

async function handleUntilKilled(
  directory: string,
  log: string,
  random: SeededRandom,
): Promise<void> {
  const fixture = join(import.meta.dirname, "fixtures", "session-handlers.ts");
  const child = spawn(
    process.execPath,
    ["--import", "tsx", fixture, directory, log, String(random.u32())],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = once(child, "close");
  await Promise.race([once(child.stdout, "data"), ended]);
  assert.equal(child.exitCode, null, "the process that handles sessions has ended by itself");
  await sleep(500 + randomBelow(random, 2_500));
  child.kill("SIGKILL");
  await ended;
}

async function left(directory: string): Promise<number> {
  await using db = await open(directory, { sessions: [jobs] });
  return (await db.sessions(jobs).list({ count: 1_000 })).length;
}

/** Calls of the handler for sessions that were stored by us and by nobody since. */
function firstCalls(log: string): { id: string; atMs: number }[] {
  return readFileSync(log, "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([word, , repeats]) => word === "call" && repeats === "1")
    .map(([, id = "", , atMs]) => ({ id, atMs: Number(atMs) }));
}

suite("P4: 10,000 sessions and a handler that fails in every way", () => {
  test("each is finished exactly once in effect, none early, in the order of their times and stores", async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed);
    using place = new TemporaryDirectory();
    const directory = join(place.path, "data");
    const log = join(place.path, "calls.log");
    const stored = await storeAll(directory, random);

    let rounds = 0;
    do {
      assert.ok(rounds++ < roundsMaxCount, "the sessions do not come to an end");
      await handleUntilKilled(directory, log, random);
    } while ((await left(directory)) > 0);
    t.diagnostic(`${rounds} processes were killed`);
    assert.ok(rounds >= 3, "it was killed while it had work");

    await using db = await open(directory, { sessions: [jobs] });
    const effects = db.records();
    const counts = new Map<string, number>();
    for (const { id } of stored) {
      const value = (await effects.get(effectKey(id)))?.value;
      const count = value === undefined ? "never" : Buffer.from(value).toString();
      counts.set(count, (counts.get(count) ?? 0) + 1);
    }
    assert.deepEqual([...counts], [["1", sessionsCount]]);

    assert.ok(existsSync(log));
    const byId = new Map(stored.map((one, order) => [one.id, { ...one, order }]));
    const last = new Map<number, { dueAtMs: number; order: number }>();
    for (const { id, atMs } of firstCalls(log)) {
      const one = byId.get(id);
      assert.ok(one !== undefined, `${id} was never stored`);
      assert.ok(atMs >= one.dueAtMs - 1, `${id} came ${one.dueAtMs - atMs} ms early`);
      const partition = partitionOfSlot(slotOf(Buffer.from(id)), partitions);
      const before = last.get(partition);
      if (before !== undefined) {
        const ordered =
          before.dueAtMs < one.dueAtMs ||
          (before.dueAtMs === one.dueAtMs && before.order < one.order);
        assert.ok(ordered, `${id} came behind one that was to come later`);
      }
      last.set(partition, one);
    }
  });
});
