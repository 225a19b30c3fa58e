/**
 * Splits an inline RESP command, which people type and health checks send, into arguments: at blanks, with the quoting rules of Redis
 * (`sdssplitargs`): "…" knows \n \r \t \b \a \xHH and a backslash before any other character stands for that one; '…' knows only \'.
 */

/** Arguments of a command: `count` pieces of `buffer`, each from `starts[i]` up to `ends[i]`. */
export interface InlineArguments {
  readonly buffer: Buffer;
  readonly starts: number[];
  readonly ends: number[];
}

const doubleQuote = 0x22;
const singleQuote = 0x27;
const backslash = 0x5c;
const lowerX = 0x78;

const escapes: ReadonlyMap<number, number> = new Map([
  [0x6e, 0x0a], // \n
  [0x72, 0x0d], // \r
  [0x74, 0x09], // \t
  [0x62, 0x08], // \b
  [0x61, 0x07], // \a
]);

/**
 * The arguments of the line that stands in `line` without its end. Undefined if a quote is not closed or is closed before anything but a
 * blank. The result shares no memory with `line`.
 */
export function splitInline(line: Uint8Array): InlineArguments | undefined {
  // Quotes and escapes only ever shorten.
  const buffer = Buffer.allocUnsafe(line.length);
  const starts: number[] = [];
  const ends: number[] = [];
  const cursor: Cursor = { at: 0, written: 0 };
  for (;;) {
    while (isBlank(line[cursor.at])) cursor.at++;
    if (cursor.at >= line.length) return { buffer, starts, ends };
    starts.push(cursor.written);
    if (!readArgument(line, buffer, cursor)) return undefined;
    ends.push(cursor.written);
  }
}

/** Where the line is read and its arguments are written. */
interface Cursor {
  at: number;
  written: number;
}

/** Reads one argument, quoted in part perhaps; false on unbalanced quotes. */
function readArgument(line: Uint8Array, target: Buffer, cursor: Cursor): boolean {
  for (;;) {
    const byte = line[cursor.at];
    if (byte === undefined || isBlank(byte)) return true;
    cursor.at++;
    if (byte !== doubleQuote && byte !== singleQuote) {
      target[cursor.written++] = byte;
      continue;
    }
    const closed =
      byte === doubleQuote
        ? readDoubleQuoted(line, target, cursor)
        : readSingleQuoted(line, target, cursor);
    if (!closed) return false;
    // A closing quote ends the argument: only a blank may follow.
    return cursor.at >= line.length || isBlank(line[cursor.at]);
  }
}

function readDoubleQuoted(line: Uint8Array, target: Buffer, cursor: Cursor): boolean {
  while (cursor.at < line.length) {
    const byte = line[cursor.at++] ?? 0;
    if (byte === doubleQuote) return true;
    target[cursor.written++] =
      byte === backslash && cursor.at < line.length ? readEscape(line, cursor) : byte;
  }
  return false;
}

/** The byte that is written as an escape whose backslash has been read. */
function readEscape(line: Uint8Array, cursor: Cursor): number {
  const escaped = line[cursor.at++] ?? 0;
  if (escaped === lowerX) {
    const high = hexDigit(line[cursor.at]);
    const low = hexDigit(line[cursor.at + 1]);
    if (high >= 0 && low >= 0) {
      cursor.at += 2;
      return high * 16 + low;
    }
  }
  return escapes.get(escaped) ?? escaped;
}

function readSingleQuoted(line: Uint8Array, target: Buffer, cursor: Cursor): boolean {
  while (cursor.at < line.length) {
    let byte = line[cursor.at++] ?? 0;
    if (byte === singleQuote) return true;
    if (byte === backslash && line[cursor.at] === singleQuote) {
      byte = singleQuote;
      cursor.at++;
    }
    target[cursor.written++] = byte;
  }
  return false;
}

/** The blanks of C's `isspace`. */
function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
