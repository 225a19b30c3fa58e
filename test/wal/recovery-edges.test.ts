/** Recovery beyond the rows of the table: what makes its decisions right, and what it does before the first confirmation. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import {
  batchesOf,
  findingsOf,
  flip,
  forge,
  lastBatch,
  mustRefuse,
  pathOfSegment,
  zero,
} from "./damage.ts";
import { batch, die, longLog } from "./logs-at-rest.ts";
import { copyOf, directory, newDisk, openRun } from "./wal-disk.ts";

suite("P7: recovery", () => {
  test("a first batch of the oldest segment that is damaged is no unfinished write: its predecessor is gone", async () => {
    const run = await openRun();
    for (let i = 1; i < 12 || run.wal.liveSegments > 1; i++) {
      run.wal.stageEntry(1, i, 1, Buffer.alloc(1_000, i));
      run.wal.stageTrim(1, i, 1);
      assert.ok(await run.flush());
      await run.settle();
    }
    await die(run);
    const oldest = must(batchesOf(run.disk)[0]);
    assert.ok(oldest.segment > 1);
    const { length } = run.disk.files.contents(pathOfSegment(oldest.segment));
    zero(run.disk, oldest.segment, oldest.offset, length);
    assert.match(await mustRefuse(run.disk, 3), /the segment before it is already gone/);
  });

  test("what a lost log has left in spares is not taken for a part of the new one", async () => {
    const disk = await longLog();
    for (const segment of [2, 3]) disk.files.loseFile(pathOfSegment(segment));
    for (const path of disk.files.paths()) {
      if (path.includes("spare")) disk.files.loseFile(path);
    }
    disk.files.renameSync(pathOfSegment(1), `${directory}/spare-1`);
    disk.files.syncDirectorySync(directory);
    const run = await openRun(disk);
    assert.equal(run.wal.empty, true);
    await die(run);
    const again = await openRun(disk);
    assert.equal(again.wal.empty, true);
    await again.close();
  });

  test("evidence is seen once, also where two windows of the search meet", async () => {
    const run = await openRun(newDisk(), { segmentBytes: 4_194_304 });
    await die(run);
    const { offset, bytes } = lastBatch(run.disk);
    for (let distance = -128; distance <= 64; distance += 8) {
      const disk = copyOf(run.disk);
      const at = offset + bytes + 1_048_576 + distance;
      forge(disk, { segment: 1, offset: at, sequence: 7 }, []);
      assert.match(await mustRefuse(disk, 3), /: 1 whole batches with 0 records are known/);
    }
  });

  test("what follows the damage is counted, also in a segment of many windows", async () => {
    const run = await openRun(newDisk(), { segmentBytes: 4_194_304 });
    for (let i = 1; i <= 3_000; i++) {
      run.wal.stageEntry(1, i, 1, Buffer.alloc(1_016, i));
      assert.ok(await run.flush());
    }
    await run.close();
    flip(run.disk, 1, batch(run.disk, 3).offset + 100);
    assert.match(await mustRefuse(run.disk, 7), /: 2999 whole batches with 2999 records are known/);
  });

  test("the last batch is written again before anything is confirmed: its sync may have failed", async () => {
    const run = await openRun();
    run.wal.stageEntry(4, 1, 1, Buffer.from("was it synced?"));
    run.disk.files.fail({ on: "sync", code: "EIO" });
    assert.equal(await run.flush(), false);
    // The page cache has the batch, as clean, and the disk does not. The process ends; the machine goes on.
    await die(run);
    await run.open();
    assert.equal(run.wal.group(4).lastIndex, 1);
    run.disk.files.crash({ keep: () => false, keepName: () => false });
    await run.disk.clock.advanceSettled(3_000);
    run.disk.files.restart();
    const again = await openRun(run.disk);
    assert.equal(again.wal.group(4).lastIndex, 1, "what a start has shown, the next one shows");
    assert.equal(again.disk.files.existsSync(`${directory}/0000000000000001.wal`), true);
    await again.close();
  });

  test("a log on a fresh disk is not asked for its past", async () => {
    assert.deepEqual(findingsOf(newDisk()), []);
  });
});
