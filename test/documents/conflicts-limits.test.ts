/** What it takes to find conflicts is bounded, and what is found is what going through all pairs gives. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { chance, randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { limits } from "../../src/base/limits.ts";
import { findConflicts } from "../../src/documents/conflicts.ts";
import type { PlacedTransaction } from "../../src/documents/vocabulary.ts";
import type { Json } from "../../src/patch/json.ts";
import { brief, conflicts, placed, type Step } from "./conflicts-world.ts";

suite("conflicts: limits (P8)", () => {
  test("large values are left out, and the last 1,000 conflicts count", () => {
    const large = "x".repeat(5_000);
    const found = conflicts({}, [
      { by: "a:1", seen: {}, does: eightHundred(large) },
      { by: "b:1", seen: {}, does: eightHundred(1) },
      { by: "c:1", seen: {}, does: eightHundred(2) },
    ]);
    assert.equal(found.length, limits.documentHistoryMaxCount);
    assert.deepEqual([found.at(0)?.path, found.at(0)?.loser.source], ["/k600", "a"]);
    assert.deepEqual([found.at(0)?.lost, found.at(0)?.kept], [undefined, 2]);
    assert.equal(found.at(-1)?.path, "/k799");
  });

  test("the last 1,000 transactions are looked at", () => {
    const first = placed("a:1", [{ op: "add", path: "/x", value: -1 }]);
    const rest = Array.from({ length: limits.documentHistoryMaxCount }, (_, at) =>
      placed(`b:${at + 1}`, [{ op: "add", path: "/x", value: at }]),
    );
    assert.deepEqual(findConflicts([first, ...rest], { x: 999 }), []);
    assert.equal(findConflicts([first, ...rest.slice(1)], { x: 999 }).length, 1);
  });

  test("1,000 transactions that all move the same elements take half a second, not minutes", () => {
    const transactions = Array.from({ length: 1_000 }, (_, at) =>
      placed(
        `s${at % 50}:${Math.floor(at / 50) + 1}`,
        Array.from({ length: 12 }, (_value, more) => ({
          op: "add",
          path: `/l/${(at * 7 + more * 13) % 50}`,
          value: { x: at },
        })),
        { s0: at / 2 },
      ),
    );
    const started = performance.now();
    const found = findConflicts(transactions, { l: [] });
    assert.equal(found.length, limits.documentHistoryMaxCount);
    assert.ok(performance.now() - started < 10_000);
  });

  test("on objects it is what going through all pairs gives", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new SeededRandom(seed);
      const transactions: PlacedTransaction[] = [];
      const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
      for (let at = 0; at < 14; at++) {
        const source = "abc"[randomBelow(random, 3)] as string;
        const id = (counts[source] ?? 0) + 1;
        counts[source] = id;
        const seen = Object.fromEntries(
          Object.entries(counts).map(([other, held]) => [other, randomBelow(random, held + 1)]),
        );
        const path = Array.from({ length: 1 + randomBelow(random, 3) }, () =>
          chance(random, 0.5) ? "/x" : "/y",
        ).join("");
        const operation = { op: "add", path, value: `${source}${id}` };
        transactions.push(placed(`${source}:${id}`, [operation], seen));
      }
      assert.deepEqual(
        brief(findConflicts(transactions, {})).toSorted(),
        allPairs(transactions).toSorted(),
        `seed ${seed}`,
      );
    }
  });
});

/** Each has one write of a value of its own: those below or at a later one are gone with it. */
function allPairs(transactions: readonly PlacedTransaction[]): string[] {
  const found: string[] = [];
  let live: { readonly path: string; readonly transaction: PlacedTransaction }[] = [];
  for (const transaction of transactions) {
    const [operation] = transaction.operations as readonly { readonly path: string }[];
    const path = operation?.path ?? "";
    const isGone = (other: string): boolean => `${other}/`.startsWith(`${path}/`);
    for (const earlier of live.filter((one) => isGone(one.path))) {
      const { source, id, seen } = earlier.transaction;
      const known =
        source === transaction.source ||
        (transaction.seen?.[source] ?? 0) >= id ||
        (seen?.[transaction.source] ?? 0) >= transaction.id;
      if (known) continue;
      found.push(
        `shadowed ${earlier.path} ${source}:${id} by ${transaction.source}:${transaction.id}`,
      );
    }
    live = [...live.filter((one) => !isGone(one.path)), { path, transaction }];
  }
  return found;
}

function eightHundred(value: Json): readonly Step[] {
  return Array.from({ length: 800 }, (_, at) => ["add", `/k${at}`, value] as const);
}
