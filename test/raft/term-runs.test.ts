/** The terms of a log as runs, against the plain list of terms. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { TermRuns } from "../../src/raft/term-runs.ts";

/** Terms by index; the base is the first. */
interface Model {
  base: number;
  terms: number[];
}

function check(runs: TermRuns, { base, terms }: Model): void {
  const last = base + terms.length - 1;
  assert.equal(runs.base, base);
  assert.equal(runs.last, last);
  assert.equal(runs.lastTerm, terms.at(-1));
  for (let index = base - 2; index <= last + 2; index++) {
    assert.equal(runs.termAt(index), terms[index - base], `term at ${index}`);
  }
  assert.equal(runs.runs[0]?.first, base);
  for (const [at, run] of runs.runs.entries()) {
    const next = runs.runs[at + 1];
    assert.ok(run.first <= last);
    if (next !== undefined) assert.ok(run.first < next.first && run.term < next.term, "runs rise");
  }
  for (let index = base; index <= last + 2; index++) {
    for (let term = 0; term <= (terms.at(-1) ?? 0) + 1; term++) {
      let expected = Math.min(index, last);
      while (expected >= base && (terms[expected - base] ?? 0) > term) expected--;
      assert.equal(runs.lastAtOrBelow(index, term), expected, `at or below ${index}, term ${term}`);
    }
  }
}

function twoRuns(): TermRuns {
  const runs = new TermRuns(5, 2);
  runs.put(6, 3);
  return runs;
}

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom("put", "put", "put", "put", "truncate", "compact", "restart"),
    a: fc.nat(8),
    b: fc.constantFrom(0, 0, 0, 1, 2),
  }),
  { maxLength: 40 },
);

suite("term runs (thesis 3.5, log matching)", () => {
  test("hold what a list of terms holds, whatever is appended, cut off and compacted", () => {
    fc.assert(
      fc.property(fc.nat(5), fc.nat(3), steps, (base, term, list) => {
        const runs = new TermRuns(base, term);
        let model: Model = { base, terms: [term] };
        for (const { kind, a, b } of list) {
          const last = model.base + model.terms.length - 1;
          if (kind === "put") {
            // Mostly at the end, sometimes over what is there.
            const index = Math.max(model.base + 1, last + 1 - (a > 6 ? a - 5 : 0));
            model.terms.length = index - model.base;
            const next = (model.terms.at(-1) ?? 0) + b;
            model.terms.push(next);
            runs.put(index, next);
          } else if (kind === "truncate") {
            const to = Math.max(model.base, last - a + 1);
            model.terms.length = Math.min(model.terms.length, to - model.base + 1);
            runs.truncate(to);
          } else if (kind === "compact") {
            const to = Math.min(last, model.base + a - 2);
            runs.compact(to);
            if (to > model.base) model = { base: to, terms: model.terms.slice(to - model.base) };
          } else {
            runs.restart(last + a, b);
            model = { base: last + a, terms: [b] };
          }
          check(runs, model);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("gaps, falling terms and cuts outside the log are bugs of ours", () => {
    assert.throws(() => twoRuns().put(8, 3), /gap/);
    assert.throws(() => twoRuns().put(7, 2), /decrease/);
    assert.throws(() => twoRuns().truncate(4), /below its base/);
    assert.throws(() => twoRuns().compact(7), /above its end/);
  });
});
