/** What one replica of a document shows: the document, its transactions, verdicts, members, and how it was. Nothing here changes anything. */
import { sha256Hex } from "../base/sha256.ts";
import { canonicalText } from "../patch/canonical.ts";
import type { Json } from "../patch/json.ts";
import type { Gap } from "./exchange.ts";
import type { Fold } from "./fold.ts";
import type { Ledger } from "./ledger.ts";
import {
  isFinalNow,
  lookBack,
  memberStates,
  placedTransactions,
  placesUntil,
  vclockOf,
} from "./replica-view.ts";
import type { MemberState, PastView } from "./replica-view.ts";
import { countIn } from "./vector-clock.ts";
import type {
  Moment,
  PlacedTransaction,
  Source,
  Stamp,
  Transaction,
  VectorClock,
  Verdict,
} from "./vocabulary.ts";

export class ReplicaReader {
  readonly name: string;
  protected readonly ledger: Ledger;
  protected readonly fold: Fold;
  /** `undefined`: it is another than it was. */
  protected shownClock: VectorClock | undefined;
  #text: { readonly version: number; readonly text: string } | undefined;
  #hash: { readonly version: number; readonly hash: string } | undefined;

  protected constructor(name: string, ledger: Ledger, fold: Fold) {
    this.name = name;
    this.ledger = ledger;
    this.fold = fold;
  }

  /** A peer's `replace` of a missing member is folded as `add`. */
  get lenient(): boolean {
    return this.fold.lenient;
  }

  /** The name under which this node writes. */
  get source(): Source {
    return this.ledger.self.source;
  }

  /** How many transactions of each source are held. Another object whenever it is another. */
  get vclock(): VectorClock {
    this.shownClock ??= vclockOf(this.ledger);
    return this.shownClock;
  }

  /** Not to be kept: it changes in place. */
  get value(): Json {
    return this.fold.tree.value;
  }

  /** Canonical JSON of the document; cached. */
  text(): string {
    const { tree, version } = this.fold;
    if (this.#text?.version !== version) this.#text = { version, text: canonicalText(tree.value) };
    return this.#text.text;
  }

  /** SHA-256 of `text()`, hexadecimal; cached. */
  hash(): string {
    const { version } = this.fold;
    if (this.#hash?.version !== version) this.#hash = { version, hash: sha256Hex(this.text()) };
    return this.#hash.hash;
  }

  /** How many are in the order. */
  get transactions(): number {
    return this.fold.transactions;
  }

  get rejected(): number {
    return this.fold.rejected;
  }

  get final(): number {
    return this.fold.final;
  }

  /** How many cannot be undone any more; `base()` has these. */
  get settled(): number {
    return this.fold.settled;
  }

  /** About the bytes of the canonical text. */
  get weight(): number {
    return this.fold.tree.weight;
  }

  /** Above so many its transactions are refused; `undefined`: not evicted, or not agreed yet. */
  cutOf(source: Source): number | undefined {
    return this.ledger.evictions.cutOf(source);
  }

  /** Those whose cut is known. */
  evicted(): readonly Source[] {
    const { evictions } = this.ledger;
    if (evictions.size === 0) return [];
    return [...evictions.sources()].filter((source) => evictions.cutOf(source) !== undefined);
  }

  /** Nothing comes at or before this; `null`: a member was never heard. */
  get frontier(): Stamp | null {
    const { frontier } = this.ledger.members;
    return frontier.ms === 0 && this.ledger.members.least() === null ? null : frontier;
  }

  members(): readonly MemberState[] {
    return memberStates(this.ledger);
  }

  /** What every member holds, by their own words. */
  receivedEverywhere(): VectorClock {
    const { members } = this.ledger;
    const others = [...members.sources()].filter((source) => source !== this.source);
    return Object.fromEntries(
      Object.entries(this.vclock).map(([source, count]) => [
        source,
        Math.min(count, ...others.map((member) => countIn(members.vclockOf(member), source))),
      ]),
    );
  }

  /** What is known to be missing, as wire Ids. */
  missing(): readonly Gap[] {
    return this.ledger.missing();
  }

  /** This node was evicted under its name: it needs a new one, then `reissue`. */
  get isEvicted(): boolean {
    return this.ledger.evictions.cutOf(this.source) !== undefined;
  }

  /** It counts from 0: its wire Ids are one less. */
  isZeroBased(source: Source): boolean {
    return this.ledger.find(source)?.zeroBased === true;
  }

  /** `undefined`: not known, or no more in memory. */
  verdictOf(
    source: Source,
    id: number,
  ): { readonly verdict: Verdict; readonly final: boolean } | undefined {
    const entry = this.ledger.find(source)?.entry(id);
    if (entry === undefined || !entry.placed) return undefined;
    return { verdict: entry.verdict, final: isFinalNow(entry, this.ledger) };
  }

  /** A transaction that is still in memory. */
  transaction(source: Source, id: number): Transaction | undefined {
    const entry = this.ledger.find(source)?.entry(id);
    return entry === undefined ? undefined : { source, id, payload: entry.payload };
  }

  /** First place that is still in memory, from 1: those from there on can be asked of `placed`. */
  get firstPlaced(): number {
    return this.fold.before + 1;
  }

  /** Transactions at places `from` (at least `firstPlaced`) on, at most `count`. */
  placed(from: number, count: number): readonly PlacedTransaction[] {
    return placedTransactions(this.fold, this.ledger, { from, count });
  }

  /** The document as it was at a moment; `undefined`: that cannot be undone any more. */
  at(moment: Moment): PastView | undefined {
    const place = Math.min(
      placesUntil(moment, this.fold.before, this.fold.order),
      this.transactions,
    );
    return lookBack(this.fold, this.ledger, place);
  }
}
