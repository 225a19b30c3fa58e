import { must } from "./assert.ts";
import type { Random } from "./random.ts";

/** Randomness from the browser's generator, fetched in blocks. */
export class BrowserRandom implements Random {
  readonly #block = new Uint32Array(256);
  #next = this.#block.length;

  u32(): number {
    if (this.#next === this.#block.length) {
      crypto.getRandomValues(this.#block);
      this.#next = 0;
    }
    return must(this.#block[this.#next++]);
  }
}
