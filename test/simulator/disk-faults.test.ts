/** Faults of the simulated disk, its use of memory, and its watch over the contract of a file. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { loseAll } from "../../simulator/crash-chooser.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";
import { codeOf, get, put } from "../contract/file-system.ts";

function newDisk(capacityBytes?: number): { clock: SimulatedClock; files: SimulatedFileSystem } {
  const clock = new SimulatedClock();
  const options = { clock, directories: ["/data"] };
  const files = new SimulatedFileSystem(
    capacityBytes === undefined ? options : { ...options, capacityBytes },
  );
  return { clock, files };
}

suite("errors of the simulated disk", () => {
  test("after a failed sync the writes count as clean: a later sync does not save them", () => {
    const { files } = newDisk();
    put(files, "/data/a", "first");
    const handle = files.openSync("/data/a", "write");
    handle.syncDataSync();
    files.syncDirectorySync("/data");
    handle.writeSync(Buffer.from("SECOND"), 0);
    files.fail({ on: "sync", code: "EIO" });
    assert.equal(
      codeOf(() => handle.syncDataSync()),
      "EIO",
    );
    handle.syncDataSync();
    assert.equal(get(files, "/data/a"), "SECOND");
    handle.writeSync(Buffer.from("!"), 5);
    handle.syncDataSync();
    files.crash(loseAll);
    assert.equal(Buffer.from(files.contents("/data/a")).toString(), "first!".slice(0, 5) + "!");
  });

  test("what is written again after a failed sync is durable by the next", async () => {
    const { clock, files } = newDisk();
    put(files, "/data/a", "first");
    const handle = files.openSync("/data/a", "write");
    files.syncDirectorySync("/data");
    files.fail({ on: "sync", code: "EIO" });
    await assert.rejects(clock.drive(handle.syncData()), { code: "EIO" });
    handle.writeSync(Buffer.from("first"), 0);
    await clock.drive(handle.syncData());
    files.crash(loseAll);
    assert.equal(Buffer.from(files.contents("/data/a")).toString(), "first");
  });

  test("a full disk takes what fits, then ENOSPC; what is removed makes room when it is closed", () => {
    const { files } = newDisk(10_000);
    put(files, "/data/a", "x".repeat(6_000));
    assert.equal(files.freeBytesSync("/data"), 4_000);
    const handle = files.openSync("/data/b", "create");
    assert.equal(
      codeOf(() => handle.writeSync(Buffer.alloc(5_000, 1), 0)),
      "ENOSPC",
    );
    assert.equal(handle.sizeSync(), 4_000);
    assert.equal(files.freeBytesSync("/data"), 0);
    handle.writeSync(Buffer.alloc(4_000, 2), 0);
    assert.equal(
      codeOf(() => files.openSync("/data/c", "create")),
      "ENOSPC",
    );
    assert.equal(
      codeOf(() => files.openSync("/data/a", "create")),
      "EEXIST",
    );
    const open = files.openSync("/data/a", "read");
    files.unlinkSync("/data/a");
    assert.equal(files.freeBytesSync("/data"), 0);
    open.closeSync();
    assert.equal(files.freeBytesSync("/data"), 6_000);
    handle.writeSync(Buffer.alloc(1_000, 1), 4_000);
    files.capacityBytes = 3_000;
    assert.equal(files.freeBytesSync("/data"), 0);
    handle.writeSync(Buffer.alloc(5_000, 3), 0);
    assert.equal(
      codeOf(() => handle.writeSync(Buffer.alloc(1), 5_000)),
      "ENOSPC",
    );
  });

  test("planted errors hit the kind, path, range and count that they name", () => {
    const { files } = newDisk();
    put(files, "/data/a", "0123456789");
    put(files, "/data/b", "0123456789");
    files.fail({ on: "read", code: "EIO", path: "/data/a", range: { start: 4, end: 6 }, times: 2 });
    const [a, b] = [files.openSync("/data/a", "read"), files.openSync("/data/b", "read")];
    const two = Buffer.alloc(2);
    assert.equal(b.readSync(two, 4), 2);
    assert.equal(a.readSync(two, 2), 2);
    assert.equal(a.readSync(two, 6), 2);
    assert.equal(
      codeOf(() => a.readSync(two, 3)),
      "EIO",
    );
    assert.equal(
      codeOf(() => a.readSync(two, 5)),
      "EIO",
    );
    assert.equal(a.readSync(two, 4), 2);
    files.fail({ on: "create", code: "EMFILE", path: /\/c$/, skip: 1, times: Infinity });
    put(files, "/data/d", "");
    put(files, "/data/c", "");
    files.unlinkSync("/data/c");
    assert.equal(
      codeOf(() => files.openSync("/data/c", "create")),
      "EMFILE",
    );
    assert.equal(
      codeOf(() => files.openSync("/data/c", "create")),
      "EMFILE",
    );
    files.clearFaults();
    put(files, "/data/c", "");
  });
});

suite("damage of what is at rest", () => {
  test("a flipped bit, other bytes, a cut and a lost file last", () => {
    const { files } = newDisk();
    for (const name of ["flip", "bytes", "cut", "lost"]) put(files, `/data/${name}`, "abcdef");
    for (const name of ["flip", "bytes", "cut", "lost"]) {
      const handle = files.openSync(`/data/${name}`, "write");
      handle.syncDataSync();
      handle.closeSync();
    }
    files.syncDirectorySync("/data");
    files.flipBit("/data/flip", 1, 5);
    files.overwrite("/data/bytes", 2, Buffer.from("--"));
    files.truncateFile("/data/cut", 2);
    files.loseFile("/data/lost");
    for (const life of ["before", "after"]) {
      assert.deepEqual(files.listSync("/data"), ["bytes", "cut", "flip"], life);
      assert.equal(get(files, "/data/flip"), "aBcdef", life);
      assert.equal(get(files, "/data/bytes"), "ab--ef", life);
      assert.equal(get(files, "/data/cut"), "ab", life);
      files.crash(loseAll);
      files.restart();
    }
  });
});

suite("the memory of the simulated disk", () => {
  test("64 MiB of zeros take none, and a record in them one page", () => {
    const { files } = newDisk();
    const handle = files.openSync("/data/segment", "create");
    const zeros = Buffer.alloc(1_048_576);
    for (let mebibyte = 0; mebibyte < 64; mebibyte++) {
      handle.writeSync(zeros, mebibyte * 1_048_576);
    }
    handle.syncDataSync();
    assert.equal(handle.sizeSync(), 67_108_864);
    assert.equal(files.storedPages, 0);
    handle.writeSync(Buffer.from("record"), 5_000_000);
    assert.equal(files.storedPages, 1);
    handle.writeSync(zeros, 4_500_000);
    assert.equal(
      files.contents("/data/segment").some((byte) => byte !== 0),
      false,
    );
  });

  test("a clone and its original do not see each other's writes, synced or not", () => {
    const { files } = newDisk();
    put(files, "/data/a", "abc");
    files.openSync("/data/a", "write").syncDataSync();
    files.syncDirectorySync("/data");
    const clone = files.clone();
    const again = clone.clone();
    files.openSync("/data/a", "write").writeSync(Buffer.from("1"), 0);
    clone.openSync("/data/a", "write").writeSync(Buffer.from("2"), 1);
    clone.openSync("/data/a", "write").syncDataSync();
    files.renameSync("/data/a", "/data/b");
    assert.equal(get(files, "/data/b"), "1bc");
    assert.equal(get(clone, "/data/a"), "a2c");
    assert.equal(get(again, "/data/a"), "abc");
    files.crash(loseAll);
    clone.crash(loseAll);
    assert.equal(Buffer.from(files.contents("/data/a")).toString(), "abc");
    assert.equal(Buffer.from(clone.contents("/data/a")).toString(), "a2c");
  });
});

suite("the time that the simulated disk takes", () => {
  test("a synchronous sync moves the clock, an asynchronous one waits for it", async () => {
    const clock = new SimulatedClock();
    const files = new SimulatedFileSystem({
      clock,
      directories: ["/data"],
      latencyMs: ({ kind }) => (kind === "sync" ? 8 : 0),
    });
    put(files, "/data/a", "abc");
    const handle = files.openSync("/data/a", "write");
    handle.syncDataSync();
    assert.equal(clock.monotonicMs(), 8);
    await clock.drive(handle.syncData());
    assert.equal(clock.monotonicMs(), 16);
    await clock.drive(handle.write(Buffer.from("d"), 3));
    assert.equal(clock.monotonicMs(), 16);
  });

  test("an asynchronous sync covers what was written before it, not what came during it", async () => {
    const clock = new SimulatedClock();
    const files = new SimulatedFileSystem({ clock, directories: ["/data"], latencyMs: () => 8 });
    put(files, "/data/a", "abc");
    files.syncDirectorySync("/data");
    const [one, other] = [files.openSync("/data/a", "write"), files.openSync("/data/a", "write")];
    const sync = one.syncData();
    other.writeSync(Buffer.from("XYZ"), 0);
    await clock.drive(sync);
    files.crash(loseAll);
    assert.equal(Buffer.from(files.contents("/data/a")).toString(), "abc");
  });
});

suite("the simulated disk watches over the contract of a file", () => {
  test("calls on one handle that overlap are refused, except reads", async () => {
    const { clock, files } = newDisk();
    put(files, "/data/a", "abc");
    const handle = files.openSync("/data/a", "write");
    const overlap = /overlap/;
    const write = handle.write(Buffer.from("x"), 0);
    assert.throws(() => handle.readSync(Buffer.alloc(1), 0), overlap);
    await assert.rejects(handle.syncData(), overlap);
    assert.throws(() => handle.closeSync(), /closed during a call/);
    await clock.drive(write);
    const reads = [handle.read(Buffer.alloc(1), 0), handle.read(Buffer.alloc(1), 1)];
    assert.throws(() => handle.writeSync(Buffer.from("y"), 0), overlap);
    await clock.drive(Promise.all(reads));
    handle.writeSync(Buffer.from("y"), 0);
    handle.closeSync();
  });

  test("a buffer that is changed before its write is over is found", async () => {
    const { clock, files } = newDisk();
    const handle = files.openSync("/data/a", "create");
    const bytes = Buffer.from("abc");
    const write = handle.write(bytes, 0);
    bytes[0] = 0;
    await assert.rejects(clock.drive(write), /changed while the file system owned it/);
  });
});
