/**
 * The transactions of one source, from its first on without a gap; what came early is held back.
 *
 * Invariant (I2): Ids go up by one; what stands under an Id never changes. Stamps never go down along a source: one that would, takes the stamp of the one before.
 */
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import type { Entry } from "./entry.ts";
import type { AdoptedRange, SourceCount } from "./order-metadata.ts";
import type { ReplicaBase, SourceBase } from "./replica-base.ts";
import type { Source, Stamp } from "./vocabulary.ts";

/** A transaction that came before one that is missing. */
export interface Held {
  readonly payload: string;
  readonly plain: boolean;
}

/** An adoption of transactions that are not here yet. */
export interface PendingAdoption extends AdoptedRange {
  readonly stamp: Stamp;
  readonly adopter: Source;
}

export class SourceLog {
  readonly source: Source;
  /** It counts from 0; known when its first transaction is here. */
  zeroBased = false;
  /** Its last transactions have stamps, so it is a Truba node's; not before the first has. */
  stamp: Stamp | undefined = undefined;
  /** What it had seen of others, as of its last transaction. */
  readonly seen = new Map<Source, number>();
  adoptions: PendingAdoption[] = [];
  /** By wire Id. */
  readonly held = new Map<number, Held>();
  /** Settled without a gap from the first on, and settled above that. */
  settled = 0;
  readonly ahead = new Set<number>();
  #before = 0;
  #entries: Entry[] = [];
  /** As of the last one that left memory. */
  #beforeStamp: Stamp | undefined = undefined;
  readonly #beforeSeen = new Map<Source, number>();

  constructor(source: Source, base?: SourceBase) {
    this.source = source;
    if (base === undefined) return;
    this.#before = base.count;
    this.settled = base.count;
    for (const id of base.ahead ?? []) this.ahead.add(id);
    this.zeroBased = base.zeroBased === true;
    if (base.stamp !== undefined) {
      this.stamp = { ms: base.stamp[0], counter: base.stamp[1] };
      this.#beforeStamp = this.stamp;
    }
    for (const [other, count] of base.seen ?? []) {
      this.seen.set(other, count);
      this.#beforeSeen.set(other, count);
    }
  }

  /** How many transactions are here or were, the Id of the last. */
  get count(): number {
    return this.#before + this.#entries.length;
  }

  /** How many have left memory. */
  get before(): number {
    return this.#before;
  }

  /** In memory, in order of Id; not to be kept. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** `undefined`: not here, or no more in memory. */
  entry(id: number): Entry | undefined {
    return this.#entries[id - this.#before - 1];
  }

  append(entry: Entry): void {
    assert(entry.id === this.count + 1, "the Ids of a source have no gaps");
    this.#entries.push(entry);
    if (entry.stamped) this.stamp = { ms: entry.ms, counter: entry.counter };
    see(this.seen, entry.seen);
  }

  /** Keeps what came early. Says no if there is no room for more. */
  hold(wireId: number, held: Held): boolean {
    if (this.held.size >= limits.documentGapMaxCount) return false;
    this.held.set(wireId, held);
    return true;
  }

  /** The next one, if it was held back. */
  takeHeld(): Held | undefined {
    if (this.held.size === 0) return undefined;
    const wireId = this.wireId(this.count + 1);
    const held = this.held.get(wireId);
    if (held !== undefined) this.held.delete(wireId);
    return held;
  }

  wireId(id: number): number {
    return this.zeroBased ? id - 1 : id;
  }

  /** Ranges of wire Ids that are missing before what is held back. */
  gaps(): { from: number; to: number }[] {
    const gaps: { from: number; to: number }[] = [];
    let next = this.wireId(this.count + 1);
    for (const wireId of [...this.held.keys()].sort((a, b) => a - b)) {
      if (wireId > next) gaps.push({ from: next, to: wireId - 1 });
      next = wireId + 1;
    }
    return gaps;
  }

  /** The least stamp that was given to a transaction that had not come yet. */
  adoptedStamp(id: number): Stamp | undefined {
    let least: Stamp | undefined;
    for (const { first, last, stamp } of this.adoptions) {
      if (id < first || id > last) continue;
      if (least === undefined || stamp.ms < least.ms) least = stamp;
      else if (stamp.ms === least.ms && stamp.counter < least.counter) least = stamp;
    }
    // Nothing of these is still to come.
    if (least !== undefined) this.adoptions = this.adoptions.filter(({ last }) => last > id);
    return least;
  }

  /** This one is settled: it will not be undone any more. */
  settle(id: number): void {
    if (id !== this.settled + 1) {
      this.ahead.add(id);
      return;
    }
    this.settled = id;
    while (this.ahead.size > 0 && this.ahead.delete(this.settled + 1)) this.settled++;
  }

  /** What this one's author had seen of others, as of each of its transactions in memory, in order. */
  *seenAlong(): Generator<{ readonly entry: Entry; readonly seen: ReadonlyMap<Source, number> }> {
    const seen = new Map(this.#beforeSeen);
    for (const entry of this.#entries) {
      see(seen, entry.seen);
      yield { entry, seen };
    }
  }

  /** Those that are settled and have left the order leave memory. */
  trim(): void {
    let gone = 0;
    for (; gone < this.#entries.length; gone++) {
      const entry = this.#entries[gone];
      if (entry === undefined || !entry.settled || entry.placed) break;
      see(this.#beforeSeen, entry.seen);
      this.#beforeStamp = stampOf(entry);
    }
    if (gone === 0) return;
    this.#entries = this.#entries.slice(gone);
    this.#before += gone;
  }

  /** Adoptions that count for what is not settled. */
  openAdoptions(): ReplicaBase["adoptions"][number][] {
    const { source } = this;
    const open: [Source, number, number, number, number, Source][] = [];
    for (const { first, last, stamp, adopter } of this.adoptions)
      open.push([source, first, last, stamp.ms, stamp.counter, adopter]);
    for (const { id, ms, counter, stamped, settled } of this.#entries)
      // Whose it was does not matter: it is here.
      if (!stamped && !settled && ms !== Infinity) open.push([source, id, id, ms, counter, source]);
    return open;
  }

  base(): SourceBase {
    const seen = new Map(this.#beforeSeen);
    for (let id = this.#before + 1; id <= this.settled; id++) see(seen, this.entry(id)?.seen);
    const stamp = this.#settledStamp();
    return {
      source: this.source,
      count: this.settled,
      ...(this.ahead.size > 0 ? { ahead: [...this.ahead] } : {}),
      ...(stamp === undefined ? {} : { stamp: [stamp.ms, stamp.counter] }),
      ...(this.zeroBased ? { zeroBased: true } : {}),
      ...(seen.size > 0 ? { seen: [...seen] } : {}),
    };
  }

  #settledStamp(): Stamp | undefined {
    const last = this.entry(this.settled);
    return last === undefined ? this.#beforeStamp : stampOf(last);
  }
}

function stampOf({ stamped, ms, counter }: Entry): Stamp | undefined {
  return stamped ? { ms, counter } : undefined;
}

function see(seen: Map<Source, number>, delta: readonly SourceCount[] | undefined): void {
  if (delta === undefined) return;
  for (const { source, count } of delta) {
    if (count > (seen.get(source) ?? 0)) seen.set(source, count);
  }
}
