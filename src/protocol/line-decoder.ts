/**
 * Decodes the line protocol: bytes in, lines out, each ended by LF or CRLF. As in resp-decoder.ts a line that lies whole in a pushed chunk
 * is read in place, and one that does not is collected in a buffer of its own that doubles as bytes arrive.
 */

import { asBuffer } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { Collection } from "./collection.ts";

/**
 * - `line`: one stands in `buffer` from `start` up to `end`, without its end of line, until the next call of `next` or `push`.
 * - `toolong`: a line over `lineMaxBytes` was passed over, its end included; told once.
 * - `none`: all bytes are used up; push more.
 */
export type LineEvent = "line" | "toolong" | "none";

const nothing = Buffer.alloc(0);

const carriageReturn = 0x0d;
const lineFeed = 0x0a;

export class LineDecoder {
  /** Holds the line. */
  buffer: Buffer = nothing;
  /** Where the line starts in `buffer`. */
  start = 0;
  /** The offset after its last byte. */
  end = 0;
  #chunk: Buffer = nothing;
  /** Bytes of the chunk that were used. */
  #position = 0;
  /** The start of a line that was cut. */
  readonly #collection = new Collection();
  #workBytes = 0;
  #skipping = false;

  /** Bytes copied since the start: a measure for tests, linear in the bytes pushed. */
  get workBytes(): number {
    return this.#workBytes + this.#collection.workBytes;
  }

  /** Whether a line has begun to arrive and has not ended, once `next` has said `none`. */
  get partial(): boolean {
    return this.#collection.length > 0 || this.#skipping;
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
    this.buffer = nothing;
    if (this.#position < this.#chunk.length) {
      const rest = this.#chunk.subarray(this.#position);
      this.#workBytes += rest.length + chunk.length;
      this.#chunk = Buffer.concat([rest, chunk]);
    } else {
      this.#chunk = asBuffer(chunk);
    }
    this.#position = 0;
  }

  /** Reads on to the next line. */
  next(): LineEvent {
    this.buffer = nothing;
    const from = this.#position;
    const newline = this.#chunk.indexOf(lineFeed, from);
    if (newline < 0) {
      this.#keepRest(from);
      this.#chunk = nothing;
      this.#position = 0;
      return "none";
    }
    this.#position = newline + 1;
    if (this.#skipping) {
      this.#skipping = false;
      return "toolong";
    }
    const collection = this.#collection;
    if (collection.length === 0) return this.#give(this.#chunk, from, newline);
    // One byte over the limit is enough to see that the line breaks it.
    const wanted = Math.min(newline - from, limits.lineMaxBytes + 2 - collection.length);
    collection.add(this.#chunk, from, from + wanted);
    const { buffer, length } = collection;
    collection.clear();
    return this.#give(buffer, 0, length);
  }

  #give(bytes: Buffer, start: number, lineEnd: number): LineEvent {
    const endsInReturn = lineEnd > start && bytes[lineEnd - 1] === carriageReturn;
    const end = endsInReturn ? lineEnd - 1 : lineEnd;
    if (end - start > limits.lineMaxBytes) return "toolong";
    this.buffer = bytes;
    this.start = start;
    this.end = end;
    return "line";
  }

  /** Keeps the start of a line that the chunk ends in, unless it is too long already. */
  #keepRest(from: number): void {
    const rest = this.#chunk.length - from;
    if (rest === 0 || this.#skipping) return;
    // The last byte may be the CR of its end.
    if (this.#collection.length + rest > limits.lineMaxBytes + 1) {
      this.#collection.clear();
      this.#skipping = true;
      return;
    }
    this.#collection.add(this.#chunk, from, from + rest);
  }
}
