/** Links that exist in memory: pairs of ends over a virtual clock, with the faults of a network: latency, readers that do not read, messages that vanish, cables that are cut. */
import { assert, must } from "../../../src/base/assert.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type {
  Dialed,
  LinkDialer,
  MessageLink,
  MessageLinkEvents,
  PeerAddress,
} from "../../../src/documents/links/message-link.ts";

/** One end. */
export class MemoryLink implements MessageLink {
  readonly remote: string;
  bytesSent = 0;
  bytesReceived = 0;
  /** Texts that this end was given to send. */
  readonly sentTexts: string[] = [];
  /** What becomes of texts on their way to the other end. Default: they arrive. */
  tamper: (text: string) => readonly string[] = (text) => [text];
  /** Nothing arrives any more, and neither end is told: a cable was cut. */
  silent = false;
  /** The operating system takes nothing: the other side does not read. */
  stuck = false;
  latencyMs = 1;
  closedWith: { code: number; reason: string } | undefined;
  readonly #clock: Clock;
  #other: MemoryLink | undefined;
  #events: MessageLinkEvents | undefined;
  #paused = true;
  #over = false;
  /** Sent and not arrived. */
  #waiting: { readonly text: string; readonly dueMs: number }[] = [];
  /** Arrived and not told. */
  #arrived: string[] = [];
  #buffered = 0;

  private constructor(clock: Clock, remote: string) {
    this.#clock = clock;
    this.remote = remote;
  }

  /** The dialer's end and the other one. */
  static pair(
    clock: Clock,
    names: { from: string; to: string },
  ): readonly [MemoryLink, MemoryLink] {
    const near = new MemoryLink(clock, names.to);
    const far = new MemoryLink(clock, names.from);
    near.#other = far;
    far.#other = near;
    return [near, far];
  }

  get bufferedBytes(): number {
    return this.#buffered;
  }

  bind(events: MessageLinkEvents): void {
    assert(this.#events === undefined, "a link is bound once");
    this.#events = events;
    this.resume();
  }

  send(text: string, _compress = false): void {
    if (this.closedWith !== undefined || this.#over) return;
    this.sentTexts.push(text);
    this.#buffered += text.length;
    this.#waiting.push({ text, dueMs: this.#clock.monotonicMs() + this.latencyMs });
    this.#clock.after(this.latencyMs, () => this.flush());
  }

  /** Moves on what waits, after `stuck` was lifted. */
  flush(): void {
    if (this.stuck || this.#other?.isFull === true) return;
    const nowMs = this.#clock.monotonicMs();
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs);
    this.#waiting = this.#waiting.slice(due.length);
    for (const { text } of due) {
      this.#buffered -= text.length;
      this.bytesSent += text.length;
      if (!this.silent) this.#other?.arrive(this.tamper(text));
    }
    if (due.length > 0 && !this.#over) this.#events?.drained();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#clock.soon(() => this.#tell());
  }

  close(code: number, reason: string): void {
    if (this.closedWith !== undefined) return;
    this.closedWith = { code, reason };
    this.#clock.after(this.latencyMs, () => {
      if (this.silent) {
        // Nobody answers: it is over all the same.
        this.end("nobody answered");
        return;
      }
      this.#other?.end(`closed by the other side with ${code}: ${reason}`);
      this.end("closed");
    });
  }

  /** The connection breaks, and both ends notice. */
  break(): void {
    this.#other?.end("the connection was lost");
    this.end("the connection was lost");
  }

  /** The operating system's buffers of the reading side are full. */
  get isFull(): boolean {
    return this.#paused && this.#arrived.length >= 4;
  }

  arrive(texts: readonly string[]): void {
    this.#arrived.push(...texts);
    this.#tell();
  }

  /** For tests: a message that is not text. */
  arriveBinary(bytes: number): void {
    this.#events?.binary(bytes);
  }

  #tell(): void {
    while (!this.#paused && !this.#over && this.#arrived.length > 0) {
      const text = must(this.#arrived.shift());
      this.bytesReceived += text.length;
      if (this.closedWith === undefined) this.#events?.message(text);
    }
    if (!this.#paused) this.#other?.flush();
  }

  /** It is over, and whoever holds this end is told. */
  end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#buffered = 0;
    this.#waiting = [];
    this.#clock.soon(() => this.#events?.closed(reason));
  }
}

/** Who answers at an address. */
export interface Listening {
  /** What the answer says; `null`: a plain peer. */
  readonly version: number | null;
  accept(link: MemoryLink, query: ReadonlyMap<string, string>): void;
}

/** Where dialers find who listens. */
export class MemoryNetwork {
  readonly #clock: Clock;
  readonly #listening = new Map<string, Listening>();
  readonly #cut = new Set<string>();
  /** All links that were made, the dialer's end and the other one, with the address that was dialed. */
  readonly links: { from: string; to: string; near: MemoryLink; far: MemoryLink }[] = [];
  dials = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  listen(address: string, listening: Listening): void {
    this.#listening.set(address, listening);
  }

  forget(address: string): void {
    this.#listening.delete(address);
  }

  /** Nothing passes between two nodes from now on; links that are open fall silent. */
  cut(one: string, other: string): void {
    this.#cut.add(pairKey(one, other));
    for (const { near, far } of this.between(one, other)) near.silent = far.silent = true;
  }

  heal(one: string, other: string): void {
    this.#cut.delete(pairKey(one, other));
  }

  between(one: string, other: string) {
    return this.links.filter(({ from, to }) => pairKey(from, to) === pairKey(one, other));
  }

  dialer(from: string): LinkDialer {
    return { dial: (peer, query, signal) => this.#dial(from, { peer, query, signal }) };
  }

  #dial(
    from: string,
    asked: { peer: PeerAddress; query: ReadonlyMap<string, string>; signal: AbortSignal },
  ): Promise<Dialed> {
    const { peer, query, signal } = asked;
    this.dials++;
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
      this.#clock.after(1, () => {
        const to = peer.host;
        const listening = this.#listening.get(to);
        if (listening === undefined || this.#cut.has(pairKey(from, to))) {
          reject(new Error(`connect ECONNREFUSED ${peer.text}`));
          return;
        }
        const [near, far] = MemoryLink.pair(this.#clock, { from, to });
        this.links.push({ from, to, near, far });
        listening.accept(far, query);
        resolve({ link: near, version: listening.version });
      });
    });
  }
}

function pairKey(one: string, other: string): string {
  return [one, other].toSorted().join("—");
}
