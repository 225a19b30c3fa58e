/** Looking at a replica: its vector clock, its members, transactions at their places, and the document as it was. Nothing here changes anything. */
import { canonicalText } from "../patch/canonical.ts";
import { isFinal } from "./entry.ts";
import type { Entry, OrderKey } from "./entry.ts";
import type { Fold } from "./fold.ts";
import type { Ledger } from "./ledger.ts";
import { visibleOperations } from "./payload.ts";
import type { Moment, PlacedTransaction, Source, Stamp, VectorClock } from "./vocabulary.ts";

/** The document as it was. */
export interface PastView {
  readonly text: string;
  readonly vclock: VectorClock;
  readonly transactions: number;
  readonly final: number;
  readonly rejected: number;
}

/** How a member stands, as far as a replica knows. */
export interface MemberState {
  readonly source: Source;
  readonly kind: "self" | "truba" | "plain" | "evicted";
  /** It issues nothing at or before this; `null`: it was never heard. */
  readonly clock: Stamp | null;
  /** What it holds, by its own words. */
  readonly vclock: VectorClock | null;
  /** Of one that is evicted, or about to be: `null` while the cut is not known. Absent of all others. */
  readonly cut?: number | null;
}

export function vclockOf(ledger: Ledger): VectorClock {
  const counts: [Source, number][] = [];
  for (const { source, count } of ledger.logs()) if (count > 0) counts.push([source, count]);
  return Object.fromEntries(counts);
}

export function memberStates(ledger: Ledger): MemberState[] {
  const { members, evictions, self } = ledger;
  const states: MemberState[] = [];
  for (const source of members.sources()) {
    if (evictions.isAsked(source)) continue;
    const kind = source === self.source ? "self" : "truba";
    states.push({ source, kind, clock: members.clockOf(source), vclock: members.vclockOf(source) });
  }
  for (const source of evictions.sources()) {
    const cut = evictions.cutOf(source) ?? null;
    const kind = cut === null ? "truba" : "evicted";
    states.push({
      source,
      kind,
      clock: members.clockOf(source),
      vclock: members.vclockOf(source),
      cut,
    });
  }
  for (const { source, count, stamp } of ledger.logs()) {
    if (count > 0 && stamp === undefined)
      states.push({ source, kind: "plain", clock: null, vclock: null });
  }
  return states;
}

/** Behind how many transactions a moment is, of which `order` stand behind `before`, sorted; may be more than there are. */
export function placesUntil(moment: Moment, before: number, order: readonly OrderKey[]): number {
  if ("position" in moment) return moment.position;
  let from = 0;
  let to = order.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((order[middle]?.ms ?? Infinity) <= moment.timeMs) from = middle + 1;
    else to = middle;
  }
  return before + from;
}

/** The document behind its first `place` transactions; `undefined`: these cannot be undone any more. */
export function lookBack(fold: Fold, ledger: Ledger, place: number): PastView | undefined {
  if (place < fold.settled) return undefined;
  const counts = new Map<Source, number>();
  for (const { source, settled, ahead } of ledger.logs())
    if (settled + ahead.size > 0) counts.set(source, settled + ahead.size);
  let rejected = fold.settledRejected;
  for (const { source, verdict } of fold.order.slice(
    fold.settled - fold.before,
    place - fold.before,
  )) {
    counts.set(source, (counts.get(source) ?? 0) + 1);
    if (verdict.kind === "rejected") rejected++;
  }
  return {
    text: fold.lookAt(place, () => canonicalText(fold.tree.value)),
    vclock: Object.fromEntries(counts),
    transactions: place,
    final: Math.min(fold.final, place),
    rejected,
  };
}

/** Transactions in memory at places `from` on, at most `count`. */
export function placedTransactions(
  fold: Fold,
  ledger: Ledger,
  { from, count }: { readonly from: number; readonly count: number },
): PlacedTransaction[] {
  const entries = fold.order.slice(from - 1 - fold.before, from - 1 - fold.before + count);
  const seen = seenBy(ledger, entries);
  return entries.map((entry, at) => placedOf(entry, from + at, fold, ledger, seen.get(entry)));
}

export function isFinalNow(entry: Entry, ledger: Ledger): boolean {
  return entry.settled && isFinal(entry, ledger.members.frontier);
}

function placedOf(
  entry: Entry,
  position: number,
  fold: Fold,
  ledger: Ledger,
  seen: VectorClock | undefined,
): PlacedTransaction {
  const { source, id, ms, counter, verdict, record, arrivedMs } = entry;
  return {
    source,
    id,
    position,
    stamp: ms === Infinity ? null : { ms, counter },
    operations: visibleOperations(entry.payload),
    verdict,
    final: position <= fold.final,
    kind: record ? "record" : "patch",
    ...(Number.isNaN(arrivedMs) ? {} : { arrivedMs }),
    ...(seen === undefined ? {} : { seen }),
  };
}

/** What the authors of these had seen of others by then. */
function seenBy(ledger: Ledger, entries: readonly Entry[]): Map<Entry, VectorClock> {
  const wanted = new Set(entries);
  const seen = new Map<Entry, VectorClock>();
  for (const source of new Set(entries.map((entry) => entry.source))) {
    for (const along of ledger.find(source)?.seenAlong() ?? []) {
      if (wanted.has(along.entry) && along.seen.size > 0)
        seen.set(along.entry, Object.fromEntries(along.seen));
    }
  }
  return seen;
}
