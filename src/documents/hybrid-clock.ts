/**
 * The hybrid logical clock of a node (Kulkarni, Demirbas et al., "Logical Physical Clocks", 2014, figure 5): wall time as long as that goes forward, a counter where it does not. All documents of a
 * node share one, so that what it says of itself ("I issue nothing at or before this") is one statement.
 *
 * Invariant: `next()` is behind everything that `next()`, `now()` and `observe()` have given or been given before. A peer whose clock runs ahead takes ours with it; that is shown, never refused.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { stampMaxCounter, stampMaxMs } from "./stamp.ts";
import type { Stamp } from "./vocabulary.ts";

export class HybridClock {
  readonly #clock: Clock;
  #ms: number;
  #counter: number;

  /** Nothing is issued at or before `floor`: what was promised before a restart. */
  constructor(clock: Clock, floor: Stamp = { ms: 0, counter: 0 }) {
    this.#clock = clock;
    this.#ms = floor.ms;
    this.#counter = floor.counter;
  }

  /** The latest stamp that was given out or observed; nothing is issued at or before it. Does not look at the wall clock. */
  get last(): Stamp {
    return { ms: this.#ms, counter: this.#counter };
  }

  /** A stamp for a new transaction, behind all before. */
  next(): Stamp {
    const wallMs = this.#clock.wallMs();
    if (wallMs > this.#ms) {
      this.#ms = wallMs;
      this.#counter = 0;
    } else if (++this.#counter === stampMaxCounter) {
      this.#ms++;
      this.#counter = 0;
    }
    assert(this.#ms < stampMaxMs, "the hybrid clock has come to the end of its range, 2^48 ms");
    return { ms: this.#ms, counter: this.#counter };
  }

  /** A promise: nothing is issued at or before what it answers. As late as the wall clock allows. */
  now(): Stamp {
    const wallMs = this.#clock.wallMs();
    if (wallMs > this.#ms) {
      this.#ms = wallMs;
      this.#counter = 0;
    }
    return { ms: this.#ms, counter: this.#counter };
  }

  /** Somebody has issued this: from now on we issue behind it. */
  observe(stamp: Stamp): void {
    if (stamp.ms > this.#ms) {
      this.#ms = stamp.ms;
      this.#counter = stamp.counter;
    } else if (stamp.ms === this.#ms && stamp.counter > this.#counter) {
      this.#counter = stamp.counter;
    }
  }
}
