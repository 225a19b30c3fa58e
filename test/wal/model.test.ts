/** Random operations, crashes at random moments, torn and lost writes: what comes back is what the model says. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { chance, randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { newDisk, segmentBytes, WalRun } from "./wal-disk.ts";
import type { WalDisk } from "./wal-disk.ts";
import { describeWal, drawOperation, stageOperation, WalModel } from "./wal-model.ts";
import type { Operation } from "./wal-model.ts";

const seeds = Number(process.env["SEEDS"] ?? 150);
const firstSeed = Number(process.env["SEED"] ?? 1);

suite("P1, P7: the log against a plain model", () => {
  test(`${seeds} seeds from ${firstSeed} on: after any crash the log holds all that was confirmed and nothing that was not staged`, async () => {
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      try {
        await runSeed(seed);
      } catch (error) {
        throw new Error(`SEED=${seed} SEEDS=1: ${String(error)}`, { cause: error });
      }
    }
  });
});

/** What the log may hold after a crash, in the words of the model. */
interface Expected {
  readonly confirmed: WalModel;
  /** States on the way from what was confirmed to all that was staged. */
  possible: WalModel[];
}

async function runSeed(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const slow = chance(random, 0.3);
  const disk = newDisk({
    latencyMs: ({ kind }) => (slow && kind === "sync" ? 4 : 0),
  });
  let expected: Expected = { confirmed: new WalModel(), possible: [] };
  const lives = 1 + randomBelow(random, 6);
  for (let life = 0; life < lives; life++) {
    expected = await runLife(random, disk, expected);
  }
}

/** Opens the log, compares, works until the power goes or the life is over, and crashes. */
async function runLife(random: SeededRandom, disk: WalDisk, before: Expected): Promise<Expected> {
  const { files } = disk;
  if (chance(random, 0.2)) files.failAfter(randomBelow(random, 30));
  const run = new WalRun(disk);
  let model: WalModel;
  try {
    await run.open();
    model = match(run, before);
  } catch (error) {
    if (files.alive) throw error;
    await die(random, run);
    return before;
  }
  let expected: Expected = { confirmed: model, possible: [] };
  const groups = 1 + randomBelow(random, 4);
  const flushes = randomBelow(random, 40);
  if (chance(random, 0.8)) files.failAfter(randomBelow(random, 120));
  for (let i = 0; i < flushes; i++) {
    if (chance(random, 0.3)) await run.settle();
    if (!files.alive) break;
    const operations: Operation[] = [];
    const staged = expected.confirmed.clone();
    const states: WalModel[] = [];
    const count = 1 + randomBelow(random, chance(random, 0.1) ? 40 : 6);
    for (let k = 0; k < count; k++) {
      const operation = drawOperation(random, staged, groups);
      operations.push(operation);
      staged.apply(operation);
      states.push(staged.clone());
    }
    for (const operation of operations) stageOperation(run.wal, operation);
    // One batch comes back whole or not at all; several may be cut between two.
    const several = run.wal.stagedBytes > segmentBytes / 2 - 200;
    expected = { ...expected, possible: several ? states : states.slice(-1) };
    if (!(await run.flush())) break;
    expected = { confirmed: staged, possible: [] };
    // The power may have gone in background work.
    if (!files.alive) break;
    if (chance(random, 0.1)) {
      const text = describeWal(run.wal, randomBelow(random, 3_000));
      assert.equal(text, staged.describe(), "while it runs, the log shows what is durable");
    }
    if (chance(random, 0.05) && !(await run.seal())) break;
  }
  if (files.alive) assert.deepEqual(run.failures, []);
  if (files.alive && chance(random, 0.3)) {
    await run.close();
    return expected;
  }
  await die(random, run);
  return expected;
}

/** The state among the possible ones that the log holds. */
function match(run: WalRun, { confirmed, possible }: Expected): WalModel {
  const text = describeWal(run.wal);
  const candidates = [...possible, confirmed];
  const found = candidates.find((candidate) => candidate.describe() === text);
  if (found === undefined) assert.equal(text, confirmed.describe(), "the recovered log");
  return found ?? confirmed;
}

async function die(random: SeededRandom, run: WalRun): Promise<void> {
  const { files, clock } = run.disk;
  if (chance(random, 0.2)) files.kill();
  else files.crash(random);
  // What the dead process still had under way comes to its end before the next one begins.
  await clock.advanceSettled(5_000);
  files.restart();
}
