/**
 * The text forms of the published scenarios: messages, entries, Ready, and the work of a copy's two storage threads. One place, so that a difference in a
 * transcript is a difference in behaviour.
 */
import { unreachable } from "../../src/base/assert.ts";
import {
  changeKinds,
  decodeChange,
  type ChangeKind,
  type MemberChange,
} from "../../src/raft/membership-change.ts";
import {
  entryKinds,
  messageTypes,
  nobody,
  roles,
  type AppendAck,
  type Configuration,
  type Entry,
  type HardState,
  type Message,
  type MessageType,
  type Ready,
  type ReplicaId,
  type Role,
  type SnapshotMeta,
  type SoftState,
} from "../../src/raft/vocabulary.ts";

/** A message between copies, or what a storage thread says to its own copy when it is done. */
export type Letter =
  | { readonly kind: "peer"; readonly message: Message }
  | {
      readonly kind: "appended";
      readonly to: ReplicaId;
      readonly ack: AppendAck;
      readonly snapshot: SnapshotMeta | undefined;
    }
  | { readonly kind: "applied"; readonly to: ReplicaId; readonly entries: readonly Entry[] };

/** What the append thread of a copy is to make durable, and what it sends when it is. */
export interface AppendWork {
  readonly by: ReplicaId;
  readonly hard: HardState | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | undefined;
  readonly responses: readonly Letter[];
}

/** What the apply thread of a copy is to apply. */
export interface ApplyWork {
  readonly by: ReplicaId;
  readonly entries: readonly Entry[];
}

const typeNames: Readonly<Record<MessageType, string>> = {
  [messageTypes.propose]: "MsgProp",
  [messageTypes.append]: "MsgApp",
  [messageTypes.appendResponse]: "MsgAppResp",
  [messageTypes.vote]: "MsgVote",
  [messageTypes.voteResponse]: "MsgVoteResp",
  [messageTypes.preVote]: "MsgPreVote",
  [messageTypes.preVoteResponse]: "MsgPreVoteResp",
  [messageTypes.snapshot]: "MsgSnap",
  [messageTypes.heartbeat]: "MsgHeartbeat",
  [messageTypes.heartbeatResponse]: "MsgHeartbeatResp",
  [messageTypes.timeoutNow]: "MsgTimeoutNow",
  [messageTypes.transferLeader]: "MsgTransferLeader",
  [messageTypes.readIndex]: "MsgReadIndex",
  [messageTypes.readIndexResponse]: "MsgReadIndexResp",
};

const appended = "MsgStorageAppendResp";
const applied = "MsgStorageApplyResp";

/** Every name that `deliver-msgs type=` takes, those among them that never travel here. */
export const letterTypes: ReadonlySet<string> = new Set([
  ...Object.values(typeNames),
  appended,
  applied,
  "MsgHup",
  "MsgBeat",
  "MsgUnreachable",
  "MsgSnapStatus",
  "MsgCheckQuorum",
  "MsgStorageAppend",
  "MsgStorageApply",
  "MsgForgetLeader",
]);

/** `MsgApp`, `MsgStorageAppendResp`, … */
export function letterType(letter: Letter): string {
  switch (letter.kind) {
    case "peer":
      return typeNames[letter.message.type];
    case "appended":
      return appended;
    case "applied":
      return applied;
    default:
      return unreachable(letter);
  }
}

export function describeLetter(letter: Letter, indent = ""): string {
  const type = letterType(letter);
  switch (letter.kind) {
    case "peer": {
      const { message } = letter;
      const line = { ...message, type, from: idText(message.from), to: idText(message.to) };
      // The snapshot says where it ends; the published form leaves the message's own place empty.
      if (message.type !== messageTypes.snapshot) return describeLine(line, indent);
      return describeLine({ ...line, index: 0, logTerm: 0 }, indent);
    }
    case "appended": {
      const { term, index, logTerm } = letter.ack;
      const { snapshot } = letter;
      const to = idText(letter.to);
      return describeLine(
        { type, from: "AppendThread", to, term, index, logTerm, snapshot },
        indent,
      );
    }
    case "applied": {
      const { entries } = letter;
      return describeLine({ type, from: "ApplyThread", to: idText(letter.to), entries }, indent);
    }
    default:
      return unreachable(letter);
  }
}

/** With `responses`, as a Ready shows it; without, as the thread does. */
export function describeAppendWork(work: AppendWork, responses: readonly Letter[]): string {
  const { by, hard, entries, snapshot } = work;
  return describeLine({
    from: idText(by),
    to: "AppendThread",
    type: "MsgStorageAppend",
    term: hard?.term ?? 0,
    commit: hard?.commit ?? 0,
    vote: hard?.vote ?? nobody,
    entries,
    snapshot,
    responses,
  });
}

/** With `responses`, as a Ready shows it; without, as the thread does. */
export function describeApplyWork(work: ApplyWork, responses: readonly Letter[]): string {
  const { by, entries } = work;
  const from = idText(by);
  return describeLine({ from, to: "ApplyThread", type: "MsgStorageApply", entries, responses });
}

/** The parts of a message line; what is absent is 0 or empty. */
interface Line {
  readonly from: string;
  readonly to: string;
  readonly type: string;
  readonly term?: number;
  readonly logTerm?: number;
  readonly index?: number;
  readonly reject?: boolean;
  readonly rejectHint?: number;
  readonly commit?: number;
  readonly vote?: ReplicaId;
  readonly entries?: readonly Entry[];
  readonly snapshot?: SnapshotMeta | undefined;
  readonly responses?: readonly Letter[];
}

function describeLine(line: Line, indent = ""): string {
  const { from, to, type, term = 0, logTerm = 0, index = 0 } = line;
  let text = `${indent}${from}->${to} ${type} Term:${term} Log:${logTerm}/${index}`;
  if (line.reject === true) text += ` Rejected (Hint: ${line.rejectHint ?? 0})`;
  if (line.commit !== undefined && line.commit > 0) text += ` Commit:${line.commit}`;
  if (line.vote !== undefined && line.vote !== nobody) text += ` Vote:${line.vote}`;
  const entries = (line.entries ?? []).map(describeEntry);
  if (entries.length === 1) text += ` Entries:[${entries.join("")}]`;
  if (entries.length > 1) {
    text += ` Entries:[${entries.map((entry) => `\n${indent}  ${entry}`).join("")}\n${indent}]`;
  }
  if (line.snapshot !== undefined && line.snapshot.index > 0) {
    text += `\n${indent}  Snapshot: ${describeSnapshot(line.snapshot)}`;
  }
  const responses = line.responses ?? [];
  if (responses.length > 0) {
    const lines = responses.map((response) => `\n${describeLetter(response, `${indent}  `)}`);
    text += ` Responses:[${lines.join("")}\n${indent}]`;
  }
  return text;
}

/** A Ready with the messages that go out with it, already as text; every line ends with a newline. */
export function describeReady(ready: Ready, messages: readonly string[]): string {
  const lines: string[] = [];
  if (ready.soft !== undefined) lines.push(describeSoftState(ready.soft));
  if (ready.hard !== undefined) lines.push(`HardState ${describeHardState(ready.hard)}`);
  if (ready.reads.length > 0) {
    const reads = ready.reads.map(({ token, index }) => `token=${token} index=${index}`);
    lines.push(`ReadStates ${reads.join(", ")}`);
  }
  if (ready.entries.length > 0) lines.push("Entries:", ...ready.entries.map(describeEntry));
  if (ready.snapshot !== undefined) lines.push(`Snapshot ${describeSnapshot(ready.snapshot)}`);
  if (ready.committed.length > 0) {
    lines.push("CommittedEntries:", ...ready.committed.map(describeEntry));
  }
  // Ours alone: the published core reads its log itself.
  for (const { from, to } of ready.fetches) lines.push(`Fetch entries ${from} to ${to - 1}`);
  if (messages.length > 0) lines.push("Messages:", ...messages);
  if (lines.length === 0) return "<empty Ready>\n";
  return `Ready MustSync=${ready.mustSync}:\n${lines.join("\n")}\n`;
}

/** `1/4 EntryConfChangeV2 v2 v3`, `1/5 EntryNormal "foo"` */
export function describeEntry(entry: Entry): string {
  const place = `${entry.term}/${entry.index}`;
  if (entry.kind === entryKinds.normal) return `${place} EntryNormal ${quoted(entry.data)}`;
  const { form, changes } = decodeChange(entry.data);
  const words = [place, form === 1 ? "EntryConfChange" : "EntryConfChangeV2"];
  return [...words, ...changes.map(describeChange)].join(" ");
}

const roleNames: Readonly<Record<Role, string>> = {
  [roles.follower]: "StateFollower",
  [roles.candidate]: "StateCandidate",
  [roles.leader]: "StateLeader",
  [roles.preCandidate]: "StatePreCandidate",
};

export function describeRole(role: Role): string {
  return roleNames[role];
}

function describeSoftState({ leader, role }: SoftState): string {
  return `Lead:${leader} State:${describeRole(role)}`;
}

function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === nobody ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

function describeSnapshot({ index, term, configuration }: SnapshotMeta): string {
  return `Index:${index} Term:${term} ConfState:${describeConfiguration(configuration)}`;
}

function describeConfiguration(configuration: Configuration): string {
  const { voters, outgoing, learners, learnersNext, witnesses, autoLeave } = configuration;
  const parts = [
    `Voters:[${voters.join(" ")}]`,
    `VotersOutgoing:[${outgoing.join(" ")}]`,
    `Learners:[${learners.join(" ")}]`,
    `LearnersNext:[${learnersNext.join(" ")}]`,
    `AutoLeave:${autoLeave}`,
  ];
  // Ours alone: the published form knows no witnesses.
  if (witnesses.length > 0) parts.push(`Witnesses:[${witnesses.join(" ")}]`);
  return parts.join(" ");
}

/** The letters of a change; `w` is ours. */
export const changeLetters: ReadonlyMap<string, ChangeKind> = new Map([
  ["v", changeKinds.addVoter],
  ["l", changeKinds.addLearner],
  ["r", changeKinds.remove],
  ["u", changeKinds.touch],
  ["w", changeKinds.addWitness],
]);

function describeChange({ kind, replica }: MemberChange): string {
  for (const [letter, letterKind] of changeLetters) {
    if (letterKind === kind) return `${letter}${replica}`;
  }
  return `${kind}?${replica}`;
}

function idText(id: ReplicaId): string {
  return id.toString(16);
}

/** Text in double quotes; what is not printable ASCII is escaped byte by byte. */
function quoted(data: Buffer): string {
  const decoded = data.toString("utf8");
  if (!Buffer.from(decoded).equals(data)) return quotedBytes(data);
  let text = "";
  for (const character of decoded) {
    if (character === '"' || character === "\\") text += `\\${character}`;
    else if (character === " " || /[^\p{C}\p{Z}]/u.test(character)) text += character;
    else text += escapedBytes(Buffer.from(character));
  }
  return `"${text}"`;
}

/** What is no UTF-8. */
function quotedBytes(data: Buffer): string {
  const text = data.toString("latin1").replaceAll(/[\\"]/g, "\\$&");
  return `"${text.replaceAll(/[^ -~]/g, (character) => escapedBytes(Buffer.from(character, "latin1")))}"`;
}

function escapedBytes(bytes: Buffer): string {
  return [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}
