/** Nodes and links: the map, the table of connections, and the members of the document with what can be done about a dead one. */
import { button, element, make } from "./elements.js";
import { kindText } from "./matrix.js";
import { showMap } from "./node-map.js";
import { agoText, bytesText, countText, durationText } from "./words.js";

/**
 * @typedef {import("../../src/documents/vocabulary.ts").DocumentStatus} DocumentStatus
 * @typedef {import("../../src/documents/vocabulary.ts").MemberStatus} MemberStatus
 * @typedef {import("../../src/documents/vocabulary.ts").LinkStatus} LinkStatus
 */

/** Clocks that differ by more than this are pointed out: order is still the same everywhere, but "when" is not. */
const skewToldMs = 1_000;

/**
 * @param {DocumentStatus | undefined} status
 * @param {readonly LinkStatus[]} links
 * @param {(source: string) => void} evict
 */
export function showNodes(status, links, evict) {
  showMap(status, links);
  element("links-none").hidden = links.length > 0;
  element("links-box").hidden = links.length === 0;
  fill("links", links.flatMap(linkRows));
  const members = status?.members ?? [];
  element("members-box").hidden = members.length < 2;
  fill(
    "members",
    members.map((member) => memberRow(member, evict)),
  );
}

/**
 * Fills a table without taking the focus from a button in it.
 * @param {string} id
 * @param {readonly HTMLElement[]} rows
 */
function fill(id, rows) {
  const body = element(id).querySelector("tbody");
  if (body === null) return;
  const focused = body.contains(document.activeElement)
    ? document.activeElement?.getAttribute("aria-label")
    : null;
  body.replaceChildren(...rows);
  if (typeof focused !== "string") return;
  for (const each of body.querySelectorAll("button"))
    if (each.getAttribute("aria-label") === focused) each.focus({ preventScroll: true });
}

/**
 * One row, and another one below it if something is wrong.
 * @param {LinkStatus} link
 */
function linkRows(link) {
  const { state, sinceMs, roundTripMs, skewMs, backlog, trouble } = link;
  const isSkewed = skewMs !== null && Math.abs(skewMs) >= skewToldMs;
  const row = make(
    "tr",
    { class: trouble === "" ? "" : "has-trouble" },
    make("th", { scope: "row" }, link.source ?? link.address, make("small", {}, whatText(link))),
    make(
      "td",
      {},
      make("span", { class: `state ${state}` }, stateText(link)),
      make(
        "small",
        {},
        state === "up"
          ? `for ${agoText(sinceMs).replace(" ago", "").replace("now", "0 s")}`
          : retryText(link),
      ),
    ),
    make(
      "td",
      { class: "number" },
      roundTripMs === null ? "–" : durationText(roundTripMs),
      skewMs === null
        ? ""
        : make("small", { class: isSkewed ? "warn" : "" }, `clock ${skewText(skewMs)}`),
    ),
    make("td", { class: backlog > 0 ? "number warn" : "number" }, countText(backlog)),
    amount(link.transactionsSent, link.bytesSent),
    amount(link.transactionsReceived, link.bytesReceived),
  );
  if (trouble === "") return [row];
  return [
    row,
    make("tr", { class: "trouble-row" }, make("td", { colspan: "6", class: "trouble" }, trouble)),
  ];
}

/**
 * @param {number} transactions
 * @param {number} bytes
 */
function amount(transactions, bytes) {
  return make(
    "td",
    { class: "number" },
    countText(transactions),
    make("small", {}, bytesText(bytes)),
  );
}

/** @param {LinkStatus} link */
function whatText({ address, direction, kind, source }) {
  const what =
    kind === "unknown" ? "kind not known yet" : kind === "plain" ? "plain peer" : "Truba";
  const parts = [what, ...(source === null ? [] : [address]), dialText(direction)];
  return parts.join(", ");
}

/** @param {LinkStatus["direction"]} direction */
function dialText(direction) {
  return direction === "dialed" ? "we called" : "called us";
}

/** @param {LinkStatus} link */
export function stateText({ state }) {
  return state === "up" ? "● up" : state === "connecting" ? "◌ connecting" : "○ down";
}

/** @param {LinkStatus} link */
function retryText({ retryInMs }) {
  return retryInMs === null ? "" : `next try in ${durationText(Math.max(0, retryInMs))}`;
}

/** @param {number} skewMs */
function skewText(skewMs) {
  return `${skewMs > 0 ? "+" : skewMs < 0 ? "−" : ""}${durationText(Math.abs(skewMs))}`;
}

/**
 * @param {MemberStatus} member
 * @param {(source: string) => void} evict
 */
function memberRow(member, evict) {
  const { source, kind, heardMs } = member;
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, source),
    make("td", {}, kindText(member)),
    make("td", {}, kind === "self" ? "–" : heardMs === null ? "never" : agoText(heardMs)),
    make(
      "td",
      { class: "number" },
      ...(kind === "truba"
        ? [
            button("Evict…", () => evict(source), {
              class: "small",
              "aria-label": `Evict ${source}…`,
            }),
          ]
        : []),
    ),
  );
}
