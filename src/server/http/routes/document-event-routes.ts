/** A document as it changes, by server-sent events. The same address takes WebSockets: see document-socket.ts. */
import { must } from "../../../base/assert.ts";
import { documentName } from "../document-schemas.ts";
import type { DocumentStreams } from "../document-streams.ts";
import type { Route } from "../route.ts";
import { mustAcceptEvents } from "./subscription-routes.ts";

export const documentEventsPath = "/v1/documents/{name}/events";

export function documentEventRoutes(streams: DocumentStreams): readonly Route[] {
  return [
    {
      method: "GET",
      path: documentEventsPath,
      id: "get_documents_name_events",
      group: "documents",
      role: "read",
      summary: "A document as it changes, by server-sent events or WebSocket",
      description: [
        "First the event `snapshot`, with the document; then `change` with a JSON Patch that leads from what was told before to what is now, and with verdicts;",
        "a client that is slow gets a `snapshot` again instead of what it missed; at the end `ended`, a problem.",
        "By WebSocket each is one JSON text with `kind`. A document that does not exist is watched as {}.",
      ].join(" "),
      parameters: { name: documentName },
      answers: { 200: { description: "server-sent events", mediaType: "text/event-stream" } },
      errors: ["BADDOCUMENTNAME", "DOCUMENTDAMAGED"],
      handle: (call) => {
        mustAcceptEvents(call);
        const name = must(call.parameters["name"]);
        return {
          status: 200,
          body: { kind: "events", open: (output) => streams.open(name, output) },
        };
      },
    },
  ];
}
