/** What the methods of a replica take and answer. */
import type { Json } from "../patch/json.ts";
import type { Gap } from "./exchange.ts";
import { noChange } from "./fold-change.ts";
import type { FoldChange } from "./fold-change.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import type { StoredTransaction } from "./ledger.ts";
import type { ReplicaBase } from "./replica-base.ts";
import type { Moment, Rejection, Source } from "./vocabulary.ts";

export interface ReplicaOptions {
  readonly name: string;
  readonly source: Source;
  /** Fold a `replace` of a missing member as `add`: the document `default`. */
  readonly lenient: boolean;
  readonly clock: HybridClock;
  /** Its value is the replica's from then on: it is changed in place. */
  readonly base?: ReplicaBase;
  /** For how many transactions it is remembered how to undo them. Default: `limits.documentTailMaxCount`. 0: for none (to look at history). */
  readonly maxTail?: number;
  /** Fold only up to there (to look at history; nothing is to be issued or received). */
  readonly until?: Moment;
}

/** What came of transactions from a peer. */
export interface Received {
  /** New ones, per source without a gap, in the order in which they were taken: to be stored, before `issued`. */
  readonly accepted: readonly StoredTransaction[];
  /** Own records that they caused (adoptions, answers to evictions): to be stored in the same batch. */
  readonly issued: readonly StoredTransaction[];
  /** To be asked for again, as wire Ids. */
  readonly missing: readonly Gap[];
  readonly duplicates: number;
  /** Another payload under a known Id, or an Id of ours that we did not issue: refused. */
  readonly forged: readonly { readonly source: Source; readonly id: number }[];
  /** Above an eviction's cut, or of a source whose eviction is under way: refused. */
  readonly evicted: number;
  /** No transactions at all (no source, Id not a whole number…): passed over. */
  readonly malformed: number;
  /** New ones that stand at or before the frontier: their author was not known to write. */
  readonly late: number;
  /**
   * Something must go where nothing can be undone any more, or be taken out. This replica shows what it showed before and takes nothing more: make a `Replica.successor`, restore all stored
   * transactions into it, then give it the same batch before it is settled; more than once if that answers the same: each time it knows more of what is evicted. All other members are empty.
   */
  readonly belowBase: boolean;
  readonly change: FoldChange;
}

/** Own transactions that a call made: to be stored. */
export interface Issued {
  readonly kind: "issued";
  readonly transactions: readonly StoredTransaction[];
  readonly change: FoldChange;
}

/** What a patch would make of the document. */
export interface Preview {
  readonly kind: "would";
  readonly text: string;
  readonly hash: string;
}

export interface IssueOptions {
  /** A `replace` of a missing member becomes an `add` before the transaction is made. */
  readonly lenient?: boolean;
  /** Noted in what is made, wall clock, ms. */
  readonly arrivedMs?: number;
}

/** What was made again under a new name; and own transactions that could not be: they fail now. */
export interface Reissued extends Issued {
  readonly lost: readonly {
    readonly operations: readonly Json[];
    readonly rejection: Rejection;
  }[];
}

export const issuedNothing: Issued = { kind: "issued", transactions: [], change: noChange };

export const voidReceived: Received = {
  accepted: [],
  issued: [],
  missing: [],
  duplicates: 0,
  forged: [],
  evicted: 0,
  malformed: 0,
  late: 0,
  belowBase: true,
  change: noChange,
};
