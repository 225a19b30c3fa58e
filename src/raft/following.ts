/** The follower's part: appends, heartbeats, snapshots (thesis 3.5, 5.1). */
import { TrubaError } from "../base/errors.ts";
import { type Copy, becomeFollower } from "./copy.ts";
import { Members } from "./members.ts";
import { type Message, type SnapshotMeta, messageTypes, nobody, roles } from "./vocabulary.ts";

export function handleAppend(copy: Copy, message: Message): void {
  const { log } = copy;
  const { index, logTerm, from } = message;
  copy.toldTrimLimit = message.trimLimit;
  if (index < log.committed) {
    copy.sendDurable(messageTypes.appendResponse, from, { index: log.committed });
    return;
  }
  const last = log.appendBehind(index, logTerm, message.entries);
  if (last !== undefined) {
    log.commitTo(Math.min(message.commit, last));
    copy.sendDurable(messageTypes.appendResponse, from, { index: last });
    return;
  }
  const hint = log.conflictBelow(Math.min(index, log.last), logTerm);
  copy.sendDurable(messageTypes.appendResponse, from, {
    index,
    reject: true,
    rejectHint: hint.index,
    logTerm: hint.term,
  });
}

/** Throws TrubaError DATADAMAGED when the leader counts on entries that this log has lost. */
export function handleHeartbeat(copy: Copy, message: Message): void {
  const { log } = copy;
  copy.toldTrimLimit = message.trimLimit;
  if (message.commit > log.last) {
    throw new TrubaError(
      "DATADAMAGED",
      `the leader counts entry ${message.commit} as stored by copy ${copy.id}; its log ends at ${log.last}`,
    );
  }
  log.commitTo(message.commit);
  copy.send(messageTypes.heartbeatResponse, message.from, { context: message.context });
}

export function handleSnapshot(copy: Copy, message: Message): void {
  const { snapshot, from } = message;
  if (snapshot === undefined) return;
  const restored = restore(copy, snapshot);
  const index = restored ? copy.log.last : copy.log.committed;
  copy.sendDurable(messageTypes.appendResponse, from, { index });
}

function restore(copy: Copy, snapshot: SnapshotMeta): boolean {
  const { log } = copy;
  if (snapshot.index <= log.committed) return false;
  if (copy.role !== roles.follower) {
    becomeFollower(copy, copy.term + 1, nobody);
    return false;
  }
  if (log.matches(snapshot.index, snapshot.term)) {
    // The log holds it all: only what is committed was unknown.
    log.commitTo(snapshot.index);
    return false;
  }
  let members: Members;
  try {
    members = Members.fromConfiguration(snapshot.configuration, () => copy.newProgress());
  } catch (error) {
    // Nothing that a sound leader sends.
    if (error instanceof TrubaError) return false;
    throw error;
  }
  log.restore(snapshot);
  copy.members = members;
  copy.configurationIndex = snapshot.configurationIndex;
  // What was fetched may be later than what was announced. No copy's log is ahead of its term; who leads that one it does not know.
  if (snapshot.term > copy.term) becomeFollower(copy, snapshot.term, nobody);
  copy.self?.maybeUpdate(log.last);
  return true;
}
