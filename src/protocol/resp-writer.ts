/**
 * Builds the answers of one connection, in RESP2 or RESP3, until they are sent: all answers of a turn leave in one write.
 *
 * Small answers are one growing text whose characters are bytes (latin1): adding to a string is the cheapest way that V8 has, cheaper than
 * a buffer per answer. Values of `respAnswerTextMaxBytes` or more are copied once, as bytes, and stand between the texts.
 */

import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import type { Connection } from "../base/network.ts";

export class RespWriter {
  /** Whether the client asked for RESP3 (HELLO 3). */
  resp3 = false;
  /** Answers after the last part. */
  #text = "";
  /** Texts and large values that come before it. */
  #parts: (string | Buffer)[] = [];
  #partsBytes = 0;

  /** Bytes of the answers that wait to be sent. */
  get bufferedBytes(): number {
    return this.#partsBytes + this.#text.length;
  }

  /** `+OK`. */
  ok(): void {
    this.#text += "+OK\r\n";
  }

  /** A status: short text. Line breaks in it become blanks. */
  simple(text: string): void {
    this.#text += `+${oneLine(text)}\r\n`;
  }

  /** An error: its code, of the error table or of Redis, and a text. Line breaks become blanks. */
  error(code: string, text: string): void {
    this.#text += `-${oneLine(`${code} ${text}`)}\r\n`;
  }

  /** A whole number of 64 bits. */
  integer(value: number | bigint): void {
    assert(typeof value === "bigint" || Number.isSafeInteger(value), "an integer must be whole");
    this.#text += `:${value}\r\n`;
  }

  /** A whole number of any size; in RESP2, which has none, its text. */
  bigNumber(value: bigint): void {
    if (this.resp3) this.#text += `(${value}\r\n`;
    else this.#byteBulk(value.toString());
  }

  /** A number with a fraction, infinite or not a number; in RESP2 its text. */
  double(value: number): void {
    const text = doubleText(value);
    if (this.resp3) this.#text += `,${text}\r\n`;
    else this.#byteBulk(text);
  }

  /** True or false; in RESP2 1 or 0. */
  boolean(value: boolean): void {
    if (this.resp3) this.#text += value ? "#t\r\n" : "#f\r\n";
    else this.#text += value ? ":1\r\n" : ":0\r\n";
  }

  /** The bytes from `start` up to `end`, which are copied. */
  bulk(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length < limits.respAnswerTextMaxBytes) {
      this.#text += `$${length}\r\n${bytes.toString("latin1", start, end)}\r\n`;
      return;
    }
    this.#text += `$${length}\r\n`;
    this.#endText();
    this.#parts.push(Buffer.from(bytes.subarray(start, end)));
    this.#partsBytes += length;
    this.#text = "\r\n";
  }

  /** Text, as UTF-8. */
  bulkText(text: string): void {
    this.#byteBulk(byteText(text));
  }

  /** Text for people, in a format (`txt`, `mkd`); in RESP2 plain text. */
  verbatim(format: "txt" | "mkd", text: string): void {
    if (!this.resp3) {
      this.bulkText(text);
      return;
    }
    const bytes = byteText(text);
    this.#text += `=${bytes.length + 4}\r\n${format}:${bytes}\r\n`;
  }

  /** No value, where a value could be. */
  nullBulk(): void {
    this.#text += this.resp3 ? "_\r\n" : "$-1\r\n";
  }

  /** No array, where an array could be. */
  nullArray(): void {
    this.#text += this.resp3 ? "_\r\n" : "*-1\r\n";
  }

  /** An array: the next `count` answers are its elements. */
  array(count: number): void {
    this.#text += `*${count}\r\n`;
  }

  /** A map: the next `count` pairs of answers are its keys and values; in RESP2 an array of both in turn. */
  map(count: number): void {
    this.#text += this.resp3 ? `%${count}\r\n` : `*${count * 2}\r\n`;
  }

  /** A set: the next `count` answers are its members; in RESP2 an array. */
  set(count: number): void {
    this.#text += this.resp3 ? `~${count}\r\n` : `*${count}\r\n`;
  }

  /** What the client did not ask for, of `count` elements; in RESP2 an array. */
  push(count: number): void {
    this.#text += this.resp3 ? `>${count}\r\n` : `*${count}\r\n`;
  }

  /** The answers, in order, as texts of bytes (latin1) and buffers; the writer is empty afterwards. */
  takeParts(): (string | Buffer)[] {
    this.#endText();
    const parts = this.#parts;
    this.#parts = [];
    this.#partsBytes = 0;
    return parts;
  }

  /** Sends the answers, if there are any: one write if no large value is among them. */
  flushTo(connection: Connection): void {
    if (this.#parts.length === 0) {
      if (this.#text === "") return;
      const text = this.#text;
      this.#text = "";
      connection.writeText(text);
      return;
    }
    connection.cork();
    for (const part of this.takeParts()) {
      if (typeof part === "string") connection.writeText(part);
      else connection.writeBytes(part);
    }
    connection.uncork();
  }

  #byteBulk(text: string): void {
    this.#text += `$${text.length}\r\n${text}\r\n`;
  }

  #endText(): void {
    if (this.#text === "") return;
    this.#parts.push(this.#text);
    this.#partsBytes += this.#text.length;
    this.#text = "";
  }
}

/** The UTF-8 bytes of a text, one character each. ASCII, which nearly all is, stays as it is. */
export function byteText(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, "utf8").toString("latin1");
  }
  return text;
}

/** A text that cannot end its line, so that what a client sent and we quote cannot forge an answer. */
function oneLine(text: string): string {
  const line = text.includes("\r") || text.includes("\n") ? text.replace(/[\r\n]/g, " ") : text;
  return byteText(line);
}

/** As Redis writes doubles. */
function doubleText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (value === Infinity) return "inf";
  if (value === -Infinity) return "-inf";
  return String(value);
}
