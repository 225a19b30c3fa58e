/** One side of a connection of the simulated {@link LinkNetwork}. What its process is told, it is told as a task of that process. */
import { assert } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { MessageLink, MessageLinkEvents } from "../../src/documents/links/message-link.ts";
import type { Trace } from "./trace.ts";

/** What the kernels of both sides hold for one direction. */
const windowBytes = 65_536;
/** A side that is asked to close and does not answer is given so long. */
const closeMs = 2_000;

/** What carries it. */
export interface LinkCarrier {
  readonly clock: Clock;
  readonly trace: Trace;
  isBlocked(from: number, to: number): boolean;
  /** When something that is sent `lagMs` from now arrives, if nothing blocks the way. */
  arrivalMs(lagMs: number): number;
  /** Runs `arrive` when what is sent now from one host to another arrives, however long the path is blocked. */
  carry(from: number, to: number, arrive: () => void): void;
  /** Whether the machine would say that it knows nothing of a connection. */
  answers(host: number): boolean;
  forget(end: LinkEnd): void;
}

/** A blocked path is tried again after so long. */
export const retryMs = 40;

interface Text {
  readonly text: string;
  readonly bytes: number;
}

export class LinkEnd implements MessageLink {
  readonly number: number;
  readonly host: number;
  readonly peer: number;
  readonly remote: string;
  bytesSent = 0;
  bytesReceived = 0;
  other: LinkEnd | undefined;
  readonly #clock: Clock & { readonly lagMs?: number };
  readonly #network: LinkCarrier;
  #events: MessageLinkEvents | undefined;
  /** `deaf`: its process has asked to close, or is gone; nothing is told but the end. */
  #state: "open" | "deaf" | "over" = "open";
  /** Not yet handed to the kernel. */
  #waiting: Text[] = [];
  #waitingBytes = 0;
  #inFlightBytes = 0;
  /** Under way, in order. */
  readonly #flying: { readonly atMs: number; arrive(): void }[] = [];
  #paused = false;
  /** Arrived, and not yet told. */
  #arrived: Text[] = [];
  /** What came before the owner listened. */
  #endedBy: string | undefined;

  constructor(parts: {
    number: number;
    host: number;
    peer: number;
    clock: Clock;
    network: LinkCarrier;
  }) {
    this.number = parts.number;
    this.host = parts.host;
    this.peer = parts.peer;
    this.remote = `h${parts.peer}`;
    this.#clock = parts.clock;
    this.#network = parts.network;
  }

  join(other: LinkEnd): void {
    this.other = other;
  }

  get open(): boolean {
    return this.#state === "open";
  }

  get bufferedBytes(): number {
    return this.#waitingBytes;
  }

  bind(events: MessageLinkEvents): void {
    assert(this.#events === undefined, "a link is bound once");
    this.#events = events;
    if (this.#endedBy !== undefined) this.#tellEnd(this.#endedBy);
    else this.#tellArrived();
  }

  send(text: string): void {
    if (this.#state !== "open") return;
    const bytes = Buffer.byteLength(text);
    this.#waiting.push({ text, bytes });
    this.#waitingBytes += bytes;
    this.#push();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#clock.soon(() => this.#tellArrived());
  }

  close(code: number, reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "deaf";
    const { other } = this;
    const end = `closed with ${code} ${reason}`;
    // Behind what was sent.
    this.#carry(() => {
      other?.told(end);
      this.#network.carry(this.peer, this.host, () => this.told(end));
    });
    this.#clock.after(closeMs, () => this.told(end));
  }

  /** It is over, for this side. */
  told(reason: string): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#network.forget(this);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#endedBy = reason;
    if (this.#events !== undefined) this.#clock.soon(() => this.#tellEnd(reason));
  }

  /** The process is gone: nobody is told. */
  vanish(): void {
    this.#state = "over";
    this.#network.forget(this);
    this.#waiting = [];
    this.#arrived = [];
  }

  #push(): void {
    let left = false;
    while (this.#waiting.length > 0 && this.#inFlightBytes < windowBytes) {
      const text = this.#waiting.shift();
      if (text === undefined) break;
      left = true;
      this.#waitingBytes -= text.bytes;
      this.#inFlightBytes += text.bytes;
      this.bytesSent += text.bytes;
      this.#carry(() => this.#arrive(text));
    }
    if (left && this.#events !== undefined)
      this.#clock.soon(() => {
        if (this.#state === "open") this.#events?.drained();
      });
  }

  /** In the order in which it is sent. */
  #carry(arrive: () => void): void {
    const { lagMs = 0 } = this.#clock;
    const atMs = Math.max(this.#network.arrivalMs(lagMs), this.#flying.at(-1)?.atMs ?? 0);
    this.#flying.push({ atMs, arrive });
    if (this.#flying.length === 1) this.#fly(atMs);
  }

  #fly(atMs: number): void {
    const { clock } = this.#network;
    clock.after(atMs - clock.monotonicMs(), () => {
      if (this.#network.isBlocked(this.host, this.peer)) {
        this.#fly(clock.monotonicMs() + retryMs);
        return;
      }
      this.#flying.shift()?.arrive();
      const next = this.#flying[0];
      if (next !== undefined) this.#fly(next.atMs);
    });
  }

  #arrive(text: Text): void {
    const { other } = this;
    this.#network.trace.mix("message", this.host, this.peer, this.number, text.bytes);
    if (this.#network.trace.verbose)
      this.#network.trace.tell(
        "message",
        -1,
        `h${this.host}>h${this.peer} link ${this.number}: ${text.text.slice(0, 300)}`,
      );
    if (other === undefined || other.#state === "over") {
      this.#inFlightBytes -= text.bytes;
      // The machine over there knows nothing of this connection, if there is one.
      if (this.#network.answers(this.peer))
        this.#network.carry(this.peer, this.host, () => this.told("the peer is gone"));
      return;
    }
    other.#arrived.push(text);
    if (other.#events !== undefined) other.#clock.soon(() => other.#tellArrived());
  }

  #tellArrived(): void {
    while (!this.#paused && this.#events !== undefined && this.#state !== "over") {
      const text = this.#arrived.shift();
      if (text === undefined) return;
      this.bytesReceived += text.bytes;
      this.other?.taken(text.bytes);
      if (this.#state === "open") this.#events.message(text.text);
    }
  }

  /** The other side has read so much. */
  taken(bytes: number): void {
    this.#inFlightBytes -= bytes;
    if (this.#state === "open") this.#push();
  }

  #tellEnd(reason: string): void {
    const events = this.#events;
    if (events === undefined) return;
    this.#events = undefined;
    events.closed(reason);
  }
}
