/** The transactions of documents without the documents: a `DocumentExchange` in memory for tests of links, with the promises of the real one: FIFO for each source, gaps told, forgeries refused. */
import { TrubaError } from "../../../src/base/errors.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type {
  ClockOf,
  DocumentExchange,
  Gap,
  Head,
  PeerClocks,
  ReceivedSummary,
  Sender,
  WireTransaction,
} from "../../../src/documents/exchange.ts";
import type { LinkStatus, Source, VectorClock } from "../../../src/documents/vocabulary.ts";

interface Held {
  readonly bySource: Map<Source, WireTransaction[]>;
  readonly order: WireTransaction[];
  readonly early: Map<string, WireTransaction>;
  readonly clocks: Map<Source, ClockOf>;
  readonly members: Set<Source>;
  readonly said: Map<Source, VectorClock>;
}

export class MemoryExchange implements DocumentExchange {
  readonly knownNodes = new Set<Source>();
  readonly nodeId: number;
  readonly source: Source;
  /** What arrived, in order: the calls of `receive`. */
  readonly arrivals: { document: string; ids: string[]; from: Sender }[] = [];
  expected = -1;
  /** Members are waited for. */
  tentative = false;
  /** Refuses what comes. */
  refusal: TrubaError | undefined;
  /** So many transactions of each source have no history any more. */
  trimmed = 0;
  /** How long it takes until something is durable. */
  durableMs = 0;
  forgedCount = 0;
  duplicateCount = 0;
  readonly #clock: Clock;
  readonly #documents = new Map<string, Held>();
  readonly #listeners = new Set<(name: string) => void>();
  links: () => readonly LinkStatus[] = () => [];

  constructor(clock: Clock, source: Source, nodeId: number) {
    this.#clock = clock;
    this.source = source;
    this.nodeId = nodeId;
  }

  /** Makes transactions of this node's own. */
  write(count: number, document = "default", payload = "[]"): void {
    const held = this.#of(document);
    for (let made = 0; made < count; made++) {
      const id = (held.bySource.get(this.source)?.length ?? 0) + 1;
      this.#keep(held, { source: this.source, id, payload });
    }
    this.#told(document);
  }

  /** Every transaction of the document as `source:id`, in the order in which this node took them. */
  log(document = "default"): readonly string[] {
    return (this.#documents.get(document)?.order ?? []).map(({ source, id }) => `${source}:${id}`);
  }

  members(document = "default"): readonly Source[] {
    return [...(this.#documents.get(document)?.members ?? [])].toSorted();
  }

  said(source: Source, document = "default"): VectorClock | undefined {
    return this.#documents.get(document)?.said.get(source);
  }

  clockOf(source: Source, document = "default"): ClockOf | undefined {
    return this.#documents.get(document)?.clocks.get(source);
  }

  sourceOf(): Source {
    return this.source;
  }

  names(): Iterable<string> {
    return this.#documents.keys();
  }

  head(name: string): Head | undefined {
    const held = this.#documents.get(name);
    if (held === undefined) return undefined;
    const vclock = Object.fromEntries(
      [...held.bySource].map(([source, all]) => [source, all.length]),
    );
    return {
      vclock,
      hash: undefined,
      frontier: null,
      clocks: held.clocks,
      tentative: this.tentative,
    };
  }

  async after(name: string, source: Source, count: number, maxBytes: number) {
    await this.#turn();
    if (count < this.trimmed)
      throw new TrubaError("HISTORYTRIMMED", `history begins behind ${this.trimmed}`);
    return within(this.#documents.get(name)?.bySource.get(source) ?? [], count, maxBytes);
  }

  async sequence(name: string, cursor: number, maxBytes: number) {
    await this.#turn();
    const transactions = within(this.#documents.get(name)?.order ?? [], cursor, maxBytes);
    return { transactions, cursor: cursor + transactions.length };
  }

  async receive(
    name: string,
    transactions: readonly WireTransaction[],
    from: Sender,
  ): Promise<ReceivedSummary> {
    this.arrivals.push({
      document: name,
      ids: transactions.map(({ source, id }) => `${source}:${id}`),
      from,
    });
    if (this.refusal !== undefined) throw this.refusal;
    if (this.durableMs > 0)
      await new Promise<void>((resolve) => {
        this.#clock.after(this.durableMs, resolve);
      });
    else await this.#turn();
    const held = this.#of(name);
    const forged: { source: Source; id: number }[] = [];
    let accepted = 0;
    let duplicates = 0;
    for (const transaction of transactions) {
      const { source, id } = transaction;
      const all = held.bySource.get(source) ?? [];
      const known = all[id - 1];
      if (known !== undefined) {
        if (known.payload === transaction.payload) duplicates++;
        else forged.push({ source, id });
      } else held.early.set(`${source} ${id}`, transaction);
    }
    for (const [key, transaction] of sortedById(held.early)) {
      const all = held.bySource.get(transaction.source) ?? [];
      if (transaction.id !== all.length + 1) continue;
      held.early.delete(key);
      this.#keep(held, transaction);
      accepted++;
    }
    this.forgedCount += forged.length;
    this.duplicateCount += duplicates;
    if (accepted > 0) this.#told(name);
    return { accepted, duplicates, missing: gaps(held), forged, evicted: 0, malformed: 0 };
  }

  heard(name: string, clocks: PeerClocks): void {
    const known = this.#of(name).clocks;
    for (const [source, said] of clocks)
      if (said.clock.ms >= (known.get(source)?.clock.ms ?? 0)) known.set(source, said);
  }

  knows(sources: readonly Source[]): boolean {
    const before = this.knownNodes.size;
    for (const source of sources) if (source !== this.source) this.knownNodes.add(source);
    return this.knownNodes.size > before;
  }

  met(name: string, source: Source): void {
    this.#of(name).members.add(source);
  }

  expect(peers: number): void {
    this.expected = peers;
  }

  clockFor(name: string): (ClockOf & { readonly source: Source }) | undefined {
    const count = this.#documents.get(name)?.bySource.get(this.source)?.length ?? 0;
    return { source: this.source, clock: { ms: this.#clock.wallMs(), counter: 0 }, count };
  }

  memberSaid(name: string, source: Source, vclock: VectorClock): void {
    this.#of(name).said.set(source, vclock);
  }

  onDurable(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setLinks(links: () => readonly LinkStatus[]): void {
    this.links = links;
  }

  /** All that is held, as text. */
  base(name: string): Promise<string | undefined> {
    const order = this.#documents.get(name)?.order ?? [];
    return Promise.resolve(this.trimmed === 0 ? undefined : JSON.stringify(order));
  }

  installBase(name: string, base: string): Promise<boolean> {
    const held = this.#of(name);
    if (held.order.length > 0) return Promise.resolve(false);
    for (const transaction of JSON.parse(base) as WireTransaction[]) this.#keep(held, transaction);
    this.#told(name);
    return Promise.resolve(true);
  }

  #of(document: string): Held {
    let held = this.#documents.get(document);
    if (held === undefined) {
      held = {
        bySource: new Map(),
        order: [],
        early: new Map(),
        clocks: new Map(),
        members: new Set(),
        said: new Map(),
      };
      this.#documents.set(document, held);
    }
    return held;
  }

  #keep(held: Held, transaction: WireTransaction): void {
    const all = held.bySource.get(transaction.source);
    if (all === undefined) held.bySource.set(transaction.source, [transaction]);
    else all.push(transaction);
    held.order.push(transaction);
  }

  #told(document: string): void {
    for (const listener of this.#listeners) listener(document);
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.soon(resolve);
    });
  }
}

function within(
  all: readonly WireTransaction[],
  from: number,
  maxBytes: number,
): readonly WireTransaction[] {
  const some: WireTransaction[] = [];
  let bytes = 0;
  for (const transaction of all.slice(from)) {
    bytes += transaction.payload.length + 40;
    if (some.length > 0 && bytes > maxBytes) break;
    some.push(transaction);
  }
  return some;
}

function sortedById(early: ReadonlyMap<string, WireTransaction>) {
  return [...early].toSorted(([, a], [, b]) => a.id - b.id);
}

function gaps(held: Held): readonly Gap[] {
  const firsts = new Map<Source, number>();
  for (const [, { source, id }] of sortedById(held.early))
    if (!firsts.has(source)) firsts.set(source, id);
  return [...firsts].map(([source, first]) => ({
    source,
    from: (held.bySource.get(source)?.length ?? 0) + 1,
    to: first - 1,
  }));
}
