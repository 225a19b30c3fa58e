import type { Clock, Timer } from "./clock.ts";

/** The clock of the machine. */
export class SystemClock implements Clock {
  readonly #keepsAlive: boolean;

  /** `keepsAlive`: timers that have not run keep the process alive, as a client's must that waits for its node to come back. */
  constructor(options: { readonly keepsAlive?: boolean } = {}) {
    this.#keepsAlive = options.keepsAlive ?? false;
  }

  wallMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, task: () => void): Timer {
    const timer = setTimeout(task, delayMs);
    if (!this.#keepsAlive) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  }

  soon(task: () => void): void {
    setImmediate(task);
  }
}
