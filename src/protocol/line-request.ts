/**
 * Splits a line of the line protocol:
 *
 *     [REQUEST id ]VERB[ key[ rest of the line]]
 *
 * Before the verb and the key any number of blanks (0x20) may stand. The rest starts after exactly one blank behind the key and is raw:
 * blanks, quotes and bytes that are no text belong to it.
 */

/** `request`: the fields hold one. `empty`: nothing but blanks. `malformed`: `REQUEST` without an id or without a verb. */
export type LineShape = "request" | "empty" | "malformed";

const blank = 0x20;

/** No verb is longer; what is gets cut here and is then unknown. */
const verbMaxBytes = 64;

/** The parts of a line, as offsets into the buffer that was split. Made once per connection and filled again for each line. */
export class LineRequest {
  /** In upper case. */
  verb = "";
  idStart = 0;
  /** Equals `idStart` if the line names no request id. */
  idEnd = 0;
  keyStart = 0;
  /** Equals `keyStart` if there is no key. */
  keyEnd = 0;
  /** Whether a blank follows the key: without one there is no value, with one and nothing behind it an empty one. */
  hasRest = false;
  restStart = 0;
  restEnd = 0;

  /** Splits the line that stands in `line` from `start` up to `end`, without its end of line. */
  split(line: Buffer, start: number, end: number): LineShape {
    this.idStart = start;
    this.idEnd = start;
    let verbStart = skipBlanks(line, start, end);
    if (verbStart === end) return "empty";
    let verbEnd = wordEnd(line, verbStart, end);
    this.verb = verbText(line, verbStart, verbEnd);
    if (this.verb === "REQUEST") {
      this.idStart = skipBlanks(line, verbEnd, end);
      this.idEnd = wordEnd(line, this.idStart, end);
      verbStart = skipBlanks(line, this.idEnd, end);
      if (verbStart === end) return "malformed";
      verbEnd = wordEnd(line, verbStart, end);
      this.verb = verbText(line, verbStart, verbEnd);
    }
    this.keyStart = skipBlanks(line, verbEnd, end);
    this.keyEnd = wordEnd(line, this.keyStart, end);
    this.hasRest = this.keyEnd > this.keyStart && this.keyEnd < end;
    this.restStart = this.hasRest ? this.keyEnd + 1 : end;
    this.restEnd = end;
    return "request";
  }
}

function skipBlanks(line: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && line[at] === blank) at++;
  return at;
}

function wordEnd(line: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && line[at] !== blank) at++;
  return at;
}

function verbText(line: Buffer, start: number, end: number): string {
  return line.toString("utf8", start, Math.min(end, start + verbMaxBytes)).toUpperCase();
}
