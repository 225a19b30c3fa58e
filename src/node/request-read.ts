/** Requests that change nothing, answered from the state as it is here now; and what a request touches. */
import { must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { detached } from "../machines/owner.ts";
import { recordKey } from "../machines/records/record-request.ts";
import { sessionSlot } from "../machines/sessions/session-id.ts";
import type { Partition } from "../partition/partition.ts";
import { partitionOfSlot, slotOf } from "../placement/slots.ts";
import type {
  AnyRequest,
  QueueStats,
  RequestOf,
  ResponseOf,
  SessionInfo,
} from "../protocol/requests.ts";
import { kindOf, operationOf } from "./request-operation.ts";

/** The slot that a request touches. Throws TrubaError for a bad request. */
export function slotOfRequest(asked: AnyRequest): number | "all" {
  const { verb, request } = asked;
  if (verb === "record.get") return recordKey(request.key).slot;
  if (verb === "session.get") return sessionSlot(request.session);
  if (verb === "queue.peek" || verb === "queue.count" || verb === "queue.stats")
    return queueSlot(request.queue);
  if (verb === "session.take" || kindOf(verb) === "read") return "all";
  return operationOf(asked, { owner: detached, tag: "0" }).slot;
}

/** Throws TrubaError: what is asked for is not there, or the request is not right. */
export function readOf(asked: AnyRequest, partitions: readonly Partition[]): object {
  const { verb, request } = asked;
  if (verb === "record.get") return readRecord(request, partitions);
  if (verb === "queue.peek" || verb === "queue.count" || verb === "queue.stats")
    return at(partitions, queueSlot(request.queue)).stack.queues.read(verb, request);
  if (verb === "session.get")
    return at(partitions, sessionSlot(request.session)).stack.sessions.read(verb, request);
  if (verb === "queue.list") return listQueues(request, partitions);
  if (verb === "session.list") return listSessions(request, partitions);
  if (verb === "session.kinds") return must(partitions[0]).stack.sessions.read(verb, request);
  throw new TrubaError("NOTSUPPORTED", `${verb} does not only read`);
}

function queueSlot(queue: string): number {
  return slotOf(Buffer.from(queue, "latin1"));
}

function at(partitions: readonly Partition[], slot: number): Partition {
  return must(partitions[partitionOfSlot(slot, partitions.length)]);
}

function readRecord(
  { key }: RequestOf<"record.get">,
  partitions: readonly Partition[],
): ResponseOf<"record.get"> {
  const parsed = recordKey(key);
  const { records } = at(partitions, parsed.slot).stack;
  const address = records.find(parsed.buffer, 0, parsed.bytes);
  if (address === 0) return { version: 0, value: null };
  const value = records
    .buffer(address)
    .subarray(records.valueStart(address), records.valueEnd(address));
  return { version: records.version(address), value: Buffer.from(value) };
}

/** Each partition gives its first ones; the first of all are the answer. */
function listQueues(
  request: RequestOf<"queue.list">,
  partitions: readonly Partition[],
): ResponseOf<"queue.list"> {
  const queues: QueueStats[] = [];
  for (const { stack } of partitions)
    queues.push(...stack.queues.read("queue.list", request).queues);
  queues.sort((a, b) => (a.queue < b.queue ? -1 : 1));
  return { queues: queues.slice(0, request.count ?? 100) };
}

/** One partition after the other: `after` says where it stopped. */
function listSessions(
  request: RequestOf<"session.list">,
  partitions: readonly Partition[],
): ResponseOf<"session.list"> {
  const { after, ...filter } = request;
  const count = Math.min(request.count ?? 100, limits.listMaxCount);
  const first = after === undefined ? 0 : partitionOfSlot(sessionSlot(after), partitions.length);
  const sessions: SessionInfo[] = [];
  for (const partition of partitions.slice(first)) {
    const left = count - sessions.length;
    if (left <= 0 && sessions.length > 0) break;
    const from = partition.id === first && after !== undefined ? { after } : {};
    sessions.push(
      ...partition.stack.sessions.read("session.list", { ...filter, ...from, count: left })
        .sessions,
    );
  }
  return { sessions };
}
