/** Links to Truba nodes that send what they should not, or not what they should (DESIGN §10). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { TrubaError } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import { LinkedNodes, idsOf } from "./linked-nodes.ts";

suite("peers that do what they should not", () => {
  const breaks: readonly (readonly [string, string, RegExp])[] = [
    ["no JSON", "{", /not JSON/],
    ["a number", "3", /neither an array nor has it a type/],
    ["a transaction without an Id", '[{"Source":"b","Payload":"[]"}]', /Id is undefined/],
    ["an Id that is no count", '[{"Source":"b","Id":-1,"Payload":"[]"}]', /Id is -1/],
    ["an Id beyond 2^53", '[{"Source":"b","Id":9007199254740993,"Payload":"[]"}]', /Id is 9007/],
    ["a payload that is no text", '[{"Source":"b","Id":1,"Payload":[]}]', /Payload is a list/],
    ["an empty source", '[{"Source":"","Id":1,"Payload":"[]"}]', /Source is ""/],
    [
      "a document's name with a slash",
      '[{"Document":"a/b","Source":"b","Id":1,"Payload":"[]"}]',
      /Document is "a\/b"/,
    ],
    [
      "a second hello",
      '{"type":"hello","version":1,"source":"b","node":2,"run":"","via":""}',
      /second hello/,
    ],
    [
      "a clock beyond 2^48",
      '{"type":"have","documents":[{"document":"default","vclock":{},"clocks":{"b":[281474976710656,0,1]}}]}',
      /have has not the form/,
    ],
    [
      "a hash that is none",
      '{"type":"have","documents":[{"document":"default","vclock":{},"clocks":{},"hash":"x"}]}',
      /have has not the form/,
    ],
  ];
  for (const [what, text, problem] of breaks) {
    test(`${what}: the link is closed, said, and tried again late`, async () => {
      const nodes = new LinkedNodes();
      const a = nodes.node("a", { peers: ["b"] });
      nodes.node("b");
      await nodes.pass(100);
      const { near, far } = must(nodes.network.links[0]);
      far.send(text);
      await nodes.pass(50);
      assert.equal(near.closedWith?.code, 1002);
      assert.equal(a.only.state, "waiting");
      assert.match(a.only.trouble, /^broke the protocol: /);
      assert.match(a.only.trouble, problem);
      assert.ok((a.only.retryInMs ?? 0) >= limits.documentRedialMaxMs / 2 - 100);
      assert.deepEqual(a.exchange.log(), []);
    });
  }

  test("a message that is not text: closed with 1003", async () => {
    const nodes = new LinkedNodes();
    nodes.node("a", { peers: ["b"] });
    nodes.node("b");
    await nodes.pass(100);
    const { near } = must(nodes.network.links[0]);
    near.arriveBinary(100);
    assert.equal(near.closedWith?.code, 1003);
  });

  test("types of messages that it does not know are passed over: a later version may have them", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    nodes.node("b");
    await nodes.pass(100);
    const { far } = must(nodes.network.links[0]);
    for (const type of ["later", "constructor", "__proto__"]) far.send(JSON.stringify({ type }));
    await nodes.pass(100);
    assert.equal(a.only.state, "up");
  });

  test("duplicates are passed over, what comes out of order is put in order", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b");
    await nodes.pass(100);
    let held: string | undefined;
    // Every second batch comes behind the one after it, and all come twice.
    must(nodes.network.links[0]).near.tamper = (text) => {
      if (text[0] !== "[") return [text];
      if (held === undefined) {
        held = text;
        return [];
      }
      const texts = [text, held, text, held];
      held = undefined;
      return texts;
    };
    for (let turn = 0; turn < 10; turn++) {
      a.exchange.write(2);
      await nodes.pass(10);
    }
    await nodes.pass(5_000);
    assert.deepEqual(b.exchange.log(), idsOf("a", 20));
    assert.ok(b.exchange.duplicateCount > 0);
  });

  test("a gap is asked for at once: nobody waits for a heartbeat", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b");
    await nodes.pass(100);
    let lose = true;
    must(nodes.network.links[0]).near.tamper = (text) => {
      if (text[0] !== "[" || !lose) return [text];
      lose = false;
      return [];
    };
    a.exchange.write(3);
    await nodes.pass(5);
    a.exchange.write(1);
    await nodes.pass(20);
    assert.deepEqual(b.exchange.log(), idsOf("a", 4));
  });

  test("what was lost with nothing behind it is sent again: unconfirmed for two heartbeats", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b");
    await nodes.pass(100);
    let lose = true;
    must(nodes.network.links[0]).near.tamper = (text) => {
      if (text[0] !== "[" || !lose) return [text];
      lose = false;
      return [];
    };
    a.exchange.write(3);
    await nodes.pass(1_000);
    assert.deepEqual(b.exchange.log(), []);
    await nodes.pass(4_000);
    assert.deepEqual(b.exchange.log(), idsOf("a", 3));
  });

  test("a payload forged for a known Id is refused and told", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    nodes.node("b");
    a.exchange.write(3);
    await nodes.pass(100);
    must(nodes.network.links[0]).far.send('[{"Source":"a","Id":2,"Payload":"[1]"}]');
    await nodes.pass(100);
    assert.equal(a.exchange.forgedCount, 1);
    assert.match(a.only.trouble, /another transaction under the Id 2 of a in default/);
    assert.equal(a.only.state, "up");
  });

  test("what cannot be stored is refused in words and sent again when it may be", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    const b = nodes.node("b");
    b.exchange.refusal = new TrubaError("DISKFULL", "the disk is full", { retryAfterMs: 2_000 });
    a.exchange.write(3);
    await nodes.pass(1_000);
    assert.match(a.only.trouble, /does not take default: DISKFULL: the disk is full/);
    assert.ok(b.exchange.arrivals.length <= 2, `${b.exchange.arrivals.length} attempts`);
    assert.equal(a.only.backlog > 0 || b.exchange.log().length === 0, true);
    b.exchange.refusal = undefined;
    await nodes.pass(4_000);
    assert.deepEqual(b.exchange.log(), idsOf("a", 3));
  });

  test("a node of another version is refused in words and tried late", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    nodes.network.listen("b", { version: 2, accept: () => {} });
    await nodes.pass(1_000);
    assert.match(a.only.trouble, /version 2 of the links' protocol; this node speaks version 1/);
    assert.ok((a.only.retryInMs ?? 0) > 10_000);
    assert.equal(a.exchange.expected, 1);
  });

  test("one who connects as a Truba node and never says hello is let go after ten seconds", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    nodes.network.listen("b", {
      version: 1,
      accept: (link) => link.bind({ message() {}, binary() {}, drained() {}, closed() {} }),
    });
    await nodes.pass(5_000);
    assert.equal(a.only.state, "connecting");
    await nodes.pass(6_500);
    assert.equal(nodes.network.links[0]?.near.closedWith?.code, 1001);
  });
});

suite("history that was given up", () => {
  test("a peer that holds nothing of the document gets its base, in pieces, and then what comes", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    a.exchange.write(1_000, "default", "x".repeat(1_000));
    a.exchange.trimmed = 900;
    const b = nodes.node("b", { peers: ["a"] });
    await nodes.pass(500);
    a.exchange.write(1);
    await nodes.pass(500);
    assert.deepEqual(b.exchange.log(), idsOf("a", 1_001));
    const { far } = must(nodes.network.links[0]);
    const pieces = far.sentTexts.filter((text) => text.includes('"base"'));
    assert.ok(pieces.length > 3, `${pieces.length} pieces`);
  });

  test("a peer that holds a part of it and lacks what is gone is told of as a trouble, and the rest goes on", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a");
    const b = nodes.node("b", { peers: ["a"] });
    a.exchange.write(2);
    await nodes.pass(500);
    must(nodes.network.links[0]).near.break();
    a.exchange.write(5);
    a.exchange.trimmed = 6;
    await nodes.pass(2_000);
    assert.deepEqual(b.exchange.log(), idsOf("a", 2));
    assert.match(a.only.trouble, /cannot be sent default: HISTORYTRIMMED/);
    b.exchange.write(1);
    await nodes.pass(500);
    assert.ok(a.exchange.log().includes("b:1"));
  });

  test("pieces in the wrong order are refused", async () => {
    const nodes = new LinkedNodes();
    const a = nodes.node("a", { peers: ["b"] });
    nodes.node("b");
    await nodes.pass(100);
    const { far } = must(nodes.network.links[0]);
    const piece = { type: "base", document: "default", part: 2, parts: 2, text: "[]" };
    far.send(JSON.stringify(piece));
    await nodes.pass(100);
    assert.match(a.only.trouble, /sends the base of default in the wrong order/);
    assert.deepEqual(a.exchange.log(), []);
  });
});
