/** A JSON value as rows of a tree: which containers are open, and the rows that this makes, in order. No elements here: of a large document only the rows in sight become elements. */
import { escapeToken, valueAt } from "./patching.js";

/**
 * @typedef {import("../../src/patch/json.ts").Json} Json
 * @typedef {object} Row
 * @property {string} pointer
 * @property {string | number | undefined} key `undefined`: the whole document
 * @property {Json} value
 * @property {number} depth from 0
 * @property {number} position among its siblings, from 1
 * @property {number} siblings
 * @property {"open" | "closed" | "leaf" | "more"} kind `more`: stands for children that are not shown yet
 */

/** Children of one container that become rows at first, and each time that more are asked for. */
export const childrenStep = 5_000;
/** Rows that one wish to open everything may make. */
const openAllMaxCount = 20_000;
/** A document opens by itself as far as it has no more rows than this. */
const openAtFirstMaxCount = 60;

export class TreeRows {
  /** @type {Set<string>} */
  #open = new Set([""]);
  /** @type {Map<string, number>} */
  #shown = new Map();
  /** Names in order; sorting 23,000 of them for each change of one would be felt. @type {WeakMap<object, string[]>} */
  #names = new WeakMap();

  /**
   * Forgets what is open, and opens a small document by itself.
   * @param {Json} value
   */
  begin(value) {
    this.#open = new Set([""]);
    this.#shown = new Map();
    let level = [{ pointer: "", value }];
    let rows = 1;
    while (level.length > 0) {
      rows += level.reduce((sum, each) => sum + sizeOf(each.value), 0);
      if (rows > openAtFirstMaxCount) return;
      for (const each of level) this.#open.add(each.pointer);
      level = level.flatMap((each) => this.#containersIn(each));
    }
  }

  /**
   * Members of this container came or went.
   * @param {object} container
   */
  touched(container) {
    this.#names.delete(container);
  }

  /**
   * @param {string} pointer
   * @param {boolean} open
   */
  set(pointer, open) {
    if (open) this.#open.add(pointer);
    else this.#open.delete(pointer);
  }

  /** @param {string} pointer */
  more(pointer) {
    this.#shown.set(pointer, (this.#shown.get(pointer) ?? childrenStep) + childrenStep);
  }

  /**
   * Opens what leads to the pointer, and shows so many children that it is among them.
   * @param {readonly string[]} tokens
   * @param {Json} value
   */
  reveal(tokens, value) {
    let pointer = "";
    let container = /** @type {Json | undefined} */ (value);
    for (const token of tokens) {
      if (typeof container !== "object" || container === null) return;
      this.#open.add(pointer);
      const index = Array.isArray(container)
        ? Number(token)
        : this.#namesOf(container).indexOf(token);
      const steps = Math.ceil((index + 1) / childrenStep);
      if (index >= (this.#shown.get(pointer) ?? childrenStep))
        this.#shown.set(pointer, steps * childrenStep);
      container = valueAt(container, [token]);
      pointer += `/${escapeToken(token)}`;
    }
  }

  closeAll() {
    this.#open = new Set([""]);
  }

  /**
   * Opens everything, from the top, as far as this makes no more rows than can be looked at; says whether that was all.
   * @param {Json} value
   */
  openAll(value) {
    let level = [{ pointer: "", value }];
    let rows = 1;
    let isAll = true;
    while (level.length > 0) {
      for (const each of level) {
        const size = sizeOf(each.value);
        isAll &&= size <= childrenStep;
        rows += Math.min(size, childrenStep);
        if (rows > openAllMaxCount) return false;
        this.#open.add(each.pointer);
      }
      level = level.flatMap((each) => this.#containersIn(each));
    }
    return isAll;
  }

  /**
   * @param {Json} value
   * @returns {Row[]}
   */
  rows(value) {
    /** @type {Row[]} */
    const rows = [];
    this.#add(rows, {
      pointer: "",
      key: undefined,
      value,
      depth: 0,
      position: 1,
      siblings: 1,
      kind: "leaf",
    });
    return rows;
  }

  /**
   * @param {Row[]} rows
   * @param {Row} row
   */
  #add(rows, row) {
    const { value, pointer, depth } = row;
    const isOpen = this.#open.has(pointer);
    rows.push(row);
    if (typeof value !== "object" || value === null) return;
    row.kind = isOpen ? "open" : "closed";
    if (!isOpen) return;
    const names = Array.isArray(value) ? undefined : this.#namesOf(value);
    const siblings = names?.length ?? value.length;
    const shown = Math.min(Number(siblings), this.#shown.get(pointer) ?? childrenStep);
    for (let i = 0; i < shown; i++) {
      const key = names === undefined ? i : (names[i] ?? "");
      const child = /** @type {Record<string | number, Json>} */ (value)[key] ?? null;
      this.#add(rows, {
        pointer: `${pointer}/${escapeToken(key)}`,
        key,
        value: child,
        depth: depth + 1,
        position: i + 1,
        siblings: Number(siblings),
        kind: "leaf",
      });
    }
    if (shown < Number(siblings))
      rows.push({
        // No row of a value has it: `~` stands before 0 or 1 in pointers.
        pointer: `${pointer}/~`,
        key: undefined,
        value: Number(siblings) - shown,
        depth: depth + 1,
        position: shown + 1,
        siblings: Number(siblings),
        kind: "more",
      });
  }

  /** @param {{ pointer: string, value: Json }} each */
  #containersIn({ pointer, value }) {
    if (typeof value !== "object" || value === null) return [];
    /** @type {{ pointer: string, value: Json }[]} */
    const found = [];
    const names = Array.isArray(value) ? value.keys() : this.#namesOf(value);
    for (const key of names) {
      const child = /** @type {Record<string | number, Json>} */ (value)[key] ?? null;
      if (typeof child === "object" && child !== null)
        found.push({ pointer: `${pointer}/${escapeToken(key)}`, value: child });
      if (found.length >= childrenStep) break;
    }
    return found;
  }

  /** @param {object} members */
  #namesOf(members) {
    let names = this.#names.get(members);
    if (names === undefined) {
      names = Object.keys(members).sort();
      this.#names.set(members, names);
    }
    return names;
  }
}

/**
 * How many children.
 * @param {Json} value
 */
export function sizeOf(value) {
  if (typeof value !== "object" || value === null) return 0;
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}
