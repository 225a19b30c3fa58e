/**
 * What a person sees of the bytes that are sent to a terminal: printable characters, CR, LF, backspace, and the sequences that Node's line editor uses (ECMA-48:
 * CUU, CUD, CUF, CUB, CHA, ED 0, EL; colours are passed over). Throws on any other, so that nothing unknown passes for nothing.
 */
import { must } from "../../../src/base/assert.ts";

const escape = "\u001b";
const sequences = new RegExp(String.raw`^${escape}(\[([0-9;?]*)([A-Za-z])?)?`);

export class Screen {
  readonly columns: number;
  readonly #rows: string[][] = [[]];
  #row = 0;
  /** Up to `columns`: behind the last one, until the next character comes. */
  #column = 0;
  #unread = "";

  constructor(columns = 80) {
    this.columns = columns;
  }

  /** Everything from the first row on, also what a real screen would have scrolled away. */
  get text(): string {
    return this.#rows.map((row) => Array.from(row, (cell) => cell ?? " ").join("")).join("\n");
  }

  get cursor(): { readonly row: number; readonly column: number } {
    return { row: this.#row, column: this.#column };
  }

  write(text: string): void {
    this.#unread += text;
    while (this.#unread !== "") {
      const sequence = sequences.exec(this.#unread);
      if (sequence === null) this.#put(this.#take(1));
      else {
        const [whole, bracket, numbers, final] = sequence;
        // It is cut: the rest will come.
        if (whole === this.#unread && final === undefined) return;
        if (bracket === undefined || final === undefined)
          throw new Error(`unknown sequence ${JSON.stringify(this.#unread.slice(0, 8))}`);
        this.#take(whole.length);
        this.#command(final, numbers ?? "");
      }
    }
  }

  #take(length: number): string {
    const taken = this.#unread.slice(0, length);
    this.#unread = this.#unread.slice(length);
    return taken;
  }

  #put(character: string): void {
    if (character === "\r") this.#column = 0;
    else if (character === "\n") {
      this.#column = 0;
      this.#down(1);
    } else if (character === "\b") this.#column = Math.max(0, this.#column - 1);
    else if (character !== "\u0007") {
      if (this.#column === this.columns) {
        this.#column = 0;
        this.#down(1);
      }
      must(this.#rows[this.#row])[this.#column++] = character;
    }
  }

  #down(count: number): void {
    this.#row += count;
    while (this.#rows.length <= this.#row) this.#rows.push([]);
  }

  #command(final: string, numbers: string): void {
    const count = numbers === "" ? 1 : Number(numbers);
    const row = must(this.#rows[this.#row]);
    if (final === "m") return;
    if (final === "A") this.#row = Math.max(0, this.#row - count);
    else if (final === "B") this.#down(count);
    else if (final === "C") this.#column = Math.min(this.columns - 1, this.#column + count);
    else if (final === "D") this.#column = Math.max(0, this.#column - count);
    else if (final === "G") this.#column = count - 1;
    else if (final === "K" && numbers !== "1" && numbers !== "2") row.length = this.#kept(row);
    else if (final === "J" && (numbers === "" || numbers === "0")) {
      row.length = this.#kept(row);
      this.#rows.length = this.#row + 1;
    } else throw new Error(`unknown sequence CSI ${numbers}${final}`);
  }

  #kept(row: readonly string[]): number {
    return Math.min(row.length, this.#column);
  }
}
