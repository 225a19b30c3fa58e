/** A wall clock that follows the monotonic one with an offset and an error in its rate, as those of machines do. */
export class DriftingWall {
  #baseWallMs: number;
  #baseMonotonicMs: number;
  #ratio = 0;

  constructor(wallMs: number, monotonicMs: number) {
    this.#baseWallMs = wallMs;
    this.#baseMonotonicMs = monotonicMs;
  }

  /** Whole milliseconds. */
  at(monotonicMs: number): number {
    return Math.floor(this.#exact(monotonicMs));
  }

  jump(ms: number): void {
    this.#baseWallMs += ms;
  }

  drift(ratio: number, monotonicMs: number): void {
    this.#baseWallMs = this.#exact(monotonicMs);
    this.#baseMonotonicMs = monotonicMs;
    this.#ratio = ratio;
  }

  #exact(monotonicMs: number): number {
    return this.#baseWallMs + (monotonicMs - this.#baseMonotonicMs) * (1 + this.#ratio);
  }
}
