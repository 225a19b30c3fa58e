/** Finding names and values in the document, in the order in which the tree shows them. */
import { escapeToken } from "./patching.js";

/** @typedef {import("../../src/patch/json.ts").Json} Json */

/**
 * @typedef {object} Found
 * @property {string | undefined} pointer of the match behind `after`, or of the first one if there is none behind it
 * @property {number} count of all matches
 * @property {number} place of the match among them, from 1
 */

/**
 * Names and scalar values that have `text` in them, whatever the case.
 * @param {Json} value
 * @param {string} text
 * @param {string} after
 * @returns {Found}
 */
export function find(value, text, after) {
  const wanted = text.toLowerCase();
  let count = 0;
  let isPassed = false;
  /** @type {string | undefined} */
  let first;
  /** @type {string | undefined} */
  let next;
  let place = 1;
  /**
   * @param {Json} each
   * @param {string} name
   * @param {string} pointer
   */
  const look = (each, name, pointer) => {
    const isScalar = typeof each !== "object" || each === null;
    if (
      name.toLowerCase().includes(wanted) ||
      (isScalar && String(each).toLowerCase().includes(wanted))
    ) {
      count++;
      first ??= pointer;
      if (isPassed && next === undefined) {
        next = pointer;
        place = count;
      }
    }
    if (pointer === after) isPassed = true;
    if (isScalar) return;
    if (Array.isArray(each)) {
      for (const [i, item] of each.entries()) look(item, "", `${pointer}/${i}`);
      return;
    }
    const members = /** @type {Readonly<Record<string, Json>>} */ (each);
    for (const key of Object.keys(members).sort())
      look(members[key] ?? null, key, `${pointer}/${escapeToken(key)}`);
  };
  look(value, "", "");
  return { pointer: next ?? first, count, place };
}
