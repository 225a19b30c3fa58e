/** What the log does while nothing goes wrong, on the machine's disk and on the simulated one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import type { FileSystem } from "../../src/base/file-system.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { NodeFileSystem } from "../../src/base/node-file-system.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import { kindName } from "../../src/wal/format.ts";
import { scanWal } from "../../src/wal/scan.ts";
import { Wal } from "../../src/wal/wal.ts";
import { directory, newDisk, openRun, WalRun } from "./wal-disk.ts";
import { describeWal, drawOperation, stageOperation, WalModel } from "./wal-model.ts";

suite("the log", () => {
  test("a new log is empty, also after a start in which nothing was staged", async () => {
    const run = await openRun();
    assert.equal(run.wal.empty, true);
    await run.close();
    const again = await openRun(run.disk);
    assert.equal(again.wal.empty, true);
    again.wal.stageHardState(1, { term: 1, votedFor: 1, commit: 0 });
    await again.flush();
    await again.close();
    const third = await openRun(run.disk);
    assert.equal(third.wal.empty, false);
    await third.close();
  });

  test("what is staged is not seen before it is durable", async () => {
    const run = await openRun();
    run.wal.stageEntry(1, 1, 1, Buffer.from("a"));
    assert.equal(run.wal.group(1).lastIndex, 0);
    assert.deepEqual(run.wal.read(1, 1, 100), []);
    assert.equal(run.wal.stagedRecords, 1);
    assert.ok(run.wal.stagedBytes > 0);
    await run.flush();
    assert.equal(run.wal.group(1).lastIndex, 1);
    assert.equal(run.wal.stagedRecords, 0);
    assert.equal(run.wal.stagedBytes, 0);
    await run.close();
  });

  test("a staged body may be changed by its owner afterwards", async () => {
    const run = await openRun();
    const body = Buffer.from("before");
    run.wal.stageEntry(1, 1, 1, body);
    body.write("AFTER!");
    await run.flush();
    assert.equal(run.wal.read(1, 1, 100)[0]?.body.toString(), "before");
    await run.close();
  });

  test("done runs before flush returns on a fast disk, later on a slow one, and comes back", async () => {
    let ms = 0;
    const run = await openRun(newDisk({ latencyMs: ({ kind }) => (kind === "sync" ? ms : 0) }));
    let index = 0;
    const append = (): boolean => {
      index += 1;
      run.wal.stageEntry(1, index, 1, Buffer.from("x"));
      let done = false;
      run.wal.flush(() => {
        done = true;
      });
      assert.equal(run.wal.busy, !done);
      return done;
    };
    assert.equal(append(), true);
    ms = 30;
    assert.equal(append(), true, "the first slow sync blocks");
    assert.equal(run.wal.statistics.mode, "pool");
    assert.equal(append(), false);
    // What is staged meanwhile belongs to the next batch, and what was durable can be read.
    run.wal.stageEntry(2, 1, 1, Buffer.from("meanwhile"));
    assert.equal(run.wal.read(1, 1, 10_000).length, 2);
    await run.disk.clock.advanceSettled(100);
    assert.equal(run.wal.busy, false);
    assert.equal(run.wal.group(1).lastIndex, 3);
    assert.equal(run.wal.group(2).lastIndex, 0);
    ms = 0;
    for (let i = 0; i < 60 && run.wal.statistics.mode === "pool"; i++) {
      append();
      await run.settle();
    }
    assert.equal(run.wal.statistics.mode, "sync");
    assert.equal(append(), true);
    assert.equal(run.wal.group(2).lastIndex, 1);
    await run.close();
  });

  test("a later entry hides all at or above its index, also after a restart", async () => {
    const run = await openRun();
    for (let i = 1; i <= 5; i++) run.wal.stageEntry(1, i, 1, Buffer.from(`old ${i}`));
    await run.flush();
    run.wal.stageEntry(1, 3, 2, Buffer.from("new 3"));
    await run.flush();
    for (let life = 0; life < 2; life++) {
      const bodies = run.wal.read(1, 1, 1_000).map(({ body }) => body.toString());
      assert.deepEqual(bodies, ["old 1", "old 2", "new 3"]);
      assert.equal(run.wal.group(1).lastTerm, 2);
      await run.close();
      await run.open();
    }
    await run.close();
  });

  test("read gives at least one entry, and no more than asked for otherwise", async () => {
    const run = await openRun();
    for (let i = 1; i <= 4; i++) run.wal.stageEntry(1, i, 1, Buffer.alloc(100, i));
    await run.flush();
    const counts = [0, 99, 100, 199, 200, 250, 400, 9_999].map((n) => run.wal.read(1, 1, n).length);
    assert.deepEqual(counts, [1, 1, 1, 1, 2, 2, 4, 4]);
    assert.deepEqual(run.wal.read(1, 5, 100), []);
    await run.close();
  });

  test("P8: a record larger than half a segment is refused by name, and one of that size is kept", async () => {
    const run = await openRun();
    assert.throws(() => run.wal.stageEntry(1, 1, 1, Buffer.alloc(4_096)), { code: "TOOLARGE" });
    for (let i = 1; i <= 5; i++) run.wal.stageEntry(1, i, 1, Buffer.alloc(3_800, i));
    await run.flush();
    for (let i = 1; i <= 5; i++)
      assert.deepEqual(run.wal.read(1, i, 1)[0]?.body, Buffer.alloc(3_800, i));
    await run.close();
  });

  test("segments whose entries nobody needs are used again; the group that holds on to them is named", async () => {
    const run = await openRun();
    const { wal } = run;
    wal.stageEntry(7, 1, 1, Buffer.from("old"));
    for (let i = 1; i <= 40; i++) {
      wal.stageEntry(1, i, 1, Buffer.alloc(1_500));
      wal.stageTrim(1, i, 1);
      await run.flush();
      await run.settle();
    }
    assert.ok(wal.liveSegments > 5);
    assert.deepEqual(wal.pinning(), { group: 7, segments: wal.liveSegments });
    wal.stageTrim(7, 1, 1);
    await run.flush();
    await run.settle();
    assert.equal(wal.liveSegments, 1);
    assert.equal(wal.pinning(), undefined);
    assert.ok(wal.statistics.spareSegments <= 2);
    assert.equal(wal.diskBytes, run.disk.files.paths().length * 8_192);
    const { operations } = run.disk.files;
    for (let i = 41; i <= 80; i++) {
      wal.stageEntry(1, i, 1, Buffer.alloc(1_500));
      wal.stageTrim(1, i, 1);
      await run.flush();
      await run.settle();
    }
    assert.ok(run.disk.files.operations > operations);
    assert.ok(run.disk.files.paths().length <= 3, run.disk.files.paths().join());
    await run.close();
  });

  test("100 groups: each has its own", async () => {
    const run = await openRun(newDisk(), { segmentBytes: 131_072 });
    const model = new WalModel();
    const random = new SeededRandom(5);
    for (let i = 0; i < 300; i++) {
      for (let k = 0; k < 10; k++) {
        const operation = drawOperation(random, model, 100);
        stageOperation(run.wal, operation);
        model.apply(operation);
      }
      await run.flush();
      await run.settle();
    }
    assert.equal(describeWal(run.wal), model.describe());
    await run.close();
    await run.open({ segmentBytes: 131_072 });
    assert.equal(describeWal(run.wal), model.describe());
    await run.close();
  });

  test("a seal is written once, and not behind nothing", async () => {
    const run = await openRun();
    run.wal.stageEntry(1, 1, 1, Buffer.from("x"));
    await run.flush();
    await run.seal();
    const { operations } = run.disk.files;
    await run.seal();
    await run.close();
    assert.equal(run.disk.files.operations, operations);
    const events = [...scanWal(run.disk.files, directory)];
    const batches = events.flatMap((event) => (event.type === "batch" ? [event] : []));
    assert.deepEqual(
      batches.map(({ records }) => records.map(({ kind }) => kindName(kind))),
      [[], ["entry"], ["pad"]],
    );
  });

  test("another segment size holds for new segments", async () => {
    const run = await openRun();
    for (let i = 1; i <= 10; i++) run.wal.stageEntry(1, i, 1, Buffer.alloc(1_000, i));
    await run.flush();
    await run.close();
    await run.open({ segmentBytes: 16_384 });
    for (let i = 11; i <= 30; i++) run.wal.stageEntry(1, i, 1, Buffer.alloc(1_000, i));
    await run.flush();
    await run.close();
    await run.open({ segmentBytes: 4_096 });
    for (let i = 1; i <= 30; i++) assert.equal(run.wal.read(1, i, 1)[0]?.body[0], i);
    await run.close();
  });

  test("a closed log refuses every call by name", async () => {
    const run = await openRun();
    await run.close();
    assert.throws(() => run.wal.stageEntry(1, 1, 1, Buffer.alloc(1)), { code: "STOPPED" });
    assert.throws(() => run.wal.flush(() => {}), { code: "STOPPED" });
    assert.throws(() => run.wal.read(1, 1, 1), { code: "STOPPED" });
    await run.wal.close();
  });

  test("close writes what is still staged", async () => {
    const run = await openRun();
    run.wal.stageEntry(1, 1, 1, Buffer.from("late"));
    await run.close();
    await run.open();
    assert.equal(run.wal.read(1, 1, 100)[0]?.body.toString(), "late");
    await run.close();
  });

  test("a scan for people gives the bodies of entries on request", async () => {
    const run = await openRun();
    run.wal.stageEntry(1, 1, 1, Buffer.from("body"));
    await run.close();
    const bodies = (entryBodies: boolean) =>
      [...scanWal(run.disk.files, directory, { entryBodies })].flatMap((event) =>
        event.type === "batch"
          ? event.records.flatMap(({ kind, body }) =>
              kindName(kind) === "entry" ? [body?.toString()] : [],
            )
          : [],
      );
    assert.deepEqual(bodies(true), ["body"]);
    assert.deepEqual(bodies(false), [undefined]);
  });
});

const openOn = (files: FileSystem, path: string, failures: Error[] = []): Promise<Wal> =>
  Wal.open({
    files,
    clock: new SystemClock(),
    logger: silentLogger,
    directory: path,
    segmentBytes: 65_536,
    nodeId: 5,
    lowWaterBytes: 0,
    onFailure: (error) => failures.push(error),
    onSpace: () => {},
  });

suite("the log on the machine's disk", () => {
  test("random operations over many segments come back after each restart", async () => {
    const root = mkdtempSync(join(tmpdir(), "truba-wal-"));
    try {
      const files = new NodeFileSystem();
      const random = new SeededRandom(11);
      const model = new WalModel();
      const failures: Error[] = [];
      for (let life = 0; life < 4; life++) {
        const wal = await openOn(files, join(root, "wal"), failures);
        assert.equal(describeWal(wal), model.describe());
        for (let i = 0; i < 120; i++) {
          for (let k = 0; k < 5; k++) {
            const operation = drawOperation(random, model, 5);
            stageOperation(wal, operation);
            model.apply(operation);
          }
          await new Promise<void>((resolve) => {
            wal.flush(resolve);
          });
        }
        assert.equal(describeWal(wal), model.describe());
        await wal.close();
      }
      assert.deepEqual(failures, []);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});

test("the index of entries grows, shrinks and forgets like a list", async () => {
  const run = new WalRun(newDisk());
  const wal = await run.open({ segmentBytes: 1_048_576 });
  const body = Buffer.alloc(8);
  for (let i = 1; i <= 5_000; i++) {
    body.writeDoubleLE(i);
    wal.stageEntry(1, i, 1, body);
  }
  await run.flush();
  const check = (from: number, to: number): void => {
    for (let i = from; i <= to; i += 7) assert.equal(wal.read(1, i, 1)[0]?.body.readDoubleLE(), i);
  };
  check(1, 5_000);
  wal.stageTrim(1, 4_990, 1);
  await run.flush();
  check(4_991, 5_000);
  for (let i = 5_001; i <= 9_000; i++) {
    body.writeDoubleLE(i);
    wal.stageEntry(1, i, 1, body);
  }
  await run.flush();
  check(4_991, 9_000);
  assert.throws(() => wal.read(1, 4_990, 1), /trimmed/);
  await run.close();
});
