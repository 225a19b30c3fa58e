/**
 * What a document's next checkpoint has: its transactions that are not in history yet, the places that were settled since the last one, and the document at the end of the settled part.
 *
 * The document goes on while this works in slices: what it looks at (settled places, transactions that were taken) does not change any more.
 */
import type { Clock } from "../base/clock.ts";
import { must } from "../base/assert.ts";
import { TimeSlice } from "../state/time-slice.ts";
import type { Document } from "./document.ts";
import type { CheckpointHead } from "./document-checkpoint.ts";
import type { CheckpointContent } from "./document-store.ts";
import { encodeHistory, encodeOrder } from "./history-record.ts";
import type { KeptEntry } from "./kept-tail.ts";
import type { PlacedTransaction, Source } from "./vocabulary.ts";

/** Places that are asked of the replica at once. */
const placesAtOnce = 256;

/** History numbers of transactions that have no place in the order file yet, by source and Id. */
export class Unplaced {
  readonly #numbers = new Map<Source, Map<number, number>>();

  add(source: Source, id: number, number: number): void {
    let own = this.#numbers.get(source);
    if (own === undefined) {
      own = new Map();
      this.#numbers.set(source, own);
    }
    own.set(id, number);
  }

  numberOf(source: Source, id: number): number {
    return must(this.#numbers.get(source)?.get(id), `transaction ${id} of ${source} is in history`);
  }

  remove(source: Source, id: number): void {
    this.#numbers.get(source)?.delete(id);
  }

  clear(): void {
    this.#numbers.clear();
  }

  /** Transactions above the cut of an eviction never get a place. */
  removeAbove(source: Source, cut: number): void {
    const own = this.#numbers.get(source);
    for (const id of own?.keys() ?? []) if (id > cut) own?.delete(id);
  }

  /** The lowest; Infinity: there are none. */
  get lowest(): number {
    let lowest = Infinity;
    for (const own of this.#numbers.values())
      for (const number of own.values()) lowest = Math.min(lowest, number);
    return lowest;
  }
}

export interface MadeCheckpoint {
  readonly content: CheckpointContent;
  /** What it has stands in the journal up to here. */
  readonly index: number;
  /** It is durable: what it has leaves memory. */
  written(): void;
}

export interface CheckpointFacts {
  readonly clock: Clock;
  readonly document: Document;
  readonly unplaced: Unplaced;
  /** The last journal entry that is closed: what comes now goes into later ones. */
  readonly closed: number;
  readonly begin: CheckpointHead["begin"];
  /** Places in the order file so far. */
  readonly ordered: number;
}

/** All that the document holds now goes into it, durable or not: it must be durable before this is written. */
export async function makeCheckpoint(facts: CheckpointFacts): Promise<MadeCheckpoint> {
  const { clock, document, unplaced } = facts;
  const { replica, tail, index, name } = document;
  const orderAnew = document.orderIsStale;
  const entries: readonly KeptEntry[] = tail.entries.slice();
  const before = tail.before;
  const counts = new Map(tail.counts);
  for (const { transaction } of entries) counts.set(transaction.source, transaction.id);
  const base = replica.base();
  const cuts = [...counts.keys()].flatMap((source): (readonly [Source, number])[] => {
    const cut = replica.cutOf(source);
    return cut === undefined ? [] : [[source, cut]];
  });
  const hash = document.idle && replica.transactions === base.transactions ? replica.hash() : null;
  const slice = new TimeSlice(clock);
  const history: Buffer[] = [];
  for (const [n, { transaction }] of entries.entries()) {
    history.push(encodeHistory(transaction));
    unplaced.add(transaction.source, transaction.id, before + n + 1);
    if (slice.isOver()) await slice.rest();
  }
  for (const [source, cut] of cuts) unplaced.removeAbove(source, cut);
  const placed: { source: Source; id: number }[] = [];
  const order: Buffer[] = [];
  for (let place = (orderAnew ? 0 : facts.ordered) + 1; place <= base.transactions;) {
    const piece = replica.placed(place, Math.min(placesAtOnce, base.transactions - place + 1));
    for (const each of piece) {
      order.push(encodeOrder(orderRecordOf(each, unplaced)));
      placed.push(each);
    }
    place += piece.length;
    if (slice.isOver()) await slice.rest();
  }
  const restoreFrom = lowestUnsettled(unplaced, placed, before + entries.length + 1);
  return {
    content: {
      head: {
        name,
        source: replica.source,
        // More of the document may come into the entry that is gathered now, which the files must not be said to have.
        index: Math.min(index, facts.closed),
        counts: [...counts],
        cuts,
        restoreFrom,
        begin: facts.begin,
        hash,
      },
      base,
      history,
      order,
      orderAnew,
      inNewFiles: false,
    },
    index,
    written: () => {
      for (const { source, id } of placed) unplaced.remove(source, id);
      if (document.replica === replica) {
        document.orderIsStale &&= !orderAnew;
        replica.trim(base.transactions);
      }
    },
  };
}

function orderRecordOf(
  placed: PlacedTransaction,
  unplaced: Unplaced,
): Parameters<typeof encodeOrder>[0] {
  const { source, id, stamp, kind, verdict, seen } = placed;
  return {
    history: unplaced.numberOf(source, id),
    stamp,
    kind,
    rejection: verdict.kind === "rejected" ? verdict : undefined,
    seen,
  };
}

/** The first history record that the base does not cover. */
function lowestUnsettled(
  unplaced: Unplaced,
  placed: readonly { source: Source; id: number }[],
  end: number,
): number {
  const numbers = placed.map(({ source, id }) => ({
    source,
    id,
    number: unplaced.numberOf(source, id),
  }));
  for (const { source, id } of placed) unplaced.remove(source, id);
  const lowest = Math.min(unplaced.lowest, end);
  // They are taken away for good when the checkpoint is written.
  for (const { source, id, number } of numbers) unplaced.add(source, id, number);
  return lowest;
}
