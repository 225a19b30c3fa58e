/** How long to wait before trying again: twice as long each time, up to a limit, and never all at once. */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { type Duration, durationMs } from "./duration.ts";

/** Back-off of a worker's failed tasks and of a handler's failed sessions. */
export interface BackoffOptions {
  /** Before the second attempt. Default 1 s. */
  readonly first?: Duration;
  /** At most. Default 5 min. */
  readonly max?: Duration;
}

export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #random: Random;

  constructor(random: Random, firstMs: number, maxMs: number) {
    this.#random = random;
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
  }

  static of(random: Random, { first = "1s", max = "5m" }: BackoffOptions = {}): Backoff {
    return new Backoff(
      random,
      durationMs(first, "first of the back-off"),
      durationMs(max, "max of the back-off"),
    );
  }

  /** Milliseconds after `attempts` failures, 1 or more: of the doubled time a random part between half and all. */
  delayMs(attempts: number): number {
    const full = Math.min(this.#maxMs, this.#firstMs * 2 ** Math.min(attempts - 1, 52));
    return Math.round(full * (0.5 + this.#random.u32() / 0x2_0000_0000));
  }
}

/** Resolves after `delayMs` milliseconds; rejects with the signal's reason before, if that comes first. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const abort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}
