/**
 * The state tree (ARIA tree pattern): arrow keys move, open and close; only the rows in sight are elements, so that a document of 5 MB scrolls as one of ten lines. Rows all have one height,
 * that of `.tree-row` in documents.css.
 */
import { make } from "./elements.js";
import { tokensOf } from "./patching.js";
import { TreeRows, sizeOf } from "./tree-rows.js";
import { briefJson, countText } from "./words.js";

/**
 * @typedef {import("../../src/patch/json.ts").Json} Json
 * @typedef {import("./tree-rows.js").Row} Row
 */

const rowHeight = 22;
const rowsAround = 12;
/** Browsers give up on elements higher than some 33 million pixels. */
const rowsMaxCount = 1_000_000;
const flashMs = 1_600;

export class Tree {
  #rows = new TreeRows();
  /** @type {Row[]} */
  #visible = [];
  /** @type {Json} */
  #value = null;
  #selected = 0;
  /** Pointer of the selected row: rows move. */
  #selectedAt = "";
  #drawnFrom = -1;
  #scheduled = false;
  #begun = false;
  /** Pointers that changed lately, and until when that is shown. @type {Map<string, number>} */
  #flashes = new Map();

  /**
   * @param {HTMLElement} box
   * @param {(row: Row) => void} selected told the row that was chosen, and again when what stands in it changed
   */
  constructor(box, selected) {
    this.box = box;
    this.selected = selected;
    this.space = make("div", { class: "tree-space", role: "presentation" });
    box.append(this.space);
    box.addEventListener("scroll", () => this.#draw(false), { passive: true });
    box.addEventListener("keydown", (event) => this.#key(event));
    box.addEventListener("click", (event) => this.#click(event));
    new ResizeObserver(() => this.#draw(true)).observe(box);
  }

  /** Pointer of the row that is chosen. */
  get chosen() {
    return this.#selectedAt;
  }

  /** What is shown. */
  get value() {
    return this.#value;
  }

  /** Another document: what was open there is forgotten. */
  forget() {
    this.#begun = false;
    this.#selected = 0;
    this.#selectedAt = "";
    this.#flashes.clear();
  }

  /**
   * Shows the value, at the next frame. It may be the same one, changed in place.
   * @param {Json} value
   * @param {readonly string[]} [changed] pointers to point out
   */
  show(value, changed = []) {
    this.#value = value;
    if (!this.#begun) this.#rows.begin(value);
    this.#begun = true;
    const until = Date.now() + flashMs;
    for (const pointer of changed.slice(0, 500)) this.#flashes.set(pointer, until);
    this.#schedule();
  }

  /** @param {object} container */
  touched(container) {
    this.#rows.touched(container);
  }

  openAll() {
    const all = this.#rows.openAll(this.#value);
    this.#schedule();
    return all;
  }

  closeAll() {
    this.#rows.closeAll();
    this.#selectedAt = "";
    this.#schedule();
  }

  /**
   * Opens what leads there, and selects it.
   * @param {string} pointer
   */
  reveal(pointer) {
    this.#rows.reveal(tokensOf(pointer), this.#value);
    this.#selectedAt = pointer;
    this.#rebuild();
    this.#select(this.#selected);
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#rebuild();
    });
  }

  #rebuild() {
    this.#visible = this.#rows.rows(this.#value);
    const count = Math.min(this.#visible.length, rowsMaxCount);
    this.space.style.height = `${count * rowHeight}px`;
    const at = this.#visible.findIndex((row) => row.pointer === this.#selectedAt);
    this.#selected = at >= 0 ? at : Math.min(this.#selected, this.#visible.length - 1);
    this.#draw(true);
    const row = this.#visible[this.#selected];
    if (row !== undefined) {
      this.#selectedAt = row.pointer;
      this.selected(row);
    }
  }

  /** @param {boolean} changed whether rows are others than before */
  #draw(changed) {
    const first = Math.max(0, Math.floor(this.box.scrollTop / rowHeight) - rowsAround);
    if (!changed && Math.abs(first - this.#drawnFrom) < rowsAround / 2) return;
    this.#drawnFrom = first;
    const count = Math.ceil(this.box.clientHeight / rowHeight) + 2 * rowsAround;
    const rows = this.#visible.slice(first, first + count);
    const now = Date.now();
    for (const [pointer, until] of this.#flashes) if (until < now) this.#flashes.delete(pointer);
    this.space.replaceChildren(...rows.map((row, i) => this.#rowElement(row, first + i)));
    this.box.setAttribute("aria-activedescendant", rowId(this.#selected));
  }

  /**
   * @param {Row} row
   * @param {number} index
   */
  #rowElement(row, index) {
    const { kind, depth, pointer } = row;
    const isSelected = index === this.#selected;
    const made = make(
      "div",
      {
        id: rowId(index),
        class: `tree-row${isSelected ? " selected" : ""}${this.#flashes.has(pointer) ? " changed" : ""}`,
        role: "treeitem",
        "aria-level": String(depth + 1),
        "aria-posinset": String(row.position),
        "aria-setsize": String(row.siblings),
        "aria-selected": String(isSelected),
        "aria-expanded": kind === "open" ? "true" : kind === "closed" ? "false" : undefined,
        "data-index": String(index),
      },
      make("span", { class: "twisty", "aria-hidden": "true" }, twistyOf(row)),
      ...rowParts(row),
    );
    made.style.top = `${index * rowHeight}px`;
    made.style.paddingLeft = `${6 + Math.min(depth, 40) * 16}px`;
    return made;
  }

  /** @param {number} index */
  #select(index) {
    this.#selected = Math.max(0, Math.min(index, this.#visible.length - 1));
    const row = this.#visible[this.#selected];
    if (row === undefined) return;
    this.#selectedAt = row.pointer;
    const top = this.#selected * rowHeight;
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + rowHeight > scrollTop + clientHeight)
      this.box.scrollTop = top + rowHeight - clientHeight;
    this.#draw(true);
    this.selected(row);
  }

  /** @param {Row} row */
  #turn(row) {
    if (row.kind === "leaf") return;
    if (row.kind === "more") this.#rows.more(row.pointer.slice(0, -2));
    else this.#rows.set(row.pointer, row.kind === "closed");
    this.#rebuild();
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const target = event.target instanceof Element ? event.target.closest(".tree-row") : null;
    if (!(target instanceof HTMLElement)) return;
    const index = Number(target.dataset["index"]);
    const row = this.#visible[index];
    this.#select(index);
    if (row !== undefined) this.#turn(row);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const row = this.#visible[this.#selected];
    if (row === undefined) return;
    const page = Math.max(1, Math.floor(this.box.clientHeight / rowHeight) - 1);
    const moves = /** @type {Record<string, () => void>} */ ({
      ArrowDown: () => this.#select(this.#selected + 1),
      ArrowUp: () => this.#select(this.#selected - 1),
      PageDown: () => this.#select(this.#selected + page),
      PageUp: () => this.#select(this.#selected - page),
      Home: () => this.#select(0),
      End: () => this.#select(this.#visible.length - 1),
      ArrowRight: () =>
        row.kind === "closed" ? this.#turn(row) : this.#select(this.#selected + 1),
      ArrowLeft: () => (row.kind === "open" ? this.#turn(row) : this.#select(this.#parentOf(row))),
      Enter: () => this.#turn(row),
      " ": () => this.#turn(row),
    });
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    move();
  }

  /** @param {Row} row */
  #parentOf(row) {
    for (let i = this.#selected - 1; i >= 0; i--)
      if ((this.#visible[i]?.depth ?? 0) < row.depth) return i;
    return 0;
  }
}

const twisties = { open: "▾", closed: "▸", leaf: "", more: "…" };

/** @param {Row} row */
function twistyOf({ kind, value }) {
  return typeof value === "object" && sizeOf(value) === 0 ? "" : twisties[kind];
}

/** @param {number} index */
function rowId(index) {
  return `row-${index}`;
}

/**
 * @param {Row} row
 * @returns {(Node | string)[]}
 */
function rowParts({ key, value, kind }) {
  if (kind === "more")
    return [
      make(
        "span",
        { class: "quiet" },
        `${countText(Number(value))} more: open to see some of them`,
      ),
    ];
  /** @type {(Node | string)[]} */
  const parts = [];
  if (key !== undefined)
    parts.push(
      make(
        "span",
        { class: typeof key === "number" ? "index" : "key" },
        typeof key === "number" ? String(key) : keyText(key),
      ),
      ": ",
    );
  if (typeof value === "object" && value !== null) {
    const size = sizeOf(value);
    const [left, right] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
    parts.push(
      make(
        "span",
        { class: "size" },
        size === 0 ? `${left}${right}` : `${left} ${countText(size)} ${right}`,
      ),
    );
    if (kind === "closed" && size > 0)
      parts.push(make("span", { class: "brief" }, briefJson(value, 120)));
    return parts;
  }
  const text = briefJson(value, 400);
  parts.push(make("span", { class: `value ${value === null ? "null" : typeof value}` }, text));
  return parts;
}

/** @param {string} key */
function keyText(key) {
  const short = key.length > 120 ? `${key.slice(0, 119)}…` : key;
  // Quotation marks where the name alone would mislead.
  return /^[^\s":{}[\],]+$/.test(short) ? short : JSON.stringify(short);
}
