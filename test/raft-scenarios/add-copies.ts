/** `add-nodes`: so many copies alike, from one bootstrap state. */
import type { Arguments } from "./arguments.ts";
import type { CoreOptions, Environment } from "./environment.ts";
import type { SnapshotMeta } from "../../src/raft/vocabulary.ts";
import { ScenarioError } from "./transcript.ts";

/** What a copy is unless `add-nodes` says otherwise; the published defaults. */
const defaults: CoreOptions = {
  electionTicks: 3,
  heartbeatTicks: 1,
  preVote: false,
  checkQuorum: false,
  maxMessageBytes: Infinity,
  maxInflightMessages: Infinity,
  maxInflightBytes: Infinity,
  maxUncommittedBytes: Infinity,
  maxApplyingBytes: Infinity,
  cacheBytes: Infinity,
  priority: 0,
  readMode: "safe",
  stepDownOnRemoval: false,
  votesTellCommit: false,
  validateChanges: true,
  forwardProposals: true,
};

export function addCopies(world: Environment, args: Arguments): void {
  const core: CoreOptions = {
    ...defaults,
    preVote: args.flag("prevote"),
    checkQuorum: args.flag("checkquorum"),
    maxMessageBytes: args.countOf("max-message-bytes", defaults.maxMessageBytes),
    maxInflightMessages: args.countOf("inflight", defaults.maxInflightMessages),
    // 0 = no limit of its own.
    maxApplyingBytes: args.countOf("max-committed-size-per-ready", 0) || defaults.maxApplyingBytes,
    readMode: toReadMode(args.value("read-only") ?? "safe"),
    stepDownOnRemoval: args.flag("step-down-on-removal"),
    validateChanges: !args.flag("disable-conf-change-validation"),
  };
  const async = args.flag("async-storage-writes");
  if (args.count(0) === 0) return;
  const bootstrap = bootstrapOf(args);
  for (let i = 0; i < args.count(0); i++) world.addCopy({ core, async, bootstrap });
}

/** Index 0 when nothing is said about it: such a copy does not even know the configuration. */
function bootstrapOf(args: Arguments): SnapshotMeta {
  const voters = sorted(args.counts("voters"));
  const learners = sorted(args.counts("learners"));
  const witnesses = sorted(args.counts("witnesses"));
  const index = args.countOf("index", 0);
  const known = voters.length > 0 || learners.length > 0 || args.values("content").length > 0;
  if ((known || index > 0) && index <= 1) {
    throw new ScenarioError("index must be specified as > 1 due to bootstrap");
  }
  const configuration = {
    voters,
    outgoing: [],
    learners,
    learnersNext: [],
    witnesses,
    autoLeave: false,
  };
  return { index, term: index > 0 ? 1 : 0, configuration, configurationIndex: index };
}

function sorted(ids: readonly number[]): readonly number[] {
  return [...ids].sort((a, b) => a - b);
}

function toReadMode(text: string): "safe" | "lease" {
  if (text === "safe") return "safe";
  if (text === "lease-based") return "lease";
  throw new ScenarioError(`invalid read-only option "${text}"`);
}
