/** CONFIG: the settings of Redis that mean something here, with the values that hold. */
import { limits } from "../../base/limits.ts";
import { textOf } from "../call.ts";
import type { PlainCommand } from "../command.ts";
import { globMatches } from "../glob.ts";
import type { ServerContext } from "../server-context.ts";
import { writeFailure } from "../session.ts";
import { container } from "../subcommands.ts";

function settingsOf(context: ServerContext): readonly (readonly [name: string, value: string])[] {
  return [
    ["appendfsync", "always"],
    ["appendonly", "yes"],
    ["cluster-enabled", "yes"],
    ["databases", "1"],
    ["maxclients", String(limits.connectionsMaxCount)],
    ["maxmemory", "0"],
    ["maxmemory-policy", "noeviction"],
    ["port", String(context.advertised.port)],
    ["proto-max-bulk-len", String(limits.valueMaxBytes)],
    ["save", ""],
    ["timeout", "0"],
  ];
}

const refused = {
  code: "NOTSUPPORTED",
  wire: "ERR",
  text: "the configuration is read when the node starts, from its file, its environment and its flags; it cannot be changed here",
} as const;

export const configCommand: PlainCommand = container(
  {
    name: "CONFIG",
    group: "server",
    help: "About settings.",
    flags: ["admin", "noscript", "loading", "stale"],
  },
  [
    {
      name: "GET",
      arity: -3,
      usage: "pattern [pattern ...]",
      help: "Settings of Redis that mean something here, by glob patterns.",
      run(call, session, reply) {
        const patterns = Array.from({ length: call.count - 2 }, (_, i) =>
          textOf(call, i + 2).toLowerCase(),
        );
        const chosen = settingsOf(session.context).filter(([name]) =>
          patterns.some((pattern) => globMatches(pattern, name)),
        );
        reply.map(chosen.length);
        for (const [name, value] of chosen) {
          reply.bulkText(name);
          reply.bulkText(value);
        }
      },
    },
    {
      name: "SET",
      role: "admin",
      arity: -4,
      usage: "parameter value [parameter value ...]",
      help: "Refused: settings are read when the node starts.",
      run: (_call, _session, reply) => writeFailure(reply, refused),
    },
    {
      name: "REWRITE",
      role: "admin",
      arity: 2,
      usage: "",
      help: "Refused: the node does not write its configuration.",
      run: (_call, _session, reply) => writeFailure(reply, refused),
    },
    {
      name: "RESETSTAT",
      role: "admin",
      arity: 2,
      usage: "",
      help: "Sets the counters of INFO's section stats to zero.",
      run(_call, session, reply) {
        const { counters } = session.context;
        counters.connectionsReceived = 0;
        counters.connectionsRefused = 0;
        counters.commandsProcessed = 0;
        counters.lineCommandsProcessed = 0;
        counters.errorsAnswered = 0;
        counters.bytesReceived = 0;
        reply.ok();
      },
    },
  ],
);
