import { randomFillSync } from "node:crypto";
import { must } from "./assert.ts";
import type { Random } from "./random.ts";

/** Randomness from the operating system, fetched in blocks. */
export class SystemRandom implements Random {
  readonly #block = new Uint32Array(256);
  #next = this.#block.length;

  u32(): number {
    if (this.#next === this.#block.length) {
      randomFillSync(this.#block);
      this.#next = 0;
    }
    return must(this.#block[this.#next++]);
  }
}
