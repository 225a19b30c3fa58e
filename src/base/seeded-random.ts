import type { Random } from "./random.ts";

/**
 * A generator whose draws follow from a 32-bit seed and will do so for years: sfc32 (Chris Doty-Humphrey, PractRand),
 * the first twelve draws thrown away so that near seeds part.
 */
export class SeededRandom implements Random {
  readonly seed: number;
  #a = 0x9e3779b9;
  #b = 0x243f6a88;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.seed = seed;
    this.#c = seed | 0;
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32(): number {
    const drawn = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + drawn) | 0;
    return drawn >>> 0;
  }
}
