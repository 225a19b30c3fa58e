/** What the simulated disk promises about a power loss: what was synced survives it, what was not may not. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { FileSystem } from "../../src/base/file-system.ts";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { keepAll, keepFirst, loseAll } from "../../simulator/crash-chooser.ts";
import { PowerLossError } from "../../simulator/disk-error.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";
import { codeOf, get, put } from "../contract/file-system.ts";

function newDisk(): SimulatedFileSystem {
  return new SimulatedFileSystem({ clock: new SimulatedClock(), directories: ["/data"] });
}

/** A durable file of `length` times the character. */
function durableFile(files: SimulatedFileSystem, path: string, content: string): void {
  put(files, path, content);
  const handle = files.openSync(path, "write");
  handle.syncDataSync();
  handle.closeSync();
  files.syncDirectorySync("/data");
}

function crashed(files: SimulatedFileSystem, seed: number): SimulatedFileSystem {
  const copy = files.clone();
  copy.crash(new SeededRandom(seed));
  copy.restart();
  return copy;
}

suite("a power loss and bytes", () => {
  test("each byte afterwards is the synced one or of an unsynced write that covers it", () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = new SeededRandom(seed);
      const files = newDisk();
      durableFile(files, "/data/a", "");
      const handle = files.openSync("/data/a", "write");
      const synced = Buffer.alloc(20_000);
      let syncedLength = 0;
      let unsynced: { position: number; bytes: Buffer }[] = [];
      for (let step = 1; step <= 30; step++) {
        const position = randomBelow(random, 9_000);
        const bytes = Buffer.alloc(1 + randomBelow(random, 3_000), step % 7);
        handle.writeSync(bytes, position);
        unsynced.push({ position, bytes });
        if (randomBelow(random, 6) > 0) continue;
        handle.syncDataSync();
        for (const write of unsynced) {
          synced.set(write.bytes, write.position);
          syncedLength = Math.max(syncedLength, write.position + write.bytes.length);
        }
        unsynced = [];
      }
      const after = crashed(files, seed).contents("/data/a");
      assert.ok(after.length >= syncedLength, `seed ${seed}`);
      for (const [at, byte] of after.entries()) {
        if (byte === synced[at]) continue;
        const possible = unsynced.some(
          ({ position, bytes }) => bytes[at - position] === byte && at >= position,
        );
        assert.ok(possible, `seed ${seed}: byte ${at} is ${byte}, nobody wrote that`);
      }
    }
  });

  test("what was not synced is lost in whole, in part, inside a sector, or not at all", () => {
    const files = newDisk();
    durableFile(files, "/data/a", "o".repeat(4_096));
    files.openSync("/data/a", "write").writeSync(Buffer.alloc(2_048, "n"), 100);
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const after = Buffer.from(crashed(files, seed).contents("/data/a")).toString();
      assert.equal(after.length, 4_096);
      assert.ok(!after.slice(0, 100).includes("n") && !after.slice(2_148).includes("n"));
      const inSector = after.slice(512, 1_024);
      if (!after.includes("n")) seen.add("lost");
      else if (!after.slice(100, 2_148).includes("o")) seen.add("whole");
      else seen.add("part");
      if (inSector.includes("n") && inSector.includes("o")) seen.add("torn");
      if (inSector.startsWith("o") && after.slice(1_024).includes("n")) seen.add("disordered");
    }
    assert.deepEqual([...seen].sort(), ["disordered", "lost", "part", "torn", "whole"]);
  });

  test("a chooser enumerates every torn point of a write", () => {
    const files = newDisk();
    durableFile(files, "/data/a", "o".repeat(1_600));
    files.openSync("/data/a", "write").writeSync(Buffer.alloc(1_000, "n"), 300);
    const sectors = files.unsyncedSectors();
    assert.deepEqual(
      sectors.map(({ position, length }) => [position, length]),
      [
        [300, 212],
        [512, 512],
        [1_024, 276],
      ],
    );
    const ends = new Set<number>();
    for (const [index, { position, length }] of sectors.entries()) {
      for (let torn = 0; torn < length; torn++) {
        const copy = files.clone();
        copy.crash(keepFirst(index, torn));
        const text = Buffer.from(copy.contents("/data/a")).toString();
        const end = position + torn;
        assert.equal(text, "o".repeat(300) + "n".repeat(end - 300) + "o".repeat(1_600 - end));
        ends.add(end);
      }
    }
    assert.equal(ends.size, 1_000);
  });

  test("an unsynced end of a file is gone, or there, or zeros at full length", () => {
    const files = newDisk();
    durableFile(files, "/data/a", "abc");
    files.openSync("/data/a", "write").writeSync(Buffer.alloc(2_000, "n"), 3);
    const [lost, kept, zeros] = [files.clone(), files.clone(), files.clone()];
    lost.crash(loseAll);
    kept.crash(keepAll);
    zeros.crash({ ...loseAll, keepLength: () => true });
    assert.equal(Buffer.from(lost.contents("/data/a")).toString(), "abc");
    assert.equal(Buffer.from(kept.contents("/data/a")).toString(), `abc${"n".repeat(2_000)}`);
    assert.equal(Buffer.from(zeros.contents("/data/a")).toString(), `abc${"\0".repeat(2_000)}`);
  });

  test("a buffer that its owner uses again after a write does not change the file", () => {
    const files = newDisk();
    durableFile(files, "/data/a", "");
    const handle = files.openSync("/data/a", "write");
    const bytes = Buffer.from("first");
    handle.writeSync(bytes, 0);
    bytes.write("other");
    handle.syncDataSync();
    files.crash(loseAll);
    assert.equal(Buffer.from(files.contents("/data/a")).toString(), "first");
  });

  test("one seed is one outcome, and different seeds differ", () => {
    const files = newDisk();
    durableFile(files, "/data/a", "o".repeat(9_000));
    files.openSync("/data/a", "write").writeSync(Buffer.alloc(8_000, "n"), 500);
    put(files, "/data/b", "unsynced");
    const outcome = (seed: number): string => {
      const after = crashed(files, seed);
      return after
        .paths()
        .map((path) => `${path} ${Buffer.from(after.contents(path)).toString()}`)
        .join("\n");
    };
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      assert.equal(outcome(seed), outcome(seed), `seed ${seed}`);
      outcomes.add(outcome(seed));
    }
    assert.ok(outcomes.size > 10, `${outcomes.size} outcomes of 40 seeds`);
  });
});

suite("a power loss and names", () => {
  test("a synced name and a synced removal stay", () => {
    const files = newDisk();
    durableFile(files, "/data/kept", "kept");
    durableFile(files, "/data/removed", "x");
    files.unlinkSync("/data/removed");
    files.syncDirectorySync("/data");
    for (let seed = 0; seed < 50; seed++) {
      assert.deepEqual(crashed(files, seed).listSync("/data"), ["kept"], `seed ${seed}`);
    }
  });

  test("synced bytes under an unsynced name may be lost", () => {
    const files = newDisk();
    put(files, "/data/a", "abc");
    const handle = files.openSync("/data/a", "write");
    handle.syncDataSync();
    const seen = new Set<string>();
    for (let seed = 0; seed < 50; seed++) seen.add(crashed(files, seed).paths().join());
    assert.deepEqual([...seen].sort(), ["", "/data/a"]);
  });

  test("a directory that was not synced into its parent is lost with all in it", () => {
    const files = newDisk();
    files.makeDirectorySync("/data/wal");
    put(files, "/data/wal/1", "x");
    files.syncDirectorySync("/data/wal");
    assert.deepEqual(files.unsyncedNames(), [{ kind: "makeDirectory", path: "/data/wal" }]);
    files.crash(loseAll);
    files.restart();
    assert.deepEqual(files.listSync("/data"), []);
  });

  test("changes of different names are lost one without the other, of one name the last first", () => {
    const files = newDisk();
    put(files, "/data/a", "1");
    files.renameSync("/data/a", "/data/b");
    put(files, "/data/c", "2");
    put(files, "/data/a", "3");
    const seen = new Set<string>();
    for (let mask = 0; mask < 16; mask++) {
      const copy = files.clone();
      copy.crash({ keep: () => true, keepName: (index) => (mask & (1 << index)) !== 0 });
      copy.restart();
      const names = copy.listSync("/data");
      seen.add(names.map((name) => name + get(copy, `/data/${name}`)).join(" "));
    }
    const wanted = ["", "a1", "a1 c2", "a3 b1", "a3 b1 c2", "b1", "b1 c2", "c2"];
    assert.deepEqual([...seen].sort(), wanted);
  });

  test("a rename between directories has one of its names, and lasts by the target's sync", () => {
    const files = new SimulatedFileSystem({
      clock: new SimulatedClock(),
      directories: ["/from", "/to"],
    });
    put(files, "/from/a", "x");
    files.syncDirectorySync("/from");
    files.renameSync("/from/a", "/to/a");
    files.syncDirectorySync("/from");
    const copy = files.clone();
    copy.crash(loseAll);
    assert.deepEqual(copy.paths(), ["/from/a"]);
    files.syncDirectorySync("/to");
    files.crash(loseAll);
    assert.deepEqual(files.paths(), ["/to/a"]);
    files.restart();
    put(files, "/from/b", "x");
    files.renameSync("/from/b", "/to/b");
    files.syncDirectorySync("/to");
    files.crash(keepAll);
    assert.deepEqual(files.paths(), ["/to/a", "/to/b"]);
  });
});

/** Replaces the file at `path` in one step: the protocol that checkpoints use, with one step left out if asked. */
function replace(files: FileSystem, content: string, without?: "sync" | "syncDirectory"): void {
  const handle = files.openSync("/data/manifest.new", "create");
  try {
    handle.writeSync(Buffer.from(content), 0);
    if (without !== "sync") handle.syncDataSync();
  } finally {
    handle.closeSync();
  }
  files.renameSync("/data/manifest.new", "/data/manifest");
  if (without !== "syncDirectory") files.syncDirectorySync("/data");
}

/** What the manifest can be when the power goes at each operation of `replace`, and after it. */
function replaceOutcomes(without?: "sync" | "syncDirectory"): {
  during: Set<string>;
  after: Set<string>;
} {
  const [oldText, newText] = ["o".repeat(2_000), "n".repeat(2_000)];
  const during = new Set<string>();
  const after = new Set<string>();
  for (let operations = 0; ; operations++) {
    const files = newDisk();
    durableFile(files, "/data/manifest", oldText);
    files.failAfter(operations);
    let done = true;
    try {
      replace(files, newText, without);
    } catch (error) {
      assert.ok(error instanceof PowerLossError);
      done = false;
    }
    for (let seed = 0; seed < 60; seed++) {
      const text = get(crashed(files, seed), "/data/manifest");
      const name = text === oldText ? "old" : text === newText ? "new" : "damaged";
      (done ? after : during).add(name);
    }
    if (done) return { during, after };
  }
}

suite("the power goes at every operation", () => {
  test("a file replaced with all syncs is old or new, and new once that returned (P1)", () => {
    const { during, after } = replaceOutcomes();
    assert.deepEqual([...during].sort(), ["new", "old"]);
    assert.deepEqual([...after], ["new"]);
  });

  test("without the sync of the file the simulator shows a damaged one", () => {
    assert.ok(replaceOutcomes("sync").after.has("damaged"));
  });

  test("without the sync of the directory the simulator shows the old one come back", () => {
    assert.deepEqual([...replaceOutcomes("syncDirectory").after].sort(), ["new", "old"]);
  });

  test("once the power went every call throws, until crash and restart", () => {
    const files = newDisk();
    const handle = files.openSync("/data/a", "create");
    files.failAfter(1);
    handle.writeSync(Buffer.from("abc"), 0);
    assert.equal(files.alive, true);
    assert.throws(() => handle.syncDataSync(), PowerLossError);
    assert.equal(files.alive, false);
    assert.throws(() => handle.writeSync(Buffer.from("d"), 3), PowerLossError);
    assert.throws(() => files.listSync("/data"), PowerLossError);
    assert.throws(() => files.existsSync("/data"), PowerLossError);
    assert.throws(() => files.openSync("/data/a", "read"), PowerLossError);
    assert.throws(() => files.restart(), /after crash or kill/);
    files.crash(keepAll);
    assert.throws(() => files.listSync("/data"), PowerLossError);
    files.restart();
    assert.equal(get(files, "/data/a"), "abc");
    assert.equal(
      codeOf(() => handle.sizeSync()),
      "EIO",
    );
    handle.closeSync();
  });

  test("a sync during which the power goes makes nothing durable", () => {
    for (const kind of ["sync", "syncDirectory"] as const) {
      const files = newDisk();
      durableFile(files, "/data/a", "old");
      const handle = files.openSync("/data/a", "write");
      handle.writeSync(Buffer.from("new"), 0);
      put(files, "/data/b", "");
      files.failAfter(0);
      if (kind === "sync") assert.throws(() => handle.syncDataSync(), PowerLossError);
      else assert.throws(() => files.syncDirectorySync("/data"), PowerLossError);
      files.crash(loseAll);
      assert.deepEqual(files.paths(), ["/data/a"], kind);
      assert.equal(Buffer.from(files.contents("/data/a")).toString(), "old", kind);
    }
  });

  test("a hook sees each operation and may let the power go before it", () => {
    const files = newDisk();
    const seen: string[] = [];
    files.onOperation = ({ kind, path }) => {
      seen.push(`${kind} ${path}`);
      if (kind === "rename") throw new PowerLossError("planted");
    };
    assert.throws(() => replace(files, "x"), PowerLossError);
    assert.deepEqual(seen, [
      "create /data/manifest.new",
      "write /data/manifest.new",
      "sync /data/manifest.new",
      "rename /data/manifest",
    ]);
    files.crash(keepAll);
    assert.deepEqual(files.paths(), ["/data/manifest.new"]);
  });
});

suite("the death of a process", () => {
  test("kill keeps what was written; it is still not durable", () => {
    const files = newDisk();
    durableFile(files, "/data/a", "old");
    files.openSync("/data/a", "write").writeSync(Buffer.from("new"), 0);
    files.kill();
    files.restart();
    assert.equal(get(files, "/data/a"), "new");
    files.crash(loseAll);
    files.restart();
    assert.equal(get(files, "/data/a"), "old");
  });

  test("a next process that syncs the file makes the last one's writes durable", () => {
    const files = newDisk();
    durableFile(files, "/data/a", "old");
    files.openSync("/data/a", "write").writeSync(Buffer.from("new"), 0);
    files.kill();
    files.restart();
    files.openSync("/data/a", "write").syncDataSync();
    files.crash(loseAll);
    assert.equal(Buffer.from(files.contents("/data/a")).toString(), "new");
  });

  test("locks are free, calls under way are rejected, nothing of them is done", async () => {
    const clock = new SimulatedClock();
    const files = new SimulatedFileSystem({ clock, directories: ["/data"], latencyMs: () => 5 });
    await clock.drive(files.lock("/data"));
    durableFile(files, "/data/a", "old");
    const handle = files.openSync("/data/a", "write");
    handle.writeSync(Buffer.from("new"), 0);
    const sync = assert.rejects(handle.syncData(), PowerLossError);
    clock.advance(4);
    files.crash(loseAll);
    files.restart();
    await clock.drive(sync);
    assert.equal(get(files, "/data/a"), "old");
    const lock = await clock.drive(files.lock("/data"));
    lock.release();
  });
});
