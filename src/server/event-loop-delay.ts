/** How late the event loop comes to what is due, measured by a timer of libuv: INFO shows it, and that no checkpoint holds the loop. */
import { monitorEventLoopDelay } from "node:perf_hooks";

const resolutionMs = 10;

/** Delays beyond a timer's own interval, ms. */
export interface EventLoopDelays {
  readonly p99Ms: number;
  readonly maxMs: number;
}

export class EventLoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: resolutionMs });

  start(): void {
    this.#histogram.enable();
  }

  stop(): void {
    this.#histogram.disable();
  }

  /** Delays since the start or the last call. */
  take(): EventLoopDelays {
    const histogram = this.#histogram;
    const delays = {
      p99Ms: beyondInterval(histogram.count === 0 ? 0 : histogram.percentile(99)),
      maxMs: beyondInterval(histogram.count === 0 ? 0 : histogram.max),
    };
    histogram.reset();
    return delays;
  }
}

function beyondInterval(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - resolutionMs);
}
