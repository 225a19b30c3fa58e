import type { Clock, Timer } from "./clock.ts";

/** The clock of the machine, in a browser. */
export class BrowserClock implements Clock {
  wallMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, task: () => void): Timer {
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  }

  /** Browsers have no `setImmediate`, and `setTimeout` waits 4 ms when nested: a message is their next turn. */
  soon(task: () => void): void {
    const { port1, port2 } = new MessageChannel();
    // By name, because the types are Node's, whose ports are made differently.
    Reflect.set(port1, "onmessage", () => {
      port1.close();
      task();
    });
    port2.postMessage(undefined);
  }
}
