/** What membership sees of a copy of a Raft group (DESIGN §4): only `cluster/` and the simulator use it. The data goes through `SharedLog`. */
import type { RaftStatus } from "../raft/options.ts";
import type { ConfigurationChange } from "../raft/membership-change.ts";
import type { Raft } from "../raft/raft.ts";
import type { Configuration, Message, ReplicaId } from "../raft/vocabulary.ts";
import type { Position } from "./shared-log.ts";

/** Who a copy is before its log says so. */
export interface CopyIdentity {
  readonly replica: ReplicaId;
  readonly configuration: Configuration;
}

/** What a copy starts from that has a checkpoint but no log. */
export interface CheckpointPoint {
  readonly position: Position;
  readonly token: Uint8Array;
}

export interface RaftGroup {
  readonly replica: ReplicaId;
  /** Whether there is a core: not while the copy is still being recovered or joins. */
  readonly started: boolean;
  /** The core, for those who only look: invariants in tests and in the simulator. */
  readonly raft: Raft;
  /**
   * A message from another copy; answers go out with the node's next turn. A `snapshot` goes to the listener of `RaftLog.onSnapshot`, who fetches
   * the checkpoint; a witness, which needs none, takes it at once. Messages before the start or after the end are lost.
   */
  step(message: Message): void;
  /**
   * Changes who takes part. Resolves with the configuration when the change is applied here; a joint configuration is left by a further entry. Rejects with
   * TrubaError NOTLEADER, OVERLOADED, BADCHANGE or STOPPED (not done) or UNKNOWNOUTCOME.
   */
  propose(change: ConfigurationChange): Promise<Configuration>;
  /** Asks the leader, which this copy may be, to hand over. What becomes of it is seen in {@link status}. */
  transferLeadership(to: ReplicaId): void;
  /** How a `snapshot` message ended: the checkpoint has arrived, or it has not. */
  snapshotSent(to: ReplicaId, ok: boolean): void;
  /** A message to this copy was lost. */
  unreachable(to: ReplicaId): void;
  status(): RaftStatus;
  /** The newest durable checkpoint; position 0 when there is none. */
  checkpointToken(): CheckpointPoint;
}
