/** Checks of what a request for queues says, before any of it becomes an operation. Each throws a TrubaError that names the field, the value and the limit. */
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { shown } from "../../base/shown-value.ts";
import { slotOf } from "../../placement/slots.ts";
import { canonicalInt64, int64Max, int64Min } from "../../protocol/int64.ts";
import type {
  Int64,
  Lease,
  QueuePolicies,
  QueueSettings,
  TaskState,
} from "../../protocol/requests.ts";
import { checkedCount } from "../checked-count.ts";
import { taskStates } from "./delivery-row.ts";
import { type QueueRules, alteredRules, defaultRules } from "./queue-rules.ts";

const namePattern = /^[\x21-\x7e]{1,255}$/;
const implementations: readonly string[] = ["fifo", "priority", "range"];

/** Throws BADQUEUENAME. */
export function checkedQueueName(field: string, name: unknown): string {
  if (typeof name === "string" && namePattern.test(name)) return name;
  const bytes = typeof name === "string" ? `, ${Buffer.byteLength(name)} bytes` : "";
  throw new TrubaError(
    "BADQUEUENAME",
    `${field} is ${shown(name)}${bytes}; it must be 1 to ${limits.queueNameMaxBytes} printable ASCII characters without spaces`,
  );
}

/** 0 or the number of a task. Throws BADVALUE. */
export function checkedTaskNumber(field: string, value: number): number {
  return checkedCount(field, value, 0, Number.MAX_SAFE_INTEGER);
}

/** Throws BADVALUE. */
export function checkedTaskState(state: string): TaskState {
  const known = taskStates.find((each) => each === state);
  if (known !== undefined) return known;
  throw new TrubaError(
    "BADVALUE",
    `state is ${shown(state)}; it must be one of ${taskStates.join(", ")}`,
  );
}

/** Throws BADVALUE. */
export function checkedInt64(field: string, value: Int64): Int64 {
  const fits =
    typeof value === "bigint"
      ? value >= int64Min && value <= int64Max
      : Number.isSafeInteger(value);
  if (fits) return canonicalInt64(value);
  throw new TrubaError(
    "BADVALUE",
    `${field} is ${shown(value)}; it must be a whole number from ${int64Min} to ${int64Max}, a bigint beyond ±${Number.MAX_SAFE_INTEGER}`,
  );
}

/** Throws BADVALUE. */
export function checkedLeases(leases: readonly Lease[]): readonly Lease[] {
  if (!Array.isArray(leases) || leases.length < 1 || leases.length > limits.takeMaxCount)
    throw new TrubaError(
      "BADVALUE",
      `leases are ${Array.isArray(leases) ? leases.length : "no list"}; there must be 1 to ${limits.takeMaxCount}`,
    );
  for (const { task, lease } of leases) {
    checkedCount("task", task, 1, Number.MAX_SAFE_INTEGER);
    checkedCount("lease", lease, 1, Number.MAX_SAFE_INTEGER);
  }
  return leases;
}

/** Throws BADVALUE. */
export function checkedDelay(field: string, value: number): number {
  return checkedCount(field, value, 0, limits.delayMaxMs);
}

/** Throws BADVALUE. */
export function checkedLeaseMs(value: number): number {
  return checkedCount("leaseMs", value, limits.leaseMinMs, limits.leaseMaxMs);
}

/** Throws PAYLOADTOOLARGE for what no queue takes, BADVALUE for what are no bytes. */
export function checkedPayload(queue: string, payload: Uint8Array): Buffer {
  if (!(payload instanceof Uint8Array)) throw new TrubaError("BADVALUE", "payload is no bytes");
  if (payload.length > limits.valueMaxBytes)
    throw new TrubaError(
      "PAYLOADTOOLARGE",
      `payload is ${payload.length} bytes; queue "${queue}" cannot allow more than ${limits.valueMaxBytes}`,
    );
  return Buffer.from(payload.buffer, payload.byteOffset, payload.length);
}

/** Throws BADVALUE. */
export function checkedDedup(id: string): Buffer {
  const bytes = Buffer.from(id, "utf8");
  if (bytes.length >= 1 && bytes.length <= limits.dedupIdMaxBytes) return bytes;
  throw new TrubaError(
    "BADVALUE",
    `dedup is ${bytes.length} bytes; it must be 1 to ${limits.dedupIdMaxBytes}`,
  );
}

/** The policies that are given. Throws BADMAXSIZE, BADMAXPAYLOAD, BADQUEUENAME, BADVALUE. */
export function checkedPolicies(queue: string, policies: QueuePolicies): QueuePolicies {
  const { maxSize, maxPayloadBytes, leaseMs, maxDeliveries, deadLetter, dedupMs } = policies;
  if (maxSize !== undefined && maxSize !== null)
    checkedCount("maxSize", maxSize, 0, limits.queueSizeMaxCount, "BADMAXSIZE");
  if (maxPayloadBytes !== undefined && maxPayloadBytes !== null)
    checkedCount("maxPayloadBytes", maxPayloadBytes, 0, limits.valueMaxBytes, "BADMAXPAYLOAD");
  if (leaseMs !== undefined) checkedLeaseMs(leaseMs);
  if (maxDeliveries !== undefined)
    checkedCount("maxDeliveries", maxDeliveries, 0, limits.deliveriesMaxCount);
  if (deadLetter !== undefined && deadLetter !== null) checkDeadLetter(queue, deadLetter);
  if (dedupMs !== undefined) checkedCount("dedupMs", dedupMs, 0, limits.dedupMaxMs);
  return policies;
}

/** The rules of a new queue. Throws BADIMPLEMENTATION, BADPRIORITYRANGE, NOPRIORITYRANGE and as {@link checkedPolicies}. */
export function checkedRules(queue: string, settings: QueueSettings): QueueRules {
  const { implementation = "fifo", order = "lowest" } = settings;
  if (!implementations.includes(implementation))
    throw new TrubaError(
      "BADIMPLEMENTATION",
      `implementation is ${shown(implementation)}; it must be one of ${implementations.join(", ")}`,
    );
  if (order !== "lowest" && order !== "highest")
    throw new TrubaError("BADVALUE", `order is ${shown(order)}; it must be lowest or highest`);
  const range = checkedRange(implementation, settings);
  return {
    ...alteredRules(defaultRules, checkedPolicies(queue, settings)),
    implementation,
    order,
    priorityMin: range?.min ?? null,
    priorityMax: range?.max ?? null,
  };
}

function checkedRange(
  implementation: string,
  settings: QueueSettings,
): { min: Int64; max: Int64 } | undefined {
  const { priorityMin, priorityMax } = settings;
  if (priorityMin === undefined && priorityMax === undefined) {
    if (implementation !== "range") return undefined;
    throw new TrubaError(
      "NOPRIORITYRANGE",
      "a queue of type range needs its lowest and highest priority",
    );
  }
  if (priorityMin === undefined || priorityMax === undefined)
    throw badRange(
      `the ${priorityMin === undefined ? "lowest" : "highest"} priority is missing; both must be given, or none`,
    );
  if (implementation === "fifo") throw badRange("a queue of type fifo takes no priority range");
  const min = checkedInt64("priorityMin", priorityMin);
  const max = checkedInt64("priorityMax", priorityMax);
  if (min > max) throw badRange(`the lowest priority, ${min}, is above the highest, ${max}`);
  const width = BigInt(max) - BigInt(min) + 1n;
  if (implementation === "range" && width > limits.priorityRangeMaxCount)
    throw badRange(
      `${min} to ${max} are ${width} priorities; a queue of type range has ${limits.priorityRangeMaxCount} at most`,
    );
  return { min, max };
}

function badRange(text: string): TrubaError {
  return new TrubaError("BADPRIORITYRANGE", text);
}

/** Dead tasks move in one operation, so the two queues must be on one partition, on whatever cluster: that is, have one slot. */
function checkDeadLetter(queue: string, deadLetter: string): void {
  checkedQueueName("deadLetter", deadLetter);
  if (deadLetter === queue)
    throw new TrubaError("BADVALUE", `deadLetter is the queue "${queue}" itself`);
  if (slotOfName(deadLetter) === slotOfName(queue)) return;
  const suggestions = [`${queue}.dead`, `{${queue}}.dead`];
  const good = suggestions.find(
    (name) => namePattern.test(name) && slotOfName(name) === slotOfName(queue),
  );
  const hint = good === undefined ? "" : `; ${good} would be`;
  throw new TrubaError(
    "BADVALUE",
    `deadLetter "${deadLetter}" is not bound to one partition with "${queue}" (they share no {tag})${hint}`,
  );
}

function slotOfName(name: string): number {
  return slotOf(Buffer.from(name, "latin1"));
}
