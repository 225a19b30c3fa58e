/** Quorums, one and joint: the published tables, and the definition. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { committedIndex, voteResult } from "../../src/raft/quorum.ts";
import type { ReplicaId } from "../../src/raft/vocabulary.ts";
import { publishedFiles } from "../raft-scenarios/published-files.ts";
import { runFile } from "../raft-scenarios/quorum-tables.ts";

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 9 });
const matches = fc.array(fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }), {
  minLength: 10,
  maxLength: 10,
});
const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 10, maxLength: 10 });

function isMajority(part: readonly ReplicaId[], whole: readonly ReplicaId[]): boolean {
  return whole.length === 0 || part.length * 2 > whole.length;
}

suite("quorums (thesis 3.6.2, 4.3)", () => {
  const { names, pathOf, skip } = publishedFiles("quorum");
  test("the published tables are there", { skip }, () => assert.equal(names.length, 4));
  for (const name of names) {
    test(`published table ${name}`, () => {
      const { cases, failures } = runFile(pathOf(name));
      assert.deepEqual(failures, []);
      assert.ok(cases > 0);
    });
  }

  test("P1: an index is committed exactly if a majority of each set holds it", () => {
    fc.assert(
      fc.property(ids, ids, matches, (voters, outgoing, match) => {
        const committed = committedIndex(voters, outgoing, (id) => match[id]);
        // By the definition: try every index there is.
        let expected = voters.length + outgoing.length === 0 ? Infinity : 0;
        for (let index = 1; index <= 6 && expected !== Infinity; index++) {
          const holders = (set: readonly ReplicaId[]): ReplicaId[] =>
            set.filter((id) => (match[id] ?? 0) >= index);
          if (!isMajority(holders(voters), voters)) continue;
          if (isMajority(holders(outgoing), outgoing)) expected = index;
        }
        assert.equal(committed, expected);
      }),
      { numRuns: 3_000 },
    );
  });

  test("a vote is won by a majority of each set, lost when that cannot come any more", () => {
    fc.assert(
      fc.property(ids, ids, votes, (voters, outgoing, vote) => {
        const result = voteResult(voters, outgoing, (id) => vote[id]);
        const wonIf = (open: boolean): boolean =>
          [voters, outgoing].every((set) =>
            isMajority(
              set.filter((id) => vote[id] ?? open),
              set,
            ),
          );
        const expected = wonIf(false) ? "won" : wonIf(true) ? "pending" : "lost";
        assert.equal(result, expected);
      }),
      { numRuns: 3_000 },
    );
  });

  test("a match that rises never takes back what was committed", () => {
    fc.assert(
      fc.property(
        ids,
        ids,
        matches,
        fc.integer({ min: 1, max: 9 }),
        (voters, outgoing, match, up) => {
          const before = committedIndex(voters, outgoing, (id) => match[id]);
          const after = committedIndex(voters, outgoing, (id) =>
            id === up ? (match[id] ?? 0) + 1 : match[id],
          );
          assert.ok(after >= before);
        },
      ),
    );
  });

  test("many voters with equal and with distinct matches", () => {
    const many = Array.from({ length: 101 }, (_, i) => i + 1);
    assert.equal(
      committedIndex(many, [], (id) => id),
      51,
    );
    assert.equal(
      committedIndex(many, [], () => 7),
      7,
    );
    assert.equal(
      committedIndex(many, [], () => undefined),
      0,
    );
    assert.equal(
      committedIndex([], [], () => 7),
      Infinity,
    );
  });
});
