/**
 * What one node knows of a document's transactions, apart from what they give: the log of each source, who is a member, who is evicted, what is adopted. What a batch brings is gathered in a {@link Batch}
 * and folded by the owner.
 */
import { assert } from "../base/assert.ts";
import type { Patch } from "../patch/patch.ts";
import { compareKeys, Entry, malformedVerdict } from "./entry.ts";
import type { OrderKey, Restamp } from "./entry.ts";
import { Evictions } from "./eviction.ts";
import type { Gap, WireTransaction } from "./exchange.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import { Membership } from "./membership.ts";
import { isRecord } from "./order-metadata.ts";
import type { AdoptedRange, OrderMetadata, SourceCount } from "./order-metadata.ts";
import { decodePayload } from "./payload.ts";
import type { ReplicaBase } from "./replica-base.ts";
import { SourceLog } from "./source-log.ts";
import { isSource } from "./source-name.ts";
import { compareStamps } from "./stamp.ts";
import type { Source, Stamp, Transaction } from "./vocabulary.ts";

/** A transaction as it is stored. */
export interface StoredTransaction extends Transaction {
  /** Its source counts from 0: on the wire its Id is one less. */
  readonly zeroBased?: boolean;
  /** When this node took it, wall clock, ms. */
  readonly arrivedMs?: number;
}

/** What came with one call. */
export class Batch {
  /** New ones, in the order in which they were taken; to be folded. */
  readonly fresh: Entry[] = [];
  /** Those of `fresh` that this node made. */
  readonly issued: Entry[] = [];
  /** Old ones that got another stamp. */
  readonly restamped = new Map<Entry, Stamp>();
  readonly touched = new Set<SourceLog>();
  /** Logs of plain peers that got something from a plain peer. */
  readonly plain = new Set<SourceLog>();
  duplicates = 0;
  readonly forged: { readonly source: Source; readonly id: number }[] = [];
  evicted = 0;
  malformed = 0;
  /** Something must be taken out, or be taken in again: the replica must be built anew. */
  rebuild = false;

  get moved(): readonly Restamp[] {
    return [...this.restamped].map(([entry, stamp]) => ({ entry, stamp }));
  }

  /** Where the first of it is to stand. */
  lowest(): OrderKey | undefined {
    const keys = this.moved.map(({ entry: { source, id }, stamp }) => ({ ...stamp, source, id }));
    return [...keys, ...this.fresh].sort(compareKeys)[0];
  }
}

export class Ledger {
  readonly members = new Membership();
  readonly evictions: Evictions;
  readonly #clock: HybridClock;
  readonly #logs = new Map<Source, SourceLog>();
  /** Those that got something since this node's last transaction. */
  readonly #unsaid = new Set<SourceLog>();
  /** Sources of which stored transactions above the cut were passed over. */
  readonly #passedOver = new Set<Source>();
  /** Own ones among them, of the name under which this node was evicted. */
  readonly voided: StoredTransaction[] = [];
  #self: SourceLog;
  /** This node has made a transaction since the document was opened: Ids above are not its past. */
  issuedSinceOpen = false;

  constructor(source: Source, clock: HybridClock, base: ReplicaBase | undefined) {
    this.#clock = clock;
    this.evictions = new Evictions(base?.evictions);
    this.members.add(source);
    if (base !== undefined) this.#begin(base);
    this.#self = this.log(source);
  }

  get self(): SourceLog {
    return this.#self;
  }

  logs(): Iterable<SourceLog> {
    return this.#logs.values();
  }

  find(source: Source): SourceLog | undefined {
    return this.#logs.get(source);
  }

  log(source: Source): SourceLog {
    let log = this.#logs.get(source);
    if (log === undefined) {
      log = new SourceLog(source);
      this.#logs.set(source, log);
    }
    return log;
  }

  countOf(source: Source): number {
    return this.#logs.get(source)?.count ?? 0;
  }

  /** From a peer. */
  take(batch: Batch, transaction: WireTransaction, plain: boolean, arrivedMs: number): void {
    const { source, id: wireId, payload } = transaction;
    if (!isSource(source) || !isWireId(wireId) || typeof payload !== "string") {
      batch.malformed++;
      return;
    }
    const log = this.log(source);
    if (wireId === 0 && !log.zeroBased) {
      if (log.count > 0) {
        batch.malformed++;
        return;
      }
      log.zeroBased = true;
    }
    const id = log.zeroBased ? wireId + 1 : wireId;
    if (this.evictions.size > 0 && id > this.evictions.bound(source, this.#self.source)) {
      batch.evicted++;
      return;
    }
    const { count } = log;
    const known = id <= count ? log.entry(id)?.payload : log.held.get(wireId)?.payload;
    if (known !== undefined && known !== payload) batch.forged.push({ source, id });
    else if (id <= count || known !== undefined) batch.duplicates++;
    else if (log === this.#self && this.issuedSinceOpen) batch.forged.push({ source, id });
    else if (id > count + 1) log.hold(wireId, { payload, plain });
    else this.#takeNext(batch, log, payload, plain, arrivedMs);
  }

  /** Stored before; nothing is refused but what an eviction voids. */
  takeStored(batch: Batch, stored: StoredTransaction): void {
    const { source, id, payload } = stored;
    const log = this.log(source);
    if (id <= log.count) return;
    if (id > (this.evictions.cutOf(source) ?? Infinity)) {
      this.#passedOver.add(source);
      if (log === this.#self) this.voided.push(stored);
      return;
    }
    if (log.count === 0) log.zeroBased = stored.zeroBased === true;
    this.#append(batch, log, payload, stored.arrivedMs ?? NaN);
  }

  /** A transaction of this node, which is not in its log yet. */
  make(parts: {
    readonly payload: string;
    readonly patch: Patch | undefined;
    readonly metadata: OrderMetadata;
    readonly arrivedMs: number;
  }): Entry {
    const { payload, patch, metadata, arrivedMs } = parts;
    return new Entry({
      source: this.#self.source,
      id: this.#self.count + 1,
      payload,
      patch,
      ms: metadata.stamp.ms,
      counter: metadata.stamp.counter,
      stamped: true,
      record: patch === undefined,
      seen: metadata.seen,
      arrivedMs,
    });
  }

  /** It is made. */
  takeOwn(batch: Batch, entry: Entry, metadata: OrderMetadata): void {
    assert(entry.source === this.#self.source, "own transactions are of this node");
    this.#self.append(entry);
    this.#unsaid.clear();
    this.issuedSinceOpen = true;
    batch.touched.add(this.#self);
    batch.issued.push(entry);
    if (entry.record) this.#heed(batch, this.#self.source, metadata, metadata.stamp);
  }

  /** What this node has newly seen of others since its last transaction. */
  unsaid(): SourceCount[] {
    const seen: SourceCount[] = [];
    for (const { source, count } of this.#unsaid) {
      if (source !== this.#self.source && count > (this.#self.seen.get(source) ?? 0))
        seen.push({ source, count });
    }
    return seen;
  }

  /** All of a batch is here, or all up to now: what follows for members and evictions. */
  conclude(batch: Batch): void {
    const { members, evictions } = this;
    for (const { source, stamp, count } of batch.touched) {
      members.took(source, stamp, count);
      // What we make will be behind all that we have seen; not by our clock, which may have seen what a crash takes away.
      if (stamp !== undefined) members.took(this.#self.source, stamp, this.#self.count);
    }
    if (evictions.size === 0) return;
    const cutsBefore = new Map(
      [...this.#passedOver].map((source) => [source, evictions.cutOf(source)]),
    );
    evictions.update((source) => this.countOf(source));
    for (const source of evictions.sources()) {
      const log = this.log(source);
      const bound = evictions.bound(source, this.#self.source);
      for (const wireId of log.held.keys()) if (wireId > log.wireId(bound)) log.held.delete(wireId);
      const cut = evictions.cutOf(source);
      if (cut === undefined) continue;
      if (log.count > cut) batch.rebuild = true;
      if (cutsBefore.has(source) && cutsBefore.get(source) !== cut) batch.rebuild = true;
      if (log.count >= cut) members.remove(source);
    }
  }

  /** What this node has to adopt of `unadopted`: what plain peers gave it, and all before of these. */
  toAdopt(batch: Batch, unadopted: readonly Entry[]): AdoptedRange[] {
    // Who should have adopted it may be gone without.
    const anybody = [...this.evictions.sources()].some(
      (source) => this.evictions.cutOf(source) !== undefined,
    );
    const ranges: { source: Source; first: number; last: number }[] = [];
    for (const entry of [...unadopted, ...batch.fresh].sort(compareKeys)) {
      const { source, id } = entry;
      if (entry.ms !== Infinity || batch.restamped.has(entry)) continue;
      if (!anybody && !batch.plain.has(this.log(source))) continue;
      const range = ranges.at(-1);
      if (range?.source === source && range.last === id - 1) range.last = id;
      else ranges.push({ source, first: id, last: id });
    }
    return ranges;
  }

  missing(): Gap[] {
    const missing: Gap[] = [];
    for (const log of this.#logs.values()) {
      const { source } = log;
      const cut = this.evictions.cutOf(source) ?? 0;
      if (log.count < cut)
        missing.push({ source, from: log.wireId(log.count + 1), to: log.wireId(cut) });
      else for (const { from, to } of log.gaps()) missing.push({ source, from, to });
    }
    return missing;
  }

  /** This node writes under a new name. */
  rename(source: Source): void {
    const log = this.log(source);
    assert(log.count === 0, "a name under which nobody has written");
    this.members.remove(this.#self.source);
    this.members.add(source);
    this.#self = log;
    this.issuedSinceOpen = false;
    for (const other of this.#logs.values()) if (other.count > 0) this.#unsaid.add(other);
  }

  /** Goes on from what another replica of the same document knew beside its transactions. */
  inherit(previous: Ledger): void {
    this.members.inherit(previous.members);
    this.issuedSinceOpen = previous.issuedSinceOpen;
    for (const source of previous.evictions.sources()) {
      const cut = previous.evictions.cutOf(source);
      if (cut !== undefined) this.evictions.know(source, cut);
    }
  }

  /** Moves the frontier: to the least clock of all members, but not to where what is adopted and not here yet will come to stand. */
  advance(): Stamp {
    let bound: Stamp | undefined;
    for (const log of this.#logs.values()) {
      for (const { adopter, stamp } of log.adoptions) {
        // What one who is gone has adopted may be lost with it.
        if (!this.members.has(adopter)) continue;
        if (bound === undefined || compareStamps(stamp, bound) < 0) bound = stamp;
      }
    }
    return this.members.advance(bound);
  }

  /** A member from now on, unless it was evicted. */
  join(source: Source): void {
    this.members.joined.add(source);
    this.#enter(source);
  }

  #begin(base: ReplicaBase): void {
    for (const one of base.sources) {
      const log = new SourceLog(one.source, one);
      this.#logs.set(one.source, log);
      this.#unsaid.add(log);
      if (log.stamp === undefined) continue;
      this.#clock.observe(log.stamp);
      this.#enter(one.source);
      this.members.took(one.source, log.stamp, log.count);
    }
    for (const [source, first, last, ms, counter, adopter] of base.adoptions)
      this.log(source).adoptions.push({ source, first, last, stamp: { ms, counter }, adopter });
    for (const source of base.joined) this.join(source);
    const [ms, counter] = base.frontier;
    this.members.raise({ ms, counter });
    this.#clock.observe({ ms, counter });
  }

  /** The next of its source, and those that were held back for it. */
  #takeNext(
    batch: Batch,
    log: SourceLog,
    payload: string,
    plain: boolean,
    arrivedMs: number,
  ): void {
    this.#append(batch, log, payload, arrivedMs);
    if (plain) batch.plain.add(log);
    for (let held = log.takeHeld(); held !== undefined; held = log.takeHeld()) {
      this.#append(batch, log, held.payload, arrivedMs);
      if (held.plain) batch.plain.add(log);
    }
  }

  #append(batch: Batch, log: SourceLog, payload: string, arrivedMs: number): void {
    const { patch, metadata, malformed } = decodePayload(payload);
    const id = log.count + 1;
    let stamp = log.stamp;
    if (metadata !== undefined && (stamp === undefined || compareStamps(metadata.stamp, stamp) > 0))
      stamp = metadata.stamp;
    const stamped = stamp !== undefined;
    stamp ??= log.adoptedStamp(id);
    const record = metadata !== undefined && malformed === undefined && isRecord(metadata);
    const entry = new Entry({
      source: log.source,
      id,
      payload,
      patch: record || malformed !== undefined ? undefined : patch,
      ms: stamp?.ms ?? Infinity,
      counter: stamp?.counter ?? 0,
      stamped,
      record,
      seen: metadata?.seen,
      arrivedMs,
    });
    if (malformed !== undefined) entry.verdict = malformedVerdict(malformed);
    log.append(entry);
    if (log.ahead.has(id)) entry.settled = true;
    else batch.fresh.push(entry);
    batch.touched.add(log);
    this.#unsaid.add(log);
    if (stamp === undefined) return;
    this.#clock.observe(stamp);
    if (metadata === undefined) return;
    this.#enter(log.source);
    if (malformed === undefined && record) this.#heed(batch, log.source, metadata, stamp);
  }

  /** Does what a record says. */
  #heed(batch: Batch, author: Source, metadata: OrderMetadata, stamp: Stamp): void {
    const { adopted, eviction, frozen } = metadata;
    for (const range of adopted ?? []) this.#adopt(batch, range, stamp, author);
    if (eviction !== undefined && !this.evictions.isAskedOf(eviction.source, eviction.members))
      this.evictions.ask(eviction.source, eviction.members);
    if (frozen !== undefined) this.evictions.freeze(author, frozen.source, frozen.count);
  }

  #adopt(batch: Batch, range: AdoptedRange, stamp: Stamp, adopter: Source): void {
    const { source, first, last } = range;
    const log = this.log(source);
    const { count } = log;
    for (let id = Math.max(first, log.before + 1); id <= Math.min(last, count); id++) {
      const entry = log.entry(id);
      // What is settled has a lesser stamp already: else the record itself would have come to stand among what is settled.
      if (entry === undefined || entry.stamped || entry.settled) continue;
      if (compareStamps(stamp, batch.restamped.get(entry) ?? entry) >= 0) continue;
      if (entry.placed) batch.restamped.set(entry, stamp);
      else {
        entry.ms = stamp.ms;
        entry.counter = stamp.counter;
      }
    }
    if (last > count)
      log.adoptions.push({ source, first: Math.max(first, count + 1), last, stamp, adopter });
  }

  #enter(source: Source): void {
    if (this.evictions.size > 0 && this.evictions.isGone(source, this.countOf(source))) return;
    this.members.add(source);
  }
}

function isWireId(value: unknown): value is number {
  return (
    Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < Number.MAX_SAFE_INTEGER
  );
}
