/** Vector clocks, whose sources may have any name: also one that objects inherit. */
import type { Source, VectorClock } from "./vocabulary.ts";

/** How many transactions of the source the clock has; 0 where there is none. */
export function countIn(vclock: VectorClock | null, source: Source): number {
  return vclock !== null && Object.hasOwn(vclock, source) ? (vclock[source] ?? 0) : 0;
}
