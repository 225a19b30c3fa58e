/**
 * The document as what its transactions give, one after the other: undo, merge, redo. State is changed in place; what is needed to change it back stays with each transaction until it is settled.
 *
 * A batch of arrivals costs one undo and one redo of what stands behind its first place, however many it brings (Kleppmann et al., "A highly-available move operation for replicated trees", 2021, §3.3,
 * without the redo per operation). A transaction that fails at its place changes nothing and stays (Bayou, SOSP 1995, §4.3).
 */
import { assert, must } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import type { PatchFailure } from "../patch/failure.ts";
import type { Json } from "../patch/json.ts";
import type { Patch } from "../patch/patch.ts";
import { Tree } from "../patch/tree.ts";
import { Undo } from "../patch/undo.ts";
import type { ChangeRecorder } from "./change-recorder.ts";
import { compareKeys, isFinal, okVerdict, sortByKey } from "./entry.ts";
import type { Entry, OrderKey, Restamp } from "./entry.ts";
import { rejectionOf } from "./rejection.ts";
import type { Stamp } from "./vocabulary.ts";

/** What is to be folded at once. */
export interface Merge {
  /** The first place that changes, as index into the order. */
  readonly low: number;
  readonly fresh: readonly Entry[];
  readonly moved: readonly Restamp[];
}

export interface FoldStart {
  readonly value: Json;
  /** Key of the last transaction that the value has. */
  readonly key: OrderKey | undefined;
  readonly transactions: number;
  readonly rejected: number;
  readonly final: number;
}

export class Fold {
  readonly tree: Tree;
  readonly #lenient: { upsert: boolean; maxWeight: number };
  readonly #strict = { upsert: false, maxWeight: limits.documentMaxBytes };
  readonly #maxTail: number;
  readonly #onSettled: (entry: Entry) => void;
  /** In the order; those before have left memory. */
  #order: Entry[] = [];
  /** How many have left memory. */
  #before: number;
  /** The first so many of `#order` are settled; `#lastSettled` is the last of these, or of what came before. */
  #settled = 0;
  #lastSettled: OrderKey | undefined;
  /** The last of those that have left memory. */
  #lastBefore: OrderKey | undefined;
  /** Of all. */
  #rejected: number;
  #settledRejected: number;
  #final: number;
  /** Changes whenever the document may have changed. */
  version = 0;

  /** `onSettled` is told of each that is settled, in order. */
  constructor(options: {
    readonly lenient: boolean;
    readonly maxTail: number;
    readonly start: FoldStart;
    readonly onSettled: (entry: Entry) => void;
  }) {
    const { lenient, maxTail, start } = options;
    this.#onSettled = options.onSettled;
    this.tree = new Tree(start.value);
    this.#lenient = { upsert: lenient, maxWeight: limits.documentMaxBytes };
    this.#maxTail = maxTail;
    this.#before = start.transactions;
    this.#lastSettled = start.key;
    this.#lastBefore = start.key;
    this.#rejected = start.rejected;
    this.#settledRejected = start.rejected;
    this.#final = start.final;
  }

  get lenient(): boolean {
    return this.#lenient.upsert;
  }

  get transactions(): number {
    return this.#before + this.#order.length;
  }

  get rejected(): number {
    return this.#rejected;
  }

  /** Of the settled ones. */
  get settledRejected(): number {
    return this.#settledRejected;
  }

  get final(): number {
    return this.#final;
  }

  get settled(): number {
    return this.#before + this.#settled;
  }

  get lastSettled(): OrderKey | undefined {
    return this.#lastSettled;
  }

  /** How many have left memory. */
  get before(): number {
    return this.#before;
  }

  /** Those in memory, in order; not to be kept. */
  get order(): readonly Entry[] {
    return this.#order;
  }

  /** Those without a stamp, all at the end. */
  unadopted(): Entry[] {
    const order = this.#order;
    let from = order.length;
    while (order[from - 1]?.ms === Infinity) from--;
    return order.slice(from);
  }

  /** What it takes to bring these in: nothing is changed yet. `undefined`: it would stand among what is settled. */
  plan(fresh: Entry[], moved: readonly Restamp[]): Merge | undefined {
    sortByKey(fresh);
    let low = this.#order.length;
    const first = fresh[0];
    if (first !== undefined) low = this.#placeFor(first, low);
    for (const { entry, stamp } of moved) {
      const { source, id } = entry;
      low = Math.min(low, this.#placeFor(entry, low));
      low = Math.min(low, this.#placeFor({ ...stamp, source, id }, low));
    }
    if (low < this.#settled) return undefined;
    if (low === 0 && this.#lastSettled !== undefined) {
      const least = moved.map(({ entry, stamp }) => ({
        ...stamp,
        source: entry.source,
        id: entry.id,
      }));
      if (first !== undefined) least.push(first);
      const settled = this.#lastSettled;
      if (least.some((key) => compareKeys(key, settled) < 0)) return undefined;
    }
    return { low, fresh, moved };
  }

  /** Brings them in. Answers how many were undone for it. */
  merge({ low, fresh, moved }: Merge, change: ChangeRecorder): void {
    if (fresh.length === 0 && moved.length === 0) return;
    const order = this.#order;
    if (low === order.length) {
      change.expect(fresh.length);
      for (const entry of fresh) {
        order.push(entry);
        this.#apply(entry, change);
        change.fresh(entry);
      }
    } else {
      change.insert();
      change.expect(2 * (order.length - low) + fresh.length);
      this.#undoTo(low, change);
      for (const { entry, stamp } of moved) {
        entry.ms = stamp.ms;
        entry.counter = stamp.counter;
        entry.placed = false;
        change.moved(entry);
      }
      const tail = order.slice(low).filter(({ placed }) => placed);
      order.length = low;
      const coming = moved.length === 0 ? fresh : [...fresh, ...moved.map(({ entry }) => entry)];
      if (coming !== fresh) sortByKey(coming as Entry[]);
      this.#redo(tail, coming, change);
    }
    this.version++;
    this.#boundTail();
  }

  /** A local transaction at its place, which must not fail. Answers why it does; then nothing is changed. */
  insertStrictly(entry: Entry, change: ChangeRecorder): PatchFailure | undefined {
    const order = this.#order;
    const low = this.#placeFor(entry, order.length);
    const patch = must(entry.patch);
    const undo = new Undo();
    if (low === order.length) {
      const failure = this.tree.apply(patch, undo, this.#strict);
      if (failure !== undefined) return failure;
      entry.undo = undo;
      entry.placed = true;
      order.push(entry);
      change.did(patch);
      change.fresh(entry);
    } else {
      // Only what nobody has adopted yet stands behind it.
      const failure = this.tryStrictly(patch);
      if (failure !== undefined) return failure;
      assert(low >= this.#settled, "what is settled has a stamp");
      for (let at = order.length - 1; at >= low; at--) order[at]?.undo?.revert(this.tree);
      const there = this.tryStrictly(patch);
      for (let at = low; at < order.length; at++) this.#again(must(order[at]));
      if (there !== undefined) return there;
      change.insert();
      this.#undoTo(low, change);
      const tail = order.slice(low);
      order.length = low;
      this.#redo(tail, [entry], change);
    }
    this.version++;
    this.#boundTail();
    return undefined;
  }

  /** Says why a patch would fail now; changes nothing. */
  tryStrictly(patch: Patch): PatchFailure | undefined {
    const preview = this.preview(patch, () => undefined);
    return "failure" in preview ? preview.failure : undefined;
  }

  /** Runs `look` on the document as it would be behind the patch; changes nothing. */
  preview<T>(
    patch: Patch,
    look: () => T,
  ): { readonly seen: T } | { readonly failure: PatchFailure } {
    const undo = new Undo();
    const failure = this.tree.apply(patch, undo, this.#strict);
    if (failure !== undefined) return { failure };
    const seen = look();
    undo.revert(this.tree);
    return { seen };
  }

  /** Runs `look` on the document as it was behind its first `place` transactions, at least `settled`. */
  lookAt<T>(place: number, look: () => T): T {
    const low = place - this.#before;
    assert(low >= this.#settled, "what is settled cannot be undone");
    const order = this.#order;
    for (let at = order.length - 1; at >= low; at--) order[at]?.undo?.revert(this.tree);
    const seen = look();
    for (let at = low; at < order.length; at++) this.#again(must(order[at]));
    return seen;
  }

  /**
   * All of a fresh fold at once, in any order; at most `places` are folded. For those beyond the tail nothing is kept to undo them, unless they stand at or behind `keep`, where something is about to be
   * brought in.
   */
  restore(entries: Entry[], places: number, keep?: OrderKey): void {
    assert(this.#order.length === 0, "only a fresh fold is restored");
    sortByKey(entries);
    if (entries.length > places) entries.length = places;
    this.#order = entries;
    const beyond = entries.length - this.#maxTail;
    for (let at = 0; at < entries.length; at++) {
      const entry = must(entries[at]);
      const undoable =
        at >= beyond ||
        entry.ms === Infinity ||
        (keep !== undefined && compareKeys(entry, keep) >= 0);
      this.#apply(entry, undefined, undoable);
      if (!undoable) this.#settleNext();
    }
    this.version++;
  }

  /** Moves the end of what is final to the frontier. Answers those that became so and are in memory. */
  finalize(frontier: Stamp): readonly Entry[] {
    const became: Entry[] = [];
    if (this.#final < this.#before) {
      // Left memory without being final, for there were too many. They become it all at once.
      if (!isFinal(must(this.#lastBefore), frontier)) return became;
      this.#final = this.#before;
    }
    for (let at = this.#final - this.#before; at < this.#order.length; at++) {
      const entry = must(this.#order[at]);
      if (!isFinal(entry, frontier)) break;
      became.push(entry);
    }
    this.#final += became.length;
    while (this.settled < this.#final) this.#settleNext();
    return became;
  }

  /** The first `places` of all, settled ones, leave memory. */
  trim(places: number): void {
    const gone = Math.min(places, this.settled) - this.#before;
    if (gone <= 0) return;
    for (let at = 0; at < gone; at++) must(this.#order[at]).placed = false;
    this.#lastBefore = must(this.#order[gone - 1]);
    this.#order = this.#order.slice(gone);
    this.#before += gone;
    this.#settled -= gone;
  }

  /** Where the key stands or would stand among the first `high`. */
  #placeFor(key: OrderKey, high: number): number {
    const order = this.#order;
    // Most come behind all others.
    const last = order[high - 1];
    if (last === undefined || compareKeys(last, key) < 0) return high;
    let from = 0;
    let to = high - 1;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (compareKeys(must(order[middle]), key) < 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #undoTo(low: number, change: ChangeRecorder): void {
    const order = this.#order;
    for (let at = order.length - 1; at >= low; at--) {
      const entry = must(order[at]);
      if (entry.verdict.kind === "rejected") this.#rejected--;
      if (entry.undo === undefined) continue;
      change.undid(entry.undo);
      entry.undo.revert(this.tree);
      entry.undo = undefined;
    }
    change.undone += order.length - low;
  }

  /** Two sorted runs, merged and done. */
  #redo(tail: readonly Entry[], coming: readonly Entry[], change: ChangeRecorder): void {
    const order = this.#order;
    let old = 0;
    let fresh = 0;
    while (old < tail.length || fresh < coming.length) {
      const a = tail[old];
      const b = coming[fresh];
      if (b === undefined || (a !== undefined && compareKeys(a, b) < 0)) {
        const entry = must(a);
        old++;
        order.push(entry);
        const before = entry.verdict;
        this.#apply(entry, change);
        change.redid(entry, before);
      } else {
        fresh++;
        order.push(b);
        const before = b.verdict;
        this.#apply(b, change);
        change.arrived(b, before);
      }
    }
  }

  #apply(entry: Entry, change: ChangeRecorder | undefined, undoable = true): void {
    entry.placed = true;
    const { patch } = entry;
    if (patch === undefined) {
      // A record, or malformed: the verdict stands.
      if (entry.verdict.kind === "rejected") this.#rejected++;
      return;
    }
    const shown = change?.shown(patch, this.tree, this.#lenient.upsert);
    const undo = undoable ? new Undo() : undefined;
    const failure = this.tree.apply(patch, undo, this.#lenient);
    if (failure === undefined) {
      entry.verdict = okVerdict;
      entry.undo = undo;
      if (shown !== undefined) change?.did(shown);
    } else {
      entry.verdict = rejectionOf(failure);
      entry.undo = undefined;
      this.#rejected++;
    }
  }

  /** The same as before at the same place, only looked past. */
  #again(entry: Entry): void {
    if (entry.undo === undefined || entry.patch === undefined) return;
    entry.undo = new Undo();
    const failure = this.tree.apply(entry.patch, entry.undo, this.#lenient);
    assert(failure === undefined, "what was done at a place can be done there again");
  }

  #settleNext(): void {
    const entry = must(this.#order[this.#settled]);
    this.#settled++;
    entry.undo = undefined;
    entry.patch = undefined;
    entry.settled = true;
    if (entry.verdict.kind === "rejected") this.#settledRejected++;
    this.#lastSettled = entry;
    this.#onSettled(entry);
  }

  #boundTail(): void {
    while (this.#order.length - this.#settled > this.#maxTail) {
      // What nobody has adopted yet is going to move.
      if (this.#order[this.#settled]?.ms === Infinity) return;
      this.#settleNext();
    }
  }
}
