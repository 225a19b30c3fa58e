/** One vote in a term (thesis 3.4): no copy gives its vote to two candidates, whatever happens to its process in between. Read from the messages that leave. */
import { messageTypes } from "../../src/raft/vocabulary.ts";
import type { Message, ReplicaId } from "../../src/raft/vocabulary.ts";
import { Violation } from "./checks.ts";

export class Votes {
  /** By partition, copy and term: the candidate. */
  readonly #given = new Map<string, ReplicaId>();

  /** Throws Violation. */
  sent(partition: number, { type, from, to, term, reject }: Message): void {
    // A candidate may die before its own vote is on disk, which then counts for nothing: so only what it gives to others.
    if (type !== messageTypes.voteResponse || reject) return;
    const key = `${partition} ${from} ${term}`;
    const known = this.#given.get(key);
    if (known === undefined) this.#given.set(key, to);
    else if (known !== to)
      throw new Violation(
        partition,
        `One Vote (thesis 3.4): copy ${from} of partition ${partition} votes for copy ${to} in term ${term}; it has voted for copy ${known}`,
      );
  }
}
