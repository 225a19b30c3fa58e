/**
 * What a majority has agreed to, for one set of voters and for the two sets of a joint configuration, where both must agree (thesis 4.3). Pure, and without
 * allocation: the leader asks after every answer to an append.
 *
 * The outgoing set is empty outside a joint configuration; an empty majority agrees to everything, so it does not count.
 */
import type { Index, ReplicaId } from "./vocabulary.ts";

export type VoteResult = "won" | "lost" | "pending";

/**
 * The largest index that a majority of each set has acknowledged; an unknown one counts as 0. `Infinity` when both sets are empty. (Thesis figure 3.1, rules
 * for leaders; the caller checks the term of the entry.)
 */
export function committedIndex(
  voters: readonly ReplicaId[],
  outgoing: readonly ReplicaId[],
  matchOf: (id: ReplicaId) => Index | undefined,
): Index {
  const committed = majorityIndex(voters, matchOf);
  return outgoing.length === 0 ? committed : Math.min(committed, majorityIndex(outgoing, matchOf));
}

/** Where an election stands: lost as soon as either set can no longer agree, won only when both do. */
export function voteResult(
  voters: readonly ReplicaId[],
  outgoing: readonly ReplicaId[],
  voteOf: (id: ReplicaId) => boolean | undefined,
): VoteResult {
  const first = majorityVote(voters, voteOf);
  if (outgoing.length === 0 || first === "lost") return first;
  const second = majorityVote(outgoing, voteOf);
  if (second === "lost") return "lost";
  return first === "won" ? second : "pending";
}

/**
 * Goes down the distinct indexes from the highest until a majority stands at or above one. There are at most `voters / 2 + 1` rounds, and one or two when the
 * voters keep up: cheaper than sorting, and needs no memory.
 */
function majorityIndex(
  voters: readonly ReplicaId[],
  matchOf: (id: ReplicaId) => Index | undefined,
): Index {
  if (voters.length === 0) return Infinity;
  let missing = majorityOf(voters);
  let above = Infinity;
  while (missing > 0) {
    let highest = 0;
    let count = 0;
    for (const id of voters) {
      const match = matchOf(id) ?? 0;
      if (match >= above || match < highest) continue;
      if (match > highest) count = 0;
      highest = match;
      count++;
    }
    missing -= count;
    above = highest;
  }
  return above;
}

function majorityVote(
  voters: readonly ReplicaId[],
  voteOf: (id: ReplicaId) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return "won";
  const needed = majorityOf(voters);
  let granted = 0;
  let open = 0;
  for (const id of voters) {
    const vote = voteOf(id);
    if (vote === undefined) open++;
    else if (vote) granted++;
  }
  if (granted >= needed) return "won";
  return granted + open >= needed ? "pending" : "lost";
}

function majorityOf(voters: readonly ReplicaId[]): number {
  return Math.floor(voters.length / 2) + 1;
}
