/**
 * Reads test files in the format of cockroachdb/datadriven:
 *
 *     # a comment
 *     command argument key=value key=(value, value)
 *     input, any number of lines
 *     ----
 *     expected output, up to a blank line
 *
 * Output that has blank lines itself stands between two pairs of `----`. A directive that ends with `\` goes on in the next line.
 */
import { readFileSync } from "node:fs";

export interface Argument {
  readonly key: string;
  /** None for a bare key, one for `key=value`, any number for `key=(…)`. */
  readonly values: readonly string[];
}

export interface DatadrivenCase {
  readonly file: string;
  /** Of the directive, from 1. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly Argument[];
  /** Without blank space around it. */
  readonly input: string;
  /** Lines separated by newlines, none at the end. */
  readonly expected: string;
}

export interface CaseFailure {
  readonly line: number;
  readonly expected: string;
  readonly found: string;
}

export interface FileResult {
  readonly cases: number;
  readonly failures: readonly CaseFailure[];
}

const separator = "----";

/** Throws Error, which names file and line, on what is not of the format or cannot be read. */
export function readCases(file: string): DatadrivenCase[] {
  return parseCases(readFileSync(file, "utf8"), file);
}

/** As {@link readCases}; `file` is for the messages. */
export function parseCases(text: string, file: string): DatadrivenCase[] {
  const lines = new Lines(text.split(/\r?\n/), file);
  const cases: DatadrivenCase[] = [];
  while (lines.skipBlank()) {
    const line = lines.number;
    const [command, ...args] = parseDirective(lines.takeDirective(), `${file}:${line}`);
    if (command === undefined) throw new Error(`${file}:${line}: no command`);
    if (command.values.length > 0) {
      throw new Error(`${file}:${line}: command ${command.key} has a value`);
    }
    // A heading, which has no body.
    if (command.key === "subtest") continue;
    const input = lines.takeInput(command.key, line);
    const expected = lines.takeExpected(line);
    cases.push({ file, line, command: command.key, args, input, expected });
  }
  return cases;
}

/** Runs each case of a file: `run` returns the output, or throws, which is a failure with the error's text. */
export function runCases(file: string, run: (one: DatadrivenCase) => string): FileResult {
  const cases = readCases(file);
  const failures: CaseFailure[] = [];
  for (const one of cases) {
    let found: string;
    try {
      found = run(one);
    } catch (error) {
      found = `thrown: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    }
    if (found !== one.expected) failures.push({ line: one.line, expected: one.expected, found });
  }
  return { cases: cases.length, failures };
}

/** The values of an argument, `undefined` when it is not given. Throws Error when it is given twice. */
export function valuesOf(one: DatadrivenCase, key: string): readonly string[] | undefined {
  const found = one.args.filter((argument) => argument.key === key);
  if (found.length > 1) throw new Error(`${one.file}:${one.line}: ${key} is given twice`);
  return found[0]?.values;
}

class Lines {
  readonly #lines: readonly string[];
  readonly #file: string;
  #at = 0;

  constructor(lines: readonly string[], file: string) {
    this.#lines = lines;
    this.#file = file;
  }

  /** Of the next line, from 1. */
  get number(): number {
    return this.#at + 1;
  }

  /** Goes to the next line that is neither blank nor a comment; false at the end. */
  skipBlank(): boolean {
    for (; this.#at < this.#lines.length; this.#at++) {
      const line = this.#lines[this.#at]?.trim() ?? "";
      if (line !== "" && !line.startsWith("#")) return true;
    }
    return false;
  }

  takeDirective(): string {
    let text = this.#take()?.trim() ?? "";
    while (text.endsWith("\\")) text = `${text.slice(0, -1).trim()} ${this.#take()?.trim() ?? ""}`;
    return text;
  }

  takeInput(command: string, start: number): string {
    const input: string[] = [];
    for (let line = this.#take(); line !== separator; line = this.#take()) {
      if (line === undefined) {
        throw new Error(`${this.#file}:${start}: no ${separator} after ${command}`);
      }
      input.push(line);
    }
    return input.join("\n").trim();
  }

  takeExpected(start: number): string {
    const first = this.#take();
    if (first === separator) return this.#takeFenced(start);
    const expected: string[] = [];
    for (let line = first; line !== undefined && line.trim() !== ""; line = this.#take()) {
      expected.push(line);
    }
    return expected.join("\n");
  }

  /** Up to a pair of separators, which a blank line or the end must follow. */
  #takeFenced(start: number): string {
    const expected: string[] = [];
    for (let line = this.#take(); line !== undefined; line = this.#take()) {
      if (line !== separator || this.#lines[this.#at] !== separator) {
        expected.push(line);
        continue;
      }
      this.#at++;
      const after = this.number;
      if ((this.#take() ?? "").trim() !== "") {
        throw new Error(`${this.#file}:${after}: a line right after the closing ${separator}`);
      }
      return expected.join("\n");
    }
    throw new Error(`${this.#file}:${start}: the double ${separator} is not closed`);
  }

  #take(): string | undefined {
    return this.#lines[this.#at++];
  }
}

/** The words of a directive; what stands in parentheses may have spaces, and parentheses of its own. `where` is for the messages. */
export function parseDirective(text: string, where: string): Argument[] {
  const args: Argument[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text.charAt(at))) {
      at++;
      continue;
    }
    const end = wordEnd(text, at, where);
    args.push(argumentOf(text.slice(at, end), where));
    at = end;
  }
  return args;
}

function wordEnd(text: string, start: number, where: string): number {
  let depth = 0;
  let at = start;
  for (; at < text.length; at++) {
    const letter = text.charAt(at);
    if (letter === "(") depth++;
    else if (letter === ")") depth--;
    else if (depth === 0 && /\s/.test(letter)) break;
    if (depth < 0) throw new Error(`${where}: ) without ( at column ${at + 1}`);
  }
  if (depth > 0) throw new Error(`${where}: ( without ) in ${text.slice(start)}`);
  return at;
}

function argumentOf(word: string, where: string): Argument {
  const equals = word.indexOf("=");
  if (equals < 0) return { key: word, values: [] };
  const key = word.slice(0, equals);
  const value = word.slice(equals + 1);
  if (key === "") throw new Error(`${where}: a value without a key: ${word}`);
  if (!value.startsWith("(")) return { key, values: value === "" ? [] : [value] };
  if (!value.endsWith(")")) throw new Error(`${where}: text after ) in ${word}`);
  return { key, values: splitList(value.slice(1, -1)) };
}

/** At the commas that are in no parentheses. */
function splitList(text: string): string[] {
  if (text.trim() === "") return [];
  const values: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at);
    if (letter === "(") depth++;
    else if (letter === ")") depth--;
    else if (letter === "," && depth === 0) {
      values.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  values.push(text.slice(start).trim());
  return values;
}
