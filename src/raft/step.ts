/** What becomes of a message, by its term, its type, and the role of who receives it; and of a proposal. */
import { type Copy, becomeFollower, isVote } from "./copy.ts";
import { answerVote, campaign, countVote, learnCommitted } from "./election.ts";
import { dataBytesOf } from "./entry-window.ts";
import { handleAppend, handleHeartbeat, handleSnapshot } from "./following.ts";
import { admitChanges } from "./membership.ts";
import type { Refusal } from "./options.ts";
import { read } from "./reading.ts";
import {
  appendOwn,
  broadcastAppend,
  handleAppendResponse,
  handleHeartbeatResponse,
  transferTo,
} from "./replication.ts";
import {
  type Message,
  type MessageType,
  type Proposal,
  messageTypes,
  nobody,
  roles,
} from "./vocabulary.ts";

export function step(copy: Copy, message: Message): void {
  const { term } = message;
  // Of somebody who was removed, answering late: it ends no term any more.
  if (isAnswer(message.type) && !copy.members.progress.has(message.from)) return;
  if (term > copy.term && !stepLater(copy, message)) return;
  if (term > 0 && term < copy.term && message.type !== messageTypes.preVote) {
    answerEarlier(copy, message);
    return;
  }
  if (message.commitTerm > 0) learnCommitted(copy, message);
  if (isVote(message.type)) answerVote(copy, message);
  else if (copy.role === roles.leader) stepLeader(copy, message);
  else stepOther(copy, message);
}

/** Puts proposals behind the log of the leader, all or none. Says why not. */
export function propose(copy: Copy, proposals: readonly Proposal[]): Refusal | undefined {
  if (copy.role !== roles.leader) return forward(copy, proposals);
  if (copy.self === undefined) return "not a member";
  if (copy.isWitness) return "witness";
  if (copy.transferee !== nobody) return "transferring";
  const bytes = dataBytesOf(proposals);
  // One that is larger than the limit by itself is taken when nothing else is under way.
  if (
    copy.uncommittedBytes > 0 &&
    bytes > 0 &&
    copy.uncommittedBytes + bytes > copy.options.maxUncommittedBytes
  )
    return "too much uncommitted";
  appendOwn(copy, admitChanges(copy, proposals));
  broadcastAppend(copy);
  return undefined;
}

function isAnswer(type: MessageType): boolean {
  return (
    type === messageTypes.appendResponse ||
    type === messageTypes.heartbeatResponse ||
    type === messageTypes.voteResponse ||
    type === messageTypes.preVoteResponse
  );
}

function isFromLeader(type: MessageType): boolean {
  return (
    type === messageTypes.append ||
    type === messageTypes.heartbeat ||
    type === messageTypes.snapshot
  );
}

/** A later term has begun. Returns whether the message is to be handled further. */
function stepLater(copy: Copy, message: Message): boolean {
  const { type } = message;
  if (isVote(type)) {
    // Who hears from a leader does not help to depose it (thesis 4.2.3), unless the leader asks.
    const heard =
      copy.options.checkQuorum &&
      copy.leader !== nobody &&
      copy.electionElapsed < copy.options.electionTicks;
    if (heard && message.context !== 1) return false;
  }
  // A pre-vote changes no term, neither asked for nor granted.
  if (type === messageTypes.preVote) return true;
  if (type === messageTypes.preVoteResponse && !message.reject) return true;
  becomeFollower(copy, message.term, isFromLeader(type) ? message.from : nobody);
  return true;
}

/**
 * A leader that was cut off is told the new term: with PreVote it would never hear of it, and a follower with a later term would never catch up (thesis 9.6).
 */
function answerEarlier(copy: Copy, { type, from }: Message): void {
  const { checkQuorum, preVote } = copy.options;
  if ((checkQuorum || preVote) && (type === messageTypes.heartbeat || type === messageTypes.append))
    copy.sendDurable(messageTypes.appendResponse, from, {});
}

function stepLeader(copy: Copy, message: Message): void {
  const { type } = message;
  if (type === messageTypes.appendResponse) handleAppendResponse(copy, message);
  else if (type === messageTypes.heartbeatResponse) handleHeartbeatResponse(copy, message);
  else if (type === messageTypes.propose) propose(copy, message.entries);
  else if (type === messageTypes.transferLeader) transferTo(copy, message.from);
  else if (type === messageTypes.readIndex && !copy.isWitness)
    read(copy, { from: message.from, token: message.context });
}

function stepOther(copy: Copy, message: Message): void {
  const { type, from } = message;
  if (!isFromLeader(type)) {
    if (copy.role === roles.follower) stepFollower(copy, message);
    else countVote(copy, message);
    return;
  }
  if (copy.role !== roles.follower) becomeFollower(copy, message.term, from);
  copy.electionElapsed = 0;
  copy.electionFailed = false;
  copy.leader = from;
  if (type === messageTypes.append) handleAppend(copy, message);
  else if (type === messageTypes.heartbeat) handleHeartbeat(copy, message);
  else handleSnapshot(copy, message);
}

function stepFollower(copy: Copy, message: Message): void {
  const { leader } = copy;
  const { type } = message;
  // The leader itself asks for it, so neither a pre-vote nor the lease applies (thesis 3.10).
  if (type === messageTypes.timeoutNow) campaign(copy, "transfer");
  else if (type === messageTypes.propose) forward(copy, message.entries);
  else if (type === messageTypes.transferLeader && leader !== nobody)
    copy.messages.push({ ...message, to: leader, term: copy.term });
  else if (type === messageTypes.readIndex && leader !== nobody)
    copy.messages.push({ ...message, to: leader });
  else if (type === messageTypes.readIndexResponse)
    copy.readStates.push({ token: message.context, index: message.index });
}

function forward(copy: Copy, proposals: readonly Proposal[]): Refusal | undefined {
  if (copy.leader === nobody || copy.role !== roles.follower) return "no leader";
  if (!copy.options.forwardProposals) return "not the leader";
  const entries = proposals.map(({ kind, data }) => ({ index: 0, term: 0, kind, data }));
  copy.send(messageTypes.propose, copy.leader, { term: 0, entries });
  return undefined;
}
