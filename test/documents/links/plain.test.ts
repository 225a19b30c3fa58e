/** Plain peers and listeners (D12, DESIGN §10): what they are sent, and what is taken of them. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import type { MemoryLink } from "./memory-links.ts";
import { LinkedNodes, idsOf } from "./linked-nodes.ts";

/** A plain peer at an address that sends what it is told to. */
function plainPeer(nodes: LinkedNodes, name = "p") {
  const links: MemoryLink[] = [];
  const received: string[] = [];
  nodes.network.listen(name, {
    version: null,
    accept: (link) => {
      links.push(link);
      link.bind({
        message: (text) => received.push(text),
        binary() {},
        drained() {},
        closed() {},
      });
    },
  });
  return {
    links,
    received,
    send: (...texts: readonly string[]) => {
      for (const text of texts) must(links.at(-1)).send(text);
    },
  };
}

const transaction = (id: number, payload = "[]", source = "p"): string =>
  JSON.stringify({ Source: source, Id: id, Payload: payload });

suite("whoever listens (D12)", () => {
  test("gets everything in the order in which this node took it, then what comes", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    const b = nodes.node("b", { peers: ["a"] });
    a.exchange.write(2);
    await nodes.pass(100);
    b.exchange.write(2);
    await nodes.pass(100);
    a.exchange.write(1);
    const listener = nodes.listen(a);
    await nodes.pass(100);
    b.exchange.write(1);
    await nodes.pass(100);
    assert.deepEqual(listener.ids, ["a:1", "a:2", "b:1", "b:2", "a:3", "b:3"]);
    assert.equal(listener.texts[0], '{"Source":"a","Id":1,"Payload":"[]"}');
  });

  test("gets of each source what is behind the count that it names, also of sources that it does not know", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    const b = nodes.node("b", { peers: ["a"] });
    a.exchange.write(3);
    b.exchange.write(2);
    await nodes.pass(100);
    const listener = nodes.listen(a, { a: 2, other: 7 });
    await nodes.pass(100);
    assert.deepEqual(listener.ids.toSorted(), ["a:3", "b:1", "b:2"]);
  });

  test("may wait for a document that there is not yet", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    const listener = nodes.listen(a, {}, "later");
    await nodes.pass(100);
    a.exchange.write(1);
    a.exchange.write(2, "later");
    await nodes.pass(100);
    assert.deepEqual(listener.ids, ["a:1", "a:2"]);
  });

  test("takes nothing for a while: a bounded part is buffered, and the cursor waits (P8)", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    a.exchange.write(5_000, "default", "x".repeat(1_000));
    const listener = nodes.listen(a);
    const { far } = listener;
    far.stuck = true;
    await nodes.pass(100);
    const bound = limits.documentLinkBufferMaxBytes + 2 * limits.documentBatchMaxBytes;
    assert.ok(far.bufferedBytes <= bound, `${far.bufferedBytes} bytes are buffered`);
    assert.ok(a.only.backlog > 3_000);
    far.stuck = false;
    far.flush();
    await nodes.pass(1_000);
    assert.deepEqual(listener.ids, idsOf("a", 5_000));
    assert.equal(a.only.backlog, 0);
  });

  test("is not sent what is longer than 32 KiB as a message; the link says so, and goes on", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    const around = Buffer.byteLength(transaction(2, "", "a"));
    const room = limits.documentPlainMaxBytes - around;
    a.exchange.write(1);
    a.exchange.write(1, "default", "x".repeat(room));
    a.exchange.write(1, "default", "x".repeat(room + 1));
    // Two bytes each in UTF-8.
    a.exchange.write(1, "default", "ы".repeat(room / 2 + 1));
    a.exchange.write(1);
    const listener = nodes.listen(a);
    await nodes.pass(100);
    assert.deepEqual(listener.ids, ["a:1", "a:2", "a:5"]);
    assert.equal(Buffer.byteLength(must(listener.texts[1])), limits.documentPlainMaxBytes);
    assert.match(a.only.trouble, /^2 transactions are too long for plain peers, the last one a:4/);
    assert.equal(a.only.backlog, 0);
  });

  test("is believed nothing that it says", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    const listener = nodes.listen(a);
    await nodes.pass(10);
    listener.link.send(transaction(1));
    listener.far.arriveBinary(1);
    await nodes.pass(100);
    assert.deepEqual(a.exchange.arrivals, []);
    assert.equal(a.only.state, "up");
  });

  test("is let go when the node stops", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    const listener = nodes.listen(a);
    await nodes.pass(10);
    a.links.stop();
    await nodes.pass(10);
    assert.match(must(listener.closedReason), /1001: the node is stopping/);
    assert.deepEqual(a.status(), []);
  });
});

suite("plain peers that we dial (D12)", () => {
  test("are taken at their three fields, and are sent nothing, ever", async () => {
    const nodes = new LinkedNodes();
    const plain = plainPeer(nodes);
    const a = nodes.node("a", { peers: ["p"] });
    a.exchange.write(3);
    await nodes.pass(10);
    plain.send(transaction(1), transaction(2), '{"Id":3,"Extra":{},"Payload":"[]","Source":"p"}');
    await nodes.pass(60_000);
    assert.deepEqual(a.exchange.log().slice(3), idsOf("p", 3));
    assert.deepEqual(plain.received, []);
    assert.equal(plain.links.length, 1);
    assert.deepEqual([a.only.kind, a.only.state, a.only.trouble], ["plain", "up", ""]);
    assert.equal(a.exchange.expected, 0);
    assert.deepEqual(a.exchange.arrivals[0]?.from, { source: null, kind: "plain" });
  });

  test("what comes in one turn is taken as one", async () => {
    const nodes = new LinkedNodes();
    const plain = plainPeer(nodes);
    const a = nodes.node("a", { peers: ["p"] });
    await nodes.pass(10);
    for (let id = 1; id <= 500; id++) plain.send(transaction(id));
    await nodes.pass(10);
    assert.equal(a.exchange.log().length, 500);
    assert.ok(a.exchange.arrivals.length < 5, `${a.exchange.arrivals.length} arrivals`);
  });

  test("some send their log as one array", async () => {
    const nodes = new LinkedNodes();
    const plain = plainPeer(nodes);
    const a = nodes.node("a", { peers: ["p"] });
    await nodes.pass(10);
    plain.send(`[${transaction(1)},${transaction(2)}]`);
    await nodes.pass(10);
    assert.deepEqual(a.exchange.log(), idsOf("p", 2));
  });

  test("of another document: HOST:PORT/d/NAME", async () => {
    const nodes = new LinkedNodes();
    const plain = plainPeer(nodes);
    const a = nodes.node("a", { peers: ["p/d/notes"] });
    await nodes.pass(10);
    plain.send(transaction(1));
    await nodes.pass(10);
    assert.deepEqual(a.exchange.log("notes"), ["p:1"]);
  });

  test("garbage is counted and said, and what is none is taken", async () => {
    const nodes = new LinkedNodes();
    const plain = plainPeer(nodes);
    const a = nodes.node("a", { peers: ["p"] });
    await nodes.pass(10);
    const garbage = ["", "{", "null", "3", '"x"', "{}", "[[]]", transaction(-1), transaction(1.5)];
    plain.send(transaction(1), ...garbage, transaction(2));
    const { near } = must(nodes.network.links[0]);
    near.arriveBinary(7);
    await nodes.pass(100);
    assert.deepEqual(a.exchange.log(), idsOf("p", 2));
    assert.equal(a.only.state, "up");
    assert.match(a.only.trouble, /sent 10 messages that are no transactions; of the last, /);
  });

  test("one that has restarted and counts anew: what is known stays, and the link says what has happened", async () => {
    const nodes = new LinkedNodes();
    const plain = plainPeer(nodes);
    const a = nodes.node("a", { peers: ["p"] });
    await nodes.pass(10);
    plain.send(transaction(1), transaction(2));
    await nodes.pass(10);
    must(plain.links[0]).break();
    await nodes.pass(2_000);
    plain.send(transaction(1, "[1]"), transaction(2, "[2]"), transaction(3, "[3]"));
    await nodes.pass(10);
    assert.deepEqual(a.exchange.log(), idsOf("p", 3));
    assert.equal(a.exchange.forgedCount, 2);
    assert.match(a.only.trouble, /another transaction under the Id 1 of p in default.*counts anew/);
  });

  test("a gap is told; it is filled by whoever has what is missing", async () => {
    const nodes = new LinkedNodes();
    const plain = plainPeer(nodes);
    const a = nodes.node("a", { peers: ["p"] });
    await nodes.pass(10);
    plain.send(transaction(1), transaction(4));
    await nodes.pass(10);
    assert.deepEqual(a.exchange.log(), ["p:1"]);
    assert.equal(a.only.trouble, "lacks p:2 to p:3; what comes behind waits");
    plain.send(transaction(3), transaction(2));
    await nodes.pass(10);
    assert.deepEqual(a.exchange.log(), idsOf("p", 4));
    assert.equal(a.only.trouble, "");
  });

  test("the whole log again on every connect costs nothing but the reading", async () => {
    const nodes = new LinkedNodes();
    const plain = plainPeer(nodes);
    const a = nodes.node("a", { peers: ["p"] });
    for (let round = 1; round <= 3; round++) {
      await nodes.pass(2_000);
      plain.send(...Array.from({ length: round * 10 }, (_, at) => transaction(at + 1)));
      await nodes.pass(10);
      must(plain.links.at(-1)).break();
    }
    assert.deepEqual(a.exchange.log(), idsOf("p", 30));
    assert.equal(a.only.transactionsReceived, 60);
  });

  test("a relay between two nodes: neither gets its own back, nor anything twice", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["p"] });
    const b = nodes.node("b", { peers: ["p"] });
    const subscribers: MemoryLink[] = [];
    const wal: string[] = [];
    const seen = new Set<string>();
    nodes.network.listen("p", {
      version: null,
      accept: (link) => {
        subscribers.push(link);
        link.bind({ message() {}, binary() {}, drained() {}, closed() {} });
        for (const text of wal) link.send(text);
      },
    });
    const take = (text: string): void => {
      if (seen.has(text)) return;
      seen.add(text);
      wal.push(text);
      for (const subscriber of subscribers) subscriber.send(text);
    };
    for (const node of [a, b]) {
      const listener = nodes.listen(node);
      listener.texts.push = (...texts) => {
        texts.forEach(take);
        return 0;
      };
    }
    a.exchange.write(3);
    await nodes.pass(2_000);
    b.exchange.write(3);
    await nodes.pass(2_000);
    for (const { exchange } of [a, b])
      assert.deepEqual([...exchange.log()].toSorted(), [...idsOf("a", 3), ...idsOf("b", 3)]);
  });
});
