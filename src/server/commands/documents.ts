/**
 * DOC.*: the verbs of documents, and DOC.WATCH. Documents are on no partition: a request goes to the node's documents by itself. Changes begin as they come, so those of one turn share a
 * sync; what only reads begins when everything before it on the connection is answered, and so do changes behind it.
 */
import { TrubaError } from "../../base/errors.ts";
import { callDocument } from "../../node/document-call.ts";
import type { AnyDocumentRequest, DocumentVerb } from "../../protocol/document-requests.ts";
import { documentVerbNames, documentVerbs } from "../../protocol/document-verbs.ts";
import type { Rejection } from "../../protocol/documents.ts";
import type { VerbFacts, VerbField } from "../../protocol/verb-facts.ts";
import type { Call } from "../call.ts";
import type { Command, ControlCommand, PlainCommand } from "../command.ts";
import { writeDocumentAnswer } from "../document-writer.ts";
import { type Failure, failureOf } from "../failure.ts";
import { historyPage } from "../http/document-history.ts";
import { type Session, writeFailure } from "../session.ts";
import { VerbParser, textIn } from "../verb-call.ts";
import { commandFacts } from "../verb-command.ts";
import { argumentFacts, usageLine } from "../verb-usage.ts";

type Answer = Parameters<Parameters<Session["answerInTurn"]>[0]>[0];

function documentCommand(verb: DocumentVerb): ControlCommand {
  const facts: VerbFacts = documentVerbs[verb];
  const base = commandFacts(verb, facts);
  const parser = new VerbParser(base.name, facts.fields);
  return {
    ...base,
    kind: "control",
    flags: [...base.flags, "no_multi"],
    control(call, session) {
      let asked: AnyDocumentRequest;
      try {
        asked = askedIn(verb, parser, call);
      } catch (error) {
        session.refuse(failureOf(error));
        return;
      }
      // A read must not see what the same connection wrote after it.
      if (facts.kind === "read" || session.hasTurns)
        session.answerInTurn((answer) => void run(asked, session, answer));
      else void run(asked, session, session.answerLater());
    },
  };
}

function askedIn(verb: DocumentVerb, parser: VerbParser, call: Call): AnyDocumentRequest {
  const request: Readonly<Record<string, unknown>> = parser.parse(call);
  const { from } = request;
  // The table's numbers of 64 bits are bigints where they are long.
  const plain = typeof from === "bigint" ? { ...request, from: Number(from) } : request;
  return { verb, request: plain } as unknown as AnyDocumentRequest;
}

async function run(asked: AnyDocumentRequest, session: Session, answer: Answer): Promise<void> {
  const { node, clock } = session.context;
  const { documents } = node;
  try {
    const response =
      asked.verb === "doc.history"
        ? await historyPage(documents, asked.request.document, asked.request)
        : await callDocument({ documents, clock }, asked, session.gone);
    answer((reply) => writeDocumentAnswer(response, reply));
  } catch (error) {
    // For a client that is gone nobody waits any more.
    if (session.gone.aborted && error === session.gone.reason) return;
    const failed = documentFailure(error);
    answer((reply) => writeFailure(reply, failed));
  }
}

/** Of a patch that fails, what programs ask for stands before the text: `operation op reason "path"`. */
function documentFailure(error: unknown): Failure {
  const failed = failureOf(error);
  const cause: unknown = error instanceof TrubaError ? error.cause : undefined;
  if (failed.code !== "PATCHFAILED" || typeof cause !== "object" || cause === null) return failed;
  const { operation, op, reason, path } = cause as Rejection;
  return {
    ...failed,
    text: `${operation} ${op} ${reason} ${JSON.stringify(path)} ${failed.text}`,
  };
}

const watchFields: readonly VerbField[] = [
  { name: "document", type: "document", help: "name of the document" },
];
const watchParser = new VerbParser("DOC.WATCH", watchFields);

/** Opens in its turn; so nothing is pushed before its id is answered. */
const watch: PlainCommand = {
  kind: "plain",
  name: "DOC.WATCH",
  arity: 2,
  flags: ["pubsub", "noscript", "no_multi"],
  role: "read",
  group: "documents",
  since: "0.3.0",
  usage: usageLine(watchFields),
  arguments: argumentFacts(watchFields),
  help: "Pushes a document as it changes: `>3 truba.document id event`, a snapshot first, and again when the client was too slow for what changed; at the end `>4 truba.ended id code text`. SUBSCRIPTION.CLOSE ends it. RESP3 only.",
  answer: "the id of the subscription on this connection, a number",
  keys: [0, 0, 0],
  run(call, session, reply) {
    try {
      if (!reply.resp3)
        throw new TrubaError(
          "NOTSUPPORTED",
          "DOC.WATCH pushes, which takes RESP3: HELLO 3 comes first",
        );
      const document = textIn(watchParser.parse(call), "document");
      const { documents } = session.context.node;
      reply.integer(session.subscriptions.watch((listener) => documents.watch(document, listener)));
    } catch (error) {
      writeFailure(reply, failureOf(error));
    }
  },
};

export const documentCommands: readonly Command[] = [
  ...documentVerbNames.map(documentCommand),
  watch,
];
