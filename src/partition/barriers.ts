/** Reads that wait until this copy has applied all that was acknowledged before them (thesis 6.4). */
import type { TrubaError } from "../base/errors.ts";
import type { Position } from "../log/shared-log.ts";

interface Barrier {
  readonly position: Position;
  resolve(): void;
  reject(error: TrubaError): void;
}

export class Barriers {
  /** In the order of the calls; positions do not fall, for each was the end of the log when it was asked for. */
  #waiting: Barrier[] = [];

  get count(): number {
    return this.#waiting.length;
  }

  /** Resolves when `position` is applied. */
  wait(position: Position): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ position, resolve, reject });
    });
  }

  /** Everything up to `position` is applied. */
  applied(position: Position): void {
    let passed = 0;
    while (passed < this.#waiting.length && (this.#waiting[passed] as Barrier).position <= position)
      passed++;
    for (const barrier of this.#waiting.splice(0, passed)) barrier.resolve();
  }

  rejectAll(error: TrubaError): void {
    for (const barrier of this.#waiting.splice(0)) barrier.reject(error);
  }
}
