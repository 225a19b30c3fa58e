/** `/v1/queues`. */
import { TrubaError } from "../../../base/errors.ts";
import { limits } from "../../../base/limits.ts";
import type { Requests } from "../../../node/requests.ts";
import type { Verb } from "../../../protocol/requests.ts";
import type { HttpCall, Route } from "../route.ts";
import { verbErrors } from "../verb-errors.ts";
import { type VerbRoute, doRequest, verbRoute } from "../verb-routes.ts";
import { verbSchemas } from "../verb-schemas.ts";
import { object } from "../wire-fields.ts";
import { fromWire } from "../wire.ts";

export function queueRoutes(requests: Requests): readonly Route[] {
  const route = <V extends Verb>(parts: Omit<VerbRoute<V>, "group">): Route =>
    verbRoute(requests, { ...parts, group: "queues" });
  return [
    route({
      verb: "queue.list",
      method: "GET",
      path: "/v1/queues",
      summary: "Settings and counts of all queues, by name",
    }),
    route({
      verb: "queue.create",
      method: "PUT",
      path: "/v1/queues/{queue}",
      summary: "Makes a queue",
      statuses: [201, 200],
      statusOf: ({ created }) => (created ? 201 : 200),
    }),
    route({
      verb: "queue.alter",
      method: "PATCH",
      path: "/v1/queues/{queue}",
      summary: "Alters the policies of a queue; null takes one away",
    }),
    route({
      verb: "queue.stats",
      method: "GET",
      path: "/v1/queues/{queue}",
      summary: "Settings and counts of a queue",
    }),
    route({
      verb: "queue.delete",
      method: "DELETE",
      path: "/v1/queues/{queue}",
      summary: "Deletes a queue with all its tasks",
      errors: ["NOQUEUE"],
      refuse: ({ deleted }, { queue }) =>
        deleted
          ? undefined
          : new TrubaError("NOQUEUE", `there is no queue ${JSON.stringify(queue)}`),
    }),
    pushRoute(requests),
    route({
      verb: "queue.pop",
      method: "POST",
      path: "/v1/queues/{queue}/pop",
      summary: "Takes tasks, for the time of a lease",
      description:
        "With waitMs it waits for the first, without polling. A client that goes away gives up waiting, and what it did not get goes back at once.",
    }),
    ...(["ack", "nack", "extend"] as const).map((word) =>
      route({
        verb: `queue.${word}`,
        method: "POST",
        path: `/v1/queues/{queue}/${word}`,
        summary: settlingSummaries[word],
      }),
    ),
    route({
      verb: "queue.peek",
      method: "GET",
      path: "/v1/queues/{queue}/peek",
      summary: "Looks at tasks without taking them",
    }),
    ...(["purge", "pause", "resume", "revive"] as const).map((word) =>
      route({
        verb: `queue.${word}`,
        method: "POST",
        path: `/v1/queues/{queue}/${word}`,
        summary: managingSummaries[word],
      }),
    ),
  ];
}

const settlingSummaries = {
  ack: "Tasks are done; they go",
  nack: "Gives tasks back to their old places",
  extend: "Leases begin anew",
} as const;

const managingSummaries = {
  purge: "Drops tasks that nobody holds",
  pause: "Hands out nothing more, until it is resumed",
  resume: "Hands out again",
  revive: "Dead tasks wait again: one, or all",
} as const;

const pushed = verbSchemas["queue.push"];

/** All but the payload, which is the body. */
const rawQuery = object({
  priority: pushed.request.shape.priority,
  delayMs: pushed.request.shape.delayMs,
  expiryMs: pushed.request.shape.expiryMs,
  dedup: pushed.request.shape.dedup,
});
const jsonBody = pushed.request.omit({ queue: true });

/** A task may come as JSON, its payload in base64, or as it is: then the rest is in the query. */
function pushRoute(requests: Requests): Route {
  return {
    method: "POST",
    path: "/v1/queues/{queue}/tasks",
    id: "post_queues_queue_tasks",
    group: "queues",
    role: "write",
    summary: "Adds a task",
    description:
      "A body of another type than application/json is the payload as it is; priority, delay, expiry and dedup id then stand in the query.",
    parameters: { queue: pushed.request.shape.queue },
    query: rawQuery,
    body: { json: jsonBody, raw: "the payload as it is", maxBytes: limits.httpBodyMaxBytes },
    once: true,
    answers: {
      201: { description: "the task", json: pushed.response },
      200: { description: "the dedup id was known; the task pushed then", json: pushed.response },
    },
    errors: verbErrors["queue.push"],
    handle: (call) =>
      doRequest(requests, fromWire("queue.push", pushFields(call)), call, (response) =>
        "duplicate" in response && response.duplicate === true ? 200 : 201,
      ),
  };
}

function pushFields(call: HttpCall): Readonly<Record<string, unknown>> {
  if (call.json === undefined)
    return { ...call.query, ...call.parameters, payload: call.bytes ?? Buffer.alloc(0) };
  const [inQuery] = Object.keys(call.query);
  if (inQuery !== undefined)
    throw new TrubaError(
      "BADVALUE",
      `${inQuery} stands in the query; with a body of JSON it belongs there`,
    );
  return { ...(call.json as object), ...call.parameters };
}
