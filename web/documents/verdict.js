/** The one verdict over a document, in a word, a sign and a sentence that names who differs or lags; and the numbers beside it. */
import { element, make, say } from "./elements.js";
import { bytesText, countText, counted, durationText, held, shortHash } from "./words.js";

/**
 * @typedef {import("../../src/documents/vocabulary.ts").DocumentStatus} DocumentStatus
 * @typedef {import("../../src/documents/vocabulary.ts").MemberStatus} MemberStatus
 */

const signs = { converged: "✓", "catching up": "↻", DIVERGED: "✕" };
const classes = { converged: "good", "catching up": "mild", DIVERGED: "bad" };

/** @param {DocumentStatus} status */
export function showVerdict(status) {
  const { agreement } = status;
  const badge = element("agreement");
  badge.className = `badge ${classes[agreement]}`;
  say(badge, `${signs[agreement]} ${agreement}`);
  const reason = element("reason");
  // The alarm above says it.
  say(reason, agreement === "DIVERGED" ? "" : sentence(status));
  const alarm = element("alarm");
  alarm.hidden = agreement !== "DIVERGED";
  say(alarm, agreement === "DIVERGED" ? `DIVERGED: ${sentence(status)}` : "");
  say(element("waits"), `others may still come before these${waitText(status)}`);
  showFacts(status);
}

/** A clock that is behind by less is only on its way. */
const waitToldMs = 4_000;

/**
 * Whose word is missing for more to become final.
 * @param {DocumentStatus} status
 */
function waitText({ members }) {
  const clocks = members.filter(({ kind }) => kind === "truba");
  const dueMs = Date.now() - waitToldMs;
  const late = clocks.filter(({ clock }) => clock === null || clock.ms < dueMs);
  if (late.length === 0) return "";
  const names = late.slice(0, 3).map((each) => each.source);
  const more =
    late.length > names.length ? ` and ${countText(late.length - names.length)} more` : "";
  return `; no word of ${names.join(", ")}${more}`;
}

/** The node is not reached: what it said last may be wrong by now. */
export function showOldVerdict() {
  const badge = element("agreement");
  if (badge.classList.contains("old")) return;
  const was = (badge.textContent ?? "").replace(/^\W+/, "");
  badge.className = "badge old";
  say(badge, "? not known");
  say(element("reason"), was === "" ? "" : `It was ${was} when the node was last reached.`);
}

/** No document yet, or nothing known of it. @param {string} text */
export function showNoVerdict(text) {
  const badge = element("agreement");
  badge.className = "badge";
  say(badge, "–");
  say(element("reason"), text);
  element("alarm").hidden = true;
  element("facts").replaceChildren();
}

/** @param {DocumentStatus} status */
function sentence({ agreement, members, view, source }) {
  const others = members.filter(({ kind }) => kind === "truba");
  const silent = others.filter(({ vclock }) => vclock === null).map((each) => each.source);
  const waits = silent.length === 0 ? "" : ` Never heard here: ${silent.join(", ")}.`;
  if (agreement === "DIVERGED") {
    const differing = others.filter(
      (each) => each.hash !== null && each.hash !== view.hash && isSameClock(each, view.vclock),
    );
    const hashes = differing
      .map((each) => `${each.source} has ${shortHash(each.hash ?? "")}`)
      .join(", ");
    return `${source} has the hash ${shortHash(view.hash)}, ${hashes || "another member another one"}, for the same transactions. One of them is wrong; do not trust either until it is known which.`;
  }
  if (agreement === "catching up") {
    const lags = others.flatMap((each) => lagTexts(each, view.vclock));
    return `${lags.slice(0, 3).join("; ") || "Not all members have said what they hold"}${lags.length > 3 ? `; and ${lags.length - 3} more` : ""}.${waits}`;
  }
  const speaking = others.length - silent.length;
  if (others.length === 0) return "This node alone holds the document.";
  return `${speaking === 0 ? "Nobody else has spoken yet." : `${countText(speaking + 1)} members hold the same transactions and the same hash.`}${waits}`;
}

/**
 * @param {MemberStatus} member
 * @param {import("./words.js").VectorClock} own
 */
function lagTexts({ source, vclock }, own) {
  if (vclock === null) return [];
  const missing = Object.entries(own).reduce(
    (sum, [author, count]) => sum + Math.max(0, count - held(vclock, author)),
    0,
  );
  const ahead = Object.entries(vclock).reduce(
    (sum, [author, count]) => sum + Math.max(0, count - held(own, author)),
    0,
  );
  return [
    ...(missing > 0 ? [`${source} lacks ${counted(missing, "transaction")}`] : []),
    ...(ahead > 0 ? [`${source} has ${counted(ahead, "transaction")} that this node lacks`] : []),
  ];
}

/**
 * @param {MemberStatus} member
 * @param {import("./words.js").VectorClock} own
 */
function isSameClock({ vclock }, own) {
  if (vclock === null) return false;
  return [...Object.keys(vclock), ...Object.keys(own)].every(
    (author) => held(vclock, author) === held(own, author),
  );
}

/** @param {DocumentStatus} status */
function showFacts(status) {
  const { view, frontier, lenient, stateBytes, historyBytes, redone, redoneLongest, refused } =
    status;
  const lagMs = frontier === null ? undefined : Date.now() - frontier.ms;
  const refusals = refused.forged + refused.evicted + refused.malformed;
  /** @type {readonly (readonly [string, string, (string | undefined)?])[]} */
  const facts = [
    ["Hash", shortHash(view.hash), view.hash],
    ["Transactions", countText(view.transactions)],
    ["Tentative", countText(view.transactions - view.final)],
    ["Rejected", countText(view.rejected)],
    [
      "Final up to",
      lagMs === undefined ? "unknown" : lagMs < 1_500 ? "now" : `${durationText(lagMs)} ago`,
      frontier === null ? "A member was never heard: nothing new becomes final." : undefined,
    ],
    [
      "Mode",
      lenient ? "lenient" : "strict",
      lenient
        ? "A peer's replace of a missing member counts as add here."
        : "A replace of a missing member is rejected.",
    ],
    ["In memory", bytesText(stateBytes)],
    ["History", bytesText(historyBytes)],
    [
      "Redone",
      countText(redone),
      `Transactions undone and done again because an earlier one came late; the longest run: ${countText(redoneLongest)}`,
    ],
    ...(refusals === 0
      ? []
      : [
          /** @type {readonly [string, string, string]} */ ([
            "Refused",
            countText(refusals),
            `forged: ${refused.forged}, of evicted members: ${refused.evicted}, malformed: ${refused.malformed}`,
          ]),
        ]),
  ];
  element("facts").replaceChildren(
    ...facts.map(([name, value, title]) =>
      make("div", { title }, make("dt", {}, name), make("dd", {}, value)),
    ),
  );
}
