import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { PartitionWorld, set } from "./partition-world.ts";

function refuse(): Promise<number> {
  return Promise.reject(new TrubaError("NOQUORUM", "no majority answers"));
}

suite("emergency stop by count (DESIGN §12)", () => {
  test("so many batches in a row that the log refuses stop the node, told once, with the last reason", async () => {
    const world = await PartitionWorld.open();
    await world.run();
    const append = world.log.append.bind(world.log);
    const write = async (): Promise<void> => {
      world.issue(set(1, 1));
      await world.run();
    };
    world.log.append = refuse;
    for (let i = 1; i < limits.confirmFailuresMaxCount; i++) await write();
    world.log.append = append;
    await write();
    assert.equal(world.givenUp.length, 0, "one success begins the count anew");

    world.log.append = refuse;
    for (let i = 1; i < limits.confirmFailuresMaxCount; i++) await write();
    assert.equal(world.givenUp.length, 0);
    await write();
    await write();
    assert.equal(world.givenUp.length, 1);
    const text = `${limits.confirmFailuresMaxCount} batches in a row were not confirmed, the last because: no majority answers`;
    assert.equal(world.givenUp[0]?.message, text);
    const refused = world.answers.filter(({ outcome }) => outcome.kind === "error");
    assert.equal(refused.length, 2 * limits.confirmFailuresMaxCount);
  });
});
