/** Who takes part, what is final, plain peers and restarts, as a specification (DESIGN §10). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { VirtualClock } from "../../src/base/virtual-clock.ts";
import { HybridClock } from "../../src/documents/hybrid-clock.ts";
import type { StoredTransaction } from "../../src/documents/ledger.ts";
import { recordText } from "../../src/documents/payload.ts";
import type { ReplicaBase } from "../../src/documents/replica-base.ts";
import { Replica } from "../../src/documents/replica.ts";
import { add, issue, open, plain, replace, unrestored } from "./open-replica.ts";
import { orderText, sameEverywhere } from "./replica-invariants.ts";

suite("what is final (D10)", () => {
  test("on a node alone everything is at once", () => {
    const a = open("a");
    issue(a, add("/x", 1));
    assert.equal(a.final, 0);
    assert.deepEqual(a.settle().verdicts, [
      { source: "a", id: 1, verdict: { kind: "ok" }, final: true },
    ]);
    assert.deepEqual([a.final, a.settled, a.verdictOf("a", 1)?.final], [1, 1, true]);
  });

  test("a member that was met holds finality back until its clock is heard", () => {
    const a = open("a");
    a.join("b");
    issue(a, add("/x", 1));
    issue(a, add("/y", 1));
    a.settle();
    assert.deepEqual([a.final, a.frontier], [0, null]);
    a.heard("b", { ms: 1_000, counter: 0 }, 0);
    a.settle();
    assert.equal(a.final, 1, "the other is at 1000.1");
    a.heard("b", { ms: 5_000, counter: 0 }, 0);
    a.settle();
    assert.equal(a.final, 2);
  });

  test("a clock counts only where all transactions issued before it are here", () => {
    const [a, b] = [open("a"), open("b")];
    a.join("b");
    const one = issue(b, add("/y", 1));
    a.heard("b", { ms: 9_000, counter: 0 }, 1);
    a.settle();
    assert.equal(a.final, 0);
    assert.equal(a.receive([one], "truba").late, 0);
    a.promised({ ms: 9_000, counter: 0 });
    a.settle();
    assert.equal(a.final, 1);
  });

  test("while a configured peer has not said who it is, nothing becomes final", () => {
    const a = open("a");
    a.expect(1);
    issue(a, add("/x", 1));
    a.settle();
    assert.equal(a.final, 0);
    a.expect(0);
    a.settle();
    assert.equal(a.final, 1);
  });

  test("a clock that was heard is one to stay behind", () => {
    const a = open("a");
    a.heard("b", { ms: 7_000, counter: 3 }, 0);
    assert.match(issue(a, add("/x", 1)).payload, /"t":\[7000,4\]/);
  });

  test("a writer whom nobody knew comes in where it must: what is final without it is folded anew", () => {
    const [a, b] = [open("a", { wallMs: 2_000 }), open("b", { wallMs: 1_000 })];
    const stored = [issue(a, add("/x", "a"))];
    a.settle();
    assert.equal(a.final, 1);
    const late = issue(b, add("/x", "b"));
    const received = a.receive([late], "truba");
    assert.deepEqual(
      [received.belowBase, received.accepted.length, a.text(), a.vclock],
      [true, 0, '{"x":"a"}', { a: 1 }],
    );
    const again = Replica.successor(a);
    again.restore(stored);
    assert.equal(again.restored().belowBase, false);
    const second = again.receive([late], "truba");
    assert.deepEqual([second.belowBase, second.late, second.accepted.length], [false, 1, 1]);
    assert.deepEqual(orderText(again), ["1 b:1 1000.0 ok", "2 a:1 2000.0 ok"]);
  });

  test("only so many are remembered how to undo, final or not", () => {
    const a = open("a", { maxTail: 3 });
    a.join("b");
    for (let at = 0; at < 10; at++) issue(a, add("/x", at));
    a.settle();
    assert.deepEqual([a.transactions, a.final, a.settled], [10, 0, 7]);
  });

  test("what is not adopted is remembered how to undo, however much it is: it will move", () => {
    const a = open("a", { maxTail: 2 });
    const from = [1, 2, 3, 4, 5].map((id) => plain("p", id, add("/x", id)));
    a.receive(from, "truba");
    assert.equal(a.settled, 0);
    assert.equal(
      a.receive([{ source: "b", id: 1, payload: adoptionText(1_000, 1) }], "truba").belowBase,
      false,
    );
    assert.deepEqual([a.settled, a.text()], [2, '{"x":5}']);
  });

  test("what every member holds is told apart from what is final", () => {
    const [a, b] = [open("a"), open("b")];
    const one = issue(a, add("/x", 1));
    b.receive([one], "truba");
    a.receive([issue(b, add("/y", 1))], "truba");
    assert.deepEqual(a.receivedEverywhere(), { a: 0, b: 0 });
    a.memberHas("b", b.vclock);
    assert.deepEqual(a.receivedEverywhere(), { a: 1, b: 1 });
  });
});

suite("plain peers (I10)", () => {
  test("the node that gets it from the peer adopts it in the same batch, under its own stamp", () => {
    const a = open("a");
    const { accepted, issued } = a.receive(
      [plain("p", 1, add("/x", 1)), plain("p", 2, add("/y", 2))],
      "plain",
    );
    assert.equal(accepted.length, 2);
    assert.deepEqual(
      issued.map(({ payload }) => JSON.parse(payload) as unknown),
      [
        [
          {
            op: "add",
            path: "/_truba",
            value: 0,
            "~": { t: [1_000, 0], d: { p: 2 }, a: [["p", 1, 2]] },
          },
          { op: "remove", path: "/_truba" },
        ],
      ],
    );
    a.settle();
    assert.deepEqual(orderText(a), ["1 a:1 1000.0 ok", "2 p:1 1000.0 ok", "3 p:2 1000.0 ok"]);
    assert.equal(a.final, 3, "a plain peer holds nothing back");
    assert.equal(a.placed(1, 1)[0]?.kind, "record");
  });

  test("until the adoption is here it stands behind all others, and is not final", () => {
    const [a, b] = [open("a"), open("b", { wallMs: 5_000 })];
    const { accepted, issued } = a.receive([plain("p", 1, add("/x", 1))], "plain");
    b.receive(accepted, "truba");
    issue(b, add("/y", 1));
    b.settle();
    assert.deepEqual(orderText(b), ["1 b:1 5000.0 ok", "2 p:1 - ok"]);
    assert.equal(b.final, 1);
    const moved = b.receive(issued, "truba");
    assert.equal(moved.belowBase, true, "b did not know of a");
    const c = open("c");
    c.receive(accepted, "truba");
    c.join("a");
    assert.equal(c.receive(issued, "truba").belowBase, false);
    assert.deepEqual(orderText(c), ["1 a:1 1000.0 ok", "2 p:1 1000.0 ok"]);
  });

  test("an adoption may come before what it adopts, and keeps the frontier from passing its place", () => {
    const [a, b] = [open("a"), open("b")];
    const { accepted, issued } = a.receive([plain("p", 1, add("/x", 1))], "plain");
    b.receive(issued, "truba");
    a.promised({ ms: 9_000, counter: 0 });
    b.heard("a", { ms: 9_000, counter: 0 }, 1);
    b.settle();
    assert.equal(b.final, 0);
    const received = b.receive(accepted, "truba");
    assert.deepEqual([received.late, received.issued.length], [0, 0]);
    b.settle();
    assert.deepEqual([orderText(b), b.final], [["1 a:1 1000.0 ok", "2 p:1 1000.0 ok"], 2]);
  });

  test("of several adoptions the least stamp counts, in whatever order they come", () => {
    const [a, b, c] = [
      open("a", { wallMs: 2_000 }),
      open("b", { wallMs: 1_000 }),
      open("c", { wallMs: 3_000 }),
    ];
    const from = [plain("p", 1, add("/x", "p"))];
    const byA = a.receive(from, "plain").issued;
    const byB = b.receive(from, "plain").issued;
    a.receive(byB, "truba");
    b.receive(byA, "truba");
    c.receive([...from, ...byA, ...byB], "truba");
    // Also before what they adopt is there.
    const [d, e] = [open("d"), open("e")];
    for (const transactions of [byB, byA, from]) d.receive(transactions, "truba");
    for (const transactions of [byA, byB, from]) e.receive(transactions, "truba");
    sameEverywhere([a, b, c, d, e]);
    assert.deepEqual(orderText(c), ["1 b:1 1000.0 ok", "2 p:1 1000.0 ok", "3 a:1 2000.0 ok"]);
  });

  test("one that counts from 0 keeps its Ids on the wire; inside they count from 1", () => {
    const a = open("a");
    const { accepted } = a.receive(
      [plain("p", 0, add("/x", 1)), plain("p", 2, add("/z", 1))],
      "plain",
    );
    assert.deepEqual(
      accepted.map(({ id, zeroBased }) => [id, zeroBased]),
      [[1, true]],
    );
    assert.deepEqual(a.missing(), [{ source: "p", from: 1, to: 1 }]);
    assert.equal(a.isZeroBased("p"), true);
    a.receive([plain("p", 1, add("/y", 1))], "plain");
    assert.deepEqual([a.vclock, a.text()], [{ p: 3, a: 2 }, '{"x":1,"y":1,"z":1}']);
  });

  test("an Id 0 of one that counts from 1 is no transaction", () => {
    const a = open("a");
    a.receive([plain("p", 1, add("/x", 1))], "plain");
    assert.equal(a.receive([plain("p", 0, add("/y", 1))], "plain").malformed, 1);
  });

  test("a local patch made while something is not adopted stands before it, and must hold there too", () => {
    const [a, b] = [open("a"), open("b")];
    const { accepted } = a.receive([plain("p", 1, add("/x", 1))], "plain");
    b.receive(accepted, "truba");
    const refused = b.issue([replace("/x", 2)]);
    assert.equal(refused.kind, "rejected", "/x will not be there at its place");
    assert.deepEqual([b.text(), b.transactions], ['{"x":1}', 1]);
    issue(b, add("/y", 1));
    assert.deepEqual(orderText(b), ["1 b:1 1000.1 ok", "2 p:1 - ok"]);
    assert.equal(b.text(), '{"x":1,"y":1}');
  });
});

suite("restarts", () => {
  test("a base and what came behind it give the same replica", () => {
    const [a, b] = [open("a"), open("b", { wallMs: 2_000 })];
    const stored: StoredTransaction[] = [issue(a, add("/x", 1)), issue(a, add("/x", 2))];
    a.settle();
    const fromB = [issue(b, add("/y", 1)), issue(b, { op: "remove", path: "/y" })];
    stored.push(...a.receive(fromB, "truba").accepted, issue(a, add("/z", 1)));
    const base = JSON.parse(JSON.stringify(a.base())) as ReplicaBase;
    assert.deepEqual([base.transactions, base.value], [2, { x: 2 }]);
    a.trim();
    assert.deepEqual([a.firstPlaced, a.verdictOf("a", 1)], [3, undefined]);
    const again = unrestored("a", { base });
    again.restore(stored);
    assert.equal(again.restored().belowBase, false);
    assert.deepEqual([again.text(), again.vclock, again.transactions], [a.text(), a.vclock, 5]);
    assert.deepEqual(orderText(again), orderText(a));
    assert.match(
      issue(again, add("/w", 1)).payload,
      /"t":\[2000,3\]\}/,
      "behind all that is there; nothing new was seen",
    );
  });

  test("a base may have a later Id of a source settled before an earlier one", () => {
    const stored: StoredTransaction[] = [
      plain("p", 1, add("/x", 1)),
      plain("p", 2, add("/x", 2)),
      { source: "b", id: 1, payload: adoptionText(1_000, 2) },
    ];
    const a = open("a", { maxTail: 2 });
    a.receive(stored, "truba");
    for (const value of [1, 2, 3]) stored.push(issue(a, add("/y", value)));
    assert.deepEqual(
      orderText(a).map((line) => line.split(" ")[1]),
      ["b:1", "p:2", "a:1", "a:2", "a:3", "p:1"],
    );
    assert.deepEqual([a.settled, a.text()], [4, '{"x":1,"y":3}']);
    const base = JSON.parse(JSON.stringify(a.base())) as ReplicaBase;
    assert.deepEqual(
      base.sources.find(({ source }) => source === "p"),
      { source: "p", count: 0, ahead: [2] },
    );
    const again = unrestored("a", { base, maxTail: 2 });
    again.restore(stored);
    assert.equal(again.restored().belowBase, false);
    const last = { source: "b", id: 2, payload: adoptionText(9_000, 1) };
    for (const replica of [a, again]) {
      replica.receive([last], "truba");
      for (const value of [4, 5, 6]) issue(replica, add("/y", value));
      assert.equal(replica.text(), '{"x":1,"y":6}');
      const { sources } = replica.base();
      assert.deepEqual(
        sources.find(({ source }) => source === "p"),
        { source: "p", count: 2 },
      );
      replica.trim();
    }
    assert.deepEqual(again.vclock, a.vclock);
    assert.deepEqual(orderText(again), orderText(a));
  });

  test("what must go below the base is found when it is restored", () => {
    const [a, b] = [open("a", { wallMs: 2_000 }), open("b", { wallMs: 1_000 })];
    const stored = [issue(a, add("/x", "a"))];
    a.settle();
    const base = a.base();
    const again = unrestored("a", { base });
    again.restore([...stored, issue(b, add("/x", "b"))]);
    assert.equal(again.restored().belowBase, true);
    const next = Replica.successor(again);
    next.restore([...stored, issue(open("b", { wallMs: 1_000 }), add("/x", "b"))]);
    assert.equal(next.restored().belowBase, false);
    assert.equal(next.text(), '{"x":"a"}');
  });

  test("the document is as it was at a moment, behind so many transactions or at a time", () => {
    const a = open("a");
    const stored = [1, 2, 3].map((value) => issue(a, add("/x", value)));
    assert.equal(a.at({ position: 2 })?.text, '{"x":2}');
    assert.deepEqual(a.at({ position: 2 })?.vclock, { a: 2 });
    assert.equal(a.at({ timeMs: 999 })?.text, "{}");
    a.settle();
    assert.equal(a.at({ position: 2 }), undefined, "that cannot be undone any more");
    const then = new Replica({
      name: "d",
      source: "reader",
      lenient: false,
      clock: new HybridClock(new VirtualClock(1_000)),
      maxTail: 0,
      until: { position: 2 },
    });
    then.restore(stored);
    then.restored();
    assert.deepEqual([then.text(), then.vclock, then.transactions], ['{"x":2}', { a: 2 }, 2]);
  });
});

/** A record that adopts one transaction of plain peer p. */
function adoptionText(ms: number, id: number): string {
  return recordText({ stamp: { ms, counter: 0 }, adopted: [{ source: "p", first: id, last: id }] });
}
