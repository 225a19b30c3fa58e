/** Atomic groups: MULTI, EXEC, DISCARD, and the group's request id. */
import type { Command } from "../command.ts";

const facts = {
  arity: 1,
  flags: ["noscript", "fast"],
  role: "read",
  group: "transactions",
  since: "0.1.0",
  usage: "",
  keys: [0, 0, 0],
} as const;

export const transactionCommands: readonly Command[] = [
  {
    ...facts,
    kind: "control",
    name: "MULTI",
    help: "Begins an atomic group: commands are queued until EXEC. All keys must be on one partition.",
    control: (_, session) => session.beginTransaction(),
  },
  {
    ...facts,
    kind: "control",
    name: "EXEC",
    help: "Applies the group: all of it, or nothing with the index and the reason.",
    control: (_, session) => session.executeTransaction(),
  },
  {
    ...facts,
    kind: "control",
    name: "DISCARD",
    help: "Forgets the group.",
    control: (_, session) => session.discardTransaction(),
  },
  {
    ...facts,
    kind: "control",
    name: "REQUEST",
    arity: 2,
    usage: "id",
    help: "Inside MULTI: the group's request id. A write takes it behind its arguments.",
    control: (call, session) => session.queueRequestId(call),
  },
  {
    ...facts,
    kind: "plain",
    name: "UNWATCH",
    help: "Does nothing: there is no WATCH. Use IFVERSION.",
    run: (_call, _session, reply) => reply.ok(),
  },
];
