/** Outcomes of queues as responses. */
import { assert } from "../../base/assert.ts";
import type { ResponseOf } from "../../protocol/requests.ts";
import type { Outcome } from "../outcome.ts";
import type { QueueVerb } from "./queue-operation.ts";

/** `outcome` is what an operation of the verb did, and no error. */
export function queueResponse(verb: QueueVerb, outcome: Outcome): ResponseOf<QueueVerb> {
  switch (outcome.kind) {
    case "queue":
      return changeResponse(verb, outcome.changed);
    case "pushed":
      return { task: outcome.task, duplicate: outcome.duplicate };
    case "tasks":
      return { tasks: outcome.tasks };
    case "settled": {
      const { settled, lost, leaseEndsAtMs } = outcome;
      return verb === "queue.extend" ? { settled, lost, leaseEndsAtMs } : { settled, lost };
    }
    case "count":
      return { count: outcome.count };
    case "record":
    case "value":
    case "session":
    case "sessions":
    case "group":
    case "aborted":
    case "error":
    case "done":
      throw new Error(`${verb} has no outcome of kind ${outcome.kind}`);
    default:
      return outcome satisfies never;
  }
}

function changeResponse(verb: QueueVerb, changed: boolean): ResponseOf<QueueVerb> {
  if (verb === "queue.create") return { created: changed };
  if (verb === "queue.alter") return { altered: changed };
  if (verb === "queue.delete") return { deleted: changed };
  assert(verb === "queue.pause" || verb === "queue.resume", "a verb changes no queue");
  return { changed };
}
