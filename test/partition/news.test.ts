/** When a partition wants to be visited by the node's turn: else what it waits for would wait for ever. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import { MemoryLog } from "../../src/log/memory-log.ts";
import type { Position } from "../../src/log/shared-log.ts";
import { disconnected } from "../../src/partition/own-operations.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { PartitionWorld, set } from "./partition-world.ts";

/** Refuses so many batches, as a group does that has as much in hand as it may. */
class RefusingLog extends MemoryLog {
  refusals = 0;

  override append(batch: Uint8Array): Promise<Position> {
    if (this.refusals === 0) return super.append(batch);
    this.refusals--;
    return Promise.reject(new TrubaError("OVERLOADED", "enough for now"));
  }
}

suite("a partition has news", () => {
  test("when the log has refused what the partition had proposed by itself: it is proposed again (P4)", async () => {
    const clock = new SimulatedClock();
    const log = new RefusingLog(clock);
    const world = await PartitionWorld.over(log, clock);
    world.issue(set(1));
    await world.run();
    assert.equal(world.partition.hasNews, false);
    log.refusals = 1;
    const { number } = world.partition;
    world.partition.propose(disconnected({ node: 1, run: 1, connection: 7 }));
    await world.run();
    assert.deepEqual([log.refusals, world.partition.number], [0, number]);
    assert.equal(world.partition.hasNews, true);
    world.partition.applyConfirmed(Infinity);
    world.partition.seal();
    await world.run();
    assert.equal(world.partition.number, number + 1);
    assert.equal(world.partition.hasNews, false);
  });
});
