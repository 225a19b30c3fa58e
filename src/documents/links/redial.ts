/** When a peer is dialed again: "full jitter" (Brooker, Exponential Backoff and Jitter, 2015), so that nodes that lost the same peer do not come back all at once. */
import { limits } from "../../base/limits.ts";
import { type Random, randomBelow } from "../../base/random.ts";

/** How soon: `late` for a peer that breaks the protocol or may not be linked to, `rarely` for one that turned out to be this node. */
export type Again = "soon" | "late" | "rarely";

/** A link that lasted so long was healthy: what comes after it begins anew. */
const healthyMs = 10_000;

/** A peer that refuses at once is not dialed in a circle without a pause, whatever the dice say. */
const leastMs = 20;

export class Redial {
  readonly #random: Random;
  #attempts = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Milliseconds until the next attempt, after a link that was up for `upMs` (0: it never was). */
  delayMs(again: Again, upMs: number): number {
    const { documentRedialMinMs: firstMs, documentRedialMaxMs: lastMs } = limits;
    if (upMs >= healthyMs) this.#attempts = 0;
    if (again === "rarely") return 10 * lastMs + randomBelow(this.#random, lastMs);
    if (again === "late") return lastMs / 2 + randomBelow(this.#random, lastMs / 2);
    const topMs = Math.min(lastMs, firstMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts++;
    return leastMs + randomBelow(this.#random, topMs);
  }
}
