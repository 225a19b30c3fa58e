/** Queues are made, altered, deleted, paused and resumed. */
import { must } from "../../base/assert.ts";
import { limits } from "../../base/limits.ts";
import type { Moment } from "../machine.ts";
import type { OperationReader } from "../operation.ts";
import { type ErrorOutcome, type QueueOutcome, errorOutcome } from "../outcome.ts";
import type { Queue } from "./queue.ts";
import {
  type QueueRules,
  alteredRules,
  decodeRules,
  defaultRules,
  policiesOf,
} from "./queue-rules.ts";
import type { QueueTables } from "./queue-tables.ts";

/** The queue that makes itself. */
export const defaultName = "default";

const changed: QueueOutcome = { kind: "queue", changed: true };
const unchanged: QueueOutcome = { kind: "queue", changed: false };

/** A name as it stands in an operation: u8 bytes, name. */
export interface NamePlace {
  readonly source: Buffer;
  readonly start: number;
  readonly bytes: number;
}

export function readName(operation: OperationReader): NamePlace {
  const bytes = operation.u8();
  return { source: operation.buffer, start: operation.skip(bytes), bytes };
}

export function nameText({ source, start, bytes }: NamePlace): string {
  return source.toString("latin1", start, start + bytes);
}

export function noQueue(name: string): ErrorOutcome {
  return errorOutcome("NOQUEUE", `there is no queue "${name}"`);
}

/** Makes a queue of a name that none has; `undefined` if there are as many as there may be. */
export function makeQueue(
  tables: QueueTables,
  moment: Moment,
  name: string,
  rules: QueueRules,
): Queue | undefined {
  if (tables.totals.queues >= limits.queuesMaxCount) return undefined;
  tables.queues.put({
    name: Buffer.from(name, "latin1"),
    number: tables.queues.takeNumber(),
    createdAtMs: moment.timestamp,
    paused: false,
    rules,
  });
  return must(tables.named(name));
}

/** The queue at a name; `default` is made if it is not there. */
export function queueFor(
  tables: QueueTables,
  moment: Moment,
  place: NamePlace,
): Queue | ErrorOutcome {
  const queue = tables.find(place.source, place.start, place.bytes);
  if (queue !== undefined) return queue;
  const name = nameText(place);
  if (name !== defaultName) return noQueue(name);
  return makeQueue(tables, moment, name, defaultRules) ?? tooManyQueues(name);
}

/** Body: name, u8 1 if one that is there is fine, rules. */
export function createQueue(
  tables: QueueTables,
  operation: OperationReader,
  moment: Moment,
): QueueOutcome | ErrorOutcome {
  const place = readName(operation);
  const ifAbsent = operation.u8() === 1;
  const rules = decodeRules(operation.buffer, operation.at);
  const known = tables.find(place.source, place.start, place.bytes);
  const name = nameText(place);
  if (known === undefined)
    return makeQueue(tables, moment, name, rules) === undefined ? tooManyQueues(name) : changed;
  if (!ifAbsent) return errorOutcome("QUEUEEXISTS", `there is a queue "${name}" already`);
  if (isSameType(known.rules, rules)) return unchanged;
  return errorOutcome(
    "QUEUEEXISTS",
    `there is a queue "${name}" of another type, order or priority range already: ${typeText(known.rules)}`,
  );
}

/** Body: name, u8 mask of the policies that are given, rules that hold their values. */
export function alterQueue(
  tables: QueueTables,
  operation: OperationReader,
  moment: Moment,
): QueueOutcome | ErrorOutcome {
  const place = readName(operation);
  const mask = operation.u8();
  const queue = queueFor(tables, moment, place);
  if ("kind" in queue) return queue;
  const policies = policiesOf(decodeRules(operation.buffer, operation.at), mask);
  tables.queues.put({ ...queue.row, rules: alteredRules(queue.rules, policies) });
  return changed;
}

/** Body: name. Its tasks go in slices, by themselves. */
export function deleteQueue(tables: QueueTables, operation: OperationReader): QueueOutcome {
  const { source, start, bytes } = readName(operation);
  const queue = tables.find(source, start, bytes);
  if (queue === undefined) return unchanged;
  tables.queues.remove(queue.nameBytes);
  return changed;
}

/** Body: name, u8 1 to pause, 0 to resume. */
export function pauseQueue(
  tables: QueueTables,
  operation: OperationReader,
  moment: Moment,
): QueueOutcome | ErrorOutcome {
  const place = readName(operation);
  const paused = operation.u8() === 1;
  // One that is not there is not paused.
  if (!paused && isMissingDefault(tables, place)) return unchanged;
  const queue = queueFor(tables, moment, place);
  if ("kind" in queue) return queue;
  if (queue.paused === paused) return unchanged;
  tables.queues.put({ ...queue.row, paused });
  return changed;
}

/** Whether it is `default` and not made yet. */
export function isMissingDefault(tables: QueueTables, place: NamePlace): boolean {
  const queue = tables.find(place.source, place.start, place.bytes);
  return queue === undefined && nameText(place) === defaultName;
}

function isSameType(a: QueueRules, b: QueueRules): boolean {
  return (
    a.implementation === b.implementation &&
    a.order === b.order &&
    a.priorityMin === b.priorityMin &&
    a.priorityMax === b.priorityMax
  );
}

function typeText(rules: QueueRules): string {
  const { implementation, order, priorityMin, priorityMax } = rules;
  const range = priorityMin === null ? "" : `, ${priorityMin} to ${priorityMax}`;
  return `${implementation}, ${order} first${range}`;
}

function tooManyQueues(name: string): ErrorOutcome {
  return errorOutcome(
    "TOOMANY",
    `queue "${name}" is not made: the partition has ${limits.queuesMaxCount} queues, the limit`,
  );
}
