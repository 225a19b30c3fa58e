/** Errors of the disk while the log runs: what is fatal is told once, what is not waits and goes on. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { newDisk, openRun, segmentBytes, WalRun } from "./wal-disk.ts";

/** A closed log that has to make its next segment when it is opened. */
async function withoutSpare(): Promise<WalRun> {
  const run = await openRun();
  await run.settle();
  await run.close();
  for (const path of run.disk.files.paths()) {
    if (path.includes("spare")) run.disk.files.loseFile(path);
  }
  return run;
}

suite("P1, P7: errors of write and sync are final", () => {
  for (const [on, code] of [
    ["sync", "EIO"],
    ["write", "EIO"],
    ["write", "ENOSPC"],
    ["sync", "ENOSPC"],
  ] as const) {
    for (const slow of [false, true]) {
      test(`${code} on ${on} of a batch, ${slow ? "in the thread pool" : "synchronous"}`, async () => {
        let ms = 0;
        const run = await openRun(newDisk({ latencyMs: ({ kind }) => (kind === "sync" ? ms : 0) }));
        await run.settle();
        if (slow) ms = 30;
        run.wal.stageEntry(1, 1, 1, Buffer.from("confirmed"));
        assert.ok(await run.flush());
        assert.equal(run.wal.statistics.mode, slow ? "pool" : "sync");
        run.disk.files.fail({ on, code, path: /\.wal$/ });
        run.wal.stageEntry(1, 2, 1, Buffer.from("lost"));
        let done = false;
        run.wal.flush(() => {
          done = true;
        });
        await run.disk.clock.advanceSettled(5_000);
        assert.equal(done, false, "nothing is confirmed");
        assert.equal(run.failures.length, 1, "the failure is told once");
        assert.match(String(run.failures[0]), new RegExp(code));
        assert.equal(run.wal.busy, false);
        assert.throws(() => run.wal.flush(() => {}), { code: "STOPPED" });
        assert.throws(() => run.wal.stageEntry(1, 3, 1, Buffer.alloc(1)), { code: "STOPPED" });
        const syncs = run.disk.files.operations;
        await run.close();
        assert.equal(run.disk.files.operations, syncs, "no sync is tried again");
        assert.equal(run.failures.length, 1);
      });
    }
  }

  test("an error at each step of a rotation", async () => {
    for (const on of ["write", "sync", "rename", "syncDirectory", "open"] as const) {
      for (let skip = 0; skip < 3; skip++) {
        const run = await openRun();
        await run.settle();
        run.wal.stageEntry(1, 1, 1, Buffer.alloc(3_900));
        run.wal.stageEntry(1, 2, 1, Buffer.alloc(3_000));
        assert.ok(await run.flush());
        run.disk.files.fail({ on, code: "EIO", skip, path: /wal/ });
        run.wal.stageEntry(1, 3, 1, Buffer.alloc(3_000));
        if (await run.flush()) run.disk.files.clearFaults();
        else assert.equal(run.failures.length, 1);
        await run.close();
        const again = await openRun(run.disk);
        assert.ok(
          again.wal.group(1).lastIndex >= (run.failures.length > 0 ? 2 : 3),
          `${on} ${skip}`,
        );
        await again.close();
      }
    }
  });

  test("an error while the next segment is made, other than of space, is fatal, too", async () => {
    const { disk } = await withoutSpare();
    disk.files.fail({ on: "sync", code: "EIO", path: /spare/ });
    const run = await openRun(disk);
    await run.settle();
    assert.equal(run.failures.length, 1);
    await run.close();
  });
});

suite("P8: low disk", () => {
  test("there is a word when space is short, and one when it is back; what was staged waits and is kept", async () => {
    const disk = newDisk({ capacityBytes: 3 * segmentBytes });
    const run = await openRun(disk);
    await run.settle();
    assert.deepEqual(run.space, []);
    assert.equal(run.wal.liveSegments, 1);
    let flushed = 0;
    for (let i = 1; !run.wal.busy && i < 20; i++) {
      run.wal.stageEntry(1, i, 1, Buffer.alloc(3_000, i));
      run.wal.flush(() => {
        flushed = i;
      });
      await run.disk.clock.advanceSettled(10);
    }
    assert.deepEqual(run.space, [true]);
    assert.equal(run.wal.busy, true);
    assert.equal(run.wal.liveSegments, 3);
    assert.ok(flushed >= 6);
    await disk.clock.advanceSettled(10_000);
    assert.equal(run.wal.busy, true, "it goes on waiting");
    assert.deepEqual(run.failures, []);
    disk.files.capacityBytes = 10 * segmentBytes;
    await disk.clock.advanceSettled(3_000);
    assert.equal(run.wal.busy, false);
    assert.deepEqual(run.space, [true, false]);
    assert.equal(run.wal.group(1).lastIndex, flushed);
    await run.close();
    const again = await openRun(disk);
    assert.equal(again.wal.group(1).lastIndex, flushed);
    await again.close();
  });

  test("a trim that waited in a log on a full disk frees segments for it", async () => {
    const disk = newDisk({ capacityBytes: 4 * segmentBytes });
    const run = await openRun(disk);
    await run.settle();
    for (let i = 1; run.space.length === 0; i++) {
      run.wal.stageEntry(1, i, 1, Buffer.alloc(3_000, i));
      assert.ok(await run.flush());
      await run.settle();
    }
    const { lastIndex } = run.wal.group(1);
    run.wal.stageTrim(1, lastIndex, 1);
    assert.ok(await run.flush());
    await disk.clock.advanceSettled(2_000);
    assert.deepEqual(run.space, [true, false]);
    for (let i = 1; i <= 20; i++) {
      run.wal.stageEntry(1, lastIndex + i, 1, Buffer.alloc(3_000, i));
      run.wal.stageTrim(1, lastIndex + i, 1);
      assert.ok(await run.flush());
      await run.settle();
    }
    await run.close();
  });

  test("space below the low-water mark is told while a spare is still there, and the reserve is used for what is staged", async () => {
    const disk = newDisk({ capacityBytes: 8 * segmentBytes });
    const run = await openRun(disk, { lowWaterBytes: 5 * segmentBytes });
    await run.settle();
    for (let i = 1; i <= 9; i++) {
      run.wal.stageEntry(1, i, 1, Buffer.alloc(3_000, i));
      assert.ok(await run.flush());
    }
    assert.equal(run.space[0], true);
    await run.close();
  });

  test("ENOSPC while a segment is made leaves no half of one, and is tried again", async () => {
    const { disk } = await withoutSpare();
    disk.files.fail({ on: "write", code: "ENOSPC", path: /spare/, times: 3 });
    const run = await openRun(disk);
    await run.settle();
    assert.deepEqual(run.space, [true]);
    assert.equal(run.disk.files.paths().length, 1);
    await run.disk.clock.advanceSettled(5_000);
    assert.deepEqual(run.space, [true, false]);
    assert.equal(run.disk.files.paths().length, 2);
    await run.close();
  });

  test("no room for the first segment is told by name", async () => {
    const disk = newDisk({ capacityBytes: 5_000 });
    await assert.rejects(openRun(disk), { code: "DISKFULL" });
    assert.deepEqual(disk.files.paths(), []);
    disk.files.capacityBytes = 1_000_000;
    const run = await openRun(disk);
    assert.equal(run.wal.empty, true);
    await run.close();
  });

  test("close ends, too, when the segment that it waits for cannot be made", async () => {
    const { disk } = await withoutSpare();
    const run = new WalRun(disk);
    const wal = await run.open({ segmentBytes: 16_384 });
    for (const path of disk.files.paths()) assert.ok(!path.endsWith(".tmp"));
    wal.stageEntry(1, 1, 1, Buffer.alloc(7_000));
    wal.stageEntry(1, 2, 1, Buffer.alloc(7_000));
    wal.stageEntry(1, 3, 1, Buffer.alloc(7_000));
    disk.files.fail({ on: "sync", code: "EIO", path: /tmp$/ });
    wal.stageEntry(1, 4, 1, Buffer.alloc(7_000));
    wal.stageEntry(1, 5, 1, Buffer.alloc(7_000));
    await run.close();
    assert.equal(run.failures.length, 1);
  });

  test("close gives up a flush that waits for space, and nothing of it was confirmed", async () => {
    const disk = newDisk({ capacityBytes: 2 * segmentBytes });
    const run = new WalRun(disk);
    const wal = await run.open();
    await run.settle();
    let confirmed = 0;
    for (let i = 1; !wal.busy; i++) {
      wal.stageEntry(1, i, 1, Buffer.alloc(3_000, i));
      wal.flush(() => {
        confirmed = i;
      });
      await disk.clock.advanceSettled(1);
    }
    await disk.clock.advanceSettled(2_000);
    await run.close();
    assert.deepEqual(run.failures, []);
    disk.files.capacityBytes = 1_000_000;
    const again = await openRun(disk);
    assert.equal(again.wal.group(1).lastIndex, confirmed);
    await again.close();
  });
});
