/** The entries at the end of a log that are in memory: contiguous, added and cut at the back, let go at the front. */
import { assert, must } from "../base/assert.ts";
import { Fifo } from "../base/fifo.ts";
import type { Entry, Index } from "./vocabulary.ts";

/** What an entry costs beside its data, in memory and on the wire; also bounds how many empty ones fit into a limit. */
const entryOverheadBytes = 32;

export function bytesOf(entry: Entry): number {
  return entry.data.length + entryOverheadBytes;
}

export function bytesOfAll(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += bytesOf(entry);
  return bytes;
}

/** The bytes that proposers gave. */
export function dataBytesOf(entries: readonly { readonly data: Buffer }[]): number {
  let bytes = 0;
  for (const { data } of entries) bytes += data.length;
  return bytes;
}

export class EntryWindow {
  readonly #entries = new Fifo<Entry>();
  /** Index of the first entry held; where the next one goes when none is. */
  #first: Index;
  #bytes = 0;

  constructor(first: Index) {
    this.#first = first;
  }

  get first(): Index {
    return this.#first;
  }

  /** One above the last index held. */
  get end(): Index {
    return this.#first + this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(entry: Entry): void {
    assert(entry.index === this.end, "an entry must not leave a gap");
    this.#entries.push(entry);
    this.#bytes += bytesOf(entry);
  }

  get(index: Index): Entry {
    return this.#entries.at(index - this.#first);
  }

  /** Drops the entries at and above `index`. */
  truncate(index: Index): void {
    while (this.end > index && this.end > this.#first)
      this.#bytes -= bytesOf(must(this.#entries.pop()));
    if (this.#first > index) this.restart(index);
  }

  /** Holds nothing; the next entry is `first`. */
  restart(first: Index): void {
    this.#entries.clear();
    this.#first = first;
    this.#bytes = 0;
  }

  /** Lets entries up to `index` go, until what is held takes at most `bytes`. */
  letGo(index: Index, bytes: number): void {
    while (this.#first <= index && this.#entries.length > 0 && this.#bytes > bytes) {
      this.#bytes -= bytesOf(must(this.#entries.shift()));
      this.#first++;
    }
  }

  /** Entries `from` to below `to`, all of which are held: as many as `maxBytes` allow, at least one if there is one. */
  slice(from: Index, to: Index, maxBytes: number): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    for (let index = from; index < to; index++) {
      const entry = this.get(index);
      bytes += bytesOf(entry);
      if (bytes > maxBytes && entries.length > 0) break;
      entries.push(entry);
    }
    return entries;
  }
}
