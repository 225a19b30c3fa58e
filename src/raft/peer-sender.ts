import type { Message } from "./vocabulary.ts";

/**
 * How a copy reaches the others; implemented by the transport. Messages may be lost, doubled or reordered, and `send` never calls back before it
 * returns. A `snapshot` message stands for a checkpoint that the receiver must fetch; the sender of it is told by `RaftGroup.snapshotSent` how that went.
 */
export interface PeerSender {
  send(group: number, messages: readonly Message[]): void;
}
