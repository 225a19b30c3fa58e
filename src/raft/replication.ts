/** The leader's part: appends and their answers, commitment, heartbeats, snapshots, leadership transfer (thesis 3.5, 3.6, 3.10, 5.1, 10.2). */
import { must } from "../base/assert.ts";
import { type Copy, abortTransfer, becomeFollower, trimLimitOf } from "./copy.ts";
import { bytesOf, dataBytesOf } from "./entry-window.ts";
import type { Progress } from "./progress.ts";
import { answerPostponedReads, confirmReads } from "./reading.ts";
import {
  type Entry,
  type Message,
  type Proposal,
  type ReplicaId,
  messageTypes,
  nobody,
  roles,
} from "./vocabulary.ts";

/** Puts entries of the own term behind the log. The leader itself answers when they are durable, like any follower. */
export function appendOwn(copy: Copy, proposals: readonly Proposal[]): void {
  const { log, term } = copy;
  let index = log.last;
  const entries: Entry[] = [];
  for (const { kind, data } of proposals) entries.push({ index: ++index, term, kind, data });
  log.append(entries);
  copy.uncommittedBytes += dataBytesOf(proposals);
  copy.sendDurable(messageTypes.appendResponse, copy.id, { index });
}

export function broadcastAppend(copy: Copy): void {
  for (const id of copy.members.ids) if (id !== copy.id) sendAppend(copy, id, true);
}

/** Sends what the member lacks, as far as it may now. An empty append goes out only if `evenEmpty`. Returns whether something was sent. */
export function sendAppend(copy: Copy, to: ReplicaId, evenEmpty: boolean): boolean {
  const progress = copy.members.progress.get(to);
  if (progress === undefined || progress.isPaused) return false;
  const { log, options } = copy;
  const previous = progress.next - 1;
  const logTerm = log.termAt(previous);
  if (logTerm === undefined) return sendSnapshot(copy, to, progress);
  // With a full window only an empty append goes out, so that something comes back even if all of the window was lost.
  const full = progress.state === "replicate" && progress.inflights.full;
  const entries = full ? [] : entriesFor(copy, progress, options.maxMessageBytes);
  if (entries.length === 0 && (!evenEmpty || (progress.fetching && !full))) return false;
  copy.send(messageTypes.append, to, {
    index: previous,
    logTerm,
    entries,
    commit: log.committed,
    trimLimit: trimLimitOf(copy),
  });
  progress.sentEntries(entries.length, dataBytesOf(entries));
  progress.sentCommit = log.committed;
  return true;
}

/** From memory, from what was just read, or none: then they are asked for. */
function entriesFor(copy: Copy, progress: Progress, maxBytes: number): readonly Entry[] {
  const { log, fetched } = copy;
  const from = progress.next;
  if (from > log.last) return [];
  const held = log.inMemory(from, maxBytes);
  if (held !== undefined) return held;
  const first = fetched[0];
  if (first !== undefined && from >= first.index && from < first.index + fetched.length)
    return within(fetched.slice(from - first.index), maxBytes);
  if (!progress.fetching) {
    progress.fetching = true;
    copy.fetches.push({ from, to: log.memoryFirst, maxBytes });
  }
  return [];
}

function within(entries: readonly Entry[], maxBytes: number): readonly Entry[] {
  let bytes = 0;
  let count = 0;
  for (const entry of entries) {
    bytes += bytesOf(entry);
    if (bytes > maxBytes && count > 0) break;
    count++;
  }
  return entries.slice(0, count);
}

/** Entries came from disk: to whoever waits for them. What has been replaced meanwhile is no longer wanted. */
export function entriesArrived(copy: Copy, entries: readonly Entry[]): void {
  if (copy.role !== roles.leader) return;
  const valid = entries.every(({ index, term }) => copy.log.termAt(index) === term);
  copy.fetched = valid ? entries : [];
  for (const id of copy.members.ids) {
    const progress = must(copy.members.progress.get(id));
    if (!progress.fetching) continue;
    progress.fetching = false;
    // Whoever needs others now asks again.
    while (sendAppend(copy, id, false));
  }
  copy.fetched = [];
}

/**
 * The entries that the member needs are gone: a checkpoint must replace them. A witness keeps no state, so for it the log's beginning is as good as a checkpoint,
 * and better: what full copies lack is behind it.
 */
function sendSnapshot(copy: Copy, to: ReplicaId, progress: Progress): boolean {
  if (!progress.recentActive) return false;
  const { log, members, configurationIndex } = copy;
  const snapshot = progress.isWitness
    ? {
        index: log.base,
        term: must(log.termAt(log.base)),
        configuration: members.toConfiguration(),
        configurationIndex,
      }
    : copy.checkpoint;
  if (snapshot === undefined || snapshot.index < log.base || snapshot.index === 0) return false;
  progress.becomeSnapshot(snapshot.index);
  copy.send(messageTypes.snapshot, to, { snapshot });
  return true;
}

/** The commit index follows what a quorum holds durably, counted only for entries of the own term (thesis 3.6.2). */
export function maybeCommit(copy: Copy): boolean {
  const index = copy.members.committedIndex();
  if (index <= copy.log.committed || !copy.log.matches(index, copy.term)) return false;
  return copy.log.commitTo(index);
}

export function handleAppendResponse(copy: Copy, message: Message): void {
  const progress = copy.members.progress.get(message.from);
  if (progress === undefined) return;
  progress.recentActive = true;
  if (message.reject) rejected(copy, progress, message);
  else accepted(copy, progress, message);
}

function rejected(copy: Copy, progress: Progress, message: Message): void {
  // The follower says the largest index at which it may agree, by its terms; we skip what our terms rule out.
  const hint =
    message.logTerm > 0
      ? copy.log.conflictBelow(message.rejectHint, message.logTerm).index
      : message.rejectHint;
  if (!progress.maybeDecrTo(message.index, hint)) return;
  if (progress.state === "replicate") progress.becomeProbe();
  sendAppend(copy, message.from, true);
}

function accepted(copy: Copy, progress: Progress, message: Message): void {
  // More than we have is of another log: nothing to learn from it.
  if (message.index > copy.log.last) return;
  const news = progress.maybeUpdate(message.index);
  if (!news && !(progress.match === message.index && progress.state === "probe")) return;
  if (progress.state === "probe") progress.becomeReplicate();
  else if (progress.state === "snapshot") {
    if (progress.match >= copy.log.base) {
      progress.becomeProbe();
      progress.becomeReplicate();
    }
  } else progress.inflights.freeLE(message.index);
  if (maybeCommit(copy)) {
    answerPostponedReads(copy);
    broadcastAppend(copy);
  } else if (message.from !== copy.id && progress.canBumpCommit(copy.log.committed))
    sendAppend(copy, message.from, true);
  if (message.from !== copy.id) while (sendAppend(copy, message.from, false));
  if (message.from === copy.transferee && progress.match === copy.log.last)
    copy.send(messageTypes.timeoutNow, message.from, {});
  maybeHandOver(copy);
}

export function handleHeartbeatResponse(copy: Copy, message: Message): void {
  const progress = copy.members.progress.get(message.from);
  if (progress === undefined) return;
  progress.recentActive = true;
  progress.awaitsAnswer = false;
  if (progress.match < copy.log.last || progress.state === "probe")
    sendAppend(copy, message.from, true);
  maybeHandOver(copy);
  if (message.context > 0) confirmReads(copy, message.from, message.context);
}

/** CheckQuorum (thesis 6.2): a leader that a majority does not answer is none. */
export function checkQuorum(copy: Copy): void {
  const { self } = copy;
  if (self !== undefined) self.recentActive = true;
  if (!copy.members.isQuorumActive) {
    becomeFollower(copy, copy.term, nobody);
    return;
  }
  for (const id of copy.members.ids)
    if (id !== copy.id) must(copy.members.progress.get(id)).recentActive = false;
}

/** Hands leadership to a voter that holds the whole log, or will soon (thesis 3.10). */
export function transferTo(copy: Copy, to: ReplicaId): void {
  const progress = copy.members.progress.get(to);
  if (progress === undefined || progress.isLearner || copy.transferee === to) return;
  abortTransfer(copy);
  if (to === copy.id) return;
  copy.electionElapsed = 0;
  copy.transferee = to;
  if (progress.match === copy.log.last) copy.send(messageTypes.timeoutNow, to, {});
  else sendAppend(copy, to, true);
}

/** A witness leads only until a full copy holds all that it holds (DESIGN §9). */
function maybeHandOver(copy: Copy): void {
  if (!copy.isWitness || copy.transferee !== nobody || copy.role !== roles.leader) return;
  for (const id of copy.members.voters) {
    const progress = copy.members.progress.get(id);
    if (progress === undefined || progress.isWitness || progress.match !== copy.log.last) continue;
    transferTo(copy, id);
    return;
  }
}
