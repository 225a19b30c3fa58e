/** Stamps of the hybrid logical clock: their order, their bounds, their form on the wire, `[ms, counter]`. */
import type { Json } from "../patch/json.ts";
import type { Stamp } from "./vocabulary.ts";

/** Milliseconds of a stamp are below this, 2^48: the year 10889. */
export const stampMaxMs = 2 ** 48;

/** Counters of a stamp are below this, 2^32. */
export const stampMaxCounter = 2 ** 32;

/** Before every stamp that a node makes. */
export const firstStamp: Stamp = { ms: 0, counter: 0 };

/** Negative: `a` is before `b`; 0: they are the same; positive: it is behind. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a.ms === b.ms ? a.counter - b.counter : a.ms - b.ms;
}

/** The later of two stamps. */
export function laterStamp(a: Stamp, b: Stamp): Stamp {
  return compareStamps(a, b) >= 0 ? a : b;
}

/** The last stamp before this one; the first has none, and is its own. */
export function stampBefore({ ms, counter }: Stamp): Stamp {
  if (counter > 0) return { ms, counter: counter - 1 };
  return ms > 0 ? { ms: ms - 1, counter: stampMaxCounter - 1 } : firstStamp;
}

/** The stamp of its wire form, `[ms, counter]`; `undefined`: it is none. */
export function decodeStamp(value: Json | undefined): Stamp | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const ms: unknown = value[0];
  const counter: unknown = value[1];
  if (!wholeBelow(ms, stampMaxMs) || !wholeBelow(counter, stampMaxCounter)) return undefined;
  return { ms, counter };
}

function wholeBelow(value: unknown, bound: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < bound;
}
