import type { Random } from "../base/random.ts";
import type { ProgressView } from "./progress.ts";
import type { TermRun } from "./term-runs.ts";
import type { Configuration, HardState, Index, ReplicaId, SoftState } from "./vocabulary.ts";

/** What a copy starts from: what its disk holds. */
export interface RaftStart {
  readonly configuration: Configuration;
  /** The configuration is the one after this entry: `applied`, or later. */
  readonly configurationIndex: Index;
  /** Its commit index may be above the log's end: the smaller of the two counts. */
  readonly hardState: HardState;
  /** The log holds the entries above `base` up to `last`; the first run begins at `base`. */
  readonly base: Index;
  readonly runs: readonly TermRun[];
  readonly last: Index;
  /** What the state holds; not below `base`. */
  readonly applied: Index;
}

export interface RaftOptions {
  readonly id: ReplicaId;
  readonly random: Random;
  /** Ticks without a leader after which a copy campaigns, at least; each waits up to twice as long, at random (thesis 3.4). */
  readonly electionTicks: number;
  /** Ticks between two heartbeats; below `electionTicks`. */
  readonly heartbeatTicks: number;
  /** Ask whether an election could be won before disturbing the others with a new term (thesis 9.6). */
  readonly preVote: boolean;
  /** A leader that hears from no majority within an election timeout steps down; a copy that hears from a leader grants no vote (thesis 6.2, 4.2.3). */
  readonly checkQuorum: boolean;
  /** Entries in one append; a larger one goes alone. */
  readonly maxMessageBytes: number;
  /** Appends on their way to one follower. */
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  /** Proposed and not yet applied by the leader; over it proposals are refused. */
  readonly maxUncommittedBytes: number;
  /** Given out and not yet applied. */
  readonly maxApplyingBytes: number;
  /** Entries kept in memory after they are durable and applied, for followers: none while there are none. `Infinity` keeps all, always. */
  readonly cacheBytes: number;
  /** Place in the order in which copies campaign when the leader is lost: 0 first. The vote still decides who wins. */
  readonly priority: number;
  /** `lease`: reads are answered without a round, trusting clocks; for the published scenarios. */
  readonly readMode: "safe" | "lease";
  /** A leader that is removed or demoted steps down when it applies that. */
  readonly stepDownOnRemoval: boolean;
  /** A change that may not be made now becomes an empty entry. */
  readonly validateChanges: boolean;
  /** Who asks for a vote, and who refuses one, says what it knows to be committed (docs/raft.md). */
  readonly votesTellCommit: boolean;
  /** A follower passes proposals on to the leader. */
  readonly forwardProposals: boolean;
  /** Entries may be applied together with being made durable; for hosts that do one after the other. */
  readonly applyUnstable: boolean;
  readonly start: RaftStart;
}

/** Why a proposal or a read was not taken. */
export type Refusal =
  | "no leader"
  | "not the leader"
  | "transferring"
  | "too much uncommitted"
  | "not a member"
  | "witness";

export interface RaftStatus {
  readonly id: ReplicaId;
  readonly hard: HardState;
  readonly soft: SoftState;
  readonly applied: Index;
  readonly last: Index;
  readonly configuration: Configuration;
  /** What a leader knows of the members; empty on others. */
  readonly progress: ReadonlyMap<ReplicaId, ProgressView>;
}
