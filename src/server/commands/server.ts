/** Commands about the node: its size, its time, its checkpoints, its digests. */
import { rowHeaderBytes } from "../../state/row.ts";
import { anyName } from "../access.ts";
import type { Call } from "../call.ts";
import type { Command, PlainCommand, Subcommand } from "../command.ts";
import { failure } from "../failure.ts";
import { findRecord } from "../record-read.ts";
import type { ServerContext } from "../server-context.ts";
import { type Session, writeFailure } from "../session.ts";
import { container } from "../subcommands.ts";
import { errorText } from "../../base/errors.ts";

const facts = {
  kind: "plain",
  arity: 1,
  flags: ["loading", "stale", "fast"],
  role: "read",
  group: "server",
  since: "0.1.0",
  usage: "",
  keys: [0, 0, 0],
} as const;

/** Writes a checkpoint of every partition; tells whether all are durable. */
async function saveAll(context: ServerContext): Promise<boolean> {
  try {
    return await context.node.checkpoint();
  } catch (error) {
    context.logger.error(
      { error: errorText(error) },
      "a checkpoint that a client asked for failed",
    );
    return false;
  }
}

/** SAVE is answered when the checkpoint is durable; the connection waits, the node does not. */
function save(_call: Call, session: Session): void {
  if (session.inTransaction) {
    session.refuse(failure("ERR", "SAVE is not allowed inside MULTI"));
    return;
  }
  const answer = session.answerLater();
  void saveAll(session.context).then((durable) => {
    answer((reply) => {
      if (durable) reply.ok();
      else
        writeFailure(
          reply,
          failure("ERR", "the checkpoint could not be written; the log of the node says why"),
        );
    });
  });
}

const digest: PlainCommand = {
  ...facts,
  name: "TRUBA.DIGEST",
  help: "For each partition: its number, the position and the number of its last applied operation, the digest of its state.",
  run(_call, session, reply) {
    const { partitions } = session.context.node;
    reply.array(partitions.length);
    for (const { id, position, number, state } of partitions) {
      reply.array(4);
      reply.integer(id);
      reply.integer(position);
      reply.integer(number);
      reply.integer(state.digest);
    }
  },
};

/** What Redis keeps and this node does not: refused in clear words. */
function absent(parts: { name: string; help: string; why: string }): PlainCommand {
  return {
    ...facts,
    name: parts.name,
    arity: -1,
    usage: "[argument ...]",
    help: parts.help,
    run: (_call, _session, reply) => writeFailure(reply, failure("NOTSUPPORTED", parts.why)),
  };
}

const memoryUsage: Subcommand = {
  name: "USAGE",
  arity: -3,
  usage: "key [SAMPLES count]",
  help: "Bytes that a record's row takes in memory, without its share of the index; nil if there is none.",
  key: 2,
  run(call, session, reply) {
    const found = findRecord(call, 2, session.context);
    if (found.failure !== undefined) writeFailure(reply, found.failure);
    else if (found.address === 0) reply.nullBulk();
    else {
      const { records, address } = found;
      const bytes = rowHeaderBytes + records.valueEnd(address) - records.keyStart(address);
      // Rows begin at multiples of 8.
      reply.integer((bytes + 7) & ~7);
    }
  },
};

export const serverCommands: readonly Command[] = [
  {
    ...facts,
    name: "DBSIZE",
    flags: ["readonly", "fast"],
    help: "How many records there are.",
    run(_call, session, reply) {
      let records = 0;
      for (const { stack } of session.context.node.partitions) records += stack.records.count;
      reply.integer(records);
    },
  },
  {
    ...facts,
    name: "TIME",
    help: "The node's wall clock: seconds, and microseconds within the second.",
    run(_call, session, reply) {
      const ms = session.context.clock.wallMs();
      reply.array(2);
      reply.bulkText(String(Math.floor(ms / 1_000)));
      reply.bulkText(String((ms % 1_000) * 1_000));
    },
  },
  {
    ...facts,
    kind: "control",
    role: "admin",
    name: "SAVE",
    flags: ["admin", "noscript"],
    help: "Writes a checkpoint; answers when it is durable. Other connections are served meanwhile.",
    control: save,
  },
  {
    ...facts,
    role: "admin",
    name: "BGSAVE",
    arity: -1,
    flags: ["admin", "noscript"],
    usage: "[SCHEDULE]",
    help: "Begins to write a checkpoint.",
    run(_call, session, reply) {
      void saveAll(session.context);
      reply.simple("Background saving started");
    },
  },
  {
    ...facts,
    name: "LASTSAVE",
    help: "When SAVE or BGSAVE last succeeded, or the node started, in seconds since 1970. The node also writes checkpoints by itself.",
    run: (_call, session, reply) =>
      reply.integer(Math.floor(session.context.node.checkpoints.completedMs / 1_000)),
  },
  digest,
  container(
    { name: "ACL", group: "server", help: "About users.", flags: ["noscript", "loading", "stale"] },
    [
      {
        name: "WHOAMI",
        arity: 2,
        usage: "",
        help: "The name of the token that this connection has shown; default where none is wanted.",
        run: (_call, session, reply) => reply.bulkText(session.admission.grant?.name ?? anyName),
      },
    ],
  ),
  container({ name: "MEMORY", group: "server", help: "About memory.", flags: ["readonly"] }, [
    memoryUsage,
  ]),
  absent({
    name: "LATENCY",
    help: "Refused: latency events are not kept.",
    why: "latency events are not kept; INFO truba tells how late the event loop is",
  }),
  absent({ name: "SLOWLOG", help: "Refused: there is no slow log.", why: "there is no slow log" }),
];
