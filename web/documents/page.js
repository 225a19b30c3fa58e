/** The page of the documents: follows one document live, and asks each two seconds how its members and links stand. Everything else is in the files beside this one. */
import { addressOf, askJson, errorText, keepToken, Refused } from "./asking.js";
import { Composer } from "./composer.js";
import { Conflicts } from "./conflicts.js";
import { differenceOf } from "./difference.js";
import { copy, element, elementOf, say } from "./elements.js";
import { Eviction } from "./eviction.js";
import { offerFinding } from "./finder.js";
import { findTransaction } from "./history.js";
import { Live } from "./live.js";
import { showMatrix } from "./matrix.js";
import { showNodes } from "./nodes.js";
import { applied, copyOf, tokensOf, valueAt } from "./patching.js";
import { Picker } from "./picker.js";
import { Selection } from "./selection.js";
import { TimeMachine } from "./time-machine.js";
import { Timeline } from "./timeline.js";
import { Tree } from "./tree.js";
import { showNoVerdict, showOldVerdict, showVerdict } from "./verdict.js";
import { countText, counted, durationText, transactionName } from "./words.js";

/**
 * @typedef {import("../../src/patch/json.ts").Json} Json
 * @typedef {import("../../src/documents/vocabulary.ts").DocumentEvent} DocumentEvent
 * @typedef {import("../../src/documents/vocabulary.ts").DocumentStatus} DocumentStatus
 * @typedef {import("../../src/documents/vocabulary.ts").LinkStatus} LinkStatus
 * @typedef {import("../../src/documents/vocabulary.ts").Conflict} Conflict
 * @typedef {import("./live.js").LiveState} LiveState
 * @typedef {import("./patching.js").Operation} Operation
 */

const statusEveryMs = 2_000;
/** After a change the rest is asked for once it has been quiet for so long, and at the latest after this often. */
const settleMs = 150;

/** A page that nobody looks at gives its connection back after so long: browsers have six for all pages of a node. */
const hiddenMaxMs = 60_000;

/** The document as it is now. */
const now = {
  name: "",
  value: /** @type {Json} */ ({}),
  /** Whether anything of it was told yet. */
  known: false,
  hash: /** @type {string | undefined} */ (undefined),
  transactions: 0,
  final: 0,
  sources: /** @type {readonly string[]} */ ([]),
};

/** @type {Live | undefined} */
let live;
/** @type {LiveState} */
let liveState = { kind: "connecting" };
/** @type {ReturnType<typeof setTimeout> | undefined} */
let statusTimer;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let settleTimer;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiddenTimer;

const selection = new Selection({
  present: () => now,
  change: (pointer, value) =>
    composer.offer(
      [{ op: "replace", path: pointer, value }],
      `A patch that replaces ${pointer || "the whole document"}: change its value here.`,
    ),
});
const tree = new Tree(element("tree"), (row) => selection.show(row));
offerFinding({
  value: () => tree.value,
  chosen: () => tree.chosen,
  reveal: (pointer) => tree.reveal(pointer),
});
const composer = new Composer(() => now);
const timeline = new Timeline({
  lookAt: (position) => {
    timeMachine.lookAt(position);
    element("state-card").scrollIntoView({ block: "start" });
    element("slider").focus({ preventScroll: true });
  },
  again: (transaction) =>
    composer.offer(
      transaction.operations,
      `The operations of ${transactionName(transaction)} again, as a new patch.`,
    ),
});
const conflicts = new Conflicts({
  again: (conflict) => void applyAgain(conflict),
  reveal: (pointer) => {
    tree.reveal(pointer);
    element("state-card").scrollIntoView({ block: "nearest" });
    element("tree").focus({ preventScroll: true });
  },
});
const timeMachine = new TimeMachine({
  show: (position, value) => {
    tree.show(value);
    const differences = differenceOf(now.value, value).length;
    say(
      element("past-text"),
      `You see the document as it was behind ${counted(position, "transaction")}: ${differences === 0 ? "the same as now" : `${counted(differences, "difference")} to now`}.`,
    );
  },
  now: () => tree.show(now.value),
  restore: (position, value) =>
    composer.offer(
      differenceOf(now.value, copyOf(value)),
      `A patch that leads back to what the document was behind ${counted(position, "transaction")}. Nothing is undone: it becomes a new transaction.`,
    ),
});
const eviction = new Eviction(() => void refreshStatus());
const picker = new Picker(choose);

/** @param {string} name */
function choose(name) {
  live?.close();
  Object.assign(now, {
    name,
    value: {},
    known: false,
    hash: undefined,
    transactions: 0,
    final: 0,
    sources: [],
  });
  document.title = `${name} · documents · Truba`;
  element("test-link").setAttribute(
    "href",
    name === "default" ? "/test" : `/d/${encodeURIComponent(name)}/test`,
  );
  element("raw-link").setAttribute("href", addressOf(name));
  tree.forget();
  tree.show({});
  timeline.begin(name);
  conflicts.begin(name);
  timeMachine.begin(name);
  composer.begin();
  selection.begin(name);
  showNoVerdict("Asking the node…");
  live = follow();
  void refreshStatus();
}

function follow() {
  return new Live(now.name, { event: take, state: showLive });
}

/** @param {DocumentEvent} event */
function take(event) {
  /** @type {string[]} */
  let changed = [];
  try {
    if (event.kind === "snapshot") {
      now.value = /** @type {Json} */ (JSON.parse(event.text));
      now.hash = event.hash;
      if (!now.known) tree.forget();
      now.known = true;
    } else {
      const operations = /** @type {readonly Operation[]} */ (
        /** @type {unknown} */ (event.operations)
      );
      now.value = applied(now.value, operations, (container) => tree.touched(container));
      now.hash = undefined;
      changed = operations.map(({ path }) => path);
    }
  } catch {
    // Then this page missed something: a snapshot puts it right.
    live?.again();
    return;
  }
  now.transactions = event.transactions;
  now.final = event.final;
  now.sources = Object.keys(event.vclock).sort();
  if (!timeMachine.isPast) tree.show(now.value, changed);
  timeMachine.follow(now.transactions);
  settleTimer ??= setTimeout(() => {
    settleTimer = undefined;
    timeline.follow(now.transactions, now.sources);
    conflicts.follow();
    void refreshStatus();
  }, settleMs);
}

/** @param {LiveState} state */
function showLive(state) {
  liveState = state;
  const badge = element("live");
  const isLost = state.kind === "lost";
  badge.className = `badge ${state.kind === "live" ? "good" : isLost ? "bad" : ""}`;
  say(
    badge,
    state.kind === "live"
      ? "● live"
      : isLost
        ? "○ not connected"
        : state.kind === "locked"
          ? "locked"
          : "connecting…",
  );
  element("lost").hidden = !isLost;
  if (isLost) showOldVerdict();
  element("shown").classList.toggle("stale", isLost);
  if (state.kind === "locked") askForToken(state.error);
  showRetry();
}

function showRetry() {
  if (liveState.kind !== "lost") return;
  const restMs = Math.max(0, liveState.retryAtMs - Date.now());
  say(
    element("lost-text"),
    `Not connected: ${liveState.text} What is shown is what the node said last. Trying again ${restMs < 1_000 ? "now" : `in ${durationText(Math.ceil(restMs / 1_000) * 1_000)}`}.`,
  );
}

async function refreshStatus() {
  clearTimeout(statusTimer);
  const { name } = now;
  try {
    const [status, { links }] = await Promise.all([
      statusOf(name),
      /** @type {Promise<{ links: readonly LinkStatus[] }>} */ (askJson("/v1/document-links")),
    ]);
    if (name !== now.name) return;
    if (liveState.kind !== "lost") showStatus(status, links);
  } catch (error) {
    if (error instanceof Refused && error.locked) return askForToken(error);
    say(element("status-trouble"), error instanceof Refused ? errorText(error) : "");
  }
  element("status-trouble").hidden = element("status-trouble").textContent === "";
  if (!document.hidden) statusTimer = setTimeout(() => void refreshStatus(), statusEveryMs);
}

/**
 * Of a document that nobody wrote yet there is none.
 * @param {string} name
 * @returns {Promise<DocumentStatus | undefined>}
 */
async function statusOf(name) {
  try {
    return /** @type {DocumentStatus} */ (await askJson(addressOf(name, "/status")));
  } catch (error) {
    if (error instanceof Refused && error.code === "NODOCUMENT") return undefined;
    throw error;
  }
}

/**
 * @param {DocumentStatus | undefined} status
 * @param {readonly LinkStatus[]} links
 */
function showStatus(status, links) {
  say(element("status-trouble"), "");
  if (status === undefined)
    showNoVerdict("There is no document of this name yet: its first patch makes it.");
  else {
    say(element("source"), `as ${status.source}`);
    if (status.view.transactions === now.transactions) now.hash = status.view.hash;
    showVerdict(status);
    showMatrix(status);
  }
  element("matrix-card").hidden = status === undefined;
  const up = links.filter(({ state }) => state === "up").length;
  say(
    element("links-count"),
    links.length === 0 ? "" : `${countText(up)} of ${countText(links.length)} up`,
  );
  showNodes(status, links, (source) => eviction.ask(now.name, source));
}

/** @param {Json} operation */
function isTest(operation) {
  return /** @type {{ op?: Json }} */ (operation).op === "test";
}

/** @param {Conflict} conflict */
async function applyAgain({ kind, loser, path, lost }) {
  const name = transactionName(loser);
  if (kind === "shadowed" && lost !== undefined) {
    const stands = valueAt(now.value, tokensOf(path)) !== undefined;
    composer.offer(
      [{ op: stands ? "replace" : "add", path, value: lost }],
      `What ${name} wrote at ${path || "the whole document"}, again, as a new patch.`,
    );
    return;
  }
  try {
    const found = await findTransaction(now.name, loser, now.transactions);
    if (found === undefined) {
      composer.offer([], `${name} is too far back to be found from here.`);
      return;
    }
    // Its tests spoke of what its author saw, and it was they that failed.
    const rest = found.operations.filter((each) => !isTest(each));
    const isBare = rest.length > 0 && rest.length < found.operations.length;
    composer.offer(
      isBare ? rest : found.operations,
      `The operations of ${name} again${isBare ? ", without its tests" : ""}, as a new patch.`,
    );
  } catch (error) {
    composer.offer([], errorText(error));
  }
}

/** @param {Refused} refused */
function askForToken({ code }) {
  clearTimeout(statusTimer);
  element("shown").hidden = true;
  element("access").hidden = false;
  say(element("live"), "locked");
  say(
    element("access-problem"),
    code === "WRONGPASS"
      ? "The node does not know this token."
      : code === "NOPERM"
        ? "The token's role does not reach."
        : "",
  );
  keepToken(undefined);
  element("token").focus();
}

element("access").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = elementOf("token", HTMLInputElement);
  keepToken(field.value.trim());
  field.value = "";
  element("access").hidden = true;
  element("shown").hidden = false;
  void picker.refresh();
  choose(now.name);
});

element("retry").addEventListener("click", () => live?.again());
element("open-all").addEventListener("click", () => {
  say(
    element("tree-note"),
    tree.openAll()
      ? ""
      : "The document is too large to open all of it: as much is open as can be looked at.",
  );
});
element("close-all").addEventListener("click", () => {
  tree.closeAll();
  say(element("tree-note"), "");
});
element("copy-all").addEventListener("click", () => {
  void copy(JSON.stringify(now.value), elementOf("copy-all", HTMLButtonElement));
});
for (const jump of document.querySelectorAll("[data-jump]"))
  jump.addEventListener("click", (event) => {
    event.preventDefault();
    const target = element(jump.getAttribute("data-jump") ?? "");
    target.scrollIntoView({ block: "start" });
    target.focus({ preventScroll: true });
  });

document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) {
    hiddenTimer = setTimeout(() => {
      live?.close();
      live = undefined;
    }, hiddenMaxMs);
    return;
  }
  if (!element("access").hidden) return;
  live ??= follow();
  void refreshStatus();
});
setInterval(showRetry, 500);
element("shown").hidden = false;
picker.begin();
