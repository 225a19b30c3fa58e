/**
 * What a copy says to others must be on its disk (thesis 3.8): a vote, or it could forget it and vote twice in a term; the entries that it acknowledges. Looked at as the message
 * leaves. And a copy grants its vote to one in a term, however often it restarts: its disk cannot show that, for the second vote is written over the first. (A candidate that
 * restarts before its own vote is on disk may vote for another: it has not counted its own.)
 */
import type { Node } from "../../src/node/node.ts";
import { messageTypes } from "../../src/raft/vocabulary.ts";
import type { Message, ReplicaId } from "../../src/raft/vocabulary.ts";
import { Violation } from "./violation.ts";

export class Promises {
  /** By partition, copy and term. */
  readonly #votes = new Map<string, ReplicaId>();

  /** Throws Violation. */
  leaves(node: Node, partition: number, message: Message): void {
    const { type, from, to, reject } = message;
    if (reject || from === to) return;
    if (type === messageTypes.voteResponse) {
      this.#voted(partition, message, to);
      checkVote(node, partition, message);
    } else if (type === messageTypes.appendResponse) checkAcknowledgement(node, partition, message);
  }

  #voted(partition: number, { from, term }: Message, candidate: ReplicaId): void {
    const key = `${partition} ${from} ${term}`;
    const known = this.#votes.get(key) ?? candidate;
    this.#votes.set(key, known);
    if (known !== candidate)
      throw new Violation(
        partition,
        `One Vote In A Term (thesis 3.4): copy ${from} votes for copy ${candidate} in term ${term}, in which it has voted for copy ${known}`,
      );
  }
}

function checkVote(node: Node, partition: number, { from, to, term }: Message): void {
  const onDisk = node.wal.group(partition).hardState;
  if (
    onDisk !== undefined &&
    (onDisk.term > term || (onDisk.term === term && onDisk.votedFor === to))
  )
    return;
  throw new Violation(
    partition,
    `Persistent State (thesis 3.8): copy ${from} votes for copy ${to} in term ${term}; on its disk it has voted for copy ${onDisk?.votedFor} in term ${onDisk?.term}`,
  );
}

function checkAcknowledgement(node: Node, partition: number, { from, term, index }: Message): void {
  const { lastIndex } = node.wal.group(partition);
  // Of an earlier term it may have been replaced since.
  if (index <= lastIndex || node.groups[partition]?.raft.term !== term) return;
  throw new Violation(
    partition,
    `Persistent State (thesis 3.8): copy ${from} acknowledges entry ${index} in term ${term}; its log on disk ends at ${lastIndex}`,
  );
}
