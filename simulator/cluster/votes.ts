/** A vote leaves only when it is on disk (thesis 3.8): otherwise its copy could forget it, and vote twice in a term. Looked at as the message leaves. */
import type { Node } from "../../src/node/node.ts";
import { messageTypes } from "../../src/raft/vocabulary.ts";
import type { Message } from "../../src/raft/vocabulary.ts";
import { Violation } from "./checks.ts";

/** Throws Violation. */
export function checkVote(node: Node, partition: number, message: Message): void {
  const { type, from, to, term, reject } = message;
  if (type !== messageTypes.voteResponse || reject) return;
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
