/** FCALL record.set 1 key …: the dotted commands by a name whose key every cluster client finds. */
import { CallView, quoted, textOf } from "../call.ts";
import type { Call } from "../call.ts";
import type { Command, ControlCommand } from "../command.ts";
import { type Failure, failure } from "../failure.ts";

const facts = {
  kind: "control",
  arity: -3,
  group: "functions",
  usage: "function keys [key ...] [argument ...]",
  keys: [3, 3, 1],
  keyCountAt: 2,
} as const;

/** `functions`: the commands that can be called so. */
export function functionCommands(functions: readonly Command[]): readonly Command[] {
  const byName = new Map(functions.map((command) => [command.name, command]));
  const checked = (call: Call): Command | Failure => {
    const found = byName.get(textOf(call, 1).toUpperCase());
    if (found === undefined)
      return failure(
        "ERR",
        `Function not found: ${quoted(call, 1)}; COMMAND LIST has those with a dot`,
      );
    const keys = found.keys[0] === 0 ? 0 : 1;
    if (textOf(call, 2) === String(keys)) return found;
    return failure(
      "ERR",
      `${found.name.toLowerCase()} takes ${keys === 0 ? "no" : "one"} key; the number of keys is ${quoted(call, 2)} and must be ${keys}`,
    );
  };
  const calls = (mayWrite: boolean): ControlCommand["control"] => {
    return (call, session) => {
      const found = checked(call);
      if ("text" in found) session.reject(found);
      else if (!mayWrite && found.role !== "read")
        session.reject(
          failure(
            "ERR",
            `Can not execute a script with write flag using *_ro command: ${found.name.toLowerCase()} writes`,
          ),
        );
      else session.dispatch(new CallView(call, { nameIndex: 1, firstIndex: 3, end: call.count }));
    };
  };
  return [
    {
      ...facts,
      name: "FCALL",
      flags: ["write", "movablekeys"],
      role: "read",
      since: "0.1.0",
      help: "Calls a command with a dot in its name, such as record.set or queue.push; cluster clients route it by its key.",
      control: calls(true),
    },
    {
      ...facts,
      name: "FCALL_RO",
      flags: ["readonly", "movablekeys"],
      role: "read",
      since: "0.2.0",
      help: "As FCALL, for commands that only read.",
      control: calls(false),
    },
  ];
}
