/** What leads from one value to another, as a JSON Patch: right, and small where members changed; lists are compared from both ends. */
import { escapeToken, isContainer } from "./patching.js";

/**
 * @typedef {import("../../src/patch/json.ts").Json} Json
 * @typedef {import("./patching.js").Operation} Operation
 * @typedef {Record<string, Json>} Members
 */

/**
 * @param {Json} from
 * @param {Json} to
 * @returns {Operation[]}
 */
export function differenceOf(from, to) {
  /** @type {Operation[]} */
  const operations = [];
  compare(from, to, "", operations);
  return operations;
}

/**
 * @param {Json} from
 * @param {Json} to
 * @param {string} path
 * @param {Operation[]} operations
 */
function compare(from, to, path, operations) {
  if (from === to) return;
  if (Array.isArray(from) && Array.isArray(to)) compareLists(from, to, path, operations);
  else if (isContainer(from) && isContainer(to) && !Array.isArray(from) && !Array.isArray(to))
    compareMembers(/** @type {Members} */ (from), /** @type {Members} */ (to), path, operations);
  else operations.push({ op: "replace", path, value: to });
}

/**
 * @param {Members} from
 * @param {Members} to
 * @param {string} path
 * @param {Operation[]} operations
 */
function compareMembers(from, to, path, operations) {
  for (const name of Object.keys(from))
    if (!Object.hasOwn(to, name)) operations.push({ op: "remove", path: under(path, name) });
  for (const [name, value] of Object.entries(to)) {
    if (Object.hasOwn(from, name))
      compare(from[name] ?? null, value, under(path, name), operations);
    else operations.push({ op: "add", path: under(path, name), value });
  }
}

/**
 * @param {readonly Json[]} from
 * @param {readonly Json[]} to
 * @param {string} path
 * @param {Operation[]} operations
 */
function compareLists(from, to, path, operations) {
  let head = 0;
  const shorter = Math.min(from.length, to.length);
  while (head < shorter && isEqual(from[head], to[head])) head++;
  let tail = 0;
  while (tail < shorter - head && isEqual(from[from.length - 1 - tail], to[to.length - 1 - tail]))
    tail++;
  const fromEnd = from.length - tail;
  const toEnd = to.length - tail;
  const both = Math.min(fromEnd, toEnd);
  for (let i = head; i < both; i++)
    compare(from[i] ?? null, to[i] ?? null, under(path, i), operations);
  for (let i = fromEnd - 1; i >= both; i--) operations.push({ op: "remove", path: under(path, i) });
  for (let i = both; i < toEnd; i++)
    operations.push({ op: "add", path: under(path, i), value: to[i] ?? null });
}

/**
 * @param {Json | undefined} a
 * @param {Json | undefined} b
 * @returns {boolean}
 */
export function isEqual(a, b) {
  if (a === b) return true;
  if (!isContainer(a) || !isContainer(b)) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((each, i) => isEqual(each, b[i]))
    );
  const left = /** @type {Members} */ (a);
  const right = /** @type {Members} */ (b);
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && isEqual(left[name], right[name]))
  );
}

/**
 * @param {string} path
 * @param {string | number} token
 */
function under(path, token) {
  return `${path}/${escapeToken(token)}`;
}
