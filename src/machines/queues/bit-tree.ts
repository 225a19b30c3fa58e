/** A set of whole numbers below a limit, as bits with bits above that say where some are: the lowest and the highest are found in a step for each level. */
import { must } from "../../base/assert.ts";

export class BitTree {
  /** Level 0 has a bit for each number; a bit of the next one stands for a word that is not zero. The last has one word. */
  readonly #levels: Uint32Array[] = [];

  constructor(limit: number) {
    let bits = limit;
    do {
      const words = Math.ceil(bits / 32);
      this.#levels.push(new Uint32Array(words));
      bits = words;
    } while (bits > 1);
  }

  add(number: number): void {
    let at = number;
    for (const level of this.#levels) {
      const word = at >>> 5;
      const before = level[word] as number;
      level[word] = before | (1 << (at & 31));
      if (before !== 0) return;
      at = word;
    }
  }

  delete(number: number): void {
    let at = number;
    for (const level of this.#levels) {
      const word = at >>> 5;
      level[word] = (level[word] as number) & ~(1 << (at & 31));
      if (level[word] !== 0) return;
      at = word;
    }
  }

  /** The lowest number that is at least `from`; -1 if there is none. */
  atLeast(from: number): number {
    let at = from;
    for (let level = 0; level < this.#levels.length; level++) {
      const words = must(this.#levels[level]);
      const word = at >>> 5;
      if (word >= words.length) return -1;
      const bits = (words[word] as number) & (-1 << (at & 31));
      if (bits !== 0) return this.#descend(level, word * 32 + lowestBit(bits), lowestBit);
      // The next word, by the level above.
      at = word + 1;
    }
    return -1;
  }

  /** The highest number that is at most `from`; -1 if there is none. */
  atMost(from: number): number {
    let at = from;
    for (let level = 0; level < this.#levels.length && at >= 0; level++) {
      const words = must(this.#levels[level]);
      const word = at >>> 5;
      const bits = (words[word] as number) & (-1 >>> (31 - (at & 31)));
      if (bits !== 0) return this.#descend(level, word * 32 + highestBit(bits), highestBit);
      at = word - 1;
    }
    return -1;
  }

  /** From a bit of a level down to the number. */
  #descend(from: number, place: number, pick: (bits: number) => number): number {
    let at = place;
    for (let level = from - 1; level >= 0; level--)
      at = at * 32 + pick(must(this.#levels[level])[at] as number);
    return at;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function highestBit(bits: number): number {
  return 31 - Math.clz32(bits);
}
