/**
 * The test page of the course exercise: it needs nothing but its four addresses, /replace, /get, /vclock and /ws, and finds them beside itself, so that /d/NAME/test speaks of that document.
 * Beyond the exercise's own page it says what /replace answered, and connects again.
 */

import { keepToken, token } from "./asking.js";
import { element, elementOf, say } from "./elements.js";

const retryMs = 2_000;
/** Older messages go, so that a page that stands open for days stays usable. */
const messagesMaxCount = 5_000;

function headers() {
  const secret = token();
  return secret === null ? {} : { authorization: `Bearer ${secret}` };
}

/** Being fetched, and whether it is to be fetched again then. */
const fetching = { get: false, vclock: false };
const wanted = { get: false, vclock: false };

/**
 * What an address says now. However many messages come at once, one request is under way and one is to follow.
 * @param {"get" | "vclock"} name
 */
async function show(name) {
  wanted[name] = true;
  if (fetching[name]) return;
  fetching[name] = true;
  while (wanted[name]) {
    wanted[name] = false;
    try {
      const answer = await fetch(name, { headers: headers(), cache: "no-store" });
      const text = await answer.text();
      element(name).textContent = answer.ok ? text : `${answer.status}: ${text}`;
      if (answer.status === 401) askForToken();
    } catch {
      element(name).textContent = "The node does not answer.";
    }
  }
  fetching[name] = false;
}

function askForToken() {
  element("access").hidden = false;
}

/** A browser cannot send a header with a WebSocket, so the token goes as a subprotocol; without one none is offered, as the exercise has it. */
function protocols() {
  const secret = token();
  if (secret === null) return [];
  const bytes = Array.from(new TextEncoder().encode(secret), (byte) => String.fromCharCode(byte));
  const coded = btoa(bytes.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return ["truba", `truba.bearer.${coded}`];
}

function connect() {
  const address = new URL("ws", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address, protocols());
  const output = element("output");
  socket.addEventListener("open", () => {
    // The stream begins anew with each connection.
    output.replaceChildren();
    showConnection("connected", true);
  });
  socket.addEventListener("message", (event) => {
    const isAtEnd = output.scrollTop + output.clientHeight >= output.scrollHeight - 8;
    const line = document.createElement("div");
    line.textContent = String(event.data);
    output.append(line);
    if (output.childElementCount > messagesMaxCount) output.firstElementChild?.remove();
    if (isAtEnd) output.scrollTop = output.scrollHeight;
    void show("get");
    void show("vclock");
  });
  socket.addEventListener("close", () => {
    showConnection("not connected", false);
    setTimeout(connect, retryMs);
  });
}

/**
 * @param {string} text
 * @param {boolean} good
 */
function showConnection(text, good) {
  const badge = element("connection");
  badge.className = `badge ${good ? "good" : "bad"}`;
  say(badge, text);
}

/**
 * @param {string} text
 * @param {"good" | "bad" | ""} kind
 */
function showAnswer(text, kind) {
  const answer = element("answer");
  answer.className = kind;
  answer.textContent = text;
}

/**
 * Truba says which transaction it became; others say what they like, mostly nothing.
 * @param {string} said
 */
function doneText(said) {
  if (said === "") return "Done.";
  try {
    const { Source, Id } = /** @type {{ Source?: unknown, Id?: unknown }} */ (JSON.parse(said));
    if (typeof Source === "string" && typeof Id === "number") return `Done: ${Source}:${Id}.`;
  } catch {
    // Then as it is.
  }
  return `Done: ${said}`;
}

/** @param {string} text */
async function replace(text) {
  showAnswer("…", "");
  try {
    const answer = await fetch("replace", { method: "POST", body: text, headers: headers() });
    const said = (await answer.text()).trim();
    if (answer.ok) showAnswer(doneText(said), "good");
    else showAnswer(`${answer.status}: ${said || answer.statusText || "refused"}`, "bad");
    if (answer.status === 401) askForToken();
  } catch {
    showAnswer("The node does not answer: whether it was done is not known.", "bad");
  }
}

const form = document.forms.namedItem("replace");
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = form.elements.namedItem("text");
  if (field instanceof HTMLTextAreaElement) void replace(field.value);
});

element("access").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = elementOf("token", HTMLInputElement);
  keepToken(field.value.trim());
  field.value = "";
  element("access").hidden = true;
  void show("get");
  void show("vclock");
});

window.addEventListener("load", () => {
  void show("get");
  void show("vclock");
  connect();
});
