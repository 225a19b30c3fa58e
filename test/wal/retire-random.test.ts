/** Damage in every bit, and damage of several kinds at once: what retires nothing but the groups concerned never makes a healthy one shorter. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { EntryReader } from "../../src/wal/entry-reader.ts";
import { kinds, saltOf } from "../../src/wal/format.ts";
import { readLog } from "../../src/wal/recovery.ts";
import { batchesOf, lastBatch, pathOfSegment, zero } from "./damage.ts";
import { die } from "./logs-at-rest.ts";
import { copyOf, directory, nodeId, openRun, segmentBytes, WalRun } from "./wal-disk.ts";
import type { WalDisk } from "./wal-disk.ts";
import { groupLines } from "./wal-model.ts";

const retire = { onDamage: "retire" } as const;
const seeds = Number(process.env["SEEDS"] ?? 100);
const firstSeed = Number(process.env["SEED"] ?? 1);

/** One small segment with a record of each kind; sealed. */
async function smallLog(): Promise<WalDisk> {
  const run = await openRun();
  run.wal.stageHardState(1, { term: 1, votedFor: 2, commit: 0 });
  run.wal.stageEntry(1, 1, 1, Buffer.from("one"));
  run.wal.stageEntry(1, 2, 1, Buffer.from("number two"));
  run.wal.stageEntry(4, 1, 1, Buffer.from("another's"));
  await run.flush();
  run.wal.stageTrim(1, 1, 1);
  run.wal.stageReset(2, 10, 1, Buffer.from("token"));
  run.wal.stageRemoved(3, 4, 2);
  await run.flush();
  await run.close();
  return run.disk;
}

/** Four groups in several segments, with votes, trims, a reset and a removal; sealed. */
async function largeLog(random: SeededRandom): Promise<WalDisk> {
  const run = await openRun();
  const lasts = [0, 0, 0, 0];
  const wanted = 2 + randomBelow(random, 3);
  for (let step = 0; run.wal.liveSegments < wanted && step < 200; step++) {
    const count = 1 + randomBelow(random, 3);
    for (let i = 0; i < count; i++) {
      const group = randomBelow(random, 4);
      const last = lasts[group] ?? 0;
      const draw = randomBelow(random, 20);
      if (draw === 0) {
        run.wal.stageReset(group, last + 3, 1, Buffer.from("token"));
        lasts[group] = last + 3;
      } else if (draw === 1) {
        run.wal.stageRemoved(group, 1, 3);
        lasts[group] = 0;
      } else if (draw < 4) {
        run.wal.stageHardState(group, { term: 1, votedFor: step % 3, commit: last });
      } else {
        const body = Buffer.alloc(randomBelow(random, 900), step);
        run.wal.stageEntry(group, last + 1, 1, body);
        lasts[group] = last + 1;
      }
    }
    assert.ok(await run.flush());
    await run.settle();
  }
  await run.close();
  return run.disk;
}

/** Healthy groups are as they were; gives the damaged ones, or `undefined` when the log is refused. */
async function compare(
  run: WalRun,
  whole: ReadonlyMap<number, string>,
): Promise<number[] | undefined> {
  try {
    await run.open(retire);
  } catch (error) {
    if (error instanceof TrubaError && error.code !== "STOPPED") return undefined;
    throw error;
  }
  // Also a group that the log has forgotten is damaged, when it is asked for.
  for (const group of whole.keys()) run.wal.group(group);
  const { damaged } = run.wal;
  const found = groupLines(run.wal);
  for (const [group, text] of whole)
    if (!damaged.has(group)) assert.equal(found.get(group), text, `group ${group}`);
  for (const group of found.keys()) assert.ok(whole.has(group), `group ${group} is new`);
  return [...damaged.keys()];
}

async function opened(
  disk: WalDisk,
  whole: ReadonlyMap<number, string>,
): Promise<number[] | undefined> {
  const run = new WalRun(disk);
  const found = await compare(run, whole);
  if (found !== undefined) await die(run);
  return found;
}

/** The same without opening the log, which takes longer. */
function atRest(disk: WalDisk, whole: ReadonlyMap<number, string>): number[] | undefined {
  try {
    const { healthy, damaged } = readAtRest(disk);
    for (const [group, text] of whole)
      if (!damaged.includes(group)) assert.equal(healthy.get(group), text, `group ${group}`);
    return damaged;
  } catch (error) {
    if (error instanceof TrubaError) return undefined;
    throw error;
  }
}

function readAtRest(disk: WalDisk): { healthy: Map<number, string>; damaged: number[] } {
  const { replay } = readLog(disk.files, directory, nodeId, "retire");
  const reader = disk.files.openSync(pathOfSegment(1), "read");
  const segment = { id: 1, path: "", length: segmentBytes, canBegin: true, reader };
  const entries = new EntryReader(() => segment, saltOf(nodeId));
  const healthy = new Map<number, string>();
  const damaged: number[] = [];
  for (const group of replay.groups.values()) {
    const { id, damage, hardState, trimmedTo, reset, removed, terms } = group;
    if (damage !== undefined) {
      damaged.push(id);
      continue;
    }
    const bodies = entries.read(group, group.firstIndex, 1_000_000);
    const state = { hardState, trimmedTo, reset, removed, runs: terms.runs, bodies };
    healthy.set(id, JSON.stringify(state));
  }
  reader.closeSync();
  return { healthy, damaged };
}

suite("P7: damage that retires", () => {
  test("every bit of a small sealed log: the group concerned is damaged, or nobody, or the log refused", async () => {
    const disk = await smallLog();
    const first = await openRun(copyOf(disk));
    const whole = groupLines(first.wal);
    await die(first);
    const read = readAtRest(disk).healthy;
    const batches = batchesOf(disk);
    const seal = lastBatch(disk);
    /** Whose entry or token a byte is of. */
    const ownerOf = (offset: number): number | undefined =>
      batches
        .flatMap(({ records }) => records)
        .find(
          (record) =>
            offset >= record.offset &&
            offset < record.offset + 56 + record.bodyBytes &&
            (record.kind === kinds.entry ||
              (record.kind === kinds.reset && offset >= record.offset + 56)),
        )?.group;
    const counts = { none: 0, one: 0, refused: 0 };
    for (let offset = 0; offset < seal.offset + seal.bytes; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = copyOf(disk);
        damaged.files.flipBit(pathOfSegment(1), offset, bit);
        const found = bit === offset % 8 ? await opened(damaged, whole) : atRest(damaged, read);
        const owner = ownerOf(offset);
        const where = `bit ${bit} of byte ${offset}`;
        if (found === undefined) {
          counts.refused += 1;
          assert.ok(offset < 64, `${where}: only the header of the only segment refuses`);
          continue;
        }
        assert.deepEqual(found, owner === undefined ? [] : [owner], where);
        counts[owner === undefined ? "none" : "one"] += 1;
      }
    }
    assert.ok(counts.none > 500 && counts.one > 200 && counts.refused > 50, JSON.stringify(counts));
  });

  test(`${seeds} seeds from ${firstSeed} on: several damages, starts that are cut off, new copies, restarts`, async () => {
    let refused = 0;
    let some = 0;
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      try {
        const found = await runSeed(seed);
        if (found === undefined) refused += 1;
        else if (found.length > 0) some += 1;
      } catch (error) {
        throw new Error(`SEED=${seed} SEEDS=1: ${String(error)}`, { cause: error });
      }
    }
    if (seeds < 100) return;
    assert.ok(some > seeds / 3, `${some} logs had damaged groups`);
    assert.ok(refused < seeds / 2, `${refused} logs were refused`);
  });
});

async function runSeed(seed: number): Promise<number[] | undefined> {
  const random = new SeededRandom(seed);
  const disk = await largeLog(random);
  const first = await openRun(copyOf(disk));
  const whole = groupLines(first.wal);
  await die(first);
  damageAtRandom(random, disk);
  // Starts that are cut off change nothing of what the next one finds.
  for (let i = randomBelow(random, 3); i > 0; i--) {
    disk.files.failAfter(randomBelow(random, 8));
    const cut = new WalRun(disk);
    await cut.open(retire).catch(() => {});
    if (disk.files.alive) await die(cut);
    else {
      disk.files.crash(random);
      await disk.clock.advanceSettled(5_000);
      disk.files.restart();
    }
  }
  const run = new WalRun(disk);
  const damaged = await compare(run, whole);
  if (damaged === undefined) return undefined;
  await die(run);
  assert.deepEqual(await compare(run, whole), damaged, "the second start");
  for (const group of damaged) {
    run.wal.stageRemoved(group, 9, 1);
    run.wal.stageReset(group, 70, 9, Buffer.from("new copy"));
  }
  assert.ok(await run.flush());
  await goOn(run, [...whole.keys()]);
  const after = groupLines(run.wal);
  await die(run);
  const again = await compare(run, after);
  assert.deepEqual(again, [], `after the new copies came: ${[...run.wal.damaged].join("; ")}`);
  await run.close();
  return damaged;
}

/** More entries, into another segment. */
async function goOn(run: WalRun, groups: readonly number[]): Promise<void> {
  for (let i = 0; i < 12; i++) {
    for (const group of groups) {
      const { lastIndex, lastTerm } = run.wal.group(group);
      run.wal.stageEntry(group, lastIndex + 1, lastTerm, Buffer.alloc(300, i));
    }
    assert.ok(await run.flush());
    await run.settle();
  }
  await run.seal();
}

/** Not in the last two batches: they prove each other, and without either the end of a log cannot be told from a torn write. */
function damageAtRandom(random: SeededRandom, disk: WalDisk): void {
  const batches = batchesOf(disk);
  const safe = batches.at(-2);
  const segments = [...new Set(batches.map(({ segment }) => segment))];
  const lastSegment = segments.at(-1) ?? 1;
  for (let i = 1 + randomBelow(random, 3); i > 0; i--) {
    const one = batches[randomBelow(random, batches.length - 2)];
    const segment = one?.segment ?? 1;
    const draw = randomBelow(random, 20);
    if (safe?.segment !== lastSegment) return;
    if (!disk.files.existsSync(pathOfSegment(segment))) continue;
    const size = disk.files.contents(pathOfSegment(segment)).length;
    const end = segment === lastSegment ? safe.offset : size;
    if (draw === 0 && segment !== lastSegment) {
      disk.files.loseFile(pathOfSegment(segment));
    } else if (draw === 1 && segment !== lastSegment) {
      disk.files.truncateFile(pathOfSegment(segment), randomBelow(random, size));
    } else if (draw < 6) {
      const sector = randomBelow(random, Math.floor(end / 512) + 1) * 512;
      zero(disk, segment, sector, Math.min(sector + 512, end));
    } else if (one !== undefined && one.offset + one.bytes <= end) {
      const offset = one.offset + randomBelow(random, one.bytes);
      disk.files.flipBit(pathOfSegment(segment), offset, randomBelow(random, 8));
    }
  }
}
