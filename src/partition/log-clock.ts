/**
 * Log time (DESIGN §3): the last timestamp plus the monotonic time that passed, drawn to the wall clock by at most 1/16 of it. So a clock that is set
 * back or forward shortens or lengthens a lease by a sixteenth at most, and time in the log never goes back.
 */
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";

export class LogClock {
  readonly #clock: Clock;
  #time: number;
  #monotonic: number;

  /** Starts at the larger of the log's last timestamp and the wall clock. */
  constructor(clock: Clock, lastTimestamp: number) {
    this.#clock = clock;
    this.#time = Math.max(lastTimestamp, clock.wallMs());
    this.#monotonic = clock.monotonicMs();
  }

  /** Milliseconds since 1970, whole, never less than before. */
  now(): number {
    const monotonic = this.#clock.monotonicMs();
    const elapsed = Math.max(0, monotonic - this.#monotonic);
    this.#monotonic = monotonic;
    const free = this.#time + elapsed;
    const slewMax = elapsed * limits.logTimeSlewRatio;
    const error = this.#clock.wallMs() - free;
    this.#time = free + Math.max(-slewMax, Math.min(slewMax, error));
    return Math.floor(this.#time);
  }
}
