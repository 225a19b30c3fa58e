/** One run of a user's handler, with the signal that it is handed: of the lease or epoch, of the worker's end, of a timeout. */
import type { Clock, Timer } from "../base/clock.ts";

/** What a handler is told besides its task or session. */
export interface HandlerContext {
  /** Aborted when what is worked on is lost, when the time is over, and when the database is closed. */
  readonly signal: AbortSignal;
}

/** Why a handler's signal was aborted that took too long. */
export class HandlerTimeout extends Error {
  override readonly name = "TimeoutError";

  constructor(timeoutMs: number) {
    super(`the handler took longer than ${timeoutMs} ms`);
  }
}

export class Attempt implements HandlerContext {
  readonly #sources: readonly (() => AbortSignal)[];
  #controller: AbortController | undefined;
  /** Takes the listeners away from sources, which live longer than the attempt. */
  #detach: (() => void)[] = [];
  #ended: Error | undefined;
  readonly #timer: Timer | undefined;
  #timedOut: ((error: HandlerTimeout) => void) | undefined;

  /** `sources` are asked for their signals when the handler asks for its. */
  constructor(
    clock: Clock,
    timeoutMs: number | undefined,
    sources: readonly (() => AbortSignal)[],
  ) {
    this.#sources = sources;
    if (timeoutMs === undefined) return;
    this.#timer = clock.after(timeoutMs, () => {
      const error = new HandlerTimeout(timeoutMs);
      this.#ended = error;
      this.#timedOut?.(error);
      // What is worked on is given back first, so that a handler which goes on in spite of the signal finds it gone.
      clock.soon(() => this.#controller?.abort(error));
    });
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    if (this.#ended !== undefined) controller.abort(this.#ended);
    for (const source of this.#sources) {
      const signal = source();
      const abort = (): void => controller.abort(signal.reason);
      if (signal.aborted) abort();
      else {
        signal.addEventListener("abort", abort, { once: true });
        this.#detach.push(() => signal.removeEventListener("abort", abort));
      }
    }
    return controller.signal;
  }

  /** What the handler makes of it, or HandlerTimeout when the time is over first. */
  run<T>(handler: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#timedOut = reject;
      // A handler that throws before its first await rejects as well.
      new Promise<T>((settle) => settle(handler())).then(resolve, reject);
    });
  }

  /** Whether its time was over. */
  get timedOut(): boolean {
    return this.#ended !== undefined;
  }

  end(): void {
    this.#timer?.cancel();
    this.#timedOut = undefined;
    // A handler whose time was over may still run, and is to hear of what happens.
    if (!this.timedOut) for (const detach of this.#detach.splice(0)) detach();
  }
}
