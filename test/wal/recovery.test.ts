/** Each row of the recovery table of docs/wal-format.md, by its number, on disks that were cut or damaged by hand. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { checksum } from "../../src/base/checksum.ts";
import {
  encodeSegmentHeader,
  kinds,
  recordHeaderBytes,
  restatedFlag,
  saltOf,
} from "../../src/wal/format.ts";
import {
  batchesOf,
  findingsOf,
  flip,
  forge,
  lastBatch,
  mustOpen,
  mustRefuse,
  pathOfSegment,
  zero,
} from "./damage.ts";
import {
  batch,
  commitOf,
  die,
  indexesAndOn,
  longLog,
  sealedLog,
  unsealedLog,
} from "./logs-at-rest.ts";
import { copyOf, nodeId, openRun, segmentBytes, WalRun } from "./wal-disk.ts";

suite("P7: the rows of the recovery table", () => {
  test("row 1: a whole batch is accepted, sealed or not", async () => {
    for (const disk of [await sealedLog(), await unsealedLog()]) {
      const run = await mustOpen(disk, 2);
      assert.deepEqual(run.wal.group(4).hardState, { term: 3, votedFor: 1, commit: 0 });
      assert.deepEqual(await indexesAndOn(run), [1, 2, 3, 4]);
    }
  });

  test("row 2: zeros and stale bytes are the end of the log", async () => {
    const disk = await unsealedLog();
    const end = lastBatch(disk).offset + lastBatch(disk).bytes;
    // Records of the life of the segment before this one, as recycling leaves them.
    const stale = disk.files.contents(pathOfSegment(1)).slice(64, end);
    stale.fill(7, 32, 40);
    disk.files.overwrite(pathOfSegment(1), end, stale);
    assert.deepEqual(await indexesAndOn(await mustOpen(disk, 2)), [1, 2, 3, 4]);
  });

  test("row 3: a batch of which nothing is left, before a later one, is lost", async () => {
    const disk = await sealedLog();
    const { offset, bytes } = batch(disk, 3);
    zero(disk, 1, offset, offset + bytes);
    const text = await mustRefuse(disk, 3);
    assert.match(text, new RegExp(`0000000000000001.wal at offset ${offset}: `));
    assert.match(text, /1 whole batches with 1 records are known to follow/);
  });

  test("row 4: records without their commit record are an unfinished write", async () => {
    const whole = await unsealedLog();
    const last = lastBatch(whole);
    for (const cut of [last.offset + 64, last.offset + 200, last.offset + last.bytes - 8]) {
      const disk = copyOf(whole);
      zero(disk, 1, cut, last.offset + last.bytes);
      const run = await mustOpen(disk, 4);
      assert.equal(run.wal.group(4).hardState?.term, 1);
      assert.deepEqual(await indexesAndOn(run), [1, 2]);
    }
  });

  test("row 4: the remains are overwritten, so that they cannot be evidence against a later start", async () => {
    const disk = await unsealedLog();
    const { offset, bytes } = lastBatch(disk);
    // The first sector did not reach the disk, the rest did.
    zero(disk, 1, offset, offset + 100);
    const run = new WalRun(disk);
    await run.open();
    await die(run);
    const left = disk.files.contents(pathOfSegment(1)).subarray(offset, offset + bytes);
    assert.ok(left.every((byte) => byte === 0));
  });

  test("row 5: a commit record whose batch is cut before it is an unfinished write", async () => {
    const whole = await unsealedLog();
    const last = lastBatch(whole);
    for (const damaged of last.records.flatMap(({ offset }) => [offset, offset + 58])) {
      const disk = copyOf(whole);
      flip(disk, 1, damaged);
      assert.deepEqual(await indexesAndOn(await mustOpen(disk, 5)), [1, 2]);
    }
  });

  test("row 6: a damaged commit record before a later batch refuses the log, and says what is readable", async () => {
    const whole = await sealedLog();
    const commit = commitOf(batch(whole, 3));
    for (const damaged of [commit, commit + 17, commit + 52, commit + 60, commit + 150]) {
      const disk = copyOf(whole);
      flip(disk, 1, damaged);
      const text = await mustRefuse(disk, 6);
      assert.match(text, /3 records before it are readable, the last is entry of group 4, index 4/);
    }
  });

  test("row 7: a damaged record before a later batch refuses the log, and is named from its commit record", async () => {
    const whole = await sealedLog();
    const { records } = batch(whole, 3);
    for (const record of records) {
      for (const part of [0, 9, 20, 53, recordHeaderBytes]) {
        const disk = copyOf(whole);
        flip(disk, 1, record.offset + part);
        const text = await mustRefuse(disk, 7);
        const { group, index, term, offset } = record;
        assert.match(
          text,
          new RegExp(`group ${group}, index ${index}, term ${term}, at offset ${offset};`),
        );
      }
    }
  });

  test("row 7: the header of a record written later is evidence, even without its commit record", async () => {
    const disk = await unsealedLog();
    const { offset, bytes } = batch(disk, 3);
    const next = offset + bytes;
    forge(disk, { segment: 1, offset: next, sequence: 4 }, [
      { kind: kinds.entry, group: 4, index: 5, term: 3 },
    ]);
    zero(disk, 1, next + recordHeaderBytes, next + 400);
    const whole = copyOf(disk);
    assert.deepEqual(await indexesAndOn(await mustOpen(whole, 4)), [1, 2, 3, 4]);
    flip(disk, 1, offset + 8);
    assert.match(await mustRefuse(disk, 7), /records that were written after it stand behind it/);
  });

  test("row 7: a record header that is valid and not the one that was committed", async () => {
    const disk = await sealedLog();
    const { offset, sequence } = batch(disk, 3);
    const commit = commitOf(batch(disk, 3));
    const bytes = disk.files.contents(pathOfSegment(1)).slice(commit, commit + 400);
    // Another attempt at the same batch, of which the records reached the disk, and not the commit record.
    const records = batch(disk, 3).records.map((record) => ({
      ...record,
      kind: record.kind === kinds.entry ? kinds.entry : kinds.hardState,
      term: record.term + 1,
      body: record.body ?? Buffer.from(`entry ${record.index}`),
    }));
    forge(disk, { segment: 1, offset, sequence }, records);
    disk.files.overwrite(pathOfSegment(1), commit, bytes);
    await mustRefuse(disk, 7);
  });

  test("row 8: a whole batch with another sequence is out of place", async () => {
    const disk = await unsealedLog();
    const { offset, bytes } = lastBatch(disk);
    for (const sequence of [3, 5, 2]) {
      const copy = copyOf(disk);
      forge(copy, { segment: 1, offset: offset + bytes, sequence }, []);
      const text = await mustRefuse(copy, 8);
      assert.match(text, new RegExp(`batch ${sequence} stands where batch 4 should`));
    }
  });

  test("row 9: what a newer Truba wrote is refused as such", async () => {
    const disk = await unsealedLog();
    const { offset, bytes } = lastBatch(disk);
    const at = offset + bytes;
    forge(disk, { segment: 1, offset: at, sequence: 4 }, [
      { kind: kinds.entry, group: 4, index: 5, term: 3 },
    ]);
    for (const [part, value] of [
      [4, 2],
      [5, 200],
    ] as const) {
      const copy = copyOf(disk);
      const header = Buffer.from(copy.files.contents(pathOfSegment(1)).slice(at, at + 56));
      header[part] = value;
      header.writeUInt32LE((checksum(header.subarray(0, 52)) ^ saltOf(nodeId)) >>> 0, 52);
      copy.files.overwrite(pathOfSegment(1), at, header);
      await mustRefuse(copy, 9, "DATAVERSION");
    }
    const newer = encodeSegmentHeader({ length: segmentBytes, id: 1, sequence: 0, nodeId });
    newer.writeUInt32LE(2, 8);
    newer.writeUInt32LE(checksum(newer.subarray(0, 60)), 60);
    disk.files.overwrite(pathOfSegment(1), 0, newer);
    await mustRefuse(disk, 9, "DATAVERSION");
  });

  test("row 10: a lost tail segment, and a damaged header, refuse the log", async () => {
    const whole = await longLog();
    const lost = copyOf(whole);
    lost.files.loseFile(pathOfSegment(3));
    assert.match(await mustRefuse(lost, 10), /0000000000000003.wal at offset 0/);
    for (const segment of [1, 2, 3]) {
      for (const offset of [0, 8, 12, 16, 24, 32, 60]) {
        const disk = copyOf(whole);
        flip(disk, segment, offset);
        assert.match(await mustRefuse(disk, 10), new RegExp(`000${segment}.wal at offset 0`));
      }
    }
  });

  test("row 11: a segment that was made and never linked to becomes a spare", async () => {
    const disk = await unsealedLog();
    const spare = must(disk.files.paths().find((path) => path.includes("spare")));
    disk.files.renameSync(spare, pathOfSegment(2));
    const header = encodeSegmentHeader({ length: segmentBytes, id: 2, sequence: 2, nodeId });
    disk.files.overwrite(pathOfSegment(2), 0, header);
    assert.deepEqual(
      findingsOf(disk).map(({ row }) => row.row),
      [11, 2],
    );
    const run = await mustOpen(disk, 2);
    assert.ok(!disk.files.existsSync(pathOfSegment(2)));
    assert.deepEqual(await indexesAndOn(run), [1, 2, 3, 4]);
  });

  test("row 3: the header of a segment without a link to it proves the batches before the link", async () => {
    const disk = await unsealedLog();
    const spare = must(disk.files.paths().find((path) => path.includes("spare")));
    disk.files.renameSync(spare, pathOfSegment(2));
    const header = encodeSegmentHeader({ length: segmentBytes, id: 2, sequence: 3, nodeId });
    disk.files.overwrite(pathOfSegment(2), 0, header);
    const { offset, bytes } = lastBatch(disk);
    const torn = copyOf(disk);
    zero(torn, 1, offset, offset + bytes);
    assert.match(await mustRefuse(torn, 3), /names batch 3 as synced/);
    flip(disk, 1, offset);
    await mustRefuse(disk, 7);
  });

  test("row 6: a damaged link batch is proved by the segment that it names", async () => {
    const disk = await longLog();
    const link = must(batchesOf(disk).find(({ records }) => records[0]?.kind === kinds.link));
    for (const part of [3, 60, 120]) {
      const copy = copyOf(disk);
      flip(copy, 1, link.offset + part);
      await mustRefuse(copy, part < 56 ? 7 : 6);
    }
  });

  test("row 12: a lost middle segment", async () => {
    const disk = await longLog();
    disk.files.loseFile(pathOfSegment(2));
    assert.match(await mustRefuse(disk, 12), /0000000000000002.wal is missing/);
  });

  test("row 13: a log without segments is empty, and stays so until something is staged, for the node to judge", async () => {
    const disk = await longLog();
    for (const segment of [1, 2, 3]) disk.files.loseFile(pathOfSegment(segment));
    assert.deepEqual(findingsOf(disk), []);
    for (let start = 0; start < 2; start++) {
      const run = await openRun(disk);
      assert.equal(run.wal.empty, true);
      await run.close();
    }
  });

  test("row 14: an entry behind a gap", async () => {
    const disk = await unsealedLog();
    const { offset, bytes } = lastBatch(disk);
    forge(disk, { segment: 1, offset: offset + bytes, sequence: 4 }, [
      { kind: kinds.entry, group: 4, index: 6, term: 3 },
    ]);
    assert.match(await mustRefuse(disk, 14), /group 4 has entries up to index 4, .* index 6/);
  });

  test("row 15: a lost front segment, whose entries are still needed", async () => {
    const disk = await longLog();
    disk.files.loseFile(pathOfSegment(1));
    assert.match(await mustRefuse(disk, 15), /group 1 needs the entries from index 1 on/);
  });

  test("row 15: also when the group has no later entry", async () => {
    const run = await openRun();
    run.wal.stageEntry(8, 1, 1, Buffer.from("only one"));
    for (let i = 1; run.wal.liveSegments < 2; i++) {
      run.wal.stageEntry(1, i, 1, Buffer.alloc(1_000, i));
      run.wal.stageTrim(1, i, 1);
      assert.ok(await run.flush());
      await run.settle();
    }
    await run.close();
    run.disk.files.loseFile(pathOfSegment(1));
    assert.match(await mustRefuse(run.disk, 15), /group 8 needs the entries from index 1 on/);
  });

  test("row 16: restated metadata that contradicts the records before it", async () => {
    const disk = await longLog();
    const first = must(batchesOf(disk).find(({ segment }) => segment === 2));
    const { sequence, offset } = first;
    const record = { ...must(first.records[0]), flags: restatedFlag, index: 99 };
    forge(disk, { segment: 2, offset, sequence }, [
      { ...record, kind: kinds.last, body: Buffer.alloc(0) },
    ]);
    assert.match(await mustRefuse(disk, 16), /last of group 1, index 99/);
  });

  test("row 16: a term below that of the entry before, and a trim of another term than its entry", async () => {
    const disk = await unsealedLog();
    const { offset, bytes } = lastBatch(disk);
    for (const [kind, index, text] of [
      [kinds.entry, 5, /index 5, term 2, follows an entry of term 3/],
      [kinds.entry, 3, /index 3, term 0, follows an entry of term 1/],
      [kinds.trim, 4, /index 4, term 2, is of an entry of term 3/],
    ] as const) {
      const copy = copyOf(disk);
      const record = { kind, group: 4, index, term: index === 3 ? 0 : 2 };
      forge(copy, { segment: 1, offset: offset + bytes, sequence: 4 }, [record]);
      assert.match(await mustRefuse(copy, 16), text);
    }
  });

  test("row 17: a segment that was cut short", async () => {
    for (const segment of [1, 2, 3]) {
      const disk = await longLog();
      disk.files.truncateFile(pathOfSegment(segment), segmentBytes - 1);
      await mustRefuse(disk, 17);
    }
  });

  test("row 18: a segment of another node, or under another's name", async () => {
    const disk = await longLog();
    const foreign = copyOf(disk);
    const header = encodeSegmentHeader({ length: segmentBytes, id: 2, sequence: 4, nodeId: 77 });
    foreign.files.overwrite(pathOfSegment(2), 0, header);
    assert.match(await mustRefuse(foreign, 18), /of segment 2 of node 77/);
    const swapped = copyOf(disk);
    swapped.files.overwrite(pathOfSegment(3), 0, disk.files.contents(pathOfSegment(2)));
    await mustRefuse(swapped, 18);
    const error: unknown = await new WalRun(disk)
      .open({ nodeId: 77 })
      .catch((thrown: unknown) => thrown);
    assert.match(String(error), /row 18/);
  });
});
