/** Errors of the disk other than a loss of power: P1 and P7 when it fails for good, P8 when it is full. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { limits } from "../../src/base/limits.ts";
import { recordsOf } from "../../simulator/node-state.ts";
import { codeOf, fill, keyOf, set, startNode } from "./node-world.ts";

suite("P1, P7: a log that cannot be made durable", () => {
  for (const [syncMs, on] of [
    [0, "sync"],
    [20, "sync"],
    [0, "write"],
    [20, "write"],
  ] as const) {
    test(`EIO on ${on}, which takes ${syncMs} ms: the node stops, acknowledges nothing any more, and a restart recovers`, async () => {
      const simulation = await startNode({ syncMs });
      await fill(simulation, 40);
      // So long that the log has sealed itself and is idle.
      await simulation.clock.advanceSettled(2_500);
      simulation.files.fail({ on, path: /wal\/0/, code: "EIO" });
      const hit = [simulation.issue(0, set(1)), simulation.issue(1, set(2))];
      if (syncMs > 0) await simulation.clock.advanceSettled(1);
      const behind = simulation.issue(0, set(3));
      await simulation.clock.advanceSettled(200);
      for (const one of hit) assert.equal(codeOf(one), "UNKNOWNOUTCOME");
      assert.ok(["UNKNOWNOUTCOME", "STOPPED"].includes(codeOf(behind)), codeOf(behind));
      assert.match(must(simulation.fatal).message, /EIO/);
      assert.equal(simulation.node.condition, "stopped");
      assert.equal(codeOf(simulation.issue(0, set(4))), "STOPPED");
      assert.equal(await simulation.clock.drive(simulation.node.checkpoint()), false);
      // Reads of what was acknowledged go on until the process ends.
      assert.equal(recordsOf(must(simulation.node.partitions[0])).size, 20);
      await simulation.die("kill");
      assert.ok(await simulation.open());
      await fill(simulation, 10);
      await simulation.stop();
    });
  }

  test("a checkpoint under way when the log fails ends without a word too many", async () => {
    const simulation = await startNode();
    await fill(simulation, 100, 300);
    const checkpoint = simulation.node.checkpoint();
    simulation.files.fail({ on: "sync", path: /wal\/0/, code: "EIO" });
    simulation.issue(0, set(1));
    await simulation.clock.advanceSettled(500);
    assert.equal(await checkpoint, false);
    await simulation.clock.drive(simulation.node.stop());
    await simulation.die("kill");
    assert.ok(await simulation.open());
    await simulation.stop();
  });

  for (const [on, path] of [
    ["write", /\.run$/],
    ["sync", /\.run$/],
    ["write", /manifest/],
    ["sync", /manifest/],
    ["rename", /manifest$/],
  ] as const) {
    test(`EIO on ${on} of ${path.source} costs the checkpoint only; the next one succeeds`, async () => {
      const simulation = await startNode();
      await fill(simulation, 100);
      simulation.files.fail({ on, path, code: "EIO", times: 2 });
      assert.equal(await simulation.clock.drive(simulation.node.checkpoint()), false);
      await fill(simulation, 10);
      assert.equal(await simulation.clock.drive(simulation.node.checkpoint()), true);
      assert.equal(simulation.fatal, undefined);
      simulation.verify();
      await simulation.die("kill");
      assert.ok(await simulation.open());
      await simulation.stop();
    });
  }
});

suite("P8: a full disk", () => {
  test("below the low-water mark writes are refused, reads go on, and writes resume by themselves", async () => {
    const simulation = await startNode();
    await fill(simulation, 20);
    const room = simulation.files.capacityBytes;
    simulation.files.capacityBytes = limits.diskLowWaterBytes;
    await simulation.clock.advanceSettled(1_500);
    const refused = simulation.issue(0, set(1));
    assert.equal(codeOf(refused), "DISKFULL");
    assert.ok(refused.outcome?.kind === "error" && must(refused.outcome.retryAfterMs) > 0);
    assert.equal(recordsOf(must(simulation.node.partitions[0])).size, 10);
    await simulation.clock.advanceSettled(200_000);
    assert.equal(simulation.fatal, undefined);
    simulation.files.capacityBytes = room;
    await simulation.clock.advanceSettled(1_500);
    const taken = simulation.issue(0, set(1));
    await simulation.clock.settle();
    assert.equal(codeOf(taken), "record");
    await simulation.stop();
  });

  test("a node that starts on a full disk refuses writes from the start, and reads go on", async () => {
    const simulation = await startNode();
    await fill(simulation, 20);
    await simulation.stop();
    const room = simulation.files.capacityBytes;
    simulation.files.capacityBytes = limits.diskLowWaterBytes;
    assert.ok(await simulation.open());
    assert.equal(codeOf(simulation.issue(0, set(1))), "DISKFULL");
    assert.equal(recordsOf(must(simulation.node.partitions[0])).size, 10);
    simulation.files.capacityBytes = room;
    await simulation.clock.advanceSettled(1_500);
    assert.equal(simulation.node.condition, "serving");
    await simulation.stop();
  });

  test("a deadline that passed while the disk was full is handled when there is space", async () => {
    const simulation = await startNode({ partitions: 1 });
    simulation.issue(0, set(1, 10, 2_000));
    await simulation.clock.settle();
    const room = simulation.files.capacityBytes;
    simulation.files.capacityBytes = limits.diskLowWaterBytes;
    await simulation.clock.advanceSettled(10_000);
    const { records } = must(simulation.node.partitions[0]).stack;
    assert.equal(records.count, 1);
    simulation.files.capacityBytes = room;
    await simulation.clock.advanceSettled(1_500);
    assert.equal(records.count, 0);
    await simulation.stop();
  });

  test("ENOSPC while a segment is made: what waits for it waits, and is confirmed when there is space", async () => {
    const simulation = await startNode({ partitions: 1 });
    simulation.files.fail({ on: "write", path: /spare-.*tmp/, code: "ENOSPC", times: Infinity });
    const issued = [];
    for (let i = 0; i < 60; i++) {
      issued.push(simulation.issue(0, set(i, 3_000)));
      await simulation.clock.advanceSettled(20);
    }
    const codes = issued.map(codeOf);
    assert.equal(simulation.fatal, undefined, String(simulation.fatal?.stack));
    assert.ok(codes.includes("record") && codes.includes("DISKFULL"), codes.join(" "));
    assert.ok(
      codes.every((code) => ["record", "DISKFULL", "open"].includes(code)),
      codes.join(" "),
    );
    await simulation.clock.advanceSettled(120_000);
    assert.equal(simulation.fatal, undefined);
    simulation.files.clearFaults();
    await simulation.clock.advanceSettled(5_000);
    assert.ok(issued.every((one) => codeOf(one) !== "open"));
    const next = simulation.issue(0, set(1));
    await simulation.clock.settle();
    assert.equal(codeOf(next), "record");
    simulation.verify();
    await simulation.stop();
    assert.ok(await simulation.open());
    await simulation.stop();
  });

  test("a stop does not wait for space; what waited is unknown", async () => {
    const simulation = await startNode({ partitions: 1 });
    simulation.files.fail({ on: "write", path: /spare-.*tmp/, code: "ENOSPC", times: Infinity });
    const issued = [];
    for (let i = 0; i < 60; i++) {
      issued.push(simulation.issue(0, set(i, 3_000)));
      await simulation.clock.advanceSettled(20);
    }
    const waiting = issued.filter((one) => codeOf(one) === "open");
    await simulation.clock.drive(simulation.node.drain().then(() => simulation.node.stop()));
    for (const one of waiting)
      assert.ok(["UNKNOWNOUTCOME", "STOPPED"].includes(codeOf(one)), codeOf(one));
    assert.ok(issued.every((one) => codeOf(one) !== "open"));
    simulation.files.clearFaults();
    await simulation.die("kill");
    assert.ok(await simulation.open());
    await simulation.stop();
  });

  test("ENOSPC while a checkpoint is written: tried again, and the log is trimmed then", async () => {
    const simulation = await startNode({ partitions: 1, segmentBytes: 32_768 });
    simulation.files.fail({
      on: "write",
      path: /\.run$|manifest/,
      code: "ENOSPC",
      times: Infinity,
    });
    for (let i = 0; i < 60; i++) {
      simulation.issue(0, set(i % 7, 2_000));
      await simulation.clock.advanceSettled(50);
    }
    assert.ok(simulation.node.wal.liveSegments > 3, `${simulation.node.wal.liveSegments} segments`);
    assert.equal(simulation.node.condition, "serving");
    simulation.files.clearFaults();
    // Nobody asks for anything: the node tries again by itself.
    await simulation.clock.advanceSettled(5_000);
    assert.ok(
      simulation.node.wal.liveSegments <= 2,
      `${simulation.node.wal.liveSegments} segments`,
    );
    simulation.verify();
    assert.ok(recordsOf(must(simulation.node.partitions[0])).has(keyOf(6)));
    await simulation.stop();
  });
});
