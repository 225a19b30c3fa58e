/** Tasks and sessions as they come, by server-sent events. */
import { z } from "zod";
import { must } from "../../../base/assert.ts";
import { limits } from "../../../base/limits.ts";
import type { Requests } from "../../../node/requests.ts";
import { Refusal } from "../problem.ts";
import { type Answer, type HttpCall, type Route, jsonAnswer } from "../route.ts";
import type { Subscribed, Subscriptions } from "../subscriptions.ts";
import { verbSchemas } from "../verb-schemas.ts";
import { count, kindName, object, queueName } from "../wire-fields.ts";

const events = "text/event-stream";

const credit = count({
  description: "so many may be brought before more credit is given",
  max: limits.creditMaxCount,
  example: 64,
});

const stream = (what: string): string =>
  [
    `First the event \`subscription\` {id}; then \`${what}\`, each an array; at the end \`ended\`, a problem.`,
    "More credit is given by POST /v1/subscriptions/{id}/credit.",
    "What it brought and is not settled goes back when the connection ends.",
  ].join(" ");

const taskQuery = object({ credit, leaseMs: verbSchemas["queue.pop"].request.shape.leaseMs });
const sessionQuery = object({
  kinds: z
    .array(kindName)
    .min(1)
    .max(limits.kindsMaxCount)
    .meta({ description: "kinds, joined by commas" }),
  credit,
});

const parameters = {
  id: z.string().meta({
    description: "id of the stream",
    examples: ["7f0a4a52-3f70-4d9e-9f5e-0c8f4a1f2b77"],
  }),
};

export function subscriptionRoutes(
  requests: Requests,
  subscriptions: Subscriptions,
): readonly Route[] {
  const open = (call: HttpCall, subscribed: Subscribed): Answer => {
    mustAcceptEvents(call);
    return {
      status: 200,
      body: { kind: "events", open: (output) => subscriptions.open(subscribed, output) },
    };
  };
  return [
    {
      method: "GET",
      path: "/v1/queues/{queue}/tasks",
      id: "get_queues_queue_tasks",
      group: "subscriptions",
      role: "write",
      summary: "Tasks of a queue as they come",
      description: stream("tasks"),
      parameters: { queue: queueName },
      query: taskQuery,
      answers: { 200: { description: "server-sent events", mediaType: events } },
      errors: ["BADQUEUENAME", "NOQUEUE"],
      handle: (call) => {
        const { takes } = requests;
        const query = call.query as z.infer<typeof taskQuery>;
        const queue = must(call.parameters["queue"]);
        return open(call, {
          event: "tasks",
          credit: query.credit,
          begin: (owner, lent, sink) =>
            takes.tasks({ queue, leaseMs: query.leaseMs, credit: lent }, owner, sink),
        });
      },
    },
    {
      method: "GET",
      path: "/v1/sessions/due",
      id: "get_sessions_due",
      group: "subscriptions",
      role: "write",
      summary: "Due sessions as they come",
      description: stream("sessions"),
      query: sessionQuery,
      answers: { 200: { description: "server-sent events", mediaType: events } },
      errors: ["NOKIND"],
      handle: (call) => {
        const { takes } = requests;
        const { kinds, credit: wanted } = call.query as z.infer<typeof sessionQuery>;
        return open(call, {
          event: "sessions",
          credit: wanted,
          begin: (owner, lent, sink) => takes.sessions({ kinds, credit: lent }, owner, sink),
        });
      },
    },
    ...controlRoutes(subscriptions),
  ];
}

function controlRoutes(subscriptions: Subscriptions): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/v1/subscriptions/{id}/credit",
      id: "post_subscriptions_id_credit",
      group: "subscriptions",
      role: "write",
      summary: "A stream may bring so many more",
      parameters,
      body: {
        json: object({
          count: count({
            description: "so many more",
            min: 1,
            max: limits.creditMaxCount,
            example: 10,
          }),
        }),
        maxBytes: limits.httpBodyMaxBytes,
      },
      answers: {
        200: { description: "the credit that the stream has now", json: object({ credit }) },
      },
      errors: ["NOSUBSCRIPTION"],
      handle: (call) => {
        const { count: more } = call.json as { count: number };
        return jsonAnswer({ credit: subscriptions.credit(must(call.parameters["id"]), more) });
      },
    },
    {
      method: "DELETE",
      path: "/v1/subscriptions/{id}",
      id: "delete_subscriptions_id",
      group: "subscriptions",
      role: "write",
      summary: "A stream brings nothing more; what it brought stays held while it is open",
      parameters,
      answers: { 204: { description: "done" } },
      errors: ["NOSUBSCRIPTION"],
      handle: (call) => {
        subscriptions.stop(must(call.parameters["id"]));
        return { status: 204, body: { kind: "none" } };
      },
    },
  ];
}

/** A page cannot embed what it has to ask for by name: an image or a script asks for other types. */
export function mustAcceptEvents({ headers }: HttpCall): void {
  const { accept } = headers;
  if (accept === undefined || accept.includes(events) || accept === "*/*") return;
  throw new Refusal(
    "BADVALUE",
    `Accept is ${JSON.stringify(accept)}; this address answers with ${events}`,
    {
      status: 406,
    },
  );
}
