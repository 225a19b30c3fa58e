/** The life of a node: turns, refusals, draining, stopping, its identity, and its lock. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { dataDirectory, NodeSimulation } from "../../simulator/node-simulation.ts";
import { codeOf, fill, keyOf, openDirectly, set, startNode } from "./node-world.ts";

suite("one turn serves all partitions", () => {
  test("an idle node confirms a batch of one at once, with one sync", async () => {
    const simulation = await startNode({ partitions: 4 });
    const { batches } = simulation.node.wal.statistics;
    const one = simulation.issue(0, set(1));
    await simulation.clock.settle();
    assert.equal(codeOf(one), "record");
    assert.equal(simulation.node.wal.statistics.batches, batches + 1);
    await simulation.stop();
  });

  test("what all partitions gather in a turn is one write and one sync", async () => {
    const simulation = await startNode({ partitions: 4 });
    let syncs = 0;
    simulation.files.onOperation = ({ kind }) => {
      if (kind === "sync") syncs++;
    };
    const issued = Array.from({ length: 40 }, (_, i) => simulation.issue(i % 4, set(i)));
    await simulation.clock.settle();
    assert.deepEqual(new Set(issued.map(codeOf)), new Set(["record"]));
    assert.equal(syncs, 1);
    await simulation.stop();
  });

  test("while a slow disk confirms one batch, the next gathers", async () => {
    const simulation = await startNode({ partitions: 1, syncMs: 20 });
    await fill(simulation, 30);
    await simulation.clock.advanceSettled(1_000);
    assert.equal(simulation.node.wal.statistics.mode, "pool");
    const before = simulation.node.partitions[0]?.position ?? 0;
    for (let i = 0; i < 60; i++) {
      simulation.issue(0, set(i));
      await simulation.clock.advanceSettled(1);
    }
    await simulation.clock.advanceSettled(100);
    simulation.verify();
    const batches = must(simulation.node.partitions[0]).position - before;
    assert.ok(batches >= 2 && batches <= 6, `${batches} batches of 60 operations in 60 ms`);
    await simulation.stop();
  });

  test("what is asked for while the log proves itself synced is not forgotten", async () => {
    const simulation = await startNode({ partitions: 1, syncMs: 20 });
    await fill(simulation, 30);
    await simulation.clock.advanceSettled(950);
    for (let i = 0; i < 150; i++) {
      await simulation.clock.advanceSettled(7);
      const one = simulation.issue(0, set(i));
      await simulation.clock.advanceSettled(i % 3 === 0 ? 1_500 : 60);
      assert.equal(codeOf(one), "record", `operation ${i}`);
    }
    await simulation.stop();
  });
});

suite("the emergency stop is for a log that does not confirm", () => {
  test("a node that was idle for long and then waits for a slow disk goes on", async () => {
    const simulation = await startNode({ partitions: 1, syncMs: 900 });
    await fill(simulation, 8);
    await simulation.clock.advanceSettled(30_000);
    for (let i = 0; i < 5; i++) {
      await simulation.clock.advanceSettled(100_000);
      const one = simulation.issue(0, set(i));
      await simulation.clock.advanceSettled(3_000);
      assert.equal(codeOf(one), "record");
    }
    assert.equal(simulation.fatal, undefined);
    await simulation.stop();
  });

  test("a node that is never idle goes on", async () => {
    const simulation = await startNode({ partitions: 1, syncMs: 30 });
    for (let i = 0; i < 9_000; i++) {
      simulation.issue(0, set(i % 10));
      await simulation.clock.advanceSettled(10);
    }
    assert.equal(simulation.fatal, undefined);
    await simulation.clock.advanceSettled(100);
    simulation.verify();
    await simulation.stop();
  });

  test("P7: one whose disk answers no more stops, and says so", async () => {
    const latency = { syncMs: 20 };
    const simulation = new NodeSimulation({
      seed: 1,
      partitions: 1,
      segmentBytes: 65_536,
      latencyMs: ({ kind }) => (kind === "sync" ? latency.syncMs : 0),
    });
    await simulation.open();
    await fill(simulation, 16);
    await simulation.clock.advanceSettled(1_000);
    latency.syncMs = 100_000_000;
    const one = simulation.issue(0, set(1));
    await simulation.clock.advanceSettled(59_000);
    assert.equal(codeOf(one), "open");
    await simulation.clock.advanceSettled(4_000);
    assert.equal(codeOf(one), "UNKNOWNOUTCOME");
    assert.match(must(simulation.fatal).message, /no write was confirmed for \d+ ms/);
    await simulation.die("kill");
  });
});

suite("drain, stop, start", () => {
  for (const syncMs of [0, 20]) {
    test(`P1: drain answers everything, then nothing new is taken; sync takes ${syncMs} ms`, async () => {
      const simulation = await startNode({ syncMs });
      await fill(simulation, 20);
      const inHand = Array.from({ length: 50 }, (_, i) => simulation.issue(i % 2, set(i)));
      const draining = simulation.node.drain();
      const late = simulation.issue(0, set(99));
      assert.equal(codeOf(late), "SHUTTINGDOWN");
      await simulation.clock.drive(draining);
      assert.deepEqual(new Set(inHand.map(codeOf)), new Set(["record"]));
      await simulation.stop();
      assert.ok(await simulation.open());
      await simulation.stop();
    });
  }

  test("P7: stop without drain answers what is in hand, and with the truth", async () => {
    for (const syncMs of [0, 20]) {
      const simulation = await startNode({ syncMs });
      await fill(simulation, 20);
      await simulation.clock.advanceSettled(1_000);
      const inHand = Array.from({ length: 10 }, (_, i) => simulation.issue(i % 2, set(100 + i)));
      simulation.clock.runReady();
      const behind = simulation.issue(0, set(200));
      await simulation.clock.drive(simulation.node.stop());
      simulation.reconcile();
      for (const one of inHand) assert.notEqual(codeOf(one), "open");
      assert.equal(codeOf(behind), "STOPPED");
      await simulation.die("kill");
      assert.ok(await simulation.open());
      await simulation.stop();
    }
  });

  test("a checkpoint under way is ended by a stop, and the directory is free afterwards", async () => {
    const simulation = await startNode();
    await fill(simulation, 200, 300);
    const checkpoint = simulation.node.checkpoint();
    await simulation.stop();
    await checkpoint;
    assert.ok(await simulation.open());
    await simulation.stop();
  });

  test("P5: after stop and start number and digest are equal, three times", async () => {
    const simulation = await startNode();
    await fill(simulation, 100);
    await simulation.clock.drive(simulation.node.checkpoint());
    await fill(simulation, 50, 30);
    const wanted = simulation.node.partitions.map(
      ({ number, state }) => `${number}:${state.digest}`,
    );
    for (let i = 0; i < 3; i++) {
      await simulation.stop();
      assert.ok(await simulation.open());
      assert.equal(simulation.recovered, wanted.join(" "));
    }
    await simulation.stop();
  });
});

suite("one process, one identity", () => {
  test("a second process is refused", async () => {
    const simulation = await startNode();
    await assert.rejects(openDirectly(simulation), { code: "DATALOCKED" });
    await simulation.stop();
    const other = await openDirectly(simulation);
    await simulation.clock.drive(other.stop());
  });

  test("the identity stays; an option that contradicts it is refused, one that agrees is not", async () => {
    const simulation = await startNode();
    const { identity } = simulation.node;
    await simulation.stop();
    for (const [option, value] of [
      ["partitions", 3],
      ["replicationFactor", 5],
      ["clusterName", "Other"],
      ["name", "other"],
    ] as const) {
      await assert.rejects(openDirectly(simulation, { [option]: value }), {
        code: "BADCONFIG",
        message: new RegExp(`${option} is .* cannot become ${value}`),
      });
    }
    const node = await openDirectly(simulation, { partitions: 2, replicationFactor: 1 });
    assert.deepEqual(node.identity, identity);
    await simulation.clock.drive(node.stop());
  });

  test("P7: a damaged identity is refused, each bit of it; so is one of a later form", async () => {
    const simulation = await startNode();
    await simulation.stop();
    const path = `${dataDirectory}/node.json`;
    const size = simulation.files.contents(path).length;
    for (let bit = 0; bit < size * 8; bit += 3) {
      simulation.files.flipBit(path, bit >> 3, bit & 7);
      await assert.rejects(openDirectly(simulation), {
        code: "DATADAMAGED",
        message: /node\.json/,
      });
      simulation.files.flipBit(path, bit >> 3, bit & 7);
    }
    const node = await openDirectly(simulation);
    await simulation.clock.drive(node.stop());
  });

  test("a first start that was cut off may be made with other options", async () => {
    const simulation = new NodeSimulation({ seed: 1, partitions: 2, segmentBytes: 65_536 });
    simulation.files.failAfter(12);
    assert.equal(await simulation.open(), false);
    await simulation.die("kill");
    assert.ok(!simulation.files.existsSync(`${dataDirectory}/node.json`));
    assert.ok(simulation.files.existsSync(`${dataDirectory}/node.json.new`));
    const node = await openDirectly(simulation, { partitions: 5, name: "another" });
    assert.equal(node.partitions.length, 5);
    assert.equal(node.identity.name, "another");
    await simulation.clock.drive(node.stop());
    assert.ok(!simulation.files.existsSync(`${dataDirectory}/node.json.new`));
  });

  test("keys with a tag and without are apart", async () => {
    const simulation = await startNode();
    const tagged = `${keyOf(1)}${Buffer.from("tag").toString("hex")}`;
    const operation = {
      kind: "set",
      value: Buffer.from("x"),
      condition: "nx",
      version: 0,
      expiryMs: 0,
    } as const;
    const both = [keyOf(1), tagged].map((key) => simulation.issue(0, { ...operation, key }));
    await simulation.clock.settle();
    assert.deepEqual(
      both.map(({ outcome }) => outcome?.kind === "record" && outcome.status),
      ["created", "created"],
    );
    await simulation.stop();
  });
});
