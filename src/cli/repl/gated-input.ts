/**
 * What a person types, let through to the line editor only while it shows a prompt. Keys that come while a command runs, the lines of a paste among them, are
 * kept and typed after it, each at a prompt of its own; Ctrl-C is told at once.
 *
 * Text that comes in one piece is inserted as text. As keys, Node's editor would add it to the end of the line wherever the cursor is, and lose count of the
 * rows that the line takes.
 */
import { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** A terminal as Node gives it. */
export interface KeySource extends Readable {
  setRawMode?(mode: boolean): unknown;
}

export interface GatedInputParts {
  readonly source: KeySource;
  /** Inserts text where the cursor is. */
  readonly insert: (text: string) => void;
  /** Ctrl-C while the gate is held; what was typed before it is dropped. */
  readonly onInterrupt: () => void;
}

/** Characters kept while a command runs, at most: what comes then is dropped. */
const keptMaxLength = 4_194_304;

const interrupt = "\u0003";
const escape = "\u001b";

export class GatedInput extends Readable {
  /** For the line editor: it is a terminal. */
  readonly isTTY = true;
  readonly #parts: GatedInputParts;
  readonly #decoder = new StringDecoder("utf8");
  #kept = "";
  /** A sequence that was cut by its way here. */
  #escape = "";
  #held = true;
  #ended = false;
  #pumping = false;

  constructor(parts: GatedInputParts) {
    super();
    this.#parts = parts;
    parts.source.on("data", (chunk: Buffer) => this.#take(this.#decoder.write(chunk)));
    parts.source.once("end", () => this.#end());
    // A terminal that hangs up ends so.
    parts.source.once("error", () => this.#end());
  }

  setRawMode(mode: boolean): this {
    this.#parts.source.setRawMode?.(mode);
    return this;
  }

  /** Keeps what comes from now on. */
  hold(): void {
    this.#held = true;
  }

  /** Lets through what was kept, and what comes, up to the next {@link hold}. */
  release(): void {
    this.#held = false;
    void this.#pump();
  }

  override _read(): void {}

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#parts.source.pause();
    callback(error);
  }

  #take(text: string): void {
    const at = this.#held ? text.lastIndexOf(interrupt) : -1;
    if (at >= 0) {
      this.#kept = "";
      this.#parts.onInterrupt();
    }
    const rest = text.slice(at + 1);
    if (this.#kept.length + rest.length <= keptMaxLength) this.#kept += rest;
    void this.#pump();
  }

  #nextPiece(): string {
    if (this.#escape !== "") return this.#kept.slice(0, 1);
    return pieces.exec(this.#kept)?.[0] ?? this.#kept;
  }

  #end(): void {
    this.#ended = true;
    void this.#pump();
  }

  /** Passes on one piece at a time, so that the line editor can say at the end of a line whether it wants more. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    while (!this.#held && this.#kept !== "" && !this.destroyed) {
      const piece = this.#nextPiece();
      this.#kept = this.#kept.slice(piece.length);
      if (isText(piece) && this.#escape === "") this.#parts.insert(piece);
      else this.push(piece);
      this.#escape = cutEscape.test(this.#escape + piece) ? this.#escape + piece : "";
      if (this.#kept !== "") await new Promise(setImmediate);
    }
    this.#pumping = false;
    if (this.#ended && !this.#held && this.#kept === "" && !this.destroyed) this.push(null);
  }
}

/** Text, Tabs in it included; an end of line; a key, which may be a sequence after an escape (ECMA-48 §5.4). */
const pieces = new RegExp(
  String.raw`^(?:\r\n|${escape}(?:\[\[?[0-9;?]*[@-~]?|O[^\p{Cc}]?|[^\p{Cc}])?|[^\p{Cc}](?:\t*[^\p{Cc}])*|.)`,
  "su",
);

/** An escape whose sequence may go on: what comes next belongs to it. */
const cutEscape = new RegExp(String.raw`^${escape}(?:\[\[?[0-9;?]*|O)?$`);

/** More than one character, and no key. */
function isText(piece: string): boolean {
  return !/^\p{Cc}/u.test(piece) && Array.from(piece.slice(0, 4)).length > 1;
}
