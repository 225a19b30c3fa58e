/** Damage that retires groups instead of refusing the log: each row of the recovery table in this way, and damage of every kind at every place. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { checksum } from "../../src/base/checksum.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { encodeSegmentHeader, kinds, restatedFlag } from "../../src/wal/format.ts";
import { batchesOf, flip, forge, lastBatch, pathOfSegment, snapshot, zero } from "./damage.ts";
import { batch, commitOf, die, longLog, sealedLog, unsealedLog } from "./logs-at-rest.ts";
import { copyOf, nodeId, openRun, segmentBytes } from "./wal-disk.ts";
import type { WalDisk, WalRun } from "./wal-disk.ts";
import { groupLines } from "./wal-model.ts";

const retire = { onDamage: "retire" } as const;

/** Opens the log; the damaged groups must be these, and stay so over a kill, until they are removed, and not after that. */
async function retires(disk: WalDisk, damaged: readonly number[], reason?: RegExp): Promise<void> {
  const healthy = await wholeOf(disk);
  const run = await openRun(disk, retire);
  for (const text of run.wal.damaged.values()) if (reason) assert.match(text, reason);
  await mustHold(run, damaged, healthy);
  await die(run);
  await run.open(retire);
  await mustHold(run, damaged, healthy);
  await replaceDamaged(run);
  await run.open(retire);
  assert.deepEqual([...run.wal.damaged.keys()], []);
  for (const group of damaged) assert.equal(run.wal.group(group).reset?.index, 70);
  await run.close();
}

/** The groups as the log would hold them were it not damaged; set by the tests before they damage it. */
const wholes = new WeakMap<WalDisk, Map<number, string>>();

async function wholeOf(disk: WalDisk): Promise<Map<number, string>> {
  return must(wholes.get(disk), "the log was not looked at before it was damaged");
}

/** Remembers what a whole log holds. */
async function looked(disk: WalDisk): Promise<WalDisk> {
  const run = await openRun(copyOf(disk));
  wholes.set(disk, groupLines(run.wal));
  await die(run);
  return disk;
}

/** A copy to be damaged. */
function another(disk: WalDisk): WalDisk {
  const copy = copyOf(disk);
  wholes.set(copy, must(wholes.get(disk)));
  return copy;
}

async function mustHold(
  run: WalRun,
  damaged: readonly number[],
  whole: ReadonlyMap<number, string>,
): Promise<void> {
  assert.deepEqual(sorted(run.wal.damaged.keys()), damaged);
  const found = groupLines(run.wal);
  for (const [group, text] of whole)
    if (!damaged.includes(group)) assert.equal(found.get(group), text, `group ${group}`);
  for (const group of damaged) {
    assert.throws(() => run.wal.read(group, 1, 100), /nothing of a damaged group can be read/);
    assert.throws(() => run.wal.stageEntry(group, 1, 9, Buffer.alloc(1)), /only be removed/);
    assert.throws(() => run.wal.stageReset(group, 1, 9, Buffer.alloc(1)), /only be removed/);
  }
}

function sorted(groups: Iterable<number>): number[] {
  return [...groups].sort((a, b) => a - b);
}

/** What the node does: the damaged copies leave, keeping the last hard state, and others come. */
async function replaceDamaged(run: WalRun): Promise<void> {
  for (const group of run.wal.damaged.keys()) {
    const { term, votedFor } = run.wal.group(group).hardState ?? { term: 9, votedFor: 0 };
    run.wal.stageRemoved(group, term, votedFor);
    run.wal.stageReset(group, 70, 9, Buffer.from("new copy"));
    run.wal.stageEntry(group, 71, 9, Buffer.from("new entry"));
  }
  assert.ok(await run.flush());
  assert.deepEqual([...run.wal.damaged.keys()], []);
  await run.close();
}

async function mustRefuse(disk: WalDisk, row: number): Promise<void> {
  const before = snapshot(disk);
  const error: unknown = await openRun(disk, retire).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof TrubaError, "the log was opened");
  assert.match(error.message, new RegExp(`row ${row}\\)`));
  assert.equal(snapshot(disk), before, "a refused start changes nothing");
}

/** Groups 1 to 3 in each of three segments; one of group 3's entries is alone in its batch. Sealed. */
async function mixedLog(): Promise<WalDisk> {
  const run = await openRun();
  for (let i = 1; run.wal.liveSegments < 3; i++) {
    if (i % 3 === 1) run.wal.stageHardState(1 + (i % 2), { term: i, votedFor: i % 5, commit: 0 });
    run.wal.stageEntry(1, i, i, Buffer.alloc(500, i));
    run.wal.stageEntry(2, i, i, Buffer.alloc(40, i));
    assert.ok(await run.flush());
    run.wal.stageEntry(3, i, i, Buffer.alloc(300, i));
    assert.ok(await run.flush());
    await run.settle();
  }
  await run.close();
  return looked(run.disk);
}

suite("P7: damage that retires, by the rows of the recovery table", () => {
  test("rows 1, 2, 4 and 5 are the same in both ways", async () => {
    const whole = await looked(await unsealedLog());
    const { offset, bytes, records } = lastBatch(whole);
    await retires(another(whole), []);
    for (const damaging of [
      (disk: WalDisk) => zero(disk, 1, offset, offset + bytes),
      (disk: WalDisk) => zero(disk, 1, offset + 64, offset + bytes),
      (disk: WalDisk) => flip(disk, 1, must(records[1]).offset + 58),
    ]) {
      const disk = copyOf(whole);
      damaging(disk);
      const run = await openRun(disk, retire);
      assert.deepEqual([...run.wal.damaged], []);
      assert.equal(run.wal.group(4).lastIndex, 2);
      await run.close();
    }
  });

  test("row 3: a lost batch may have been of any group, also of one that is not known", async () => {
    const disk = await mixedLog();
    const { segment, offset, bytes } = batch(disk, 4);
    zero(disk, segment, offset, offset + bytes);
    const run = await openRun(copyOf(disk), retire);
    run.wal.group(77);
    assert.deepEqual(sorted(run.wal.damaged.keys()), [1, 2, 3, 77]);
    assert.match(must(run.wal.damaged.get(77)), new RegExp(`offset ${offset}: .*batch is lost`));
    await die(run);
    await retires(disk, [1, 2, 3], /row 3\)/);
  });

  test("row 3: a group of which only later records are found is damaged, too: its vote may be lost", async () => {
    const run = await openRun();
    run.wal.stageEntry(1, 1, 1, Buffer.from("one"));
    assert.ok(await run.flush());
    run.wal.stageHardState(6, { term: 3, votedFor: 2, commit: 0 });
    assert.ok(await run.flush());
    run.wal.stageEntry(6, 1, 3, Buffer.from("first"));
    assert.ok(await run.flush());
    await run.close();
    const disk = await looked(run.disk);
    const { offset, bytes } = batch(disk, 3);
    zero(disk, 1, offset, offset + bytes);
    await retires(disk, [1, 6], /row 3\)/);
  });

  test("row 6: a damaged commit record of records that are all there concerns nobody", async () => {
    const whole = await mixedLog();
    for (const one of batchesOf(whole).slice(1, -1)) {
      const commit = commitOf(one);
      const damaged = another(whole);
      flip(damaged, one.segment, commit + 17);
      flip(damaged, one.segment, commit + 60);
      await retires(damaged, []);
    }
  });

  test("row 6: records without their commit record, before a later batch, of which some are not readable", async () => {
    const whole = await mixedLog();
    const { segment, offset, bytes, records } = batch(whole, 4);
    for (const cut of [0, must(records.at(-1)).offset - offset + 8]) {
      const disk = another(whole);
      zero(disk, segment, offset + cut, offset + bytes - 8);
      await retires(disk, [1, 2, 3], /row [36]\)/);
    }
  });

  test("row 7: the group of a damaged entry, which is named, and only that", async () => {
    const whole = await mixedLog();
    for (const one of batchesOf(whole).slice(1, -1)) {
      for (const { kind, group, index, offset } of one.records) {
        for (const part of [0, 9, 53, 57]) {
          if (part === 57 && kind === kinds.link) continue;
          const disk = another(whole);
          flip(disk, one.segment, offset + part);
          const name = `entry of group ${group}, index ${index}, .*at offset ${offset}`;
          await retires(disk, kind === kinds.entry ? [group] : [], new RegExp(name));
        }
      }
    }
  });

  test("row 7: a reset whose token is damaged in the oldest segment", async () => {
    const run = await openRun();
    run.wal.stageReset(5, 10, 2, Buffer.from("token"));
    run.wal.stageEntry(1, 1, 1, Buffer.from("other"));
    await run.flush();
    await run.close();
    const disk = await looked(run.disk);
    const reset = must(batch(disk, 2).records.find(({ kind }) => kind === kinds.reset));
    flip(disk, 1, reset.offset + 57);
    await retires(disk, [5], /reset of group 5, index 10/);
  });

  test("row 7: evidence that is only the remains of a later write is kept", async () => {
    const disk = await looked(await unsealedLog());
    const { offset, bytes, records } = batch(disk, 3);
    forge(disk, { segment: 1, offset: offset + bytes, sequence: 4 }, [
      { kind: kinds.entry, group: 4, index: 5, term: 3 },
    ]);
    zero(disk, 1, offset + bytes + 56, offset + bytes + 400);
    flip(disk, 1, must(records[1]).offset + 8);
    await retires(disk, [4]);
  });

  test("row 8: batches are lost before one that is whole", async () => {
    const disk = await looked(await unsealedLog());
    const { offset, bytes } = lastBatch(disk);
    const lower = another(disk);
    forge(disk, { segment: 1, offset: offset + bytes, sequence: 6 }, []);
    await retires(disk, [4], /batch 6 stands where batch 4 should/);
    forge(lower, { segment: 1, offset: offset + bytes, sequence: 3 }, []);
    await mustRefuse(lower, 8);
  });

  test("row 9: what a newer Truba wrote is refused", async () => {
    const disk = await longLog();
    const newer = encodeSegmentHeader({ length: segmentBytes, id: 2, sequence: 0, nodeId });
    newer.writeUInt32LE(2, 8);
    newer.writeUInt32LE(checksum(newer.subarray(0, 60)), 60);
    disk.files.overwrite(pathOfSegment(2), 0, newer);
    await mustRefuse(disk, 9);
  });

  test("row 10: a segment without its header is read nevertheless; the only one is refused", async () => {
    const whole = await mixedLog();
    for (const segment of [1, 2, 3]) {
      for (const offset of [0, 12, 16, 24, 32, 60]) {
        const disk = another(whole);
        flip(disk, segment, offset);
        await retires(disk, []);
      }
    }
    const alone = await sealedLog();
    flip(alone, 1, 20);
    await mustRefuse(alone, 10);
  });

  test("row 10: the last segment is missing: all groups, in a new segment behind a gap", async () => {
    const disk = await mixedLog();
    disk.files.loseFile(pathOfSegment(3));
    await retires(disk, [1, 2, 3], /0000000000000003.wal/);
    assert.ok(disk.files.existsSync(pathOfSegment(4)));
  });

  test("row 12: a middle segment is missing", async () => {
    const disk = await mixedLog();
    disk.files.loseFile(pathOfSegment(2));
    await retires(disk, [1, 2, 3], /0000000000000002.wal at offset 0: .*row 12/);
  });

  test("row 14: an entry behind a gap", async () => {
    const disk = await looked(await unsealedLog());
    const { offset, bytes } = lastBatch(disk);
    forge(disk, { segment: 1, offset: offset + bytes, sequence: 4 }, [
      { kind: kinds.entry, group: 4, index: 6, term: 3 },
      { kind: kinds.entry, group: 5, index: 1, term: 3 },
    ]);
    await retires(disk, [4], /group 4 has entries up to index 4, .* index 6/);
  });

  test("row 15: a lost front segment concerns the groups whose entries it held", async () => {
    const run = await openRun();
    run.wal.stageEntry(8, 1, 1, Buffer.from("only one"));
    for (let i = 1; run.wal.liveSegments < 2; i++) {
      run.wal.stageEntry(1, i, 1, Buffer.alloc(1_000, i));
      run.wal.stageTrim(1, i, 1);
      assert.ok(await run.flush());
      await run.settle();
    }
    await run.close();
    const disk = await looked(run.disk);
    disk.files.loseFile(pathOfSegment(1));
    await retires(disk, [8], /group 8 needs the entries from index 1 on/);
  });

  test("row 16: a contradiction concerns its group", async () => {
    const disk = await longLog();
    await looked(disk);
    const { sequence, offset } = must(batchesOf(disk).find(({ segment }) => segment === 2));
    const last = { kind: kinds.last, group: 1, index: 99, term: 1, flags: restatedFlag };
    forge(disk, { segment: 2, offset, sequence }, [last]);
    await retires(disk, [1], /last of group 1, index 99/);
  });

  test("row 17: a middle segment cut short behind its link loses nothing; the last one may have lost anything", async () => {
    const whole = await mixedLog();
    const link = must(batchesOf(whole).find(({ records }) => records[0]?.kind === kinds.link));
    for (const [segment, bytes, damaged] of [
      [1, segmentBytes - 1, []],
      [1, link.offset + 20, []],
      [1, link.offset - 20, [1, 2, 3]],
      [3, segmentBytes - 1, [1, 2, 3]],
    ] as const) {
      const disk = another(whole);
      disk.files.truncateFile(pathOfSegment(segment), bytes);
      await retires(disk, damaged);
    }
  });

  test("row 18: another node's segment is refused, another segment's left out", async () => {
    const whole = await mixedLog();
    const foreign = another(whole);
    const header = encodeSegmentHeader({ length: segmentBytes, id: 2, sequence: 4, nodeId: 77 });
    foreign.files.overwrite(pathOfSegment(2), 0, header);
    await mustRefuse(foreign, 18);
    for (const [place, content] of [
      [2, 1],
      [3, 2],
    ] as const) {
      const disk = another(whole);
      disk.files.overwrite(pathOfSegment(place), 0, whole.files.contents(pathOfSegment(content)));
      await retires(disk, [1, 2, 3], new RegExp(`of segment ${content} of node`));
    }
  });

  test("a group that is damaged keeps its last hard state, and all segments until it is removed", async () => {
    const disk = await mixedLog();
    const entry = must(batch(disk, 3).records.find(({ group }) => group === 3));
    const held = await openRun(copyOf(disk));
    const states = [1, 2].map((group) => held.wal.group(group).hardState);
    await die(held);
    flip(disk, 1, entry.offset + 57);
    const first = must(batch(disk, 2).records.find(({ kind }) => kind === kinds.entry));
    flip(disk, 1, first.offset + 57);
    const run = await openRun(disk, retire);
    assert.deepEqual(sorted(run.wal.damaged.keys()), [1, 3]);
    assert.deepEqual(
      [1, 2].map((group) => run.wal.group(group).hardState),
      states,
    );
    run.wal.stageTrim(2, run.wal.group(2).lastIndex, run.wal.group(2).lastTerm);
    assert.ok(await run.flush());
    await run.settle();
    assert.ok(disk.files.existsSync(pathOfSegment(1)));
    await replaceDamaged(run);
    await run.open(retire);
    await run.settle();
    assert.ok(!disk.files.existsSync(pathOfSegment(1)));
    await run.close();
  });
});
