/**
 * Limits so small that runs come to them: windows fill, outcomes are forgotten, entries leave memory, runs are merged, work is done in slices. In some runs, some of them; each
 * with a value at which a cluster can still do all that its clients want.
 */
import { chance } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import { limits } from "../../src/base/limits.ts";

type Limits = Record<keyof typeof limits, number>;
export type DrawnLimits = Readonly<Partial<Limits>>;

const small = {
  digestEveryOperations: 64,
  // Above what a client waits for an answer, and asks again.
  onceWindowMs: 25_000,
  raftMessageMaxBytes: 4_000,
  raftInflightMaxMessages: 4,
  raftInflightMaxBytes: 20_000,
  raftUncommittedMaxBytes: 100_000,
  raftApplyingMaxBytes: 20_000,
  raftCacheBytes: 2_000,
  runWriteBytes: 4_096,
  mergeMinBytes: 4_096,
  deltasMaxCount: 3,
  mergeRunsMaxCount: 4,
  backgroundSliceMs: 0,
  walBatchMaxBytes: 16_384,
} as const satisfies DrawnLimits;

export function drawLimits(random: Random): DrawnLimits {
  const drawn: Partial<Limits> = {};
  if (chance(random, 0.6)) return drawn;
  for (const name of Object.keys(small) as (keyof typeof small)[])
    if (chance(random, 0.7)) drawn[name] = small[name];
  return drawn;
}

/** Runs with these limits in the place of those that are shipped. One run at a time. */
export async function withLimits<T>(drawn: DrawnLimits, run: () => Promise<T>): Promise<T> {
  const current: Limits = limits;
  const shipped = { ...current };
  Object.assign(current, drawn);
  try {
    return await run();
  } finally {
    Object.assign(current, shipped);
  }
}
