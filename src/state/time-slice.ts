import { nextTurn } from "../base/clock.ts";
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";

/**
 * Long work in short pieces: asks every few rows whether its slice is over, and if so lets the event loop run. Requests are
 * answered in between, so a checkpoint of any size adds at most one slice to their latency.
 */
export class TimeSlice {
  readonly #clock: Clock;
  #endMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + limits.backgroundSliceMs;
  }

  isOver(): boolean {
    return this.#clock.monotonicMs() >= this.#endMs;
  }

  /** Resolves in a later turn of the event loop, at the start of a new slice. */
  async rest(): Promise<void> {
    await nextTurn(this.#clock);
    this.restart();
  }

  /** To be called after a wait that gave the event loop back by itself. */
  restart(): void {
    this.#endMs = this.#clock.monotonicMs() + limits.backgroundSliceMs;
  }
}
