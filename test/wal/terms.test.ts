/** The terms of all entries, kept in memory: after any start they are those of the entries on disk, wherever the oldest segment begins. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { openRun } from "./wal-disk.ts";
import type { WalRun } from "./wal-disk.ts";
import { bodyOf, describeWal, stageOperation, WalModel } from "./wal-model.ts";
import type { Operation } from "./wal-model.ts";

/** Another group fills the log until it goes on in a new segment. */
async function rotate(run: WalRun): Promise<void> {
  const before = run.wal.group(9).lastIndex;
  const segments = run.wal.liveSegments;
  for (let i = before + 1; run.wal.liveSegments === segments; i++) {
    run.wal.stageEntry(9, i, 1, Buffer.alloc(1_500, i));
    assert.ok(await run.flush());
    await run.settle();
  }
}

async function freeOthers(run: WalRun): Promise<void> {
  run.wal.stageTrim(9, run.wal.group(9).lastIndex, 1);
  assert.ok(await run.flush());
}

function entry(index: number, term: number): Operation {
  return { kind: "entry", group: 1, index, term, body: bodyOf(1, index, term, 30) };
}

/** Entries 1 to 20 of group 1, of terms 1 to 5, trimmed up to 4, and a new segment. */
async function begin(run: WalRun): Promise<void> {
  for (let i = 1; i <= 20; i++) stageOperation(run.wal, entry(i, Math.ceil(i / 4)));
  assert.ok(await run.flush());
  run.wal.stageTrim(1, 4, 1);
  await rotate(run);
}

suite("P1: terms of the log", () => {
  test("a trim to just below an entry that replaced others, both behind the oldest segment's beginning", async () => {
    const run = await openRun();
    await begin(run);
    // Term 3 stands below and term 3, then 7, goes on: what lies between the trim point and these is in the old segment.
    stageOperation(run.wal, entry(11, 3));
    stageOperation(run.wal, entry(12, 7));
    run.wal.stageTrim(1, 10, 3);
    await freeOthers(run);
    await run.settle();
    assert.equal(run.wal.liveSegments, 1, "the old segment is gone");
    for (let start = 0; start < 2; start++) {
      const { terms } = run.wal.group(1);
      assert.deepEqual(terms.runs, [
        { first: 10, term: 3 },
        { first: 12, term: 7 },
      ]);
      assert.deepEqual([terms.base, terms.last, run.wal.group(1).lastTerm], [10, 12, 7]);
      await run.close();
      await run.open();
    }
    await run.close();
  });

  test("a trim of the last entry that only the oldest segment's beginning names", async () => {
    const run = await openRun();
    await begin(run);
    run.wal.stageTrim(1, 20, 5);
    await freeOthers(run);
    await run.close();
    await run.open();
    assert.deepEqual(run.wal.group(1).terms.runs, [{ first: 20, term: 5 }]);
    stageOperation(run.wal, entry(21, 6));
    assert.ok(await run.flush());
    assert.deepEqual(run.wal.group(1).terms.runs.at(-1), { first: 21, term: 6 });
    await run.close();
  });

  test("only what is durable is in them", async () => {
    const run = await openRun();
    stageOperation(run.wal, entry(1, 2));
    assert.equal(run.wal.group(1).terms.last, 0);
    assert.ok(await run.flush());
    assert.equal(run.wal.group(1).terms.termAt(1), 2);
    run.wal.stageReset(1, 40, 8, Buffer.alloc(0));
    stageOperation(run.wal, entry(41, 9));
    assert.equal(run.wal.group(1).terms.last, 1);
    assert.ok(await run.flush());
    assert.deepEqual(run.wal.group(1).terms.runs, [
      { first: 40, term: 8 },
      { first: 41, term: 9 },
    ]);
    assert.throws(() => stageOperation(run.wal, entry(42, 8)), /terms never decrease/);
    run.wal.stageRemoved(1, 9, 0);
    assert.ok(await run.flush());
    assert.deepEqual(run.wal.group(1).terms.runs, [{ first: 0, term: 0 }]);
    await run.close();
  });

  test("60 seeds: replaced, trimmed, rotated and restarted at random", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      await runSeed(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      });
    }
  });
});

async function runSeed(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const run = await openRun();
  const model = new WalModel();
  const stage = (operation: Operation) => {
    stageOperation(run.wal, operation);
    model.apply(operation);
  };
  for (let step = 0; step < 60; step++) {
    const { entries, trimmedTo, lastTerm } = model.group(1);
    const last = model.last(1);
    const draw = randomBelow(random, 10);
    if (draw < 3) {
      for (let i = 1; i <= 4; i++) stage(entry(last + i, lastTerm + (i > 2 ? 1 : 0)));
    } else if (draw < 6 && entries.length > 1) {
      const below = entries[randomBelow(random, entries.length)] ?? trimmedTo;
      const term = below.term + randomBelow(random, lastTerm - below.term + 2);
      stage(entry(below.index + 1, term));
      // Just below the replaced one, or anywhere.
      const upTo = randomBelow(random, 2) === 0 ? below : (entries[0] ?? below);
      stage({ kind: "trim", group: 1, index: upTo.index, term: upTo.term });
    } else if (draw < 8) {
      await rotate(run);
      await freeOthers(run);
    } else if (draw === 8) {
      await run.close();
      await run.open();
    }
    assert.ok(await run.flush());
    await run.settle();
    const text = describeWal(run.wal)
      .split("\n")
      .find((line) => line.startsWith("1:"));
    assert.equal(text ?? "", model.describe());
  }
  await run.close();
}
