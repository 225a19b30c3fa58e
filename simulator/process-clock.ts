/**
 * The clock of one simulated process. It shares the time line of a {@link SimulatedClock} with the other processes and has a wall
 * clock of its own. When the process dies, what it had planned does not happen.
 */
import type { Clock, Timer } from "../src/base/clock.ts";
import { DriftingWall } from "./drifting-wall.ts";

export class ProcessClock implements Clock {
  readonly #time: Clock;
  readonly #wall: DriftingWall;
  #state: "running" | "paused" | "dead" = "running";
  /** Tasks that came due during a pause, in order; those after them wait here too. */
  #held: (() => void)[] = [];

  constructor(time: Clock, options: { wallOffsetMs?: number } = {}) {
    this.#time = time;
    this.#wall = new DriftingWall(time.wallMs() + (options.wallOffsetMs ?? 0), time.monotonicMs());
  }

  wallMs(): number {
    return this.#wall.at(this.#time.monotonicMs());
  }

  monotonicMs(): number {
    return this.#time.monotonicMs();
  }

  after(delayMs: number, task: () => void): Timer {
    let cancelled = false;
    const guarded = (): void => {
      if (!cancelled) task();
    };
    const timer = this.#time.after(delayMs, () => this.#run(guarded));
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  soon(task: () => void): void {
    this.#time.soon(() => this.#run(task));
  }

  jumpWall(ms: number): void {
    this.#wall.jump(ms);
  }

  driftWall(ratio: number): void {
    this.#wall.drift(ratio, this.#time.monotonicMs());
  }

  /** As SIGSTOP: nothing runs until `resume`, time goes on. */
  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    this.#time.soon(() => this.#runHeld());
  }

  /** As SIGKILL: nothing of this process runs any more. */
  kill(): void {
    this.#state = "dead";
    this.#held = [];
  }

  #run(task: () => void): void {
    if (this.#state === "running" && this.#held.length === 0) task();
    else if (this.#state !== "dead") this.#held.push(task);
  }

  #runHeld(): void {
    while (this.#state === "running") {
      const task = this.#held.shift();
      if (task === undefined) return;
      task();
    }
  }
}
