/**
 * The documents of a node, as the links to other nodes see them: what there is to be sent, and where what comes is put.
 *
 * All of it is durable before a link gets it: a transaction that a peer has seen is never lost, and its Id never used again (P1, P7).
 */
import type { LinkStatus, Source, Stamp, VectorClock } from "./vocabulary.ts";

/** A transaction as nodes send it to each other. */
export interface WireTransaction {
  readonly source: Source;
  /** As its author says it: of a plain peer that counts from 0, one less than inside. */
  readonly id: number;
  readonly payload: string;
}

/** From whom transactions come; `source` is unknown of a plain peer. */
export interface Sender {
  readonly source: Source | null;
  readonly kind: "truba" | "plain";
}

/** Transactions of one source that are missing, first and last as wire Ids. */
export interface Gap {
  readonly source: Source;
  readonly from: number;
  readonly to: number;
}

export interface ReceivedSummary {
  /** New and durable. */
  readonly accepted: number;
  readonly duplicates: number;
  /** To be asked for; what came behind them is held back, as far as limits allow. */
  readonly missing: readonly Gap[];
  /** Another payload stands under this Id already: refused. */
  readonly forged: readonly { readonly source: Source; readonly id: number }[];
  /** Above the cut of an eviction: refused. */
  readonly evicted: number;
  /** No transactions, or larger than any may be: refused. */
  readonly malformed: number;
}

/** What a source says of itself: nothing of it comes at or before `clock` beyond its first `count` transactions. */
export interface ClockOf {
  readonly clock: Stamp;
  readonly count: number;
}

export type PeerClocks = ReadonlyMap<Source, ClockOf>;

/** What stays in memory of every document, loaded or not; all of it durable. */
export interface Head {
  readonly vclock: VectorClock;
  /** SHA-256 of the canonical text, worked out when it is asked for: of a large document that takes long. `undefined`: not now. */
  readonly hash: string | undefined;
  readonly frontier: Stamp | null;
  /** As last heard, this node's own promise among them. */
  readonly clocks: PeerClocks;
  /** Something is not final, so members' clocks are of use. */
  readonly tentative: boolean;
}

/** Methods throw or reject with TrubaError as `DocumentService` says. */
export interface DocumentExchange {
  readonly nodeId: number;
  /** The node's own name as an author, where no document has another. */
  readonly source: Source;
  /** The name under which this node writes the document. */
  sourceOf(name: string): Source;
  /** All documents, in no order. */
  names(): Iterable<string>;
  /** `undefined`: nothing is known of such a document. */
  head(name: string): Head | undefined;
  /** Durable transactions of one source behind its first `count`: as many as `maxBytes` of payloads allow, and at least one if there is one. */
  after(
    name: string,
    source: Source,
    count: number,
    maxBytes: number,
  ): Promise<readonly WireTransaction[]>;
  /** Durable transactions in the order in which this node took them; `cursor` 0 is the beginning, the answer's goes on from there. */
  sequence(
    name: string,
    cursor: number,
    maxBytes: number,
  ): Promise<{ readonly transactions: readonly WireTransaction[]; readonly cursor: number }>;
  /** From a peer, in any order. Resolves when what was new is durable. What comes within one turn is one merge. */
  receive(
    name: string,
    transactions: readonly WireTransaction[],
    from: Sender,
  ): Promise<ReceivedSummary>;
  /** What members have said of their clocks, themselves or through others. */
  heard(name: string, clocks: PeerClocks): void;
  /** The Truba nodes that this one knows, but itself. */
  readonly knownNodes: ReadonlySet<Source>;
  /** Truba nodes take part in all documents from now on: until their clocks are heard, nothing becomes final. Durable. Says whether one is new. */
  knows(sources: readonly Source[]): boolean;
  /** In this document somebody takes part under this name. */
  met(name: string, source: Source): void;
  /** So many configured peers have not yet said who they are; while there are any, nothing becomes final. */
  expect(peers: number): void;
  /** What this node promises of itself: durable, so that it holds after a crash. `undefined` until the first promise is durable. */
  clockFor(name: string): (ClockOf & { readonly source: Source }) | undefined;
  /** What a member holds, by its own words: for status, agreement and the alarm on divergence. */
  memberSaid(name: string, source: Source, vclock: VectorClock, hash: string | null): void;
  /** Told of a document of which there is something new to send. Returns how to stop it. */
  onDurable(listener: (name: string) => void): () => void;
  /** Where `links()` of the service comes from. */
  setLinks(links: () => readonly LinkStatus[]): void;
  /** The base of a document whose history was given up, for a peer that needs what is below it; `undefined`: all history is here. */
  base(name: string): Promise<string | undefined>;
  /** Takes a base in place of history that no peer has any more. Only for a document of which nothing is held. */
  installBase(name: string, base: string, from: Sender): Promise<boolean>;
}
