/**
 * All documents of a node: those in memory, those that are not, their journal, and the node's turns as they see them.
 *
 *     gathered, seal   in every turn while the log is not busy: merges, and one batch of the journal for all documents
 *     confirm          in every turn: what has become durable is shown and answered
 */
import { type Clock, nextTurn } from "../base/clock.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { Wal } from "../wal/wal.ts";
import type { Document, DocumentHost } from "./document.ts";
import { DocumentCounters } from "./document-counters.ts";
import { checkDocumentName, directoryOf } from "./document-name.ts";
import { freshSource, recoverDocuments } from "./document-recovery.ts";
import { DocumentSlot } from "./document-slot.ts";
import { DocumentStore, type StoreParts, noFiles } from "./document-store.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import { IdleDocuments } from "./idle-documents.ts";
import { Journal } from "./journal.ts";
import { KnownNodes } from "./known-nodes.ts";
import { OwnClock } from "./own-clock.ts";
import type { Replica } from "./replica.ts";
import type { ReplicaBase } from "./replica-base.ts";
import { firstStamp } from "./stamp.ts";
import { openStore } from "./store-opening.ts";
import type { Source, Stamp } from "./vocabulary.ts";

export interface ShelfParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly wal: Wal;
  /** `documents` of the data directory; made when the first document is written there. */
  readonly directory: string;
  /** The node's name, under which it writes unless it had to take another. */
  readonly source: Source;
  readonly entryMaxBytes: number;
  /** How long history is kept; absent: for ever. */
  readonly historyDays?: number | undefined;
  /** Asks for a turn of the node. */
  readonly wake: () => void;
}

export class DocumentShelf implements DocumentHost {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters = new DocumentCounters();
  /** Told of each replica that begins its life. */
  onLoaded: (replica: Replica) => void = () => {};
  /** Whether a link to the node is up. */
  isLinked: (source: Source) => boolean = () => false;
  /** Why nothing new is taken; `undefined`: it is. */
  refusal: TrubaError | undefined;
  readonly #parts: ShelfParts;
  readonly #slots = new Map<string, DocumentSlot>();
  #own: OwnClock;
  #known: KnownNodes;
  #source: Source;
  /** With something for the next batch. */
  #changed = new Set<Document>();
  /** With something that is sealed and not durable. */
  readonly #sealed = new Set<Document>();
  readonly #durableListeners = new Set<(name: string) => void>();
  #watchers = 0;
  #peers = 0;
  #confirmed: number;
  #failed: Error | undefined;
  readonly #idle: IdleDocuments;
  #checkpointing: Promise<boolean> | undefined;
  /** Entry of the journal in which the last checkpoint said again what concerns the whole node; 0: it holds nothing. */
  #restated = 0;

  private constructor(parts: ShelfParts) {
    this.#parts = parts;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.#source = parts.source;
    const { wal, clock, entryMaxBytes, wake } = parts;
    this.journal = new Journal({ wal, clock, entryMaxBytes, wake });
    this.#own = new OwnClock(clock, this.journal, firstStamp);
    this.#known = new KnownNodes(this.journal, []);
    this.#idle = new IdleDocuments(clock, this.#slots);
    this.#confirmed = this.journal.durable;
  }

  /** Recovers what the files and the journal hold. Throws TrubaError DATADAMAGED or DATAVERSION when the journal cannot be read. */
  static async open(parts: ShelfParts): Promise<DocumentShelf> {
    const shelf = new DocumentShelf(parts);
    const { source, ceiling, known } = await recoverDocuments({
      ...parts,
      journal: shelf.journal,
      slots: shelf.#slots,
      storeParts: (name) => shelf.#storeParts(name),
      put: (name, store) => shelf.#put(name, store),
    });
    shelf.#source = source;
    shelf.#own = new OwnClock(parts.clock, shelf.journal, ceiling);
    shelf.#known = new KnownNodes(shelf.journal, known);
    shelf.#idle.start();
    void shelf.#loadTails();
    return shelf;
  }

  get hybridClock(): HybridClock {
    return this.#own.hybrid;
  }

  /** The node's name as an author. */
  get source(): Source {
    return this.#source;
  }

  get slots(): ReadonlyMap<string, DocumentSlot> {
    return this.#slots;
  }

  get watchers(): number {
    return this.#watchers;
  }

  /** Throws what stands against anything being written now. */
  mustTake(): void {
    if (this.#failed !== undefined) throw stopped();
    if (this.refusal !== undefined) throw this.refusal;
    if (this.journal.openBytes > limits.pipelineMaxBytes) {
      throw new TrubaError(
        "OVERLOADED",
        `${this.journal.openBytes} bytes of documents wait for the disk; the limit is ${limits.pipelineMaxBytes}`,
        { retryAfterMs: limits.overloadedRetryAfterMs },
      );
    }
  }

  mustRun(): void {
    if (this.#failed !== undefined) throw stopped();
  }

  /** The slot of a document, which is made if there is none. Throws TrubaError BADDOCUMENTNAME or OVERLOADED. */
  slot(name: string): DocumentSlot {
    let slot = this.#slots.get(name);
    if (slot !== undefined) return slot;
    checkDocumentName(name);
    if (this.#slots.size >= limits.documentsMaxCount) {
      throw new TrubaError(
        "OVERLOADED",
        `the node has ${this.#slots.size} documents, as many as it may; ${name} would be one more`,
        { retryAfterMs: limits.documentIdleMs },
      );
    }
    slot = this.#open(name);
    return slot;
  }

  get knownNodes(): ReadonlySet<Source> {
    return this.#known.sources;
  }

  /** Truba nodes that were met or heard of are members of all documents. Says whether one is new. */
  knows(sources: readonly Source[]): boolean {
    const added = this.#known.add(sources.filter((source) => source !== this.#source));
    for (const { document } of this.#slots.values())
      for (const source of added) document?.join(source);
    return added.length > 0;
  }

  /** Several configured peers have not said who they are. */
  expect(peers: number): void {
    this.#peers = peers;
    for (const { document } of this.#slots.values()) {
      document?.replica.expect(peers);
      document?.unsettle();
    }
  }

  watcherOpened(): void {
    if (this.#watchers >= limits.documentWatchersMaxCount) {
      throw new TrubaError(
        "OVERLOADED",
        `${this.#watchers} watchers follow documents of this node, as many as may`,
        { retryAfterMs: limits.overloadedRetryAfterMs },
      );
    }
    this.#watchers++;
  }

  onDurable(listener: (name: string) => void): () => void {
    this.#durableListeners.add(listener);
    return () => {
      this.#durableListeners.delete(listener);
    };
  }

  /** Takes the base of a peer in place of history that nobody has any more. Says whether it was taken: only for a document of which nothing is held. */
  async installBase(name: string, base: ReplicaBase): Promise<boolean> {
    const slot = this.slot(name);
    const isFree = (): boolean => !slot.exists && slot.document?.unused !== false;
    if (!isFree() || slot.damage !== undefined) return false;
    await slot.install(base);
    if (!isFree()) return false;
    const { store, damage } = openStore(this.#storeParts(name));
    const anew = this.#put(name, store);
    if (damage !== undefined) throw anew.failed(damage);
    this.durable(name);
    return true;
  }

  // DocumentHost

  get historyDays(): number | undefined {
    return this.#parts.historyDays;
  }

  changed(document: Document): void {
    if (this.#changed.has(document)) return;
    this.#changed.add(document);
    this.#parts.wake();
  }

  ceiling(): Stamp {
    const { ceiling } = this.#own;
    if (this.#own.due) this.#parts.wake();
    return ceiling;
  }

  /** What this node promises of documents of which nothing of its own is on its way. */
  promise(): Stamp | undefined {
    return this.#own.within(this.ceiling(), this.#own.hybrid.now());
  }

  durable(name: string): void {
    for (const listener of this.#durableListeners) listener(name);
  }

  watcherClosed(): void {
    this.#watchers--;
  }

  loaded(replica: Replica): void {
    replica.expect(this.#peers);
    this.#known.loaded(replica.name, replica.evicted());
    for (const source of this.#known.sources) replica.join(source);
    this.onLoaded(replica);
  }

  rebuild(document: Document, previous: Replica): Promise<Replica> {
    return this.slot(document.name).rebuild(previous);
  }

  newSource(document: Document): Source {
    const source = freshSource(this.#parts.random, document.replica.source);
    this.slot(document.name).source = source;
    return source;
  }

  // The node's turns

  get gathered(): boolean {
    return this.#changed.size > 0 || this.journal.gathered || this.#own.due;
  }

  seal(): void {
    const documents = this.#changed;
    this.#changed = new Set();
    for (const document of documents) document.merge();
    // What is written now is final only when more may be promised.
    if (documents.size > 0) this.ceiling();
    this.#own.beforeSeal();
    for (const document of documents) {
      document.seal();
      this.#sealed.add(document);
      // What merging has said of it is in this batch.
      this.#changed.delete(document);
    }
    this.journal.seal();
  }

  confirm(): void {
    const { durable } = this.journal;
    if (durable === this.#confirmed && this.#sealed.size === 0) return;
    this.#confirmed = durable;
    const raised = this.#own.confirm(durable);
    this.journal.confirm();
    for (const document of this.#sealed) {
      if (!document.confirm(durable)) this.#sealed.delete(document);
      const evicted = document.replica.evicted();
      if (evicted.length > 0)
        this.#known.evictedFrom(document.name, evicted, (source) => this.isLinked(source));
    }
    if (raised)
      for (const { document } of this.#slots.values())
        if (document?.tentative === true) document.unsettle();
  }

  /** All that was taken is durable and answered. */
  get idle(): boolean {
    return this.#changed.size === 0 && this.#sealed.size === 0 && this.journal.idle;
  }

  /** Nothing can be made durable any more. */
  fail(error: Error): void {
    if (this.#failed !== undefined) return;
    this.#failed = error;
    this.#idle.stop();
    this.journal.fail(stopped());
    for (const { document } of this.#slots.values()) document?.fail(stopped());
  }

  /** Puts what the journal holds into files, so that the log can be trimmed. Resolves with whether all of it is. */
  checkpoint(): Promise<boolean> {
    this.#checkpointing ??= this.#checkpoint().finally(() => {
      this.#checkpointing = undefined;
    });
    return this.#checkpointing;
  }

  async #checkpoint(): Promise<boolean> {
    const { journal } = this;
    // Where nothing has changed nothing is written: that alone would be a turn, which asks for the next round.
    const unchanged = journal.durable === this.#restated && !journal.gathered;
    if (unchanged && [...this.#slots.values()].every((slot) => slot.isCheckpointed)) return true;
    // What concerns the whole node is said again in an entry that stays.
    this.#own.beforeSeal(true);
    this.#known.restate();
    const restated = journal.node(this.#source);
    try {
      await journal.whenDurable(restated);
    } catch {
      // The node stops.
      return false;
    }
    this.#restated = restated;
    let all = true;
    let trimTo = restated - 1;
    for (const slot of this.#slots.values()) {
      if (journal.failed) return false;
      const done = slot.isCheckpointed || (await slot.checkpoint());
      if (!done) all = false;
      trimTo = Math.min(trimTo, slot.firstIndex - 1);
    }
    if (!journal.failed && trimTo > 0) journal.trim(trimTo);
    return all;
  }

  #storeParts(name: string): StoreParts {
    const { files, clock, logger, directory } = this.#parts;
    return { files, clock, logger, directory: `${directory}/${directoryOf(name)}` };
  }

  /** A document of which the disk has no files. */
  #open(name: string): DocumentSlot {
    return this.#put(name, new DocumentStore(this.#storeParts(name), noFiles));
  }

  #put(name: string, store: DocumentStore): DocumentSlot {
    const slot = new DocumentSlot(this, name, store, this.#source);
    this.#slots.set(name, slot);
    return slot;
  }

  /** Of what the journal has of a document something may not be final yet, or above a cut: that is known only of a document in memory. */
  async #loadTails(): Promise<void> {
    for (const slot of this.#slots.values()) {
      if (slot.tail.length === 0 || slot.damage !== undefined) continue;
      await nextTurn(this.clock);
      if (this.#failed !== undefined) return;
      try {
        await slot.use();
      } catch (error) {
        // Who uses it is told.
        this.logger.warn(
          { document: slot.name, error: errorText(error) },
          "a document cannot be loaded",
        );
      }
    }
  }
}

function stopped(): TrubaError {
  return new TrubaError("STOPPED", "the node has stopped");
}
