/** One document's replica, as a specification: order, verdicts, finality, plain peers, eviction, what is refused (DESIGN §10). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../src/base/limits.ts";
import type { WireTransaction } from "../../src/documents/exchange.ts";
import { payloadText } from "../../src/documents/payload.ts";
import type { ReplicaBase } from "../../src/documents/replica-base.ts";
import type { Json } from "../../src/patch/json.ts";
import { add, issue, open, plain, replace } from "./open-replica.ts";
import { orderText, sameEverywhere } from "./replica-invariants.ts";

suite("a replica's own transactions (DESIGN §10)", () => {
  test("Ids count from 1, and the payload is the patch with Truba's member in its first operation", () => {
    const a = open("a");
    assert.deepEqual(issue(a, add("/x", 1), add("/y", 2)), {
      source: "a",
      id: 1,
      payload:
        '[{"op":"add","path":"/x","value":1,"~":{"t":[1000,0]}},{"op":"add","path":"/y","value":2}]',
    });
    assert.equal(issue(a, add("/z", 3)).id, 2);
    assert.equal(a.text(), '{"x":1,"y":2,"z":3}');
    assert.deepEqual(a.vclock, { a: 2 });
  });

  test("a patch that fails now is refused, and nothing is made", () => {
    const a = open("a");
    issue(a, add("/x", 1));
    const refused = a.issue([add("/y", 2), { op: "test", path: "/x", value: 2 }]);
    assert.deepEqual(refused, {
      kind: "rejected",
      operation: 1,
      op: "test",
      path: "/x",
      reason: "test-failed",
      text: refused.kind === "rejected" ? refused.text : "",
      expected: 2,
      actual: 1,
    });
    assert.deepEqual([a.text(), a.vclock, a.transactions], ['{"x":1}', { a: 1 }, 1]);
  });

  test("an empty patch makes no transaction", () => {
    const a = open("a");
    assert.deepEqual(a.issue([]), {
      kind: "issued",
      transactions: [],
      change: { undone: 0, appendedOnly: true, operations: [], verdicts: [] },
    });
    assert.equal(a.transactions, 0);
  });

  test('a patch with a member "~" of its own is refused', () => {
    const a = open("a");
    for (const operations of [
      [{ ...(add("/x", 1) as object), "~": {} }],
      [add("/x", 1), { ...(add("/y", 1) as object), "~": 0 }],
    ])
      assert.throws(() => a.issue(operations as Json[]), { code: "BADPATCH" });
  });

  test("a patch that other nodes could not read is refused before it is made", () => {
    const a = open("a");
    assert.throws(() => a.issue([add("/x", "x".repeat(limits.documentPatchMaxBytes))]), {
      code: "TOOLARGE",
    });
    assert.equal(a.transactions, 0);
    assert.equal(issue(a, add("/x", 1)).id, 1);
  });

  test("lenient: a `replace` of a missing member travels as `add`", () => {
    const a = open("a");
    assert.equal(a.issue([replace("/0", [])]).kind, "rejected");
    const issued = a.issue([replace("/0", [])], { lenient: true });
    assert.equal(issued.kind, "issued");
    const [transaction] = issued.transactions;
    assert.ok(transaction?.payload.startsWith('[{"op":"add","path":"/0","value":[],'));
  });

  test("a dry run says what would be, and changes nothing", () => {
    const a = open("a");
    issue(a, add("/x", 1));
    const would = a.dryRun([add("/y", [2])]);
    assert.equal(would.kind === "would" && would.text, '{"x":1,"y":[2]}');
    assert.equal(a.dryRun([{ op: "remove", path: "/y" }]).kind, "rejected");
    assert.deepEqual([a.text(), a.transactions], ['{"x":1}', 1]);
  });
});

suite("the total order (D7, D8)", () => {
  test("by stamp, then source, then Id, whoever hears of what when", () => {
    const a = open("a", { wallMs: 2_000 });
    const b = open("b", { wallMs: 1_000 });
    const fromA = [issue(a, add("/x", "a1")), issue(a, add("/x", "a2"))];
    const fromB = [issue(b, add("/x", "b1"))];
    b.receive(fromA, "truba");
    a.receive(fromB, "truba");
    sameEverywhere([a, b]);
    assert.deepEqual(orderText(a), ["1 b:1 1000.0 ok", "2 a:1 2000.0 ok", "3 a:2 2000.1 ok"]);
    assert.equal(a.text(), '{"x":"a2"}');
  });

  test("equal milliseconds are told apart by the counter before the name, equal stamps by the name", () => {
    const [a, b] = [open("a"), open("b")];
    const fromA = [issue(a, add("/x", "a1")), issue(a, add("/x", "a2"))];
    const fromB = [issue(b, add("/x", "b1"))];
    a.receive(fromB, "truba");
    b.receive(fromA, "truba");
    sameEverywhere([a, b]);
    assert.deepEqual(orderText(a), ["1 a:1 1000.0 ok", "2 b:1 1000.0 ok", "3 a:2 1000.1 ok"]);
  });

  test("what a node makes stands behind all that it had heard of, also of a node whose clock runs ahead", () => {
    const [a, b] = [open("a", { wallMs: 1_000 }), open("b", { wallMs: 99_000 })];
    a.receive([issue(b, add("/x", 1))], "truba");
    const own = issue(a, replace("/x", 2));
    assert.match(own.payload, /"~":\{"t":\[99000,1\],"d":\{"b":1\}\}/);
    b.receive([own], "truba");
    assert.equal(b.text(), '{"x":2}');
    assert.deepEqual(a.placed(2, 1)[0]?.seen, { b: 1 });
  });

  test("a stamp that goes back along its source counts as the one before", () => {
    const a = open("a");
    a.receive(
      [stamped(1, 5_000), stamped(2, 1_000), { source: "b", id: 3, payload: "?" }],
      "truba",
    );
    assert.deepEqual(orderText(a), [
      "1 b:1 5000.0 ok",
      "2 b:2 5000.0 ok",
      "3 b:3 5000.0 malformed@0",
    ]);
  });

  test("a batch that comes late costs one undo and one redo, and tells one change that never fails", () => {
    const [a, b] = [open("a", { wallMs: 2_000 }), open("b", { wallMs: 1_000 })];
    issue(a, add("/list", []));
    issue(a, add("/list/-", "a"));
    const { change } = a.receive([issue(b, add("/x", 1)), issue(b, add("/y", 2))], "truba");
    assert.equal(change.undone, 2);
    assert.equal(change.appendedOnly, false);
    assert.deepEqual(change.operations, [
      { op: "remove", path: "/list/0" },
      { op: "remove", path: "/list" },
      { op: "add", path: "/x", value: 1 },
      { op: "add", path: "/y", value: 2 },
      { op: "add", path: "/list", value: [] },
      { op: "add", path: "/list/-", value: "a" },
    ]);
    assert.deepEqual(
      change.verdicts.map(({ source, id }) => `${source}:${id}`),
      ["b:1", "b:2"],
    );
    assert.deepEqual(a.counts.redoneLongest, 2);
  });

  test("a change of more operations than watchers are told is a snapshot", () => {
    const [a, b] = [open("a", { wallMs: 2_000 }), open("b", { wallMs: 1_000 })];
    issue(a, add("/x", 1));
    const many = Array.from({ length: limits.documentChangeMaxOperations }, (_, at) =>
      issue(b, add("/y", at)),
    );
    assert.equal(a.receive(many, "truba").change.operations, undefined);
  });
});

suite("verdicts (D9)", () => {
  test("a transaction that fails at its place changes nothing, keeps its Id, and says why, on every node alike", () => {
    const [a, b] = [open("a", { wallMs: 1_000 }), open("b", { wallMs: 2_000 })];
    const first = issue(a, add("/x", 1));
    b.receive([first], "truba");
    const early = issue(a, { op: "remove", path: "/x" });
    const late = issue(b, { op: "test", path: "/x", value: 1 }, add("/y", 2));
    a.receive([late], "truba");
    assert.equal(b.verdictOf("b", 1)?.verdict.kind, "ok", "while it does not know better");
    const { change } = b.receive([early], "truba");
    sameEverywhere([a, b]);
    assert.equal(a.text(), "{}");
    assert.equal(a.rejected, 1);
    assert.deepEqual(
      change.verdicts.map(({ source, id, verdict }) => `${source}:${id} ${verdict.kind}`),
      ["a:2 ok", "b:1 rejected"],
    );
    const verdict = b.verdictOf("b", 1)?.verdict;
    assert.equal(verdict?.kind === "rejected" && verdict.reason, "missing");
  });

  test("a payload that is no patch takes its Id and is rejected at its place", () => {
    const a = open("a");
    const { accepted } = a.receive(
      [{ source: "p", id: 1, payload: "hello" }, plain("p", 2, add("/x", 1))],
      "plain",
    );
    assert.equal(accepted.length, 2);
    const verdict = a.verdictOf("p", 1)?.verdict;
    assert.equal(verdict?.kind === "rejected" && verdict.reason, "malformed");
    assert.equal(a.text(), '{"x":1}');
    assert.deepEqual(a.vclock, { a: 1, p: 2 });
  });

  test("a number that a double does not hold, and a stamp out of range, are malformed", () => {
    const a = open("a");
    a.receive(
      [
        { source: "p", id: 1, payload: '[{"op":"add","path":"/x","value":[1e999]}]' },
        {
          source: "p",
          id: 2,
          payload: `[{"op":"add","path":"/x","value":1,"~":{"t":[${2 ** 48},0]}}]`,
        },
      ],
      "plain",
    );
    assert.equal(a.rejected, 2);
    assert.equal(a.text(), "{}");
  });

  test("the lenient document folds a peer's `replace` of a missing member as `add`, and tells watchers so", () => {
    const lenient = open("a", { lenient: true });
    const strict = open("b");
    const from = [plain("p", 1, replace("/0", []))];
    assert.deepEqual(lenient.receive(from, "plain").change.operations, [add("/0", [])]);
    strict.receive(from, "plain");
    assert.deepEqual([lenient.text(), strict.text()], ['{"0":[]}', "{}"]);
  });
});

suite("what comes from peers", () => {
  test("what is there already is passed over, also twice in one batch", () => {
    const [a, b] = [open("a"), open("b")];
    const one = issue(b, add("/x", 1));
    assert.deepEqual(
      [a.receive([one, one], "truba"), a.receive([one], "truba")].map(
        ({ accepted, duplicates }) => [accepted.length, duplicates],
      ),
      [
        [1, 1],
        [0, 1],
      ],
    );
  });

  test("what comes before what is missing is held back, and the gap is told", () => {
    const [a, b] = [open("a"), open("b")];
    const [one, two, three, four] = [1, 2, 3, 4].map((at) => issue(b, add(`/${at}`, at)));
    assert.ok(one && two && three && four);
    const received = a.receive([four, two], "truba");
    assert.deepEqual(received.missing, [
      { source: "b", from: 1, to: 1 },
      { source: "b", from: 3, to: 3 },
    ]);
    assert.deepEqual([received.accepted.length, a.text()], [0, "{}"]);
    assert.deepEqual(
      a.receive([one], "truba").accepted.map(({ id }) => id),
      [1, 2],
    );
    assert.deepEqual(a.missing(), [{ source: "b", from: 3, to: 3 }]);
    assert.deepEqual(
      a.receive([three], "truba").accepted.map(({ id }) => id),
      [3, 4],
    );
    assert.deepEqual([a.missing(), a.text()], [[], b.text()]);
  });

  test("what is held back has a limit; over it it is dropped, to be asked for again", () => {
    const a = open("a");
    const payload = JSON.stringify([add("/x", 1)]);
    const early = Array.from({ length: limits.documentGapMaxCount + 5 }, (_, at) => ({
      source: "p",
      id: at + 2,
      payload,
    }));
    a.receive(early, "truba");
    const { accepted } = a.receive([{ source: "p", id: 1, payload }], "truba");
    assert.equal(accepted.length, limits.documentGapMaxCount + 1);
  });

  test("another payload under a known Id is refused and counted; the first one stays", () => {
    const a = open("a");
    a.receive([plain("p", 1, add("/x", 1)), plain("p", 3, add("/z", 1))], "plain");
    const received = a.receive(
      [
        plain("p", 1, add("/x", "forged")),
        plain("p", 3, add("/z", "forged")),
        plain("p", 2, add("/y", 1)),
      ],
      "plain",
    );
    assert.deepEqual(received.forged, [
      { source: "p", id: 1 },
      { source: "p", id: 3 },
    ]);
    assert.equal(a.text(), '{"x":1,"y":1,"z":1}');
    assert.equal(a.counts.forged, 2);
  });

  test("Ids of our own name above ours are our own past, until we make one ourselves", () => {
    const before = open("a");
    const [one, two, three] = [1, 2, 3].map((at) => issue(before, add(`/${at}`, at)));
    assert.ok(one && two && three);
    const restored = open("a");
    assert.deepEqual(restored.receive([one, two], "truba").accepted.length, 2);
    assert.equal(issue(restored, add("/x", 0)).id, 3);
    assert.deepEqual(restored.receive([three], "truba").forged, [{ source: "a", id: 3 }]);
    assert.deepEqual(restored.receive([{ ...three, id: 4 }], "truba").forged, [
      { source: "a", id: 4 },
    ]);
    assert.deepEqual(restored.vclock, { a: 3 });
  });

  test("nothing is made while some of our own past is on its way", () => {
    const before = open("a");
    const [, two] = [1, 2].map((at) => issue(before, add(`/${at}`, at)));
    assert.ok(two);
    const restored = open("a");
    restored.receive([two], "truba");
    assert.throws(() => restored.issue([add("/x", 0)]), { code: "SOURCECONFLICT" });
  });

  test("what is no transaction is counted and passed over", () => {
    const a = open("a");
    const garbage: unknown[] = [
      { source: "", id: 1, payload: "[]" },
      { source: "p", id: 1.5, payload: "[]" },
      { source: "p", id: -1, payload: "[]" },
      { source: "p", id: 1 },
      { source: "x\n", id: 1, payload: "[]" },
      { source: "é".repeat(65), id: 1, payload: "[]" },
    ];
    assert.equal(a.receive(garbage as WireTransaction[], "plain").malformed, garbage.length);
    assert.deepEqual(a.vclock, {});
  });

  test("sources may have any name", () => {
    const a = open("a");
    a.receive(
      [plain("__proto__", 1, add("/x", 1)), plain("constructor", 1, add("/y", 1))],
      "plain",
    );
    assert.deepEqual(Object.entries(a.vclock), [
      ["a", 1],
      ["__proto__", 1],
      ["constructor", 1],
    ]);
    const again = open("b", { base: JSON.parse(JSON.stringify(a.base())) as ReplicaBase });
    assert.deepEqual(Object.entries(again.vclock), []);
    again.receive([plain("__proto__", 1, add("/x", 1))], "plain");
    assert.deepEqual(Object.entries(again.vclock), [["__proto__", 1]], "adopted already");
  });
});

function stamped(id: number, ms: number): WireTransaction {
  return {
    source: "b",
    id,
    payload: payloadText([add("/x", id)], { stamp: { ms, counter: 0 } }),
  };
}
