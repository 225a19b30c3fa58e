/** The log over the WAL: what it keeps from one start to the next, and what it does that the contract does not speak of. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { loseAll } from "../../simulator/crash-chooser.ts";
import { decodeToken, encodeToken } from "../../src/log/log-token.ts";
import type { LogToken } from "../../src/log/log-token.ts";
import type { RaftLog } from "../../src/log/raft-log.ts";
import { batch, codeOf, drain, textsOf } from "../contract/shared-log.ts";
import { LogDisk } from "./log-disk.ts";

const plenty = 1_048_576;

suite("RaftLog of one voter: a restart", () => {
  test("P1: what was confirmed is there, in a new term, behind it an own empty entry", async () => {
    const disk = new LogDisk();
    await disk.open();
    const first = disk.log(1).status();
    for (let i = 0; i < 5; i++) void disk.log(1).append(batch(i));
    await disk.settle();
    const before = disk.log(1).status();
    await disk.reopen();
    const entries = await disk.read(1);
    const after = disk.log(1).status();
    assert.ok(after.term > first.term);
    assert.equal(after.last, before.last + 1);
    assert.equal(after.committed, after.last);
    assert.deepEqual(
      textsOf(entries),
      Array.from({ length: 5 }, (_, i) => `batch ${i}`),
    );
    assert.deepEqual(
      entries.filter((entry) => entry.batch.length === 0).map(({ position }) => position),
      [1, before.last + 1],
    );
    await disk.close();
  });

  test("P1: the same after a power loss that takes all that was not synced", async () => {
    const disk = new LogDisk();
    await disk.open();
    for (let i = 0; i < 5; i++) void disk.log(1).append(batch(i));
    await disk.settle();
    const unknown = codeOf(disk.log(1).append(batch(5)));
    disk.files.failAfter(0);
    await disk.settle();
    assert.equal(await unknown, "UNKNOWNOUTCOME");
    disk.files.crash(loseAll);
    disk.files.restart();
    await disk.open();
    assert.deepEqual(
      textsOf(drain(disk.log(1), plenty)),
      Array.from({ length: 5 }, (_, i) => `batch ${i}`),
    );
    await disk.close();
  });

  test("trimmed entries stay away, and reading goes on behind the checkpoint", async () => {
    const disk = new LogDisk();
    await disk.open();
    for (let i = 0; i < 8; i++) void disk.log(1).append(batch(i));
    await disk.settle();
    drain(disk.log(1), plenty);
    disk.log(1).trim(4);
    await disk.reopen();
    const log = disk.log(1);
    assert.equal(log.status().first, 5);
    assert.throws(() => log.committed(plenty), { code: "DATADAMAGED" });
    log.readFrom(4);
    assert.deepEqual(textsOf(drain(log, plenty)), [
      "batch 3",
      "batch 4",
      "batch 5",
      "batch 6",
      "batch 7",
    ]);
    await disk.close();
  });

  test("a trim names the term of the entry, also of an earlier start", async () => {
    const disk = new LogDisk();
    await disk.open();
    for (let i = 0; i < 3; i++) void disk.log(1).append(batch(i));
    await disk.settle();
    const { term } = disk.log(1).status();
    await disk.reopen();
    await disk.read(1);
    disk.log(1).trim(2);
    await disk.settle();
    assert.deepEqual(disk.wal.group(1).trimmedTo, { index: 2, term });
    disk.log(1).trim(disk.log(1).status().last);
    await disk.settle();
    assert.equal(disk.wal.group(1).trimmedTo.term, disk.log(1).status().term);
    await disk.close();
  });

  test("a reset lasts, and the log goes on behind it, in no earlier term", async () => {
    const disk = new LogDisk();
    await disk.open();
    const { term } = disk.log(1).status();
    const forgotten = codeOf(disk.log(1).append(batch(0)));
    const token = encodeToken({ ...tokenOf(disk.log(1)), term: 7 });
    const reset = disk.log(1).resetTo(500, token);
    assert.equal(await codeOf(disk.log(1).append(batch(1))), "NOTLEADER");
    await disk.settle();
    await reset;
    assert.equal(await forgotten, "UNKNOWNOUTCOME");
    assert.ok(disk.log(1).status().term > Math.max(term, 7));
    void disk.log(1).append(batch(2));
    await disk.settle();
    await disk.reopen();
    assert.equal(disk.log(1).status().first, 501);
    disk.log(1).readFrom(500);
    assert.deepEqual(textsOf(await disk.read(1)), ["batch 2"]);
    assert.deepEqual(disk.wal.group(1).reset, { index: 500, term: 7, token });
    await disk.close();
  });

  test("before it leads a log can be read, takes no batch, and writes nothing", async () => {
    const disk = new LogDisk();
    await disk.open();
    void disk.log(1).append(batch(0));
    await disk.settle();
    await disk.close();
    await disk.openOnly();
    const log = disk.log(1);
    assert.equal(log.status().role, "follower");
    assert.equal(disk.wal.stagedRecords, 0);
    assert.deepEqual(textsOf(drain(log, plenty)), ["batch 0"]);
    assert.equal(await codeOf(log.append(batch(1))), "NOTLEADER");
    await disk.close();
  });
});

suite("RaftLog of one voter: one disk for all logs of a node", () => {
  test("one sync confirms what all of them have staged", async () => {
    const disk = new LogDisk();
    const groups = [0, 1, 2, 3];
    await disk.open(groups);
    let syncs = 0;
    disk.files.onOperation = ({ kind }) => {
      if (kind === "sync") syncs++;
    };
    const positions = groups.map((group) => disk.log(group).append(batch(group)));
    await disk.settle();
    assert.deepEqual(await Promise.all(positions), [2, 2, 2, 2]);
    assert.equal(syncs, 1);
    await disk.close();
  });

  test("what is appended during a slow flush waits for the next one", async () => {
    const disk = new LogDisk({ syncMs: 20 });
    await disk.open();
    const log = disk.log(1);
    // Slow syncs make the log use the thread pool.
    for (let i = 0; i < 8; i++) {
      void log.append(batch(i));
      await disk.settle();
    }
    drain(log, plenty);
    void log.append(batch(10));
    disk.logs.flush();
    assert.ok(disk.logs.busy, "this test needs a flush that takes its time");
    let confirmed = false;
    void log.append(batch(11)).then(() => {
      confirmed = true;
    });
    await disk.clock.advanceSettled(50);
    assert.deepEqual(textsOf(drain(log, plenty)), ["batch 10"]);
    assert.equal(confirmed, false);
    await disk.settle();
    assert.deepEqual(textsOf(drain(log, plenty)), ["batch 11"]);
    await disk.close();
  });

  test("a reset during a slow flush is not confirmed by that flush", async () => {
    const disk = new LogDisk({ syncMs: 20 });
    await disk.open();
    const log = disk.log(1);
    for (let i = 0; i < 8; i++) {
      void log.append(batch(i));
      await disk.settle();
    }
    const before = codeOf(log.append(batch(10)));
    disk.logs.flush();
    let durable = false;
    const reset = log.resetTo(900, log.status().token).then(() => {
      durable = true;
    });
    assert.equal(await before, "UNKNOWNOUTCOME");
    await disk.clock.advanceSettled(50);
    assert.equal(disk.logs.busy, false);
    assert.equal(durable, false);
    assert.equal(log.status().committed, 900);
    await disk.settle();
    await reset;
    assert.equal(disk.wal.group(1).reset?.index, 900);
    await disk.close();
  });

  test("P7: an error of the disk leaves all logs stopped and what waits unknown", async () => {
    const disk = new LogDisk();
    await disk.open([1, 2]);
    disk.files.fail({ on: "sync", code: "EIO" });
    const codes = [1, 2].map((group) => codeOf(disk.log(group).append(batch(group))));
    await disk.settle();
    assert.deepEqual(await Promise.all(codes), ["UNKNOWNOUTCOME", "UNKNOWNOUTCOME"]);
    for (const group of [1, 2]) {
      assert.equal(disk.log(group).status().role, "stopped");
      assert.equal(await codeOf(disk.log(group).append(batch(0))), "STOPPED");
    }
    await disk.close();
  });

  test("a batch that no segment can hold is refused and leaves no gap", async () => {
    const disk = new LogDisk();
    await disk.open();
    const log = disk.log(1);
    assert.equal(await codeOf(log.append(Buffer.alloc(60_000))), "TOOLARGE");
    const next = log.append(batch(1));
    await disk.settle();
    assert.equal(await next, 2);
    assert.deepEqual(textsOf(drain(log, plenty)), ["batch 1"]);
    await disk.close();
  });
});

function tokenOf(log: RaftLog): LogToken {
  return decodeToken(log.status().token);
}
