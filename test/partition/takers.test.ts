/** Those who wait, while the node refuses: seen by the simulator as a clock that runs without end at one instant. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { detached } from "../../src/machines/owner.ts";
import { RequestsWorld } from "../node/requests-world.ts";

suite("takers of a node with a full disk (P8)", () => {
  test("a session that falls due rings once, not again and again, and comes when there is space", async () => {
    const world = await RequestsWorld.open();
    const session = await world.call("session.new", { kind: "job", detached: true }, detached);
    await world.call("session.store", { ...session, afterMs: 1_000 }, detached);
    const taken = world.call("session.take", { kinds: ["job"], waitMs: 60_000 }, detached);
    await world.clock.advance(10);
    world.node.setDiskFull(true);
    await world.clock.advance(5_000);
    world.node.setDiskFull(false);
    await world.clock.advance(100);
    assert.deepEqual(
      (await taken).sessions.map((each) => each.session),
      [session.session],
    );
    await world.stop();
  });
});
