/**
 * The node's page: asks `/v1/status` every two seconds while it is looked at, and shows the answer. Plain JavaScript, checked by the compiler (web/tsconfig.json), so that it is
 * served as it stands. Everything is shown as text: what the node answers never becomes markup.
 */
import { bytesText } from "./documents/words.js";

/**
 * @typedef {{ partition: number, role: string, term: number, position: number, committed: number, rows: number, bytes: number, checkpoint: number }} Partition
 * @typedef {{ queue: string, implementation: string, order: string, paused: boolean, waiting: number, delayed: number, leased: number, dead: number, payloadBytes: number, nextPushedAtMs: number }} Queue
 * @typedef {{ kind: string, closed: boolean, active: number, stored: number, dead: number }} Kind
 * @typedef {object} Status
 * @property {string} cluster
 * @property {string} node
 * @property {string} version
 * @property {string} condition
 * @property {boolean} ready
 * @property {string} [warning]
 * @property {number} startedAtMs
 * @property {number} timeMs
 * @property {string} clientAddress
 * @property {number} replicationFactor
 * @property {{ client: number, http: number }} connections
 * @property {number} memoryBytes
 * @property {number} logBytes
 * @property {number} records
 * @property {Record<string, number>} tasks
 * @property {Record<string, number>} sessions
 * @property {readonly Partition[]} partitions
 * @property {number} queuesCount
 * @property {readonly Queue[]} queues
 * @property {readonly Kind[]} kinds
 */

const everyMs = 2_000;
const tokenKey = "truba-token";

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** What the commands were made of. */
let commandsFor = "";

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

const whole = new Intl.NumberFormat("en-US");

/** @param {number} ms */
function durationText(ms) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

/**
 * @param {string} id
 * @param {readonly (readonly Cell[])[]} rows
 * @typedef {{ text: string, heading?: boolean, number?: boolean, bad?: boolean }} Cell
 */
function fillTable(id, rows) {
  const body = element(id).querySelector("tbody");
  body?.replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement("tr");
      for (const { text, heading = false, number = false, bad = false } of cells) {
        const cell = document.createElement(heading ? "th" : "td");
        if (heading) cell.setAttribute("scope", "row");
        cell.textContent = text;
        cell.classList.toggle("number", number);
        cell.classList.toggle("dead", bad);
        row.append(cell);
      }
      return row;
    }),
  );
}

/** @param {number} value */
const number = (value) => ({ text: whole.format(value), number: true });

/** @param {number} value */
const deadNumber = (value) => ({ ...number(value), bad: value > 0 });

/** @param {Status} status */
function showFacts(status) {
  const { tasks, sessions, connections } = status;
  /** @type {readonly (readonly [string, string])[]} */
  const facts = [
    ["Running for", durationText(status.timeMs - status.startedAtMs)],
    ["Records", whole.format(status.records)],
    ["Tasks", whole.format(sum(tasks))],
    ["Sessions", whole.format(sum(sessions))],
    ["Connections", `${whole.format(connections.client)} + ${whole.format(connections.http)} HTTP`],
    ["Replication factor", String(status.replicationFactor)],
    ["Log on disk", bytesText(status.logBytes)],
    ...(status.memoryBytes === 0
      ? []
      : [/** @type {const} */ (["Memory", bytesText(status.memoryBytes)])]),
  ];
  element("facts").replaceChildren(
    ...facts.map(([name, value]) => {
      const pair = document.createElement("div");
      const title = document.createElement("dt");
      const text = document.createElement("dd");
      title.textContent = name;
      text.textContent = value;
      pair.append(title, text);
      return pair;
    }),
  );
}

/** @param {Record<string, number>} counts */
function sum(counts) {
  return Object.values(counts).reduce((total, value) => total + value, 0);
}

/** @param {Status} status */
function showCommands({ clientAddress }) {
  if (commandsFor === clientAddress) return;
  commandsFor = clientAddress;
  const port = clientAddress.slice(clientAddress.lastIndexOf(":") + 1);
  const host = clientAddress.slice(0, clientAddress.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  const http = location.origin;
  /** @type {readonly (readonly [string, string])[]} */
  const commands = [
    [
      "Node.js",
      `import { connect } from "truba";\nconst truba = await connect("${clientAddress}");`,
    ],
    ["Talk to it", `npx truba repl -H ${host} -P ${port}`],
    ["Any Redis client", `redis-cli -h ${host} -p ${port} QUEUE.PUSH default hello`],
    [
      "Push over HTTP",
      `curl -H 'Content-Type: text/plain' -d hello ${http}/v1/queues/default/tasks`,
    ],
    ["Pop over HTTP", `curl -X POST ${http}/v1/queues/default/pop`],
    ["Client address", clientAddress],
    ["HTTP address", http],
  ];
  element("commands").replaceChildren(
    ...commands.map(([name, command]) => commandItem(name, command)),
  );
}

/**
 * @param {string} name
 * @param {string} command
 */
function commandItem(name, command) {
  const item = document.createElement("li");
  const title = document.createElement("span");
  const code = document.createElement("code");
  const button = document.createElement("button");
  title.textContent = name;
  code.textContent = command;
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${name}`);
  button.addEventListener("click", () => {
    void copy(code, button);
  });
  item.append(title, code, button);
  return item;
}

/**
 * Copies the text; where the browser does not let a page do that, marks it so that the keyboard can.
 * @param {HTMLElement} code
 * @param {HTMLButtonElement} button
 */
async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent ?? "");
    button.textContent = "Copied";
  } catch {
    getSelection()?.selectAllChildren(code);
    button.textContent = "Marked";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1_500);
}

/** @param {Status} status */
function showQueues({ queues, queuesCount, timeMs }) {
  const more =
    queuesCount > queues.length
      ? `${queues.length} of ${whole.format(queuesCount)}`
      : whole.format(queuesCount);
  element("queues-count").textContent = queuesCount === 0 ? "" : more;
  element("queues").hidden = queuesCount === 0;
  element("queues-none").hidden = queuesCount > 0;
  fillTable(
    "queues",
    queues.map((queue) => [
      { text: queue.paused ? `${queue.queue} (paused)` : queue.queue, heading: true },
      {
        text:
          queue.implementation === "fifo"
            ? "fifo"
            : `${queue.implementation}, ${queue.order} first`,
      },
      number(queue.waiting),
      number(queue.delayed),
      number(queue.leased),
      deadNumber(queue.dead),
      { text: bytesText(queue.payloadBytes), number: true },
      {
        text: queue.nextPushedAtMs === 0 ? "–" : durationText(timeMs - queue.nextPushedAtMs),
        number: true,
      },
    ]),
  );
}

/** @param {Status} status */
function showSessions({ kinds, sessions }) {
  element("sessions-count").textContent = kinds.length === 0 ? "" : whole.format(sum(sessions));
  element("sessions").hidden = kinds.length === 0;
  element("sessions-none").hidden = kinds.length > 0;
  fillTable(
    "sessions",
    kinds.map((kind) => [
      { text: kind.closed ? `${kind.kind} (closed)` : kind.kind, heading: true },
      number(kind.active),
      number(kind.stored),
      deadNumber(kind.dead),
    ]),
  );
}

/** @param {Status} status */
function showPartitions({ partitions }) {
  const led = partitions.filter(({ role }) => role === "leader").length;
  element("partitions-count").textContent = `${partitions.length}, ${led} led here`;
  fillTable(
    "partitions",
    partitions.map((each) => [
      { text: String(each.partition), heading: true, number: true },
      { text: each.role, bad: each.role === "stopped" },
      number(each.term),
      number(each.position),
      number(Math.max(0, each.committed - each.position)),
      number(each.rows),
      { text: bytesText(each.bytes), number: true },
      number(each.checkpoint),
    ]),
  );
}

/** @param {Status} status */
function show(status) {
  element("shown").hidden = false;
  element("access").hidden = true;
  element("cluster").textContent = status.cluster;
  element("node").textContent = `node ${status.node}`;
  document.title = `${status.cluster}: ${status.node}`;
  showCondition(
    status.ready ? "serving" : status.condition === "serving" ? "waiting" : status.condition,
    status.ready,
  );
  element("warning").hidden = status.warning === undefined;
  element("warning").textContent = status.warning ?? "";
  showFacts(status);
  showCommands(status);
  showQueues(status);
  showSessions(status);
  showPartitions(status);
  element("version").textContent = `Truba ${status.version}.`;
  element("refreshed").textContent = `As of ${new Date(status.timeMs).toLocaleTimeString()}.`;
}

/**
 * @param {string} text
 * @param {boolean} good
 */
function showCondition(text, good) {
  const badge = element("condition");
  badge.classList.toggle("good", good);
  badge.classList.toggle("bad", !good);
  // Said again, it would be read out again.
  if (badge.textContent !== text) badge.textContent = text;
}

/** @param {string | undefined} text */
function showTrouble(text) {
  const trouble = element("trouble");
  trouble.hidden = text === undefined;
  if (trouble.textContent !== (text ?? "")) trouble.textContent = text ?? "";
}

/** @param {string} code */
function askForToken(code) {
  element("shown").hidden = true;
  element("access").hidden = false;
  showCondition("locked", false);
  element("access-problem").textContent =
    code === "WRONGPASS"
      ? "The node does not know this token."
      : code === "NOPERM"
        ? "The token's role does not reach."
        : "";
  element("token").focus();
}

async function refresh() {
  clearTimeout(timer);
  const token = sessionStorage.getItem(tokenKey);
  try {
    const answer = await fetch("/v1/status", {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      cache: "no-store",
    });
    const body = /** @type {unknown} */ (await answer.json());
    if (answer.ok) {
      show(/** @type {Status} */ (body));
      showTrouble(undefined);
    } else {
      const { code, detail } = /** @type {{ code: string, detail: string }} */ (body);
      if (answer.status === 401 || answer.status === 403) {
        sessionStorage.removeItem(tokenKey);
        showTrouble(undefined);
        askForToken(code);
        // Asked again when there is another token.
        return;
      }
      showTrouble(`${code}: ${detail}`);
    }
  } catch {
    showCondition("not reached", false);
    showTrouble("The node does not answer. What is shown is what it said last.");
  }
  if (!document.hidden) timer = setTimeout(() => void refresh(), everyMs);
}

element("access").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (element("token"));
  sessionStorage.setItem(tokenKey, field.value.trim());
  field.value = "";
  void refresh();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && element("access").hidden) void refresh();
});

void refresh();
