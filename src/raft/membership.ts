/** Changes of the configuration (thesis chapter 4), which take effect when they are applied. */
import { TrubaError } from "../base/errors.ts";
import { type Copy, abortTransfer, becomeFollower } from "./copy.ts";
import type { Members } from "./members.ts";
import {
  type ConfigurationChange,
  decodeChange,
  encodeChange,
  leaveJoint,
} from "./membership-change.ts";
import { appendOwn, broadcastAppend, maybeCommit, sendAppend } from "./replication.ts";
import { type Index, type Proposal, entryKinds, nobody, roles } from "./vocabulary.ts";

/** Why a change may not be proposed now; `undefined` if it may. */
export function changeRefusal(copy: Copy, change: ConfigurationChange): string | undefined {
  const { pendingConfigurationIndex, log, members } = copy;
  if (pendingConfigurationIndex > log.applied)
    return `a change may be pending at entry ${pendingConfigurationIndex}; entries are applied up to ${log.applied}`;
  const leaves = change.changes.length === 0;
  if (members.isJoint && !leaves) return "the joint configuration must be left first";
  if (!members.isJoint && leaves) return "there is no joint configuration to leave";
  try {
    members.check(change);
  } catch (error) {
    if (error instanceof TrubaError) return error.message;
    throw error;
  }
  return undefined;
}

/** What of the proposals goes into the log: a change that may not be made now becomes an empty entry. */
export function admitChanges(copy: Copy, proposals: readonly Proposal[]): readonly Proposal[] {
  if (proposals.every(({ kind }) => kind !== entryKinds.configuration)) return proposals;
  const admitted: Proposal[] = [];
  for (const proposal of proposals) {
    const isChange = proposal.kind === entryKinds.configuration;
    const refusal =
      isChange && copy.options.validateChanges
        ? changeRefusal(copy, decodeChange(proposal.data))
        : undefined;
    if (isChange && refusal === undefined)
      copy.pendingConfigurationIndex = copy.log.last + admitted.length + 1;
    admitted.push(
      refusal === undefined ? proposal : { kind: entryKinds.normal, data: Buffer.alloc(0) },
    );
  }
  return admitted;
}

/** A configuration entry is applied. One that is impossible where it stands changes nothing, on every copy alike. */
export function applyChange(copy: Copy, index: Index, change: ConfigurationChange): void {
  // A witness may have been given a later configuration with its log's beginning.
  if (index <= copy.configurationIndex) return;
  copy.configurationIndex = index;
  let members: Members;
  try {
    members = copy.members.after(change);
  } catch (error) {
    if (error instanceof TrubaError && error.code === "BADCHANGE") return;
    throw error;
  }
  copy.members = members;
  const { self } = copy;
  if (copy.role !== roles.leader) return;
  if (self === undefined || self.isLearner) {
    if (copy.options.stepDownOnRemoval) becomeFollower(copy, copy.term, nobody);
    return;
  }
  // The quorum may be smaller now, and who joined should hear from the leader.
  if (maybeCommit(copy)) broadcastAppend(copy);
  else for (const id of members.ids) if (id !== copy.id) sendAppend(copy, id, false);
  if (copy.transferee !== nobody && !members.isVoter(copy.transferee)) abortTransfer(copy);
}

/** The leader leaves a joint configuration that asks for it as soon as it is applied. */
export function maybeLeaveJoint(copy: Copy): void {
  if (copy.role !== roles.leader || !copy.members.autoLeave) return;
  if (copy.log.applied < copy.pendingConfigurationIndex || copy.transferee !== nobody) return;
  copy.pendingConfigurationIndex = copy.log.last + 1;
  appendOwn(copy, [{ kind: entryKinds.configuration, data: encodeChange(leaveJoint) }]);
  broadcastAppend(copy);
}
