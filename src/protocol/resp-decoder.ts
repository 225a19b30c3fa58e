/**
 * Decodes RESP *requests*: bytes in, commands out. It knows no socket and makes no string and no object per command: a command is a count
 * and pairs of offsets into a buffer.
 *
 * A command that lies whole in a pushed chunk is read in place. The start of one that does not is moved to a buffer of its own, which
 * doubles as bytes arrive and takes only what belongs to that command; reading goes on where it stopped. So every byte is copied a
 * bounded number of times however the stream is cut, memory follows what has arrived, not what was announced, and between commands
 * nothing is held.
 *
 *     *3\r\n $3\r\n SET\r\n $2\r\n ab\r\n $5\r\n hello\r\n      an array of bulk strings
 *     SET ab "hello"\r\n                                        inline; see resp-inline.ts
 */

import { assert, must } from "../base/assert.ts";
import { asBuffer } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { Collection } from "./collection.ts";
import { expectedBulkError, respErrors } from "./resp-errors.ts";
import { splitInline } from "./resp-inline.ts";
import { RespSkipper } from "./resp-skipper.ts";

/**
 * - `command`: `count`, `buffer`, `start(i)` and `end(i)` hold one, until the next call of `next` or `push`.
 * - `toolarge`: a command over its limit was passed over; `tooLargeName`, `tooLargeBytes`, `tooLargeLimitBytes` say which and how.
 * - `none`: all bytes are used up; push more.
 * - `error`: the protocol was broken; `errorText` says how. The decoder stays so.
 */
export type RespEvent = "command" | "toolarge" | "none" | "error";

/** How a try to read one command ended. `empty`: there was one without arguments, which is passed over. */
type Step = "command" | "empty" | "toolarge" | "incomplete" | "error";

const nothing = Buffer.alloc(0);

const star = 0x2a;
const dollar = 0x24;
const minus = 0x2d;
const zero = 0x30;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/** Results of `#readLength` that are no length. */
const incomplete = -1;
const malformed = -2;
const negative = -3;

/** Digits of a 64-bit number: as many as Redis reads. */
const lengthMaxDigits = 19;
/** No valid `*count\r\n` or `$length\r\n` is longer. */
const headerMaxBytes = 24;
/** Offsets kept from one command to the next; a command with more lets go of them. */
const offsetsKeptCount = 64;
/** The name of a command that was too large is told if it is no longer than this. */
const nameMaxBytes = 64;

export class RespDecoder {
  /** Holds the arguments of the command. */
  buffer: Buffer = nothing;
  /** Arguments of the command, its name included: at least 1. */
  count = 0;
  /** Why the protocol is broken; empty while it is not. */
  errorText = "";
  /** The first argument of the command that was too large; empty if it was not read. */
  tooLargeName = "";
  /** What was too large: an argument's length, or the command's bytes up to and with the argument that was too much. */
  tooLargeBytes = 0;
  /** The limit that it broke. */
  tooLargeLimitBytes = 0;
  #chunk: Buffer = nothing;
  /** Bytes of the chunk that were used. */
  #position = 0;

  #collecting = false;
  readonly #collection = new Collection();
  #skipper: RespSkipper | undefined;
  #workBytes = 0;

  // The command being read, in the chunk or in the collection.
  #begin = 0;
  /** What comes next stands here; of an inline command, where to look on for its end. */
  #at = 0;
  /** Arguments announced; -1 before the announcement was read. */
  #expected = -1;
  /** Length of the argument whose header has been read; -1 before. */
  #bodyBytes = -1;
  #lengthEnd = 0;
  #starts: number[] = [];
  #ends: number[] = [];

  /** Bytes copied or searched for a line's end since the start: a measure for tests, linear in the bytes pushed. */
  get workBytes(): number {
    return this.#workBytes + this.#collection.workBytes;
  }

  /** Where argument `i` starts in `buffer`. */
  start(i: number): number {
    assert(i < this.count, "the command has fewer arguments");
    return must(this.#starts[i]);
  }

  /** Where argument `i` ends in `buffer`: the offset after its last byte. */
  end(i: number): number {
    assert(i < this.count, "the command has fewer arguments");
    return must(this.#ends[i]);
  }

  /** Whether a command has begun to arrive and has not ended, once `next` has said `none`. */
  get partial(): boolean {
    return this.#collecting || this.#skipper !== undefined;
  }

  /** Memory held for bytes that arrived: none between requests, at most about twice what has arrived of a cut one. */
  get heldBytes(): number {
    return this.#chunk.length + this.#collection.heldBytes;
  }

  /**
   * Takes bytes that arrived. They belong to the decoder until `next` says `none`. Meant to be called after that; what an earlier push
   * left over is copied together with them.
   */
  push(chunk: Uint8Array): void {
    if (this.errorText !== "") return;
    this.#forgetCommand();
    if (this.#position < this.#chunk.length) {
      const rest = this.#chunk.subarray(this.#position);
      this.#workBytes += rest.length + chunk.length;
      this.#chunk = Buffer.concat([rest, chunk]);
    } else {
      this.#chunk = asBuffer(chunk);
    }
    this.#position = 0;
  }

  /** Reads on to the next command. */
  next(): RespEvent {
    if (this.errorText !== "") return "error";
    this.#forgetCommand();
    for (;;) {
      const step = this.#step();
      if (step === "command") return "command";
      if (step === "empty") continue;
      if (step === "error") {
        this.#release();
        return "error";
      }
      if (step === "toolarge") {
        // Its rest is passed over first, so that the refusal comes in the order of commands.
        if (this.#skipper === undefined) return "toolarge";
        continue;
      }
      this.#chunk = nothing;
      this.#position = 0;
      return "none";
    }
  }

  #step(): Step {
    if (this.#position === this.#chunk.length) return "incomplete";
    if (this.#skipper !== undefined) return this.#skip(this.#skipper);
    if (this.#collecting) return this.#readCollected();
    return this.#readInPlace();
  }

  /** Reads a command that starts in the chunk. If it does not end there, its start moves to the collection. */
  #readInPlace(): Step {
    this.#begin = this.#position;
    this.#at = this.#position;
    this.#expected = -1;
    this.#bodyBytes = -1;
    const step = this.#read(this.#chunk, this.#chunk.length);
    if (step === "incomplete") this.#startCollecting();
    else this.#position = this.#at;
    return step;
  }

  /** Takes from the chunk what the collected command still lacks, piece by piece. */
  #readCollected(): Step {
    while (this.#position < this.#chunk.length) {
      this.#collect(Math.min(this.#wanted(), this.#chunk.length - this.#position));
      const step = this.#read(this.#collection.buffer, this.#collection.length);
      if (step === "incomplete") continue;
      this.#collecting = false;
      this.#collection.clear();
      return step;
    }
    return "incomplete";
  }

  #skip(skipper: RespSkipper): Step {
    this.#position = skipper.skip(this.#chunk, this.#position);
    if (skipper.errorText !== "") return this.#fail(skipper.errorText);
    if (!skipper.done) return "incomplete";
    this.#skipper = undefined;
    return "toolarge";
  }

  /** Reads on in the current command, which stands in `bytes` and has arrived up to `limit`. */
  #read(bytes: Buffer, limit: number): Step {
    if (this.#expected < 0) {
      if (bytes[this.#begin] !== star) return this.#readInline(bytes, limit);
      const announced = this.#readLength(bytes, this.#begin + 1, limit);
      if (announced === incomplete) return "incomplete";
      this.#at = this.#lengthEnd;
      if (announced === 0 || announced === negative) return "empty";
      if (announced === malformed || announced > limits.respArgumentsMaxCount) {
        return this.#fail(respErrors.invalidArgumentsCount);
      }
      this.#expected = announced;
    }
    return this.#readArguments(bytes, limit);
  }

  #readArguments(bytes: Buffer, limit: number): Step {
    const expected = this.#expected;
    const starts = this.#starts;
    const ends = this.#ends;
    let at = this.#at;
    let count = this.count;
    let body = this.#bodyBytes;
    while (count < expected) {
      if (body < 0) {
        if (at < limit && bytes[at] !== dollar) {
          return this.#fail(expectedBulkError(bytes[at] ?? 0));
        }
        const length = this.#readLength(bytes, at + 1, limit);
        if (length === incomplete) break;
        if (length < 0 || length > limits.respSkipMaxBytes) {
          return this.#fail(respErrors.invalidBulkLength);
        }
        body = length;
        at = this.#lengthEnd;
        const wholeBytes = at + body + 2 - this.#begin;
        if (body > limits.respArgumentMaxBytes || wholeBytes > limits.respCommandMaxBytes) {
          this.count = count;
          this.#at = at;
          return this.#startSkipping(bytes, body, wholeBytes);
        }
      }
      const end = at + body;
      if (end + 2 > limit) break;
      if (bytes[end] !== carriageReturn || bytes[end + 1] !== lineFeed) {
        return this.#fail(respErrors.missingBulkEnd);
      }
      starts[count] = at;
      ends[count] = end;
      count++;
      at = end + 2;
      body = -1;
    }
    this.#at = at;
    this.count = count;
    this.#bodyBytes = body;
    if (count < expected) return "incomplete";
    this.buffer = bytes;
    return "command";
  }

  /**
   * Reads a decimal number and its CRLF, strictly: no sign but one minus, no zeros before it. The offset after it goes to `#lengthEnd`.
   * Any negative number is `negative`.
   */
  #readLength(bytes: Buffer, from: number, limit: number): number {
    let at = from;
    const isNegative = at < limit && bytes[at] === minus;
    if (isNegative) at++;
    const firstDigit = at;
    let value = 0;
    for (; at < limit; at++) {
      const digit = (bytes[at] ?? 0) - zero;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      if (at - firstDigit === lengthMaxDigits) return malformed;
    }
    if (at >= limit) return incomplete;
    const digits = at - firstDigit;
    const startsWithZero = bytes[firstDigit] === zero;
    if (digits === 0 || (startsWithZero && (digits > 1 || isNegative))) return malformed;
    if (bytes[at] !== carriageReturn) return malformed;
    if (at + 1 >= limit) return incomplete;
    if (bytes[at + 1] !== lineFeed) return malformed;
    this.#lengthEnd = at + 2;
    return isNegative ? negative : value;
  }

  #readInline(bytes: Buffer, limit: number): Step {
    const newline = bytes.subarray(0, limit).indexOf(lineFeed, this.#at);
    const lineEnd = newline < 0 ? limit : newline;
    this.#workBytes += lineEnd - this.#at;
    const endsInReturn = lineEnd > this.#begin && bytes[lineEnd - 1] === carriageReturn;
    const end = endsInReturn ? lineEnd - 1 : lineEnd;
    if (end - this.#begin > limits.respInlineMaxBytes) return this.#fail(respErrors.inlineTooBig);
    if (newline < 0) {
      this.#at = limit;
      return "incomplete";
    }
    this.#at = newline + 1;
    const split = splitInline(bytes.subarray(this.#begin, end));
    if (split === undefined) return this.#fail(respErrors.inlineUnbalanced);
    if (split.starts.length === 0) return "empty";
    if (split.starts.length > limits.respArgumentsMaxCount) {
      return this.#fail(respErrors.inlineTooBig);
    }
    this.buffer = split.buffer;
    this.count = split.starts.length;
    this.#starts = split.starts;
    this.#ends = split.ends;
    return "command";
  }

  #startSkipping(bytes: Buffer, bodyBytes: number, wholeBytes: number): Step {
    const start = this.#starts[0] ?? 0;
    const end = this.#ends[0] ?? 0;
    const hasName = this.count > 0 && end - start <= nameMaxBytes;
    this.tooLargeName = hasName ? bytes.toString("utf8", start, end) : "";
    const isArgument = bodyBytes > limits.respArgumentMaxBytes;
    this.tooLargeBytes = isArgument ? bodyBytes : wholeBytes;
    this.tooLargeLimitBytes = isArgument ? limits.respArgumentMaxBytes : limits.respCommandMaxBytes;
    this.#skipper = new RespSkipper(bodyBytes, this.#expected - this.count - 1);
    this.count = 0;
    return "toolarge";
  }

  /** Moves the command that the chunk ends in to the collection. */
  #startCollecting(): void {
    const from = this.#begin;
    const rest = this.#chunk.length - from;
    this.#collecting = true;
    this.#position = from;
    this.#collect(rest);
    for (let i = 0; i < this.count; i++) {
      this.#starts[i] = must(this.#starts[i]) - from;
      this.#ends[i] = must(this.#ends[i]) - from;
    }
    this.#at -= from;
    this.#begin = 0;
  }

  /** How much of the chunk is the collected command's for sure: never a byte of the one after it. */
  #wanted(): number {
    if (this.#bodyBytes >= 0) return this.#at + this.#bodyBytes + 2 - this.#collection.length;
    const isInline = this.#expected < 0 && this.#collection.buffer[0] !== star;
    const most = isInline ? limits.respInlineMaxBytes : headerMaxBytes;
    const end = Math.min(this.#chunk.length, this.#position + most);
    for (let at = this.#position; at < end; at++) {
      if (this.#chunk[at] === lineFeed) return at + 1 - this.#position;
    }
    return end - this.#position;
  }

  #collect(bytes: number): void {
    this.#collection.add(this.#chunk, this.#position, this.#position + bytes);
    this.#position += bytes;
  }

  /** Lets go of the command that was given out. */
  #forgetCommand(): void {
    this.buffer = nothing;
    if (this.partial) return;
    this.count = 0;
    if (this.#starts.length > offsetsKeptCount) {
      this.#starts = [];
      this.#ends = [];
    }
  }

  #fail(text: string): Step {
    this.errorText = text;
    return "error";
  }

  #release(): void {
    this.#chunk = nothing;
    this.#position = 0;
    this.#collecting = false;
    this.#collection.clear();
    this.#skipper = undefined;
    this.count = 0;
    this.#starts = [];
    this.#ends = [];
  }
}
