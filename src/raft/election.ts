/** Elections (thesis 3.4, 9.6), the vote (3.6.1), and leadership transfer at the side of who takes over (3.10). */
import {
  type Copy,
  becomeCandidate,
  becomeFollower,
  becomeLeader,
  becomePreCandidate,
} from "./copy.ts";
import { appendOwn, broadcastAppend } from "./replication.ts";
import {
  type Index,
  type Message,
  type Term,
  entryKinds,
  messageTypes,
  nobody,
  roles,
} from "./vocabulary.ts";

export type CampaignKind = "pre-vote" | "vote" | "transfer";

const emptyEntry = { kind: entryKinds.normal, data: Buffer.alloc(0) } as const;

/** Campaigns, if it may. */
export function campaign(copy: Copy, kind: CampaignKind): void {
  if (copy.role === roles.leader || !copy.isPromotable) return;
  // A configuration that is committed may already be the one the others go by.
  if (copy.log.hasUnappliedConfiguration) return;
  start(copy, kind);
}

function start(copy: Copy, kind: CampaignKind): void {
  if (kind === "pre-vote") becomePreCandidate(copy);
  else becomeCandidate(copy);
  const pre = kind === "pre-vote";
  const term = pre ? copy.term + 1 : copy.term;
  const { log } = copy;
  const fields = {
    term,
    index: log.last,
    logTerm: log.lastTerm,
    context: kind === "transfer" ? 1 : 0,
    ...knownCommitted(copy),
  };
  for (const id of copy.members.ids) {
    if (!copy.members.isVoter(id)) continue;
    // The own vote counts when it is durable, like any other.
    if (id === copy.id)
      copy.sendDurable(pre ? messageTypes.preVoteResponse : messageTypes.voteResponse, id, {
        term,
      });
    else copy.send(pre ? messageTypes.preVote : messageTypes.vote, id, fields);
  }
}

/** A vote is asked for: of this term, or a pre-vote of any; one of an earlier term is told ours, or it might wait for ever (thesis 9.6). */
export function answerVote(copy: Copy, message: Message): void {
  const pre = message.type === messageTypes.preVote;
  const later = pre && message.term > copy.term;
  const mayVote =
    message.term >= copy.term &&
    (copy.vote === message.from || (copy.vote === nobody && copy.leader === nobody) || later);
  const type = pre ? messageTypes.preVoteResponse : messageTypes.voteResponse;
  // A learner votes too: the candidate may know already that it is a voter, and may not win without it.
  if (!mayVote || !copy.log.isUpToDate(message.index, message.logTerm)) {
    copy.sendDurable(type, message.from, { reject: true, ...knownCommitted(copy) });
    return;
  }
  // The term asked for: an answer to a pre-vote with our own would be dropped.
  copy.sendDurable(type, message.from, { term: message.term });
  if (pre) return;
  copy.electionElapsed = 0;
  copy.vote = message.from;
}

function knownCommitted({ log, options }: Copy): {
  readonly commit: Index;
  readonly commitTerm: Term;
} {
  if (!options.votesTellCommit) return { commit: 0, commitTerm: 0 };
  return { commit: log.committed, commitTerm: log.termAt(log.committed) ?? 0 };
}

/**
 * Who asks for a vote, and who refuses one, says what it knows to be committed. The other may not know it, or may have forgotten, and with it the configuration that is
 * in force. Of two copies the one with the longer log may not know that it has become a voter, and the other not win without it; or one may not know that it has become the
 * only voter, and ask in vain for the vote of a learner with a longer log.
 */
export function learnCommitted(copy: Copy, { commit, commitTerm }: Message): void {
  // A leader finds out by counting.
  if (copy.role !== roles.leader && copy.log.matches(commit, commitTerm)) copy.log.commitTo(commit);
}

/** A candidate hears how one voted. */
export function countVote(copy: Copy, message: Message): void {
  const expected =
    copy.role === roles.preCandidate ? messageTypes.preVoteResponse : messageTypes.voteResponse;
  if (message.type !== expected) return;
  if (!copy.votes.has(message.from)) copy.votes.set(message.from, !message.reject);
  const result = copy.members.voteResult((id) => copy.votes.get(id));
  if (result === "won") {
    if (copy.role === roles.preCandidate) start(copy, "vote");
    else if (copy.votes.has(copy.id)) lead(copy);
    // Else the others are enough for a majority, but the own term is not on disk yet: after a crash it could win the same term again and put other entries into it.
  } else if (result === "lost") becomeFollower(copy, copy.term, nobody);
}

function lead(copy: Copy): void {
  becomeLeader(copy);
  appendOwn(copy, [emptyEntry]);
  broadcastAppend(copy);
}
