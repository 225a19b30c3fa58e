/** What a leader sends when there is nothing else: that it leads, and the round of the newest read that waits (thesis 3.4, 6.4). */
import { must } from "../base/assert.ts";
import { type Copy, trimLimitOf } from "./copy.ts";
import { messageTypes } from "./vocabulary.ts";

export function broadcastHeartbeat(copy: Copy): void {
  const context = copy.reads.newest;
  for (const to of copy.members.ids) {
    if (to === copy.id) continue;
    const progress = must(copy.members.progress.get(to));
    // Not above what the follower is known to hold: it may lack what is committed.
    const commit = Math.min(progress.match, copy.log.committed);
    copy.send(messageTypes.heartbeat, to, { commit, context, trimLimit: trimLimitOf(copy) });
    progress.sentCommit = commit;
  }
}
