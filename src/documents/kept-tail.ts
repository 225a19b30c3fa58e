/**
 * The transactions of a document that are not in its history files yet, in the order in which this node took them, and which of them are durable.
 * Peers are sent durable ones only.
 */
import { assert, must } from "../base/assert.ts";
import type { KeptTransaction } from "./journal-batch.ts";
import type { Source } from "./vocabulary.ts";

export interface KeptEntry {
  readonly transaction: KeptTransaction;
  /** Of the journal entry that has it; 0: it was read from a history file. */
  readonly index: number;
}

export class KeptTail {
  /** How many transactions came before: those in the history files. */
  #before: number;
  #entries: KeptEntry[] = [];
  readonly #bySource = new Map<Source, KeptEntry[]>();
  /** How many of `#entries` are durable. */
  #durable = 0;
  readonly #counts: Map<Source, number>;

  /** `before`: transactions in history files, of each source so many as `counts` says. */
  constructor(before: number, counts: ReadonlyMap<Source, number>) {
    this.#before = before;
    this.#counts = new Map(counts);
  }

  /** Durable transactions, by source. */
  get counts(): ReadonlyMap<Source, number> {
    return this.#counts;
  }

  /** Transactions in history files. */
  get before(): number {
    return this.#before;
  }

  /** Transactions here. */
  get length(): number {
    return this.#entries.length;
  }

  /** Durable transactions, those in history files among them. */
  get durable(): number {
    return this.#before + this.#durable;
  }

  add(transaction: KeptTransaction, index: number): void {
    const entry = { transaction, index };
    const before = this.lastOf(transaction.source);
    this.#entries.push(entry);
    let own = this.#bySource.get(transaction.source);
    if (own === undefined) {
      own = [];
      this.#bySource.set(transaction.source, own);
    }
    assert(transaction.id === before + 1, "the Ids of a source have no gaps");
    own.push(entry);
  }

  /** What stands in the journal up to `index` is durable. Says whether anything has become so. */
  confirm(index: number): boolean {
    const before = this.#durable;
    for (; this.#durable < this.#entries.length; this.#durable++) {
      const entry = must(this.#entries[this.#durable]);
      if (entry.index > index) break;
      this.#counts.set(entry.transaction.source, entry.transaction.id);
    }
    return this.#durable > before;
  }

  /** The highest Id of a source, durable or not. */
  lastOf(source: Source): number {
    return this.#bySource.get(source)?.at(-1)?.transaction.id ?? this.#counts.get(source) ?? 0;
  }

  /** The lowest Id of a source here; `undefined`: there is none. */
  firstOf(source: Source): number | undefined {
    return this.#bySource.get(source)?.[0]?.transaction.id;
  }

  /** The transaction of a source, if it is here. */
  find(source: Source, id: number): KeptTransaction | undefined {
    const own = this.#bySource.get(source);
    const first = own?.[0];
    if (own === undefined || first === undefined) return undefined;
    return own[id - first.transaction.id]?.transaction;
  }

  /** Durable ones of a source from `id` on, which is here: as many as `maxBytes` of payloads allow, and at least one. */
  after(source: Source, id: number, maxBytes: number): KeptTransaction[] {
    const own = this.#bySource.get(source) ?? [];
    const found: KeptTransaction[] = [];
    const last = this.#counts.get(source) ?? 0;
    let bytes = 0;
    for (let at = id - must(own[0]).transaction.id; at < own.length; at++) {
      const { transaction } = must(own[at]);
      bytes += transaction.payload.length;
      if (transaction.id > last || (found.length > 0 && bytes > maxBytes)) break;
      found.push(transaction);
    }
    return found;
  }

  /** Durable ones from the place `number` on (from 1, over all that this node ever took), which is here. */
  from(number: number, maxBytes: number): KeptTransaction[] {
    const found: KeptTransaction[] = [];
    let bytes = 0;
    for (let at = number - this.#before - 1; at < this.#durable; at++) {
      const { transaction } = must(this.#entries[at]);
      bytes += transaction.payload.length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(transaction);
    }
    return found;
  }

  /** All that are here, in order; not to be kept. */
  get entries(): readonly KeptEntry[] {
    return this.#entries;
  }

  /** The first `count`, durable ones, are in history files now. */
  moved(count: number): void {
    assert(count <= this.#durable, "only what is durable goes into history");
    for (const { transaction } of this.#entries.slice(0, count)) {
      const own = must(this.#bySource.get(transaction.source));
      if (own.at(-1)?.transaction.id === transaction.id) this.#bySource.delete(transaction.source);
    }
    const remaining = this.#entries.slice(count);
    // Those of sources that have newer ones here.
    const firsts = new Map<Source, number>();
    for (const { transaction } of remaining)
      if (!firsts.has(transaction.source)) firsts.set(transaction.source, transaction.id);
    for (const [source, own] of this.#bySource) {
      const first = must(firsts.get(source));
      this.#bySource.set(source, own.slice(first - must(own[0]).transaction.id));
    }
    this.#entries = remaining;
    this.#before += count;
    this.#durable -= count;
  }
}
