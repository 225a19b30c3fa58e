/** One story through every part of the log, cut off at every operation of the disk, and what the power loss leaves chosen in many ways. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { keepAll, keepFirst, loseAll } from "../../simulator/crash-chooser.ts";
import type { CrashChooser } from "../../simulator/crash-chooser.ts";
import type { Random } from "../../src/base/random.ts";
import { copyOf, newDisk, WalRun } from "./wal-disk.ts";
import type { WalDisk } from "./wal-disk.ts";
import { bodyOf, describeWal, stageOperation, WalModel } from "./wal-model.ts";
import type { Operation } from "./wal-model.ts";

function entry(group: number, index: number, term: number, bytes: number): Operation {
  return { kind: "entry", group, index, term, body: bodyOf(group, index, term, bytes) };
}

/** Batches of operations: append, rotation, overwriting, trim and recycling, reset, removal and return. */
function story(): Operation[][] {
  const batches: Operation[][] = [];
  batches.push([
    { kind: "hardState", group: 1, term: 1, votedFor: 1, commit: 0 },
    entry(1, 1, 1, 10),
    entry(2, 1, 1, 10),
  ]);
  for (let i = 2; i <= 8; i++) batches.push([entry(1, i, 1, 1_500), entry(2, i, 1, 300)]);
  batches.push([
    { kind: "hardState", group: 1, term: 2, votedFor: 2, commit: 3 },
    entry(1, 6, 2, 9),
  ]);
  batches.push([
    { kind: "trim", group: 1, index: 5, term: 1 },
    { kind: "trim", group: 2, index: 7, term: 1 },
  ]);
  batches.push([
    { kind: "reset", group: 3, index: 100, term: 5, token: Buffer.from("token") },
    entry(3, 101, 5, 700),
  ]);
  for (let i = 7; i <= 12; i++) batches.push([entry(1, i, 2, 1_400)]);
  batches.push([{ kind: "removed", group: 2, term: 4, votedFor: 3 }]);
  batches.push([{ kind: "trim", group: 1, index: 12, term: 2 }]);
  batches.push([{ kind: "reset", group: 2, index: 50, term: 4, token: Buffer.from("again") }]);
  // Three batches in one flush.
  batches.push([entry(2, 51, 4, 3_000), entry(1, 13, 2, 3_000), entry(3, 102, 5, 3_000)]);
  batches.push([entry(2, 52, 4, 20), { kind: "trim", group: 3, index: 102, term: 5 }]);
  return batches;
}

interface Cut {
  readonly disk: WalDisk;
  /** All that may be there, in the words of the model; the first is what was confirmed. */
  readonly allowed: string[];
  readonly finished: boolean;
}

/** Plays the story on a fresh disk until `operations` have been done. */
async function play(operations: number): Promise<Cut> {
  const disk = newDisk();
  disk.files.failAfter(operations);
  const run = new WalRun(disk);
  const model = new WalModel();
  let allowed = [model.describe()];
  try {
    await run.open();
    for (const batch of story()) {
      const before = model.describe();
      const states = [before];
      for (const operation of batch) {
        stageOperation(run.wal, operation);
        model.apply(operation);
        states.push(model.describe());
      }
      const several = run.wal.stagedBytes > 4_096;
      allowed = several ? states : [before, model.describe()];
      if (!(await run.flush())) return { disk, allowed, finished: false };
      allowed = [model.describe()];
      await run.settle();
    }
    await run.close();
  } catch (error) {
    if (disk.files.alive) throw error;
  }
  return { disk, allowed, finished: disk.files.alive };
}

const choosers: readonly (readonly [string, CrashChooser | Random])[] = [
  ["nothing unsynced survives", loseAll],
  ["all survives", keepAll],
  ["the first sector", keepFirst(1)],
  ["the first two, the second torn", keepFirst(1, 100)],
  ["all but the first sector", { keep: (index) => index > 0 }],
  ["the first sector is torn inside a header", keepFirst(0, 60)],
  ["every other sector", { keep: (index) => index % 2 === 0 }],
  ["all but the names", { keep: () => true, keepName: () => false }],
  ["drawn 1", new SeededRandom(1)],
  ["drawn 2", new SeededRandom(2)],
  ["drawn 3", new SeededRandom(3)],
];

/** Opens what is left, and shows it. */
async function recover(disk: WalDisk): Promise<WalRun> {
  const run = new WalRun(disk);
  await run.open();
  return run;
}

suite("P1, P7: power loss at every operation", () => {
  test("what was confirmed is there, whole batches only, and the log goes on", async () => {
    let cuts = 0;
    for (let operations = 0; ; operations++) {
      const { disk, allowed, finished } = await play(operations);
      if (finished) break;
      cuts += 1;
      for (const [name, chooser] of choosers) {
        const copy = copyOf(disk);
        copy.files.crash(chooser);
        copy.files.restart();
        const where = `after ${operations} operations, ${name}`;
        const run = await recover(copy).catch((error: unknown) => {
          throw new Error(`${where}: ${String(error)}`, { cause: error });
        });
        const found = describeWal(run.wal);
        assert.ok(
          allowed.includes(found),
          `${where}: found ${found}, may be ${allowed.join("\nor ")}`,
        );
        if (operations % 3 === 0) await goOn(run, where);
        else await run.close();
      }
    }
    assert.ok(cuts > 100, `the story has only ${cuts} operations`);
  });

  test("a crash during recovery, at every operation of it, changes nothing of that", async () => {
    const { disk, allowed } = await play(60);
    for (const [name, chooser] of choosers) {
      for (let operations = 0; operations < 30; operations++) {
        const copy = copyOf(disk);
        copy.files.crash(chooser);
        copy.files.restart();
        copy.files.failAfter(operations);
        const first = new WalRun(copy);
        await first.open().then(
          () => first.settle(),
          () => undefined,
        );
        if (copy.files.alive) break;
        for (const [nextName, nextChooser] of choosers) {
          const again = copyOf(copy);
          again.files.crash(nextChooser);
          again.files.restart();
          const where = `${name}, then after ${operations} operations ${nextName}`;
          const run = await recover(again);
          const found = describeWal(run.wal);
          assert.ok(allowed.includes(found), `${where}: ${found}`);
          await run.close();
        }
      }
    }
  });
});

/** A recovered log takes more, and holds it. */
async function goOn(run: WalRun, where: string): Promise<void> {
  const { wal } = run;
  const next = wal.group(9).lastIndex + 1;
  wal.stageEntry(9, next, 9, bodyOf(9, next, 9, 2_000));
  assert.ok(await run.flush(), where);
  const text = describeWal(wal);
  await run.close();
  const again = await recover(run.disk);
  assert.equal(describeWal(again.wal), text, where);
  await again.close();
}
