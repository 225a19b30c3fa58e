import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { AssertionError } from "../../src/base/assert.ts";
import type { Clock, Timer } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { CheckpointStore } from "../../src/state/checkpoint-store.ts";
import { orderHash, runFileName } from "../../src/state/run-format.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";
import {
  addRows,
  applied,
  directory,
  filesOf,
  liveBytesOf,
  loadRows,
  newWorld,
  openStore,
  partition,
  rows,
  SortedRows,
  textOf,
} from "./run-rows.ts";
import type { Rows } from "./run-rows.ts";

/** Each look at the clock finds it half a slice further; counts the turns of the event loop that were given. */
class RestlessClock implements Clock {
  readonly clock = new SimulatedClock();
  /** Called when work asks for a turn of the event loop. */
  onTurn: () => void = () => {};

  wallMs(): number {
    return this.clock.wallMs();
  }

  monotonicMs(): number {
    this.clock.elapse(limits.backgroundSliceMs / 2);
    return this.clock.monotonicMs();
  }

  after(delayMs: number, task: () => void): Timer {
    return this.clock.after(delayMs, task);
  }

  soon(task: () => void): void {
    this.onTurn();
    this.clock.soon(task);
  }
}

function manyRows(count: number, body: string): Rows {
  return new Map(Array.from({ length: count }, (_, i) => [`1/key ${i}`, `${body} ${i}`]));
}

suite("checkpoint store", () => {
  test("a new directory has no manifest, no runs and no state", async () => {
    const world = newWorld();
    const { store, manifest } = await openStore(world);
    assert.equal(manifest, undefined);
    assert.equal(store.state, undefined);
    assert.deepEqual(store.runs, []);
    assert.equal(store.runBytes, 0);
    assert.equal((await loadRows(world, store)).size, 0);
    await store.close();
    assert.equal((await openStore(world)).manifest, undefined);
  });

  test("the first rows become the base, without deletions; later ones deltas, newest wins", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    await addRows(world, store, rows({ "1/a": "old", "1/b": "b", "1/gone": undefined }), { at: 1 });
    await addRows(world, store, rows({ "1/a": "new", "2/a": "other table" }), { at: 2 });
    await addRows(world, store, rows({ "1/b": undefined, "1/empty": "" }), { at: 3 });
    assert.deepEqual(
      store.runs.map(({ id, kind, rows: count }) => [id, kind, count]),
      [
        [1, "base", 2],
        [2, "delta", 2],
        [3, "delta", 2],
      ],
    );
    await store.close();
    const again = await openStore(world);
    assert.deepEqual(again.manifest?.state, { at: 3 });
    assert.deepEqual(again.store.runs, store.runs);
    const files = filesOf(world).map((name) => world.disk.contents(`${directory}/${name}`).length);
    const manifestBytes = world.disk.contents(`${directory}/manifest`).length;
    assert.equal(again.store.runBytes, files.reduce((sum, size) => sum + size) - manifestBytes);
    const expected = rows({ "1/a": "new", "2/a": "other table", "1/empty": "" });
    assert.equal(textOf(await loadRows(world, again.store)), textOf(expected));
  });

  test("without rows no run is written, and the state is replaced all the same", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    await addRows(world, store, rows({}), { position: 10 });
    await addRows(world, store, rows({ "1/never there": undefined }), { position: 11 });
    assert.deepEqual(filesOf(world), ["manifest"]);
    await addRows(world, store, rows({ "1/a": "a" }), { position: 12 });
    await addRows(world, store, rows({}), { position: 13 });
    assert.equal(store.runs.length, 1);
    await store.close();
    assert.deepEqual((await openStore(world)).manifest?.state, { position: 13 });
  });

  test("the state is copied when it is handed over", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    const state = { position: 1, deep: { list: [1, "two", null] } };
    const adding = store.addDelta(new SortedRows(rows({ "1/a": "a" })), state);
    state.position = 2;
    state.deep.list = [];
    await world.clock.drive(adding);
    assert.deepEqual(store.state, { position: 1, deep: { list: [1, "two", null] } });
  });

  test("leftovers of a crash are removed once the start is sure, other files are left alone", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    await addRows(world, store, rows({ "1/a": "a" }));
    await store.close();
    for (const name of ["00000009.run", "manifest.new", "notes.txt"]) {
      world.disk.openSync(`${directory}/${name}`, "create").closeSync();
    }
    const again = await openStore(world);
    assert.equal(filesOf(world).length, 5, "a start that may be refused changes nothing");
    await world.clock.drive(again.store.removeLeftovers());
    assert.deepEqual(filesOf(world), ["00000001.run", "manifest", "notes.txt"]);
    await addRows(world, again.store, rows({ "1/b": "b" }));
    assert.equal(again.store.runs[1]?.id, 10, "an id that was used is not used again");
  });

  test("a merge of all makes a base: newest rows, no deletions, old files removed", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    let live: Rows = new Map();
    const steps = [manyRows(300, "x".repeat(6_000)), manyRows(200, "y".repeat(9_000))];
    const deletions = new Map<string, undefined>();
    for (let i = 0; i < 150; i++) deletions.set(`1/key ${i}`, undefined);
    for (const changes of [...steps, deletions]) {
      live = applied(live, changes);
      await addRows(world, store, changes, { rows: live.size });
    }
    assert.equal(await world.clock.drive(store.maybeMerge(liveBytesOf(live))), true);
    assert.deepEqual(
      store.runs.map(({ id, kind, rows: count }) => [id, kind, count]),
      [[4, "base", 150]],
    );
    assert.deepEqual(filesOf(world), ["00000004.run", "manifest"]);
    assert.deepEqual(store.state, { rows: 150 });
    assert.equal(textOf(await loadRows(world, store)), textOf(live));
    assert.equal(await world.clock.drive(store.maybeMerge(liveBytesOf(live))), false);
    await store.close();
    const again = await openStore(world);
    assert.equal(textOf(await loadRows(world, again.store)), textOf(live));
  });

  test("a merge of deltas among themselves keeps deletions, which hide rows of the base", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    let live = manyRows(1_000, "base ".repeat(20));
    await addRows(world, store, live);
    for (let i = 0; i <= limits.deltasMaxCount; i++) {
      const changes = rows({ [`1/key ${i}`]: undefined, [`1/key ${i - 1}`]: "back" });
      live = applied(live, changes);
      await addRows(world, store, changes);
    }
    assert.equal(await world.clock.drive(store.maybeMerge(liveBytesOf(live))), true);
    assert.deepEqual(
      store.runs.map(({ kind, rows: count }) => [kind, count]),
      [
        ["base", 1_000],
        ["delta", limits.deltasMaxCount + 2],
      ],
    );
    assert.equal(store.runs[0]?.id, 1);
    assert.equal(textOf(await loadRows(world, store)), textOf(live));
  });

  test("keys of one order hash are kept apart, in load and in merge", async () => {
    for (const [a, b] of [
      ["costarring", "liquid"],
      ["declinate", "macallums"],
    ] as const) {
      assert.equal(orderHash(Buffer.from(a), 0, a.length), orderHash(Buffer.from(b), 0, b.length));
    }
    const world = newWorld();
    const { store } = await openStore(world);
    const filler = manyRows(200, "f".repeat(8_000));
    let live: Rows = new Map();
    for (const changes of [
      rows({ "1/liquid": "old", "1/declinate": "kept", "1/macallums": "deleted later" }),
      rows({ "1/costarring": "kept", "1/macallums": undefined }),
      rows({ "1/liquid": "new" }),
    ]) {
      live = applied(live, new Map([...filler, ...changes]));
      await addRows(world, store, new Map([...filler, ...changes]));
    }
    assert.equal(textOf(await loadRows(world, store)), textOf(live));
    assert.equal(await world.clock.drive(store.maybeMerge(liveBytesOf(live))), true);
    assert.equal(textOf(await loadRows(world, store)), textOf(live));
  });

  test("a new base takes the place of all runs, of which none is read; a check names what has rotted", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    await addRows(world, store, rows({ "1/a": "a", "1/b": "b" }), { at: 1 });
    await addRows(world, store, rows({ "1/a": "new" }), { at: 2 });
    await world.clock.drive(store.check());
    world.disk.flipBit(`${directory}/${runFileName(1)}`, 70, 3);
    await assert.rejects(world.clock.drive(store.check()), {
      code: "DATADAMAGED",
      message: /00000001\.run/,
    });
    const all = new SortedRows(rows({ "1/a": "new", "1/b": "b", "1/gone": undefined }));
    await world.clock.drive(store.addBase(all, { at: 3 }));
    await world.clock.drive(store.check());
    assert.deepEqual(
      store.runs.map(({ kind, rows: count }) => [kind, count]),
      [["base", 2]],
    );
    assert.deepEqual(await loadRows(world, store), rows({ "1/a": "new", "1/b": "b" }));
    await store.close();
    const again = await openStore(world);
    assert.deepEqual(again.manifest?.state, { at: 3 });
    assert.deepEqual(await loadRows(world, again.store), rows({ "1/a": "new", "1/b": "b" }));
    await again.store.close();
  });

  test("deltas added during a merge stay behind it", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    let live = manyRows(300, "x".repeat(6_000));
    await addRows(world, store, live, { at: 1 });
    await addRows(world, store, manyRows(300, "y".repeat(6_000)), { at: 2 });
    live = manyRows(300, "y".repeat(6_000));
    const ended: string[] = [];
    const merging = store.maybeMerge(0).finally(() => ended.push("merge"));
    assert.equal(await store.maybeMerge(0), false, "one merge at a time");
    const changes = rows({ "1/key 7": undefined, "1/new": "during the merge" });
    live = applied(live, changes);
    const adding = store.addDelta(new SortedRows(changes), { at: 3 });
    const added = adding.finally(() => ended.push("delta"));
    assert.equal(await world.clock.drive(merging), true);
    await world.clock.drive(added);
    assert.deepEqual(ended, ["delta", "merge"]);
    assert.deepEqual(
      store.runs.map(({ id, kind }) => [id, kind]),
      [
        [3, "base"],
        [4, "delta"],
      ],
    );
    assert.deepEqual(store.state, { at: 3 });
    await store.close();
    const again = await openStore(world);
    assert.equal(textOf(await loadRows(world, again.store)), textOf(live));
  });

  test("close ends a merge early, keeps what was, and waits for a delta", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    await addRows(world, store, manyRows(300, "x".repeat(6_000)));
    await addRows(world, store, manyRows(300, "y".repeat(6_000)));
    const merging = store.maybeMerge(0);
    const adding = store.addDelta(new SortedRows(rows({ "1/last": "one" })), { last: true });
    await world.clock.drive(store.close());
    assert.equal(await merging, false);
    await adding;
    assert.deepEqual(filesOf(world), ["00000001.run", "00000002.run", "00000004.run", "manifest"]);
    assert.equal(await store.maybeMerge(0), false);
    assert.throws(() => store.addDelta(new SortedRows(rows({})), {}), AssertionError);
    assert.throws(() => store.load(() => {}), AssertionError);
    assert.deepEqual((await openStore(world)).manifest?.state, { last: true });
  });

  test("writing, merging and loading give the event loop back after each slice", async () => {
    const restless = new RestlessClock();
    const clock = restless.clock;
    const disk = new SimulatedFileSystem({ clock, directories: ["/data"] });
    const options = { files: disk, clock: restless, logger: silentLogger, directory, partition };
    const { store } = await clock.drive(CheckpointStore.open(options));
    const count = 20_000;
    let turns = 0;
    restless.onTurn = () => turns++;
    for (const body of ["a", "b"]) {
      turns = 0;
      await clock.drive(store.addDelta(new SortedRows(manyRows(count, body)), {}));
      assert.ok(turns > count / 40, `${turns} turns while ${count} rows were written`);
    }
    turns = 0;
    let sinceTurn = 0;
    let longest = 0;
    restless.onTurn = () => {
      turns++;
      sinceTurn = 0;
    };
    await clock.drive(store.load(() => (longest = Math.max(longest, ++sinceTurn))));
    assert.ok(longest <= 128, `${longest} rows were loaded without a turn`);
    turns = 0;
    assert.equal(await clock.drive(store.maybeMerge(0)), false, "below the constant");
    await clock.drive(store.addDelta(new SortedRows(manyRows(count, "c".repeat(60))), {}));
    turns = 0;
    assert.equal(await clock.drive(store.maybeMerge(0)), true);
    assert.ok(turns > count / 40, `${turns} turns while ${count} rows were merged`);
  });

  test("rows leave in large writes, and a large run is synced little by little", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    const writes: number[] = [];
    let unsynced = 0;
    let longest = 0;
    world.disk.onOperation = ({ kind, path, length = 0 }) => {
      if (!path.endsWith(".run")) return;
      if (kind === "write") {
        writes.push(length);
        unsynced += length;
        longest = Math.max(longest, unsynced);
      }
      if (kind === "sync") unsynced = 0;
    };
    await addRows(world, store, manyRows(2_000, "z".repeat(10_000)));
    writes.pop();
    assert.ok(Math.min(...writes) >= limits.runWriteBytes);
    assert.ok(Math.max(...writes) <= limits.runWriteBytes + limits.runBlockBytes + 24);
    assert.ok(
      longest <= limits.runSyncEveryBytes + 2 * limits.runWriteBytes,
      `${longest} unsynced`,
    );
    assert.equal(unsynced, 0);
  });
});
