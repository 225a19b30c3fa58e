/** What a checkpoint says of its moment, and what a partition that starts from it still knows. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../src/base/limits.ts";
import { MemoryLog } from "../../src/log/memory-log.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { versionSeven } from "../machines/replica.ts";
import { digestBatch } from "./foreign-batch.ts";
import { PartitionWorld, set } from "./partition-world.ts";

/** A millisecond passes with each look, so that work in slices lets other work in between. */
class WearyClock extends SimulatedClock {
  override monotonicMs(): number {
    this.elapse(1);
    return super.monotonicMs();
  }
}

/** The next start of a partition, from a checkpoint that holds all that was applied. */
async function startedFromCheckpoint(world: PartitionWorld): Promise<PartitionWorld> {
  assert.ok(await world.clock.drive(world.partition.checkpointer.run()));
  assert.equal(world.partition.checkpointer.position, world.partition.position);
  world.stop();
  return PartitionWorld.open(world, world.writer + 1);
}

suite("P1: a checkpoint is of one moment", () => {
  test("what is applied while its rows are sorted is not in it, and comes from the log behind it", async () => {
    const clock = new WearyClock();
    const world = await PartitionWorld.over(new MemoryLog(clock), clock);
    for (let i = 0; i < 2_000; i++) world.issue(set(i, 1));
    await world.run();
    const { checkpointer, position } = world.partition;
    let appliedAtEnd = 0;
    const written = checkpointer.run().then(() => {
      appliedAtEnd = world.partition.position;
    });
    world.issue(set(1, 2));
    await clock.drive(written);
    assert.equal(appliedAtEnd, position + 1, "the operation came in between");
    assert.equal(checkpointer.position, position);
    world.stop();
    const again = await PartitionWorld.open(world, 2);
    for (const field of ["number", "timestamp", "position"] as const)
      assert.equal(again.partition[field], world.partition[field], field);
    assert.equal(again.partition.state.digest, world.partition.state.digest);
  });
});

suite("a start from a checkpoint", () => {
  test("P3: a request that was done and forgotten before it is refused after it, not done again", async () => {
    const world = await PartitionWorld.open();
    const id = versionSeven(world.clock.wallMs(), 1);
    world.issue(set(1), id);
    await world.run();
    await world.clock.advanceSettled(limits.onceWindowMs + 10_000);
    assert.equal(world.partition.stack.once.count, 0);
    const again = await startedFromCheckpoint(world);
    const { digest } = again.partition.state;
    const repeated = again.issue(set(1), id);
    await again.run();
    assert.equal(again.codeOf(repeated), "REQUESTTOOOLD");
    assert.equal(again.partition.state.digest, digest);
  });

  for (const [name, difference] of [
    ["a leader that had the same digest there is believed", 0],
    ["a leader that had another digest there stops the copy", 1],
  ] as const) {
    test(`P5: the digest at an operation before it is compared after it: ${name}`, async () => {
      const world = await PartitionWorld.open();
      world.issue(set(1));
      await world.run();
      void world.log.append(digestBatch(1, 0, 0));
      await world.run();
      const { number } = world.partition;
      const { digest } = world.partition.state;
      world.issue(set(2));
      await world.run();
      assert.notEqual(world.partition.state.digest, digest);
      const again = await startedFromCheckpoint(world);
      void again.log.append(digestBatch(2, number, digest + difference));
      if (difference === 0) await again.run();
      else await assert.rejects(again.run(), { code: "DATADAMAGED", message: /operation 2 has/ });
      assert.equal(again.partition.number, 4);
    });
  }
});
