/** The way of an operation through one partition (DESIGN §3): gather, confirm, apply, answer, and what the leader proposes by itself. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { limits } from "../../src/base/limits.ts";
import { digestBatch, foreignBatch, writeDelete } from "./foreign-batch.ts";
import { PartitionWorld, keyOf, set } from "./partition-world.ts";

suite("gather: a batch takes what is there", () => {
  test("an idle pipeline takes a batch of one at once", async () => {
    const world = await PartitionWorld.open();
    for (let i = 0; i < 3; i++) {
      const tag = world.issue(set(i));
      await world.run();
      assert.deepEqual(world.answer(tag), { kind: "record", status: "created", version: i + 1 });
    }
    assert.deepEqual(
      world.batches.map(({ operations }) => operations.length),
      [1, 1, 1],
    );
    assert.deepEqual(
      world.batches.map(({ sequence }) => sequence),
      [1, 2, 3],
    );
  });

  test("a busy one takes all that has gathered, in the order of the calls", async () => {
    const world = await PartitionWorld.open();
    world.sealing = false;
    const tags = Array.from({ length: 500 }, (_, i) => world.issue(set(i)));
    await world.run();
    assert.equal(world.batches.length, 0);
    assert.equal(world.answers.length, 0);
    world.partition.seal();
    await world.run();
    assert.deepEqual(
      world.batches.map(({ operations }) => operations.length),
      [500],
    );
    assert.deepEqual(
      world.answers.map(({ tag }) => tag),
      tags,
    );
  });

  test("a batch is sealed when it holds 8,192 operations", async () => {
    const world = await PartitionWorld.open();
    world.sealing = false;
    for (let i = 0; i < 2 * limits.batchMaxOperations + 7; i++) world.issue(set(i, 1));
    assert.deepEqual(
      world.batches.map(({ operations }) => operations.length),
      [limits.batchMaxOperations, limits.batchMaxOperations],
    );
    world.sealing = true;
    world.issue(set(1));
    await world.run();
    assert.equal(must(world.batches[2]).operations.length, 8);
    assert.equal(world.answers.length, 2 * limits.batchMaxOperations + 8);
  });

  test("a batch is sealed when it holds 1 MiB", async () => {
    const world = await PartitionWorld.open();
    world.sealing = false;
    for (let i = 0; i < 9; i++) world.issue(set(i, 262_144));
    assert.deepEqual(
      world.batches.map(({ operations }) => operations.length),
      [4, 4],
    );
    world.issue(set(99, limits.valueMaxBytes));
    assert.equal(world.batches.length, 3);
    await world.run();
    assert.equal(world.answers.length, 10);
  });
});

suite("P8: OVERLOADED before the log", () => {
  for (const [name, fill] of [
    ["operations", (world: PartitionWorld) => void world.issue(set(1, 1))],
    ["bytes", (world: PartitionWorld) => void world.issue(set(1, limits.valueMaxBytes))],
  ] as const) {
    test(`too many ${name} in hand: refused with the time to come back, nothing half done`, async () => {
      const world = await PartitionWorld.open();
      let taken = 0;
      while (world.partition.admit() === undefined) {
        fill(world);
        taken++;
        assert.ok(taken <= limits.pipelineMaxOperations + 1, "nothing is refused");
      }
      const refusal = must(world.partition.admit());
      assert.equal(refusal.code, "OVERLOADED");
      assert.equal(refusal.retryAfterMs, limits.overloadedRetryAfterMs);
      assert.match(refusal.text, /operations of .* bytes in hand; its limits are/);
      assert.equal(world.partition.number, 0);
      await world.run();
      assert.equal(world.answers.length, taken);
      // Digests among them have numbers as well.
      const own = world.partition.number - taken;
      assert.ok(own >= 0 && own <= 4, `${own} operations of its own`);
      assert.deepEqual(world.load, { bytes: 0, operations: 0 });
      assert.equal(world.partition.admit(), undefined);
    });
  }
});

suite("answer: by writer and sequence, once each", () => {
  test("a batch of another writer answers nobody, whatever its sequence", async () => {
    const world = await PartitionWorld.open();
    void world.log.append(foreignBatch({ writer: 2, sequence: 1 }, writeDelete));
    const tag = world.issue(set(5));
    void world.log.append(foreignBatch({ writer: 2, sequence: 2 }, writeDelete));
    await world.run();
    assert.equal(world.answers.length, 1);
    assert.deepEqual(world.answer(tag), { kind: "record", status: "created", version: 3 });
    assert.equal(world.partition.number, 3);
  });

  test("P7: when the log fails, what it had is unknown, what had gathered was not done", async () => {
    const world = await PartitionWorld.open();
    const first = world.issue(set(1));
    await world.run();
    const inFlight = [world.issue(set(2)), world.issue(set(3))];
    world.partition.seal();
    const gathered = world.issue(set(4));
    world.log.fail(new Error("the disk is gone"));
    world.partition.fail();
    await world.run();
    assert.equal(world.answer(first).kind, "record");
    for (const tag of inFlight) assert.deepEqual(world.codeOf(tag), "UNKNOWNOUTCOME");
    assert.equal(world.codeOf(gathered), "STOPPED");
    assert.deepEqual(world.load, { bytes: 0, operations: 0 });
    assert.ok(world.partition.idle);
  });

  test("P7: confirmed and not applied when the node stops: unknown as well, answered once", async () => {
    const world = await PartitionWorld.open();
    world.sealing = false;
    const tag = world.issue(set(1));
    world.partition.seal();
    // Only the log has had its turn.
    world.clock.runReady();
    const before = world.answers.length;
    world.partition.fail();
    await world.run();
    assert.equal(world.answers.length, 1);
    assert.ok(before === 1 || world.codeOf(tag) === "UNKNOWNOUTCOME");
  });

  test("P7: a batch that cannot be applied to its end answers all of its operations", async () => {
    const world = await PartitionWorld.open();
    world.sealing = false;
    const done = world.issue(set(1));
    const writer = world.partition.open();
    writer.begin(99, undefined);
    writer.end();
    world.partition.enqueue(world, 77);
    const behind = world.issue(set(2));
    world.partition.seal();
    await assert.rejects(world.run(), { code: "DATAVERSION", message: /code 99/ });
    assert.equal(world.answer(done).kind, "record");
    assert.equal(world.codeOf(77), "UNKNOWNOUTCOME");
    assert.equal(world.codeOf(behind), "UNKNOWNOUTCOME");
  });
});

suite("log time and deadlines", () => {
  test("the time of batches never goes back, whatever the wall clock does", async () => {
    const world = await PartitionWorld.open();
    for (let i = 0; i < 200; i++) {
      world.issue(set(i));
      await world.run();
      world.clock.jumpWall(((i * 7_919) % 4_000_000) - 2_000_000);
      await world.clock.advanceSettled((i * 31) % 50);
    }
    const times = world.batches.map(({ timestamp }) => timestamp);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    const passed = must(times.at(-1)) - must(times[0]);
    assert.ok(Math.abs(passed - world.clock.monotonicMs()) <= world.clock.monotonicMs() / 16 + 50);
  });

  test("a restart goes on at the larger of the log's last time and the wall clock", async () => {
    const world = await PartitionWorld.open();
    world.issue(set(1));
    await world.run();
    const last = world.partition.timestamp;
    world.stop();
    world.clock.jumpWall(-3_600_000);
    const second = await PartitionWorld.open(world, 2);
    second.issue(set(2));
    await second.run();
    assert.equal(second.partition.timestamp, last);
    second.stop();
    second.clock.jumpWall(2 * 3_600_000);
    const third = await PartitionWorld.open(second, 3);
    third.issue(set(3));
    await third.run();
    assert.equal(third.partition.timestamp, third.clock.wallMs());
  });

  test("P4: `due` is proposed when the first deadline has come, not early, once", async () => {
    const world = await PartitionWorld.open();
    world.issue(set(1, 10, 5_000));
    world.issue(set(2, 10, 9_000));
    await world.run();
    const start = world.partition.timestamp;
    const dueTimes = (): number[] =>
      world.batches
        .filter(({ operations }) => operations.some(({ operation }) => operation.kind === "due"))
        .map(({ timestamp }) => timestamp - start);
    await world.clock.advanceSettled(4_990);
    assert.deepEqual(dueTimes(), []);
    assert.equal(world.partition.stack.records.count, 2);
    await world.clock.advanceSettled(20);
    assert.equal(dueTimes().length, 1);
    assert.ok(must(dueTimes()[0]) >= 5_000 && must(dueTimes()[0]) <= 5_010, String(dueTimes()));
    assert.equal(world.partition.stack.records.count, 1);
    await world.clock.advanceSettled(20_000);
    assert.equal(dueTimes().length, 2);
    assert.ok(must(dueTimes()[1]) >= 9_000 && must(dueTimes()[1]) <= 9_010, String(dueTimes()));
    assert.equal(world.partition.stack.records.count, 0);
  });

  test("P4: a wall clock that is set forward brings a deadline at most a sixteenth nearer", async () => {
    const world = await PartitionWorld.open();
    world.issue(set(1, 10, 16_000));
    await world.run();
    world.clock.jumpWall(24 * 3_600_000);
    await world.clock.advanceSettled(15_000);
    assert.equal(world.partition.stack.records.count, 1);
    await world.clock.advanceSettled(1_100);
    assert.equal(world.partition.stack.records.count, 0);
  });

  test("more rows are due than one operation may handle: several, until none is", async () => {
    const world = await PartitionWorld.open();
    const count = 2 * limits.dueMaxRows + 100;
    for (let i = 0; i < count; i++) world.issue(set(i, 1, 1_000));
    await world.run();
    await world.clock.advanceSettled(1_100);
    assert.equal(world.partition.stack.records.count, 0);
    const due = world.batches.filter(
      ({ operations }) => must(operations[0]).operation.kind === "due",
    );
    assert.equal(due.length, 3);
  });

  test("while operations are refused nothing is proposed; afterwards it is", async () => {
    const world = await PartitionWorld.open();
    world.issue(set(1, 10, 1_000));
    await world.run();
    world.partition.refusal = { kind: "error", code: "DISKFULL", text: "full" };
    await world.clock.advanceSettled(5_000);
    assert.equal(world.batches.length, 1);
    world.partition.refusal = undefined;
    world.issue(set(2));
    await world.clock.advanceSettled(10);
    assert.equal(world.partition.stack.records.count, 1);
  });
});

suite("P5: digests", () => {
  test("one is proposed every 65,536 operations, with the digest of the one before", async () => {
    const world = await PartitionWorld.open();
    const every = limits.digestEveryOperations;
    for (let i = 0; i < 2 * every + 600; i++) {
      world.issue(set(i % 1_000, 1));
      if (i % 256 === 0) await world.run();
    }
    await world.run();
    const digests = world.batches.filter(({ operations }) =>
      operations.some(({ operation }) => operation.kind === "digest"),
    );
    assert.equal(digests.length, 2);
    assert.equal(world.partition.number, 2 * every + 602);
  });

  test("a copy whose state was another one than the leader's stops and says so", async () => {
    const world = await PartitionWorld.open();
    world.issue(set(1));
    await world.run();
    void world.log.append(digestBatch(1, 0, 0));
    await world.run();
    const noted = world.partition.state.digest;
    void world.log.append(digestBatch(2, 2, noted));
    await world.run();
    world.sealing = false;
    void world.log.append(digestBatch(3, 3, noted + 1));
    assert.throws(
      () => {
        world.clock.runReady();
        world.partition.applyConfirmed(Infinity);
      },
      { code: "DATADAMAGED", message: /operation 3 has digest \d+; the leader had \d+/ },
    );
  });
});

suite("P1, P5: stop and start again", () => {
  for (const checkpoint of [false, true]) {
    test(`number, log time and digest are the same, ${checkpoint ? "from a checkpoint and the log behind it" : "from the log alone"}`, async () => {
      const world = await PartitionWorld.open();
      for (let i = 0; i < 300; i++)
        world.issue(set(i % 50, i), i % 3 === 0 ? `id-${i}` : undefined);
      await world.run();
      if (checkpoint) assert.ok(await world.clock.drive(world.partition.checkpointer.run()));
      for (let i = 0; i < 40; i++)
        world.issue({ kind: "delete", key: keyOf(i), version: undefined });
      await world.run();
      world.stop();
      const again = await PartitionWorld.open(world, 2);
      for (const field of ["number", "timestamp", "position"] as const)
        assert.equal(again.partition[field], world.partition[field], field);
      assert.equal(again.partition.state.digest, world.partition.state.digest);
      assert.equal(again.partition.stack.once.count, 100);
      assert.equal(world.log.status().first > 1, checkpoint);
      const repeated = again.issue(set(0, 0), "id-0");
      await again.run();
      assert.deepEqual(again.answer(repeated), { kind: "record", status: "created", version: 1 });
    });
  }
});
