/**
 * What is told of documents: the document as of one moment, its transactions and what became of them, changes as they come, its members. Every surface speaks of them so.
 */
import type { Json } from "../base/json.ts";

/** The name of a node as the author of transactions: 1 to 128 bytes of UTF-8 without control characters. */
export type Source = string;

/** How many transactions of each source are held, from its first on without a gap. */
export type VectorClock = Readonly<Record<Source, number>>;

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

/** A patch that was accepted and is durable. */
export interface Accepted {
  /** Absent: the patch had no operations, or it was a dry run, and no transaction was made. */
  readonly source?: Source;
  readonly id?: number;
  readonly verdict: Verdict;
  readonly final: boolean;
  /** Of the document behind it; `hash` only of a document of at most `documentHashedMaxBytes`, since to hash a large one takes long. */
  readonly vclock: VectorClock;
  readonly hash?: string;
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

/** What became of one transaction. */
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

/** How a document stands on one node. */
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
  readonly refused: {
    readonly forged: number;
    readonly evicted: number;
    readonly malformed: number;
  };
}

/** Which part of a history is asked for. */
export interface HistoryQuery {
  /** First place, from 1. Default 1; negative: so many from the end. */
  readonly from?: number;
  /** At most 1,000; default 100. */
  readonly count?: number;
  readonly source?: Source;
  readonly verdict?: "ok" | "rejected";
}

/** A part of the transactions of a document, in their order. */
export interface HistoryPage {
  readonly transactions: readonly PlacedTransaction[];
  /** Of the whole document. */
  readonly total: number;
  readonly final: number;
  /** `from` of the next page; absent: this was the last. */
  readonly next?: number;
}
