/**
 * What documents are spoken of in: transactions, their order, what became of them, and the service that surfaces use.
 *
 * A document is what all its transactions give, folded in one total order. Nodes that hold the same transactions hold the same document (P6).
 */
import type { Json } from "../patch/json.ts";

/** The name of a node as the author of transactions: 1 to 128 bytes of UTF-8 without control characters. */
export type Source = string;

/** How many transactions of each source are held, from its first on without a gap. */
export type VectorClock = Readonly<Record<Source, number>>;

/** The three fields that nodes send to each other; `payload` is the text of a JSON Patch (RFC 6902), kept byte for byte. */
export interface Transaction {
  readonly source: Source;
  /** From 1 without gaps for each source. Of a plain peer that counts from 0, one more than it says. */
  readonly id: number;
  readonly payload: string;
}

/** A hybrid logical clock (Kulkarni et al. 2014): wall time as far as it goes forward, and a count within one millisecond. */
export interface Stamp {
  /** Milliseconds since 1970, whole, below 2^48. */
  readonly ms: number;
  /** 0 to 2^32 - 1. */
  readonly counter: number;
}

/** What became of a transaction at its place in the order. */
export type Verdict = { readonly kind: "ok" } | Rejection;

/** The transaction changed nothing: one of its operations could not be done at its place. */
export interface Rejection {
  readonly kind: "rejected";
  /** Which operation, from 0. */
  readonly operation: number;
  readonly op: string;
  readonly path: string;
  /** Stable word for the reason, see `PatchFailure`. */
  readonly reason: string;
  /** For people. */
  readonly text: string;
  /** What a `test` wanted and what it found; absent: nothing was there. */
  readonly expected?: Json;
  readonly actual?: Json;
}

/** A transaction in the order of its document, as history shows it. */
export interface PlacedTransaction {
  readonly source: Source;
  readonly id: number;
  /** Place in the order, from 1; that of a transaction that is not final may change. */
  readonly position: number;
  /** `null`: a plain peer's, not adopted yet; it stands at the end. */
  readonly stamp: Stamp | null;
  /** Without Truba's own member. */
  readonly operations: readonly Json[];
  readonly verdict: Verdict;
  /** Nothing can come before it any more: place and verdict stay. */
  readonly final: boolean;
  /** `records`: what nodes tell each other (adoption, join, eviction); changes nothing in the document. */
  readonly kind: "patch" | "record";
  /** When this node got it, wall clock, ms; of what it got before its last checkpoint it may be absent. */
  readonly arrivedMs?: number;
  /** What its author had seen of other sources. */
  readonly seen?: VectorClock;
}

/** An overwritten value or a shifted index, found on demand among transactions of which neither author knew the other's. */
export interface Conflict {
  readonly kind: "rejected" | "shadowed" | "drift";
  readonly path: string;
  readonly loser: { readonly source: Source; readonly id: number };
  /** Absent where the loser failed and no single transaction is to blame. */
  readonly winner?: { readonly source: Source; readonly id: number };
  /** What the loser wrote, what stands there now. */
  readonly lost?: Json;
  readonly kept?: Json;
  readonly text: string;
}

/** A document as of one moment. */
export interface DocumentView {
  readonly name: string;
  /** The document, in canonical JSON: members sorted by name (by UTF-16 code units, RFC 8785 §3.2.3), no blanks. */
  readonly text: string;
  /** SHA-256 of `text`, in hexadecimal. */
  readonly hash: string;
  readonly vclock: VectorClock;
  /** Transactions in the order, final ones among them, and rejected ones. */
  readonly transactions: number;
  readonly final: number;
  readonly rejected: number;
}

/** Where in time to look at a document: behind so many transactions of the order, or behind all whose stamp is at most this wall time, ms. */
export type Moment = { readonly position: number } | { readonly timeMs: number };

export interface ChangeOptions {
  /** Resolve only when the verdict is final. Default: when it is durable. */
  readonly untilFinal?: boolean;
  /** Hash that the document must have, or `"*"`: it must exist, or `"none"`: it must not. Otherwise HASHCONFLICT. */
  readonly ifHash?: string;
  /** A `replace` of a missing member becomes an `add` before the transaction is made. */
  readonly lenient?: boolean;
  /** Say what would happen; nothing is made. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** A patch that was accepted and is durable. */
export interface Accepted {
  /** Absent: the patch had no operations, or it was a dry run, and no transaction was made. */
  readonly source?: Source;
  readonly id?: number;
  readonly verdict: Verdict;
  readonly final: boolean;
  /** Of the document behind it. */
  readonly vclock: VectorClock;
  readonly hash: string;
  /** Of a dry run: the document as it would be, canonical. */
  readonly text?: string;
}

/** What a watcher is told, in this order of life: first a snapshot, then changes; a watcher that is slow gets a snapshot again instead of what it missed. */
export type DocumentEvent =
  | ({ readonly kind: "snapshot" } & DocumentView)
  | {
      readonly kind: "change";
      /** A JSON Patch that leads from the document as told before to the one now; it never fails. */
      readonly operations: readonly Json[];
      readonly vclock: VectorClock;
      readonly transactions: number;
      readonly final: number;
      readonly rejected: number;
      /** Of new transactions, and of old ones whose verdict is another or has become final. */
      readonly verdicts: readonly VerdictOf[];
    };

export interface VerdictOf {
  readonly source: Source;
  readonly id: number;
  readonly verdict: Verdict;
  readonly final: boolean;
}

/** How a member stands, as this node knows it. */
export interface MemberStatus {
  readonly source: Source;
  readonly kind: "self" | "truba" | "plain" | "evicted";
  /** What it holds, as it last said; `null`: it never did. */
  readonly vclock: VectorClock | null;
  readonly hash: string | null;
  /** Its clock as last heard: it issues nothing at or before that. */
  readonly clock: Stamp | null;
  /** Wall-clock time when it was last heard of, ms. */
  readonly heardMs: number | null;
  /** Of an evicted one: its transactions above this are refused everywhere; `null`: not yet agreed. */
  readonly cut?: number | null;
}

/** Whether all members that speak hold the same. */
export type Agreement = "converged" | "catching up" | "DIVERGED";

export interface DocumentStatus {
  readonly name: string;
  /** The name under which this node writes it. */
  readonly source: Source;
  readonly view: Omit<DocumentView, "text">;
  readonly agreement: Agreement;
  /** Nothing can come at or before this; `null`: a member was never heard. */
  readonly frontier: Stamp | null;
  readonly members: readonly MemberStatus[];
  readonly lenient: boolean;
  /** Bytes of the document in memory and of its history on disk, approximately. */
  readonly stateBytes: number;
  readonly historyBytes: number;
  /** Transactions that were undone and done again since the start, and the longest such run. */
  readonly redone: number;
  readonly redoneLongest: number;
  /** What was refused since the start: payloads forged for a known Id, Ids above an eviction's cut, messages that are no transactions. */
  readonly refused: { readonly forged: number; readonly evicted: number; readonly malformed: number };
}

/** A connection to another node, as this one sees it. */
export interface LinkStatus {
  /** As configured, for one that we dial; the peer's for one that dialed us. */
  readonly address: string;
  readonly direction: "dialed" | "accepted";
  readonly state: "up" | "connecting" | "waiting";
  /** Unknown until it has spoken. */
  readonly kind: "truba" | "plain" | "unknown";
  /** Of a Truba node: its name. */
  readonly source: Source | null;
  readonly sinceMs: number;
  /** Round trip and difference of wall clocks (theirs minus ours), ms; `null`: not measured. */
  readonly roundTripMs: number | null;
  readonly skewMs: number | null;
  readonly transactionsSent: number;
  readonly transactionsReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Transactions that it has not been sent yet. */
  readonly backlog: number;
  /** Why it is not up, or what is wrong with it, for people; empty: nothing. */
  readonly trouble: string;
  /** Until the next attempt; `null` unless waiting. */
  readonly retryInMs: number | null;
}

export interface HistoryQuery {
  /** First place, from 1. Default 1; negative: so many from the end. */
  readonly from?: number;
  /** At most 1,000; default 100. */
  readonly count?: number;
  readonly source?: Source;
  readonly verdict?: "ok" | "rejected";
}

export interface HistoryPage {
  readonly transactions: readonly PlacedTransaction[];
  /** Of the whole document. */
  readonly total: number;
  readonly final: number;
  /** `from` of the next page; absent: this was the last. */
  readonly next?: number;
}

/**
 * The documents of a node, as surfaces use them. All methods throw TrubaError: BADDOCUMENTNAME, NODOCUMENT, DOCUMENTDAMAGED (this document's files cannot be used), STOPPED, SHUTTINGDOWN,
 * OVERLOADED; what else is said at each.
 */
export interface DocumentService {
  /** The node's own name as an author, before any document gave it another. */
  readonly source: Source;
  /** Names of all documents, sorted; at most `count` (default 100, at most 1,000) behind `after`. */
  list(after?: string, count?: number): readonly string[];
  /** Waits for what is being made durable, so that what is read is never lost. `default` exists always. */
  read(name: string, moment?: Moment): Promise<DocumentView>;
  /**
   * Applies a JSON Patch, as text. Resolves when it is durable. BADPATCH: it is not a JSON Patch; PATCHFAILED: an operation fails at the present state, its cause is a {@link Rejection} and no
   * transaction is made; TOOLARGE; HASHCONFLICT. A document that does not exist begins as `{}`.
   */
  patch(name: string, patch: string, options?: ChangeOptions): Promise<Accepted>;
  /** Makes the document this value, given as JSON text. Resolves when it is durable. BADJSON, TOOLARGE, HASHCONFLICT. */
  put(name: string, text: string, options?: ChangeOptions): Promise<Accepted>;
  history(name: string, query?: HistoryQuery): Promise<HistoryPage>;
  /** Among the last `count` transactions (default 1,000). */
  conflicts(name: string, count?: number): Promise<readonly Conflict[]>;
  status(name: string): Promise<DocumentStatus>;
  links(): readonly LinkStatus[];
  /** Tells `listener` of the document from now on, a snapshot first. A document that does not exist is watched as `{}`. */
  watch(name: string, listener: DocumentListener): DocumentWatch;
  /**
   * A member that is gone for good no longer holds back finality: its transactions above what the remaining members hold are refused everywhere. Resolves with the cut when the remaining members have
   * agreed on it. NOMEMBER: there is none of this name; BADVALUE: it is this node.
   */
  evict(name: string, source: Source, signal?: AbortSignal): Promise<number>;
}

export interface DocumentListener {
  event(event: DocumentEvent): void;
  /** Says whether it takes more now. When it says no, changes are gathered, and told as one snapshot when {@link DocumentWatch.resume} is called. */
  ready(): boolean;
  /** Nothing more comes. */
  ended(error: Error): void;
}

export interface DocumentWatch {
  /** The listener is ready again. */
  resume(): void;
  close(): void;
}

