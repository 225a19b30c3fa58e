/**
 * When a session that is put off comes back: an absolute log time, reckoned once, when the operation is applied, from the batch's time and seed. So a log that is
 * applied again, on whatever node and however late, has the same times.
 */
import type { Moment } from "../machine.ts";
import type { Kind } from "./kind-rows.ts";

/** Due times are whole seconds, so that sessions of one second come back in the order in which they were stored. */
const roundMs = 1_000;

/** Log time `afterMs` behind the moment, rounded up to a second, so never early; 0 = the moment itself. */
export function dueAfter(moment: Moment, afterMs: number): number {
  if (afterMs === 0) return moment.timestamp;
  return Math.ceil((moment.timestamp + afterMs) / roundMs) * roundMs;
}

/** The kind's delay with its spread, for the session of this number. */
export function kindDelayMs(kind: Kind, moment: Moment, session: number): number {
  if (kind.spreadMs === 0) return kind.delayMs;
  const part = mixed(moment.seed, moment.number, session) / 0x1_0000_0000;
  return kind.delayMs + Math.floor(part * (kind.spreadMs + 1));
}

/** 32 bits that the batch's seed scatters; one operation may put off several sessions (finisher of MurmurHash3). */
function mixed(seed: number, number: number, session: number): number {
  let hash = seed | 0;
  for (const value of [number, Math.floor(number / 0x1_0000_0000), session]) {
    hash ^= value | 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}
