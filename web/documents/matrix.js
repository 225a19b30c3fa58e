/** The vector clocks as a table: who holds how many transactions of whom. Lag is said in words, and shown by shade beside. */
import { element, make } from "./elements.js";
import { countText, held, shortHash } from "./words.js";

/**
 * @typedef {import("../../src/documents/vocabulary.ts").DocumentStatus} DocumentStatus
 * @typedef {import("../../src/documents/vocabulary.ts").MemberStatus} MemberStatus
 */

/** Columns beyond this are left out, and it is said. */
const columnsMaxCount = 24;

/** @param {DocumentStatus} status */
export function showMatrix(status) {
  const { members, view } = status;
  const clocks = members.map((member) => (member.kind === "self" ? view.vclock : member.vclock));
  const most = /** @type {Map<string, number>} */ (new Map());
  for (const vclock of [view.vclock, ...clocks])
    for (const [source, count] of Object.entries(vclock ?? {}))
      most.set(source, Math.max(most.get(source) ?? 0, count));
  const sources = [...most.keys()].sort();
  const shown = sources.slice(0, columnsMaxCount);
  const table = element("matrix");
  table.hidden = sources.length === 0;
  element("matrix-none").hidden = sources.length > 0;
  element("matrix-more").hidden = sources.length <= columnsMaxCount;
  element("matrix-more").textContent =
    `${countText(sources.length - columnsMaxCount)} more authors are not shown.`;
  const rows = members.map((member, i) =>
    memberRow(member, clocks[i] ?? null, { shown, most, hash: view.hash }),
  );
  table.replaceChildren(
    make(
      "caption",
      { class: "visually-hidden" },
      "Rows: members. Columns: authors. Cells: how many transactions of the author the member holds.",
    ),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        make("th", { scope: "col" }, "holds"),
        ...shown.map((source) => make("th", { scope: "col", class: "number" }, `of ${source}`)),
        make("th", { scope: "col" }, "hash"),
      ),
    ),
    make("tbody", {}, ...rows, ...leastRow(clocks, shown, most)),
  );
}

/**
 * @param {MemberStatus} member
 * @param {import("./words.js").VectorClock | null} vclock
 * @param {{ shown: readonly string[], most: ReadonlyMap<string, number>, hash: string }} parts
 */
function memberRow(member, vclock, { shown, most, hash }) {
  const { source, kind } = member;
  const own = kind === "self" ? hash : member.hash;
  const same = shown.every(
    (each) => vclock !== null && held(vclock, each) === (most.get(each) ?? 0),
  );
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, source, make("small", {}, kindText(member))),
    ...shown.map((each) =>
      cell(vclock === null ? undefined : held(vclock, each), most.get(each) ?? 0),
    ),
    own === null
      ? make("td", { class: "quiet" }, "not said")
      : make(
          "td",
          { class: own !== hash && same ? "hash bad" : "hash", title: own },
          shortHash(own),
          own === hash ? "" : make("small", {}, same ? "DIFFERS" : "not yet the same"),
        ),
  );
}

/**
 * @param {number | undefined} count
 * @param {number} most
 */
function cell(count, most) {
  if (count === undefined) return make("td", { class: "number quiet" }, "not said");
  const lag = most - count;
  const heat = lag === 0 ? 0 : lag < 10 ? 1 : lag < 1_000 ? 2 : 3;
  return make(
    "td",
    { class: `number heat-${heat}` },
    countText(count),
    make("small", {}, lag === 0 ? "all" : `${countText(lag)} behind`),
  );
}

/**
 * What all hold: what is lost with any one of them.
 * @param {readonly (import("./words.js").VectorClock | null)[]} clocks
 * @param {readonly string[]} shown
 * @param {ReadonlyMap<string, number>} most
 */
function leastRow(clocks, shown, most) {
  const known = clocks.filter((vclock) => vclock !== null);
  if (known.length < 2) return [];
  return [
    make(
      "tr",
      { class: "least" },
      make("th", { scope: "row" }, "held by all", make("small", {}, "that have spoken")),
      ...shown.map((each) =>
        cell(Math.min(...known.map((vclock) => held(vclock, each))), most.get(each) ?? 0),
      ),
      make("td", {}),
    ),
  ];
}

/** @param {MemberStatus} member */
export function kindText({ kind, cut }) {
  if (kind === "self") return "this node";
  if (kind === "plain") return "plain peer";
  if (kind === "truba") return "member";
  return cut === null || cut === undefined
    ? "eviction is being agreed"
    : `evicted above ${countText(cut)}`;
}
