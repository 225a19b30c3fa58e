/** A partition follows, leads, and loses leadership (DESIGN §3, §4): what it takes, what it answers, and to whom. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../src/base/limits.ts";
import { detached } from "../../src/machines/owner.ts";
import { queueOperation } from "../../src/machines/queues/queue-operation.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { digestBatch, foreignBatch, writeDelete } from "./foreign-batch.ts";
import { PartitionWorld, set } from "./partition-world.ts";
import { TermLog } from "./term-log.ts";

async function openFollowing(): Promise<PartitionWorld<TermLog>> {
  const clock = new SimulatedClock();
  return PartitionWorld.over(new TermLog(), clock);
}

async function openLeading(): Promise<PartitionWorld<TermLog>> {
  const world = await openFollowing();
  world.log.win();
  world.log.commit();
  await world.run();
  return world;
}

suite("a copy that follows", () => {
  test("takes nothing: NOTLEADER, with the leader in the text and the time to come back", async () => {
    const world = await openFollowing();
    assert.equal(world.partition.leads, false);
    const nobody = world.partition.admit();
    assert.equal(nobody?.code, "NOTLEADER");
    assert.match(nobody.text, /no leader of partition 0 is known/);
    world.log.lose(7);
    await world.run();
    const refusal = world.partition.admit();
    assert.equal(refusal?.code, "NOTLEADER");
    assert.match(refusal.text, /partition 0 .*replica 7 does/);
    assert.equal(refusal.retryAfterMs, limits.notLeaderRetryAfterMs);
    await assert.rejects(world.partition.barrier(), { code: "NOTLEADER" });
  });

  test("P5: applies what others wrote, proposes nothing of its own", async () => {
    const world = await openFollowing();
    world.log.lose(2);
    for (let i = 1; i <= 5; i++)
      world.log.receive(
        i - 1,
        foreignBatch({ writer: 2, sequence: i, timestamp: 1_000 }, writeDelete),
      );
    world.log.commit();
    await world.run();
    assert.equal(world.partition.position, 5);
    assert.equal(world.partition.number, 5);
    await world.clock.advanceSettled(100_000);
    assert.equal(world.batches.length, 0);
    assert.equal(world.answers.length, 0);
  });

  test("P5: a follower whose digest is another one than the leader's stops and says so", async () => {
    const world = await openFollowing();
    world.log.lose(2);
    world.log.receive(0, digestBatch(1, 0, 0));
    world.log.receive(1, digestBatch(2, 1, 12_345));
    world.log.commit();
    await assert.rejects(world.run(), {
      code: "DATADAMAGED",
      message: /operation 1 has digest 0; the leader had 12345/,
    });
  });
});

suite("a copy that begins to lead", () => {
  test("takes operations only when everything up to its own term's first entry is applied", async () => {
    const world = await openFollowing();
    world.log.lose(2);
    world.log.receive(0, foreignBatch({ writer: 2, sequence: 1 }, writeDelete));
    world.log.win();
    await world.run();
    assert.equal(world.partition.admit()?.code, "NOTLEADER");
    world.log.commit(1);
    await world.run();
    assert.equal(world.partition.admit()?.code, "NOTLEADER");
    world.log.commit();
    await world.run();
    assert.equal(world.partition.leads, true);
    assert.equal(world.partition.admit(), undefined);
  });

  test("P4: gives back at once what earlier runs of its node hold, and only that, before it takes anything", async () => {
    const world = await openFollowing();
    world.log.lose(2);
    const queue = "q";
    const task = { queue, payload: Buffer.from("x") };
    const operations = [
      queueOperation("queue.create", { queue }, detached),
      queueOperation("queue.push", task, detached),
      queueOperation("queue.push", task, detached),
      queueOperation("queue.pop", { queue }, { node: 1, run: 99, connection: 1 }),
      queueOperation("queue.pop", { queue }, { node: 2, run: 99, connection: 1 }),
    ];
    world.log.receive(
      0,
      foreignBatch(
        { writer: 99, sequence: 1, timestamp: world.clock.wallMs() },
        (writer) => {
          for (const operation of operations) {
            writer.begin(operation.code, undefined);
            operation.encode(writer);
            writer.end();
          }
        },
        operations.length,
      ),
    );
    world.log.win();
    world.log.commit();
    await world.run();
    assert.equal(world.partition.stack.queues.totals.leased, 2);
    assert.equal(world.partition.admit()?.code, "NOTLEADER");
    world.log.commit();
    await world.run();
    const { waiting, leased } = world.partition.stack.queues.totals;
    assert.deepEqual([waiting, leased], [1, 1]);
    assert.equal(world.partition.admit(), undefined);
    assert.equal(world.clock.monotonicMs(), 0);
  });

  test("log time goes on from the log's last timestamp when that is ahead of its wall clock", async () => {
    const world = await openFollowing();
    const ahead = world.clock.wallMs() + 500_000;
    world.log.lose(2);
    world.log.receive(0, foreignBatch({ writer: 2, sequence: 1, timestamp: ahead }, writeDelete));
    world.log.win();
    world.log.commit();
    await world.run();
    const tag = world.issue(set(1));
    await world.run();
    world.log.commit();
    await world.run();
    assert.equal(world.codeOf(tag), "record");
    assert.equal(world.partition.timestamp, ahead);
  });

  test("P4: the new leader proposes the deadline that the earlier one has not handled", async () => {
    const world = await openLeading();
    world.issue(set(1, 10, 1_000));
    await world.run();
    world.log.commit();
    world.log.lose(2);
    await world.clock.advanceSettled(10_000);
    assert.equal(world.batches.length, 1);
    assert.equal(world.partition.stack.records.count, 1);
    world.log.win();
    world.log.commit();
    await world.clock.advanceSettled(10);
    world.log.commit();
    await world.run();
    assert.equal(world.partition.stack.records.count, 0);
  });

  test("P4: a deadline whose proposal was lost with the leadership is proposed again", async () => {
    const world = await openLeading();
    world.issue(set(1, 10, 1_000));
    await world.run();
    world.log.commit();
    await world.clock.advanceSettled(1_100);
    assert.equal(world.batches.length, 2);
    world.log.lose();
    await world.run();
    // Before the log knows what became of the first proposal.
    world.log.win();
    world.log.commit(world.log.status().last);
    await world.clock.advanceSettled(10);
    assert.equal(world.partition.stack.records.count, 0);
    const { log } = world;
    log.lose(2);
    await world.run();
  });

  test("P4: also when another leader's entry took the place of the proposal", async () => {
    const world = await openLeading();
    world.issue(set(1, 10, 1_000));
    await world.run();
    world.log.commit();
    await world.clock.advanceSettled(1_100);
    assert.equal(world.batches.length, 2);
    world.log.lose(2);
    world.log.receive(2, Buffer.alloc(0));
    world.log.win();
    world.log.commit();
    await world.clock.advanceSettled(10);
    world.log.commit();
    await world.run();
    assert.equal(world.batches.length, 3);
    assert.equal(world.partition.stack.records.count, 0);
  });
});

suite("P7: a copy that loses leadership", () => {
  test("proposes no deadline any more", async () => {
    const world = await openLeading();
    world.issue(set(1, 10, 1_000));
    await world.run();
    world.log.commit();
    await world.run();
    world.log.lose(2);
    await world.clock.advanceSettled(10_000);
    assert.equal(world.batches.length, 1);
    assert.equal(world.partition.gathered, false);
  });

  test("what has gathered was surely not done: NOTLEADER", async () => {
    const world = await openLeading();
    world.sealing = false;
    const tag = world.issue(set(1));
    world.log.lose(2);
    await world.run();
    assert.equal(world.codeOf(tag), "NOTLEADER");
    assert.deepEqual(world.load, { bytes: 0, operations: 0 });
    assert.equal(world.partition.admit()?.code, "NOTLEADER");
    assert.equal(world.batches.length, 0);
  });

  test("what has gathered is refused also when it leads again before its next turn", async () => {
    const world = await openLeading();
    world.sealing = false;
    const tag = world.issue(set(1));
    world.log.lose(2);
    world.log.win();
    world.log.commit();
    await world.run();
    assert.equal(world.codeOf(tag), "NOTLEADER");
    assert.equal(world.partition.leads, true);
  });

  test("what the log has stays waiting, and is answered if it is applied after all", async () => {
    const world = await openLeading();
    const tag = world.issue(set(1));
    await world.run();
    world.log.lose(2);
    await world.run();
    assert.equal(world.answers.length, 0);
    assert.equal(world.partition.idle, false);
    world.log.commit();
    await world.run();
    assert.equal(world.codeOf(tag), "record");
    assert.ok(world.partition.idle);
    assert.deepEqual(world.load, { bytes: 0, operations: 0 });
  });

  test("what another leader's entry has replaced was surely not done: NOTLEADER", async () => {
    const world = await openLeading();
    const tag = world.issue(set(1));
    await world.run();
    world.log.lose(2);
    world.log.receive(1, foreignBatch({ writer: 2, sequence: 1 }, writeDelete));
    world.log.commit();
    await world.run();
    assert.equal(world.codeOf(tag), "NOTLEADER");
    assert.equal(world.partition.stack.records.count, 0);
  });

  test("what nobody knows is UNKNOWNOUTCOME, and answered once when it turns up later", async () => {
    const world = await openLeading();
    const tag = world.issue(set(1));
    await world.run();
    world.log.lose();
    world.log.giveUp();
    await world.run();
    assert.equal(world.codeOf(tag), "UNKNOWNOUTCOME");
    world.log.commit();
    await world.run();
    assert.equal(world.partition.stack.records.count, 1);
    assert.equal(world.answers.length, 1);
    assert.deepEqual(world.load, { bytes: 0, operations: 0 });
  });
});

suite("the emergency stop is not for elections", () => {
  for (const [name, code] of [
    ["refused", "NOTLEADER"],
    ["lost with the leadership", "UNKNOWNOUTCOME"],
  ] as const) {
    test(`batches that are ${name} are no failures of confirmation`, async () => {
      const world = await openLeading();
      const tags: number[] = [];
      for (let i = 0; i < 2 * limits.confirmFailuresMaxCount; i++) {
        const { committed } = world.log.status();
        tags.push(world.issue(set(i)));
        await world.run();
        world.log.lose(2);
        if (code === "UNKNOWNOUTCOME") world.log.giveUp();
        await world.run();
        world.log.receive(committed, Buffer.alloc(0));
        world.log.win();
        world.log.commit();
        await world.run();
      }
      for (const tag of tags) assert.equal(world.codeOf(tag), code);
      assert.deepEqual(world.givenUp, []);
    });
  }

  test("batches that a log that leads does not confirm are", async () => {
    const world = await openLeading();
    for (let i = 0; i < limits.confirmFailuresMaxCount; i++) {
      world.issue(set(i));
      await world.run();
      world.log.giveUp();
      await world.run();
    }
    assert.equal(world.givenUp.length, 1);
  });
});

suite("P2: a barrier resolves when all that was acknowledged before it is applied", () => {
  test("at once when everything is applied", async () => {
    const world = await openLeading();
    await world.clock.drive(world.partition.barrier());
  });

  test("behind what is confirmed and not applied yet, in the order of the calls", async () => {
    const world = await openLeading();
    const passed: string[] = [];
    const read = (name: string): void => {
      void world.partition
        .barrier()
        .then(() => passed.push(`${name} at ${world.partition.position}`));
    };
    world.issue(set(1));
    world.partition.seal();
    const { position } = world.partition;
    world.log.commit();
    read("first");
    await Promise.resolve();
    world.issue(set(2));
    world.partition.seal();
    world.log.commit();
    read("second");
    assert.equal(world.partition.position, position);
    await world.run();
    assert.deepEqual(passed, [`first at ${position + 2}`, `second at ${position + 2}`]);
  });

  test("rejects with NOTLEADER when leadership is lost, with STOPPED when the node stops", async () => {
    const world = await openLeading();
    const outcomes: unknown[] = [];
    const read = (): void => {
      world.issue(set(1));
      world.partition.seal();
      world.partition.barrier().catch((error: { code: string }) => outcomes.push(error.code));
    };
    read();
    world.log.lose(2);
    await world.run();
    assert.deepEqual(outcomes, ["NOTLEADER"]);
    world.log.win();
    world.log.commit();
    await world.run();
    read();
    world.partition.stop();
    await world.run();
    assert.deepEqual(outcomes, ["NOTLEADER", "STOPPED"]);
  });
});

suite("a copy that goes", () => {
  test("answers all that is in hand, and applies nothing any more", async () => {
    const world = await openLeading();
    const inFlight = world.issue(set(1));
    world.partition.seal();
    const gathered = world.issue(set(2));
    world.partition.retire("the copy is removed");
    world.log.commit();
    await world.run();
    assert.equal(world.codeOf(inFlight), "UNKNOWNOUTCOME");
    assert.equal(world.codeOf(gathered), "NOTLEADER");
    assert.equal(world.partition.admit()?.code, "NOTLEADER");
    assert.equal(world.partition.stack.records.count, 0);
    assert.deepEqual(world.load, { bytes: 0, operations: 0 });
    assert.equal(await world.clock.drive(world.partition.checkpointer.run()), false);
    assert.deepEqual(world.givenUp, []);
  });
});
