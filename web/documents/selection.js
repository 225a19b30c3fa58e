/** What is chosen in the state tree: its pointer and value, to be copied; who wrote it last; and a patch that would change it. */
import { errorText, isAbort } from "./asking.js";
import { copy, element, elementOf, say } from "./elements.js";
import { lastWriter } from "./history.js";
import { copyOf } from "./patching.js";
import { countText, timeText, transactionName } from "./words.js";

/**
 * @typedef {import("../../src/patch/json.ts").Json} Json
 * @typedef {import("./tree-rows.js").Row} Row
 */

const shownMaxLength = 2_000;
const changedMaxLength = 100_000;

export class Selection {
  #document = "";
  #pointer = "";
  /** @type {Json} */
  #value = null;
  /** @type {AbortController | undefined} */
  #asking;

  /** @param {{ present: () => { value: Json, transactions: number }, change: (pointer: string, value: Json) => void }} parts */
  constructor({ present, change }) {
    const copies = elementOf("copy-pointer", HTMLButtonElement);
    copies.addEventListener("click", () => void copy(this.#pointer, copies));
    const values = elementOf("copy-value", HTMLButtonElement);
    values.addEventListener("click", () => void copy(JSON.stringify(this.#value), values));
    element("writer").addEventListener("click", () => void this.#askWriter(present()));
    element("change").addEventListener("click", () => {
      const text = JSON.stringify(this.#value);
      change(this.#pointer, text.length > changedMaxLength ? null : copyOf(this.#value));
    });
  }

  /** @param {string} name of the document */
  begin(name) {
    this.#document = name;
    this.#forget();
  }

  /** @param {Row} row */
  show({ pointer, value, kind }) {
    if (kind === "more") return;
    if (pointer !== this.#pointer) this.#forget();
    this.#pointer = pointer;
    this.#value = value;
    say(element("pointer"), pointer === "" ? '"" (the whole document)' : pointer);
    const long = typeof value === "string" && value.length > 60;
    element("long-value").hidden = !long;
    if (long)
      say(
        element("long-value"),
        value.length > shownMaxLength
          ? `${value.slice(0, shownMaxLength)}… ${countText(value.length - shownMaxLength)} more characters`
          : value,
      );
  }

  #forget() {
    this.#asking?.abort();
    say(element("writer-text"), "");
  }

  /** @param {{ value: Json, transactions: number }} present */
  async #askWriter(present) {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    say(element("writer-text"), "Looking through the history…");
    try {
      const { found, searched } = await lastWriter(
        this.#document,
        this.#pointer,
        present,
        asking.signal,
      );
      if (asking.signal.aborted) return;
      say(
        element("writer-text"),
        found === undefined
          ? `Nobody in the last ${countText(searched)} transactions.`
          : `${transactionName(found)}${found.stamp === null ? "" : `, ${timeText(found.stamp.ms)}`}, place ${countText(found.position)}${found.final ? "" : ", tentative"}. By the paths of patches: in lists, indexes may have moved.`,
      );
    } catch (error) {
      if (!isAbort(error)) say(element("writer-text"), errorText(error));
    }
  }
}
