/**
 * Requests in RESP (arrays of bulk strings), written behind one another until they are sent: all of a turn leave in one write. Only the TCP channel uses it, so
 * it may be of Node.
 */

const slabBytes = 65_536;
const dollar = 0x24;
const star = 0x2a;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const zero = 0x30;

/** The bulk string of a word, made once for words that come often. */
export function fixedWord(word: string): Buffer {
  return Buffer.from(`$${Buffer.byteLength(word)}\r\n${word}\r\n`);
}

export class RequestBuffer {
  /** What was taken belongs to the connection; the rest of the slab is still ours. */
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #start = 0;
  #at = 0;

  get bytes(): number {
    return this.#at - this.#start;
  }

  /** The next request has so many words, its verb included. */
  begin(words: number): void {
    this.#reserve(16);
    this.#slab[this.#at++] = star;
    this.#number(words);
    this.#lineEnd();
  }

  fixed(word: Buffer): void {
    this.#reserve(word.length);
    this.#slab.set(word, this.#at);
    this.#at += word.length;
  }

  text(text: string): void {
    const { length } = text;
    if (length > 256) {
      this.raw(Buffer.from(text, "utf8"));
      return;
    }
    this.#reserve(length + 16);
    const start = this.#at;
    this.#header(length);
    const slab = this.#slab;
    let at = this.#at;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        // Not ASCII: its length in bytes is another.
        this.#at = start;
        this.raw(Buffer.from(text, "utf8"));
        return;
      }
      slab[at++] = code;
    }
    this.#at = at;
    this.#lineEnd();
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length + 16);
    this.#header(bytes.length);
    this.#slab.set(bytes, this.#at);
    this.#at += bytes.length;
    this.#lineEnd();
  }

  /** What was written since the last call; it belongs to the caller. */
  take(): Buffer {
    const taken = this.#slab.subarray(this.#start, this.#at);
    this.#start = this.#at;
    return taken;
  }

  #header(length: number): void {
    this.#slab[this.#at++] = dollar;
    this.#number(length);
    this.#lineEnd();
  }

  #number(value: number): void {
    if (value < 10) {
      this.#slab[this.#at++] = zero + value;
      return;
    }
    let digits = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    let rest = value;
    for (let at = this.#at + digits - 1; at >= this.#at; at--) {
      this.#slab[at] = zero + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.#at += digits;
  }

  #lineEnd(): void {
    this.#slab[this.#at++] = carriageReturn;
    this.#slab[this.#at++] = lineFeed;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#slab.length) return;
    const held = this.#at - this.#start;
    const larger = Buffer.allocUnsafeSlow(Math.max(slabBytes, (held + bytes) * 2));
    this.#slab.copy(larger, 0, this.#start, this.#at);
    this.#slab = larger;
    this.#start = 0;
    this.#at = held;
  }
}
