/** Draws for random tests, from one seed that a failure names. */
import { must } from "../../src/base/assert.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";

export class Draws {
  readonly seed: number;
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.seed = seed;
    this.#random = new SeededRandom(seed);
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.#random.u32() % limit;
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return must(from[this.below(from.length)]);
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }
}

/** Runs `body` for so many seeds; what it throws names the seed. */
export function forSeeds(from: number, count: number, body: (draws: Draws) => void): void {
  for (let seed = from; seed < from + count; seed++) {
    try {
      body(new Draws(seed));
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
}

/** As {@link forSeeds}, one after another. */
export async function forSeedsAsync(
  from: number,
  count: number,
  body: (draws: Draws) => Promise<void>,
): Promise<void> {
  for (let seed = from; seed < from + count; seed++) {
    try {
      await body(new Draws(seed));
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
}
