/**
 * The documents of a node: what surfaces ask of them (`DocumentService`), what links to other nodes do with them (`DocumentExchange`), and the guest that the node's turns serve.
 */
import { must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { canonicalText } from "../patch/canonical.ts";
import { changeDocument, checkedJson, checkedPatch } from "./document-change.ts";
import type { Document } from "./document.ts";
import { viewOf } from "./document-progress.ts";
import type { DocumentCounters } from "./document-counters.ts";
import { checkDocumentName, defaultDocument } from "./document-name.ts";
import { DocumentReader } from "./document-reader.ts";
import { decodeBase } from "./document-retention.ts";
import { DocumentShelf, type ShelfParts } from "./document-shelf.ts";
import type { DocumentSlot } from "./document-slot.ts";
import { DocumentStanding } from "./document-standing.ts";
import type {
  ClockOf,
  DocumentExchange,
  Head,
  PeerClocks,
  ReceivedSummary,
  Sender,
  WireTransaction,
} from "./exchange.ts";
import type {
  Accepted,
  ChangeOptions,
  Conflict,
  DocumentListener,
  DocumentService,
  DocumentStatus,
  DocumentView,
  DocumentWatch,
  HistoryPage,
  HistoryQuery,
  LinkStatus,
  Moment,
  Source,
  VectorClock,
} from "./vocabulary.ts";

export interface DocumentsParts extends ShelfParts {
  readonly nodeId: number;
}

export class Documents implements DocumentService, DocumentExchange {
  readonly nodeId: number;
  readonly #shelf: DocumentShelf;
  readonly #reader: DocumentReader;
  readonly #standing: DocumentStanding;
  #links: () => readonly LinkStatus[] = () => [];

  private constructor(parts: DocumentsParts, shelf: DocumentShelf) {
    this.nodeId = parts.nodeId;
    this.#shelf = shelf;
    this.#reader = new DocumentReader(parts.clock);
    this.#standing = new DocumentStanding(parts.clock, parts.logger, shelf.counters);
    shelf.onLoaded = (replica) => this.#standing.remind(replica);
  }

  /** Recovers all documents. Throws TrubaError DATADAMAGED or DATAVERSION when the journal cannot be read; a document whose own files are damaged answers so when it is used. */
  static async open(parts: DocumentsParts): Promise<Documents> {
    return new Documents(parts, await DocumentShelf.open(parts));
  }

  get source(): Source {
    return this.#shelf.source;
  }

  sourceOf(name: string): Source {
    return this.#shelf.slots.get(name)?.source ?? this.#shelf.source;
  }

  // The node's turns

  /** There is something that {@link seal} would stage or merge. */
  get gathered(): boolean {
    return this.#shelf.gathered;
  }

  /** Stages what has gathered, while the log is not busy. */
  seal(): void {
    this.#shelf.seal();
  }

  /** Shows and answers what has become durable. */
  confirm(): void {
    this.#shelf.confirm();
  }

  /** Nothing is in hand. */
  get idle(): boolean {
    return this.#shelf.idle;
  }

  /** Why nothing is written; `undefined`: it is. */
  set refusal(refusal: TrubaError | undefined) {
    this.#shelf.refusal = refusal;
  }

  /** Nothing can be made durable any more: what is in hand has an unknown outcome. */
  fail(error: Error): void {
    this.#shelf.fail(error);
  }

  /** What waits for the journal to put it into files waits no more: no turn comes any more. */
  stopCheckpoints(): void {
    this.#shelf.journal.fail(new TrubaError("STOPPED", "the node has stopped"));
  }

  /** Puts what the journal holds into the documents' own files, so that the log can be trimmed. Resolves with whether all of it is. */
  checkpoint(): Promise<boolean> {
    return this.#shelf.checkpoint();
  }

  // Surfaces

  list(after = "", count = 100): readonly string[] {
    const names: string[] = [];
    for (const name of this.names()) if (name > after) names.push(name);
    return names.toSorted().slice(0, Math.min(count, limits.listMaxCount));
  }

  async read(name: string, moment?: Moment): Promise<DocumentView> {
    const document = await this.#existing(name);
    if (moment !== undefined) return this.#reader.at(this.#slot(name), document, moment);
    return viewOf(name, await document.version("text"));
  }

  async patch(name: string, patch: string, options: ChangeOptions = {}): Promise<Accepted> {
    const document = await this.#writable(name);
    return changeDocument(document, checkedPatch(patch), options);
  }

  async put(name: string, text: string, options: ChangeOptions = {}): Promise<Accepted> {
    const document = await this.#writable(name);
    const value = checkedJson(text, "the document");
    const same = document.exists && canonicalText(value) === document.replica.text();
    return changeDocument(document, same ? [] : [{ op: "add", path: "", value }], options);
  }

  async history(name: string, query: HistoryQuery = {}): Promise<HistoryPage> {
    const document = await this.#existing(name);
    await document.version("facts");
    return this.#reader.page(this.#slot(name), document, query);
  }

  async conflicts(name: string, count = 1_000): Promise<readonly Conflict[]> {
    const document = await this.#existing(name);
    await document.version("facts");
    return this.#reader.conflicts(this.#slot(name), document, count);
  }

  async status(name: string): Promise<DocumentStatus> {
    const document = await this.#existing(name);
    return this.#standing.status(this.#slot(name), document, await document.version("hash"));
  }

  links(): readonly LinkStatus[] {
    return this.#links();
  }

  watch(name: string, listener: DocumentListener): DocumentWatch {
    this.#shelf.mustRun();
    const slot = this.#shelf.slot(name);
    this.#shelf.watcherOpened();
    let watch: DocumentWatch | undefined;
    let closed = false;
    const opened = async (): Promise<void> => {
      try {
        const document = await slot.use();
        if (!closed) watch = document.watchers.add(listener);
      } catch (error) {
        if (closed) return;
        closed = true;
        this.#shelf.watcherClosed();
        listener.ended(error instanceof Error ? error : new Error(String(error)));
      }
    };
    void opened();
    return {
      resume: () => watch?.resume(),
      close: () => {
        if (closed) return;
        closed = true;
        if (watch === undefined) this.#shelf.watcherClosed();
        else watch.close();
      },
    };
  }

  async evict(name: string, source: Source, signal?: AbortSignal): Promise<number> {
    const document = await this.#writable(name);
    if (source === document.replica.source)
      throw new TrubaError("BADVALUE", `${source} is this node, which cannot evict itself`);
    if (!document.replica.members().some((member) => member.source === source))
      throw new TrubaError("NOMEMBER", `${source} takes no part in document ${name}`);
    return document.evict(source, signal);
  }

  // Links

  *names(): Iterable<string> {
    for (const { name, exists } of this.#shelf.slots.values())
      if (exists || name === defaultDocument) yield name;
    if (!this.#shelf.slots.has(defaultDocument)) yield defaultDocument;
  }

  head(name: string): Head | undefined {
    const slot = this.#shelf.slots.get(name);
    return slot === undefined ? undefined : this.#standing.head(slot);
  }

  async after(
    name: string,
    source: Source,
    count: number,
    maxBytes: number,
  ): Promise<readonly WireTransaction[]> {
    this.#shelf.mustRun();
    return (await this.#shelf.slots.get(name)?.after(source, count, maxBytes)) ?? [];
  }

  async sequence(
    name: string,
    cursor: number,
    maxBytes: number,
  ): Promise<{ readonly transactions: readonly WireTransaction[]; readonly cursor: number }> {
    this.#shelf.mustRun();
    const slot = this.#shelf.slots.get(name);
    return slot === undefined ? { transactions: [], cursor } : slot.sequence(cursor, maxBytes);
  }

  async receive(
    name: string,
    transactions: readonly WireTransaction[],
    from: Sender,
  ): Promise<ReceivedSummary> {
    const document = await this.#writable(name);
    return document.arrive(transactions, from);
  }

  heard(name: string, clocks: PeerClocks): void {
    this.#standing.heard(name, clocks);
    // One that is not in memory has nothing that could become final; when it comes it is told.
    if (this.#shelf.slots.get(name)?.document === undefined) return;
    this.#later(name, (document) => {
      for (const [source, { clock, count }] of clocks)
        if (source !== document.replica.source) document.replica.heard(source, clock, count);
      document.unsettle();
    });
  }

  met(name: string, source: Source): void {
    this.#later(name, (document) => document.join(source));
  }

  get knownNodes(): ReadonlySet<Source> {
    return this.#shelf.knownNodes;
  }

  knows(sources: readonly Source[]): boolean {
    return this.#shelf.knows(sources);
  }

  expect(peers: number): void {
    this.#shelf.expect(peers);
  }

  clockFor(name: string): (ClockOf & { readonly source: Source }) | undefined {
    const slot = this.#shelf.slots.get(name);
    if (slot === undefined) return undefined;
    const { document } = slot;
    // Of one that is not in memory all is durable.
    const clock = document === undefined ? this.#shelf.promise() : document.promise();
    if (clock === undefined) return undefined;
    const { source } = slot;
    return { source, clock, count: slot.countOf(source) };
  }

  memberSaid(name: string, source: Source, vclock: VectorClock, hash: string | null): void {
    const slot = this.#shelf.slots.get(name);
    if (slot === undefined) return;
    slot.document?.replica.memberHas(source, vclock);
    this.#standing.said(slot, source, vclock, hash);
  }

  onDurable(listener: (name: string) => void): () => void {
    return this.#shelf.onDurable(listener);
  }

  setLinks(links: () => readonly LinkStatus[]): void {
    this.#links = links;
    this.#shelf.isLinked = (source) =>
      links().some((link) => link.source === source && link.state === "up");
  }

  base(name: string): Promise<string | undefined> {
    this.#shelf.mustRun();
    return this.#shelf.slots.get(name)?.givenUpBase() ?? Promise.resolve(undefined);
  }

  async installBase(name: string, base: string, _from: Sender): Promise<boolean> {
    this.#shelf.mustTake();
    return this.#shelf.installBase(name, decodeBase(base));
  }

  /** What all documents count since the start. */
  get counters(): DocumentCounters {
    return this.#shelf.counters;
  }

  /** Who follows documents. */
  get watchers(): number {
    return this.#shelf.watchers;
  }

  /** The document, to be looked at. Throws TrubaError NODOCUMENT. */
  async #existing(name: string): Promise<Document> {
    this.#shelf.mustRun();
    const known = this.#shelf.slots.get(name);
    if (known?.exists !== true && known?.damage === undefined && name !== defaultDocument) {
      checkDocumentName(name);
      throw new TrubaError("NODOCUMENT", `there is no document ${name}`);
    }
    return this.#shelf.slot(name).use();
  }

  /** The document, to be changed. */
  async #writable(name: string): Promise<Document> {
    this.#shelf.mustTake();
    const document = await this.#shelf.slot(name).use();
    this.#shelf.mustTake();
    return document;
  }

  #slot(name: string): DocumentSlot {
    return must(this.#shelf.slots.get(name));
  }

  /** What links tell of a document has no answer: it is done when the document is in memory, or not at all when its files are damaged. */
  #later(name: string, act: (document: Document) => void): void {
    if (this.#shelf.refusal !== undefined) return;
    const work = async (): Promise<void> => {
      try {
        act(await this.#shelf.slot(name).use());
      } catch (error) {
        if (!(error instanceof TrubaError)) throw error;
      }
    };
    const document = this.#shelf.slots.get(name)?.document;
    if (document === undefined || document.ready !== undefined) void work();
    else act(document);
  }
}
