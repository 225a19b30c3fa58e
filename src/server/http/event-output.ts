/**
 * Server-sent events on the wire (HTML standard §9.2):
 *
 *     event: NAME LF
 *     data: JSON, which has no line ends LF
 *     LF
 *
 * Between them `: LF LF` comments, so that whoever stands in between keeps the connection.
 */
import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";

export interface EventOutput {
  /** Whether so much waits to be taken by the client that it should be sent no more until `drained`. */
  readonly full: boolean;
  send(event: string, data: unknown): void;
  /** As `send`, of what is JSON already. */
  sendText(event: string, json: string): void;
  end(): void;
  /** Told whenever all that waited is taken. */
  onDrained(listener: () => void): void;
  /** Told once when the connection is over. */
  onClosed(listener: () => void): void;
}

export class ResponseEvents implements EventOutput {
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  /** When the client stopped taking what is sent (monotonic ms). */
  #fullSinceMs: number | undefined;
  #drained: () => void = () => {};
  #begin: (() => void) | undefined;

  /** `begin` writes the head, when the first event is sent. */
  constructor(response: ServerResponse, clock: Clock, begin: () => void) {
    this.#response = response;
    this.#clock = clock;
    this.#begin = begin;
    response.on("drain", () => {
      this.#fullSinceMs = undefined;
      this.#drained();
    });
    response.once("close", () => this.#timer?.cancel());
  }

  get full(): boolean {
    return this.#response.writableNeedDrain;
  }

  send(event: string, data: unknown): void {
    this.sendText(event, JSON.stringify(data));
  }

  sendText(event: string, json: string): void {
    if (this.#begin !== undefined) {
      this.#begin();
      this.#begin = undefined;
      this.#keepAlive();
    }
    this.#write(`event: ${event}\ndata: ${json}\n\n`);
  }

  end(): void {
    this.#response.end();
  }

  onDrained(listener: () => void): void {
    this.#drained = listener;
  }

  onClosed(listener: () => void): void {
    if (this.#response.destroyed) this.#clock.soon(listener);
    else this.#response.once("close", listener);
  }

  #write(text: string): void {
    if (!this.#response.writable) return;
    if (!this.#response.write(text)) this.#fullSinceMs ??= this.#clock.monotonicMs();
  }

  /** A client that takes nothing for long is as good as gone, and holds what somebody else could do. */
  #keepAlive(): void {
    this.#timer = this.#clock.after(limits.eventKeepAliveMs, () => {
      const since = this.#fullSinceMs;
      if (since !== undefined && this.#clock.monotonicMs() - since > limits.eventStallMaxMs) {
        this.#response.destroy();
        return;
      }
      if (!this.full) this.#write(":\n\n");
      this.#keepAlive();
    });
  }
}
