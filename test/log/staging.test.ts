/** What of the core's hard state goes to disk, and before what. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Staging } from "../../src/log/staging.ts";
import { changeKinds, encodeChange } from "../../src/raft/membership-change.ts";
import { type Entry, type Ready, entryKinds } from "../../src/raft/vocabulary.ts";
import { LogDisk } from "./log-disk.ts";

const nothing: Ready = {
  soft: undefined,
  hard: undefined,
  snapshot: undefined,
  entries: [],
  mustSync: false,
  messages: [],
  afterAppend: [],
  ack: undefined,
  committed: [],
  reads: [],
  fetches: [],
};

const change = encodeChange({
  transition: "auto",
  changes: [{ kind: changeKinds.addLearner, replica: 2 }],
});

function entry(index: number, kind: Entry["kind"], data: Buffer): Entry {
  return { index, term: 1, kind, data };
}

async function staged(
  readies: readonly Partial<Ready>[],
): Promise<{ disk: LogDisk; records: number[] }> {
  const disk = new LogDisk();
  await disk.openOnly([]);
  const staging = new Staging(disk.wal, 5);
  const records = readies.map((ready) => {
    const before = disk.wal.stagedRecords;
    staging.stage({ ...nothing, ...ready });
    return disk.wal.stagedRecords - before;
  });
  return { disk, records };
}

suite("staging", () => {
  test("a commit index alone costs no record, a term or a vote does", async () => {
    const { disk, records } = await staged([
      { hard: { term: 1, vote: 0, commit: 0 } },
      { hard: { term: 1, vote: 1, commit: 0 } },
      { hard: { term: 1, vote: 1, commit: 3 } },
    ]);
    assert.deepEqual(records, [1, 1, 0]);
    await disk.close();
  });

  test("thesis 4.1: what is committed is on disk before an entry that changes the members is", async () => {
    const { disk, records } = await staged([
      { hard: { term: 1, vote: 1, commit: 0 } },
      { entries: [entry(1, entryKinds.normal, Buffer.from("a"))] },
      { hard: { term: 1, vote: 1, commit: 1 } },
      { entries: [entry(2, entryKinds.configuration, change)] },
      { entries: [entry(3, entryKinds.configuration, change)] },
    ]);
    // Once for what is news.
    assert.deepEqual(records, [1, 1, 0, 2, 1]);
    disk.wal.flush(() => {});
    assert.equal(disk.wal.group(5).hardState?.commit, 1);
    await disk.close();
  });
});
