/** `/v1/sessions`. */
import type { Requests } from "../../../node/requests.ts";
import type { Verb } from "../../../protocol/requests.ts";
import type { Route } from "../route.ts";
import { type VerbRoute, verbRoute } from "../verb-routes.ts";

export function sessionRoutes(requests: Requests): readonly Route[] {
  const route = <V extends Verb>(parts: Omit<VerbRoute<V>, "group">): Route =>
    verbRoute(requests, { ...parts, group: "sessions" });
  return [
    route({
      verb: "session.new",
      method: "POST",
      path: "/v1/sessions",
      summary: "Opens a session",
      description: "Over HTTP a session does not end with the connection, only by silence.",
      statuses: [201],
    }),
    route({
      verb: "session.list",
      method: "GET",
      path: "/v1/sessions",
      summary: "Sessions, in the order of their partitions and ids",
    }),
    route({
      verb: "session.kinds",
      method: "GET",
      path: "/v1/sessions/kinds",
      summary: "The kinds of sessions",
    }),
    route({
      verb: "session.take",
      method: "POST",
      path: "/v1/sessions/take",
      summary: "Takes due sessions, as their handler",
      description:
        "With waitMs it waits for the first, without polling. What a client that went away did not get goes back at once.",
    }),
    route({
      verb: "session.get",
      method: "GET",
      path: "/v1/sessions/{session}",
      summary: "A session with its records",
    }),
    ...words.map(([word, summary]) =>
      route({
        verb: `session.${word}`,
        method: "POST",
        path: `/v1/sessions/{session}/${word}`,
        summary,
      }),
    ),
  ];
}

const words = [
  ["append", "Adds a record"],
  ["replace", "Drops the records so far and keeps this one"],
  ["touch", "Its owner is alive: its silence begins anew"],
  ["store", "Puts the session off; its handler gets it when it is due"],
  ["delete", "The session is done; it goes"],
  ["revive", "A dead session is due again"],
] as const;
