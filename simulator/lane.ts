/**
 * One direction between two ends: what is sent arrives after a latency and in order. While the way is blocked it waits, as TCP's does
 * that is sent again and again, and arrives after the way is free.
 */
import type { Clock } from "../src/base/clock.ts";

export interface LaneWorld {
  readonly clock: Clock;
  drawLatencyMs(): number;
  isBlocked(from: string, to: string): boolean;
  /** The lane waits for the way to be free; `retry` is to be called then. */
  waitForHeal(lane: Lane): void;
}

export class Lane {
  readonly #world: LaneWorld;
  readonly #from: string;
  readonly #to: string;
  /** On the way, in order. A timer stands for each and takes the first, whichever that is. */
  readonly #underWay: (() => void)[] = [];
  /** Would have arrived, but the way is blocked. */
  readonly #held: (() => void)[] = [];
  #lastArrivalMs = 0;

  constructor(world: LaneWorld, from: string, to: string) {
    this.#world = world;
    this.#from = from;
    this.#to = to;
  }

  send(arrive: () => void): void {
    const { clock } = this.#world;
    const now = clock.monotonicMs();
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, now + this.#world.drawLatencyMs());
    this.#underWay.push(arrive);
    clock.after(this.#lastArrivalMs - now, () => this.#arriveNext());
  }

  /** The way may be free again: what waited arrives after a latency. */
  retry(): void {
    this.#world.clock.after(this.#world.drawLatencyMs(), () => this.#arriveHeld());
  }

  #arriveNext(): void {
    const arrive = this.#underWay.shift();
    if (arrive !== undefined) this.#held.push(arrive);
    this.#arriveHeld();
  }

  #arriveHeld(): void {
    while (this.#held.length > 0) {
      if (this.#world.isBlocked(this.#from, this.#to)) {
        this.#world.waitForHeal(this);
        return;
      }
      this.#held.shift()?.();
    }
  }
}
