/** Which document is looked at: chosen from those that there are, or named anew. It stands in the address as `?name=`. */
import { askJson, errorText } from "./asking.js";
import { element, elementOf, make, say } from "./elements.js";

const namesMaxCount = 1_000;
const namePattern = /^[A-Za-z0-9._~-]{1,128}$/;

export class Picker {
  #name = "default";
  /** @type {readonly string[]} */
  #names = [];

  /** @param {(name: string) => void} choose */
  constructor(choose) {
    this.choose = choose;
    this.select = elementOf("picker", HTMLSelectElement);
    this.dialog = elementOf("new-document", HTMLDialogElement);
    this.field = elementOf("new-name", HTMLInputElement);
    this.select.addEventListener("change", () => this.#go(this.select.value));
    // The list is as old as the last look at it.
    this.select.addEventListener("focus", () => void this.refresh());
    element("new").addEventListener("click", () => {
      this.field.value = "";
      say(element("new-problem"), "");
      this.dialog.showModal();
      this.field.focus();
    });
    element("new-cancel").addEventListener("click", () => this.dialog.close());
    elementOf("new-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#take(this.field.value.trim());
    });
    addEventListener("popstate", () => this.#show(nameInAddress()));
  }

  begin() {
    this.#show(nameInAddress());
    void this.refresh();
  }

  /** Asks for the names again. */
  async refresh() {
    try {
      const { documents, next } =
        /** @type {{ documents: readonly { name: string }[], next?: string }} */ (
          await askJson(`/v1/documents?count=${namesMaxCount}`)
        );
      this.#names = documents.map(({ name }) => name);
      say(
        element("picker-note"),
        next === undefined ? "" : `the first ${namesMaxCount}; name others with New`,
      );
      this.#fill();
    } catch (error) {
      element("picker").title = errorText(error);
    }
  }

  #fill() {
    const names = this.#names.includes(this.#name) ? this.#names : [this.#name, ...this.#names];
    const same =
      names.length === this.select.options.length &&
      names.every((name, i) => this.select.options[i]?.value === name);
    if (!same)
      this.select.replaceChildren(...names.map((name) => make("option", { value: name }, name)));
    this.select.value = this.#name;
  }

  /** @param {string} name */
  #take(name) {
    if (!namePattern.test(name) || name === "." || name === "..") {
      say(element("new-problem"), "A name has 1 to 128 of A-Z a-z 0-9 . _ ~ -");
      this.field.focus();
      return;
    }
    this.dialog.close();
    this.#go(name);
  }

  /** @param {string} name */
  #go(name) {
    history.pushState(null, "", `?${new URLSearchParams({ name })}`);
    this.#show(name);
  }

  /** @param {string} name */
  #show(name) {
    this.#name = name;
    this.#fill();
    this.choose(name);
  }
}

function nameInAddress() {
  return new URLSearchParams(location.search).get("name") || "default";
}
