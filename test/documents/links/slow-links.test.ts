/** Links to Truba nodes that are away, slow, or half gone (DESIGN §10, P8). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import { LinkedNodes, idsOf } from "./linked-nodes.ts";

suite("peers that are away or slow", () => {
  test("a peer that is down is dialed again with full jitter up to 30 s, for ever, and nothing is final meanwhile", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    await nodes.pass(120_000);
    const { dials } = nodes.network;
    assert.ok(dials > 8 && dials < 60, `${dials} dials in two minutes`);
    assert.equal(a.only.state, "waiting");
    assert.match(a.only.trouble, /ECONNREFUSED b/);
    assert.ok((a.only.retryInMs ?? -1) >= 0 && (a.only.retryInMs ?? 0) <= 30_100);
    assert.equal(a.exchange.expected, 1);
    const b = nodes.node("b");
    b.exchange.write(1);
    await nodes.pass(31_000);
    assert.equal(a.only.state, "up");
    assert.equal(a.exchange.expected, 0);
    assert.deepEqual(a.exchange.log(), ["b:1"]);
  });

  test("a link that is lost is made again at once, and goes on from where both are", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b");
    a.exchange.write(1_000);
    await nodes.pass(15_000);
    must(nodes.network.links[0]).near.break();
    a.exchange.write(3);
    await nodes.pass(1_000);
    assert.deepEqual(b.exchange.log(), idsOf("a", 1_003));
    assert.equal(b.exchange.duplicateCount, 0);
    assert.equal(a.only.transactionsSent, 1_003);
  });

  test("a link that breaks in the middle of catching up goes on behind what was durable", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    a.exchange.write(5_000, "default", "x".repeat(1_000));
    const b = nodes.node("b", { peers: ["a"] });
    b.exchange.durableMs = 100;
    for (let broken = 0; broken < 3; broken++) {
      await nodes.pass(3);
      while (nodes.network.links.length === broken) await nodes.pass(10);
      await nodes.pass(150);
      must(nodes.network.links.at(-1)).near.break();
    }
    const partly = b.exchange.log().length;
    assert.ok(partly < 5_000, `all ${partly} came before the link was broken`);
    await nodes.pass(10_000);
    assert.deepEqual(b.exchange.log(), idsOf("a", 5_000));
  });

  test("a peer that takes nothing is sent a bounded part; its cursor waits, and it gets the rest later (P8)", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b");
    await nodes.pass(100);
    const { near } = must(nodes.network.links[0]);
    near.stuck = true;
    a.exchange.write(5_000, "default", "x".repeat(1_000));
    await nodes.pass(2_000);
    const bound = limits.documentLinkBufferMaxBytes + 2 * limits.documentBatchMaxBytes;
    assert.ok(near.bufferedBytes <= bound, `${near.bufferedBytes} bytes are buffered`);
    assert.ok(near.bufferedBytes >= limits.documentLinkBufferMaxBytes);
    assert.ok(a.only.backlog > 3_000);
    near.stuck = false;
    near.flush();
    await nodes.pass(2_000);
    assert.deepEqual(b.exchange.log(), idsOf("a", 5_000));
    assert.equal(a.only.backlog, 0);
  });

  test("a node whose disk is slow reads no more than it can hold (P8)", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b");
    b.exchange.durableMs = 500;
    a.exchange.write(20_000, "default", "x".repeat(1_000));
    await nodes.pass(400);
    const arrived = b.exchange.arrivals.reduce((sum, { ids }) => sum + ids.length, 0);
    assert.ok(arrived * 1_000 < 2 * limits.documentLinkBufferMaxBytes, `${arrived} arrived`);
    await nodes.pass(30_000);
    assert.equal(b.exchange.log().length, 20_000);
    assert.equal(a.only.state, "up");
  });

  test("a disk that stands still for longer than any silence does not cost the link", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b");
    b.exchange.durableMs = 25_000;
    a.exchange.write(4_000, "default", "x".repeat(1_000));
    await nodes.pass(24_000);
    assert.deepEqual(b.exchange.log(), []);
    assert.equal(nodes.network.links.length, 1);
    await nodes.pass(150_000);
    assert.deepEqual(b.exchange.log(), idsOf("a", 4_000));
    assert.equal(nodes.network.links.length, 1);
  });

  test("a connection that is half open is found out in ten seconds by both ends, and made again", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b");
    await nodes.pass(500);
    nodes.network.cut("a", "b");
    await nodes.pass(9_000);
    assert.equal(a.only.state, "up");
    await nodes.pass(3_000);
    assert.notEqual(a.only.state, "up");
    assert.deepEqual(b.status(), []);
    a.exchange.write(2);
    b.exchange.write(2);
    nodes.network.heal("a", "b");
    await nodes.pass(31_000);
    assert.deepEqual([...a.exchange.log()].toSorted(), [...b.exchange.log()].toSorted());
  });

  test("a process that stood still does not take its peers for dead", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    nodes.node("b");
    await nodes.pass(500);
    // Nothing of this process runs for a minute: one timer is due, sixty heartbeats are not.
    const { near, far } = must(nodes.network.links[0]);
    near.latencyMs = far.latencyMs = 3_000;
    await nodes.pass(60_000);
    assert.equal(a.only.state, "up");
    assert.equal(nodes.network.links.length, 1);
  });
});
