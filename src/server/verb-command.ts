/** Makes a command of each verb of queues and sessions, from the table of verbs (protocol/verbs.ts): `queue.push` is QUEUE.PUSH. */
import { must } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import type { Outcome } from "../machines/outcome.ts";
import { detached } from "../machines/owner.ts";
import { responseOf } from "../node/request-operation.ts";
import type { RequestContext } from "../node/requests.ts";
import type { RespWriter } from "../protocol/resp-writer.ts";
import type { VerbFacts } from "../protocol/verb-facts.ts";
import { type TableVerb, type WordVerb, verbs } from "../protocol/verbs.ts";
import type { Call } from "./call.ts";
import type {
  Command,
  CommandFacts,
  LogCommand,
  PlainCommand,
  PreparedRequest,
  WriteCommand,
} from "./command.ts";
import { type Failure, failureOf } from "./failure.ts";
import { writeResponse } from "./response-writer.ts";
import { type Session, writeFailure } from "./session.ts";
import { VerbParser, numberIn } from "./verb-call.ts";
import { argumentFacts, usageLine } from "./verb-usage.ts";

export function verbCommand(verb: TableVerb): Command {
  const facts: VerbFacts & { kind: Exclude<VerbFacts["kind"], "change"> } = verbs[verb];
  const base = commandFacts(verb, facts);
  const parser = new VerbParser(base.name, facts.fields);
  if (facts.kind === "read") return readCommand(verb, base, parser);
  if (facts.kind !== "write") return logCommand(verb, base, parser, facts.kind);
  return verb === "session.new" ? openingCommand(base, parser) : writeCommand(verb, base, parser);
}

export function commandFacts(verb: WordVerb, facts: VerbFacts): CommandFacts {
  const { fields, kind, group, since, help, answer } = facts;
  const places = fields.filter(({ word }) => word === undefined);
  const hasKey = places[0]?.type === "queue" || places[0]?.type === "session";
  const takesId = kind === "write" || kind === "admin";
  const usage = usageLine(fields);
  let words = 1 + places.length;
  if (places.some(({ type }) => type === "leases")) words++;
  const isExact = kind === "read" && fields.length === places.length;
  return {
    name: verb.toUpperCase(),
    arity: isExact ? words : -words,
    flags: kind === "read" ? ["readonly"] : ["write", "denyoom"],
    role: facts.role ?? (kind === "read" ? "read" : "write"),
    group,
    since,
    usage: takesId ? `${usage} [REQUEST id]` : usage,
    help,
    answer,
    arguments: argumentFacts(fields),
    keys: hasKey ? [1, 1, 1] : [0, 0, 0],
  };
}

function render(verb: TableVerb): (outcome: Outcome, reply: RespWriter) => void {
  return (outcome, reply) => writeResponse(responseOf(verb, outcome), reply);
}

function readCommand(verb: TableVerb, facts: CommandFacts, parser: VerbParser): PlainCommand {
  return {
    ...facts,
    kind: "plain",
    run(call, { context }, reply) {
      let response: object;
      try {
        response = context.node.requests.read(verb, parser.parse(call));
      } catch (error) {
        writeFailure(reply, failureOf(error));
        return;
      }
      writeResponse(response, reply);
    },
  };
}

/** For writes that hold nothing afterwards. */
const nobody: RequestContext = { owner: detached };

function writeCommand(verb: TableVerb, facts: CommandFacts, parser: VerbParser): WriteCommand {
  return {
    ...facts,
    kind: "write",
    render: render(verb),
    parse(call, { context }) {
      try {
        return context.node.requests.operation(verb, parser.parse(call), nobody);
      } catch (error) {
        return failureOf(error);
      }
    },
  };
}

/** `session.new`: what it opens belongs to the connection, and where it goes is not said by a key. */
function openingCommand(facts: CommandFacts, parser: VerbParser): WriteCommand {
  const verb = "session.new";
  return {
    ...facts,
    kind: "write",
    render: render(verb),
    parse(call, session, context = {}) {
      try {
        const request = parser.parse(call);
        if (context.tag !== undefined) request["tag"] ??= context.tag;
        const { requests } = session.context.node;
        const owner = request["detached"] === true ? detached : session.owner;
        const { requestId } = context;
        const operation = requests.operation(verb, request, { owner, requestId });
        requests.mayHold(owner, operation.slot);
        return operation;
      } catch (error) {
        return failureOf(error);
      }
    },
    tagOf(call) {
      const { tag } = parser.parse(call);
      return typeof tag === "string" ? tag : undefined;
    },
  };
}

function logCommand(
  verb: TableVerb,
  facts: CommandFacts,
  parser: VerbParser,
  kind: "take" | "admin",
): LogCommand {
  const isTake = kind === "take";
  const prepare = (call: Call, session: Session): PreparedRequest | Failure => {
    try {
      const request = parser.parse(call);
      const { requests } = session.context.node;
      const count = numberIn(request, "count") ?? 1;
      return {
        scope: requests.slot(verb, request),
        // Whoever takes sessions stands in a line even when he does not wait.
        waits: isTake && (verb === "session.take" || (request["waitMs"] ?? 0) !== 0),
        answerMaxBytes: isTake ? answerMaxBytes(count) : 0,
        begin: (requestId, sink, tag) =>
          requests.submit(
            verb,
            request,
            { owner: isTake ? session.owner : detached, requestId },
            sink,
            tag,
          ),
      };
    } catch (error) {
      return failureOf(error);
    }
  };
  return { ...facts, kind: "log", takesRequestId: !isTake, prepare, render: render(verb) };
}

/** What so many tasks may come to. */
function answerMaxBytes(count: number): number {
  return Math.min(count * limits.valueMaxBytes, limits.takeMaxBytes + limits.valueMaxBytes);
}

/** The commands of all verbs of a group. */
export function verbCommands(group: "queues" | "sessions"): readonly Command[] {
  const names = Object.keys(verbs) as readonly TableVerb[];
  return names.filter((verb) => must(verbs[verb]).group === group).map(verbCommand);
}
