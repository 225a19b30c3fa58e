import type { Clock, Timer } from "./clock.ts";

/** The clock of the machine. */
export class SystemClock implements Clock {
  wallMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, task: () => void): Timer {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  }

  soon(task: () => void): void {
    setImmediate(task);
  }
}
