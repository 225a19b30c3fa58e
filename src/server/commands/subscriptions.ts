/** Subscriptions: tasks and sessions are pushed as they come, as far as there is credit (RESP3). */
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { TakeSubscription } from "../../node/takes.ts";
import type { VerbField } from "../../protocol/verb-facts.ts";
import type { Call } from "../call.ts";
import type { Command, CommandFacts, ControlCommand } from "../command.ts";
import { failure, failureOf } from "../failure.ts";
import { type Session, writeFailure } from "../session.ts";
import type { PushSink } from "../subscriptions.ts";
import { type ParsedRequest, VerbParser, numberIn, textIn } from "../verb-call.ts";
import { argumentFacts, usageLine } from "../verb-usage.ts";

const facts = {
  role: "write",
  group: "subscriptions",
  since: "0.2.0",
  flags: ["pubsub", "noscript", "no_multi"],
} as const;

const creditField: VerbField = {
  name: "credit",
  type: "count",
  word: "CREDIT",
  help: `how many may come before more credit is given, at most ${limits.creditMaxCount}`,
};

const idField: VerbField = {
  name: "id",
  type: "count",
  help: "what the subscription was answered",
};

interface SubscribeParts {
  readonly name: string;
  readonly fields: readonly VerbField[];
  readonly help: string;
  readonly keys: CommandFacts["keys"];
  readonly pushes: "truba.tasks" | "truba.sessions";
  begin(parsed: ParsedRequest, credit: number, session: Session, sink: PushSink): TakeSubscription;
}

/** Opens in its turn; so nothing is pushed before its id is answered. */
function subscribe(parts: SubscribeParts): Command {
  const { name, fields, help, keys, pushes } = parts;
  const parser = new VerbParser(name, fields);
  const open = (call: Call, session: Session): number => {
    if (!session.reply.resp3)
      throw new TrubaError(
        "NOTSUPPORTED",
        `${name} pushes, which takes RESP3: HELLO 3 comes first`,
      );
    const parsed = parser.parse(call);
    const credit = numberIn(parsed, "credit");
    if (credit === undefined) throw new TrubaError("ERR", `${name} needs its CREDIT`);
    return session.subscriptions.open(pushes, (sink) => parts.begin(parsed, credit, session, sink));
  };
  return {
    ...facts,
    kind: "plain",
    name,
    arity: -4,
    usage: usageLine(fields),
    arguments: argumentFacts(fields),
    help,
    answer: "the id of the subscription on this connection, a number",
    keys,
    run(call, session, reply) {
      try {
        reply.integer(open(call, session));
      } catch (error) {
        writeFailure(reply, failureOf(error));
      }
    },
  };
}

const creditFields: readonly VerbField[] = [
  idField,
  { name: "count", type: "count", help: "how many more may come" },
];
const creditParser = new VerbParser("SUBSCRIPTION.CREDIT", creditFields);

/** Takes effect at once: acknowledgements before it need not be answered for more to come. */
const credit: ControlCommand = {
  ...facts,
  kind: "control",
  name: "SUBSCRIPTION.CREDIT",
  arity: 3,
  usage: usageLine(creditFields),
  arguments: argumentFacts(creditFields),
  help: "A subscription may bring so many more, as soon as this has arrived.",
  keys: [0, 0, 0],
  control(call, session) {
    try {
      const parsed = creditParser.parse(call);
      const id = numberIn(parsed, "id") ?? 0;
      if (session.subscriptions.maybeCredit(id, numberIn(parsed, "count") ?? 0))
        session.answer((reply) => reply.ok());
      else session.refuse(failure("NOSUBSCRIPTION", `this connection has no subscription ${id}`));
    } catch (error) {
      session.refuse(failureOf(error));
    }
  },
};

const closeParser = new VerbParser("SUBSCRIPTION.CLOSE", [idField]);

const close: ControlCommand = {
  ...facts,
  kind: "control",
  name: "SUBSCRIPTION.CLOSE",
  arity: 2,
  usage: usageLine([idField]),
  arguments: argumentFacts([idField]),
  help: "Ends a subscription, as soon as this has arrived; what it brought stays held.",
  answer: "1, or 0 if there is none",
  keys: [0, 0, 0],
  control(call, session) {
    try {
      const closed = session.subscriptions.maybeClose(numberIn(closeParser.parse(call), "id") ?? 0);
      session.answer((reply) => reply.integer(closed ? 1 : 0));
    } catch (error) {
      session.refuse(failureOf(error));
    }
  },
};

export const subscriptionCommands: readonly Command[] = [
  subscribe({
    name: "QUEUE.SUBSCRIBE",
    fields: [
      { name: "queue", type: "queue", help: "name of the queue" },
      creditField,
      { name: "leaseMs", type: "seconds", word: "LEASE", help: "instead of the queue's lease" },
    ],
    help: "Pushes tasks as they come, each leased: `>3 truba.tasks id tasks`, at the end `>4 truba.ended id code text`. RESP3 only.",
    keys: [1, 1, 1],
    pushes: "truba.tasks",
    begin(parsed, count, { context, owner }, sink) {
      const queue = textIn(parsed, "queue");
      const request = { queue, credit: count, leaseMs: numberIn(parsed, "leaseMs") };
      return context.node.requests.takes.tasks(request, owner, sink);
    },
  }),
  subscribe({
    name: "SESSION.SUBSCRIBE",
    fields: [{ name: "kinds", type: "kinds", help: "kinds, joined by commas" }, creditField],
    help: "Pushes due sessions as their handler: `>3 truba.sessions id sessions`, at the end `>4 truba.ended id code text`. RESP3 only.",
    keys: [0, 0, 0],
    pushes: "truba.sessions",
    begin({ kinds }, count, { context, owner }, sink) {
      const request = { kinds: Array.isArray(kinds) ? kinds.map(String) : [], credit: count };
      return context.node.requests.takes.sessions(request, owner, sink);
    },
  }),
  credit,
  close,
];
