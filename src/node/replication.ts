/** What a node needs to know to have copies of partitions that other nodes have too. */
import type { CopyIdentity } from "../log/raft-group.ts";
import type { PeerSender } from "../raft/peer-sender.ts";
import type { ReplicaId } from "../raft/vocabulary.ts";

/** One copy that a node is to have. */
export interface CopyPlan {
  /** Who it is, and who took part when the partition began: where a copy without a log starts. */
  readonly bootstrap: CopyIdentity;
  /** It votes and keeps the log, but no state. */
  readonly witness: boolean;
  /** 0 = campaigns first. */
  readonly priority: number;
}

export interface Replication {
  readonly sender: PeerSender;
  /** The copy of a partition that this node is to have; `undefined` = none: what the disk still holds of one is removed. */
  copy(partition: number): CopyPlan | undefined;
}

/** A copy that this node had, and that is gone for good (P7): another one, under another id, must take its place. */
export interface RetiredCopy {
  readonly partition: number;
  readonly replica: ReplicaId;
  readonly reason: string;
}

/** One node by itself: of every partition the only copy. */
export const soleCopy: CopyPlan = {
  bootstrap: {
    replica: 1,
    configuration: {
      voters: [1],
      outgoing: [],
      learners: [],
      learnersNext: [],
      witnesses: [],
      autoLeave: false,
    },
  },
  witness: false,
  priority: 0,
};
