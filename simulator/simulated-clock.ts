/**
 * Virtual time. It stands still while code runs and moves only when a test moves it, so a run of hours takes milliseconds and the
 * same calls give the same order of tasks.
 *
 * The order: `soon` tasks first in, first out; then timers by (due, creation), one at a time, each followed by the `soon` tasks that
 * it caused. Promises are settled by the event loop of the machine, which this clock does not own: the methods that return promises
 * let it turn once between steps, and one turn runs all microtasks there are. So code under test that awaits only simulated things
 * runs alike each time.
 */
import { assert } from "../src/base/assert.ts";
import type { Clock, Timer } from "../src/base/clock.ts";
import { DriftingWall } from "./drifting-wall.ts";
import { TimerQueue } from "./timer-queue.ts";

/** So many tasks without time moving on are an endless loop. */
const tasksPerInstantMax = 10_000_000;

export interface SimulatedClockOptions {
  /** Wall time at the start, in milliseconds since 1970. */
  readonly wallMs?: number;
}

export class SimulatedClock implements Clock {
  readonly #wall: DriftingWall;
  readonly #timers = new TimerQueue();
  #nowMs = 0;
  #soon: (() => void)[] = [];
  /** Tasks of `#soon` before this have run. */
  #soonRun = 0;

  constructor(options: SimulatedClockOptions = {}) {
    this.#wall = new DriftingWall(options.wallMs ?? Date.UTC(2026, 0, 1), 0);
  }

  wallMs(): number {
    return this.#wall.at(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): Timer {
    return this.#timers.add(this.#nowMs + Math.max(0, delayMs), task);
  }

  soon(task: () => void): void {
    this.#soon.push(task);
  }

  /** Timers that have not run, cancelled ones not counted. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /** Moves the wall clock alone by `ms`, either way. */
  jumpWall(ms: number): void {
    this.#wall.jump(ms);
  }

  /** From now on the wall clock gains `ratio` of the time that passes: 0.001 is 1 ms per second, negative is slow. */
  driftWall(ratio: number): void {
    this.#wall.drift(ratio, this.#nowMs);
  }

  /** Time passes and nothing runs, as during a call that blocks. Timers that fall due meanwhile run late. */
  elapse(ms: number): void {
    assert(ms >= 0, "time does not go back");
    this.#nowMs += ms;
  }

  /** Runs what is ready at this instant, and what that makes ready, until nothing is. Returns the number of tasks run. */
  runReady(): number {
    let count = 0;
    while (this.#runOne()) {
      count++;
      assert(count < tasksPerInstantMax, "the simulated clock runs without end at one instant");
    }
    return count;
  }

  /** Lets `ms` milliseconds pass and runs all that falls due. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    this.runReady();
    while (this.#moveToNextTimer(end)) this.runReady();
    this.#nowMs = Math.max(this.#nowMs, end);
  }

  /** Runs until neither tasks nor timers are left, at most `maxMs` of virtual time; says whether none are left. */
  runUntilIdle(options: { maxMs: number }): boolean {
    const end = this.#nowMs + options.maxMs;
    this.runReady();
    while (this.#moveToNextTimer(end)) this.runReady();
    return this.#timers.size === 0;
  }

  /** As `runReady`, and lets promises settle before, between and after. */
  async settle(): Promise<void> {
    await turnOfTheMachine();
    while (this.runReady() > 0) await turnOfTheMachine();
  }

  /** As `advance`, and lets promises settle after every instant. */
  async advanceSettled(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await this.settle();
    while (this.#moveToNextTimer(end)) await this.settle();
    this.#nowMs = Math.max(this.#nowMs, end);
  }

  /** As `runUntilIdle`, and lets promises settle after every instant. */
  async runUntilIdleSettled(options: { maxMs: number }): Promise<boolean> {
    const end = this.#nowMs + options.maxMs;
    await this.settle();
    while (this.#moveToNextTimer(end)) await this.settle();
    return this.#timers.size === 0;
  }

  /**
   * Runs until the promise settles and gives its outcome. Throws if it is still open when nothing is left to run, or after `maxMs` of
   * virtual time (default one hour): it would never settle.
   */
  async drive<T>(promise: Promise<T>, options: { maxMs?: number } = {}): Promise<T> {
    const end = this.#nowMs + (options.maxMs ?? 3_600_000);
    const state = { settled: false };
    const note = (): void => {
      state.settled = true;
    };
    promise.then(note, note);
    await this.settle();
    while (!state.settled && this.#moveToNextTimer(end)) await this.settle();
    if (!state.settled) {
      throw new Error(
        this.#timers.size === 0
          ? `the promise is open at ${this.#nowMs} ms and nothing is left to run`
          : `the promise is open at ${this.#nowMs} ms, and the next timer is after the limit of ${end} ms`,
      );
    }
    return promise;
  }

  #runOne(): boolean {
    const task = this.#takeSoon() ?? this.#timers.takeDue(this.#nowMs);
    if (task === undefined) return false;
    task();
    return true;
  }

  #takeSoon(): (() => void) | undefined {
    const task = this.#soon[this.#soonRun];
    if (task === undefined) return undefined;
    this.#soonRun++;
    if (this.#soonRun === this.#soon.length) {
      this.#soon = [];
      this.#soonRun = 0;
    }
    return task;
  }

  /** Says whether there was a timer up to `endMs`. One that is late by `elapse` runs now. */
  #moveToNextTimer(endMs: number): boolean {
    const due = this.#timers.nextDueMs();
    if (due === undefined || due > endMs) return false;
    this.#nowMs = Math.max(this.#nowMs, due);
    return true;
  }
}

function turnOfTheMachine(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
