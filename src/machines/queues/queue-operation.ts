/** Requests for queues as operations of the log. What the request alone tells is checked here; the rest is checked where the operation is applied. */
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { slotOf } from "../../placement/slots.ts";
import type { Int64, Lease, RequestOf, Verb } from "../../protocol/requests.ts";
import { checkedCount } from "../checked-count.ts";
import { type Operation, type OperationWriter, operationCodes } from "../operation.ts";
import { type Owner, writeOwner } from "../owner.ts";
import { writeInt64 } from "./int64.ts";
import { pushDedup, pushDelay, pushExpiry, pushPriority } from "./push.ts";
import {
  checkedDedup,
  checkedDelay,
  checkedInt64,
  checkedLeaseMs,
  checkedLeases,
  checkedPayload,
  checkedPolicies,
  checkedQueueName,
  checkedRules,
} from "./queue-request-check.ts";
import { alteredRules, defaultRules, encodeRules, policyNames } from "./queue-rules.ts";

export type QueueVerb = Extract<Verb, `queue.${string}`>;
type ReadVerb = "queue.peek" | "queue.count" | "queue.stats" | "queue.list";
type WriteVerb = Exclude<QueueVerb, ReadVerb>;

type Makers = {
  readonly [V in WriteVerb]: (request: RequestOf<V>, owner: Owner) => Operation;
};

const makers: Makers = {
  "queue.create": (request) => createOperation(request),
  "queue.alter": (request) => alterOperation(request),
  "queue.delete": ({ queue }) => named(queue, operationCodes.queueDelete, nothing),
  "queue.push": (request) => new PushOperation(request),
  "queue.pop": (request, owner) => new PopOperation(request, owner),
  "queue.ack": ({ queue, leases }) => new SettleOperation(queue, operationCodes.queueAck, leases),
  "queue.nack": (request) => nackOperation(request),
  "queue.extend": (request) => extendOperation(request),
  "queue.check": ({ queue, leases }) =>
    new SettleOperation(queue, operationCodes.queueCheck, leases),
  "queue.purge": (request) => purgeOperation(request, 0),
  "queue.pause": ({ queue }) => named(queue, operationCodes.queuePause, (writer) => writer.u8(1)),
  "queue.resume": ({ queue }) => named(queue, operationCodes.queuePause, (writer) => writer.u8(0)),
  "queue.revive": (request) => reviveOperation(request, 0),
};

/**
 * The operation that does a request; `owner` is who holds what a pop hands out. Throws TrubaError BADQUEUENAME, BADVALUE, BADIMPLEMENTATION, BADPRIORITYRANGE, NOPRIORITYRANGE,
 * BADMAXSIZE, BADMAXPAYLOAD or PAYLOADTOOLARGE; NOTSUPPORTED for what only reads.
 */
export function queueOperation<V extends QueueVerb>(
  verb: V,
  request: RequestOf<V>,
  owner: Owner,
): Operation {
  if (!isWrite(verb)) throw new TrubaError("NOTSUPPORTED", `${verb} reads; it is no operation`);
  return make(verb, request as RequestOf<typeof verb>, owner);
}

/** `upTo`: number of the last task that may go; 0 = that of the operation itself. So a purge in several operations ends, however fast others push. */
export function purgeOperation(request: RequestOf<"queue.purge">, upTo: number): Operation {
  const { state = "waiting" } = request;
  if (state !== "waiting" && state !== "dead")
    throw new TrubaError("BADVALUE", `state is ${String(state)}; it must be waiting or dead`);
  return named(request.queue, operationCodes.queuePurge, (writer) => {
    writer.u8(state === "dead" ? 1 : 0);
    writer.f64(upTo);
  });
}

/** `upTo`: as of {@link purgeOperation}. */
export function reviveOperation(request: RequestOf<"queue.revive">, upTo: number): Operation {
  const { task } = request;
  const one = task === undefined ? 0 : checkedCount("task", task, 1, Number.MAX_SAFE_INTEGER);
  return named(request.queue, operationCodes.queueRevive, (writer) => {
    writer.f64(one);
    writer.f64(upTo);
  });
}

function isWrite(verb: QueueVerb): verb is WriteVerb {
  return Object.hasOwn(makers, verb);
}

function make<V extends WriteVerb>(verb: V, request: RequestOf<V>, owner: Owner): Operation {
  return makers[verb](request, owner);
}

/** A checked name as bytes, and the slot that it decides. */
class Name {
  readonly bytes: Buffer;
  readonly slot: number;

  constructor(name: string) {
    this.bytes = Buffer.from(checkedQueueName("queue", name), "latin1");
    this.slot = slotOf(this.bytes);
  }

  write(writer: OperationWriter): void {
    writer.u8(this.bytes.length);
    writer.bytesOf(this.bytes, 0, this.bytes.length);
  }
}

/** An operation of little traffic: a name, and what `body` writes. */
function named(queue: string, code: number, body: (writer: OperationWriter) => void): Operation {
  const name = new Name(queue);
  return {
    code,
    slot: name.slot,
    encode: (writer) => {
      name.write(writer);
      body(writer);
    },
  };
}

function nothing(): void {}

function writeBytes(writer: OperationWriter, bytes: Buffer): void {
  writer.bytesOf(bytes, 0, bytes.length);
}

function createOperation(request: RequestOf<"queue.create">): Operation {
  const name = checkedQueueName("queue", request.queue);
  const rules = encodeRules(checkedRules(name, request));
  return named(name, operationCodes.queueCreate, (writer) => {
    writer.u8(request.ifAbsent === true ? 1 : 0);
    writeBytes(writer, rules);
  });
}

function alterOperation(request: RequestOf<"queue.alter">): Operation {
  const name = checkedQueueName("queue", request.queue);
  const policies = checkedPolicies(name, request);
  let mask = 0;
  for (const [bit, policy] of policyNames.entries())
    if (policies[policy] !== undefined) mask |= 1 << bit;
  const rules = encodeRules(alteredRules(defaultRules, policies));
  return named(name, operationCodes.queueAlter, (writer) => {
    writer.u8(mask);
    writeBytes(writer, rules);
  });
}

function nackOperation(request: RequestOf<"queue.nack">): Operation {
  const { queue, leases, uncounted } = request;
  const delayMs = checkedDelay("delayMs", request.delayMs ?? 0);
  return new SettleOperation(queue, operationCodes.queueNack, leases, (writer) => {
    writer.u8(uncounted === true ? 1 : 0);
    writer.f64(delayMs);
  });
}

function extendOperation(request: RequestOf<"queue.extend">): Operation {
  const { queue, leases } = request;
  const leaseMs = request.leaseMs === undefined ? 0 : checkedLeaseMs(request.leaseMs);
  return new SettleOperation(queue, operationCodes.queueExtend, leases, (writer) =>
    writer.f64(leaseMs),
  );
}

class PushOperation implements Operation {
  readonly code = operationCodes.queuePush;
  readonly slot: number;
  readonly #name: Name;
  readonly #payload: Buffer;
  readonly #priority: Int64;
  readonly #delayMs: number;
  readonly #expiryMs: number;
  readonly #dedup: Buffer | undefined;

  constructor(request: RequestOf<"queue.push">) {
    const { queue, payload, priority, delayMs, expiryMs, dedup } = request;
    this.#name = new Name(queue);
    this.slot = this.#name.slot;
    this.#payload = checkedPayload(queue, payload);
    this.#priority = priority === undefined ? 0 : checkedInt64("priority", priority);
    this.#delayMs = delayMs === undefined ? 0 : checkedDelay("delayMs", delayMs);
    this.#expiryMs =
      expiryMs === undefined ? 0 : checkedCount("expiryMs", expiryMs, 1, limits.delayMaxMs);
    this.#dedup = dedup === undefined ? undefined : checkedDedup(dedup);
  }

  encode(writer: OperationWriter): void {
    const priority = this.#priority;
    const dedup = this.#dedup;
    this.#name.write(writer);
    writer.u8(
      (priority === 0 ? 0 : pushPriority) |
        (this.#delayMs === 0 ? 0 : pushDelay) |
        (this.#expiryMs === 0 ? 0 : pushExpiry) |
        (dedup === undefined ? 0 : pushDedup),
    );
    if (priority !== 0) writeInt64(writer, priority);
    if (this.#delayMs !== 0) writer.f64(this.#delayMs);
    if (this.#expiryMs !== 0) writer.f64(this.#expiryMs);
    if (dedup !== undefined) {
      writer.u8(dedup.length);
      writeBytes(writer, dedup);
    }
    writeBytes(writer, this.#payload);
  }
}

class PopOperation implements Operation {
  readonly code = operationCodes.queuePop;
  readonly slot: number;
  readonly #name: Name;
  readonly #count: number;
  readonly #leaseMs: number;
  readonly #owner: Owner;

  constructor(request: RequestOf<"queue.pop">, owner: Owner) {
    const { queue, count = 1, leaseMs, waitMs = 0 } = request;
    this.#name = new Name(queue);
    this.slot = this.#name.slot;
    this.#count = checkedCount("count", count, 1, limits.takeMaxCount);
    this.#leaseMs = leaseMs === undefined ? 0 : checkedLeaseMs(leaseMs);
    checkedCount("waitMs", waitMs, 0, limits.waitMaxMs);
    this.#owner = owner;
  }

  encode(writer: OperationWriter): void {
    this.#name.write(writer);
    writer.u16(this.#count);
    writer.f64(this.#leaseMs);
    writeOwner(writer, this.#owner);
  }
}

/** Ack, nack, extend and check: what is done with them, and the leases. */
class SettleOperation implements Operation {
  readonly code: number;
  readonly slot: number;
  readonly #name: Name;
  readonly #leases: readonly Lease[];
  readonly #options: ((writer: OperationWriter) => void) | undefined;

  constructor(
    queue: string,
    code: number,
    leases: readonly Lease[],
    options?: (writer: OperationWriter) => void,
  ) {
    this.code = code;
    this.#name = new Name(queue);
    this.slot = this.#name.slot;
    this.#leases = checkedLeases(leases);
    this.#options = options;
  }

  encode(writer: OperationWriter): void {
    this.#name.write(writer);
    this.#options?.(writer);
    writer.u16(this.#leases.length);
    for (const { task, lease } of this.#leases) {
      writer.f64(task);
      writer.f64(lease);
    }
  }
}
