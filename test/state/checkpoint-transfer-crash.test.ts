/** A transfer that is cut off or meets errors of the disk: the old checkpoint or the new one, whole, and the next attempt works. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { keepAll, keepFirst, loseAll } from "../../simulator/crash-chooser.ts";
import type { CrashChooser } from "../../simulator/crash-chooser.ts";
import { DiskError } from "../../simulator/disk-error.ts";
import { cloneWorld, filesOf, openStore, restartedOn, rows, SortedRows } from "./run-rows.ts";
import type { Rows, World } from "./run-rows.ts";
import { adoptedText, copyWith, first, found, second, sentOf, take } from "./transfer-world.ts";

suite(
  "P1, P7: a crash or an error during a transfer leaves the old checkpoint or the new one",
  () => {
    const cases: readonly { name: string; before: readonly Rows[]; sent: readonly Rows[] }[] = [
      { name: "over a checkpoint", before: [first, second], sent: [second, first] },
      { name: "as the first", before: [], sent: [first, second] },
    ];
    for (const { name, before, sent: contents } of cases) {
      test(`${name}: the power goes at every operation, and the disk keeps any part`, async () => {
        const sent = await sentOf(...contents);
        const { world: start, store: begun } = await copyWith(...before);
        await begun.close();
        const old = await restartedOn(cloneWorld(start));
        const taken = adoptedText(contents.length, ...contents);
        for (let n = 0; ; n++) {
          const cut = cloneWorld(start);
          const { store } = await openStore(cut);
          cut.disk.failAfter(n);
          const done = await cut.clock.drive(take(store, sent)).then(
            () => true,
            () => false,
          );
          if (cut.disk.alive) {
            assert.ok(n > 12, `only ${n} operations`);
            break;
          }
          const sectors = cut.disk.unsyncedSectors().length;
          const choosers: (CrashChooser | SeededRandom)[] = [loseAll, keepAll];
          for (let torn = 0; torn <= sectors; torn += Math.max(1, sectors >> 3))
            choosers.push(keepFirst(torn, 100));
          for (let seed = 0; seed < 12; seed++) choosers.push(new SeededRandom(n * 100 + seed));
          for (const [i, chooser] of choosers.entries()) {
            const crashed = cloneWorld(cut);
            crashed.disk.crash(chooser);
            crashed.disk.restart();
            await recovers(crashed, done ? [taken] : [old, taken], `operation ${n}, way ${i}`);
          }
          await cut.clock.drive(store.close());
        }
      });

      test(`${name}: ENOSPC and EIO at every operation are told, and the next attempt works`, async () => {
        const sent = await sentOf(...contents);
        const { world: start, store: begun } = await copyWith(...before);
        await begun.close();
        const old = await restartedOn(cloneWorld(start));
        const taken = adoptedText(contents.length, ...contents);
        for (const code of ["ENOSPC", "EIO"]) {
          for (let n = 0; ; n++) {
            const failing = cloneWorld(start);
            const { store } = await openStore(failing);
            let left = n;
            let failed = "";
            failing.disk.onOperation = ({ kind, path }) => {
              if (left-- !== 0) return;
              failed = kind;
              throw new DiskError(code, kind, path);
            };
            const outcome = await failing.clock.drive(take(store, sent)).then(
              () => undefined,
              (error: unknown) => error,
            );
            if (failed === "") break;
            const what = `${code} at operation ${n}, ${failed}`;
            if (failed !== "unlink") assert.ok(outcome instanceof DiskError, `${what}: not told`);
            if (outcome !== undefined) {
              assert.equal(await found({ world: failing, store }), old, what);
              const crashed = cloneWorld(failing);
              crashed.disk.crash(new SeededRandom(n));
              crashed.disk.restart();
              await recovers(crashed, [old, taken], what);
              await failing.clock.drive(take(store, sent));
            }
            assert.equal(await found({ world: failing, store }), taken, what);
            await failing.clock.drive(store.removeLeftovers());
            assert.equal(filesOf(failing).length, 1 + sent.files.length, filesOf(failing).join());
            await failing.clock.drive(store.close());
          }
        }
      });
    }
  },
);

/** A start finds one of the states, whole; leftovers go, and another checkpoint can be taken and received. */
async function recovers(world: World, allowed: readonly string[], what: string): Promise<void> {
  const text = await restartedOn(world).catch((error: unknown) => {
    throw new Error(`${what}: it does not start`, { cause: error });
  });
  assert.ok(allowed.includes(text), `${what}: found ${text.slice(0, 300)}`);
  const { store } = await openStore(world);
  await world.clock.drive(store.removeLeftovers());
  const files = filesOf(world).filter((name) => name !== "manifest");
  const named = store.runs.map((run) => `${String(run.id).padStart(8, "0")}.run`);
  assert.deepEqual(files, named, what);
  await world.clock.drive(store.addDelta(new SortedRows(rows({ "9/z": "z" })), { position: 99 }));
  await world.clock.drive(store.close());
  assert.match(await restartedOn(world), /"position":99.*"9\/z","z"/, what);
}
