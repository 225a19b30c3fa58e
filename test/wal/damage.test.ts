/** Damage in every bit of a log at rest: harmless, or refused; never fewer or other records. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import { recordHeaderBytes, saltOf } from "../../src/wal/format.ts";
import { EntryReader } from "../../src/wal/entry-reader.ts";
import { readLog } from "../../src/wal/recovery.ts";
import { batchesOf, pathOfSegment, zero } from "./damage.ts";
import { copyOf, directory, nodeId, openRun, segmentBytes } from "./wal-disk.ts";
import type { WalDisk } from "./wal-disk.ts";

/** All groups of a log at rest, with their entries, as text; or the code of the refusal. */
function outcome(disk: WalDisk): string {
  try {
    const { replay, segments } = readLog(disk.files, directory, nodeId);
    const open = segments.map(({ id, length }) => {
      const path = pathOfSegment(id);
      return { id, path, length, canBegin: true, reader: disk.files.openSync(path, "read") };
    });
    const reader = new EntryReader(
      (id) => open.find((segment) => segment.id === id) ?? assert.fail(`no segment ${id}`),
      saltOf(nodeId),
    );
    const groups = [...replay.groups.values()].map((group) => ({
      id: group.id,
      hardState: group.hardState,
      trimmedTo: group.trimmedTo,
      reset: group.reset,
      removed: group.removed,
      entries: reader.read(group, group.firstIndex, 1_000_000),
    }));
    for (const segment of open) segment.reader.closeSync();
    return JSON.stringify(groups);
  } catch (error) {
    if (!(error instanceof TrubaError)) throw error;
    return error.code;
  }
}

/** One small segment with a record of each kind, sealed. */
async function smallLog(): Promise<WalDisk> {
  const run = await openRun();
  run.wal.stageHardState(1, { term: 1, votedFor: 2, commit: 0 });
  run.wal.stageEntry(1, 1, 1, Buffer.from("one"));
  run.wal.stageEntry(1, 2, 1, Buffer.from("number two"));
  await run.flush();
  run.wal.stageTrim(1, 1, 1);
  run.wal.stageReset(2, 10, 1, Buffer.from("token"));
  run.wal.stageRemoved(3, 4, 2);
  await run.flush();
  await run.close();
  return run.disk;
}

suite("P7: damage at rest", () => {
  test("every bit of a small sealed log: refused, or not used", async () => {
    const disk = await smallLog();
    const whole = outcome(disk);
    const batches = batchesOf(disk);
    const seal = batches.at(-1) ?? assert.fail();
    const used = seal.offset + seal.bytes;
    const harmless: number[] = [];
    let refused = 0;
    for (let offset = 0; offset < used + 64; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        disk.files.flipBit(pathOfSegment(1), offset, bit);
        const found = outcome(disk);
        if (found === "DATADAMAGED") refused += 1;
        else {
          assert.equal(found, whole, `bit ${bit} of byte ${offset}`);
          harmless.push(offset);
        }
        disk.files.flipBit(pathOfSegment(1), offset, bit);
      }
    }
    assert.ok(refused > 7_000, `only ${refused} flips were refused`);
    // Padding behind bodies, the seal itself, and what stands behind it: all else is guarded.
    const padding = batches.flatMap(({ records }) =>
      records.flatMap(({ offset, bodyBytes }) => {
        const end = offset + recordHeaderBytes + bodyBytes;
        return Array.from({ length: (8 - (bodyBytes % 8)) % 8 }, (_, i) => end + i);
      }),
    );
    const unused = harmless.filter((offset) => offset < seal.offset && !padding.includes(offset));
    const inCommits = new Set(unused.map((offset) => offset));
    // What is left are the zeros that round a commit record's body up.
    assert.ok(inCommits.size <= 4 * batches.length, [...inCommits].join());
  });

  test("one bit of every byte of a log of several segments", async () => {
    const run = await openRun();
    for (let i = 1; run.wal.liveSegments < 3; i++) {
      run.wal.stageEntry(1, i, 1, Buffer.alloc(2_000, i));
      run.wal.stageEntry(2, i, 1, Buffer.alloc(500, i));
      await run.flush();
      await run.settle();
    }
    await run.close();
    const { disk } = run;
    const whole = outcome(disk);
    for (const segment of [1, 2, 3]) {
      for (let offset = segment; offset < segmentBytes; offset += 5) {
        disk.files.flipBit(pathOfSegment(segment), offset, offset % 8);
        const found = outcome(disk);
        if (found !== "DATADAMAGED") assert.equal(found, whole, `segment ${segment}, ${offset}`);
        disk.files.flipBit(pathOfSegment(segment), offset, offset % 8);
      }
    }
  });

  test("every sector of a sealed log lost, one at a time", async () => {
    const run = await openRun();
    for (let i = 1; i <= 5; i++) {
      run.wal.stageEntry(1, i, 1, Buffer.alloc(900, i));
      await run.flush();
    }
    await run.close();
    const whole = outcome(run.disk);
    const refusals = [];
    for (let sector = 0; sector < segmentBytes; sector += 512) {
      const disk = copyOf(run.disk);
      zero(disk, 1, sector, sector + 512);
      const found = outcome(disk);
      if (found === "DATADAMAGED") refusals.push(sector);
      else assert.equal(found, whole, `sector at ${sector}`);
    }
    assert.ok(refusals.length > 9);
  });

  test("read checks what it reads, and names where and what is damaged", async () => {
    const run = await openRun();
    for (let i = 1; i <= 3; i++) run.wal.stageEntry(6, i, 1, Buffer.alloc(100, i));
    await run.flush();
    const second = batchesOf(run.disk).at(-1)?.records[1] ?? assert.fail();
    run.disk.files.flipBit(pathOfSegment(1), second.offset + 80, 3);
    assert.equal(run.wal.read(6, 1, 100).length, 1);
    const name = new RegExp(
      `entry 2 of group 6, ${pathOfSegment(1)} at offset ${second.offset}: its checksum is wrong`,
    );
    assert.throws(() => run.wal.read(6, 2, 100), { code: "DATADAMAGED", message: name });
    run.disk.files.flipBit(pathOfSegment(1), second.offset + 20, 3);
    assert.throws(() => run.wal.read(6, 2, 100), { code: "DATADAMAGED", message: /header/ });
    await run.close();
  });
});
