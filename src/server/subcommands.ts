/** Commands such as CLIENT and CONFIG, whose first argument names what is meant: each a small table of its own, with a HELP that is made from it. */
import type { RespWriter } from "../protocol/resp-writer.ts";
import { type Call, isWord, quoted } from "./call.ts";
import type { CommandGroup, PlainCommand, Subcommand } from "./command.ts";
import { failure } from "./failure.ts";
import { type Session, writeFailure } from "./session.ts";

interface ContainerFacts {
  readonly name: string;
  readonly group: CommandGroup;
  readonly help: string;
  readonly flags: readonly string[];
  /** What the name alone does; without it a subcommand must follow. */
  readonly alone?: (call: Call, session: Session, reply: RespWriter) => void;
}

/** A command that is its subcommands. */
export function container(facts: ContainerFacts, given: readonly Subcommand[]): PlainCommand {
  const { name, group, help, flags, alone } = facts;
  const subcommands: readonly Subcommand[] = [...given, helpOf(name, given)];
  return {
    kind: "plain",
    name,
    arity: alone === undefined ? -2 : -1,
    flags,
    role: "read",
    group,
    since: "0.1.0",
    usage: alone === undefined ? "subcommand [argument ...]" : "[subcommand [argument ...]]",
    help,
    keys: [0, 0, 0],
    subcommands,
    run(call, session, reply) {
      if (call.count === 1) {
        alone?.(call, session, reply);
        return;
      }
      const found = subcommands.find((each) => isWord(call, 1, each.name));
      if (found === undefined) {
        writeFailure(
          reply,
          failure("ERR", `unknown subcommand ${quoted(call, 1)}. Try ${name} HELP.`),
        );
        return;
      }
      session.lastCommand = `${name}|${found.name}`;
      if (found.arity > 0 ? call.count === found.arity : call.count >= -found.arity) {
        found.run(call, session, reply);
        return;
      }
      const full = `${name}|${found.name}`.toLowerCase();
      writeFailure(reply, failure("ERR", `wrong number of arguments for '${full}' command`));
    },
  };
}

function helpOf(name: string, subcommands: readonly Subcommand[]): Subcommand {
  const lines = [
    `${name} <subcommand> [<argument> ...]. Subcommands are:`,
    ...subcommands.flatMap((each) => [
      each.usage === "" ? each.name : `${each.name} ${each.usage}`,
      `    ${each.help}`,
    ]),
    "HELP",
    "    Prints this text.",
  ];
  return {
    name: "HELP",
    arity: 2,
    usage: "",
    help: "Prints the subcommands.",
    run(_call, _session, reply) {
      reply.array(lines.length);
      for (const line of lines) reply.simple(line);
    },
  };
}
