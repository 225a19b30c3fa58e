/**
 * One copy's state as the parts of the core share it, and the changes of role. The parts are functions over it: election.ts, replication.ts, following.ts,
 * reading.ts, membership.ts. Nothing outside src/raft/ sees it: raft.ts is the door.
 */
import { assert } from "../base/assert.ts";
import { randomBelow } from "../base/random.ts";
import { ReplicatedLog } from "./log.ts";
import { Members } from "./members.ts";
import type { RaftOptions } from "./options.ts";
import { Progress } from "./progress.ts";
import { Reads } from "./reads.ts";
import {
  type Entry,
  type Fetch,
  type HardState,
  type Index,
  type Message,
  type MessageType,
  type ReadState,
  type ReplicaId,
  type Role,
  type SnapshotMeta,
  type Term,
  messageTypes,
  nobody,
  roles,
  unlimited,
} from "./vocabulary.ts";

const noEntries: readonly Entry[] = [];
const noMessages: readonly Message[] = [];
const noReads: readonly ReadState[] = [];
const noFetches: readonly Fetch[] = [];
/** Into so many parts the election timeout is divided among the priorities. */
const prioritySteps = 5;

/** What differs from an empty message. */
export type MessageFields = Partial<Omit<Message, "type" | "to">>;

export class Copy {
  readonly id: ReplicaId;
  readonly options: RaftOptions;
  readonly log: ReplicatedLog;
  term: Term;
  vote: ReplicaId;
  role: Role = roles.follower;
  leader: ReplicaId = nobody;
  #members: Members;
  /** The configuration is the one after this entry. */
  configurationIndex: Index;
  /** No other change may be proposed before this entry is applied. */
  pendingConfigurationIndex: Index = 0;
  readonly votes = new Map<ReplicaId, boolean>();
  reads = new Reads();
  transferee: ReplicaId = nobody;
  uncommittedBytes = 0;
  electionElapsed = 0;
  heartbeatElapsed = 0;
  electionTimeout = 0;
  /** It has campaigned and no leader was heard of since. */
  electionFailed = false;
  /** As the leader said last; a witness's group only. */
  toldTrimLimit: Index;
  /** The newest checkpoint that can be sent. */
  checkpoint: SnapshotMeta | undefined;
  messages: Message[] = [];
  afterAppend: Message[] = [];
  readStates: ReadState[] = [];
  fetches: Fetch[] = [];
  /** Entries just read from disk, for followers. */
  fetched: readonly Entry[] = noEntries;

  constructor(options: RaftOptions) {
    const { start } = options;
    assert(options.heartbeatTicks < options.electionTicks, "heartbeats come before elections");
    this.id = options.id;
    this.options = options;
    this.log = new ReplicatedLog({ ...start, committed: start.hardState.commit }, options);
    this.term = start.hardState.term;
    this.vote = start.hardState.vote;
    this.configurationIndex = start.configurationIndex;
    this.#members = Members.fromConfiguration(start.configuration, () => this.newProgress());
    this.members = this.#members;
    this.toldTrimLimit = this.log.base;
    becomeFollower(this, this.term, nobody);
  }

  get members(): Members {
    return this.#members;
  }

  set members(members: Members) {
    this.#members = members;
    const { cacheBytes } = this.options;
    const alone = members.ids.length <= 1;
    this.log.cacheBytes = alone && Number.isFinite(cacheBytes) ? 0 : cacheBytes;
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /** Nothing is known of a new member but that the end of the log is a good guess. */
  newProgress(): Progress {
    const { maxInflightMessages, maxInflightBytes } = this.options;
    const next = Math.max(1, this.log.last);
    return new Progress({ next, maxInflightMessages, maxInflightBytes });
  }

  get self(): Progress | undefined {
    return this.members.progress.get(this.id);
  }

  get isWitness(): boolean {
    return this.self?.isWitness ?? false;
  }

  /** May campaign: a voter whose log is not about to be replaced. */
  get isPromotable(): boolean {
    const { self } = this;
    return self !== undefined && !self.isLearner && this.log.snapshot === undefined;
  }

  get hasCommittedInTerm(): boolean {
    return this.log.termAt(this.log.committed) === this.term;
  }

  // Most are empty most of the time: then nothing is made.

  takeMessages(): readonly Message[] {
    if (this.messages.length === 0) return noMessages;
    const taken = this.messages;
    this.messages = [];
    return taken;
  }

  takeAfterAppend(): readonly Message[] {
    if (this.afterAppend.length === 0) return noMessages;
    const taken = this.afterAppend;
    this.afterAppend = [];
    return taken;
  }

  takeReadStates(): readonly ReadState[] {
    if (this.readStates.length === 0) return noReads;
    const taken = this.readStates;
    this.readStates = [];
    return taken;
  }

  takeFetches(): readonly Fetch[] {
    if (this.fetches.length === 0) return noFetches;
    const taken = this.fetches;
    this.fetches = [];
    return taken;
  }

  send(type: MessageType, to: ReplicaId, fields: MessageFields): void {
    this.messages.push(this.#message(type, to, fields));
  }

  /** Answers that promise something go out only when what they promise is on disk (thesis 3.8). */
  sendDurable(type: MessageType, to: ReplicaId, fields: MessageFields): void {
    this.afterAppend.push(this.#message(type, to, fields));
  }

  #message(type: MessageType, to: ReplicaId, fields: MessageFields): Message {
    return {
      type,
      from: fields.from ?? this.id,
      to,
      term: fields.term ?? this.term,
      index: fields.index ?? 0,
      logTerm: fields.logTerm ?? 0,
      commit: fields.commit ?? 0,
      commitTerm: fields.commitTerm ?? 0,
      entries: fields.entries ?? noEntries,
      reject: fields.reject ?? false,
      rejectHint: fields.rejectHint ?? 0,
      context: fields.context ?? 0,
      trimLimit: fields.trimLimit ?? 0,
      snapshot: fields.snapshot,
    };
  }
}

export function becomeFollower(copy: Copy, term: Term, leader: ReplicaId): void {
  if (leader !== nobody) copy.electionFailed = false;
  reset(copy, term);
  copy.role = roles.follower;
  copy.leader = leader;
}

/** Thesis 3.4. */
export function becomeCandidate(copy: Copy): void {
  assert(copy.role !== roles.leader, "a leader does not campaign");
  copy.electionFailed = true;
  reset(copy, copy.term + 1);
  copy.vote = copy.id;
  copy.role = roles.candidate;
}

/** Thesis 9.6: term and vote stay as they are. */
export function becomePreCandidate(copy: Copy): void {
  assert(copy.role !== roles.leader, "a leader does not campaign");
  copy.votes.clear();
  copy.leader = nobody;
  copy.role = roles.preCandidate;
}

/** Whoever wins begins its term with an empty entry (thesis 6.4): only by committing one of its own it learns what is committed. */
export function becomeLeader(copy: Copy): void {
  assert(copy.role === roles.candidate, "only a candidate becomes leader");
  copy.electionFailed = false;
  reset(copy, copy.term);
  copy.leader = copy.id;
  copy.role = roles.leader;
  const { self } = copy;
  if (self !== undefined) {
    self.becomeReplicate();
    self.recentActive = true;
  }
  // A change of an earlier term may stand anywhere in the log.
  copy.pendingConfigurationIndex = copy.log.last;
}

export function abortTransfer(copy: Copy): void {
  copy.transferee = nobody;
}

function reset(copy: Copy, term: Term): void {
  if (copy.term !== term) {
    assert(term > copy.term, "a term does not go back");
    copy.term = term;
    copy.vote = nobody;
  }
  copy.role = roles.follower;
  copy.leader = nobody;
  copy.electionElapsed = 0;
  copy.heartbeatElapsed = 0;
  chooseElectionTimeout(copy);
  abortTransfer(copy);
  copy.votes.clear();
  copy.pendingConfigurationIndex = 0;
  copy.uncommittedBytes = 0;
  copy.reads = new Reads();
  copy.fetched = noEntries;
  for (const id of copy.members.ids) {
    const match = id === copy.id ? copy.log.last : 0;
    copy.members.progress.get(id)?.reset(match, copy.log.last + 1);
  }
}

/**
 * Between one and two election timeouts, at random, so that votes are not split (thesis 3.4). Who stands earlier in the group's order waits less, unless an
 * election has just failed; a witness waits for all others.
 */
function chooseElectionTimeout(copy: Copy): void {
  const { electionTicks, random, priority } = copy.options;
  if (copy.electionFailed) {
    copy.electionTimeout = electionTicks + randomBelow(random, electionTicks);
    return;
  }
  const step = Math.max(1, Math.floor(electionTicks / prioritySteps));
  const place = copy.isWitness ? prioritySteps : Math.min(priority, prioritySteps - 1);
  copy.electionTimeout = electionTicks + place * step + randomBelow(random, step);
}

/** Up to here copies may trim: what full copies do not hold durably the witness's log must keep for them (DESIGN §9). */
export function trimLimitOf(copy: Copy): Index {
  if (copy.members.witnesses.length === 0) return unlimited;
  if (copy.role !== roles.leader) return copy.toldTrimLimit;
  let limit = unlimited;
  for (const id of copy.members.ids) {
    const progress = copy.members.progress.get(id);
    if (progress !== undefined && !progress.isWitness) limit = Math.min(limit, progress.match);
  }
  return limit;
}

export const isVote = (type: MessageType): boolean =>
  type === messageTypes.vote || type === messageTypes.preVote;
