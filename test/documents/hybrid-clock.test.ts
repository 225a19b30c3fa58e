/** The hybrid logical clock of a node, and what nodes tell each other inside payloads. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { VirtualClock } from "../../src/base/virtual-clock.ts";
import { HybridClock } from "../../src/documents/hybrid-clock.ts";
import { decodeMetadata, metadataJson } from "../../src/documents/order-metadata.ts";
import type { OrderMetadata } from "../../src/documents/order-metadata.ts";
import {
  decodePayload,
  payloadText,
  recordText,
  visibleOperations,
} from "../../src/documents/payload.ts";
import { compareStamps, stampBefore } from "../../src/documents/stamp.ts";
import type { Json } from "../../src/patch/json.ts";

suite("the hybrid clock (Kulkarni et al. 2014, figure 5)", () => {
  test("is the wall clock while that goes forward, and counts where it does not", async () => {
    const wall = new VirtualClock(1_000);
    const clock = new HybridClock(wall);
    assert.deepEqual(
      [clock.next(), clock.next()],
      [
        { ms: 1_000, counter: 0 },
        { ms: 1_000, counter: 1 },
      ],
    );
    await wall.advance(5);
    assert.deepEqual(clock.next(), { ms: 1_005, counter: 0 });
  });

  test("goes behind what it observed, promised, and was at before a restart", async () => {
    const wall = new VirtualClock(1_000);
    const clock = new HybridClock(wall, { ms: 2_000, counter: 7 });
    assert.deepEqual(clock.next(), { ms: 2_000, counter: 8 });
    clock.observe({ ms: 2_000, counter: 3 });
    assert.deepEqual(clock.next(), { ms: 2_000, counter: 9 });
    clock.observe({ ms: 3_000, counter: 4 });
    assert.deepEqual(
      [clock.next(), clock.last],
      [
        { ms: 3_000, counter: 5 },
        { ms: 3_000, counter: 5 },
      ],
    );
    await wall.advance(9_000);
    assert.deepEqual(clock.now(), { ms: 10_000, counter: 0 });
    assert.deepEqual(clock.next(), { ms: 10_000, counter: 1 });
  });

  test("a counter that is full goes on to the next millisecond", () => {
    const clock = new HybridClock(new VirtualClock(1_000), { ms: 1_000, counter: 2 ** 32 - 1 });
    assert.deepEqual(clock.next(), { ms: 1_001, counter: 0 });
  });

  test("the stamp before a stamp", () => {
    assert.deepEqual(stampBefore({ ms: 5, counter: 2 }), { ms: 5, counter: 1 });
    assert.deepEqual(stampBefore({ ms: 5, counter: 0 }), { ms: 4, counter: 2 ** 32 - 1 });
    assert.ok(compareStamps({ ms: 4, counter: 2 ** 32 - 1 }, { ms: 5, counter: 0 }) < 0);
  });
});

suite("metadata in payloads", () => {
  const full: OrderMetadata = {
    stamp: { ms: 5, counter: 6 },
    seen: [{ source: "b", count: 3 }],
    adopted: [{ source: "p", first: 1, last: 2 }],
    eviction: { source: "d", members: ["a", "b"] },
    frozen: { source: "d", count: 0 },
  };

  test("comes back as it went", () => {
    assert.deepEqual(decodeMetadata(metadataJson(full)), full);
    assert.equal(
      JSON.stringify(metadataJson(full)),
      '{"t":[5,6],"d":{"b":3},"a":[["p",1,2]],"e":{"source":"d","members":["a","b"]},"f":["d",0]}',
    );
  });

  test("members that are not known are passed over; what cannot be right is none", () => {
    assert.deepEqual(decodeMetadata({ t: [1, 2], later: true }), { stamp: { ms: 1, counter: 2 } });
    const wrong: Json[] = [
      null,
      [],
      {},
      { t: 1 },
      { t: [1] },
      { t: [1, 2, 3] },
      { t: [-1, 0] },
      { t: [2 ** 48, 0] },
      { t: [0, 2 ** 32] },
      { t: [0.5, 0] },
      { t: [1, 2], d: [] },
      { t: [1, 2], d: { b: -1 } },
      { t: [1, 2], a: [["p", 2, 1]] },
      { t: [1, 2], a: [["p", 0, 1]] },
      { t: [1, 2], e: { source: "x" } },
      { t: [1, 2], f: ["x"] },
    ];
    for (const value of wrong)
      assert.equal(decodeMetadata(value), undefined, JSON.stringify(value));
  });

  test("stands in the first operation, where users do not see it", () => {
    const operations = [
      { op: "add", path: "/x", value: { "~": "mine" } },
      { op: "test", path: "/y", value: 1 },
    ];
    const payload = payloadText(operations, { stamp: { ms: 5, counter: 6 } });
    assert.equal(
      payload,
      '[{"op":"add","path":"/x","value":{"~":"mine"},"~":{"t":[5,6]}},{"op":"test","path":"/y","value":1}]',
    );
    assert.deepEqual(visibleOperations(payload), operations);
    assert.deepEqual(decodePayload(payload).metadata, { stamp: { ms: 5, counter: 6 } });
  });

  test("a record has no operations, whatever it has for plain peers", () => {
    const payload = recordText({ stamp: { ms: 5, counter: 6 }, frozen: { source: "b", count: 1 } });
    assert.deepEqual([visibleOperations(payload), decodePayload(payload).patch], [[], []]);
  });

  test("what is malformed is so for the text alone", () => {
    const texts = [
      "",
      "{}",
      "[1]",
      '[{"op":"add","path":"x","value":1}]',
      '[{"op":"add","path":"/x"}]',
      `[${"[".repeat(300)}${"]".repeat(300)}]`,
      '[{"op":"add","path":"/x","value":1e400}]',
      '[{"op":"add","path":"/x","value":1,"~":1}]',
      `["${"x".repeat(2 ** 20)}"]`,
    ];
    for (const text of texts) {
      assert.notEqual(decodePayload(text).malformed, undefined, text.slice(0, 60));
      assert.deepEqual(decodePayload(text), decodePayload(text));
    }
    assert.equal(decodePayload("[]").malformed, undefined);
  });
});
