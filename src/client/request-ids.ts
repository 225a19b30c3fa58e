/** Request ids: UUIDs of version 7 (RFC 9562 §5.7) made from server time, against which the node judges their age. */
import type { Random } from "../base/random.ts";

const digits = "0123456789abcdef";
/** Three lowercase digits for each number below 4,096. */
const threeDigits = Array.from({ length: 4_096 }, (_, number) =>
  number.toString(16).padStart(3, "0"),
);

export class RequestIds {
  readonly #serverNowMs: () => number;
  readonly #random: Random;
  #ms = -1;
  /** `tttttttt-tttt-7`, of the millisecond in which the last id was made. */
  #head = "";

  constructor(serverNowMs: () => number, random: Random) {
    this.#serverNowMs = serverNowMs;
    this.#random = random;
  }

  /** A new id, 36 characters. */
  next(): string {
    const ms = Math.max(0, Math.floor(this.#serverNowMs()));
    if (ms !== this.#ms) {
      const time = ms.toString(16).padStart(12, "0");
      this.#ms = ms;
      this.#head = `${time.slice(0, 8)}-${time.slice(8, 12)}-7`;
    }
    const a = this.#random.u32();
    const b = this.#random.u32();
    const c = this.#random.u32();
    return (
      `${this.#head}${threeDigits[a & 0xfff]}-` +
      `${digits[8 | ((a >>> 12) & 3)]}${threeDigits[(a >>> 14) & 0xfff]}-` +
      `${threeDigits[b & 0xfff]}${threeDigits[(b >>> 12) & 0xfff]}` +
      `${threeDigits[c & 0xfff]}${threeDigits[(c >>> 12) & 0xfff]}`
    );
  }
}
