/** Linearizable reads (thesis 6.4), asked for here or by another copy. */
import type { Copy } from "./copy.ts";
import { broadcastHeartbeat } from "./heartbeats.ts";
import { committedIndex } from "./quorum.ts";
import type { ConfirmedRead, Read } from "./reads.ts";
import { messageTypes } from "./vocabulary.ts";

/** The leader is asked. */
export function read(copy: Copy, asked: Read): void {
  const { members, log, options } = copy;
  const alone = members.voters.length === 1 && !members.isJoint && members.voters[0] === copy.id;
  if (!copy.hasCommittedInTerm) {
    copy.reads.postpone(asked);
    return;
  }
  if (alone || options.readMode === "lease") {
    answer(copy, { ...asked, index: log.committed });
    return;
  }
  copy.reads.open(asked, log.committed, copy.id);
  broadcastHeartbeat(copy);
}

/** An entry of the own term is committed: now the leader knows what is. */
export function answerPostponedReads(copy: Copy): void {
  if (!copy.reads.hasPostponed || !copy.hasCommittedInTerm) return;
  for (const asked of copy.reads.takePostponed()) read(copy, asked);
}

export function confirmReads(copy: Copy, from: number, round: number): void {
  const { reads, members } = copy;
  if (!reads.confirm(from, round)) return;
  const confirmed = committedIndex(members.voters, members.outgoing, (id) => reads.confirmedBy(id));
  for (const taken of reads.take(confirmed)) answer(copy, taken);
}

function answer(copy: Copy, { from, token, index }: ConfirmedRead): void {
  if (from === copy.id) copy.readStates.push({ token, index });
  else copy.send(messageTypes.readIndexResponse, from, { index, context: token });
}
