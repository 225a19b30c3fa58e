/**
 * Routes that do one request of the vocabulary. Where each field comes from follows from its name: those in braces come from the path, those of GET and DELETE from the
 * query, all others from the JSON body.
 */
import { z } from "zod";
import type { ErrorCode } from "../../base/errors.ts";
import type { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { detached } from "../../machines/owner.ts";
import type { Outcome } from "../../machines/outcome.ts";
import type { Requests } from "../../node/requests.ts";
import { kindOf } from "../../node/request-operation.ts";
import type { AnyRequest, RequestOf, ResponseOf, Verb } from "../../protocol/requests.ts";
import { verbs } from "../../protocol/verbs.ts";
import {
  type Answer,
  type HttpCall,
  type Method,
  type Route,
  type RouteGroup,
  jsonAnswer,
  parametersOf,
} from "./route.ts";
import { verbErrors } from "./verb-errors.ts";
import { allVerbs, verbSchemas } from "./verb-schemas.ts";
import { fromWire } from "./wire.ts";

/** What a resource form says beside its verb. */
export interface VerbRoute<V extends Verb> {
  readonly verb: V;
  readonly method: Method;
  readonly path: string;
  readonly group: RouteGroup;
  readonly summary: string;
  readonly description?: string;
  /** The status of a good answer; 200 without it. */
  readonly statusOf?: (response: ResponseOf<V>) => number;
  /** Those that `statusOf` may give. */
  readonly statuses?: readonly number[];
  /** Refuses what the vocabulary answers without an error. */
  readonly refuse?: (response: ResponseOf<V>, request: RequestOf<V>) => TrubaError | undefined;
  readonly errors?: readonly ErrorCode[];
}

export function verbRoute<V extends Verb>(requests: Requests, parts: VerbRoute<V>): Route {
  const { verb, method, path, statuses = [200], refuse } = parts;
  const { request, response } = verbSchemas[verb];
  const names = parametersOf(path);
  const shape = request.shape as Readonly<Record<string, z.ZodType>>;
  const rest = z.strictObject(
    Object.fromEntries(Object.entries(shape).filter(([name]) => !names.includes(name))),
  );
  const inQuery = method === "GET" || method === "DELETE";
  const empty = Object.keys(rest.shape).length === 0;
  const optional = rest.safeParse({}).success;
  return {
    method,
    path,
    id: operationId(method, path),
    group: parts.group,
    role: kindOf(verb) === "read" ? "read" : "write",
    summary: parts.summary,
    ...(parts.description === undefined ? {} : { description: parts.description }),
    parameters: Object.fromEntries(names.map((name) => [name, shape[name] ?? z.string()])),
    ...(inQuery ? { query: rest } : {}),
    ...(inQuery || empty
      ? {}
      : { body: { json: rest, optional, maxBytes: limits.httpBodyMaxBytes } }),
    once: isWrite(verb),
    answers: Object.fromEntries(
      statuses.map((status) => [status, { description: descriptionOf(verb), json: response }]),
    ),
    errors: [...verbErrors[verb], ...(parts.errors ?? [])],
    handle: async (call) => {
      const fields = {
        ...(inQuery ? call.query : (call.json as object | undefined)),
        ...call.parameters,
      };
      const asked = fromWire(verb, fields);
      return doRequest(requests, asked, call, (answered) => {
        const made = answered as ResponseOf<V>;
        const refused = refuse?.(made, asked.request);
        if (refused !== undefined) throw refused;
        return parts.statusOf?.(made) ?? statuses[0] ?? 200;
      });
    },
  };
}

/** `POST /v1/{verb}` for every verb. */
export function plainRoutes(requests: Requests): readonly Route[] {
  return allVerbs.map((verb) => ({
    ...verbRoute(requests, {
      verb,
      method: "POST",
      path: `/v1/${verb}`,
      group: "verbs",
      summary: helpOf(verb),
    }),
    id: verb,
  }));
}

/** Does a request and answers with its response. What is handed out to a client that is gone goes back at once. */
export async function doRequest(
  requests: Requests,
  asked: AnyRequest,
  call: HttpCall,
  statusOf: (response: object) => number,
): Promise<Answer> {
  if (kindOf(asked.verb) !== "take") {
    const context = { owner: detached, requestId: call.requestId };
    const response = await requests.call(asked.verb, asked.request, context);
    return jsonAnswer(response, statusOf(response));
  }
  const response = await take(requests, asked, call.signal);
  return {
    ...jsonAnswer(response, statusOf(response)),
    lost: () => giveBack(requests, asked, response),
  };
}

/** Waits no longer than its client. Rejects with the signal's reason. */
function take(requests: Requests, asked: AnyRequest, signal: AbortSignal): Promise<object> {
  return new Promise((resolve, reject) => {
    const context = { owner: detached };
    let giveUp: (() => void) | undefined;
    const abort = (): void => {
      // What does not wait is answered anyway, and given back then.
      if (giveUp === undefined) return;
      giveUp();
      reject(signal.reason as Error);
    };
    const settle = (_tag: number, outcome: Outcome): void => {
      signal.removeEventListener("abort", abort);
      try {
        resolve(requests.response(asked.verb, outcome));
      } catch (error) {
        reject(error);
      }
    };
    signal.addEventListener("abort", abort, { once: true });
    giveUp = requests.submit(asked.verb, asked.request, context, { settle }, 0);
    if (signal.aborted) abort();
  });
}

const forget = (): void => {};

/** As if it had never been handed out. Whether that succeeds matters to nobody: the lease ends by itself. */
function giveBack(requests: Requests, asked: AnyRequest, response: object): void {
  const context = { owner: detached };
  if (asked.verb === "queue.pop") {
    const { tasks } = response as ResponseOf<"queue.pop">;
    const { queue } = asked.request;
    const leases = tasks.map(({ task, lease }) => ({ task, lease }));
    if (leases.length > 0)
      requests.call("queue.nack", { queue, leases, uncounted: true }, context).catch(forget);
  }
  if (asked.verb === "session.take") {
    const { sessions } = response as ResponseOf<"session.take">;
    for (const { session, epoch } of sessions)
      requests.call("session.store", { session, epoch, afterMs: 0 }, context).catch(forget);
  }
}

function isWrite(verb: Verb): boolean {
  const kind = kindOf(verb);
  return kind === "write" || kind === "admin";
}

/** `POST /v1/queues/{queue}/pop` → `post_queues_queue_pop`. */
function operationId(method: Method, path: string): string {
  return `${method.toLowerCase()}${path.replace("/v1", "").replaceAll(/[{}]/g, "").replaceAll(/[/.]/g, "_")}`;
}

const recordHelp: Readonly<Record<Extract<Verb, `record.${string}`>, string>> = {
  "record.set": "Writes a record.",
  "record.delete": "Deletes a record.",
  "record.get": "Reads a record.",
  "record.check": "In a batch: nothing is applied unless the record has this version.",
};

function helpOf(verb: Verb): string {
  return isRecordVerb(verb) ? recordHelp[verb] : verbs[verb].help;
}

function descriptionOf(verb: Verb): string {
  return isRecordVerb(verb) ? "what was done, and the version that stands now" : verbs[verb].answer;
}

function isRecordVerb(verb: Verb): verb is Extract<Verb, `record.${string}`> {
  return verb.startsWith("record.");
}
