/**
 * What commands print: results on standard output, as aligned tables for people or as JSON for programs; progress on
 * standard error, and only if a person watches.
 */

/** Where text goes; `process.stdout` and `process.stderr` are such. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Column {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly align?: "left" | "right";
}

/** Rows under titles, columns two spaces apart. Control characters are shown as escapes: the texts may be of the world. */
export function tableText(
  columns: readonly Column[],
  rows: readonly (readonly (string | number | bigint)[])[],
): string {
  const texts = rows.map((row) => columns.map((_, at) => cellText(row[at] ?? "")));
  const widths = columns.map((column, at) =>
    texts.reduce((widest, row) => Math.max(widest, width(row[at] ?? "")), width(column.title)),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, at) => {
        const text = cells[at] ?? "";
        const blanks = " ".repeat((widths[at] ?? 0) - width(text));
        return column.align === "right" ? blanks + text : text + blanks;
      })
      .join("  ")
      .trimEnd();
  return [columns.map((column) => column.title), ...texts].map((row) => `${line(row)}\n`).join("");
}

/** Names and values, one pair per line, the values aligned. */
export function pairsText(pairs: readonly (readonly [string, string | number | bigint])[]): string {
  const widest = pairs.reduce((most, [name]) => Math.max(most, width(name)), 0);
  return pairs
    .map(([name, value]) => `${name}${" ".repeat(widest - width(name))}  ${cellText(value)}\n`)
    .join("");
}

/** One value as JSON on one line. Whole numbers beyond 2^53 and bytes become text: decimal and base64. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value, jsonValue)}\n`;
}

function jsonValue(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  if (value instanceof Uint8Array) return base64(value);
  // A Buffer has turned itself into an object before it is asked for here.
  const original: unknown = Object(this)[key];
  return original instanceof Uint8Array ? base64(original) : value;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** The text on one line, safe for a terminal. */
export function cellText(value: string | number | bigint): string {
  if (typeof value === "number") return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
  if (typeof value === "bigint") return value.toLocaleString("en-US");
  return value.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Characters, each counted as one column of the terminal. */
function width(text: string): number {
  return Array.from(text).length;
}

const progressEveryMs = 100;

/** One line on standard error that is rewritten as long work goes on. Prints nothing unless a person watches. */
export class Progress {
  readonly #sink: TextSink;
  readonly #label: string;
  readonly #nowMs: () => number;
  #shownMs = -Infinity;
  #lineLength = 0;

  constructor(label: string, sink: TextSink, nowMs: () => number = () => performance.now()) {
    this.#label = label;
    this.#sink = sink;
    this.#nowMs = nowMs;
  }

  /** Tells how far the work is; `total` 0 means that nobody knows. Cheap: at most ten lines a second are drawn. */
  update(done: number, total: number): void {
    if (this.#sink.isTTY !== true) return;
    const now = this.#nowMs();
    if (now - this.#shownMs < progressEveryMs) return;
    this.#shownMs = now;
    this.#draw(`${this.#label} ${total > 0 ? bar(done, total) : done.toLocaleString("en-US")}`);
  }

  /** Removes the line. */
  finish(): void {
    if (this.#lineLength > 0) this.#draw("");
  }

  #draw(text: string): void {
    const line = Array.from(text)
      .slice(0, Math.max(10, (this.#sink.columns ?? 80) - 1))
      .join("");
    this.#sink.write(
      `\r${line}${" ".repeat(Math.max(0, this.#lineLength - width(line)))}\r${line}`,
    );
    this.#lineLength = width(line);
  }
}

function bar(done: number, total: number): string {
  const part = Math.min(1, Math.max(0, done / total));
  const full = Math.round(part * 24);
  const percent = `${Math.floor(part * 100)} %`.padStart(5);
  return `[${"█".repeat(full)}${"░".repeat(24 - full)}] ${percent}`;
}
