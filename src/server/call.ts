/**
 * A command's arguments, where they lie: in a decoder's buffer while it is being handled, or in a copy when it has to wait.
 */
import { must } from "../base/assert.ts";
import { shown } from "../base/shown-value.ts";

/** Arguments 0 (the name) to `count` - 1, each the bytes start(i) to end(i) of `buffer`. */
export interface Call {
  readonly buffer: Buffer;
  readonly count: number;
  start(index: number): number;
  end(index: number): number;
}

/** A call that outlives its decoder's next step. */
export class CopiedCall implements Call {
  readonly buffer: Buffer;
  readonly count: number;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /** Copies arguments `first` and on, up to `end` (all by default). */
  constructor(call: Call, first = 0, end = call.count) {
    let bytes = 0;
    for (let i = first; i < end; i++) bytes += call.end(i) - call.start(i);
    this.buffer = Buffer.allocUnsafe(bytes);
    this.count = end - first;
    let at = 0;
    for (let i = first; i < end; i++) {
      this.#starts.push(at);
      at += call.buffer.copy(this.buffer, at, call.start(i), call.end(i));
      this.#ends.push(at);
    }
  }

  start(index: number): number {
    return must(this.#starts[index]);
  }

  end(index: number): number {
    return must(this.#ends[index]);
  }
}

/** Another call's arguments with some at the start replaced by one name: FCALL, and commands with their options cut off. */
export class CallView implements Call {
  readonly #call: Call;
  readonly #nameIndex: number;
  readonly #skip: number;
  readonly count: number;

  /** Argument 0 is the call's argument `nameIndex`, argument 1 its argument `firstIndex`, and so on up to `end`. */
  constructor(call: Call, view: { nameIndex: number; firstIndex: number; end: number }) {
    this.#call = call;
    this.#nameIndex = view.nameIndex;
    this.#skip = view.firstIndex - 1;
    this.count = view.end - this.#skip;
  }

  get buffer(): Buffer {
    return this.#call.buffer;
  }

  start(index: number): number {
    return this.#call.start(index === 0 ? this.#nameIndex : index + this.#skip);
  }

  end(index: number): number {
    return this.#call.end(index === 0 ? this.#nameIndex : index + this.#skip);
  }
}

/** An argument as text; bytes that are not UTF-8 become U+FFFD. */
export function textOf(call: Call, index: number): string {
  return call.buffer.toString("utf8", call.start(index), call.end(index));
}

/** Whether an argument is this word, in any case. `word` is in capitals, of ASCII letters and digits. */
export function isWord(call: Call, index: number, word: string): boolean {
  const start = call.start(index);
  if (call.end(index) - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    const byte = call.buffer[start + i] as number;
    const upper = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
    if (upper !== word.charCodeAt(i)) return false;
  }
  return true;
}

/** An argument as a whole number of decimal digits, perhaps with a sign, within ±2^53; `undefined` if it is none. */
export function integerOf(call: Call, index: number): number | undefined {
  const text = call.buffer.toString("latin1", call.start(index), call.end(index));
  if (!/^[+-]?\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** An argument for an error message: printable, and short. */
export function quoted(call: Call, index: number): string {
  return shown(textOf(call, index));
}
