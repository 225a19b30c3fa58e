/**
 * An open-addressing hash index: key hash → row address, two 32-bit words a slot, linear probing, deletion by shifting back.
 *
 * The home of a hash is given by its *highest* bits, so slots stand in the order of the hashes but for short displacements. A scan goes through the hashes
 * upwards and its cursor is a hash: it stays good when the index grows or shrinks, and what was there all the time is met exactly once.
 */
import { must } from "../base/assert.ts";

const slotsMinCount = 16;

export class RowIndex {
  /** Slot i: word 2i = hash, word 2i + 1 = address (0 = empty). */
  #slots = new Uint32Array(slotsMinCount * 2);
  #bits = Math.log2(slotsMinCount);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get memoryBytes(): number {
    return this.#slots.byteLength;
  }

  /** The first slot at or after `slot` that holds this hash before an empty one; -1 if none. Start with {@link home}. */
  probe(hash: number, slot: number): number {
    const slots = this.#slots;
    const mask = (slots.length >>> 1) - 1;
    for (let at = slot & mask; ; at = (at + 1) & mask) {
      if (slots[at * 2 + 1] === 0) return -1;
      if (slots[at * 2] === hash) return at;
    }
  }

  home(hash: number): number {
    return hash >>> (32 - this.#bits);
  }

  addressAt(slot: number): number {
    return this.#slots[slot * 2 + 1] as number;
  }

  replaceAt(slot: number, address: number): void {
    this.#slots[slot * 2 + 1] = address;
  }

  insert(hash: number, address: number): void {
    if ((this.#count + 1) * 10 > (this.#slots.length >>> 1) * 7) this.#resize(this.#bits + 1);
    this.#place(hash, address);
    this.#count++;
  }

  removeAt(slot: number): void {
    const slots = this.#slots;
    const mask = (slots.length >>> 1) - 1;
    let hole = slot;
    for (let at = (slot + 1) & mask; slots[at * 2 + 1] !== 0; at = (at + 1) & mask) {
      const home = this.home(slots[at * 2] as number);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole * 2] = slots[at * 2] as number;
      slots[hole * 2 + 1] = slots[at * 2 + 1] as number;
      hole = at;
    }
    slots[hole * 2 + 1] = 0;
    this.#count--;
    if (this.#bits > 4 && this.#count * 8 < slots.length >>> 1) this.#resize(this.#bits - 1);
  }

  /**
   * Calls `visit` with the addresses of the rows whose hash is at least `fromHash`, in rising order of their homes, until at least `count` were met.
   * Returns the hash to go on from, or 0 at the end.
   */
  scan(fromHash: number, count: number, visit: (address: number) => void): number {
    const slots = this.#slots;
    const size = slots.length >>> 1;
    let met = 0;
    for (let home = this.home(fromHash); home < size; home++) {
      for (let at = home; slots[at * 2 + 1] !== 0; at = (at + 1) & (size - 1)) {
        const hash = slots[at * 2] as number;
        if (this.home(hash) !== home || hash < fromHash) continue;
        visit(slots[at * 2 + 1] as number);
        met++;
      }
      if (met >= count && home + 1 < size) return (home + 1) * 2 ** (32 - this.#bits);
    }
    return 0;
  }

  /** Calls `visit` for every address, in no order. */
  each(visit: (address: number) => void): void {
    for (let at = 1; at < this.#slots.length; at += 2) {
      const address = must(this.#slots[at]);
      if (address !== 0) visit(address);
    }
  }

  #place(hash: number, address: number): void {
    const slots = this.#slots;
    const mask = (slots.length >>> 1) - 1;
    let at = this.home(hash);
    while (slots[at * 2 + 1] !== 0) at = (at + 1) & mask;
    slots[at * 2] = hash;
    slots[at * 2 + 1] = address;
  }

  #resize(bits: number): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 ** bits * 2);
    this.#bits = bits;
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] !== 0) this.#place(old[at] as number, old[at + 1] as number);
    }
  }
}
