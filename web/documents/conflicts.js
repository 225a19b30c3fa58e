/** Conflicts: what authors who did not know of each other overwrote or shifted, with winner and loser; what was lost can be applied again. */
import { addressOf, askJson, errorText, isAbort } from "./asking.js";
import { button, element, make, say } from "./elements.js";
import { briefJson, countText, transactionName } from "./words.js";

/** @typedef {import("../../src/documents/vocabulary.ts").Conflict} Conflict */

const shownMaxCount = 50;
const everyMs = 1_500;

const kinds = {
  rejected: "could not be done",
  shadowed: "overwritten",
  drift: "index shifted",
};

export class Conflicts {
  #name = "";
  /** @type {AbortController | undefined} */
  #asking;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #shownFor = "";

  /** @param {{ again: (conflict: Conflict) => void, reveal: (pointer: string) => void }} wishes */
  constructor(wishes) {
    this.wishes = wishes;
  }

  /** @param {string} name */
  begin(name) {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#timer = undefined;
    this.#name = name;
    this.#show([]);
  }

  /** The document is another one now: asked again soon, for it is work for the node. */
  follow() {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        void this.#read();
      },
      this.#shownFor === this.#name ? everyMs : 0,
    );
  }

  async #read() {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const { conflicts } = /** @type {{ conflicts: readonly Conflict[] }} */ (
        await askJson(addressOf(this.#name, "/conflicts"), { signal: asking.signal })
      );
      if (asking.signal.aborted) return;
      this.#shownFor = this.#name;
      this.#show(conflicts);
    } catch (error) {
      if (!isAbort(error)) say(element("conflicts-none"), errorText(error));
    }
  }

  /** @param {readonly Conflict[]} conflicts newest last */
  #show(conflicts) {
    const newest = conflicts.toReversed();
    element("conflicts-none").hidden = conflicts.length > 0;
    say(element("conflicts-none"), "None among the last 1,000 transactions.");
    say(
      element("conflicts-count"),
      conflicts.length === 0
        ? ""
        : conflicts.length > shownMaxCount
          ? `the last ${shownMaxCount} of ${countText(conflicts.length)}`
          : countText(conflicts.length),
    );
    element("conflicts").replaceChildren(
      ...newest.slice(0, shownMaxCount).map((each) => this.#item(each)),
    );
  }

  /** @param {Conflict} conflict */
  #item(conflict) {
    const { kind, path, loser, winner, lost, kept, text } = conflict;
    const name = transactionName(loser);
    return make(
      "li",
      { class: kind },
      make(
        "p",
        { class: "conflict-head" },
        button(path || "(the whole document)", () => this.wishes.reveal(path), {
          class: "plain path",
          title: "Show it in the state",
        }),
        make("span", { class: `verdict ${kind}` }, kinds[kind]),
      ),
      make(
        "dl",
        { class: "sides" },
        make("dt", {}, "Lost"),
        make(
          "dd",
          {},
          make("b", {}, name),
          // Of what failed it is known what it looked for.
          kind === "rejected" && lost !== undefined ? "wanted" : "",
          lost === undefined ? "" : make("code", {}, briefJson(lost, 160)),
        ),
        make("dt", {}, winner === undefined ? "Stands" : "Won"),
        make(
          "dd",
          {},
          make("b", {}, winner === undefined ? "no single one" : transactionName(winner)),
          kept === undefined ? "" : make("code", {}, briefJson(kept, 160)),
        ),
      ),
      make("p", { class: "quiet" }, text),
      make(
        "p",
        { class: "actions" },
        button("Apply again…", () => this.wishes.again(conflict), {
          "aria-label": `Apply ${name} again at ${path || "the whole document"}`,
        }),
      ),
    );
  }
}
