/**
 * What documents are spoken of in: transactions, their order, what became of them, and the service that surfaces use.
 *
 * A document is what all its transactions give, folded in one total order. Nodes that hold the same transactions hold the same document (P6).
 */
import type {
  Accepted,
  Conflict,
  DocumentEvent,
  DocumentStatus,
  DocumentView,
  HistoryPage,
  HistoryQuery,
  Source,
} from "../protocol/documents.ts";
import type { Moment } from "../protocol/moment.ts";

export type { Moment } from "../protocol/moment.ts";
export type {
  Accepted,
  Agreement,
  Conflict,
  DocumentEvent,
  DocumentStatus,
  DocumentView,
  HistoryPage,
  HistoryQuery,
  MemberStatus,
  PlacedTransaction,
  Rejection,
  Source,
  Stamp,
  VectorClock,
  Verdict,
  VerdictOf,
} from "../protocol/documents.ts";

/** The three fields that nodes send to each other; `payload` is the text of a JSON Patch (RFC 6902), kept byte for byte. */
export interface Transaction {
  readonly source: Source;
  /** From 1 without gaps for each source. Of a plain peer that counts from 0, one more than it says. */
  readonly id: number;
  readonly payload: string;
}

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
