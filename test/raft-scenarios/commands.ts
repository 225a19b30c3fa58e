/**
 * The command language of the published scenarios, as data: name, what it does. Ours are `read-index`, `restart`, changes that begin with `w`, and of
 * `add-nodes` `witnesses=` and `max-message-bytes=`.
 *
 * Input lines below a command are more commands, done one after the other; below `propose-conf-change` they are the changes.
 */
import { encodeChange, type Transition } from "../../src/raft/membership-change.ts";
import type { Raft } from "../../src/raft/raft.ts";
import { entryKinds, messageTypes, unlimited, type ReplicaId } from "../../src/raft/vocabulary.ts";
import { addCopies } from "./add-copies.ts";
import { Arguments, toCount } from "./arguments.ts";
import { changesOf } from "./changes.ts";
import { parseDirective, type DatadrivenCase } from "./datadriven.ts";
import { describeEntry, describeLetter, describeRole, letterTypes } from "./describe.ts";
import { proposalDropped, type Environment, type Recipient } from "./environment.ts";
import { ScenarioError, nothing } from "./transcript.ts";

type Handler = (world: Environment, args: Arguments, input: string) => void;

/**
 * Does a command, and those in its input lines, and returns what they print. A {@link ScenarioError} becomes part of it; anything else that is thrown is a bug of
 * the core or of the scenario.
 */
export function runCommand(world: Environment, one: DatadrivenCase): string {
  const { command, args, input } = one;
  if (command === "propose-conf-change") return runOne(world, command, new Arguments(args), input);
  let output = runOne(world, command, new Arguments(args), "");
  for (const line of input.split("\n").filter((text) => text !== "")) {
    const [name, ...rest] = parseDirective(line, `${one.file}:${one.line}`);
    const more = runOne(world, name?.key ?? "", new Arguments(rest), "");
    if (more !== nothing) output = output === nothing ? more : output + more;
  }
  return output;
}

export function isQuery(name: string): boolean {
  return queries.has(name);
}

/** Commands that only look. What they print is the state that a scenario ends in. */
const queries: ReadonlySet<string> = new Set(["raft-log", "raft-state", "status"]);

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["_breakpoint", () => {}],
  ["add-nodes", addCopies],
  ["campaign", (world, args) => raftOf(world, args).campaign()],
  ["compact", compact],
  ["deliver-msgs", deliver],
  ["forget-leader", (world, args) => raftOf(world, args).forgetLeader()],
  ["log-level", (world, args) => world.transcript.setLevel(args.word(0))],
  ["process-append-thread", forEach("processing append thread", "processAppendThread")],
  ["process-apply-thread", forEach("processing apply thread", "processApplyThread")],
  ["process-ready", forEach("handling Ready", "processReady")],
  ["propose", (world, args) => propose(raftOf(world, args), "normal", Buffer.from(args.word(1)))],
  ["propose-conf-change", proposeChange],
  ["raft-log", (world, args) => printLog(world, args.count(0))],
  ["raft-state", printState],
  ["read-index", readIndex],
  ["report-unreachable", reportUnreachable],
  ["restart", (world, args) => world.restart(args.count(0))],
  ["send-snapshot", sendSnapshot],
  [
    "set-randomized-election-timeout",
    (world, args) => raftOf(world, args).setElectionTimeout(args.countOf("timeout")),
  ],
  ["stabilize", stabilize],
  ["status", printStatus],
  ["tick-election", (world, args) => tick(world, args, "electionTicks")],
  ["tick-heartbeat", (world, args) => tick(world, args, "heartbeatTicks")],
  [
    "transfer-leadership",
    (world, args) => world.copy(args.countOf("from")).raft.transferLeader(args.countOf("to")),
  ],
]);

function runOne(world: Environment, name: string, args: Arguments, input: string): string {
  try {
    const handler = handlers.get(name);
    if (handler === undefined) throw new ScenarioError("unknown command");
    handler(world, args, input);
    return world.transcript.take();
  } catch (error) {
    if (error instanceof ScenarioError) return world.transcript.take(error);
    throw error;
  }
}

function raftOf(world: Environment, args: Arguments): Raft {
  return world.copy(args.count(0)).raft;
}

/** One copy: its output alone. Several: each below a heading. */
function forEach(
  heading: string,
  work: "processReady" | "processAppendThread" | "processApplyThread",
): Handler {
  return (world, args) => {
    const { ids } = args;
    for (const id of ids) {
      if (ids.length === 1) world[work](id);
      else world.transcript.section(`> ${id} ${heading}`, () => world[work](id));
    }
  };
}

function deliver(world: Environment, args: Arguments): void {
  const recipients: Recipient[] = [];
  for (const { key, values } of args.all) {
    if (values.length === 0) recipients.push({ id: toCount(key), drop: false });
    else if (key === "drop") {
      for (const id of values.map(toCount)) {
        if (recipients.some((one) => one.id === id && !one.drop))
          throw new ScenarioError(`can't both deliver and drop msgs to ${id}`);
        recipients.push({ id, drop: true });
      }
    }
  }
  const type = args.value("type");
  if (type !== undefined && !letterTypes.has(type))
    throw new ScenarioError(`unknown message type ${type}`);
  const handled = world.deliver(recipients, type);
  if (handled === 0) world.transcript.write("no messages\n");
}

function stabilize(world: Environment, args: Arguments): void {
  const before = world.transcript.level;
  const level = args.value("log-level");
  if (level !== undefined) world.transcript.setLevel(level);
  try {
    world.stabilize(args.ids);
  } finally {
    world.transcript.setLevel(before);
  }
}

function tick(
  world: Environment,
  args: Arguments,
  ticks: "electionTicks" | "heartbeatTicks",
): void {
  const { raft, options } = world.copy(args.count(0));
  for (let i = 0; i < options.core[ticks]; i++) raft.tick();
}

function reportUnreachable(world: Environment, args: Arguments): void {
  if (args.words.length !== 2)
    throw new ScenarioError(
      "must specify exactly two node indexes: node on which to report, and reported node",
    );
  raftOf(world, args).reportUnreachable(args.count(1));
}

function propose(raft: Raft, kind: keyof typeof entryKinds, data: Buffer): void {
  if (raft.propose([{ kind: entryKinds[kind], data }]) !== undefined) {
    throw new ScenarioError(proposalDropped);
  }
}

function proposeChange(world: Environment, args: Arguments, input: string): void {
  let transition: Transition = "auto";
  for (const { key, values } of args.all) {
    if (values.length === 0) continue;
    if (key === "transition") transition = toTransition(values.at(-1) ?? "");
    else if (key !== "v1") throw new ScenarioError(`unknown command ${key}`);
  }
  const changes = changesOf(input);
  const single = args.flag("v1");
  if (single && (changes.length !== 1 || transition !== "auto")) {
    throw new ScenarioError("v1 conf change can only have one operation and no transition");
  }
  const data = encodeChange({ transition, changes }, single ? 1 : 2);
  propose(raftOf(world, args), "configuration", data);
}

function toTransition(text: string): Transition {
  if (text !== "auto" && text !== "implicit" && text !== "explicit") {
    throw new ScenarioError(`unknown transition ${text}`);
  }
  return text;
}

function compact(world: Environment, args: Arguments): void {
  const id = args.count(0);
  const index = args.count(1);
  const { raft, storage } = world.copy(id);
  if (!storage.compact(index)) {
    throw new ScenarioError("requested index is unavailable due to compaction");
  }
  raft.compact(index);
  printLog(world, id);
}

/** The newest state of the first copy goes to the second, whether it is needed or not. */
function sendSnapshot(world: Environment, args: Arguments): void {
  const [from, to] = [args.count(0), args.count(1)];
  const { raft, storage } = world.copy(from);
  const { snapshot } = storage;
  const message = {
    type: messageTypes.snapshot,
    from,
    to,
    term: raft.term,
    index: snapshot.index,
    logTerm: snapshot.term,
    commit: 0,
    commitTerm: 0,
    entries: [],
    reject: false,
    rejectHint: 0,
    context: 0,
    trimLimit: unlimited,
    snapshot,
  };
  world.post(message);
  world.transcript.write(`${describeLetter({ kind: "peer", message })}\n`);
}

function readIndex(world: Environment, args: Arguments): void {
  const refusal = raftOf(world, args).readIndex(args.count(1));
  if (refusal !== undefined) throw new ScenarioError(`read refused: ${refusal}`);
}

function printLog(world: Environment, id: ReplicaId): void {
  const { base, last, entries } = world.copy(id).storage;
  if (entries.length === 0) {
    world.transcript.write(`log is empty: first index=${base + 1}, last index=${last}\n`);
  }
  for (const entry of entries) world.transcript.write(`${describeEntry(entry)}\n`);
}

function printState(world: Environment): void {
  for (const { id, raft } of world.copies) {
    const { voters, outgoing } = raft.configuration;
    const standing = voters.includes(id) || outgoing.includes(id) ? "(Voter)" : "(Non-Voter)";
    const role = describeRole(raft.role);
    world.transcript.write(`${id}: ${role} ${standing} Term:${raft.term} Lead:${raft.leader}\n`);
  }
}

function printStatus(world: Environment, args: Arguments): void {
  const { progress } = raftOf(world, args).status();
  const members = [...progress].sort(([a], [b]) => a - b);
  for (const [id, view] of members) world.transcript.write(`${id}: ${view.describe()}\n`);
}
