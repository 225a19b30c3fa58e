/** Rings at a moment of log time. One is set at a time; log time may lag behind the wall clock, so it is looked at again when the timer comes. */
import type { Clock, Timer } from "../base/clock.ts";
import type { LogClock } from "./log-clock.ts";

/** Timers take 31 bits of milliseconds; what is farther off is set again. */
const timerMaxMs = 2 ** 30;

export class LogAlarm {
  readonly #clock: Clock;
  readonly #logClock: LogClock;
  readonly #ring: () => void;
  #timer: Timer | undefined;
  #at = Infinity;

  constructor(clock: Clock, logClock: LogClock, ring: () => void) {
    this.#clock = clock;
    this.#logClock = logClock;
    this.#ring = ring;
  }

  /** Rings once log time has reached `at`, never before; Infinity = not at all. Nothing happens if it is set so already. */
  set(at: number): void {
    if (at === this.#at) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#at = at;
    if (at === Infinity) return;
    const wait = Math.min(Math.max(0, at - this.#logClock.now()), timerMaxMs);
    this.#timer = this.#clock.after(wait, () => {
      this.#at = Infinity;
      if (this.#logClock.now() < at) this.set(at);
      else this.#ring();
    });
  }

  /** Forgets what it is set to, so that setting it to the same moment rings again. */
  clear(): void {
    this.set(Infinity);
  }
}
