/** Commands about the connection itself: what stock clients of Redis send before their first request, and HEARTBEAT. */
import type { RespWriter } from "../../protocol/resp-writer.ts";
import { type Call, integerOf, isWord, textOf } from "../call.ts";
import { checkClientName } from "../client-name.ts";
import type { Command } from "../command.ts";
import { type Failure, failure, syntaxError } from "../failure.ts";
import { heartbeatOf } from "../heartbeat.ts";
import { redisVersion } from "../redis-version.ts";
import { type Session, writeFailure } from "../session.ts";

const facts = {
  kind: "plain",
  arity: 1,
  flags: ["noscript", "loading", "stale", "fast"],
  group: "connection",
  since: "0.1.0",
  usage: "",
  keys: [0, 0, 0],
} as const;

/** In the words of Redis. A client that brings a password must not believe that it protects anything. */
const noPassword = failure(
  "ERR",
  "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
);

interface Greeting {
  readonly resp3: boolean | undefined;
  readonly name: string | undefined;
}

/** HELLO [version [AUTH user password] [SETNAME name]]: all of it holds, or nothing of it is done. */
function parseHello(call: Call): Greeting | Failure {
  if (call.count === 1) return { resp3: undefined, name: undefined };
  const version = integerOf(call, 1);
  if (version === undefined)
    return failure("ERR", "Protocol version is not an integer or out of range");
  if (version !== 2 && version !== 3) {
    return { code: "NOTSUPPORTED", wire: "NOPROTO", text: "unsupported protocol version" };
  }
  let name: string | undefined;
  for (let i = 2; i < call.count;) {
    if (isWord(call, i, "AUTH") && i + 2 < call.count) return noPassword;
    if (!isWord(call, i, "SETNAME") || i + 1 >= call.count) return syntaxError;
    const failed = checkClientName(call, i + 1, "Client names");
    if (failed !== undefined) return failed;
    name = textOf(call, i + 1);
    i += 2;
  }
  return { resp3: version === 3, name };
}

function hello(call: Call, session: Session, reply: RespWriter): void {
  const greeting = parseHello(call);
  if ("text" in greeting) {
    writeFailure(reply, greeting);
    return;
  }
  if (greeting.resp3 !== undefined) reply.resp3 = greeting.resp3;
  if (greeting.name !== undefined) session.name = greeting.name;
  reply.map(9);
  reply.bulkText("server");
  reply.bulkText("truba");
  reply.bulkText("version");
  reply.bulkText(redisVersion);
  reply.bulkText("proto");
  reply.integer(reply.resp3 ? 3 : 2);
  reply.bulkText("id");
  reply.integer(session.id);
  reply.bulkText("mode");
  reply.bulkText("cluster");
  reply.bulkText("role");
  reply.bulkText("master");
  reply.bulkText("modules");
  reply.array(0);
  reply.bulkText("truba_version");
  reply.bulkText(session.context.version);
  reply.bulkText("time_ms");
  reply.integer(session.context.clock.wallMs());
}

function heartbeat(_call: Call, session: Session, reply: RespWriter): void {
  const { cluster, nodes, replicationFactor, timeMs, warning } = heartbeatOf(session.context);
  reply.map(warning === undefined ? 4 : 5);
  reply.bulkText("cluster");
  reply.bulkText(cluster);
  reply.bulkText("nodes");
  reply.array(nodes.length);
  for (const node of nodes) {
    reply.map(2);
    reply.bulkText("address");
    reply.bulkText(node.address);
    reply.bulkText("role");
    reply.bulkText(node.role);
  }
  reply.bulkText("replicationFactor");
  reply.integer(replicationFactor);
  reply.bulkText("timeMs");
  reply.integer(timeMs);
  if (warning === undefined) return;
  reply.bulkText("warning");
  reply.bulkText(warning);
}

export const connectionCommands: readonly Command[] = [
  {
    ...facts,
    name: "HELLO",
    arity: -1,
    usage: "[version [AUTH username password] [SETNAME name]]",
    help: "Chooses RESP2 or RESP3 and tells about the server.",
    run: hello,
  },
  {
    ...facts,
    name: "AUTH",
    arity: -2,
    usage: "[username] password",
    help: "Refused: this node has no passwords.",
    run: (call, _session, reply) => writeFailure(reply, call.count > 3 ? syntaxError : noPassword),
  },
  {
    ...facts,
    name: "PING",
    arity: -1,
    usage: "[message]",
    help: "PONG, or the message.",
    run(call, _session, reply) {
      if (call.count === 1) reply.simple("PONG");
      else if (call.count === 2) reply.bulk(call.buffer, call.start(1), call.end(1));
      else writeFailure(reply, failure("ERR", "wrong number of arguments for 'ping' command"));
    },
  },
  {
    ...facts,
    name: "ECHO",
    arity: 2,
    usage: "message",
    help: "The message.",
    run: (call, _session, reply) => reply.bulk(call.buffer, call.start(1), call.end(1)),
  },
  {
    ...facts,
    kind: "control",
    name: "QUIT",
    arity: -1,
    help: "Answers what was asked before, then OK, then closes the connection.",
    control: (_call, session) => session.quit(),
  },
  {
    ...facts,
    kind: "control",
    name: "RESET",
    help: "Makes the connection as new: RESP2, no name, no group.",
    control: (_call, session) => session.reset(),
  },
  {
    ...facts,
    name: "SELECT",
    arity: 2,
    usage: "index",
    help: "There is one database, 0.",
    run(call, _session, reply) {
      const index = integerOf(call, 1);
      if (index === 0) reply.ok();
      else if (index === undefined) {
        writeFailure(reply, failure("ERR", "value is not an integer or out of range"));
      } else writeFailure(reply, failure("ERR", "SELECT is not allowed in cluster mode"));
    },
  },
  {
    ...facts,
    name: "READONLY",
    help: "Accepted: reads of this connection may be local. On one node they are all linearizable.",
    run: (_call, _session, reply) => reply.ok(),
  },
  {
    ...facts,
    name: "READWRITE",
    help: "Takes READONLY back.",
    run: (_call, _session, reply) => reply.ok(),
  },
  {
    ...facts,
    name: "ASKING",
    help: "Accepted: what a client of Redis Cluster sends before it follows an ASK. There are none here.",
    run: (_call, _session, reply) => reply.ok(),
  },
  {
    ...facts,
    name: "WAIT",
    arity: 3,
    flags: ["noscript"],
    usage: "replicas timeout",
    help: "Other full copies that hold this connection's writes. A write is answered when it is durable, so nothing is waited for.",
    run(call, _session, reply) {
      const replicas = integerOf(call, 1);
      const timeout = integerOf(call, 2);
      if (replicas === undefined || timeout === undefined) {
        writeFailure(reply, failure("ERR", "value is not an integer or out of range"));
      } else if (timeout < 0) writeFailure(reply, failure("ERR", "timeout is negative"));
      else reply.integer(0);
    },
  },
  {
    ...facts,
    name: "HEARTBEAT",
    help: "Known nodes with their roles, the replication factor, server time and a warning, if there is one.",
    run: heartbeat,
  },
];
