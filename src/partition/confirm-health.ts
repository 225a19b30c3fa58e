/** The emergency stop by count: a log that refuses one batch after another will not mend by itself, whatever engine it is. */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

export class ConfirmHealth {
  readonly #giveUp: (error: TrubaError) => void;
  #failuresInRow = 0;
  #progress = false;

  /** `giveUp` is told once there were `confirmFailuresMaxCount` failures in a row, in all partitions of the node. */
  constructor(giveUp: (error: TrubaError) => void) {
    this.#giveUp = giveUp;
  }

  confirmed(): void {
    this.#failuresInRow = 0;
    this.#progress = true;
  }

  /** Whether anything was confirmed since this was asked last. */
  takeProgress(): boolean {
    const progress = this.#progress;
    this.#progress = false;
    return progress;
  }

  failed(why: string): void {
    this.#failuresInRow++;
    if (this.#failuresInRow !== limits.confirmFailuresMaxCount) return;
    this.#giveUp(
      new TrubaError(
        "STOPPED",
        `${this.#failuresInRow} batches in a row were not confirmed, the last because: ${why}`,
      ),
    );
  }
}
