/**
 * The line editor of a person at a terminal: a prompt, history, completion, and text that appears above the line being typed, which is drawn again with its
 * cursor.
 */
import * as readline from "node:readline";
import type { Completer } from "./completer.ts";
import { GatedInput, type KeySource } from "./gated-input.ts";
import { isKept, type LineHistory } from "./line-history.ts";

export interface TerminalParts {
  readonly input: KeySource;
  readonly output: NodeJS.WritableStream;
  readonly history: LineHistory;
  readonly completer: Completer;
  /** Does a line; the next prompt appears when it is done. */
  readonly onLine: (line: string) => Promise<void>;
  /** Ctrl-C while a line is being done. */
  readonly onInterrupt: () => void;
}

const prompt = "> ";
const hint = "(to leave, type exit or press Ctrl-D)";

export class Terminal {
  readonly #output: NodeJS.WritableStream;
  readonly #input: GatedInput;
  readonly #editor: readline.Interface;
  readonly #history: LineHistory;
  readonly #onLine: (line: string) => Promise<void>;
  /** Resolves when the person has left. */
  readonly closed: Promise<void>;
  #isPrompting = false;
  #isClosed = false;

  constructor({ input, output, history, completer, onLine, onInterrupt }: TerminalParts) {
    this.#output = output;
    this.#history = history;
    this.#onLine = onLine;
    this.#input = new GatedInput({
      source: input,
      onInterrupt,
      insert: (text) => this.#editor.write(text),
    });
    this.#editor = readline.createInterface({
      input: this.#input,
      output,
      terminal: true,
      prompt,
      // Newest first; its own list may be changed in "history".
      history: history.lines.toReversed(),
      historySize: history.maxCount,
      removeHistoryDuplicates: true,
      completer: (line: string, callback: CompleterCallback) => {
        completer.complete(line).then(
          (found) => callback(null, [[...found.words], found.replaces]),
          () => callback(null, [[], line]),
        );
      },
    });
    this.closed = new Promise((resolve) => {
      this.#editor.once("close", () => {
        this.#isClosed = true;
        this.#input.destroy();
        if (this.#isPrompting) this.#output.write("\n");
        resolve();
      });
    });
    this.#editor.on("line", (line) => void this.#take(line));
    this.#editor.on("SIGINT", () => this.#clear());
    this.#editor.on("history", (lines: string[]) => {
      if (lines[0] !== undefined && !isKept(lines[0])) lines.shift();
    });
  }

  /** Shows the prompt. */
  prompt(): void {
    if (this.#isClosed) return;
    this.#isPrompting = true;
    this.#editor.prompt();
    this.#input.release();
  }

  /** Prints lines above the one that is being typed. */
  print(text: string): void {
    if (!this.#isPrompting) {
      this.#output.write(`${text}\n`);
      return;
    }
    const { rows } = this.#editor.getCursorPos();
    readline.moveCursor(this.#output, 0, -rows);
    readline.cursorTo(this.#output, 0);
    readline.clearScreenDown(this.#output);
    // The editor draws the line again from where it believes that it began: so many rows above the cursor.
    this.#output.write(`${text}\n${"\n".repeat(rows)}`);
    this.#editor.prompt(true);
  }

  /** Ends it as Ctrl-D does. */
  close(): void {
    this.#editor.close();
  }

  async #take(line: string): Promise<void> {
    this.#isPrompting = false;
    this.#input.hold();
    this.#history.add(line);
    await this.#onLine(line);
    this.prompt();
  }

  /** Ctrl-C at the prompt. */
  #clear(): void {
    const isEmpty = this.#editor.line === "";
    this.#editor.write(null, { ctrl: true, name: "e" });
    this.#editor.write(null, { ctrl: true, name: "u" });
    if (isEmpty) this.print(hint);
  }
}

type CompleterCallback = (error: Error | null, result: [string[], string]) => void;
