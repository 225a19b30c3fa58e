/**
 * Passes over what is left of a RESP command that is too large to be kept: bodies are counted, not stored, and only the header of the next
 * argument (`$length`) is held, a few bytes. So the command can be refused in its turn and the connection goes on.
 */

import { limits } from "../base/limits.ts";
import { expectedBulkError, respErrors } from "./resp-errors.ts";

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const dollar = 0x24;

/** A whole `$length\r\n` has no more characters than this if the length is one that can be. */
const headerMaxBytes = 24;

const headerPattern = /^\$(0|[1-9]\d*)\r\n$/;

export class RespSkipper {
  /** Set when the bytes break the protocol. */
  errorText = "";
  /** Bytes of the current argument's body still to come, with the two of its CRLF. */
  #bodyLeft: number;
  /** Arguments after the current one. */
  #argumentsLeft: number;
  #header = "";

  /** Starts inside an argument whose body of `bodyBytes` comes next; `argumentsAfter` more follow it. */
  constructor(bodyBytes: number, argumentsAfter: number) {
    this.#bodyLeft = bodyBytes + 2;
    this.#argumentsLeft = argumentsAfter;
  }

  /** Whether the command has been passed over. */
  get done(): boolean {
    return this.#bodyLeft === 0 && this.#argumentsLeft === 0;
  }

  /** Passes over bytes from `start` on until the command or the bytes end or are wrong; the place of the first byte not passed over. */
  skip(bytes: Uint8Array, start: number): number {
    let at = start;
    while (at < bytes.length && !this.done && this.errorText === "") {
      if (this.#bodyLeft > 2) {
        const step = Math.min(this.#bodyLeft - 2, bytes.length - at);
        this.#bodyLeft -= step;
        at += step;
      } else if (this.#bodyLeft > 0) {
        const expected = this.#bodyLeft === 2 ? carriageReturn : lineFeed;
        if (bytes[at++] !== expected) this.errorText = respErrors.missingBulkEnd;
        this.#bodyLeft--;
      } else {
        this.#readHeaderByte(bytes[at++] ?? 0);
      }
    }
    return at;
  }

  #readHeaderByte(byte: number): void {
    if (this.#header === "" && byte !== dollar) {
      this.errorText = expectedBulkError(byte);
      return;
    }
    this.#header += String.fromCharCode(byte);
    if (byte !== lineFeed && this.#header.length < headerMaxBytes) return;
    const length = headerPattern.exec(this.#header)?.[1];
    this.#header = "";
    if (length === undefined || Number(length) > limits.respSkipMaxBytes) {
      this.errorText = respErrors.invalidBulkLength;
      return;
    }
    this.#bodyLeft = Number(length) + 2;
    this.#argumentsLeft--;
  }
}
