/** Logs of known contents, as a kill or a stop leaves them, and ways to find one's place in them. */
import assert from "node:assert/strict";
import { must } from "../../src/base/assert.ts";
import { recordBytes } from "../../src/wal/format.ts";
import { batchesOf } from "./damage.ts";
import { openRun, WalRun } from "./wal-disk.ts";
import type { WalDisk } from "./wal-disk.ts";
import { describeWal } from "./wal-model.ts";

/** Batches 2 and 3 with two entries each of group 4; then the process is killed, so nothing is sealed. */
export async function unsealedLog(): Promise<WalDisk> {
  const run = await openRun();
  for (const first of [1, 3]) {
    run.wal.stageHardState(4, { term: first, votedFor: 1, commit: 0 });
    run.wal.stageEntry(4, first, first, Buffer.from(`entry ${first}`));
    run.wal.stageEntry(4, first + 1, first, Buffer.from(`entry ${first + 1}`));
    assert.ok(await run.flush());
  }
  await die(run);
  return run.disk;
}

/** The same, closed in peace. */
export async function sealedLog(): Promise<WalDisk> {
  const run = new WalRun(await unsealedLog());
  await run.open();
  await run.close();
  return run.disk;
}

/** Three segments, with entries of group 1 in each, none of them trimmed; sealed. */
export async function longLog(): Promise<WalDisk> {
  const run = await openRun();
  for (let i = 1; run.wal.liveSegments < 3; i++) {
    run.wal.stageEntry(1, i, 1, Buffer.alloc(1_000, i));
    assert.ok(await run.flush());
    await run.settle();
  }
  await run.close();
  return run.disk;
}

export async function die(run: WalRun): Promise<void> {
  const { files, clock } = run.disk;
  files.kill();
  await clock.advanceSettled(3_000);
  files.restart();
}

/** The batch with this sequence. */
export function batch(disk: WalDisk, sequence: number) {
  return must(batchesOf(disk).find((one) => one.sequence === sequence));
}

/** Where the commit record of a batch stands. */
export function commitOf({ offset, records }: ReturnType<typeof batch>): number {
  const last = records.at(-1);
  return last === undefined ? offset : last.offset + recordBytes(last.bodyBytes);
}

/** Indexes of group 4 that a log gives, which must then go on to take entries and survive a restart. */
export async function indexesAndOn(run: WalRun): Promise<number[]> {
  const indexes = run.wal.read(4, 1, 10_000).map(({ index }) => index);
  const next = run.wal.group(4).lastIndex + 1;
  run.wal.stageEntry(4, next, 9, Buffer.from("goes on"));
  assert.ok(await run.flush());
  const text = describeWal(run.wal);
  await run.close();
  await run.open();
  assert.equal(describeWal(run.wal), text);
  await run.close();
  return indexes;
}
