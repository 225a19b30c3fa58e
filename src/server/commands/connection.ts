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
  role: "read",
  group: "connection",
  since: "0.1.0",
  usage: "",
  keys: [0, 0, 0],
} as const;

/** Of commands that show a token. They take effect when they arrive. */
const atTheDoor = [...facts.flags, "no_auth", "no_multi"];

/** In the words of Redis. */
const helloBeforeAuthentication = failure(
  "NOAUTH",
  "HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);

interface Greeting {
  readonly resp3: boolean | undefined;
  readonly name: string | undefined;
  /** Where in the call the name and the secret of AUTH stand; 0 = there is none. */
  readonly authAt: number;
}

/** HELLO [version [AUTH user password] [SETNAME name]]: all of it holds, or nothing of it is done. */
function parseHello(call: Call): Greeting | Failure {
  if (call.count === 1) return { resp3: undefined, name: undefined, authAt: 0 };
  const version = integerOf(call, 1);
  if (version === undefined)
    return failure("ERR", "Protocol version is not an integer or out of range");
  if (version !== 2 && version !== 3) {
    return { code: "NOTSUPPORTED", wire: "NOPROTO", text: "unsupported protocol version" };
  }
  let name: string | undefined;
  let authAt = 0;
  for (let i = 2; i < call.count;) {
    if (isWord(call, i, "AUTH") && i + 2 < call.count) {
      authAt = i + 1;
      i += 3;
      continue;
    }
    if (!isWord(call, i, "SETNAME") || i + 1 >= call.count) return syntaxError;
    const failed = checkClientName(call, i + 1, "Client names");
    if (failed !== undefined) return failed;
    name = textOf(call, i + 1);
    i += 2;
  }
  return { resp3: version === 3, name, authAt };
}

/** Takes effect at once, so that what stands behind it is judged by the new token; the answer, from which on RESP3 may be spoken, has its turn. */
function hello(call: Call, session: Session): void {
  const greeting = parseHello(call);
  if ("text" in greeting) {
    session.refuse(greeting);
    return;
  }
  const { resp3, name, authAt } = greeting;
  if (resp3 === false && session.subscriptions.count > 0) {
    session.refuse(failure("ERR", "subscriptions are open, which take RESP3; close them first"));
    return;
  }
  if (authAt > 0 && !tryToken(call, session, { nameAt: authAt, secretAt: authAt + 1 })) return;
  if (session.admission.grant === undefined) {
    session.refuse(helloBeforeAuthentication);
    return;
  }
  if (name !== undefined) session.name = name;
  session.answer((reply) => {
    if (resp3 !== undefined) reply.resp3 = resp3;
    writeGreeting(session, reply);
  });
}

function auth(call: Call, session: Session): void {
  if (call.count > 3) session.refuse(syntaxError);
  else {
    const nameAt = call.count === 3 ? 1 : 0;
    if (tryToken(call, session, { nameAt, secretAt: nameAt + 1 })) {
      session.answer((reply) => reply.ok());
    }
  }
}

/** Whether the token was taken; if it was not, says so, later each time, and in the end closes. */
function tryToken(call: Call, session: Session, at: { nameAt: number; secretAt: number }): boolean {
  const { admission, context } = session;
  const secret = call.buffer.subarray(call.start(at.secretAt), call.end(at.secretAt));
  const { failure: failed, afterMs } = admission.attempt(
    secret,
    at.nameAt === 0 ? undefined : textOf(call, at.nameAt),
  );
  if (failed === undefined) return true;
  if (afterMs === 0) session.refuse(failed);
  else {
    const answer = session.answerLater();
    context.clock.after(afterMs, () => answer((reply) => writeFailure(reply, failed)));
    if (admission.exhausted) session.closeAfterAnswers();
  }
  return false;
}

function writeGreeting(session: Session, reply: RespWriter): void {
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
    kind: "control",
    role: "none",
    flags: atTheDoor,
    name: "HELLO",
    arity: -1,
    usage: "[version [AUTH name token] [SETNAME name]]",
    help: "Chooses RESP2 or RESP3, shows a token, and tells about the server.",
    control: hello,
  },
  {
    ...facts,
    kind: "control",
    role: "none",
    flags: atTheDoor,
    name: "AUTH",
    arity: -2,
    usage: "[name] token",
    help: "Shows a token, on which depends what this connection may do. The name is that of the token, or default.",
    control: auth,
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
    role: "none",
    name: "QUIT",
    arity: -1,
    help: "Answers what was asked before, then OK, then closes the connection.",
    control: (_call, session) => session.quit(),
  },
  {
    ...facts,
    kind: "control",
    role: "none",
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
