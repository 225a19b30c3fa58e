/** The history: what was done, by whom, when, and what became of it; newest first, tentative ones apart from final ones. It follows the document while its newest page is shown. */
import { errorText, isAbort } from "./asking.js";
import { button, copy, element, elementOf, make, say } from "./elements.js";
import { stretchBefore } from "./history.js";
import {
  briefJson,
  countText,
  counted,
  durationText,
  hueOf,
  timeText,
  transactionName,
} from "./words.js";

/**
 * @typedef {import("./history.js").PlacedTransaction} PlacedTransaction
 * @typedef {import("../../src/patch/json.ts").Json} Json
 * @typedef {object} Wishes
 * @property {(position: number) => void} lookAt
 * @property {(transaction: PlacedTransaction) => void} again
 */

const pageCount = innerWidth < 640 ? 12 : 25;
const shownPatchMaxLength = 20_000;

export class Timeline {
  #name = "";
  #total = 0;
  /** Last place of the page; `undefined`: the newest, and it follows. @type {number | undefined} */
  #end;
  /** First place that the page looked at. */
  #from = 1;
  /** @type {AbortController | undefined} */
  #asking;
  /** Transactions whose details are open. @type {Set<string>} */
  #open = new Set();
  #sources = "";

  /** @param {Wishes} wishes */
  constructor(wishes) {
    this.wishes = wishes;
    this.source = elementOf("filter-source", HTMLSelectElement);
    this.verdict = elementOf("filter-verdict", HTMLSelectElement);
    for (const filter of [this.source, this.verdict])
      filter.addEventListener("change", () => this.#go(undefined));
    element("older").addEventListener("click", () => this.#go(this.#from - 1));
    element("newest").addEventListener("click", () => this.#go(undefined));
  }

  /** @param {string} name */
  begin(name) {
    this.#asking?.abort();
    this.#name = name;
    this.#total = 0;
    this.#end = undefined;
    this.#open.clear();
    this.source.value = "";
    this.verdict.value = "";
    this.#show([], 1, 0);
    say(element("timeline-none"), "");
  }

  /**
   * The document is another one now.
   * @param {number} total
   * @param {readonly string[]} sources
   */
  follow(total, sources) {
    this.#total = total;
    this.#offerSources(sources);
    if (this.#end === undefined) void this.#read();
  }

  /** @param {number | undefined} end */
  #go(end) {
    this.#end = end;
    void this.#read();
  }

  /** @param {readonly string[]} sources */
  #offerSources(sources) {
    const text = JSON.stringify(sources);
    if (text === this.#sources) return;
    this.#sources = text;
    const chosen = this.source.value;
    this.source.replaceChildren(
      make("option", { value: "" }, "all authors"),
      ...sources.map((each) => make("option", { value: each }, each)),
    );
    this.source.value = sources.includes(chosen) ? chosen : "";
  }

  async #read() {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    const end = this.#end ?? this.#total;
    try {
      const { transactions, from, final } = await stretchBefore(this.#name, {
        end,
        count: pageCount,
        filter: { source: this.source.value, verdict: this.verdict.value },
        signal: asking.signal,
      });
      if (asking.signal.aborted) return;
      say(element("timeline-trouble"), "");
      this.#show(transactions, from, final);
    } catch (error) {
      if (isAbort(error)) return;
      say(element("timeline-trouble"), errorText(error));
    }
  }

  /**
   * @param {readonly PlacedTransaction[]} transactions
   * @param {number} from
   * @param {number} final
   */
  #show(transactions, from, final) {
    this.#from = from;
    const tentative = transactions.filter((each) => !each.final);
    const placed = transactions.filter((each) => each.final);
    this.#fill("tentative", tentative);
    this.#fill("final", placed);
    element("tentative-part").hidden = tentative.length === 0;
    element("final-part").hidden = placed.length === 0;
    const isFiltered = this.source.value !== "" || this.verdict.value !== "";
    const open = this.#total - final;
    say(
      element("timeline-count"),
      this.#total === 0
        ? ""
        : `${countText(this.#total)}${open > 0 ? `, ${countText(open)} tentative` : ", all final"}`,
    );
    const none = element("timeline-none");
    none.hidden = transactions.length > 0;
    say(
      none,
      !isFiltered
        ? "Nothing has happened to this document yet."
        : from > 1
          ? `None of the last ${counted((this.#end ?? this.#total) - from + 1, "transaction")} is such a one.`
          : "There is no such transaction.",
    );
    element("older").toggleAttribute("disabled", from <= 1);
    element("newest").toggleAttribute("disabled", this.#end === undefined);
    say(
      element("timeline-range"),
      transactions.length === 0 || this.#end === undefined
        ? ""
        : `${countText(transactions.at(-1)?.position ?? 1)} to ${countText(transactions[0]?.position ?? 1)}`,
    );
  }

  /**
   * Items stay the same elements while nothing in them changes: what is open, focused or just being clicked stays so.
   * @param {string} id
   * @param {readonly PlacedTransaction[]} transactions
   */
  #fill(id, transactions) {
    const list = element(id);
    const before = new Map(
      [...list.children].flatMap((item) =>
        item instanceof HTMLElement ? [[item.dataset["key"], item]] : [],
      ),
    );
    transactions.forEach((each, i) => {
      const key = JSON.stringify([this.#name, each.position, each.source, each.id, each.verdict]);
      const item = before.get(key) ?? this.#item(each, key);
      const there = list.children[i];
      if (there !== item) list.insertBefore(item, there ?? null);
    });
    while (list.children.length > transactions.length) list.lastElementChild?.remove();
  }

  /**
   * @param {PlacedTransaction} transaction
   * @param {string} key
   */
  #item(transaction, key) {
    const { position, verdict, stamp, kind } = transaction;
    const name = transactionName(transaction);
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.setProperty("--hue", String(hueOf(transaction.source)));
    const summary = make(
      "summary",
      {},
      make("span", { class: "place" }, `#${countText(position)}`),
      make("span", { class: "author" }, swatch, name),
      make("span", { class: "when" }, stamp === null ? "not placed yet" : timeText(stamp.ms)),
      make(
        "span",
        { class: `verdict ${verdict.kind}` },
        verdict.kind === "ok" ? "✓ ok" : `✕ ${verdict.kind}`,
      ),
      make(
        "span",
        { class: "did" },
        kind === "record" ? recordText(transaction) : operationsText(transaction.operations),
      ),
    );
    const details = make("details", {}, summary);
    const build = () => details.append(this.#details(transaction));
    if (this.#open.has(name)) {
      details.open = true;
      build();
    }
    details.addEventListener("toggle", () => {
      if (!details.isConnected) return;
      if (details.open && details.childElementCount === 1) build();
      if (details.open) this.#open.add(name);
      else this.#open.delete(name);
    });
    return make("li", { "data-key": key, class: kind }, details);
  }

  /** @param {PlacedTransaction} transaction */
  #details(transaction) {
    const { position, verdict, stamp, arrivedMs, seen, operations, kind } = transaction;
    const box = make("div", { class: "inside" });
    if (verdict.kind === "rejected") {
      box.append(
        make(
          "p",
          { class: "bad" },
          `Operation ${verdict.operation}, ${verdict.op} ${verdict.path || "(the whole document)"}: ${verdict.text}`,
        ),
      );
      if (verdict.expected !== undefined)
        box.append(
          make(
            "p",
            {},
            `Expected ${briefJson(verdict.expected, 300)}, found ${briefJson(verdict.actual, 300)}.`,
          ),
        );
    }
    const late = stamp !== null && arrivedMs !== undefined ? arrivedMs - stamp.ms : undefined;
    const facts = [
      stamp === null
        ? "Of a plain peer, not adopted yet: it stands at the end."
        : `Stamp ${stamp.ms}.${stamp.counter}.`,
      late === undefined || late < 1 ? "" : `It came here ${durationText(late)} later.`,
      seen === undefined
        ? ""
        : `Its author had seen ${
            Object.entries(seen)
              .map(([source, count]) => `${source}:${count}`)
              .join(", ") || "nobody else"
          }.`,
    ];
    box.append(make("p", { class: "quiet" }, facts.filter((each) => each !== "").join(" ")));
    const text = patchText(operations);
    box.append(
      make(
        "pre",
        { tabindex: "0", "aria-label": `Operations of ${transactionName(transaction)}` },
        text.length > shownPatchMaxLength
          ? `${text.slice(0, shownPatchMaxLength)}\n… ${countText(text.length - shownPatchMaxLength)} more characters`
          : text,
      ),
      make(
        "p",
        { class: "actions" },
        button("Copy", (from) => void copy(text, from), {
          "aria-label": `Copy the operations of ${transactionName(transaction)}`,
        }),
        button("See the document there", () => this.wishes.lookAt(position)),
        ...(kind === "patch" ? [button("Apply again…", () => this.wishes.again(transaction))] : []),
      ),
    );
    return box;
  }
}

/**
 * One operation on a line.
 * @param {readonly Json[]} operations
 */
export function patchText(operations) {
  return operations.length === 0
    ? "[]"
    : `[\n${operations.map((each) => `  ${JSON.stringify(each)}`).join(",\n")}\n]`;
}

/** @param {readonly Json[]} operations */
function operationsText(operations) {
  const [first] = operations;
  if (first === undefined) return "not a patch";
  const more = operations.length > 1 ? `  + ${countText(operations.length - 1)} more` : "";
  return `${operationText(first)}${more}`;
}

/** @param {Json} operation */
export function operationText(operation) {
  const { op, path, from, value } =
    /** @type {{ op: string, path: string, from?: string, value?: Json }} */ (operation);
  const where = from === undefined ? path || '""' : `${from || '""'} → ${path || '""'}`;
  return `${op} ${where}${value === undefined ? "" : ` ${briefJson(value, 160)}`}`;
}

/** @param {PlacedTransaction} transaction */
function recordText({ source }) {
  return `record of ${source}: what nodes tell each other`;
}
