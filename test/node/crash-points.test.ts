/**
 * One story through every part of the node, cut off at every operation of the disk, and what the power loss leaves chosen in many ways. Random stories
 * are in node-crash.test.ts.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import type { Random } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { formatUuid, makeUuidV7 } from "../../src/base/uuid.ts";
import { keepAll, keepFirst, loseAll } from "../../simulator/crash-chooser.ts";
import type { CrashChooser } from "../../simulator/crash-chooser.ts";
import type { PlainOperation } from "../../simulator/node-operations.ts";
import { NodeSimulation } from "../../simulator/node-simulation.ts";

type Step =
  | { readonly partition: number; readonly operation: PlainOperation; readonly requestId?: string }
  | "checkpoint"
  | number;

function keyOf(number: number): string {
  return `0000000000004000800000000000${number.toString(16).padStart(4, "0")}`;
}

function set(key: number, bytes: number, expiryMs = 0): PlainOperation {
  const value = Buffer.alloc(bytes, key);
  return { kind: "set", key: keyOf(key), value, condition: "none", version: 0, expiryMs };
}

function remove(key: number): PlainOperation {
  return { kind: "delete", key: keyOf(key), version: undefined };
}

/** Sets, deletions, groups that stand and one that fails, ids and repeats, expiry, two checkpoints, a rotation of the log, a large value. */
function story(): Step[] {
  const random = new SeededRandom(1);
  const ids = [0, 1, 2].map((i) => formatUuid(makeUuidV7(Date.UTC(2026, 0, 1) + i, random)));
  const steps: Step[] = [];
  for (let i = 0; i < 4; i++) steps.push({ partition: i % 2, operation: set(i, 20 + i * 300) });
  steps.push({ partition: 0, operation: set(1, 5), requestId: must(ids[0]) });
  steps.push({
    partition: 1,
    operation: { kind: "group", operations: [must(only(set(7, 40))), must(only(remove(1)))] },
    requestId: must(ids[1]),
  });
  steps.push({ partition: 0, operation: set(1, 5), requestId: must(ids[0]) });
  const failing: PlainOperation = {
    kind: "group",
    operations: [
      must(only(set(8, 9))),
      {
        kind: "set",
        key: keyOf(0),
        value: Buffer.alloc(1),
        condition: "nx",
        version: 0,
        expiryMs: 0,
      },
    ],
  };
  steps.push({ partition: 0, operation: failing, requestId: must(ids[2]) });
  steps.push({ partition: 0, operation: set(9, 12, 1_500) }, "checkpoint", 10);
  for (let i = 0; i < 5; i++) steps.push({ partition: i % 2, operation: set(10 + i, 3_000) });
  steps.push({ partition: 0, operation: remove(0) }, 2_000);
  for (let i = 0; i < 5; i++) steps.push({ partition: i % 2, operation: set(2 + i, 2_000) });
  steps.push({ partition: 1, operation: set(30, 9_000) }, "checkpoint");
  steps.push({ partition: 0, operation: failing, requestId: must(ids[2]) });
  for (let i = 0; i < 4; i++) steps.push({ partition: i % 2, operation: set(i, 700) });
  steps.push({ partition: 1, operation: remove(30) }, 1_100);
  return steps;
}

function only(operation: PlainOperation): Exclude<PlainOperation, { kind: "group" }> | undefined {
  return operation.kind === "group" ? undefined : operation;
}

/** Plays the story on a fresh disk until `operations` have been done; says whether it came to its end. */
async function play(
  operations: number,
  syncMs: number,
): Promise<{ simulation: NodeSimulation; finished: boolean }> {
  const simulation = new NodeSimulation({
    seed: 1,
    partitions: 2,
    segmentBytes: 32_768,
    latencyMs: ({ kind }) => (kind === "sync" ? syncMs : 0),
  });
  const { files, clock } = simulation;
  files.failAfter(operations);
  if (await simulation.open()) {
    for (const step of story()) {
      if (step === "checkpoint") void simulation.node.checkpoint();
      else if (typeof step === "number") await clock.advanceSettled(step);
      else simulation.issue(step.partition, step.operation, step.requestId);
      await (syncMs === 0 ? clock.settle() : clock.advanceSettled(4));
      if (!files.alive) break;
    }
    if (files.alive) await clock.advanceSettled(500);
  }
  return { simulation, finished: files.alive };
}

const choosers: readonly (readonly [string, CrashChooser | Random | "kill"])[] = [
  ["nothing unsynced survives", loseAll],
  ["all survives", keepAll],
  ["the first sector, torn", keepFirst(0, 100)],
  ["the first sectors, the third torn", keepFirst(2, 300)],
  ["all but the first sector", { keep: (index) => index > 0 }],
  ["all but the names", { keep: () => true, keepName: () => false }],
  ["drawn 1", new SeededRandom(1)],
  ["drawn 2", new SeededRandom(2)],
];

/** Starts what is left, which compares it with what must be there; goes on, stops, starts again. */
async function recover(simulation: NodeSimulation, where: string): Promise<void> {
  try {
    assert.ok(await simulation.open());
    simulation.issue(0, set(50, 100));
    simulation.issue(1, set(51, 1_000));
    await simulation.clock.advanceSettled(200);
    simulation.verify();
    await simulation.stop();
    assert.ok(await simulation.open());
    await simulation.stop();
  } catch (error) {
    throw new Error(`${where}: ${String(error)}`, { cause: error });
  }
}

suite("P1, P3, P7: power loss at every operation of the disk", () => {
  for (const [name, syncMs, step] of [
    ["a fast disk", 0, 1],
    ["a slow disk", 5, 4],
  ] as const) {
    test(`${name}: what was acknowledged is there, groups whole, ids once; and the node goes on`, async () => {
      let cuts = 0;
      for (let operations = 0; ; operations += step) {
        const { simulation, finished } = await play(operations, syncMs);
        if (finished) {
          assert.ok(simulation.node.wal.group(0).firstIndex > 1, "the story has a checkpoint");
          assert.ok(
            simulation.files.paths().some((path) => path.endsWith("02.wal")),
            "the story has a second segment",
          );
          await simulation.die("kill");
          break;
        }
        cuts++;
        const copies = choosers.map(() => simulation.fork());
        await simulation.die("kill");
        for (const [index, copy] of copies.entries()) {
          const [chosen, chooser] = must(choosers[index]);
          await copy.die(chooser);
          await recover(copy, `after ${operations} operations, ${chosen}`);
        }
      }
      assert.ok(cuts * step > 150, `the story has only ${cuts * step} operations`);
    });
  }

  test("a crash during recovery, at every operation of it, changes nothing of that", async () => {
    let crashes = 0;
    for (let operations = 7; ; operations += 13) {
      const { simulation, finished } = await play(operations, 0);
      const [chosen, chooser] = must(choosers[operations % choosers.length]);
      const first = simulation.fork();
      await simulation.die("kill");
      if (finished) break;
      await first.die(chooser);
      for (let during = 0; ; during++) {
        const copy = first.fork();
        await copy.die("kill");
        copy.files.failAfter(during);
        const opened = await copy.open();
        const [nextChosen, next] = must(choosers[during % choosers.length]);
        if (opened && copy.files.alive) {
          await copy.die(next);
          break;
        }
        crashes++;
        await copy.die(next);
        await recover(
          copy,
          `after ${operations} operations ${chosen}, then in recovery after ${during} ${nextChosen}`,
        );
      }
    }
    assert.ok(crashes > 100, `only ${crashes} crashes`);
  });
});
