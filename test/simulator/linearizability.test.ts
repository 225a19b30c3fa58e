/** The linearizability checker against histories written by hand, and against a search that tries every order. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { checkLinearizable } from "../../simulator/cluster/linearizability.ts";
import type { SequentialModel, TimedAction } from "../../simulator/cluster/linearizability.ts";

/** A register that is written, read, and compared and set. `undefined` as answer: not known. */
type Action =
  | { readonly kind: "write"; readonly value: number }
  | { readonly kind: "read"; readonly value: number }
  | {
      readonly kind: "swap";
      readonly from: number;
      readonly to: number;
      readonly ok: boolean | undefined;
    };

const register: SequentialModel<number, Action> = {
  initial: 0,
  step(state, action) {
    if (action.kind === "write") return [action.value];
    if (action.kind === "read") return action.value === state ? [state] : [];
    const fits = action.from === state;
    if (action.ok === undefined) return fits ? [action.to] : [state];
    if (action.ok !== fits) return [];
    return [fits ? action.to : state];
  },
  textOf: (state) => `${state}`,
};

const write = (value: number, invoked: number, returned = Infinity): TimedAction<Action> => ({
  action: { kind: "write", value },
  invoked,
  returned,
  kind: `write ${value}`,
});
const read = (value: number, invoked: number, returned: number): TimedAction<Action> => ({
  action: { kind: "read", value },
  invoked,
  returned,
  looks: true,
});
const swap = (to: number, invoked: number, returned: number): TimedAction<Action> => ({
  action: { kind: "swap", from: 0, to, ok: true },
  invoked,
  returned,
});
const ranked = (value: number, rank: number, invoked: number): TimedAction<Action> => ({
  ...write(value, invoked, 10 + value),
  rank,
});
const verdictOf = (history: readonly TimedAction<Action>[]): string =>
  checkLinearizable(register, history).kind;

suite("linearizability (P2), by hand", () => {
  test("operations that overlap may happen in either order", () => {
    for (const seen of [1, 2])
      assert.equal(verdictOf([write(1, 1, 4), write(2, 2, 3), read(seen, 5, 6)]), "linearizable");
  });

  test("a stale read is found: the newer value was there before it was asked for", () => {
    assert.equal(verdictOf([write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)]), "violated");
  });

  test("two reads that see two writes in different orders are found", () => {
    const history = [write(1, 1, 9), write(2, 2, 10), read(1, 3, 4), read(2, 5, 6), read(1, 7, 8)];
    assert.equal(verdictOf(history), "violated");
  });

  test("a lost update is found: two that compared the same value both succeeded", () => {
    assert.equal(verdictOf([swap(1, 1, 4), swap(2, 2, 3)]), "violated");
  });

  test("a write of which nobody knows may have happened late, early or never", () => {
    const late = [write(1, 1), write(2, 2, 3), read(2, 4, 5), read(1, 6, 7)];
    assert.equal(verdictOf(late), "linearizable");
    assert.equal(verdictOf([write(1, 1), read(0, 2, 3)]), "linearizable");
    assert.equal(verdictOf([...late, read(2, 8, 9)]), "violated");
  });

  test("a write that happened twice is found", () => {
    const history = [write(1, 1), read(1, 2, 3), write(2, 4, 5), read(1, 6, 7)];
    assert.equal(verdictOf(history), "violated");
  });

  test("a write is not read before it is asked for", () => {
    assert.equal(verdictOf([read(1, 1, 2), write(1, 3)]), "violated");
  });

  test("ranks are kept: what they say happened first must be possible first", () => {
    assert.equal(verdictOf([ranked(1, 1, 1), ranked(2, 2, 2), read(2, 20, 21)]), "linearizable");
    assert.equal(verdictOf([ranked(1, 2, 1), ranked(2, 1, 2), read(2, 20, 21)]), "violated");
  });

  test("what cannot go on is said: how far it went and what had to be next", () => {
    const verdict = checkLinearizable(register, [write(1, 1, 2), read(7, 3, 4), read(1, 5, 6)]);
    assert.deepEqual(verdict, { kind: "violated", done: 1, state: "1", next: [1] });
  });

  test("a search that takes too long says so", () => {
    const history = Array.from({ length: 12 }, (_, i) => write(i + 1, i + 1, 100 + i));
    const verdict = checkLinearizable(register, [...history, read(99, 200, 201)], 500);
    assert.equal(verdict.kind, "undecided");
  });

  test("hundreds of writes of which nobody knows do not slow it down, whether the history is right or wrong", () => {
    const history: TimedAction<Action>[] = [];
    for (let i = 0; i < 2_000; i++) {
      history.push(i % 4 === 0 ? write(9, 3 * i) : write(1 + (i % 3), 3 * i, 3 * i + 1));
      if (i % 4 !== 0) history.push(read(1 + (i % 3), 3 * i + 2, 3 * i + 2.5));
    }
    assert.equal(verdictOf(history), "linearizable");
    assert.equal(verdictOf([...history, read(5, 9_000, 9_001)]), "violated");
  });
});

/** Every order there is, in the simplest way. */
function isLinearizable(history: readonly TimedAction<Action>[], state = 0): boolean {
  const known = history.filter(({ returned }) => returned !== Infinity);
  if (known.length === 0) return true;
  const before = Math.min(...known.map(({ returned }) => returned));
  return history.some((operation) => {
    if (operation.invoked > before) return false;
    const rest = history.filter((other) => other !== operation);
    return register.step(state, operation.action).some((next) => isLinearizable(rest, next));
  });
}

function randomHistory(random: SeededRandom): TimedAction<Action>[] {
  const count = 2 + randomBelow(random, 5);
  const moments = Array.from({ length: 2 * count }, (_, index) => index + 1);
  return Array.from({ length: count }, () => {
    const take = (): number => must(moments.splice(randomBelow(random, moments.length), 1)[0]);
    const [invoked, returned] = [take(), take()].sort((a, b) => a - b);
    const unknown = chance(random, 0.3);
    const action = randomAction(random, unknown);
    const until = unknown && action.kind !== "read" ? Infinity : must(returned);
    const looks = action.kind === "read" || (action.kind === "swap" && action.ok === false);
    return { action, invoked: must(invoked), returned: until, kind: JSON.stringify(action), looks };
  });
}

function randomAction(random: SeededRandom, unknown: boolean): Action {
  const value = randomBelow(random, 3);
  if (chance(random, 0.4)) return { kind: "read", value };
  if (chance(random, 0.5)) return { kind: "write", value };
  const ok = unknown ? undefined : chance(random, 0.5);
  return { kind: "swap", from: value, to: randomBelow(random, 3), ok };
}

suite("linearizability (P2), all orders", () => {
  test("the search says what trying every order says, for random small histories", () => {
    const counts = { linearizable: 0, violated: 0 };
    for (let seed = 1; seed <= 4_000; seed++) {
      const history = randomHistory(new SeededRandom(seed));
      const expected = isLinearizable(history) ? "linearizable" : "violated";
      assert.equal(verdictOf(history), expected, `seed ${seed}: ${JSON.stringify(history)}`);
      counts[expected]++;
    }
    assert.ok(counts.linearizable > 500, `${counts.linearizable} were right`);
    assert.ok(counts.violated > 500, `${counts.violated} were wrong`);
  });
});
