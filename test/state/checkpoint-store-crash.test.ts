import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { CheckpointStore } from "../../src/state/checkpoint-store.ts";
import { keepAll, keepFirst, loseAll } from "../../simulator/crash-chooser.ts";
import type { CrashChooser } from "../../simulator/crash-chooser.ts";
import { DiskError } from "../../simulator/disk-error.ts";
import {
  addRows,
  applied,
  cloneWorld,
  filesOf,
  liveBytesOf,
  loadRows,
  newWorld,
  openStore,
  restartedOn,
  rows,
  SortedRows,
  textOf,
} from "./run-rows.ts";
import type { Rows, World } from "./run-rows.ts";

const first = rows({ "1/a": "a", "1/b": "b".repeat(3_000), "2/c": "c" });
const second = rows({ "1/a": undefined, "1/d": "d".repeat(1_500) });
const third = rows({ "1/b": undefined, "1/a": "again", "3/e": "e".repeat(2_000) });
/** So much that three runs of it are worth a merge. */
const bulk = (body: string): Rows =>
  new Map(Array.from({ length: 60 }, (_, i) => [`1/${i}`, body.repeat(6_000)]));

interface Attempt {
  readonly name: string;
  /** What is on the disk before. */
  readonly before: readonly Rows[];
  run(store: CheckpointStore): Promise<unknown>;
}

const attempts: readonly Attempt[] = [
  {
    name: "the first checkpoint",
    before: [],
    run: (store) => store.addDelta(new SortedRows(first), { position: 1 }),
  },
  {
    name: "a delta",
    before: [first, second],
    run: (store) => store.addDelta(new SortedRows(third), { position: 3 }),
  },
  {
    name: "a checkpoint without rows",
    before: [first],
    run: (store) => store.addDelta(new SortedRows(rows({})), { position: 3 }),
  },
  {
    name: "a merge",
    before: [bulk("x"), bulk("y"), second, bulk("z")],
    run: (store) => store.maybeMerge(0),
  },
  {
    name: "a merge with a delta added meanwhile",
    before: [bulk("x"), bulk("y"), bulk("z")],
    run: (store) =>
      Promise.all([
        store.maybeMerge(0),
        store.addDelta(new SortedRows(second), { position: 3 }),
      ]).then(([merged]) => assert.ok(merged)),
  },
];

async function prepared(attempt: Attempt): Promise<World> {
  const world = newWorld();
  const { store } = await openStore(world);
  for (const [i, content] of attempt.before.entries()) {
    await addRows(world, store, content, { position: i / 10 });
  }
  await store.close();
  return world;
}

/** What a restart finds before and after the attempt, and how many operations on the disk it takes. */
async function courseOf(
  world: World,
  attempt: Attempt,
): Promise<{ before: string; after: string; operations: number }> {
  const before = await restartedOn(cloneWorld(world));
  const done = cloneWorld(world);
  const { store } = await openStore(done);
  const start = done.disk.operations;
  await done.clock.drive(attempt.run(store));
  const operations = done.disk.operations - start;
  await store.close();
  return { before, after: await restartedOn(done), operations };
}

/** After the crash: one of the states, whole, nothing left over, and the next checkpoint works. */
async function recovers(world: World, allowed: readonly string[], what: string): Promise<void> {
  let found: string;
  try {
    found = await restartedOn(world);
  } catch (error) {
    throw new Error(`${what}: it does not start`, { cause: error });
  }
  assert.ok(allowed.includes(found), `${what}: found ${found.slice(0, 300)}`);
  const { store } = await openStore(world);
  await world.clock.drive(store.removeLeftovers());
  const named = store.runs.map((run) => `${String(run.id).padStart(8, "0")}.run`);
  const manifest = store.state === undefined ? [] : ["manifest"];
  const files = filesOf(world).filter((name) => name !== "manifest" || manifest.length > 0);
  assert.deepEqual(files, [...named, ...manifest], what);
  await addRows(world, store, rows({ "9/after": "the crash" }), { position: 99 });
  await store.close();
  assert.match(await restartedOn(world), /"position":99.*"9\/after","the crash"/, what);
}

suite("P1, P7: a crash leaves the old state or the new one, whole", () => {
  for (const attempt of attempts) {
    test(`at every operation of ${attempt.name}, with every torn point`, async () => {
      const world = await prepared(attempt);
      const { before, after, operations } = await courseOf(world, attempt);
      assert.ok(operations > 4);
      for (let n = 0; n < operations; n++) {
        const cut = cloneWorld(world);
        const { store } = await openStore(cut);
        cut.disk.failAfter(n);
        const acknowledged = await cut.clock.drive(attempt.run(store)).then(
          () => true,
          () => false,
        );
        const { disk } = cut;
        const sectors = disk.unsyncedSectors().length;
        const choosers: (CrashChooser | SeededRandom)[] = [loseAll, keepAll];
        const step = Math.max(1, Math.ceil(sectors / 8));
        for (let torn = 0; torn <= sectors; torn += step) choosers.push(keepFirst(torn, 100));
        for (let seed = 0; seed < 12; seed++) choosers.push(new SeededRandom(n * 100 + seed));
        for (const [i, chooser] of choosers.entries()) {
          const crashed = cloneWorld({ clock: cut.clock, disk });
          crashed.disk.crash(chooser);
          crashed.disk.restart();
          const allowed = acknowledged ? [after] : [before, after];
          await recovers(crashed, allowed, `crash at operation ${n}, way ${i}`);
        }
        await store.close();
      }
    });
  }

  test("also when the process is killed and the power goes later", async () => {
    const attempt = attempts[1];
    assert.ok(attempt !== undefined);
    const world = await prepared(attempt);
    const { operations } = await courseOf(world, attempt);
    for (let n = 0; n < operations; n++) {
      const cut = cloneWorld(world);
      const { store } = await openStore(cut);
      cut.disk.failAfter(n);
      await cut.clock.drive(attempt.run(store)).catch(() => {});
      await store.close();
      cut.disk.kill();
      cut.disk.restart();
      const opened = await openStore(cut);
      const found = `${JSON.stringify(opened.store.state)} ${textOf(await loadRows(cut, opened.store))}`;
      await opened.store.close();
      for (let seed = 0; seed < 8; seed++) {
        const crashed = cloneWorld(cut);
        crashed.disk.crash(new SeededRandom(seed));
        crashed.disk.restart();
        // What a process has found when it started stays: it has trimmed its log by it.
        await recovers(crashed, [found], `killed at ${n}, power lost with seed ${seed}`);
      }
    }
  });
});

suite("P7: an error of the disk leaves the store as it was", () => {
  for (const attempt of attempts) {
    for (const code of ["ENOSPC", "EIO"]) {
      test(`${code} at every operation of ${attempt.name}`, async () => {
        const world = await prepared(attempt);
        const { before, after, operations } = await courseOf(world, attempt);
        for (let n = 0; n < operations; n++) {
          const failing = cloneWorld(world);
          const { store } = await openStore(failing);
          const stateBefore = store.state;
          let left = n;
          let failed = "";
          failing.disk.onOperation = ({ kind, path }) => {
            if (left-- !== 0) return;
            failed = kind;
            throw new DiskError(code, kind, path);
          };
          const outcome = await failing.clock.drive(attempt.run(store)).then(
            () => undefined,
            (error: unknown) => error,
          );
          const what = `${code} at operation ${n}, ${failed}`;
          if (failed !== "unlink") assert.ok(outcome instanceof DiskError, `${what}: not told`);
          if (outcome !== undefined && !attempt.name.includes("meanwhile")) {
            assert.deepEqual(store.state, stateBefore, what);
            const mine = `${JSON.stringify(store.state)} ${textOf(await loadRows(failing, store))}`;
            assert.equal(mine, before, what);
          }
          await crashesWell(failing, n, what, [before, after]);
          if (outcome !== undefined && !attempt.name.includes("meanwhile")) {
            await failing.clock.drive(attempt.run(store));
          } else {
            await addRows(failing, store, rows({}), { position: 3 });
          }
          const named = store.runs.map((run) => `${String(run.id).padStart(8, "0")}.run`);
          assert.deepEqual(filesOf(failing), [...named, "manifest"].sort(), `${what}: left over`);
          await store.close();
          if (!attempt.name.includes("meanwhile") && outcome !== undefined) {
            assert.equal(await restartedOn(failing), after, what);
          }
        }
      });
    }
  }

  test("a failed sync of a run is never tried again on the same file", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    await addRows(world, store, first);
    world.disk.fail({ on: "sync", code: "EIO", path: /\.run$/ });
    const created: string[] = [];
    world.disk.onOperation = ({ kind, path }) => void (kind === "create" && created.push(path));
    await assert.rejects(addRows(world, store, second), { code: "EIO" });
    await addRows(world, store, second);
    const runs = created.filter((path) => path.endsWith(".run"));
    assert.equal(new Set(runs).size, 2);
    world.disk.crash(loseAll);
    world.disk.restart();
    assert.equal(await restartedOn(world), `{} ${textOf(applied(first, second))}`);
  });

  test("a disk that is really full: the delta is refused, reads go on, room brings it back", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    await addRows(world, store, bulk("x"));
    const used = world.disk.capacityBytes - world.disk.freeBytesSync("/data");
    const needed = store.runBytes;
    for (const room of [0, 10, 5_000, needed - 60_000, needed - 1, needed, needed + 50]) {
      world.disk.capacityBytes = used + room;
      await assert.rejects(addRows(world, store, bulk("y")), { code: "ENOSPC" }, `${room} bytes`);
      assert.equal(textOf(await loadRows(world, store)), textOf(bulk("x")));
      assert.deepEqual(filesOf(world), ["00000001.run", "manifest"]);
    }
    world.disk.capacityBytes = used + needed + 10_000;
    await addRows(world, store, bulk("y"));
    assert.equal(textOf(await loadRows(world, store)), textOf(bulk("y")));
  });

  test("damage found by a merge is told, and changes nothing", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    for (const body of ["x", "y", "z"]) await addRows(world, store, bulk(body));
    world.disk.flipBit("/data/partitions/0007/00000002.run", 200_000, 3);
    await assert.rejects(world.clock.drive(store.maybeMerge(0)), {
      code: "DATADAMAGED",
      message: /00000002\.run: block \d+ at offset \d+/,
    });
    assert.deepEqual(
      store.runs.map((run) => run.id),
      [1, 2, 3],
    );
    assert.deepEqual(filesOf(world), ["00000001.run", "00000002.run", "00000003.run", "manifest"]);
  });
});

/** The power goes right after the error, in several ways. */
async function crashesWell(
  world: World,
  n: number,
  what: string,
  allowed: readonly string[],
): Promise<void> {
  for (let seed = 0; seed < 6; seed++) {
    const crashed = cloneWorld(world);
    crashed.disk.crash(new SeededRandom(n * 10 + seed));
    crashed.disk.restart();
    const found = await restartedOn(crashed);
    // A merge and a delta together have four outcomes; the delta alone decides what is found.
    assert.ok(allowed.includes(found), `${what}, crash ${seed}: found ${found.slice(0, 300)}`);
  }
}

suite("P1, P7: random lives of a store", () => {
  test("what was acknowledged last, or a later attempt, is there after any crash", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      try {
        await randomLife(seed);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});

/** Checkpoints, merges, errors of the disk and crashes in any order, against the model. */
async function randomLife(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const world = newWorld();
  let { store } = await openStore(world);
  let live: Rows = new Map();
  /** Changes that are not in an acknowledged checkpoint. */
  let dirty: Rows = new Map();
  let allowed = ["undefined []"];
  let merging: Promise<unknown> = Promise.resolve();
  for (let step = 1; step <= 60; step++) {
    const changes = randomRows(random);
    live = applied(live, changes);
    dirty = new Map([...dirty, ...changes]);
    if (randomBelow(random, 3) === 0) {
      world.disk.fail({ on: "write", code: "ENOSPC", skip: randomBelow(random, 6) });
      world.disk.fail({ on: "syncDirectory", code: "EIO", skip: randomBelow(random, 6) });
    }
    const willCrash = randomBelow(random, 6) === 0;
    if (willCrash) world.disk.failAfter(randomBelow(random, 25));
    // Of a small live size, so that every other time there is a merge.
    merging = Promise.all([merging, store.maybeMerge(randomBelow(random, 2) * 2 ** 30)]);
    merging.catch(() => {});
    const text = `{"step":${step}} ${textOf(live)}`;
    const adding = store.addDelta(new SortedRows(dirty), { step });
    await world.clock.drive(adding).then(
      () => {
        allowed = [text];
        dirty = new Map();
      },
      () => {
        allowed.push(text);
      },
    );
    if (willCrash || randomBelow(random, 10) === 0) {
      await world.clock.drive(store.close());
      await world.clock.drive(merging.catch(() => {}));
      merging = Promise.resolve();
      world.disk.crash(random);
      world.disk.clearFaults();
      world.disk.restart();
      const found = await restartedOn(world);
      assert.ok(allowed.includes(found), `step ${step}: found ${found.slice(0, 300)}`);
      ({ store } = await openStore(world));
      // Every change since is in the log, and comes again from there.
      dirty = new Map([...(await loadRows(world, store))].map(([name]) => [name, undefined]));
      dirty = new Map([...dirty, ...live]);
      allowed = [found];
    }
  }
  await world.clock.drive(store.close());
}

function randomRows(random: SeededRandom): Rows {
  const changes = new Map<string, string | undefined>();
  const count = randomBelow(random, 6);
  for (let i = 0; i < count; i++) {
    const name = `${randomBelow(random, 2)}/${randomBelow(random, 12)}`;
    const bytes = randomBelow(random, 8) === 0 ? 400_000 : randomBelow(random, 2_000);
    changes.set(name, randomBelow(random, 4) === 0 ? undefined : random.u32() + "v".repeat(bytes));
  }
  return changes;
}

test("the model of these tests counts live bytes as the store wants them", () => {
  assert.equal(liveBytesOf(rows({ "12/key": "body" })), 3 + 4 + 10);
});
