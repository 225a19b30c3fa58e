/**
 * Runs the published tables of quorum decisions (etcd-io/raft, quorum/testdata) against src/raft/quorum.ts:
 *
 *     committed cfg=(1,2,3) [cfgj=(2,3,4) | cfgj=zero] idx=(100,_,101,…)
 *     vote      cfg=(1,2,3) [cfgj=(2,3,4) | cfgj=zero] votes=(y,n,_,…)
 *
 * Indexes and votes are in the order in which the ids first appear in cfg and cfgj; `_` is unknown. With cfgj the quorum is a joint one. Each case also
 * checks what must hold of any quorum.
 */
import assert from "node:assert/strict";
import { committedIndex, voteResult } from "../../src/raft/quorum.ts";
import type { ReplicaId } from "../../src/raft/vocabulary.ts";
import { runCases, valuesOf, type DatadrivenCase, type FileResult } from "./datadriven.ts";
import { ScenarioError } from "./transcript.ts";

export function runFile(path: string): FileResult {
  return runCases(path, (one) => {
    try {
      return run(one);
    } catch (error) {
      if (error instanceof ScenarioError) return error.message;
      throw error;
    }
  });
}

function run(one: DatadrivenCase): string {
  switch (one.command) {
    case "committed":
      return runCommitted(one);
    case "vote":
      return runVote(one);
    default:
      throw new ScenarioError("unknown command");
  }
}

interface Sets {
  readonly voters: readonly ReplicaId[];
  readonly outgoing: readonly ReplicaId[];
  /** Both, without repetition, as they first appear. */
  readonly ids: readonly ReplicaId[];
}

function runCommitted(one: DatadrivenCase): string {
  const sets = setsOf(one);
  const matches = known(one, "idx", sets.ids, idOf);
  const committed = checkedCommitted(sets, matches);
  const number = committed === Infinity ? "∞" : String(committed);
  if (sets.ids.length === 0) return `<empty majority quorum>${number}`;
  return `${diagram(sets.ids, matches)}\n${number}`;
}

function runVote(one: DatadrivenCase): string {
  const sets = setsOf(one);
  const votes = known(one, "votes", sets.ids, (text) => {
    if (text !== "y" && text !== "n") throw new Error(`no vote: ${text}`);
    return text === "y";
  });
  const names = { won: "VoteWon", lost: "VoteLost", pending: "VotePending" };
  return names[checkedVote(sets, votes)];
}

function setsOf(one: DatadrivenCase): Sets {
  const voters = (valuesOf(one, "cfg") ?? []).map(idOf);
  const second = valuesOf(one, "cfgj") ?? [];
  const outgoing = second[0] === "zero" ? [] : second.map(idOf);
  return { voters, outgoing, ids: [...new Set([...voters, ...outgoing])] };
}

function idOf(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`no number: ${text}`);
  return Number(text);
}

function known<T>(
  one: DatadrivenCase,
  key: string,
  ids: readonly ReplicaId[],
  parse: (text: string) => T,
): Map<ReplicaId, T> {
  const values = valuesOf(one, key) ?? [];
  if (values.length !== ids.length) {
    const voters = ids.toSorted((a, b) => a - b).map((id) => `${id}:{}`);
    const numbers = values.map((value) => ({ y: "2", n: "1", _: "0" })[value] ?? value);
    throw new ScenarioError(
      `error: mismatched input (explicit or _) for voters map[${voters.join(" ")}]: [${numbers.join(" ")}]`,
    );
  }
  const map = new Map<ReplicaId, T>();
  for (const [at, id] of ids.entries()) {
    const value = values[at];
    if (value !== undefined && value !== "_") map.set(id, parse(value));
  }
  return map;
}

function checkedCommitted(sets: Sets, matches: ReadonlyMap<ReplicaId, number>): number {
  const { voters, outgoing, ids } = sets;
  const matchOf = (id: ReplicaId): number | undefined => matches.get(id);
  const zeroFilled = (id: ReplicaId): number => matches.get(id) ?? 0;
  const committed = committedIndex(voters, outgoing, matchOf);
  assert.equal(committedIndex(voters, outgoing, zeroFilled), committed, "unknown counts as 0");
  assert.equal(committedIndex(outgoing, voters, matchOf), committed, "the sets are equals");
  for (const one of [voters, outgoing, ids]) {
    const alone = committedIndex(one, [], matchOf);
    assert.equal(committedIndex(one, one, matchOf), alone, "joint with itself is no joint one");
    assert.equal(committedIndex([], one, matchOf), alone, "an empty set does not count");
    assert.equal(committedIndex(one.toReversed(), [], matchOf), alone, "order does not count");
    if (one !== ids) assert.ok(committed <= alone, "a joint quorum needs both sets");
  }
  return committed;
}

function checkedVote(
  sets: Sets,
  votes: ReadonlyMap<ReplicaId, boolean>,
): ReturnType<typeof voteResult> {
  const { voters, outgoing } = sets;
  const voteOf = (id: ReplicaId): boolean | undefined => votes.get(id);
  const result = voteResult(voters, outgoing, voteOf);
  assert.equal(voteResult(outgoing, voters, voteOf), result, "the sets are equals");
  for (const one of [voters, outgoing]) {
    const alone = voteResult(one, [], voteOf);
    assert.equal(voteResult(one, one, voteOf), alone, "joint with itself is no joint one");
    assert.equal(voteResult([], one, voteOf), alone, "an empty set does not count");
    if (alone === "lost") assert.equal(result, "lost", "a joint quorum needs both sets");
    if (result === "won") assert.equal(alone, "won", "a joint quorum needs both sets");
  }
  return result;
}

/** A bar per id, as long as the number of ids below it; equal indexes have equal bars, an unknown one has `?`. */
function diagram(ids: readonly ReplicaId[], matches: ReadonlyMap<ReplicaId, number>): string {
  const matchOf = (id: ReplicaId): number => matches.get(id) ?? 0;
  const width = ids.length;
  const lines = [`${" ".repeat(width)}    idx`];
  for (const id of ids.toSorted((a, b) => a - b)) {
    const below = ids.filter((other) => matchOf(other) < matchOf(id)).length;
    const bar = matches.has(id) ? `${"x".repeat(below)}>` : "?";
    lines.push(`${bar.padEnd(width + 1)} ${String(matchOf(id)).padStart(5)}    (id=${id})`);
  }
  return lines.join("\n");
}
