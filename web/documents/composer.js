/** The patch composer: checked while it is written, tried out by the node (dry run) before it is done, and errors said by operation. */
import { addressOf, askJson, errorText, Refused } from "./asking.js";
import { differenceOf } from "./difference.js";
import { button, element, elementOf, make, say } from "./elements.js";
import { examples } from "./examples.js";
import { checkPatch } from "./patch-check.js";
import { applied, copyOf, tokensOf, valueAt } from "./patching.js";
import { operationText, patchText } from "./timeline.js";
import { briefJson, countText, counted, shortHash, transactionName } from "./words.js";

/**
 * @typedef {import("../../src/patch/json.ts").Json} Json
 * @typedef {import("../../src/documents/vocabulary.ts").Accepted} Accepted
 * @typedef {import("./patching.js").Operation} Operation
 * @typedef {import("./patch-check.js").Checked} Checked
 * @typedef {{ name: string, value: Json, hash: string | undefined }} Present the document as it is now, and its hash if it is known
 */

const previewMaxCount = 40;
/** Of a larger document no differences are shown. */
const previewMaxLength = 1_000_000;
const guardMaxLength = 2_000;

export class Composer {
  /** @type {Checked} */
  #checked = checkPatch("");
  #busy = false;

  /** @param {() => Present} present */
  constructor(present) {
    this.present = present;
    this.field = elementOf("patch", HTMLTextAreaElement);
    this.field.addEventListener("input", () => this.#edited());
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      void this.#send(event.shiftKey);
    });
    elementOf("composer", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send(false);
    });
    element("dry-run").addEventListener("click", () => void this.#send(true));
    element("guard").addEventListener("click", () => this.#guard());
    element("tidy").addEventListener("click", () => this.#tidy());
    element("examples").append(
      ...examples.map(({ name, text }) => button(name, () => this.#put(text))),
    );
    this.#edited();
  }

  /** Another document: what was said of the one before is not true of it. */
  begin() {
    element("outcome").replaceChildren();
  }

  /**
   * Puts a patch in, tries it out and takes the focus.
   * @param {readonly Json[]} operations
   * @param {string} why
   */
  offer(operations, why) {
    this.#put(patchText(operations));
    this.#say([make("p", {}, why)]);
    element("composer-card").scrollIntoView({ block: "nearest" });
    if (this.#checked.mistakes.length === 0 && operations.length > 0) void this.#send(true, why);
  }

  /** @param {string} text */
  #put(text) {
    this.field.value = text;
    element("outcome").replaceChildren();
    this.#edited();
    this.field.focus();
  }

  #edited() {
    this.#checked = checkPatch(this.field.value);
    const { mistakes, operations } = this.#checked;
    const isEmpty = this.field.value.trim() === "";
    const list = element("mistakes");
    list.replaceChildren(
      ...(isEmpty ? [] : mistakes).slice(0, 8).map((each) =>
        make(
          "li",
          {},
          each.text,
          " ",
          button("Show", () => this.#mark(each.from, each.to), {
            class: "plain",
            "aria-label": `Show: ${each.text}`,
          }),
        ),
      ),
    );
    this.field.setAttribute("aria-invalid", String(!isEmpty && mistakes.length > 0));
    say(
      element("patch-state"),
      isEmpty
        ? "Write a JSON Patch, or begin with an example."
        : mistakes.length > 0
          ? counted(mistakes.length, "mistake")
          : `${counted(operations.length, "operation")}, well-formed`,
    );
    element("patch-state").classList.toggle("bad", !isEmpty && mistakes.length > 0);
    this.#allow();
  }

  #allow() {
    const { mistakes, operations } = this.#checked;
    const can = mistakes.length === 0 && operations.length > 0 && !this.#busy;
    element("apply").toggleAttribute("disabled", !can);
    element("dry-run").toggleAttribute("disabled", !can);
    element("guard").toggleAttribute("disabled", !can);
    element("tidy").toggleAttribute("disabled", mistakes.length > 0);
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  #mark(from, to) {
    this.field.focus();
    this.field.setSelectionRange(from, to);
    const line = this.field.value.slice(0, from).split("\n").length - 1;
    this.field.scrollTop = line * Number.parseFloat(getComputedStyle(this.field).lineHeight);
  }

  /**
   * @param {boolean} isDry
   * @param {string} [why]
   */
  async #send(isDry, why = "") {
    if (this.#busy || this.#checked.mistakes.length > 0 || this.#checked.operations.length === 0)
      return;
    const { name, value, hash } = this.present();
    // What it is compared with: the document changes in place while the node answers.
    const before = isDry ? copyOf(value) : null;
    this.#busy = true;
    this.#allow();
    const until = elementOf("until-final", HTMLInputElement).checked;
    const ifSame = elementOf("if-same", HTMLInputElement).checked;
    this.#say([
      make(
        "p",
        { class: "quiet" },
        isDry ? "Trying it out…" : until ? "Waiting until it is final…" : "Applying…",
      ),
    ]);
    try {
      const accepted = /** @type {Accepted} */ (
        await askJson(addressOf(name, isDry ? "?dry-run=true" : until ? "?wait=stable" : ""), {
          method: "PATCH",
          body: this.field.value,
          type: "application/json-patch+json",
          ...(ifSame && hash !== undefined ? { ifMatch: `"${hash}"` } : {}),
        })
      );
      this.#say([
        ...(why === "" ? [] : [make("p", {}, why)]),
        ...(isDry ? dryRunParts(accepted, before) : doneParts(accepted)),
      ]);
    } catch (error) {
      this.#say([...(why === "" ? [] : [make("p", {}, why)]), ...this.#refusalParts(error, isDry)]);
    }
    this.#busy = false;
    this.#allow();
  }

  /**
   * @param {unknown} error
   * @param {boolean} isDry
   */
  #refusalParts(error, isDry) {
    const parts = [
      make(
        "p",
        { class: "verdict-line bad" },
        make("b", {}, isDry ? "✕ It would be refused. " : "✕ Refused. "),
        errorText(error),
      ),
    ];
    if (!(error instanceof Refused) || error.problem.operation === undefined) return parts;
    const { operation, op = "", path = "", reason = "", expected, actual } = error.problem;
    const range = this.#checked.ranges[operation];
    const at = make(
      "p",
      {},
      `Operation ${operation}, ${op} ${path || "(the whole document)"}: ${reason}. `,
    );
    if (range !== undefined)
      at.append(button("Show it", () => this.#mark(range.from, range.to), { class: "plain" }));
    parts.push(at);
    if (expected !== undefined)
      parts.push(
        make(
          "p",
          {},
          "Expected ",
          make("code", {}, briefJson(expected, 300)),
          ", found ",
          make("code", {}, briefJson(actual, 300)),
          ".",
        ),
      );
    return parts;
  }

  /** Puts a `test` of what stands there before each operation that overwrites or removes it. */
  #guard() {
    const { operations } = this.#checked;
    const guarded = guardedBy(operations, copyOf(this.present().value));
    const tests = guarded.length - operations.length;
    if (tests > 0) this.#put(patchText(jsonOf(guarded)));
    this.#say([
      make(
        "p",
        {},
        tests === 0
          ? "Nothing to guard: no operation overwrites or removes a value that stands there now, or it is tested already."
          : `${counted(tests, "test")} put in: the patch is done only if what it overwrites is still the same.`,
      ),
    ]);
  }

  #tidy() {
    this.#put(patchText(jsonOf(this.#checked.operations)));
  }

  /** @param {readonly Node[]} parts */
  #say(parts) {
    element("outcome").replaceChildren(...parts);
  }
}

/**
 * @param {readonly Operation[]} operations
 * @param {Json} value changed
 */
function guardedBy(operations, value) {
  /** @type {Operation[]} */
  const guarded = [];
  const tested = new Set();
  let present = value;
  for (const operation of operations) {
    const { op, path, from = "" } = operation;
    const target = op === "move" ? from : path;
    const there = valueAt(present, tokensOf(target));
    if (op === "test") tested.add(path);
    else if (
      ["replace", "remove", "move"].includes(op) &&
      there !== undefined &&
      !tested.has(target)
    )
      if (JSON.stringify(there).length <= guardMaxLength)
        guarded.push({ op: "test", path: target, value: copyOf(there) });
    guarded.push(operation);
    try {
      present = applied(present, [operation]);
    } catch {
      // It would fail: what comes behind it is not reached.
      return [...guarded, ...operations.slice(operations.indexOf(operation) + 1)];
    }
  }
  return guarded;
}

/** @param {readonly Operation[]} operations */
function jsonOf(operations) {
  return /** @type {readonly Json[]} */ (/** @type {unknown} */ (operations));
}

/** @param {Accepted} accepted */
function doneParts({ source, id, verdict, final, hash }) {
  if (source === undefined || id === undefined)
    return [make("p", {}, "It has no operations: nothing was done, and no transaction made.")];
  const name = transactionName({ source, id });
  if (verdict.kind === "rejected")
    return [
      make(
        "p",
        { class: "verdict-line bad" },
        make("b", {}, `✕ ${name} was rejected at its place. `),
        verdict.text,
      ),
    ];
  return [
    make(
      "p",
      { class: "verdict-line good" },
      make("b", {}, `✓ ${name} is done and durable`),
      final ? ", and final." : "; its verdict is tentative until all members have spoken.",
      hash === undefined ? "" : ` The document's hash is ${shortHash(hash)}.`,
    ),
  ];
}

/**
 * @param {Accepted} accepted
 * @param {Json} before
 */
function dryRunParts({ verdict, hash, text }, before) {
  if (verdict.kind === "rejected")
    return [
      make(
        "p",
        { class: "verdict-line bad" },
        make("b", {}, "✕ It would be rejected. "),
        verdict.text,
      ),
    ];
  const parts = [
    make(
      "p",
      { class: "verdict-line good" },
      make("b", {}, "✓ It would be ok here and now. "),
      `${hash === undefined ? "" : `The document's hash would be ${shortHash(hash)}. `}Nothing was changed.`,
    ),
  ];
  if (text === undefined) return parts;
  if (text.length > previewMaxLength) {
    parts.push(
      make("p", { class: "quiet" }, "The document is too large to show what would differ."),
    );
    return parts;
  }
  const differences = differenceOf(before, /** @type {Json} */ (JSON.parse(text)));
  if (differences.length === 0) {
    parts.push(make("p", {}, "Nothing in the document would be another."));
    return parts;
  }
  const list = make(
    "ul",
    { class: "differences", "aria-label": "What would change" },
    ...differences.slice(0, previewMaxCount).map((each) => {
      const was = each.op === "add" ? undefined : valueAt(before, tokensOf(each.path));
      return make(
        "li",
        { class: each.op },
        operationText(/** @type {Json} */ (/** @type {unknown} */ (each))),
        ...(was === undefined
          ? []
          : [make("span", { class: "quiet" }, ` was ${briefJson(was, 80)}`)]),
      );
    }),
  );
  const result = make("details", {}, make("summary", {}, "The document as it would be"));
  result.append(make("pre", { tabindex: "0" }, resultText(text)));
  const more = differences.length - previewMaxCount;
  return [
    ...parts,
    list,
    ...(more > 0 ? [make("p", { class: "quiet" }, `and ${countText(more)} more`)] : []),
    result,
  ];
}

/** @param {string} text */
function resultText(text) {
  const pretty = text.length > 100_000 ? text : JSON.stringify(JSON.parse(text), null, 2);
  return pretty.length > 20_000 ? `${pretty.slice(0, 20_000)}\n…` : pretty;
}
