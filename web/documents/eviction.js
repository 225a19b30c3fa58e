/** Evicting a member, behind a confirmation: its name has to be written. */
import { addressOf, askJson, errorText, isAbort } from "./asking.js";
import { element, elementOf, say } from "./elements.js";
import { countText } from "./words.js";

export class Eviction {
  #name = "";
  #source = "";
  /** @type {AbortController | undefined} */
  #asking;

  /** @param {() => void} done */
  constructor(done) {
    this.done = done;
    this.dialog = elementOf("evict", HTMLDialogElement);
    this.field = elementOf("evict-name", HTMLInputElement);
    this.field.addEventListener("input", () => this.#allow());
    elementOf("evict-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.field.value === this.#source) void this.#evict();
    });
    element("evict-cancel").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.#asking?.abort());
  }

  /**
   * @param {string} name of the document
   * @param {string} source
   */
  ask(name, source) {
    this.#name = name;
    this.#source = source;
    this.field.value = "";
    for (const each of this.dialog.querySelectorAll(".evicted-name")) each.textContent = source;
    element("evict-document").textContent = name;
    say(element("evict-state"), "");
    this.#allow();
    this.dialog.showModal();
    this.field.focus();
  }

  #allow() {
    element("evict-do").toggleAttribute(
      "disabled",
      this.field.value !== this.#source || this.#asking !== undefined,
    );
  }

  async #evict() {
    const asking = new AbortController();
    this.#asking = asking;
    this.#allow();
    say(
      element("evict-state"),
      "Waiting until the remaining members agree. You may close this: it goes on without you.",
    );
    try {
      const { cut } = /** @type {{ cut: number }} */ (
        await askJson(addressOf(this.#name, "/evict"), {
          method: "POST",
          body: JSON.stringify({ source: this.#source }),
          type: "application/json",
          signal: asking.signal,
        })
      );
      say(
        element("evict-state"),
        `Done: transactions of ${this.#source} above ${countText(cut)} are refused everywhere.`,
      );
    } catch (error) {
      if (!isAbort(error)) say(element("evict-state"), errorText(error));
    }
    this.#asking = undefined;
    this.#allow();
    this.done();
  }
}
