/**
 * What a node has of one document, in memory or not: its transactions that are not in history files, its files, and, while it is in use, the document itself.
 *
 * It is loaded from the newest checkpoint, what history holds behind it, and what the journal holds behind that. A document whose files are damaged answers DOCUMENTDAMAGED until the
 * node starts again; nothing of it is changed on disk.
 */
import { nextTurn } from "../base/clock.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import { makeCheckpoint, Unplaced } from "./checkpoint-maker.ts";
import { Document } from "./document.ts";
import type { DocumentHost } from "./document.ts";
import type { DocumentStore } from "./document-store.ts";
import type { WireTransaction } from "./exchange.ts";
import type { KeptTransaction } from "./journal-batch.ts";
import { defaultDocument } from "./document-name.ts";
import { withRetention } from "./document-retention.ts";
import { KeptTail } from "./kept-tail.ts";
import { Replica } from "./replica.ts";
import type { ReplicaBase } from "./replica-base.ts";
import type { Source, VectorClock } from "./vocabulary.ts";

export class DocumentSlot {
  readonly name: string;
  readonly store: DocumentStore;
  readonly tail: KeptTail;
  /** Under which this node writes it. */
  source: Source;
  damage: TrubaError | undefined;
  readonly #host: DocumentHost;
  /** While it is not in memory. */
  #index: number;
  readonly #unplaced = new Unplaced();
  /** What the journal has of a damaged document and cannot be joined to its files. */
  readonly #orphans: KeptTransaction[] = [];
  #rescued = false;
  #document: Document | undefined;
  #loading: Promise<Document> | undefined;
  #checkpointing: Promise<boolean> | undefined;

  constructor(host: DocumentHost, name: string, store: DocumentStore, source: Source) {
    this.#host = host;
    this.name = name;
    this.store = store;
    this.source = store.head?.source ?? source;
    this.#index = store.head?.index ?? 0;
    this.tail = new KeptTail(store.history.last, new Map(store.head?.counts));
  }

  /** The last journal entry that has something of it. */
  get index(): number {
    return this.#document?.index ?? this.#index;
  }

  /** In memory, if it is. */
  get document(): Document | undefined {
    return this.#document;
  }

  /** Somebody has written it, durably or not. */
  get exists(): boolean {
    return this.tail.counts.size > 0 || this.tail.length > 0;
  }

  /** A transaction that the journal holds, found at the start. */
  recovered(transaction: KeptTransaction, index: number): void {
    const { source, id } = transaction;
    const last = this.tail.lastOf(source);
    if (this.damage !== undefined) {
      this.#orphans.push(transaction);
      return;
    }
    // A checkpoint may be newer than the place from which the journal is still kept.
    if (id <= last) return;
    if (id !== last + 1) {
      this.damage ??= new TrubaError(
        "DOCUMENTDAMAGED",
        `document ${this.name} has lost transactions ${last + 1} to ${id - 1} of ${source}: neither its files nor the journal have them`,
      );
      this.#orphans.push(transaction);
      return;
    }
    this.tail.add(transaction, index);
    this.#index = index;
  }

  /** The document, loaded if it was not. Throws or rejects with TrubaError DOCUMENTDAMAGED. */
  use(): Document | Promise<Document> {
    if (this.damage !== undefined) throw this.damage;
    const document = this.#document;
    if (document === undefined) {
      this.#loading ??= this.#load().finally(() => {
        this.#loading = undefined;
      });
      return this.#loading;
    }
    document.usedMs = this.#host.clock.monotonicMs();
    const { ready } = document;
    return ready === undefined ? document : ready.then(() => this.use());
  }

  /** Durable transactions of a source behind its first `count`, as `DocumentExchange.after` says. */
  async after(source: Source, count: number, maxBytes: number): Promise<WireTransaction[]> {
    if (this.damage !== undefined) throw this.damage;
    const last = this.countOf(source);
    if (count >= last) return [];
    const first = this.tail.firstOf(source);
    const found =
      first !== undefined && count + 1 >= first
        ? this.tail.after(source, count + 1, maxBytes)
        : await this.#guard(this.store.ofSource(source, count + 1, maxBytes));
    return found.filter(({ id }) => id <= last).map(wireOf);
  }

  /** As `DocumentExchange.sequence` says. */
  async sequence(
    cursor: number,
    maxBytes: number,
  ): Promise<{ transactions: WireTransaction[]; cursor: number }> {
    if (this.damage !== undefined) throw this.damage;
    if (cursor >= this.tail.durable) return { transactions: [], cursor };
    const from = cursor + 1;
    const found =
      from > this.tail.before
        ? this.tail.from(from, maxBytes)
        : await this.#guard(this.store.from(from, maxBytes));
    const counted = found.filter(({ source, id }) => id <= this.countOf(source));
    return { transactions: counted.map(wireOf), cursor: cursor + found.length };
  }

  /** Durable transactions by source, but for those above the cuts of evictions. */
  get vclock(): VectorClock {
    return Object.fromEntries(
      [...this.tail.counts.keys()].map((source) => [source, this.countOf(source)]),
    );
  }

  /** Durable transactions of a source, but for those above the cut of its eviction. */
  countOf(source: Source): number {
    return Math.min(this.tail.counts.get(source) ?? 0, this.cutOf(source) ?? Infinity);
  }

  /** Of a source that was evicted; `undefined`: it was not, or that is not agreed. */
  cutOf(source: Source): number | undefined {
    if (this.#document !== undefined) return this.#document.replica.cutOf(source);
    return this.store.head?.cuts.find(([evicted]) => evicted === source)?.[1];
  }

  /** Its files hold all that the journal holds of it. */
  get isCheckpointed(): boolean {
    if (this.damage !== undefined) return this.#rescued;
    return this.index <= (this.store.head?.index ?? 0);
  }

  /** The first journal entry that has something of it that is not in its files; Infinity: none. */
  get firstIndex(): number {
    if (this.isCheckpointed) return Infinity;
    // Of a damaged one the journal keeps all.
    if (this.damage !== undefined) return 0;
    return this.tail.entries[0]?.index ?? this.index;
  }

  /** This node writes it under another name from this entry on. */
  renamed(source: Source, index: number): void {
    this.source = source;
    this.#index = index;
  }

  /** Puts what is durable into files. Resolves with whether it is all there; false when the disk refuses, and then everything is as it was. */
  async checkpoint(): Promise<boolean> {
    this.#checkpointing ??= this.#checkpoint().finally(() => {
      this.#checkpointing = undefined;
    });
    return this.#checkpointing;
  }

  /** Takes it out of memory, if nobody has used it since `before` (monotonic, ms). */
  async unload(before: number): Promise<void> {
    if (!this.isCheckpointed && !(await this.checkpoint())) return;
    const document = this.#document;
    if (document?.unused !== true || !this.isCheckpointed || document.usedMs > before) return;
    this.#index = document.index;
    this.#document = undefined;
    this.#unplaced.clear();
  }

  /** What a peer begins with that needs more than history still has; `undefined`: history has all. */
  async givenUpBase(): Promise<string | undefined> {
    if (this.damage !== undefined || this.store.history.first === 1) return undefined;
    const { base } = await this.#guard(this.store.readBase());
    return base === undefined ? undefined : JSON.stringify(base);
  }

  /** Begins with the base of a peer, on disk; the slot is to be opened anew. */
  async install(base: ReplicaBase): Promise<void> {
    const begin = base.transactions + 1;
    await this.store.install(
      {
        name: this.name,
        source: this.source,
        // What comes into the entry that is gathered now is not in it.
        index: Math.min(this.index, this.#host.journal.next - 1),
        counts: base.sources.map(({ source, count }) => [source, count] as const),
        cuts: base.evictions.flatMap(({ source, cut }): (readonly [Source, number])[] =>
          cut === undefined ? [] : [[source, cut]],
        ),
        restoreFrom: begin,
        begin: { history: begin, order: begin },
        hash: null,
      },
      base,
    );
  }

  async #checkpoint(): Promise<boolean> {
    const { journal, logger } = this.#host;
    try {
      if (this.damage !== undefined) {
        await this.#rescue();
        return true;
      }
      const document = await this.use();
      const made = await makeCheckpoint({
        clock: this.#host.clock,
        document,
        unplaced: this.#unplaced,
        closed: journal.next - 1,
        begin: this.store.head?.begin ?? { history: 1, order: 1 },
        ordered: this.store.order.last,
      });
      await journal.whenDurable(made.index);
      const { historyDays: days, clock } = this.#host;
      const nowMs = clock.wallMs();
      await this.store.write(
        await withRetention(made.content, { store: this.store, document, days, nowMs }),
      );
      this.tail.moved(made.content.history.length);
      made.written();
      return true;
    } catch (error) {
      logger.error(
        { document: this.name, error: errorText(error) },
        "a document's checkpoint failed",
      );
      return false;
    }
  }

  /** What the journal has of a damaged document goes into a file of its own: the log must not grow for ever, and nothing may be lost. */
  async #rescue(): Promise<void> {
    const kept = this.tail.entries.map(({ transaction }) => transaction);
    const all = [...kept, ...this.#orphans];
    if (all.length > 0) await this.store.rescue(all);
    this.#rescued = true;
  }

  /** Runs what reads this document's files; damage is for good. */
  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.failed(error);
    }
  }

  /** The files of the document cannot be used: it is out of service, and all others go on. */
  failed(error: unknown): TrubaError {
    if (!(error instanceof TrubaError) || error.code !== "DOCUMENTDAMAGED")
      return error instanceof TrubaError
        ? error
        : new TrubaError("DOCUMENTDAMAGED", `document ${this.name}: ${errorText(error)}`, {
            cause: error,
          });
    if (this.damage === undefined) {
      this.damage = error;
      this.#host.logger.error(
        { document: this.name, error: error.message },
        "a document is damaged",
      );
      this.#document?.fail(error);
    }
    return error;
  }

  /** Makes a replica of everything that was ever stored. */
  async rebuild(previous: Replica): Promise<Replica> {
    return this.#guard(this.#rebuild(previous));
  }

  async #rebuild(previous: Replica): Promise<Replica> {
    if (this.store.history.first > 1) throw this.store.trimmed();
    this.#host.logger.warn(
      { document: this.name, transactions: previous.transactions },
      "a document is folded anew from history",
    );
    let replica = Replica.successor(previous);
    for (;;) {
      await this.#restore(replica, 1, undefined);
      const kept = this.tail.entries.map(({ transaction }) => transaction);
      replica.restore(kept);
      if (!replica.restored().belowBase) return replica;
      replica = Replica.successor(replica);
    }
  }

  async #load(): Promise<Document> {
    const { base, restoreFrom, healed } = await this.#guard(this.store.readBase());
    const { name, source } = this;
    const { hybridClock } = this.#host;
    const lenient = name === defaultDocument;
    const options = { name, source, lenient, clock: hybridClock };
    let replica = new Replica(base === undefined ? options : { ...options, base });
    this.#unplaced.clear();
    await this.#guard(this.#restore(replica, restoreFrom, base));
    replica.restore(this.tail.entries.map(({ transaction }) => transaction));
    const belowBase = replica.restored().belowBase;
    if (belowBase) replica = await this.rebuild(replica);
    this.#host.loaded(replica);
    const document = new Document(this.#host, replica, this.tail, this.#index);
    document.orderIsStale = healed || belowBase;
    document.begin();
    this.#document = document;
    return document;
  }

  /** Gives a replica what history has from a record on, and notes where those stand that the base does not cover. */
  async #restore(replica: Replica, from: number, base: ReplicaBase | undefined): Promise<void> {
    const covered = new Map(base?.sources.map((each) => [each.source, each]));
    for await (const piece of this.store.scan(from)) {
      replica.restore(piece.map(({ transaction }) => transaction));
      for (const { number, transaction } of piece) {
        const { source, id } = transaction;
        const settled = covered.get(source);
        if (settled !== undefined && (id <= settled.count || settled.ahead?.includes(id) === true))
          continue;
        this.#unplaced.add(source, id, number);
      }
      await nextTurn(this.#host.clock);
    }
  }
}

function wireOf({ source, id, payload, zeroBased }: KeptTransaction): WireTransaction {
  return { source, id: zeroBased ? id - 1 : id, payload };
}
