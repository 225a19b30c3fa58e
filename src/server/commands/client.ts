/** CLIENT: the connections of this node, and what each says of itself. */
import type { RespWriter } from "../../protocol/resp-writer.ts";
import { type Call, integerOf, isWord, quoted, textOf } from "../call.ts";
import { checkClientName } from "../client-name.ts";
import type { PlainCommand, Subcommand } from "../command.ts";
import { type Failure, failure, syntaxError } from "../failure.ts";
import { addressText } from "../heartbeat.ts";
import type { ListedSession, ServerContext } from "../server-context.ts";
import { type Session, writeFailure } from "../session.ts";
import { container } from "../subcommands.ts";

/** One line of CLIENT LIST. What is not measured is not there. */
function sessionLine(session: ListedSession, context: ServerContext): string {
  const ageSeconds = Math.max(
    0,
    Math.floor((context.clock.wallMs() - session.connectedMs) / 1_000),
  );
  const fields = [
    `id=${session.id}`,
    `addr=${addressText(session.remote)}`,
    `laddr=${addressText(context.advertised)}`,
    `name=${session.name}`,
    `age=${ageSeconds}`,
    "flags=N",
    "db=0",
    `cmd=${session.lastCommand.toLowerCase()}`,
    `user=${session.admission.grant?.name ?? "default"}`,
    `lib-name=${session.libraryName}`,
    `lib-ver=${session.libraryVersion}`,
    `resp=${session.respVersion}`,
  ];
  return `${fields.join(" ")}\n`;
}

function list(call: Call, session: Session, reply: RespWriter): void {
  const { context } = session;
  let listed: readonly ListedSession[] = [...context.sessions.values()];
  if (call.count > 2) {
    const byType = isWord(call, 2, "TYPE") && call.count === 4;
    if (byType && !isWord(call, 3, "NORMAL")) listed = [];
    else if (isWord(call, 2, "ID") && call.count > 3) {
      const ids = new Set<number | undefined>();
      for (let i = 3; i < call.count; i++) ids.add(integerOf(call, i));
      if (ids.has(undefined)) {
        writeFailure(reply, failure("ERR", "Invalid client ID"));
        return;
      }
      listed = listed.filter(({ id }) => ids.has(id));
    } else if (!byType) {
      writeFailure(reply, syntaxError);
      return;
    }
  }
  reply.verbatim("txt", listed.map((each) => sessionLine(each, context)).join(""));
}

/** Which connections CLIENT KILL means. */
interface KillFilter {
  readonly id?: number;
  readonly address?: string;
  readonly skipSelf: boolean;
}

function parseKill(call: Call): KillFilter | Failure {
  if (call.count === 3) return { address: textOf(call, 2), skipSelf: false };
  let filter: KillFilter = { skipSelf: true };
  for (let i = 2; i < call.count; i += 2) {
    if (i + 1 === call.count) return syntaxError;
    if (isWord(call, i, "ID")) {
      const id = integerOf(call, i + 1);
      if (id === undefined || id < 1) return failure("ERR", "client-id should be greater than 0");
      filter = { ...filter, id };
    } else if (isWord(call, i, "ADDR")) filter = { ...filter, address: textOf(call, i + 1) };
    else if (
      isWord(call, i, "SKIPME") &&
      (isWord(call, i + 1, "YES") || isWord(call, i + 1, "NO"))
    ) {
      filter = { ...filter, skipSelf: isWord(call, i + 1, "YES") };
    } else return syntaxError;
  }
  if (filter.id === undefined && filter.address === undefined) {
    return failure("ERR", "CLIENT KILL needs an ID or an ADDR");
  }
  return filter;
}

function kill(call: Call, session: Session, reply: RespWriter): void {
  const filter = parseKill(call);
  if ("text" in filter) {
    writeFailure(reply, filter);
    return;
  }
  let killed = 0;
  const { sessions } = session.context;
  for (const other of sessions.values()) {
    if (filter.id !== undefined && other.id !== filter.id) continue;
    if (filter.address !== undefined && addressText(other.remote) !== filter.address) continue;
    if (other.id === session.id) {
      if (filter.skipSelf) continue;
      session.closeAfterAnswers();
    } else {
      other.kill();
      sessions.delete(other.id);
    }
    killed++;
  }
  if (call.count > 3) reply.integer(killed);
  else if (killed > 0) reply.ok();
  else writeFailure(reply, failure("ERR", "No such client"));
}

function setInfo(call: Call, session: Session, reply: RespWriter): void {
  const isName = isWord(call, 2, "LIB-NAME");
  if (!isName && !isWord(call, 2, "LIB-VER")) {
    writeFailure(reply, failure("ERR", `Unrecognized option ${quoted(call, 2)}`));
    return;
  }
  const failed = checkClientName(call, 3, isName ? "lib-name" : "lib-ver");
  if (failed !== undefined) {
    writeFailure(reply, failed);
    return;
  }
  if (isName) session.libraryName = textOf(call, 3);
  else session.libraryVersion = textOf(call, 3);
  reply.ok();
}

/** A switch that is accepted in some positions, because they ask for what is so anyway, and refused in the others. */
function fixedSwitch(parts: {
  name: string;
  usage: string;
  help: string;
  accepted: readonly string[];
  refused: readonly string[];
  why: string;
}): Subcommand {
  return {
    name: parts.name,
    arity: parts.refused.length > 0 ? -3 : 3,
    usage: parts.usage,
    help: parts.help,
    run(call, _session, reply) {
      if (call.count === 3 && parts.accepted.some((word) => isWord(call, 2, word))) reply.ok();
      else if (parts.refused.some((word) => isWord(call, 2, word))) {
        writeFailure(reply, { code: "NOTSUPPORTED", wire: "ERR", text: parts.why });
      } else writeFailure(reply, syntaxError);
    },
  };
}

const subcommands: readonly Subcommand[] = [
  {
    name: "ID",
    arity: 2,
    usage: "",
    help: "Number of this connection.",
    run: (_call, session, reply) => reply.integer(session.id),
  },
  {
    name: "SETNAME",
    arity: 3,
    usage: "name",
    help: "Names this connection.",
    run(call, session, reply) {
      const failed = checkClientName(call, 2, "Client names");
      if (failed !== undefined) {
        writeFailure(reply, failed);
        return;
      }
      session.name = textOf(call, 2);
      reply.ok();
    },
  },
  {
    name: "GETNAME",
    arity: 2,
    usage: "",
    help: "Name of this connection, or nil.",
    run: (_call, session, reply) =>
      session.name === "" ? reply.nullBulk() : reply.bulkText(session.name),
  },
  {
    name: "SETINFO",
    arity: 4,
    usage: "LIB-NAME name | LIB-VER version",
    help: "Names the library that speaks on this connection.",
    run: setInfo,
  },
  {
    name: "INFO",
    arity: 2,
    usage: "",
    help: "This connection's line of CLIENT LIST.",
    run: (_call, session, reply) => reply.verbatim("txt", sessionLine(session, session.context)),
  },
  {
    name: "LIST",
    arity: -2,
    usage: "[TYPE normal | ID id [id ...]]",
    help: "A line for each connection.",
    run: list,
  },
  {
    name: "KILL",
    role: "admin",
    arity: -3,
    usage: "address | [ID id] [ADDR address] [SKIPME yes | SKIPME no]",
    help: "Closes connections; says how many.",
    run: kill,
  },
  fixedSwitch({
    name: "REPLY",
    usage: "ON",
    help: "Answers are always sent.",
    accepted: ["ON"],
    refused: ["OFF", "SKIP"],
    why: "every request is answered here: CLIENT REPLY can only be ON",
  }),
  fixedSwitch({
    name: "TRACKING",
    usage: "OFF",
    help: "There is no tracking of keys for client-side caches.",
    accepted: ["OFF"],
    refused: ["ON"],
    why: "there is no tracking of keys: CLIENT TRACKING can only be OFF",
  }),
  fixedSwitch({
    name: "NO-EVICT",
    usage: "ON | OFF",
    help: "Accepted: no client is evicted for memory that others use.",
    accepted: ["ON", "OFF"],
    refused: [],
    why: "",
  }),
  fixedSwitch({
    name: "NO-TOUCH",
    usage: "ON | OFF",
    help: "Accepted: reads change nothing.",
    accepted: ["ON", "OFF"],
    refused: [],
    why: "",
  }),
  {
    name: "UNPAUSE",
    role: "admin",
    arity: 2,
    usage: "",
    help: "Accepted: clients are never paused.",
    run: (_call, _session, reply) => reply.ok(),
  },
  {
    name: "GETREDIR",
    arity: 2,
    usage: "",
    help: "-1: there is no tracking to redirect.",
    run: (_call, _session, reply) => reply.integer(-1),
  },
  {
    name: "MAINT_NOTIFICATIONS",
    arity: -3,
    usage: "ON [parameter value ...] | OFF",
    help: "OFF is accepted: this node announces no maintenance by push messages.",
    run(call, _session, reply) {
      if (isWord(call, 2, "OFF")) reply.ok();
      else {
        writeFailure(reply, {
          code: "NOTSUPPORTED",
          wire: "ERR",
          text: "there are no maintenance notifications",
        });
      }
    },
  },
];

export const clientCommand: PlainCommand = container(
  {
    name: "CLIENT",
    group: "connection",
    help: "About connections.",
    flags: ["noscript", "loading", "stale"],
  },
  subcommands,
);
