/**
 * A transaction in memory, and the total order: by stamp, then source by UTF-16 code units, then Id. A plain peer's transaction that nobody has adopted has no stamp: it stands behind all others.
 *
 * There may be hundreds of thousands of these, so they are flat: numbers and references, no closures, nothing per entry that is the same for many.
 */
import type { Patch } from "../patch/patch.ts";
import type { Undo } from "../patch/undo.ts";
import type { SourceCount } from "./order-metadata.ts";
import type { Rejection, Source, Stamp, Verdict } from "./vocabulary.ts";

/** A place in the order. `ms` is infinite without a stamp. */
export interface OrderKey {
  readonly ms: number;
  readonly counter: number;
  readonly source: Source;
  readonly id: number;
}

export const okVerdict: Verdict = { kind: "ok" };

export class Entry implements OrderKey {
  readonly source: Source;
  readonly id: number;
  ms: number;
  counter: number;
  readonly payload: string;
  /** Decoded; `undefined`: a record, or it is settled and need not be done again. */
  patch: Patch | undefined;
  /** `undefined`: rejected, or settled. */
  undo: Undo | undefined = undefined;
  /** Of its present place. */
  verdict: Verdict = okVerdict;
  /** Has its own stamp, or that of an earlier one of its source; else adoption gives it one. */
  readonly stamped: boolean;
  readonly record: boolean;
  /** It cannot be undone any more. */
  settled = false;
  /** It stands in the order. */
  placed = false;
  /** What its author had newly seen. */
  readonly seen: readonly SourceCount[] | undefined;
  /** NaN: not known. */
  readonly arrivedMs: number;

  constructor(parts: {
    readonly source: Source;
    readonly id: number;
    readonly payload: string;
    readonly patch: Patch | undefined;
    readonly ms: number;
    readonly counter: number;
    readonly stamped: boolean;
    readonly record: boolean;
    readonly seen: readonly SourceCount[] | undefined;
    readonly arrivedMs: number;
  }) {
    this.source = parts.source;
    this.id = parts.id;
    this.ms = parts.ms;
    this.counter = parts.counter;
    this.payload = parts.payload;
    this.patch = parts.patch;
    this.stamped = parts.stamped;
    this.record = parts.record;
    this.seen = parts.seen;
    this.arrivedMs = parts.arrivedMs;
  }
}

/** A transaction that is to move to another place. */
export interface Restamp {
  readonly entry: Entry;
  readonly stamp: Stamp;
}

/** Negative: `a` stands before `b`. */
export function compareKeys(a: OrderKey, b: OrderKey): number {
  // Not by difference: of two without stamps that is not a number.
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1;
  if (a.counter !== b.counter) return a.counter < b.counter ? -1 : 1;
  if (a.source !== b.source) return a.source < b.source ? -1 : 1;
  return a.id - b.id;
}

/** Arrivals are sorted already, mostly. */
export function sortByKey(entries: Entry[]): void {
  let before: Entry | undefined;
  for (const entry of entries) {
    if (before !== undefined && compareKeys(before, entry) > 0) {
      entries.sort(compareKeys);
      return;
    }
    before = entry;
  }
}

/** Says whether nothing can come at or before it any more, with the frontier there. */
export function isFinal(key: OrderKey, frontier: Stamp): boolean {
  return key.ms < frontier.ms || (key.ms === frontier.ms && key.counter <= frontier.counter);
}

/** What becomes of a payload that is no patch, wherever it stands. */
export function malformedVerdict(reason: string): Rejection {
  return {
    kind: "rejected",
    operation: 0,
    op: "",
    path: "",
    reason: "malformed",
    text: `the payload is not a patch: ${reason}`,
  };
}
