/** A clock for work in slices: time passes with each look, and what waits for a turn of the event loop lets a test act first. */
import type { Clock, Timer } from "../../src/base/clock.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";

export class RestlessClock implements Clock {
  readonly #timers = new SimulatedClock();
  readonly #stepMs: number;
  #nowMs = 0;
  /** Looks at the time since the last turn, and the most there ever were. */
  looks = 0;
  mostLooks = 0;
  turns = 0;
  onTurn: () => void = () => {};

  /** `stepMs`: how much time passes with each look. */
  constructor(stepMs: number) {
    this.#stepMs = stepMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    this.#nowMs += this.#stepMs;
    this.looks++;
    this.mostLooks = Math.max(this.mostLooks, this.looks);
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): Timer {
    return this.#timers.after(delayMs, task);
  }

  soon(task: () => void): void {
    this.turns++;
    this.looks = 0;
    this.onTurn();
    queueMicrotask(task);
  }
}
