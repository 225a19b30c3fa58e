import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { ProcessClock } from "../../simulator/process-clock.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedNetwork } from "../../simulator/simulated-network.ts";
import type { SimulatedNetworkOptions } from "../../simulator/simulated-network.ts";
import { networkContract, RecordingEnd } from "../contract/network.ts";

for (let seed = 0; seed < 6; seed++) {
  networkContract(`SimulatedNetwork, seed ${seed}`, () => {
    const clock = new SimulatedClock();
    const network = new SimulatedNetwork({ clock, random: new SeededRandom(seed) });
    return {
      network,
      run: (promise) => clock.drive(promise),
      pass: (ms) => clock.advanceSettled(ms),
    };
  });
}

class World {
  readonly clock = new SimulatedClock();
  readonly network: SimulatedNetwork;
  readonly accepted: RecordingEnd[] = [];

  constructor(seed: number, options: Partial<SimulatedNetworkOptions> = {}) {
    const random = new SeededRandom(seed);
    this.network = new SimulatedNetwork({ clock: this.clock, random, ...options });
  }

  async listen(host: string): Promise<void> {
    const listening = this.network.host(host).listen({ host, port: 7 }, (connection) => {
      this.accepted.push(new RecordingEnd(connection));
    });
    await this.clock.drive(listening);
  }

  connect(from: string, to: string): Promise<RecordingEnd> {
    const connecting = this.network.host(from).connect({ host: to, port: 7 });
    return this.clock.drive(connecting.then((connection) => new RecordingEnd(connection)));
  }

  /** A connection from host a to host b. */
  async pair(): Promise<{ client: RecordingEnd; server: RecordingEnd }> {
    await this.listen("b");
    const client = await this.connect("a", "b");
    await this.clock.settle();
    const server = this.accepted.at(-1);
    assert.ok(server !== undefined);
    return { client, server };
  }
}

suite("SimulatedNetwork", () => {
  test("one seed cuts the stream alike, others differ, the bytes are the same", async () => {
    const shapes = new Set<string>();
    for (let seed = 0; seed < 10; seed++) {
      const first = await shapeOfStream(seed);
      assert.equal(await shapeOfStream(seed), first, `seed ${seed}`);
      shapes.add(first);
    }
    assert.equal(shapes.size, 10);
  });

  test("a partition holds what is sent; healed, all of it arrives in order", async () => {
    const world = new World(1);
    const { client, server } = await world.pair();
    client.connection.writeText("under way ");
    world.clock.runReady();
    world.network.partition("a", "b");
    client.connection.writeText("held ");
    await world.clock.advanceSettled(60_000);
    assert.equal(server.text, "");
    client.connection.writeText("held too ");
    world.network.heal("a", "b");
    client.connection.writeText("after");
    await world.clock.advanceSettled(100);
    assert.equal(server.text, "under way held held too after");
  });

  test("a one-way partition lets the other way through", async () => {
    const world = new World(2);
    const { client, server } = await world.pair();
    world.network.partitionOneWay("a", "b");
    client.connection.writeText("up");
    server.connection.writeText("down");
    await world.clock.advanceSettled(1_000);
    assert.deepEqual([server.text, client.text], ["", "down"]);
    world.network.healAll();
    await world.clock.advanceSettled(1_000);
    assert.equal(server.text, "up");
  });

  test("a connect over a partition times out; others are not touched", async () => {
    const world = new World(3, { connectTimeoutMs: 2_000 });
    await world.listen("b");
    world.network.partition("a", "b");
    await assert.rejects(world.connect("a", "b"), { code: "ETIMEDOUT" });
    assert.ok(world.clock.monotonicMs() >= 2_000 && world.clock.monotonicMs() < 2_100);
    const other = await world.connect("c", "b");
    other.connection.writeText("x");
    await world.clock.advanceSettled(100);
    assert.equal(world.accepted.at(-1)?.text, "x");
  });

  test("a cut tells both ends at once and loses what was under way", async () => {
    const world = new World(4);
    const { client, server } = await world.pair();
    client.connection.writeText("lost");
    world.clock.runReady();
    world.network.cut("b", "a");
    await world.clock.advanceSettled(100);
    assert.deepEqual([client.told, server.told], [["closed"], ["closed"]]);
    assert.equal(server.text, "");
  });

  test("connects are refused without a listener, by wish, and unknown hosts are not found", async () => {
    const world = new World(5);
    await world.listen("b");
    world.network.refuse("b", true);
    await assert.rejects(world.connect("a", "b"), { code: "ECONNREFUSED" });
    world.network.refuse("b", false);
    await world.connect("a", "b");
    await assert.rejects(world.connect("b", "a"), { code: "ECONNREFUSED" });
    await assert.rejects(world.connect("a", "nobody"), { code: "ENOTFOUND" });
  });

  test("connections break at random while they send, and both ends learn it", async () => {
    let cut = 0;
    for (let seed = 0; seed < 30; seed++) {
      const world = new World(seed, { cutProbability: 0.1 });
      const { client, server } = await world.pair();
      for (let i = 0; i < 10; i++) {
        client.connection.writeText("0123456789");
        await world.clock.advanceSettled(2);
      }
      assert.equal(client.told.includes("closed"), server.told.includes("closed"), `seed ${seed}`);
      assert.ok("0123456789".repeat(10).startsWith(server.text), `seed ${seed}`);
      if (client.told.includes("closed")) cut++;
    }
    assert.ok(cut > 5 && cut < 30, `${cut} of 30 were cut`);
  });
});

suite("the death of a simulated host", () => {
  test("peers of a killed process learn it; it is told nothing; a next one can listen", async () => {
    const world = new World(6);
    world.network.host("b", new ProcessClock(world.clock));
    const { client, server } = await world.pair();
    client.connection.writeText("x");
    world.network.host("b").kill();
    await world.clock.advanceSettled(100);
    assert.ok(client.told.includes("closed"));
    assert.deepEqual([server.told, server.text], [[], ""]);
    await assert.rejects(world.connect("a", "b"), { code: "ECONNREFUSED" });
    await world.listen("b");
    const again = await world.connect("a", "b");
    again.connection.writeText("y");
    await world.clock.advanceSettled(100);
    assert.equal(world.accepted.at(-1)?.text, "y");
  });

  test("peers of a machine without power learn nothing until it is back and they send", async () => {
    const world = new World(7, { connectTimeoutMs: 1_000 });
    const { client } = await world.pair();
    world.network.host("b").powerOff();
    client.connection.writeText("x");
    await world.clock.advanceSettled(10_000);
    assert.deepEqual(client.told, []);
    await assert.rejects(world.connect("a", "b"), { code: "ETIMEDOUT" });
    await world.listen("b");
    client.connection.writeText("y");
    await world.clock.advanceSettled(100);
    assert.deepEqual(client.told, ["closed"]);
  });

  test("a paused process gets what came when it is resumed", async () => {
    const world = new World(8);
    const clock = new ProcessClock(world.clock);
    world.network.host("b", clock);
    const { client, server } = await world.pair();
    clock.pause();
    client.connection.writeText("one ");
    await world.clock.advanceSettled(100);
    client.connection.writeText("two");
    await world.clock.advanceSettled(100);
    assert.equal(server.text, "");
    clock.resume();
    await world.clock.advanceSettled(100);
    assert.equal(server.text, "one two");
  });
});

/** How the bytes came to the receiver over time. */
async function shapeOfStream(seed: number): Promise<string> {
  const { clock, ...world } = await start(seed);
  const times: string[] = [];
  for (let i = 0; i < 20; i++) {
    world.client.connection.writeText("0123456789");
    await clock.advanceSettled(0.5);
    times.push(`${world.server.received.length} in ${world.server.chunks}`);
  }
  await clock.advanceSettled(100);
  assert.equal(world.server.text, "0123456789".repeat(20), `seed ${seed}`);
  return times.join();
}

async function start(
  seed: number,
): Promise<{ clock: SimulatedClock; client: RecordingEnd; server: RecordingEnd }> {
  const world = new World(seed);
  return { clock: world.clock, ...(await world.pair()) };
}
