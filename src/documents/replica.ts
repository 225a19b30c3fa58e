/**
 * One document on one node: its transactions in their total order, and the JSON that they give. Pure: no files, no network, no timers; the owner stores what a call answers and gives it back after a
 * restart. What is known of transactions is in `ledger.ts`, the order in `entry.ts`, undo, merge and redo in `fold.ts`, finality in `membership.ts`, own transactions in `author.ts`.
 */
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { sha256Hex } from "../base/sha256.ts";
import { canonicalText } from "../patch/canonical.ts";
import type { Json } from "../patch/json.ts";
import { Author, isRejection } from "./author.ts";
import { ChangeRecorder, verdictOf } from "./change-recorder.ts";
import { isFinal } from "./entry.ts";
import type { Entry, OrderKey } from "./entry.ts";
import type { WireTransaction } from "./exchange.ts";
import { noChange } from "./fold-change.ts";
import type { FoldChange } from "./fold-change.ts";
import { Fold } from "./fold.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import { Batch, Ledger } from "./ledger.ts";
import type { StoredTransaction } from "./ledger.ts";
import type { OrderMetadata } from "./order-metadata.ts";
import { visibleOperations } from "./payload.ts";
import { rejectionOf } from "./rejection.ts";
import { issuedNothing, voidReceived } from "./replica-answers.ts";
import type {
  Issued,
  IssueOptions,
  Preview,
  Received,
  Reissued,
  ReplicaOptions,
} from "./replica-answers.ts";
import type { ReplicaBase } from "./replica-base.ts";
import { ReplicaReader } from "./replica-reader.ts";
import { lookBack, placesUntil } from "./replica-view.ts";
import type { Rejection, Source, Stamp, VectorClock } from "./vocabulary.ts";

export class Replica extends ReplicaReader {
  /** Since the start. */
  readonly counts = { redone: 0, redoneLongest: 0, forged: 0, evicted: 0, malformed: 0 };
  readonly #options: ReplicaOptions;
  readonly #clock: HybridClock;
  readonly #author: Author;
  #restoring: Batch | undefined = new Batch();
  #void = false;
  /** Where the first stands of what could not be taken. */
  #refused: OrderKey | undefined;
  /** That of the replica before. */
  #wanted: OrderKey | undefined;

  constructor(options: ReplicaOptions) {
    const { base, source, clock, lenient } = options;
    const ledger = new Ledger(source, clock, base);
    const fold = new Fold({
      lenient,
      maxTail: options.maxTail ?? limits.documentTailMaxCount,
      start: {
        value: base?.value ?? {},
        key: keyOf(base),
        transactions: base?.transactions ?? 0,
        rejected: base?.rejected ?? 0,
        final: base?.final ?? 0,
      },
      onSettled: (entry) => {
        ledger.log(entry.source).settle(entry.id);
      },
    });
    super(options.name, ledger, fold);
    this.#options = options;
    this.#clock = clock;
    this.#author = new Author(clock, ledger, fold);
  }

  /** A fresh replica in place of one that answered `belowBase`: without base, knowing cuts, frontier, and what members said. To be given all that is stored: `restore`, `restored`. */
  static successor(previous: Replica): Replica {
    const { base: _, ...options } = previous.#options;
    const successor = new Replica({ ...options, source: previous.source });
    successor.ledger.inherit(previous.ledger);
    Object.assign(successor.counts, previous.counts);
    successor.#wanted = previous.#refused;
    return successor;
  }

  /**
   * Makes a local transaction of operations in the form of RFC 6902, which are not to be changed afterwards. None: no transaction. A {@link Rejection}: it fails now, nothing was made. Throws BADPATCH (also
   * for a member "~"), TOOLARGE, and SOURCECONFLICT while own transactions of before are on their way from peers.
   */
  issue(operations: readonly Json[], options: IssueOptions = {}): Issued | Rejection {
    this.#assertInUse();
    assert(!this.isEvicted, "a node that was evicted takes a new name first");
    const change = new ChangeRecorder();
    const made = this.#author.issue(operations, options, change);
    if (made === undefined) return issuedNothing;
    if (isRejection(made)) return made;
    this.shownClock = undefined;
    return { kind: "issued", transactions: [this.#stored(made)], change: this.#told(change) };
  }

  /** What `issue` would do: the document as it would be, or why not. */
  dryRun(operations: readonly Json[], options: IssueOptions = {}): Preview | Rejection {
    this.#assertInUse();
    const { patch } = this.#author.decode(operations, options);
    const preview = this.fold.preview(patch, () => canonicalText(this.fold.tree.value));
    if ("failure" in preview) return rejectionOf(preview.failure);
    return { kind: "would", text: preview.seen, hash: sha256Hex(preview.seen) };
  }

  /** From a peer, in any order, with duplicates and gaps: one undo, merge and redo for all. `arrivedMs` is noted in what is accepted. */
  receive(
    transactions: readonly WireTransaction[],
    from: "truba" | "plain",
    arrivedMs: number = NaN,
  ): Received {
    this.#assertInUse();
    const shown = this.vclock;
    const batch = new Batch();
    const plain = from === "plain";
    for (const transaction of transactions) this.ledger.take(batch, transaction, plain, arrivedMs);
    this.ledger.conclude(batch);
    if (!batch.rebuild) this.#author.answer(batch, arrivedMs);
    const { frontier } = this.ledger.members;
    const late = batch.fresh.reduce((sum, entry) => sum + (isFinal(entry, frontier) ? 1 : 0), 0);
    const own = new Set(batch.issued);
    const accepted = batch.fresh
      .filter((entry) => !own.has(entry))
      .map((entry) => this.#stored(entry));
    const issued = batch.issued.map((entry) => this.#stored(entry));
    const recorder = new ChangeRecorder();
    if (batch.rebuild || !this.#merge(batch, recorder)) {
      this.#void = true;
      this.#refused = batch.lowest();
      this.shownClock = shown;
      return voidReceived;
    }
    this.counts.forged += batch.forged.length;
    this.counts.evicted += batch.evicted;
    this.counts.malformed += batch.malformed;
    const { duplicates, forged, evicted, malformed } = batch;
    const missing = this.ledger.missing();
    const change = this.#told(recorder);
    return {
      accepted,
      issued,
      missing,
      duplicates,
      forged,
      evicted,
      malformed,
      late,
      belowBase: false,
      change,
    };
  }

  /** What was stored: any number of calls, each source's in order, then `restored` once. What the base has is passed over. */
  restore(transactions: Iterable<StoredTransaction>): void {
    const batch = this.#restoring;
    assert(batch !== undefined, "a replica is restored before it is used");
    for (const transaction of transactions) this.ledger.takeStored(batch, transaction);
  }

  /** Folds what was restored; to be called also if that was nothing. `belowBase`: as of `receive`: go on with a successor. */
  restored(): { readonly belowBase: boolean } {
    const batch = this.#restoring;
    assert(batch !== undefined, "a replica is restored once");
    this.#restoring = undefined;
    this.ledger.conclude(batch);
    if (batch.rebuild || this.fold.plan(batch.fresh, []) === undefined) {
      this.#void = true;
      return { belowBase: true };
    }
    const { until } = this.#options;
    const places =
      until === undefined ? Infinity : placesUntil(until, this.fold.before, batch.fresh);
    this.fold.restore(batch.fresh, places, this.#wanted);
    const { frontier } = this.ledger.members;
    if (this.#wanted === undefined || !isFinal(this.#wanted, frontier))
      this.fold.finalize(frontier);
    if (until !== undefined)
      this.shownClock = lookBack(this.fold, this.ledger, this.fold.transactions)?.vclock;
    return { belowBase: false };
  }

  /** `member` issues nothing at or before `clock` beyond its first `count` transactions. */
  heard(member: Source, clock: Stamp, count: number): void {
    this.#clock.observe(clock);
    if (member === this.source) return;
    this.ledger.members.heard(member, { clock, count }, this.ledger.countOf(member));
  }

  /** We issue nothing at or before `clock`, also after a crash: it may be told to peers. */
  promised(clock: Stamp): void {
    this.#clock.observe(clock);
    const { count } = this.ledger.self;
    this.ledger.members.heard(this.source, { clock, count }, count);
  }

  /** What a member holds, by its own words. */
  memberHas(member: Source, vclock: VectorClock): void {
    this.ledger.members.holds(member, vclock);
  }

  /** How many configured peers have not said who they are; while there are any, nothing becomes final. */
  expect(peers: number): void {
    this.ledger.members.expected = peers;
  }

  /** A Truba node was met: it is a member from now on, unless it was evicted. Not durable before the next base. */
  join(source: Source): void {
    this.#assertInUse();
    const { members, evictions } = this.ledger;
    if (!members.has(source) && !evictions.isAsked(source)) this.ledger.join(source);
  }

  /** Asks that a member be evicted. No transactions: that was asked already. */
  evict(source: Source): Issued {
    this.#assertInUse();
    const { members, evictions } = this.ledger;
    assert(source !== this.source, "a node does not evict itself");
    const answering = [...members.sources()].filter(
      (member) => member !== source && !evictions.isAsked(member),
    );
    if (this.isEvicted || evictions.isAskedOf(source, answering)) return issuedNothing;
    const frozen = { source, count: this.ledger.countOf(source) };
    return this.#record(
      evictions.hasAnswered(this.source, source)
        ? { eviction: { source, members: answering } }
        : { eviction: { source, members: answering }, frozen },
    );
  }

  /** Moves the frontier: what became final is told, and need not be undone any more. To be called once after a batch of calls. */
  settle(): FoldChange {
    this.#assertInUse();
    const became = this.fold.finalize(this.ledger.advance());
    if (became.length === 0) return noChange;
    return { ...noChange, verdicts: became.map((entry) => verdictOf(entry, true)) };
  }

  /** From now on this node writes under a name that nobody has used. To be stored in the same batch as what `reissue` makes. */
  rename(source: Source): void {
    this.#assertInUse();
    this.ledger.rename(source);
  }

  /** After `rename`: makes own transactions above the cut again, in order; what fails now is lost, and answered. */
  reissue(options: IssueOptions = {}): Reissued {
    this.#assertInUse();
    const change = new ChangeRecorder();
    const made: Entry[] = [];
    const lost: { operations: readonly Json[]; rejection: Rejection }[] = [];
    for (const { payload } of this.ledger.voided.splice(0)) {
      const operations = visibleOperations(payload);
      const entry = this.#author.issue(operations, options, change);
      if (entry === undefined) continue;
      if (isRejection(entry)) lost.push({ operations, rejection: entry });
      else made.push(entry);
    }
    const batch = new Batch();
    this.#author.answer(batch, options.arrivedMs ?? NaN);
    const merged = this.#merge(batch, change);
    assert(merged, "own records stand behind what is settled");
    const transactions = [...made, ...batch.issued].map((entry) => this.#stored(entry));
    return { kind: "issued", transactions, lost, change: this.#told(change) };
  }

  /** The settled part, for a checkpoint. All that was taken must be durable before the base is. */
  base(): ReplicaBase {
    this.#assertInUse();
    const fold = this.fold;
    const key = fold.lastSettled;
    const { frontier, joined } = this.ledger.members;
    return {
      version: 1,
      value: fold.lookAt(fold.settled, () => JSON.parse(JSON.stringify(fold.tree.value)) as Json),
      key: key === undefined ? null : [key.ms, key.counter, key.source, key.id],
      transactions: fold.settled,
      rejected: fold.settledRejected,
      final: fold.final,
      frontier: [frontier.ms, frontier.counter],
      sources: [...this.ledger.logs()].filter(({ count }) => count > 0).map((log) => log.base()),
      adoptions: [...this.ledger.logs()].flatMap((log) => log.openAdoptions()),
      joined: [...joined],
      evictions: this.ledger.evictions.bases(),
    };
  }

  /** The first `places` transactions, settled ones, are in history files and in a checkpoint: they leave memory. Default: all that are settled. */
  trim(places: number = Infinity): void {
    this.fold.trim(places);
    for (const log of this.ledger.logs()) log.trim();
  }

  #record(parts: Omit<OrderMetadata, "stamp">): Issued {
    const batch = new Batch();
    const change = new ChangeRecorder();
    this.#author.record(batch, parts, NaN);
    // It may have been the last answer to an eviction.
    this.#author.answer(batch, NaN);
    const merged = this.#merge(batch, change);
    assert(merged, "own records stand behind what is settled");
    const transactions = batch.issued.map((entry) => this.#stored(entry));
    return { kind: "issued", transactions, change: this.#told(change) };
  }

  /** Folds a batch. Says no if it goes where nothing can be undone any more; then nothing is changed. */
  #merge(batch: Batch, change: ChangeRecorder): boolean {
    const plan = this.fold.plan(batch.fresh, batch.moved);
    if (plan === undefined) return false;
    this.fold.merge(plan, change);
    if (batch.fresh.length > 0) this.shownClock = undefined;
    return true;
  }

  #told(change: ChangeRecorder): FoldChange {
    this.counts.redone += change.undone;
    this.counts.redoneLongest = Math.max(this.counts.redoneLongest, change.undone);
    return change.change();
  }

  #stored({ source, id, payload, arrivedMs }: Entry): StoredTransaction {
    return {
      source,
      id,
      payload,
      ...(this.isZeroBased(source) ? { zeroBased: true } : {}),
      ...(Number.isNaN(arrivedMs) ? {} : { arrivedMs }),
    };
  }

  #assertInUse(): void {
    assert(this.#restoring === undefined, "a replica is used after restored()");
    assert(!this.#void, "a replica that answered belowBase takes nothing more");
  }
}

function keyOf(base: ReplicaBase | undefined): OrderKey | undefined {
  if (base === undefined || base.key === null) return undefined;
  const [ms, counter, source, id] = base.key;
  return { ms, counter, source, id };
}
