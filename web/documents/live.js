/**
 * A document as it changes: server-sent events, read through `fetch` because `EventSource` cannot send a token. When the connection is lost it is made again, and what comes first is
 * a snapshot, so nothing is missed.
 */
import { addressOf, ask, errorText, isAbort, Refused } from "./asking.js";
import { EventLines } from "./event-lines.js";

/**
 * @typedef {import("../../src/documents/vocabulary.ts").DocumentEvent} DocumentEvent
 * @typedef {object} Listener
 * @property {(event: DocumentEvent) => void} event
 * @property {(state: LiveState) => void} state
 * @typedef {{ kind: "live" } | { kind: "connecting" } | { kind: "lost", text: string, retryAtMs: number } | { kind: "locked", error: Refused }} LiveState
 */

const retryMinMs = 500;
const retryMaxMs = 15_000;
/** The node sends something each 15 s or so; after this long without a byte the connection is dead whatever it says. */
const silenceMaxMs = 60_000;

export class Live {
  /** @type {AbortController | undefined} */
  #connection;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #closed = false;
  #failures = 0;

  /**
   * @param {string} name
   * @param {Listener} listener
   */
  constructor(name, listener) {
    this.name = name;
    this.listener = listener;
    void this.#run();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#connection?.abort();
  }

  /** Ends the connection there is, if any, and makes another one at once. */
  again() {
    clearTimeout(this.#timer);
    this.#connection?.abort();
    this.#failures = 0;
    void this.#run();
  }

  async #run() {
    const connection = new AbortController();
    this.#connection = connection;
    // While it fails, that is what is said.
    if (this.#failures === 0) this.listener.state({ kind: "connecting" });
    try {
      const answer = await ask(addressOf(this.name, "/events"), {
        accept: "text/event-stream",
        signal: connection.signal,
      });
      if (answer.body === null) throw new Error("the node sent no events");
      await this.#read(answer.body, connection);
      throw new Error("The node ended the connection.");
    } catch (error) {
      if (this.#closed || this.#connection !== connection) return;
      if (error instanceof Refused && error.locked) this.listener.state({ kind: "locked", error });
      else
        this.#retry(isAbort(error) ? "The node has been silent for too long." : errorText(error));
    }
  }

  /** @param {string} text */
  #retry(text) {
    // Full jitter: all pages of a node that restarts do not come back in one moment.
    const most = Math.min(retryMaxMs, retryMinMs * 2 ** this.#failures++);
    const waitMs = retryMinMs / 2 + Math.random() * most;
    this.listener.state({ kind: "lost", text, retryAtMs: Date.now() + waitMs });
    this.#timer = setTimeout(() => void this.#run(), waitMs);
  }

  /**
   * @param {ReadableStream<Uint8Array>} body
   * @param {AbortController} connection
   */
  async #read(body, connection) {
    const reader = body
      .pipeThrough(
        /** @type {TransformStream<Uint8Array, string>} */ (
          /** @type {unknown} */ (new TextDecoderStream())
        ),
      )
      .getReader();
    const lines = new EventLines((event, data) => {
      if (connection.signal.aborted) return;
      if (event === "ended") throw new Error(endText(data));
      if (event !== "snapshot" && event !== "change") return;
      this.#failures = 0;
      this.listener.event(/** @type {DocumentEvent} */ (JSON.parse(data)));
      this.listener.state({ kind: "live" });
    });
    let silence = setTimeout(() => connection.abort(), silenceMaxMs);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(() => connection.abort(), silenceMaxMs);
        lines.take(value);
      }
    } finally {
      clearTimeout(silence);
    }
  }
}

/**
 * Why the node ends the events, as it says.
 * @param {string} data
 */
function endText(data) {
  const { code, detail } = /** @type {import("./asking.js").Problem} */ (JSON.parse(data));
  return `${code}: ${detail}.`;
}
