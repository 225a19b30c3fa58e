/** Seeds of the power-loss simulation; thousands more by `npm run simulate:crash -- --seed 1 --seeds 5000`. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { RaftLog } from "../../src/log/raft-log.ts";
import { Once } from "../../src/machines/once/once.ts";
import { Confirm } from "../../src/partition/confirm.ts";
import { UndoList } from "../../src/state/undo-list.ts";
import { crashRun } from "../../simulator/node-crash.ts";
import { SimulatedFileHandle } from "../../simulator/simulated-file-handle.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";

const seeds = 150;
/** A mutant that lives longer than so many seeds was not caught. */
const mutantSeeds = 25;

suite("P1, P3, P5, P7: a node under random load, with a power loss at random moments", () => {
  test(`${seeds} seeds`, async () => {
    let crashes = 0;
    for (let seed = 1; seed <= seeds; seed++) crashes += (await crashRun(seed)).crashes;
    assert.ok(crashes > seeds, `only ${crashes} crashes`);
  });

  test("the same seed is the same run, to the last operation of the disk", async () => {
    for (const seed of [3, 1_000_003]) {
      const first = await crashRun(seed);
      assert.deepEqual(await crashRun(seed), first);
      assert.notEqual((await crashRun(seed + 1)).trace, first.trace);
    }
  });
});

/** Puts something else in the place of a method; returns how to undo it. */
function mutate<T extends object, K extends keyof T>(
  owner: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const original = owner[name];
  owner[name] = make(original);
  return () => {
    owner[name] = original;
  };
}

/** Bugs that the simulation must see, each as somebody might make it. */
const mutants: readonly (readonly [string, () => () => void])[] = [
  [
    "the log is written and not synced",
    () =>
      mutate(
        SimulatedFileHandle.prototype,
        "syncDataSync",
        (sync) =>
          function (this: SimulatedFileHandle) {
            if (!this.file.path.endsWith(".wal")) sync.call(this);
          },
      ),
  ],
  [
    "a checkpoint's run is not synced before its manifest",
    () =>
      mutate(
        SimulatedFileHandle.prototype,
        "syncData",
        (sync) =>
          async function (this: SimulatedFileHandle) {
            if (!this.file.path.endsWith(".run")) await sync.call(this);
          },
      ),
  ],
  [
    "the name of a manifest is not synced",
    () =>
      mutate(
        SimulatedFileSystem.prototype,
        "syncDirectory",
        (sync) =>
          async function (this: SimulatedFileSystem, path: string) {
            if (!path.includes("partitions/")) await sync.call(this, path);
          },
      ),
  ],
  [
    "a failed group is not taken back",
    () =>
      mutate(
        UndoList.prototype,
        "rollback",
        () =>
          function (this: UndoList) {
            this.commit();
          },
      ),
  ],
  ["outcomes are not remembered", () => mutate(Once.prototype, "remember", () => () => {})],
  [
    "the horizon is forgotten by a restart",
    () => mutate(Once.prototype, "restoreHorizon", () => () => {}),
  ],
  [
    "the log is trimmed one entry too far",
    () =>
      mutate(
        RaftLog.prototype,
        "trim",
        (trim) =>
          function (this: RaftLog, upTo: number) {
            trim.call(this, Math.min(upTo + 1, this.status().committed));
          },
      ),
  ],
  [
    "a batch that failed is said not to have been done",
    () =>
      mutate(
        Confirm.prototype,
        "giveUp",
        (giveUp) =>
          function (this: Confirm) {
            giveUp.call(this, { kind: "error", code: "STOPPED", text: "not done" });
          },
      ),
  ],
];

async function firstError(): Promise<unknown> {
  for (let seed = 1; seed <= mutantSeeds; seed++) {
    try {
      await crashRun(seed);
    } catch (error) {
      return error;
    }
  }
  return undefined;
}

suite("the simulation catches", () => {
  for (const [name, plant] of mutants) {
    test(name, async () => {
      const undo = plant();
      const caught = await firstError().finally(undo);
      assert.ok(caught instanceof Error, `the mutant lived through ${mutantSeeds} seeds`);
      assert.match(caught.message, /npm run simulate:crash -- --seed \d+/);
    });
  }
});
