/** The time slider: the document as it was behind any number of transactions of its order. */
import { addressOf, ask, askJson, errorText, isAbort } from "./asking.js";
import { element, elementOf, say } from "./elements.js";
import { countText, timeText, transactionName } from "./words.js";

/**
 * @typedef {import("../../src/patch/json.ts").Json} Json
 * @typedef {import("../../src/documents/vocabulary.ts").HistoryPage} HistoryPage
 * @typedef {object} Wishes
 * @property {(position: number, value: Json) => void} show the document as it was there
 * @property {() => void} now
 * @property {(position: number, value: Json) => void} restore
 */

const settleMs = 60;

export class TimeMachine {
  #name = "";
  #total = 0;
  /** `undefined`: now. @type {number | undefined} */
  #position;
  /** @type {Json | undefined} */
  #value;
  /** @type {AbortController | undefined} */
  #asking;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Wishes} wishes */
  constructor(wishes) {
    this.wishes = wishes;
    this.slider = elementOf("slider", HTMLInputElement);
    this.slider.addEventListener("input", () => {
      const position = Number(this.slider.value);
      if (position === this.#total) this.now();
      else this.#go(position);
    });
    element("earlier").addEventListener("click", () =>
      this.lookAt((this.#position ?? this.#total) - 1),
    );
    element("later").addEventListener("click", () =>
      this.lookAt((this.#position ?? this.#total) + 1),
    );
    element("now").addEventListener("click", () => this.now());
    element("restore").addEventListener("click", () => {
      if (this.#position !== undefined && this.#value !== undefined)
        this.wishes.restore(this.#position, this.#value);
    });
  }

  /** Whether another time than now is shown. */
  get isPast() {
    return this.#position !== undefined;
  }

  /** @param {string} name */
  begin(name) {
    this.#name = name;
    this.#total = 0;
    this.#leave();
  }

  /** @param {number} total */
  follow(total) {
    this.#total = total;
    if (this.#position !== undefined && this.#position >= total) this.now();
    this.#show();
  }

  /** @param {number} position */
  lookAt(position) {
    if (position >= this.#total) this.now();
    else this.#go(Math.max(0, position));
  }

  now() {
    const was = this.isPast;
    this.#leave();
    if (was) this.wishes.now();
  }

  #leave() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#position = undefined;
    this.#value = undefined;
    say(element("time-trouble"), "");
    this.#show();
  }

  /** @param {number} position */
  #go(position) {
    this.#position = position;
    this.#value = undefined;
    this.#show();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(position), settleMs);
  }

  /** @param {number} position */
  async #read(position) {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    const { signal } = asking;
    try {
      const [answer, page] = await Promise.all([
        ask(addressOf(this.#name, `?at=${position}`), { signal }),
        position === 0
          ? undefined
          : /** @type {Promise<HistoryPage>} */ (
              askJson(addressOf(this.#name, `/history?from=${position}&count=1`), { signal })
            ),
      ]);
      const value = /** @type {Json} */ (await answer.json());
      if (signal.aborted) return;
      this.#value = value;
      say(element("time-trouble"), "");
      const [transaction] = page?.transactions ?? [];
      this.#show(
        transaction === undefined
          ? "at the beginning"
          : `behind ${transactionName(transaction)}${transaction.stamp === null ? "" : `, ${timeText(transaction.stamp.ms)}`}`,
      );
      this.wishes.show(position, value);
    } catch (error) {
      if (!isAbort(error)) say(element("time-trouble"), errorText(error));
    }
  }

  /** @param {string} [text] */
  #show(text = "") {
    const position = this.#position ?? this.#total;
    this.slider.max = String(this.#total);
    this.slider.value = String(position);
    const where = `${countText(position)} of ${countText(this.#total)}`;
    const words = this.isPast ? `${where}${text === "" ? "" : `, ${text}`}` : `${where}, now`;
    this.slider.setAttribute("aria-valuetext", words);
    say(element("time-text"), words);
    this.slider.disabled = this.#total === 0;
    element("earlier").toggleAttribute("disabled", position === 0);
    element("later").toggleAttribute("disabled", !this.isPast);
    element("now").toggleAttribute("disabled", !this.isPast);
    element("restore").toggleAttribute("disabled", this.#value === undefined);
    element("past").hidden = !this.isPast;
    element("state-card").classList.toggle("in-the-past", this.isPast);
  }
}
