/** A patch that leads from one value to another: right, and small where parts are equal; not the smallest. */
import { limits } from "../base/limits.ts";
import { isArray, jsonEqual } from "./canonical.ts";
import { isContainer } from "./container.ts";
import type { Json, JsonArray, JsonObject } from "./json.ts";
import type { Operation } from "./patch.ts";
import { isLighter, weightOf } from "./weight.ts";

/**
 * Strict, and empty for equal values. A part whose changes would be much longer than the part itself is replaced whole (not what is a little longer: changes
 * of single members leave those of others alone), and so is the document if it took more than `documentPatchMaxOperations`. Values of the operations
 * are those of `to`, not copies.
 */
export function diffPatch(from: Json, to: Json): Operation[] {
  const operations: Operation[] = [];
  compare(from, to, [], operations);
  return operations.length <= limits.documentPatchMaxOperations
    ? operations
    : [{ op: "replace", path: [], value: to }];
}

/** What an operation without its path and value takes as text. */
const operationWeight = 24;

/** A part is replaced whole when its changes are more than twice as long, and longer by so much. */
const toleratedWeight = 512;

/** Adds what leads there. Answers about how long that is, as text. */
function compare(from: Json, to: Json, path: readonly string[], operations: Operation[]): number {
  if (from === to) return 0;
  if (!isContainer(from) || !isContainer(to) || isArray(from) !== isArray(to))
    return put(operations, { op: "replace", path, value: to });
  const before = operations.length;
  const weight =
    isArray(from) && isArray(to)
      ? compareArrays(from, to, path, operations)
      : compareObjects(from as JsonObject, to as JsonObject, path, operations);
  const whole = (weight - toleratedWeight) / 2;
  if (whole <= 0 || !isLighter(to, whole)) return weight;
  operations.length = before;
  return put(operations, { op: "replace", path, value: to });
}

function compareObjects(
  from: JsonObject,
  to: JsonObject,
  path: readonly string[],
  operations: Operation[],
): number {
  let weight = 0;
  for (const name of Object.keys(from))
    if (!Object.hasOwn(to, name))
      weight += put(operations, { op: "remove", path: [...path, name] });
  for (const name of Object.keys(to)) {
    const value = to[name] as Json;
    weight += Object.hasOwn(from, name)
      ? compare(from[name] as Json, value, [...path, name], operations)
      : put(operations, { op: "add", path: [...path, name], value });
  }
  return weight;
}

/** What is equal at both ends stays; what is between is changed in place as far as both go, and the rest added or removed. */
function compareArrays(
  from: JsonArray,
  to: JsonArray,
  path: readonly string[],
  operations: Operation[],
): number {
  const shorter = Math.min(from.length, to.length);
  let head = 0;
  while (head < shorter && jsonEqual(from[head] as Json, to[head] as Json)) head++;
  let tail = 0;
  while (
    tail < shorter - head &&
    jsonEqual(from[from.length - 1 - tail] as Json, to[to.length - 1 - tail] as Json)
  )
    tail++;
  let weight = 0;
  const changed = shorter - tail;
  for (let at = head; at < changed; at++)
    weight += compare(from[at] as Json, to[at] as Json, [...path, String(at)], operations);
  for (let at = from.length - tail - 1; at >= changed; at--)
    weight += put(operations, { op: "remove", path: [...path, String(at)] });
  for (let at = changed; at < to.length - tail; at++)
    weight += put(operations, {
      op: "add",
      path: [...path, String(at)],
      value: to[at] as Json,
    });
  return weight;
}

function put(operations: Operation[], operation: Operation): number {
  operations.push(operation);
  const { path, value } = operation;
  return operationWeight + pathWeight(path) + (value === undefined ? 0 : 9 + weightOf(value));
}

function pathWeight(path: readonly string[]): number {
  let weight = 0;
  for (const token of path) weight += 1 + token.length;
  return weight;
}
