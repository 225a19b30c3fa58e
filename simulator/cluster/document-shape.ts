/** What a seed makes of the documents of a run: which there are, who is linked to whom, what clients write, and what is done to the links. */
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import { pick } from "./swarm.ts";

export interface DocumentShape {
  /** The first is `default`, which plain peers share. */
  readonly names: readonly string[];
  readonly writers: number;
  /** Between an answer and the next write, at most. */
  readonly thinkMaxMs: number;
  /** After so many writes the writers rest: what checkers read grows with them. */
  readonly writesMaxCount: number;
  /** Who dials whom: everybody all others, those before them, or the next one. */
  readonly topology: "both ways" | "one way" | "ring";
  readonly plain: PlainShape | undefined;
  /** Mean time between two cuts of a connection, ms; 0 = none. */
  readonly cutEveryMs: number;
  /** Mean time between two evictions of a node that may well live, ms; 0 = none. Then only what can never fail is written. */
  readonly evictEveryMs: number;
  /** Writers that wait until what they wrote is final, part of their writes. */
  readonly finalShare: number;
  /** Between two looks of the watch. */
  readonly watchEveryMs: number;
}

/** A peer that knows nothing but the exercise. */
export interface PlainShape {
  /** It dials nodes, is dialed, or both. */
  readonly dials: boolean;
  readonly listens: boolean;
  /** It counts its transactions from 0. */
  readonly zeroBased: boolean;
  readonly everyMs: number;
}

/** `undefined`: a run without documents, unless they are `wanted`. Draws from a generator of its own, so that what else a seed makes is as it was. */
export function drawDocuments(
  random: Random,
  hosts: number,
  wanted = false,
): DocumentShape | undefined {
  if (!chance(random, hosts === 1 ? 0.2 : 0.4) && !wanted) return undefined;
  const evicts = hosts > 2 && chance(random, 0.15);
  return {
    names: ["default", "notes", "other"].slice(0, pick(random, [1, 1, 2, 3])),
    writers: pick(random, [1, 2, 4, 4]),
    thinkMaxMs: pick(random, [20, 100, 500]),
    writesMaxCount: pick(random, [50, 150, 300]),
    // So many links twice cost more than they show.
    topology: pick(random, [hosts > 4 ? "one way" : "both ways", "one way", "ring"] as const),
    plain: chance(random, 0.3) ? drawPlain(random) : undefined,
    cutEveryMs: chance(random, 0.6) ? pick(random, [300, 1_500, 5_000]) : 0,
    evictEveryMs: evicts ? pick(random, [3_000, 10_000]) : 0,
    finalShare: pick(random, [0, 0.2, 0.5]),
    watchEveryMs: pick(random, [200, 1_000, 3_000]),
  };
}

function drawPlain(random: Random): PlainShape {
  const way = randomBelow(random, 3);
  return {
    dials: way !== 0,
    listens: way !== 1,
    zeroBased: chance(random, 0.5),
    everyMs: pick(random, [30, 200, 1_000]),
  };
}
