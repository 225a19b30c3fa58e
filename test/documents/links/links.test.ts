/** Links between Truba nodes: who is sent what, and what happens when the network or a peer does what it should not (DESIGN §10). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../../src/base/limits.ts";
import { must } from "../../../src/base/assert.ts";
import { LinkedNodes, idsOf } from "./linked-nodes.ts";

suite("links between two Truba nodes (DESIGN §10)", () => {
  test("what either has, before and after they are linked, comes to the other, in order for each source", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    a.exchange.write(3);
    const b = nodes.node("b", { peers: ["a"] });
    b.exchange.write(2);
    await nodes.pass(100);
    a.exchange.write(2);
    b.exchange.write(1);
    await nodes.pass(100);
    for (const { exchange } of [a, b]) {
      const log = exchange.log();
      assert.deepEqual(
        log.filter((id) => id.startsWith("a")),
        idsOf("a", 5),
      );
      assert.deepEqual(
        log.filter((id) => id.startsWith("b")),
        idsOf("b", 3),
      );
    }
    assert.deepEqual(a.exchange.duplicateCount + b.exchange.duplicateCount, 0);
  });

  test("all documents go over one link, also those that are made later", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    a.exchange.write(1, "notes");
    const b = nodes.node("b", { peers: ["a"] });
    await nodes.pass(100);
    b.exchange.write(2, "plans");
    await nodes.pass(100);
    assert.deepEqual(b.exchange.log("notes"), ["a:1"]);
    assert.deepEqual(a.exchange.log("plans"), ["b:1", "b:2"]);
    assert.equal(nodes.network.links.length, 1);
  });

  test("the default document's transactions carry three fields, others their document", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    nodes.node("b");
    a.exchange.write(1);
    a.exchange.write(1, "notes");
    await nodes.pass(100);
    const batches = must(nodes.network.links[0]).near.sentTexts.filter((text) => text[0] === "[");
    assert.deepEqual(
      batches.flatMap((text) => JSON.parse(text) as unknown[]),
      [
        { Source: "a", Id: 1, Payload: "[]" },
        { Document: "notes", Source: "a", Id: 1, Payload: "[]" },
      ],
    );
  });

  test("a peer becomes a member of every document of both, and says its clock and what it holds", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    a.exchange.write(1);
    const b = nodes.node("b", { peers: ["a"] });
    b.exchange.write(1, "notes");
    a.exchange.tentative = true;
    await nodes.pass(1_200);
    assert.deepEqual([...a.exchange.knownNodes], ["b"]);
    assert.deepEqual([...b.exchange.knownNodes], ["a"]);
    assert.deepEqual(b.exchange.said("a"), { a: 1 });
    assert.equal(a.exchange.clockOf("b", "notes")?.count, 1);
  });

  test("whom one node has met, all know before they hear its clocks", async () => {
    const nodes = new LinkedNodes();
    const far = nodes.node("far");
    nodes.node("middle", { peers: ["far"] });
    await nodes.pass(1_200);
    nodes.node("late", { peers: ["middle"] });
    await nodes.pass(1_200);
    assert.deepEqual([...far.exchange.knownNodes].toSorted(), ["late", "middle"]);
  });

  test("a clock that only a node two links away can tell is asked for through the one between", async () => {
    const nodes = new LinkedNodes();
    const far = nodes.node("far");
    nodes.node("middle", { peers: ["far"] });
    const near = nodes.node("near", { peers: ["middle"] });
    await nodes.pass(3_000);
    near.exchange.tentative = true;
    far.exchange.write(1);
    const writtenMs = nodes.clock.wallMs();
    await nodes.pass(8_000);
    const { clock } = must(near.exchange.clockOf("far"));
    assert.ok(clock.ms > writtenMs + 3_000, "far, at rest, was asked, and goes on answering");
    near.exchange.tentative = false;
    await nodes.pass(15_000);
    const haves = (): number =>
      nodes.network.links
        .flatMap((link) => [...link.near.sentTexts, ...link.far.sentTexts])
        .filter((text) => text.includes('"have"')).length;
    const count = haves();
    await nodes.pass(10_000);
    assert.equal(haves(), count, "and nobody asks any more");
  });

  test("while something is tentative clocks come with every heartbeat; a document at rest costs nothing", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b");
    a.exchange.write(1);
    a.exchange.tentative = true;
    await nodes.pass(3_000);
    const before = must(a.exchange.clockOf("b")).clock.ms;
    await nodes.pass(limits.documentHeartbeatMs);
    assert.equal(must(a.exchange.clockOf("b")).clock.ms - before, limits.documentHeartbeatMs);
    a.exchange.tentative = false;
    await nodes.pass(3_000);
    const { near } = must(nodes.network.links[0]);
    const haves = (): number => near.sentTexts.filter((text) => text.includes('"have"')).length;
    const count = haves();
    await nodes.pass(10_000);
    assert.equal(haves(), count);
    assert.equal(b.exchange.log().length, 1);
  });

  test("both name each other: two links, transactions go over one, and over the other when that is lost", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b", { peers: ["a"] });
    await nodes.pass(2_000);
    assert.equal(a.status().filter(({ state }) => state === "up").length, 2);
    a.exchange.write(5);
    await nodes.pass(100);
    assert.equal(b.exchange.duplicateCount, 0);
    assert.deepEqual(b.exchange.log(), idsOf("a", 5));
    const carrier = must(
      nodes.network.links.find(({ near, far }) =>
        [near, far].some(({ sentTexts }) => sentTexts.some((text) => text[0] === "[")),
      ),
    );
    nodes.network.forget(carrier.to);
    carrier.near.break();
    a.exchange.write(5);
    await nodes.pass(100);
    assert.deepEqual(b.exchange.log(), idsOf("a", 10));
  });

  test("what the lost one of two links had not sent goes over the other at once", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b", { peers: ["a"] });
    await nodes.pass(2_000);
    for (const { near, far } of nodes.network.links) near.stuck = far.stuck = true;
    a.exchange.write(5);
    await nodes.pass(10);
    const carrier = must(
      nodes.network.links.find(({ near, far }) =>
        [near, far].some(({ sentTexts }) => sentTexts.some((text) => text[0] === "[")),
      ),
    );
    for (const { near, far } of nodes.network.links) near.stuck = far.stuck = false;
    nodes.network.forget("a");
    nodes.network.forget("b");
    carrier.near.break();
    await nodes.pass(20);
    assert.deepEqual(b.exchange.log(), idsOf("a", 5));
  });

  test("round trip and difference of clocks are measured; a clock that is off is no reason to refuse", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    nodes.node("b");
    await nodes.pass(1_500);
    assert.equal(a.only.roundTripMs, 2);
    assert.equal(a.only.skewMs, 0);
    const { far } = must(nodes.network.links[0]);
    far.tamper = (text) =>
      text.includes('"pong"') ? [text.replace(/"wallMs":\d+/, '"wallMs":4000000000000')] : [text];
    await nodes.pass(1_000);
    assert.ok((a.only.skewMs ?? 0) > 1e12);
    assert.equal(a.only.state, "up");
  });
});

suite("who is who", () => {
  test("a node that dials itself lets it be, quietly, and waits for nobody", async () => {
    const nodes = new LinkedNodes();
    const told: string[] = [];
    const logger = {
      debug() {},
      info() {},
      warn: (_: object, text: string) => told.push(text),
      error: (_: object, text: string) => told.push(text),
    };
    const a = nodes.node("a", { peers: ["a"], logger });
    await nodes.pass(100_000);
    assert.equal(nodes.network.dials, 1);
    assert.equal(a.exchange.expected, 0);
    assert.equal(a.only.trouble, "this address is the node itself");
    assert.deepEqual(told, []);
    assert.deepEqual(a.exchange.members(), []);
  });

  test("another node with our name is refused on both sides: SOURCECONFLICT", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"], source: "same" });
    const b = nodes.node("b", { source: "same" });
    a.exchange.write(2);
    await nodes.pass(1_000);
    assert.match(a.only.trouble, /SOURCECONFLICT: another node is named same like this one/);
    assert.match(b.only.trouble, /SOURCECONFLICT/);
    assert.deepEqual(b.exchange.log(), []);
    assert.ok(nodes.network.dials <= 2);
    assert.equal(a.exchange.expected, 1);
  });

  test("a copied data directory is a conflict too: the same node in another process", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"], source: "same", nodeId: 7 });
    nodes.node("b", { source: "same", nodeId: 7 });
    await nodes.pass(1_000);
    assert.match(a.only.trouble, /SOURCECONFLICT: .*a data directory must not be copied/);
  });

  test("two peers of one name: the second is refused", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b", "c"] });
    nodes.node("b", { source: "same" });
    nodes.node("c", { source: "same" });
    await nodes.pass(1_000);
    const states = a.status().map(({ state }) => state);
    assert.deepEqual(states.toSorted(), ["up", "waiting"]);
    assert.ok(
      a.status().some(({ trouble }) => trouble === "SOURCECONFLICT: two nodes are named same"),
    );
  });

  test("a node that has restarted replaces its old links at once", async () => {
    const nodes = new LinkedNodes();
    const b = nodes.node("b");
    const first = nodes.node("a", { peers: ["b"], nodeId: 9 });
    await nodes.pass(500);
    // It dies without a word, and comes back with what it had.
    nodes.network.cut("a", "b");
    nodes.network.heal("a", "b");
    const again = nodes.node("a", { peers: ["b"], exchange: first.exchange });
    await nodes.pass(500);
    assert.equal(b.status().length, 1);
    b.exchange.write(1);
    await nodes.pass(100);
    assert.deepEqual(again.exchange.log(), ["b:1"]);
  });
});

suite("three nodes", () => {
  test("in a chain: what either end has comes to the other through the middle, clocks too", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    const b = nodes.node("b", { peers: ["a"] });
    const c = nodes.node("c", { peers: ["b"] });
    a.exchange.tentative = b.exchange.tentative = c.exchange.tentative = true;
    a.exchange.write(3);
    c.exchange.write(3);
    await nodes.pass(200);
    for (const { exchange } of [a, b, c])
      assert.deepEqual([...exchange.log()].toSorted(), [...idsOf("a", 3), ...idsOf("c", 3)]);
    await nodes.pass(3_000);
    assert.equal(a.exchange.clockOf("c")?.count, 3);
    assert.equal(c.exchange.clockOf("a")?.count, 3);
  });

  test("in a chain nobody gets back what it has sent", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    const b = nodes.node("b", { peers: ["a"] });
    const c = nodes.node("c", { peers: ["b"] });
    const d = nodes.node("d", { peers: ["c"] });
    await nodes.pass(500);
    a.exchange.write(5);
    d.exchange.write(5);
    await nodes.pass(5_000);
    assert.equal(d.exchange.log().length, 10);
    assert.deepEqual(
      [a, b, c, d].map(({ exchange }) => exchange.duplicateCount),
      [0, 0, 0, 0],
    );
  });

  test("a link that comes later is known to those that were there: what goes over it is not relayed", async () => {
    const nodes = new LinkedNodes();
    const b = nodes.node("b");
    const c = nodes.node("c", { peers: ["b"] });
    await nodes.pass(500);
    const a = nodes.node("a", { peers: ["b", "c"] });
    await nodes.pass(500);
    a.exchange.write(5);
    await nodes.pass(1_500);
    for (const { exchange } of [b, c]) {
      assert.deepEqual(exchange.log(), idsOf("a", 5));
      assert.equal(exchange.duplicateCount, 0);
    }
  });

  test("in a triangle nobody relays what a peer gets first hand", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    const b = nodes.node("b", { peers: ["a"] });
    const c = nodes.node("c", { peers: ["a", "b"] });
    await nodes.pass(500);
    a.exchange.write(50);
    await nodes.pass(5_000);
    for (const { exchange } of [b, c]) {
      assert.equal(exchange.log().length, 50);
      assert.equal(exchange.duplicateCount, 0);
    }
  });

  test("a first-hand link that brings nothing is helped out by the others after two heartbeats", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    nodes.node("b", { peers: ["a"] });
    const c = nodes.node("c", { peers: ["a", "b"] });
    await nodes.pass(500);
    const [direct] = nodes.network.between("a", "c");
    // Transactions of a never come to c over their own link.
    must(direct).far.tamper = (text) => (text[0] === "[" ? [] : [text]);
    a.exchange.write(5);
    await nodes.pass(1_500);
    assert.deepEqual(c.exchange.log(), []);
    await nodes.pass(3_500);
    assert.deepEqual(c.exchange.log(), idsOf("a", 5));
  });
});
