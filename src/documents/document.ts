/**
 * One document in memory: its replica, its transactions that are not in history files yet, and who waits for it or follows it.
 *     submit, arrive   what is issued here is in the replica at once; what comes from peers waits for the turn, so that it is one merge
 *     seal             once per turn, before the journal's batch is staged: merge, settle, note what to tell
 *     confirm          the batch is durable: tell watchers, answer who waits, let links send
 * Failures of the disk end the whole node; damage of the document's own files ends the document (see documents.ts).
 */
import type { Clock } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/logger.ts";
import type { Json } from "../patch/json.ts";
import { ArrivalQueue } from "./arrivals.ts";
import type { DocumentCounters } from "./document-counters.ts";
import {
  DocumentProgress,
  type Need,
  type Sealed,
  type Version,
  eventOf,
  viewOf,
} from "./document-progress.ts";
import { DocumentWaits } from "./document-waits.ts";
import { DocumentWatchers } from "./document-watchers.ts";
import type { ReceivedSummary, Sender, WireTransaction } from "./exchange.ts";
import type { FoldChange } from "./fold-change.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import type { Journal } from "./journal.ts";
import type { KeptTail } from "./kept-tail.ts";
import type { StoredTransaction } from "./ledger.ts";
import type { Replica } from "./replica.ts";
import type { IssueOptions } from "./replica-answers.ts";
import { compareStamps } from "./stamp.ts";
import type { Rejection, Source, Stamp } from "./vocabulary.ts";

/** What a document needs of the node's documents. */
export interface DocumentHost {
  readonly journal: Journal;
  readonly hybridClock: HybridClock;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters: DocumentCounters;
  /** How long history is kept; `undefined`: for ever. */
  readonly historyDays: number | undefined;
  /** A replica begins its life: it is told what is known of peers. */
  loaded(replica: Replica): void;
  /** The document has something for the next turn. */
  changed(document: Document): void;
  /** What this node may promise now at most: the durable ceiling of its clock, and that it is raised in time. */
  ceiling(): Stamp;
  /** New durable transactions are there to be sent. */
  durable(name: string): void;
  watcherClosed(): void;
  /** Makes a new replica of everything that was ever stored, because `previous` cannot undo so far. */
  rebuild(document: Document, previous: Replica): Promise<Replica>;
  /** A name that was never used, for a node that was evicted under the old one. */
  newSource(document: Document): Source;
}

export class Document {
  readonly name: string;
  readonly tail: KeptTail;
  readonly watchers: DocumentWatchers;
  /** The last journal entry that has something of it. */
  index: number;
  /** When it was last of use, monotonic ms. */
  usedMs: number;
  readonly #host: DocumentHost;
  readonly #progress = new DocumentProgress();
  readonly #arrivals = new ArrivalQueue();
  #replica: Replica;
  #promised: Stamp | undefined;
  #unsettled = true;
  readonly #waits = new DocumentWaits();
  /** While a new replica is made. */
  #rebuilding: Promise<void> | undefined;
  #failed: Error | undefined;
  /** The history in files is of an order that no longer holds. */
  orderIsStale = false;

  constructor(host: DocumentHost, replica: Replica, tail: KeptTail, index: number) {
    this.#host = host;
    this.#replica = replica;
    this.tail = tail;
    this.name = replica.name;
    this.index = index;
    this.usedMs = host.clock.monotonicMs();
    this.watchers = new DocumentWatchers(
      (take) =>
        this.#ask(
          "text",
          (version) => take(viewOf(this.name, version)),
          () => {},
        ),
      () => host.watcherClosed(),
    );
  }

  get replica(): Replica {
    return this.#replica;
  }

  /** Something of it was ever written, by anyone. */
  get exists(): boolean {
    return this.#replica.transactions > 0;
  }

  /** Nothing is on its way, and nobody waits for it. */
  get idle(): boolean {
    return (
      this.#progress.idle &&
      this.#arrivals.length === 0 &&
      this.#rebuilding === undefined &&
      this.index <= this.#host.journal.durable
    );
  }

  /** Something is not final, so members' clocks are of use. */
  get tentative(): boolean {
    return this.#replica.final < this.#replica.transactions;
  }

  /** Nobody follows it or waits for it, and nothing of it may change by itself. */
  get unused(): boolean {
    return this.idle && !this.tentative && this.watchers.count === 0 && this.#waits.none;
  }

  /** Waits for a new replica, if one is being made. */
  get ready(): Promise<void> | undefined {
    return this.#rebuilding;
  }

  /** The replica shows only what is durable. */
  get durable(): boolean {
    return this.tail.length + this.tail.before === this.tail.durable;
  }

  get promised(): Stamp | undefined {
    return this.#promised;
  }

  /** It has been loaded, and all of it is durable: what was final before is final again. */
  begin(): void {
    this.#promiseUpTo(this.#host.hybridClock.now());
    this.#replica.settle();
    if (this.tentative) this.unsettle();
  }

  /** Applies a patch here and writes it down. Throws as `Replica.issue`. Says what was made, if anything, or why nothing was. */
  submit(
    operations: readonly Json[],
    options: IssueOptions,
  ): StoredTransaction | Rejection | undefined {
    this.#mustRun();
    const issued = this.#replica.issue(operations, options);
    if (issued.kind === "rejected") return issued;
    this.#write(issued.transactions);
    this.#noted(issued.change);
    return issued.transactions[0];
  }

  /** The document with all that is gathered now, when that is durable. */
  version(need: Need): Promise<Version> {
    return new Promise((resolve, reject) => {
      this.#ask(need, resolve, reject);
    });
  }

  /** Resolves when the verdict on a transaction is final, or rejects with the signal's reason. */
  whenFinal(source: Source, id: number, signal?: AbortSignal): Promise<void> {
    const final = this.#waits.forFinal(source, id, signal);
    this.unsettle();
    return final;
  }

  /** Asks the members to agree on the end of one of them. Resolves with its cut. */
  evict(source: Source, signal?: AbortSignal): Promise<number> {
    this.#mustRun();
    const issued = this.#replica.evict(source);
    this.#write(issued.transactions);
    this.#noted(issued.change);
    return this.#waits.forCut(source, signal);
  }

  /** A Truba node takes part from now on. The replica that takes the place of one that is folded anew is told of all of them. */
  join(source: Source): void {
    if (this.#failed !== undefined || this.#rebuilding !== undefined) return;
    this.#replica.join(source);
    this.unsettle();
  }

  /** From a peer: part of the merge of the next turn. */
  arrive(transactions: readonly WireTransaction[], from: Sender): Promise<ReceivedSummary> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    this.#host.changed(this);
    return this.#arrivals.add(transactions, from);
  }

  /** Makes the replica again from history. Rejects with TrubaError DOCUMENTDAMAGED if that cannot be read. */
  async foldAnew(): Promise<void> {
    if (this.#rebuilding === undefined) this.#rebuild();
    await this.#rebuilding;
    if (this.#failed !== undefined) throw this.#failed;
  }

  /** Members have said something that may make transactions final. */
  unsettle(): void {
    this.#unsettled = true;
    this.#host.changed(this);
  }

  /** What this node may promise of itself now, if nothing of its own is on its way. */
  promise(): Stamp | undefined {
    if (this.idle) this.#promiseUpTo(this.#host.hybridClock.now());
    return this.#promised;
  }

  /** The first half of {@link seal}: what has come is merged and written to the batch. */
  merge(): void {
    if (this.#rebuilding !== undefined || this.#failed !== undefined) return;
    const batches = this.#arrivals.take();
    for (const [n, batch] of batches.entries()) {
      const received = this.#replica.receive(
        batch.transactions,
        batch.kind,
        this.#host.clock.wallMs(),
      );
      if (received.belowBase) {
        this.#arrivals.putBack(batches.slice(n));
        this.#rebuild();
        return;
      }
      this.#write(received.accepted);
      this.#write(received.issued);
      this.#noted(received.change);
      this.#host.counters.received(received);
      batch.received(received, (source) => this.#replica.isZeroBased(source));
    }
    if (this.#replica.isEvicted) this.#comeBack();
    if (!this.#unsettled) return;
    this.#unsettled = false;
    this.#noted(this.#replica.settle());
  }

  /** The batch of this turn is closed: what was gathered belongs to it. */
  seal(): void {
    const need = this.#needAtSeal();
    const promise =
      this.tentative || this.#waits.forVerdicts ? this.#host.hybridClock.now() : undefined;
    this.#progress.seal(this.index, this.#versionNow(need), promise);
    this.#arrivals.sealed(this.index);
  }

  /** The journal is durable up to `durable`. Says whether something of the document still waits. */
  confirm(durable: number): boolean {
    let news = this.tail.confirm(durable);
    let sealed = this.#progress.takeDurable(durable);
    while (sealed !== undefined) {
      news = true;
      this.#confirmed(sealed);
      sealed = this.#progress.takeDurable(durable);
    }
    this.#arrivals.confirm(durable);
    if (!this.#waits.none && this.durable) this.#waits.tellCuts(this.#replica);
    if (news) this.#host.durable(this.name);
    return this.#progress.waiting > 0;
  }

  /** Nothing of it can be done any more. */
  fail(error: Error): void {
    if (this.#failed !== undefined) return;
    this.#failed = error;
    this.#progress.fail(error);
    this.#arrivals.fail(error);
    this.watchers.end(error);
    this.#waits.fail(error);
  }

  #mustRun(): void {
    if (this.#failed !== undefined) throw this.#failed;
    // One that was folded anew just now may know already that this node was evicted.
    if (this.#replica.isEvicted && this.#rebuilding === undefined) this.#comeBack();
    if (this.#rebuilding === undefined) return;
    throw new TrubaError("OVERLOADED", `document ${this.name} is being folded anew`, {
      retryAfterMs: limits.overloadedRetryAfterMs,
    });
  }

  #ask(need: Need, done: (version: Version) => void, failed: (error: Error) => void): void {
    if (this.#failed !== undefined) {
      failed(this.#failed);
      return;
    }
    if (this.idle) {
      done(this.#versionNow(need));
      return;
    }
    this.#progress.ask({ need, done, failed });
    this.#host.changed(this);
  }

  #versionNow(need: Need | undefined): Version {
    const { vclock, transactions, final, rejected } = this.#replica;
    const text = need === "text" ? this.#replica.text() : undefined;
    const hash = need === "text" || need === "hash" ? this.#replica.hash() : undefined;
    return { vclock, transactions, final, rejected, text, hash };
  }

  #needAtSeal(): Need | undefined {
    const tooLong = this.watchers.count > 0 && this.#progress.change.operations === undefined;
    return tooLong ? "text" : this.#progress.need;
  }

  #write(transactions: readonly StoredTransaction[]): void {
    const arrivedMs = this.#host.clock.wallMs();
    for (const { source, id, payload, zeroBased = false } of transactions) {
      const transaction = { source, id, payload, zeroBased, arrivedMs };
      this.index = this.#host.journal.transaction(this.name, transaction);
      this.tail.add(transaction, this.index);
    }
  }

  #noted(change: FoldChange): void {
    this.#host.counters.changed(change);
    // Whoever comes to watch gets a snapshot first.
    if (this.watchers.count > 0) this.#progress.change.add(change);
    else this.#progress.change.any ||= change.verdicts.length > 0;
    this.#host.changed(this);
    if (this.#waits.forVerdicts) this.#waits.tellFinal(this.#replica);
  }

  #confirmed({ change, version, askers, promise }: Sealed): void {
    if (promise !== undefined) this.#promiseUpTo(promise);
    // What comes with later batches must not be told before them.
    if (this.tentative && this.#progress.idle && this.#rebuilding === undefined) {
      this.#unsettled = false;
      const settled = this.#replica.settle();
      this.#host.counters.changed(settled);
      if (this.watchers.count > 0) change.add(settled);
      if (this.#waits.forVerdicts) this.#waits.tellFinal(this.#replica);
    }
    if (change.any && this.watchers.count > 0)
      this.watchers.tell(eventOf(this.name, change, version, this.#replica.final));
    for (const { done } of askers) done(version);
  }

  /** As far as the journal lets it be said. */
  #promiseUpTo(stamp: Stamp): void {
    const ceiling = this.#host.ceiling();
    const most = compareStamps(stamp, ceiling) < 0 ? stamp : ceiling;
    if (most.ms === 0) return;
    if (this.#promised !== undefined && compareStamps(this.#promised, most) >= 0) return;
    this.#promised = most;
    this.#replica.promised(most);
    this.#unsettled = true;
  }

  /** This node was evicted under its name while it could not be reached: it goes on under another, and says again what the others refuse. */
  #comeBack(): void {
    const { logger, journal } = this.#host;
    const old = this.#replica.source;
    const source = this.#host.newSource(this);
    this.index = journal.author(this.name, source);
    this.#replica.rename(source);
    const { transactions, change, lost } = this.#replica.reissue();
    this.#write(transactions);
    this.#noted(change);
    this.#promised = undefined;
    logger.warn(
      { document: this.name, old, source, again: transactions.length, lost: lost.length },
      "this node was evicted from the document; it goes on under a new name",
    );
    for (const { operations, rejection } of lost)
      logger.error(
        { document: this.name, operations, why: rejection.text },
        "a patch is lost by the eviction",
      );
  }

  #rebuild(): void {
    const previous = this.#replica;
    this.#rebuilding = this.#host
      .rebuild(this, previous)
      .then((replica) => {
        this.#replica = replica;
        this.#host.loaded(replica);
        this.orderIsStale = true;
        this.#progress.change.operations = undefined;
        this.#progress.change.any = true;
        this.#unsettled = true;
      })
      .catch((error: unknown) => {
        this.fail(error instanceof Error ? error : new Error(String(error)));
      })
      .finally(() => {
        this.#rebuilding = undefined;
        this.#host.changed(this);
      });
  }
}
