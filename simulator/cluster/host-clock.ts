/**
 * The clock of the process on one host of a cluster. Beyond {@link ProcessClock}: a call that blocks, as a synchronous fdatasync does, takes the time
 * of this process alone. What the rest of its task does happens after the call, so all that it plans and sends is late by what is left of the call.
 */
import type { Clock, Timer } from "../../src/base/clock.ts";
import { ProcessClock } from "../process-clock.ts";

export class HostClock implements Clock {
  readonly #time: Clock;
  readonly #process: ProcessClock;
  readonly #onTask: () => void;
  /** What passes before a task that is to run soon, as if others ran before it. */
  readonly #turnMs: number;
  /** Until then a call of this process blocks. */
  #busyUntilMs = 0;
  #waiting: (() => void)[] = [];

  /** `onTask` is told after each task of the process. */
  constructor(time: Clock, options: { wallOffsetMs: number; onTask: () => void; turnMs?: number }) {
    this.#time = time;
    this.#process = new ProcessClock(time, options);
    this.#onTask = options.onTask;
    this.#turnMs = options.turnMs ?? 0;
  }

  wallMs(): number {
    return this.#process.wallMs();
  }

  monotonicMs(): number {
    return this.#time.monotonicMs() + this.lagMs;
  }

  /** How far the process is ahead of the time of the world: it will go on when that much has passed. */
  get lagMs(): number {
    return Math.max(0, this.#busyUntilMs - this.#time.monotonicMs());
  }

  after(delayMs: number, task: () => void): Timer {
    let cancelled = false;
    const timer = this.#process.after(Math.max(0, delayMs) + this.lagMs, () =>
      this.#run(() => {
        if (!cancelled) task();
      }),
    );
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  soon(task: () => void): void {
    const waitMs = this.lagMs + this.#turnMs;
    if (waitMs > 0) this.#process.after(waitMs, () => this.#run(task));
    else this.#process.soon(() => this.#run(task));
  }

  /** A call of this process blocks for so long. */
  elapse(ms: number): void {
    this.#busyUntilMs = this.monotonicMs() + ms;
  }

  jumpWall(ms: number): void {
    this.#process.jumpWall(ms);
  }

  driftWall(ratio: number): void {
    this.#process.driftWall(ratio);
  }

  pause(): void {
    this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  /** Nothing of this process runs any more. */
  kill(): void {
    this.#process.kill();
    this.#waiting = [];
  }

  #run(task: () => void): void {
    const { lagMs } = this;
    if (lagMs === 0 && this.#waiting.length === 0) {
      task();
      this.#onTask();
      return;
    }
    this.#waiting.push(task);
    if (this.#waiting.length === 1) this.#process.after(lagMs, () => this.#runWaiting());
  }

  #runWaiting(): void {
    for (;;) {
      const { lagMs } = this;
      if (lagMs > 0) {
        this.#process.after(lagMs, () => this.#runWaiting());
        return;
      }
      // Stays in line while it runs, so that nothing overtakes what waits behind it.
      const task = this.#waiting[0];
      if (task === undefined) return;
      task();
      this.#waiting.shift();
      this.#onTask();
    }
  }
}
