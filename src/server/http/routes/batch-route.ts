/** `POST /v1/batch`: several writes as one, all or nothing (DESIGN §8). */
import { z } from "zod";
import { errorTable } from "../../../base/errors.ts";
import { limits } from "../../../base/limits.ts";
import { detached } from "../../../machines/owner.ts";
import { kindOf } from "../../../node/request-operation.ts";
import type { Requests } from "../../../node/requests.ts";
import type { AnyRequest, Verb } from "../../../protocol/requests.ts";
import { type HttpCall, type Route, jsonAnswer } from "../route.ts";
import { verbErrors } from "../verb-errors.ts";
import { allVerbs, verbSchemas } from "../verb-schemas.ts";
import { object } from "../wire-fields.ts";
import { fromWire } from "../wire.ts";

/** What may stand in a group. */
const groupVerbs = allVerbs.filter((verb) => kindOf(verb) === "write" || verb === "record.get");

const anyObject = z.record(z.string(), z.unknown());

const body = object({
  requests: z
    .array(
      object({
        verb: z.enum(groupVerbs as [Verb, ...Verb[]]).meta({ description: "what to do" }),
        request: anyObject.meta({ description: "as the body of POST /v1/{verb}" }),
      }),
    )
    .max(limits.groupMaxOperations)
    .meta({
      examples: [
        [
          {
            verb: "record.check",
            request: { key: "{order-7}0d5d3807-5fbf-4228-a657-5a091c4e497f", ifVersion: 12 },
          },
          { verb: "queue.push", request: { queue: "{order-7}emails", payload: "aGVsbG8=" } },
        ],
      ],
    }),
});

/** A request of a wrong form is refused by itself; what is refused when it is applied is the cause of EXECABORT. */
const formErrors = [...new Set(groupVerbs.flatMap((verb) => verbErrors[verb]))].filter(
  (code) => errorTable[code].status === 400,
);

export function batchRoute(requests: Requests): Route {
  return {
    method: "POST",
    path: "/v1/batch",
    id: "post_batch",
    group: "groups",
    role: "write",
    summary: "Several writes on one partition: all, or none",
    description:
      "The first request that is refused, conditions among them, undoes all: EXECABORT, with the index of the request and the code as cause. Keys are put on one partition with a {tag}.",
    body: { json: body, maxBytes: limits.httpBodyMaxBytes },
    once: true,
    answers: {
      200: {
        description: "an answer for each request, in order",
        json: object({
          responses: z
            .array(anyObject)
            .meta({ examples: [[{ version: 12 }, { task: 41, duplicate: false }]] }),
        }),
      },
    },
    errors: [...formErrors, "CROSSSLOT", "EXECABORT", "TOOLARGE"],
    handle: async (call) => {
      const asked = requestsOf(call);
      const context = { owner: detached, requestId: call.requestId };
      return jsonAnswer({ responses: await requests.atomic(asked, context) });
    },
  };
}

function requestsOf(call: HttpCall): readonly AnyRequest[] {
  const { requests } = call.json as {
    requests: readonly { verb: Verb; request: Readonly<Record<string, unknown>> }[];
  };
  return requests.map(({ verb, request }, index) => {
    call.check(verbSchemas[verb].request, request, `request ${index} (${verb}): `);
    return fromWire(verb, request);
  });
}
