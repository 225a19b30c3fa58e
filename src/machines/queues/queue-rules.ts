/**
 * What a queue is and what it checks, with every default filled in, and its bytes, which stand in operations and in rows:
 *
 *      0  u8   0 fifo, 1 priority, 2 range
 *      1  u8   flags: 1 highest first, 2 has a priority range, 4 has a greatest size, 8 has a greatest payload
 *      2  i64  lowest priority         10  i64  highest priority
 *     18  u32  greatest size           22  u32  greatest payload, bytes
 *     26  f64  lease, ms               34  u32  deliveries, 0 = any
 *     38  f64  dedup window, ms        46  u8   bytes of the dead-letter queue's name, 0 = none
 *     47       that name
 */
import { must } from "../../base/assert.ts";
import { limits } from "../../base/limits.ts";
import type {
  Int64,
  QueueImplementation,
  QueueOrder,
  QueuePolicies,
} from "../../protocol/requests.ts";
import { int64At, setInt64At } from "./int64.ts";

export interface QueueRules {
  readonly implementation: QueueImplementation;
  readonly order: QueueOrder;
  /** Both or none. */
  readonly priorityMin: Int64 | null;
  readonly priorityMax: Int64 | null;
  readonly maxSize: number | null;
  readonly maxPayloadBytes: number | null;
  readonly leaseMs: number;
  readonly maxDeliveries: number;
  readonly deadLetter: string | null;
  readonly dedupMs: number;
}

/** Of a queue that makes itself: any priorities, no limits of its own. */
export const defaultRules: QueueRules = {
  implementation: "priority",
  order: "lowest",
  priorityMin: null,
  priorityMax: null,
  maxSize: null,
  maxPayloadBytes: null,
  leaseMs: limits.leaseDefaultMs,
  maxDeliveries: limits.deliveriesDefaultCount,
  deadLetter: null,
  dedupMs: limits.dedupDefaultMs,
};

const implementations = ["fifo", "priority", "range"] as const;
/** Order is the bit in an alteration. */
export const policyNames = [
  "maxSize",
  "maxPayloadBytes",
  "leaseMs",
  "maxDeliveries",
  "deadLetter",
  "dedupMs",
] as const satisfies readonly (keyof QueuePolicies)[];

const flagHighest = 1;
const flagRange = 2;
const flagMaxSize = 4;
const flagMaxPayload = 8;
const fixedBytes = 47;

export function encodeRules(rules: QueueRules): Buffer {
  const name = Buffer.from(rules.deadLetter ?? "", "latin1");
  const bytes = Buffer.alloc(fixedBytes + name.length);
  bytes[0] = implementations.indexOf(rules.implementation);
  bytes[1] =
    (rules.order === "highest" ? flagHighest : 0) |
    (rules.priorityMin === null ? 0 : flagRange) |
    (rules.maxSize === null ? 0 : flagMaxSize) |
    (rules.maxPayloadBytes === null ? 0 : flagMaxPayload);
  setInt64At(bytes, 2, rules.priorityMin ?? 0);
  setInt64At(bytes, 10, rules.priorityMax ?? 0);
  bytes.writeUInt32LE(rules.maxSize ?? 0, 18);
  bytes.writeUInt32LE(rules.maxPayloadBytes ?? 0, 22);
  bytes.writeDoubleLE(rules.leaseMs, 26);
  bytes.writeUInt32LE(rules.maxDeliveries, 34);
  bytes.writeDoubleLE(rules.dedupMs, 38);
  bytes[46] = name.length;
  name.copy(bytes, fixedBytes);
  return bytes;
}

export function decodeRules(bytes: Buffer, at: number): QueueRules {
  const flags = must(bytes[at + 1]);
  const hasRange = (flags & flagRange) !== 0;
  const nameBytes = must(bytes[at + 46]);
  const nameStart = at + fixedBytes;
  return {
    implementation: must(implementations[must(bytes[at])]),
    order: (flags & flagHighest) === 0 ? "lowest" : "highest",
    priorityMin: hasRange ? int64At(bytes, at + 2) : null,
    priorityMax: hasRange ? int64At(bytes, at + 10) : null,
    maxSize: (flags & flagMaxSize) === 0 ? null : bytes.readUInt32LE(at + 18),
    maxPayloadBytes: (flags & flagMaxPayload) === 0 ? null : bytes.readUInt32LE(at + 22),
    leaseMs: bytes.readDoubleLE(at + 26),
    maxDeliveries: bytes.readUInt32LE(at + 34),
    dedupMs: bytes.readDoubleLE(at + 38),
    deadLetter: nameBytes === 0 ? null : bytes.toString("latin1", nameStart, nameStart + nameBytes),
  };
}

/** The rules with the policies that are given; `null` takes one away. */
export function alteredRules(rules: QueueRules, policies: QueuePolicies): QueueRules {
  return {
    ...rules,
    ...(policies.maxSize === undefined ? {} : { maxSize: policies.maxSize }),
    ...(policies.maxPayloadBytes === undefined
      ? {}
      : { maxPayloadBytes: policies.maxPayloadBytes }),
    ...(policies.leaseMs === undefined ? {} : { leaseMs: policies.leaseMs }),
    ...(policies.maxDeliveries === undefined ? {} : { maxDeliveries: policies.maxDeliveries }),
    ...(policies.deadLetter === undefined ? {} : { deadLetter: policies.deadLetter }),
    ...(policies.dedupMs === undefined ? {} : { dedupMs: policies.dedupMs }),
  };
}

/** Of the policies in `rules`, those whose bit is set, in the order of {@link policyNames}. */
export function policiesOf(rules: QueueRules, mask: number): QueuePolicies {
  return Object.fromEntries(
    policyNames.filter((_, bit) => (mask & (1 << bit)) !== 0).map((name) => [name, rules[name]]),
  );
}

/** Why a task of this priority does not go into a queue of these rules; `undefined` if it does. */
export function refusedPriority(rules: QueueRules, priority: Int64): string | undefined {
  const { priorityMin, priorityMax } = rules;
  if (rules.implementation === "fifo")
    return priority === 0 ? undefined : "it is of type fifo and takes priority 0 only";
  if (priorityMin === null || priorityMax === null) return undefined;
  return priority >= priorityMin && priority <= priorityMax
    ? undefined
    : `it takes ${priorityMin} to ${priorityMax}`;
}

/** The priority of a task that must go into a queue of these rules, whatever it had: its own if the queue takes it, else 0, else the end of the range nearer to that. */
export function fittedPriority(rules: QueueRules, priority: Int64): Int64 {
  if (refusedPriority(rules, priority) === undefined) return priority;
  if (refusedPriority(rules, 0) === undefined) return 0;
  const min = must(rules.priorityMin);
  return min > 0 ? min : must(rules.priorityMax);
}
