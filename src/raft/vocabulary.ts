/**
 * The words of the core: what stands in a log, what is persisted, and what goes between copies. Names from Ongaro's thesis where it has one.
 *
 * Numbers are safe integers. 0 = none: no index, no term, nobody.
 */

/** Position in the log of a group, from 1. */
export type Index = number;
export type Term = number;
/** One copy of one group. Never reused: a copy that lost its disk comes back as another one. */
export type ReplicaId = number;

export const nobody: ReplicaId = 0;
/** A trim limit that limits nothing. */
export const unlimited: Index = Number.MAX_SAFE_INTEGER;

/** The numbers are on disk and on the wire. */
export const entryKinds = { normal: 0, configuration: 1 } as const;
export type EntryKind = (typeof entryKinds)[keyof typeof entryKinds];

/** What a proposer gives; the leader gives it its place. */
export interface Proposal {
  readonly kind: EntryKind;
  /** Belongs to the core from then on and is not changed by anyone. */
  readonly data: Buffer;
}

export interface Entry extends Proposal {
  readonly index: Index;
  readonly term: Term;
}

/** Persisted before any message that depends on it leaves (thesis figure 3.1, persistent state; the commit index is a hint). */
export interface HardState {
  readonly term: Term;
  readonly vote: ReplicaId;
  readonly commit: Index;
}

/** Who takes part, as it stands in a checkpoint (thesis chapter 4). Lists are sorted. */
export interface Configuration {
  readonly voters: readonly ReplicaId[];
  /** The outgoing voters of a joint configuration; empty otherwise. */
  readonly outgoing: readonly ReplicaId[];
  readonly learners: readonly ReplicaId[];
  /** Voters of the outgoing configuration that become learners when it is left. */
  readonly learnersNext: readonly ReplicaId[];
  /** Those among all the above that keep the log but no state. */
  readonly witnesses: readonly ReplicaId[];
  /** The leader leaves the joint configuration by itself. */
  readonly autoLeave: boolean;
}

/** A state that replaces the log up to `index`: a checkpoint, whose bytes the core does not see. */
export interface SnapshotMeta {
  readonly index: Index;
  readonly term: Term;
  readonly configuration: Configuration;
  /** The configuration is the one after this entry; not below `index` only for a witness, which needs no state. */
  readonly configurationIndex: Index;
}

export const messageTypes = {
  propose: 1,
  append: 2,
  appendResponse: 3,
  vote: 4,
  voteResponse: 5,
  preVote: 6,
  preVoteResponse: 7,
  snapshot: 8,
  heartbeat: 9,
  heartbeatResponse: 10,
  timeoutNow: 11,
  transferLeader: 12,
  readIndex: 13,
  readIndexResponse: 14,
} as const;
export type MessageType = (typeof messageTypes)[keyof typeof messageTypes];

/** One message between two copies of a group; one shape for all types, so that the code that handles them stays monomorphic. */
export interface Message {
  readonly type: MessageType;
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  /** 0 = not bound to a term: `propose`, `readIndex`, `transferLeader`. */
  readonly term: Term;
  /** append, snapshot: index and term of the entry before the first one; vote: of the last one; responses: what they answer. */
  readonly index: Index;
  readonly logTerm: Term;
  /** append, heartbeat, and what has to do with votes: what is committed, as far as the sender knows. */
  readonly commit: Index;
  /** What has to do with votes: the term of the entry at `commit`. */
  readonly commitTerm: Term;
  readonly entries: readonly Entry[];
  readonly reject: boolean;
  /** appendResponse, rejected: where the leader should look next. */
  readonly rejectHint: Index;
  /**
   * vote, preVote: 1 = asked by the leader itself, answer although it is live (thesis 3.10); heartbeat and its response: the newest read that waits, 0 = none;
   * readIndex and its response: the asker's token.
   */
  readonly context: number;
  /** append, heartbeat: the log may be trimmed up to here, as far as other copies need it. */
  readonly trimLimit: Index;
  readonly snapshot: SnapshotMeta | undefined;
}

export const roles = { follower: 0, candidate: 1, leader: 2, preCandidate: 3 } as const;
export type Role = (typeof roles)[keyof typeof roles];

/** Volatile: who this copy thinks it and the leader are. */
export interface SoftState {
  readonly role: Role;
  readonly leader: ReplicaId;
}

/** What is now being made durable; given back by {@link Ready.append} when it is. The term makes a late one harmless. */
export interface AppendAck {
  readonly term: Term;
  /** The last entry that is durable with it; 0 = no entry. */
  readonly index: Index;
  readonly logTerm: Term;
  /** Index of the snapshot that is durable with it; 0 = none. */
  readonly snapshot: Index;
}

/** Entries that left memory and are needed: `from` to below `to`, as many as `maxBytes` of data allow, one at least. */
export interface Fetch {
  readonly from: Index;
  readonly to: Index;
  readonly maxBytes: number;
}

/** A read of this copy may be answered from a state that has applied everything up to `index` (thesis 6.4). */
export interface ReadState {
  readonly token: number;
  readonly index: Index;
}

/** What is to be done after a step. Taken once; `undefined` and empty lists are nothing. */
export interface Ready {
  /** Role or leader, when one changed. */
  readonly soft: SoftState | undefined;
  /** The hard state, when it changed; only with `mustSync` it must be durable before `afterAppend` goes out. */
  readonly hard: HardState | undefined;
  /** To be installed, then reset the log behind it, before `entries` are appended. */
  readonly snapshot: SnapshotMeta | undefined;
  /** To append; those stored at or above the first one's index are gone. */
  readonly entries: readonly Entry[];
  /** Term, vote or entries changed: an fsync is needed. A snapshot needs one of its own. */
  readonly mustSync: boolean;
  /** May go out at once. */
  readonly messages: readonly Message[];
  /** Only after the above, and that of earlier ones, is durable. Those to this copy itself are stepped. */
  readonly afterAppend: readonly Message[];
  /**
   * Comes back by `Raft.appendDone` when all that this Ready and those before it asked to be made durable is, after `afterAppend` was handled; `undefined` when there
   * is nothing to acknowledge.
   */
  readonly ack: AppendAck | undefined;
  /** Committed, and durable here, in order: to be applied; comes back by `Raft.applyDone`. */
  readonly committed: readonly Entry[];
  readonly reads: readonly ReadState[];
  /** Comes back by `Raft.entriesFetched`. */
  readonly fetches: readonly Fetch[];
}
