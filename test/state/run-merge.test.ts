import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../src/base/limits.ts";
import type { RunInfo } from "../../src/state/run-format.ts";
import { planMerge } from "../../src/state/run-merge.ts";
import {
  addRows,
  applied,
  directory,
  liveBytesOf,
  loadRows,
  newWorld,
  openStore,
  textOf,
} from "./run-rows.ts";
import type { Rows } from "./run-rows.ts";

const KB = 1_000;
const MB = 1_000 * KB;
const GB = 1_000 * MB;

function runsOf(...sizes: readonly number[]): RunInfo[] {
  return sizes.map((bytes, place) => ({
    id: place + 1,
    kind: place === 0 ? "base" : "delta",
    rows: 1,
    bytes,
    checksum: 0,
  }));
}

/** Rounds of one delta and a look for merges, with sizes only. A merge makes what `merged` says of its runs. */
class Sizes {
  runs: RunInfo[] = [];
  written = 0;
  mostRuns = 0;
  readonly merged: (sizes: readonly number[], withBase: boolean) => number;

  constructor(base: number, merged: Sizes["merged"]) {
    this.runs = runsOf(base);
    this.merged = merged;
  }

  add(delta: number, liveBytes: number): void {
    const sizes = [...this.runs.map((run) => run.bytes), delta];
    this.written += delta;
    const plan = planMerge(runsOf(...sizes), liveBytes);
    if (plan !== undefined) {
      const size = this.merged(sizes.slice(plan.from, plan.to), plan.from === 0);
      sizes.splice(plan.from, plan.to - plan.from, size);
      this.written += size;
    }
    this.runs = runsOf(...sizes);
    this.mostRuns = Math.max(this.mostRuns, sizes.length);
  }

  total(): number {
    return this.runs.reduce((sum, run) => sum + run.bytes, 0);
  }
}

const sum = (sizes: readonly number[]): number => sizes.reduce((all, size) => all + size, 0);

suite("planning a merge", () => {
  test("nothing to merge: no run, one run, little garbage, few deltas", () => {
    assert.equal(planMerge([], 0), undefined);
    assert.equal(planMerge(runsOf(100 * MB), 0), undefined, "one run alone is not written again");
    assert.equal(planMerge(runsOf(GB, 900 * MB), GB), undefined);
    assert.equal(planMerge(runsOf(limits.mergeMinBytes - 1, 1), 0), undefined);
    const few = runsOf(...Array.from({ length: limits.deltasMaxCount + 1 }, () => KB));
    assert.equal(planMerge(few, 17 * KB), undefined);
  });

  test("over twice the live bytes plus the constant all become one base", () => {
    const over = runsOf(GB, 900 * MB, 100 * MB + limits.mergeMinBytes, 1);
    assert.deepEqual(planMerge(over, GB), { from: 0, to: 4 });
    assert.deepEqual(planMerge(runsOf(100 * MB, 1), 0), { from: 0, to: 2 });
  });

  test("too many deltas: the small ones are merged, the large base is left alone", () => {
    const small = Array.from({ length: limits.deltasMaxCount }, () => 100 * KB);
    assert.deepEqual(planMerge(runsOf(GB, 10 * MB, ...small), GB), { from: 2, to: 18 });
    assert.deepEqual(planMerge(runsOf(GB, KB, ...small), GB), { from: 1, to: 18 });
    assert.deepEqual(planMerge(runsOf(MB, KB, ...small), 10 * MB), { from: 0, to: 18 });
  });

  test("one merge never opens more runs than its limit, the oldest first", () => {
    const many = runsOf(...Array.from({ length: 200 }, () => MB));
    assert.deepEqual(planMerge(many, 0), { from: 0, to: limits.mergeRunsMaxCount });
  });

  test("new rows beside a base of 1 GB: few runs, and each byte is written about 8 times until the state has doubled", () => {
    const sizes = new Sizes(GB, sum);
    const rounds = 10_000;
    for (let round = 1; round <= rounds; round++) sizes.add(100 * KB, GB + round * 100 * KB);
    const amplification = sizes.written / (rounds * 100 * KB);
    assert.ok(amplification < 9, `written ${amplification.toFixed(1)} times`);
    assert.ok(sizes.mostRuns <= limits.deltasMaxCount + 2, `${sizes.mostRuns} runs`);
  });

  test("few hot rows beside a base of 1 GB: each byte is written about twice, the base never", () => {
    const sizes = new Sizes(GB, (merged, withBase) => {
      assert.ok(!withBase, "the base is written again");
      return Math.max(...merged);
    });
    for (let round = 1; round <= 10_000; round++) sizes.add(100 * KB, GB);
    const amplification = sizes.written / (10_000 * 100 * KB);
    assert.ok(amplification < 2, `written ${amplification.toFixed(1)} times`);
    assert.ok(sizes.mostRuns <= limits.deltasMaxCount + 2);
  });

  test("overwrites all over the state: each byte is written a few times, the runs stay below the bound", () => {
    const live = 100 * MB;
    const sizes = new Sizes(live, (merged) => Math.min(sum(merged), live));
    for (let round = 1; round <= 10_000; round++) {
      sizes.add(MB, live);
      assert.ok(sizes.total() <= 2 * live + limits.mergeMinBytes);
    }
    const amplification = sizes.written / (10_000 * MB);
    assert.ok(amplification < 8, `written ${amplification.toFixed(1)} times`);
  });
});

/** Plays rounds of changes on a simulated disk and watches what is on it at every write. */
async function mostOnDisk(
  rounds: number,
  changesOf: (round: number) => Rows,
): Promise<{ over: number; written: number; given: number; final: Rows; runBytes: number }> {
  const world = newWorld();
  const { store } = await openStore(world);
  const { disk } = world;
  const empty = disk.freeBytesSync("/data");
  let live: Rows = new Map();
  let liveBytes = 0;
  let largest = 0;
  let over = 0;
  let written = 0;
  let given = 0;
  disk.onOperation = ({ kind, length = 0 }) => {
    if (kind === "write") written += length;
    over = Math.max(over, empty - disk.freeBytesSync("/data") - 3 * liveBytes - 2 * largest);
  };
  for (let round = 0; round < rounds; round++) {
    const changes = changesOf(round);
    const before = liveBytes;
    live = applied(live, changes);
    const bytes = [...changes].reduce(
      (all, [name, value]) => all + name.length + (value?.length ?? 0) + 10,
      0,
    );
    largest = Math.max(largest, bytes);
    given += bytes;
    liveBytes = Math.max(before, liveBytesOf(live));
    await addRows(world, store, changes, { round });
    // A merge works on what was there before: while it runs, that is what it must not exceed.
    await world.clock.drive(store.maybeMerge(liveBytesOf(live)));
    liveBytes = liveBytesOf(live);
    const bound = 2 * liveBytes + limits.mergeMinBytes;
    assert.ok(store.runBytes <= bound + 4_096, `round ${round}: ${store.runBytes} of ${bound}`);
  }
  const final = await loadRows(world, store);
  assert.equal(textOf(final), textOf(live));
  await store.close();
  return { over, written, given, final, runBytes: store.runBytes };
}

function body(round: number, bytes: number): string {
  return String(round).padEnd(bytes, "b");
}

suite("P8: bytes on disk stay below 3 × live bytes plus a constant (DESIGN §7)", () => {
  const constant = 1.5 * limits.mergeMinBytes + 64 * KB;

  test("one immortal row beside endless overwrites", async () => {
    const { over, final, runBytes } = await mostOnDisk(300, (round) => {
      const changes = new Map<string, string>();
      if (round === 0) changes.set("1/immortal", body(0, 1_000));
      for (let i = 0; i < 10; i++) changes.set(`1/${i}`, body(round, 10 * KB));
      return changes;
    });
    assert.equal(final.get("1/immortal"), body(0, 1_000));
    assert.ok(over <= constant, `${over} bytes over three times the live bytes`);
    assert.ok(runBytes < 1.4 * MB, `${runBytes} bytes for 100 KB that live`);
  });

  test("overwrites all over a state of 3 MB, and few bytes written for each given", async () => {
    const { over, written, given } = await mostOnDisk(200, (round) => {
      const changes = new Map<string, string>();
      if (round === 0) {
        for (let i = 0; i < 300; i++) changes.set(`1/${i}`, body(0, 10 * KB));
      }
      for (let i = 0; i < 10; i++)
        changes.set(`1/${(round * 7 + i * 31) % 300}`, body(round, 10 * KB));
      return changes;
    });
    assert.ok(over <= constant, `${over} bytes over three times the live bytes`);
    assert.ok(written < 5 * given, `${written} bytes written for ${given}`);
  });

  test("a state that grows to 3 MB and is deleted row by row, twice", async () => {
    const { over, final, runBytes } = await mostOnDisk(240, (round) => {
      const changes = new Map<string, string | undefined>();
      const phase = round % 120;
      for (let i = 0; i < 5; i++) {
        const name = `1/${(phase % 60) * 5 + i}`;
        changes.set(name, phase < 60 ? body(round, 10 * KB) : undefined);
      }
      return changes;
    });
    assert.equal(final.size, 0);
    assert.ok(over <= constant, `${over} bytes over three times the live bytes`);
    assert.ok(runBytes <= limits.mergeMinBytes);
  });

  test("a base far larger than the deltas is not written again with every merge of them", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    const base = new Map(Array.from({ length: 400 }, (_, i) => [`1/${i}`, body(i, 10 * KB)]));
    await addRows(world, store, base);
    let live: Rows = base;
    for (let round = 0; round < 100; round++) {
      const changes = new Map([[`2/${round}`, body(round, 500)]]);
      live = applied(live, changes);
      await addRows(world, store, changes);
      await world.clock.drive(store.maybeMerge(liveBytesOf(live)));
      assert.equal(store.runs[0]?.id, 1, `round ${round}: ${directory} has a new base`);
      assert.ok(store.runs.length <= limits.deltasMaxCount + 1);
    }
    assert.equal(textOf(await loadRows(world, store)), textOf(live));
  });
});
