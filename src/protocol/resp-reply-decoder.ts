/**
 * Decodes RESP2 and RESP3 *replies*: for our client, the commands that talk to a server, and tests. Elements are read from what has
 * arrived, one at a time; the aggregates that are open stand on a stack, so that no element is read twice however the stream is cut.
 * A reply may have `respSkipMaxBytes` and nest `respReplyMaxDepth` deep.
 */

import { asBuffer } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { shown } from "../base/shown-value.ts";
import { RespAggregate, RespError } from "./resp-reply.ts";
import type { RespReply } from "./resp-reply.ts";

/**
 * - `reply`: `value` is one, `null` perhaps.
 * - `none`: more bytes are needed.
 * - `error`: the bytes are no reply; `errorText` says why. The decoder stays so.
 */
export type RespReplyEvent = "reply" | "none" | "error";

const nothing = Buffer.alloc(0);

const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/** How reading one element ended. `opened`: an aggregate began, its elements follow. */
type Step = "value" | "opened" | "incomplete" | "error";

export class RespReplyDecoder {
  value: RespReply = null;
  /** Why the bytes are no reply; empty while they are. */
  errorText = "";
  /** Bytes copied or searched for a line's end since the start: a measure for tests, linear in the bytes pushed. */
  workBytes = 0;

  #buffer: Buffer = nothing;
  /** Bytes of the buffer that have arrived. */
  #limit = 0;
  /** The next element starts here. */
  #at = 0;
  /** Up to here that element's line has been searched for its end. */
  #searched = 0;
  #replyBytes = 0;
  #open: RespAggregate[] = [];

  /** Takes bytes that arrived. They belong to the decoder from now on. */
  push(chunk: Uint8Array): void {
    if (this.errorText !== "" || chunk.length === 0) return;
    if (this.#at === this.#limit) {
      this.#buffer = asBuffer(chunk);
      this.#limit = chunk.length;
      this.#at = 0;
      this.#searched = 0;
      return;
    }
    this.#append(chunk);
  }

  /** Reads on to the next reply. */
  next(): RespReplyEvent {
    if (this.errorText !== "") return "error";
    for (;;) {
      const start = this.#at;
      const step = this.#readElement();
      this.#replyBytes += this.#at - start;
      if (step === "error") return "error";
      if (step === "incomplete") {
        if (this.#at === this.#limit) this.#release();
        return "none";
      }
      if (step === "value" && this.#close()) {
        this.#replyBytes = 0;
        return "reply";
      }
    }
  }

  /** Hands the value to the aggregate it belongs to, and that, if complete, to its own. True if `value` is then a whole reply. */
  #close(): boolean {
    for (;;) {
      const aggregate = this.#open.at(-1);
      if (aggregate === undefined) return true;
      aggregate.add(this.value);
      if (!aggregate.complete) return false;
      this.#open.pop();
      // Attributes are about the value that comes next; nobody here asks for them.
      if (aggregate.kind === "attribute") return false;
      this.value = aggregate.value();
    }
  }

  #readElement(): Step {
    const newline = this.#findLineEnd();
    if (newline < 0) {
      if (this.#limit - this.#at > limits.lineMaxBytes) return this.#fail("a line is too long");
      return "incomplete";
    }
    if (newline - this.#at < 2 || this.#buffer[newline - 1] !== carriageReturn) {
      return this.#fail("a line does not end in CRLF");
    }
    const type = String.fromCharCode(this.#buffer[this.#at] ?? 0);
    const line = this.#buffer.toString("utf8", this.#at + 1, newline - 1);
    if (this.#replyBytes + newline - this.#at > limits.respSkipMaxBytes) {
      return this.#fail("the reply is too long");
    }
    if (type === "$" || type === "=" || type === "!")
      return this.#readBulk(type, line, newline + 1);
    this.#at = newline + 1;
    return this.#readLine(type, line);
  }

  /** The place of the LF that ends the line of the next element; -1 if it has not arrived. */
  #findLineEnd(): number {
    const from = Math.max(this.#searched, this.#at);
    for (let at = from; at < this.#limit; at++) {
      if (this.#buffer[at] === lineFeed) {
        this.workBytes += at - from;
        this.#searched = at;
        return at;
      }
    }
    this.workBytes += this.#limit - from;
    this.#searched = this.#limit;
    return -1;
  }

  #readBulk(type: string, line: string, bodyStart: number): Step {
    if (type === "$" && line === "-1") {
      this.#at = bodyStart;
      return this.#give(null);
    }
    const length = parseCount(line);
    if (length < 0) return this.#fail(`${shown(line)} is no length`);
    if (this.#replyBytes + length > limits.respSkipMaxBytes) {
      return this.#fail("the reply is too long");
    }
    const end = bodyStart + length;
    if (end + 2 > this.#limit) return "incomplete";
    if (this.#buffer[end] !== carriageReturn || this.#buffer[end + 1] !== lineFeed) {
      return this.#fail("a bulk does not end in CRLF");
    }
    this.#at = end + 2;
    if (type === "$") return this.#give(Buffer.from(this.#buffer.subarray(bodyStart, end)));
    const text = this.#buffer.toString("utf8", bodyStart, end);
    if (type === "!") return this.#give(new RespError(text));
    // A verbatim text starts with its format and a colon: `txt:`.
    if (length < 4 || text[3] !== ":") return this.#fail("a verbatim text has no format");
    return this.#give(text.slice(4));
  }

  #readLine(type: string, line: string): Step {
    switch (type) {
      case "+":
        return this.#give(line);
      case "-":
        return this.#give(new RespError(line));
      case ":":
        return this.#giveInteger(line);
      case "(":
        if (!/^[+-]?\d{1,4096}$/.test(line)) return this.#fail(`${shown(line)} is no number`);
        return this.#give(BigInt(line.replace(/^\+/, "")));
      case ",":
        return this.#giveDouble(line);
      case "#":
        if (line !== "t" && line !== "f") return this.#fail(`${shown(line)} is no boolean`);
        return this.#give(line === "t");
      case "_":
        if (line !== "") return this.#fail("a null has no text");
        return this.#give(null);
      case "*":
        if (line === "-1") return this.#give(null);
        return this.#openAggregate("array", line);
      case "~":
        return this.#openAggregate("array", line);
      case "%":
        return this.#openAggregate("map", line);
      case ">":
        return this.#openAggregate("push", line);
      case "|":
        return this.#openAggregate("attribute", line);
      default:
        return this.#fail(`no reply starts with ${shown(type)}`);
    }
  }

  #giveInteger(line: string): Step {
    if (!/^[+-]?\d{1,19}$/.test(line)) return this.#fail(`${shown(line)} is no integer`);
    const value = Number(line);
    return this.#give(Number.isSafeInteger(value) ? value : BigInt(line.replace(/^\+/, "")));
  }

  #giveDouble(line: string): Step {
    if (/^[+-]?\d+(\.\d*)?(e[+-]?\d+)?$/i.test(line)) return this.#give(Number(line));
    if (line === "inf" || line === "+inf") return this.#give(Infinity);
    if (line === "-inf") return this.#give(-Infinity);
    if (line === "nan" || line === "-nan") return this.#give(Number.NaN);
    return this.#fail(`${shown(line)} is no double`);
  }

  #openAggregate(kind: RespAggregate["kind"], line: string): Step {
    const count = parseCount(line);
    if (count < 0) return this.#fail(`${shown(line)} is no count`);
    if (this.#open.length === limits.respReplyMaxDepth) {
      return this.#fail(`the reply is nested deeper than ${limits.respReplyMaxDepth}`);
    }
    const aggregate = new RespAggregate(kind, count);
    if (!aggregate.complete) {
      this.#open.push(aggregate);
      return "opened";
    }
    return kind === "attribute" ? "opened" : this.#give(aggregate.value());
  }

  #give(value: RespReply): Step {
    this.value = value;
    return "value";
  }

  /** Puts the chunk behind what has not been read; a pushed chunk has no room behind it, a buffer of ours may. Doubling makes moving that rest cost no more than its arrival. */
  #append(chunk: Uint8Array): void {
    if (this.#limit + chunk.length > this.#buffer.length) {
      const rest = this.#limit - this.#at;
      const larger = Buffer.allocUnsafeSlow((rest + chunk.length) * 2);
      this.#buffer.copy(larger, 0, this.#at, this.#limit);
      this.workBytes += rest;
      this.#buffer = larger;
      this.#searched = Math.max(0, this.#searched - this.#at);
      this.#at = 0;
      this.#limit = rest;
    }
    this.#buffer.set(chunk, this.#limit);
    this.workBytes += chunk.length;
    this.#limit += chunk.length;
  }

  #fail(text: string): Step {
    this.errorText = `Protocol error: ${text}`;
    this.#open = [];
    this.#release();
    return "error";
  }

  #release(): void {
    this.#buffer = nothing;
    this.#limit = 0;
    this.#at = 0;
    this.#searched = 0;
  }
}

/** A count or length without sign; -1 if the text is none. */
function parseCount(line: string): number {
  if (!/^\d{1,10}$/.test(line)) return -1;
  return Number(line);
}
