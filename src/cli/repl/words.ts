/**
 * Splits a line into words as a shell does, on bytes, so that what is no text survives:
 *
 *     blanks            part words
 *     'a "b" c'         as it stands
 *     "a \"b\" \x00"    with \\ \" \n \r \t and \xHH
 *     a\ b              the next byte as it stands
 */

/** The words, or why there are none. */
export type Words = readonly Buffer[] | { readonly problem: string };

const blank = 0x20;
const tab = 0x09;
const singleQuote = 0x27;
const doubleQuote = 0x22;
const backslash = 0x5c;
const letterX = 0x78;

/** What a letter behind a backslash means in double quotes. Others, the quote and the backslash among them, mean themselves. */
const escapes: ReadonlyMap<number, number> = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);

export function splitWords(line: Uint8Array): Words {
  return new WordSplitter(line).split();
}

class WordSplitter {
  readonly #line: Uint8Array;
  /** The word being read; no word is longer than the line. */
  readonly #word: Buffer;
  #at = 0;
  #length = 0;

  constructor(line: Uint8Array) {
    this.#line = line;
    this.#word = Buffer.alloc(line.length);
  }

  split(): Words {
    const words: Buffer[] = [];
    for (;;) {
      while (isBlank(this.#line[this.#at])) this.#at++;
      if (this.#at === this.#line.length) return words;
      this.#length = 0;
      const problem = this.#readWord();
      if (problem !== undefined) return { problem };
      words.push(Buffer.from(this.#word.subarray(0, this.#length)));
    }
  }

  /** Up to the next blank that is not quoted. */
  #readWord(): string | undefined {
    while (this.#at < this.#line.length && !isBlank(this.#line[this.#at])) {
      const byte = this.#take();
      if (byte === singleQuote) {
        if (!this.#readSingle()) return "a single quote is not closed";
      } else if (byte === doubleQuote) {
        if (!this.#readDouble()) return "a double quote is not closed";
      } else if (byte === backslash) {
        if (this.#at === this.#line.length) return "nothing follows the last backslash";
        this.#keep(this.#take());
      } else this.#keep(byte);
    }
    return undefined;
  }

  #readSingle(): boolean {
    while (this.#at < this.#line.length) {
      const byte = this.#take();
      if (byte === singleQuote) return true;
      this.#keep(byte);
    }
    return false;
  }

  #readDouble(): boolean {
    while (this.#at < this.#line.length) {
      const byte = this.#take();
      if (byte === doubleQuote) return true;
      if (byte !== backslash) this.#keep(byte);
      else if (this.#at < this.#line.length) this.#keep(this.#readEscape());
    }
    return false;
  }

  #readEscape(): number {
    const letter = this.#take();
    if (letter !== letterX) return escapes.get(letter) ?? letter;
    const digits = Buffer.from(this.#line.subarray(this.#at, this.#at + 2)).toString("latin1");
    if (!/^[0-9a-f]{2}$/i.test(digits)) return letter;
    this.#at += 2;
    return Number.parseInt(digits, 16);
  }

  #take(): number {
    return this.#line[this.#at++] ?? 0;
  }

  #keep(byte: number): void {
    this.#word[this.#length++] = byte;
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === blank || byte === tab;
}
