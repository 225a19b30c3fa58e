/** Messages between nodes as text: three fields for plain peers, arrays and objects between Truba nodes (DESIGN §10). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import {
  type Control,
  controlText,
  decodeMessage,
  decodePlain,
  transactionText,
} from "../../../src/documents/links/wire.ts";
import { isDocumentName } from "../../../src/documents/document-name.ts";
import { isSource } from "../../../src/documents/source-name.ts";
import { countIn } from "../../../src/documents/vector-clock.ts";

const source = fc.oneof(
  fc.constantFrom("a", "__proto__", "constructor", "узел 7", "😀"),
  fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }).filter(isSource),
);
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const document = fc.constantFrom("default", "a", "A.b_c~d-1");
const vclock = fc
  .array(fc.tuple(source, count), { maxLength: 5 })
  .map((entries) => Object.fromEntries(entries) as Record<string, number>);
const stamp = fc.record({
  ms: fc.nat({ max: 2 ** 48 - 1 }),
  counter: fc.nat({ max: 2 ** 32 - 1 }),
});
const clocks = fc
  .array(fc.tuple(source, fc.record({ clock: stamp, count })), { maxLength: 5 })
  .map((entries) => new Map(entries));
const hash = fc.constantFrom(null, "0".repeat(64));

const control: fc.Arbitrary<Control> = fc.oneof(
  fc.record({
    type: fc.constant("hello" as const),
    version: count,
    source,
    node: count,
    run: fc.string(),
    via: fc.string(),
  }),
  fc.record({ type: fc.constant("direct" as const), sources: fc.array(source) }),
  fc.record({
    type: fc.constant("have" as const),
    documents: fc.array(
      fc.record({ document, source, vclock, clocks, hash, open: fc.nat({ max: 16 }) }),
    ),
  }),
  fc.constant({ type: "ready" as const }),
  fc.record({ type: fc.constant("want" as const), document, from: vclock }),
  fc.record({
    type: fc.constant("refuse" as const),
    document,
    code: fc.string(),
    text: fc.string(),
    retryMs: count,
  }),
  fc.record({
    type: fc.constant("base" as const),
    document,
    part: fc.constant(1),
    parts: fc.integer({ min: 1, max: 9 }),
    text: fc.string(),
  }),
  fc.record({ type: fc.constant("ping" as const), at: fc.nat() }),
  fc.record({ type: fc.constant("pong" as const), at: fc.nat(), wallMs: fc.nat() }),
);

suite("messages as text", () => {
  test("a transaction is what it was, whoever reads it", () => {
    const payload = fc.string({ unit: "grapheme" });
    fc.assert(
      fc.property(source, count, payload, document, (from, id, text, name) => {
        const transaction = { source: from, id, payload: text };
        assert.deepEqual(decodePlain(transactionText(transaction)), {
          transactions: [transaction],
        });
        assert.deepEqual(decodeMessage(`[${transactionText(transaction, name)}]`), {
          kind: "transactions",
          transactions: [{ document: name, transaction }],
        });
      }),
    );
  });

  test("what is said about them is what it was, names that mean something to JavaScript included", () => {
    fc.assert(
      fc.property(control, (given) => {
        // What is drawn has no prototype.
        const plain = structuredClone(given);
        assert.deepEqual(decodeMessage(controlText(given)), { kind: "control", control: plain });
      }),
    );
  });

  test("whatever comes is decoded or named, never thrown at", () => {
    const member = fc.constantFrom("Source", "Id", "Payload", "Document", "type", "documents");
    const junk = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom(null, 0, -1, 1e300, "", "have", "want", true),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(member, tie("value"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          junk.value.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          const { kind } = decodeMessage(text);
          assert.ok(["transactions", "control", "unknown", "broken"].includes(kind));
          const { transactions, problem } = decodePlain(text);
          for (const { id } of transactions) assert.ok(Number.isSafeInteger(id) && id >= 0);
          if (transactions.length === 0 && text !== "[]") assert.notEqual(problem, undefined);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("half a surrogate pair, which UTF-8 cannot hold, becomes one known text on every node", () => {
    const { transactions } = decodePlain('{"Source":"p","Id":1,"Payload":"a\\ud800b"}');
    assert.equal(transactions[0]?.payload, "a\ufffdb");
    assert.equal(decodePlain('{"Source":"\\ud800","Id":1,"Payload":""}').transactions.length, 0);
  });

  test("nesting as deep as a message allows does not exhaust the stack (P8)", () => {
    const deep = "[".repeat(4_000_000);
    assert.equal(decodeMessage(deep).kind, "broken");
    assert.equal(decodeMessage(deep + "]".repeat(4_000_000)).kind, "broken");
  });

  test("names: of sources 128 bytes without control characters, of documents 128 safe characters", () => {
    assert.ok(isSource("ы".repeat(64)));
    for (const wrong of ["", "ы".repeat(65), "a\n", "a\u0000", "a\u007f", 3, null])
      assert.ok(!isSource(wrong));
    assert.ok(isDocumentName("A".repeat(128)));
    for (const wrong of ["", "A".repeat(129), "a/b", "a b", "ы", 3])
      assert.ok(!isDocumentName(wrong));
  });

  test("a clock without a source has none of it, whatever the source's name", () => {
    for (const name of ["a", "constructor", "toString", "__proto__"]) {
      assert.equal(countIn({}, name), 0);
      assert.equal(countIn(JSON.parse(`{"${name}":3}`) as Record<string, number>, name), 3);
    }
  });
});
