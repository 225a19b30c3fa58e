/** Requests as operations of the log, and outcomes as responses: to the machine of each verb. */
import { TrubaError } from "../base/errors.ts";
import type { Operation } from "../machines/operation.ts";
import type { Outcome } from "../machines/outcome.ts";
import type { Owner } from "../machines/owner.ts";
import { queueOperation } from "../machines/queues/queue-operation.ts";
import { queueResponse } from "../machines/queues/queue-response.ts";
import { recordOperation, recordResponse } from "../machines/records/record-request.ts";
import { sessionOperation } from "../machines/sessions/session-operation.ts";
import { sessionResponse } from "../machines/sessions/session-response.ts";
import type { AnyRequest } from "../protocol/requests.ts";
import { type TableVerb, verbs } from "../protocol/verbs.ts";

/** What a verb does: see `VerbFacts`. Reads of records may stand in a group. */
export function kindOf(verb: AnyRequest["verb"]): "write" | "admin" | "take" | "read" {
  if (verb === "record.get") return "read";
  if (verb === "record.set" || verb === "record.delete" || verb === "record.check") return "write";
  return verbs[verb].kind;
}

/** `tag`: for a session that is opened without one. Throws TrubaError for a request that is not right, and for reads other than of one record. */
export function operationOf(
  asked: AnyRequest,
  context: { owner: Owner; tag: string; upTo?: number },
): Operation {
  if (isRecordRequest(asked)) return recordOperation(asked.verb, asked.request);
  if (isSessionRequest(asked)) return sessionOperation(asked.verb, asked.request, context);
  return queueOperation(asked.verb, asked.request, context.owner);
}

export function responseOf(verb: AnyRequest["verb"], outcome: Outcome): object {
  if (outcome.kind === "error")
    throw new TrubaError(
      outcome.code,
      outcome.text,
      outcome.retryAfterMs === undefined ? {} : { retryAfterMs: outcome.retryAfterMs },
    );
  if (
    verb === "record.set" ||
    verb === "record.get" ||
    verb === "record.delete" ||
    verb === "record.check"
  )
    return recordResponse(verb, outcome);
  return isSessionVerb(verb) ? sessionResponse(verb, outcome) : queueResponse(verb, outcome);
}

type SessionVerb = Extract<TableVerb, `session.${string}`>;

function isSessionVerb(verb: TableVerb): verb is SessionVerb {
  return verb.startsWith("session.");
}

function isSessionRequest(
  asked: Extract<AnyRequest, { verb: TableVerb }>,
): asked is Extract<AnyRequest, { verb: SessionVerb }> {
  return isSessionVerb(asked.verb);
}

function isRecordRequest(
  asked: AnyRequest,
): asked is Extract<AnyRequest, { verb: `record.${string}` }> {
  return asked.verb.startsWith("record.");
}
