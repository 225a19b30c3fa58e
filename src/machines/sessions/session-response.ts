/** Outcomes of operations on sessions as the responses of their verbs. */
import { must } from "../../base/assert.ts";
import { TrubaError } from "../../base/errors.ts";
import type { ResponseOf } from "../../protocol/requests.ts";
import type { Outcome, SessionOutcome } from "../outcome.ts";
import type { SessionVerb } from "./session-operation.ts";

/** `outcome` is that of an operation of the verb, and not an error. */
export function sessionResponse<V extends SessionVerb>(verb: V, outcome: Outcome): ResponseOf<V>;
export function sessionResponse(verb: SessionVerb, outcome: Outcome): object {
  switch (verb) {
    case "session.new": {
      const { session, epoch } = sessionOutcome(outcome);
      return { session, epoch } satisfies ResponseOf<"session.new">;
    }
    case "session.append":
    case "session.replace": {
      const { recordsCount, bytes } = sessionOutcome(outcome);
      return { recordsCount, bytes } satisfies ResponseOf<"session.append">;
    }
    case "session.touch": {
      const { dueAtMs } = sessionOutcome(outcome);
      return { dueAtMs } satisfies ResponseOf<"session.touch">;
    }
    case "session.delete":
      return { deleted: true } satisfies ResponseOf<"session.delete">;
    case "session.store":
    case "session.revive": {
      const { status, dueAtMs } = sessionOutcome(outcome);
      return {
        status: status === "dead" ? "dead" : "stored",
        dueAtMs,
      } satisfies ResponseOf<"session.store">;
    }
    case "session.take": {
      const { sessions } = must(outcome.kind === "sessions" ? outcome : undefined);
      return { sessions } satisfies ResponseOf<"session.take">;
    }
    case "session.get":
    case "session.list":
    case "session.kinds":
      throw new TrubaError("NOTSUPPORTED", `${verb} reads; it has no outcome`);
    default:
      return verb satisfies never;
  }
}

function sessionOutcome(outcome: Outcome): SessionOutcome {
  return must(
    outcome.kind === "session" ? outcome : undefined,
    "an operation on a session has the outcome of another",
  );
}
