/** Members that are gone for good, and what becomes of one that returns, as a specification (DESIGN §10). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { WireTransaction } from "../../src/documents/exchange.ts";
import { Replica } from "../../src/documents/replica.ts";
import { add, issue, open, plain, replace, unrestored } from "./open-replica.ts";
import { sameEverywhere } from "./replica-invariants.ts";

suite("eviction (D11)", () => {
  test("the cut is the most that one of the named members holds; all fetch up to it, and refuse what is above", () => {
    const { a, b, c } = three();
    const [one, two, lost] = [1, 2, 3].map((at) => issue(c, add(`/c${at}`, at)));
    assert.ok(one && two && lost);
    a.receive([one], "truba");
    b.receive([one, two], "truba");
    const asked = a.evict("c");
    assert.deepEqual(
      asked.transactions
        .map(({ payload }) => (JSON.parse(payload) as { "~": object }[])[0]?.["~"])
        .map((meta) => ({ ...meta, t: 0 })),
      [{ t: 0, d: { c: 1 }, e: { source: "c", members: ["a", "b"] }, f: ["c", 1] }],
    );
    assert.equal(a.receive([two], "truba").evicted, 1, "it takes no more until the cut is known");
    const answered = b.receive(asked.transactions, "truba");
    assert.deepEqual([answered.issued.length, b.cutOf("c")], [1, 2]);
    const told = a.receive(answered.issued, "truba");
    assert.deepEqual([a.cutOf("c"), told.missing], [2, [{ source: "c", from: 2, to: 2 }]]);
    assert.equal(a.receive([two, lost], "truba").evicted, 1);
    assert.equal(b.receive([lost], "truba").evicted, 1);
    for (const replica of [a, b]) replica.promised({ ms: 5_000, counter: 0 });
    a.heard("b", { ms: 5_000, counter: 0 }, 1);
    a.settle();
    assert.equal(a.final, a.transactions, "who is evicted holds nothing back");
    assert.deepEqual(a.members().find(({ source }) => source === "c")?.kind, "evicted");
    sameEverywhere([a, b]);
    assert.deepEqual(a.evict("c").transactions, []);
  });

  test("who returns finds out, takes a new name, and issues again what the others never saw; what does not apply any more is lost, and told", () => {
    const { a, b, c, all } = three();
    const kept = issue(a, add("/x", 1));
    c.receive([kept], "truba");
    b.receive([kept], "truba");
    const stored = [...all, kept, issue(c, add("/c1", 1)), issue(c, replace("/x", "c"))];
    const removed = issue(a, { op: "remove", path: "/x" });
    const asked = [removed, ...a.evict("c").transactions];
    const answered = b.receive(asked, "truba").issued;
    a.receive(answered, "truba");
    assert.equal(a.cutOf("c"), 0);
    const news = [...asked, ...answered];
    assert.equal(c.receive(news, "truba").belowBase, true);
    const again = Replica.successor(c);
    again.restore(stored);
    again.restored();
    const accepted = again.receive(news, "truba").accepted;
    assert.equal(again.isEvicted, true);
    again.rename("c2");
    const { transactions, lost } = again.reissue();
    assert.deepEqual(
      lost.map(({ operations, rejection }) => [operations, rejection.reason]),
      [[[replace("/x", "c")], "missing"]],
    );
    assert.deepEqual(
      transactions.map(({ source, id }) => `${source}:${id}`),
      ["c2:1"],
    );
    assert.equal(again.isEvicted, false);
    a.receive(transactions, "truba");
    b.receive(transactions, "truba");
    sameEverywhere([a, b, again]);
    assert.equal(a.text(), '{"c1":1,"first":1,"second":2}');
    const restarted = unrestored("c2", {});
    restarted.restore([...stored, ...accepted, ...transactions]);
    const { belowBase } = restarted.restored();
    const next = belowBase ? Replica.successor(restarted) : restarted;
    if (belowBase) {
      next.restore([...stored, ...accepted, ...transactions]);
      assert.equal(next.restored().belowBase, false);
    }
    sameEverywhere([a, next]);
  });

  test("what only the evicted had adopted, anybody adopts", () => {
    const { a, b, c } = three();
    const from = [plain("p", 1, add("/x", 1))];
    c.receive(from, "plain");
    a.receive(from, "truba");
    const asked = a.evict("c").transactions;
    const answered = b.receive(asked, "truba").issued;
    const { issued } = a.receive(answered, "truba");
    assert.equal(issued.length, 1);
    assert.notEqual(a.placed(a.transactions, 1)[0]?.stamp, null);
  });
});

/** Three nodes that know each other and have written; `all`: what. */
function three(): { a: Replica; b: Replica; c: Replica; all: WireTransaction[] } {
  const [a, b, c] = [open("a"), open("b"), open("c")];
  for (const one of [a, b, c])
    for (const { source } of [a, b, c]) if (source !== one.source) one.join(source);
  const all = [issue(a, add("/first", 1)), issue(a, add("/second", 2))];
  b.receive(all, "truba");
  c.receive(all, "truba");
  return { a, b, c, all };
}
