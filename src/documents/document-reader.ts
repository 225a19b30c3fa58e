/**
 * The past of a document: pages of its history, and the document as it was. What is settled is read from its files, the rest from memory.
 *
 * Long work goes in slices, so that others are served in between; memory holds one document and one piece of a file.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { nextTurn } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { sha256Hex } from "../base/sha256.ts";
import { canonicalText } from "../patch/canonical.ts";
import { decodePatch } from "../patch/patch.ts";
import { Tree } from "../patch/tree.ts";
import { findConflicts } from "./conflicts.ts";
import type { Document } from "./document.ts";
import type { DocumentSlot } from "./document-slot.ts";
import { decodeHistory, type OrderRecord } from "./history-record.ts";
import { visibleOperations } from "./payload.ts";
import type {
  Conflict,
  DocumentView,
  HistoryPage,
  HistoryQuery,
  Moment,
  PlacedTransaction,
} from "./vocabulary.ts";

/** Places that one page looks at, at most, while it finds few that fit. */
const lookedAtMost = 100_000;

export class DocumentReader {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async page(slot: DocumentSlot, document: Document, query: HistoryQuery): Promise<HistoryPage> {
    const total = document.replica.transactions;
    const { final } = document.replica;
    const count = Math.min(query.count ?? 100, limits.documentHistoryMaxCount);
    const given = query.from ?? Math.min(slot.store.order.first, document.replica.firstPlaced);
    let place = Math.max(1, given < 0 ? total + given + 1 : given);
    const transactions: PlacedTransaction[] = [];
    const stop = place + lookedAtMost;
    for await (const piece of this.#placed(slot, document, place)) {
      for (const placed of piece) {
        if (transactions.length >= count || placed.position >= stop)
          return { transactions, total, final, next: placed.position };
        place = placed.position + 1;
        if (query.source !== undefined && placed.source !== query.source) continue;
        if (query.verdict !== undefined && placed.verdict.kind !== query.verdict) continue;
        transactions.push(placed);
      }
    }
    return { transactions, total, final };
  }

  async conflicts(
    slot: DocumentSlot,
    document: Document,
    count: number,
  ): Promise<readonly Conflict[]> {
    const from = Math.max(1, document.replica.transactions - count + 1);
    const transactions: PlacedTransaction[] = [];
    for await (const piece of this.#placed(slot, document, from)) transactions.push(...piece);
    return findConflicts(transactions, document.replica.value);
  }

  /** The document as it was at an earlier moment. Throws TrubaError HISTORYTRIMMED. */
  async at(slot: DocumentSlot, document: Document, moment: Moment): Promise<DocumentView> {
    await document.version("facts");
    const { replica, name } = document;
    const recent = replica.at(moment);
    if (recent !== undefined) return { name, ...recent, hash: sha256Hex(recent.text) };
    return this.#replay(slot, document, moment);
  }

  async #replay(slot: DocumentSlot, document: Document, moment: Moment): Promise<DocumentView> {
    const { name, lenient, final } = document.replica;
    const tree = new Tree({});
    const options = { upsert: lenient, maxWeight: limits.documentMaxBytes };
    const counts = new Map<string, number>();
    let transactions = 0;
    let rejected = 0;
    let sliceMs = this.#clock.monotonicMs();
    all: for await (const piece of this.#placed(slot, document, 1)) {
      for (const placed of piece) {
        if (
          "position" in moment ? placed.position > moment.position : isAfter(placed, moment.timeMs)
        )
          break all;
        transactions = placed.position;
        counts.set(placed.source, (counts.get(placed.source) ?? 0) + 1);
        if (placed.verdict.kind === "rejected") rejected++;
        // What was rejected changed nothing, and what was not does the same again.
        else if (placed.kind === "patch")
          tree.apply(decodePatch(placed.operations), undefined, options);
        if (this.#clock.monotonicMs() - sliceMs < limits.applyTurnMaxMs) continue;
        await nextTurn(this.#clock);
        sliceMs = this.#clock.monotonicMs();
      }
    }
    const text = canonicalText(tree.value);
    const vclock = Object.fromEntries(counts);
    const hash = sha256Hex(text);
    return {
      name,
      text,
      hash,
      vclock,
      transactions,
      final: Math.min(final, transactions),
      rejected,
    };
  }

  /** From a place on: from files as far as these go, then from memory. */
  async *#placed(
    slot: DocumentSlot,
    document: Document,
    from: number,
  ): AsyncGenerator<readonly PlacedTransaction[], void, void> {
    let place = from;
    let refolded = false;
    for (;;) {
      const { replica } = document;
      if (place > replica.transactions) return;
      if (place >= replica.firstPlaced) {
        const piece = replica.placed(place, 1_000);
        if (piece.length === 0) return;
        place += piece.length;
        yield piece;
        continue;
      }
      const before = place;
      try {
        for await (const piece of this.#settled(slot, document, place)) {
          place += piece.length;
          yield piece;
          if (place >= replica.firstPlaced) break;
        }
      } catch (error) {
        if (!(error instanceof TrubaError) || error.code !== "DOCUMENTDAMAGED" || refolded)
          throw slot.failed(error);
        // The order can be made again from history. If history is damaged, too, this says so.
        refolded = true;
        await document.foldAnew();
        continue;
      }
      assert(place > before, "the order in files reaches to where memory begins");
    }
  }

  /** From the files. */
  async *#settled(
    slot: DocumentSlot,
    { replica }: Document,
    from: number,
  ): AsyncGenerator<readonly PlacedTransaction[], void, void> {
    const history = slot.store.reader();
    for await (const piece of slot.store.settled(from)) {
      const placed: PlacedTransaction[] = [];
      for (const { place, record } of piece) {
        const body = await history.read(record.history);
        placed.push(placedFrom(body, place, record, place <= replica.final));
      }
      yield placed;
    }
  }
}

function placedFrom(
  history: Buffer,
  position: number,
  { stamp, kind, rejection, seen }: OrderRecord,
  final: boolean,
): PlacedTransaction {
  const { source, id, payload, arrivedMs } = decodeHistory(history);
  return {
    source,
    id,
    position,
    stamp,
    operations: visibleOperations(payload),
    verdict: rejection ?? { kind: "ok" },
    final,
    kind,
    arrivedMs,
    ...(seen === undefined ? {} : { seen }),
  };
}

function isAfter({ stamp }: PlacedTransaction, timeMs: number): boolean {
  return stamp === null || stamp.ms > timeMs;
}
