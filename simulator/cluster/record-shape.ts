/** The shape of a run's load on records. Runs differ in what they do at all, so that what one kind of operation hides another run shows. */
import { must } from "../../src/base/assert.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";

/** Shares are from 0 to 1. */
export interface RecordShape {
  /** Keys of each partition. */
  readonly keys: number;
  /** 1: all keys alike; the higher, the more often the first ones. */
  readonly skew: number;
  /** Of all requests: reads that ask no majority. */
  readonly localReads: number;
  /** Of all requests: reads behind a barrier. */
  readonly barrierReads: number;
  /** Of operations that go through the log and are no groups: reads. */
  readonly loggedReads: number;
  /** Of operations that go through the log. */
  readonly groups: number;
  readonly groupMaxCount: number;
  /** Of the writes. */
  readonly deletes: number;
  readonly conditions: number;
  readonly expiries: number;
  readonly expiryMaxMs: number;
  readonly valueMaxBytes: number;
  /** Of operations that go through the log: those with a request id; and of these, those with one that is no UUID of version 7. */
  readonly ids: number;
  readonly otherIds: number;
  /** How often a client sends several requests at once. */
  readonly bursts: number;
  readonly burstMaxCount: number;
}

export function drawRecordShape(random: Random): RecordShape {
  return {
    keys: pick(random, [1, 3, 10, 10, 30, 100]),
    skew: pick(random, [1, 1, 2, 4]),
    localReads: share(random, 0.3),
    // Some runs do little else: a read that sees too little is rare.
    barrierReads: chance(random, 0.2) ? 0.9 : share(random, 0.5),
    loggedReads: share(random, 0.4),
    groups: share(random, 0.4),
    groupMaxCount: pick(random, [2, 5, 20]),
    deletes: share(random, 0.4),
    conditions: share(random, 0.6),
    expiries: share(random, 0.3),
    expiryMaxMs: pick(random, [500, 5_000]),
    valueMaxBytes: pick(random, [10, 500, 500, 20_000, 100_000]),
    ids: pick(random, [0, 0.3, 0.8, 1]),
    otherIds: share(random, 1),
    bursts: share(random, 0.5),
    burstMaxCount: pick(random, [2, 8, 32]),
  };
}

/** 0 in one of three runs, else up to `max`. */
function share(random: Random, max: number): number {
  return chance(random, 1 / 3) ? 0 : (max * (1 + randomBelow(random, 100))) / 100;
}

function pick(random: Random, from: readonly number[]): number {
  return must(from[randomBelow(random, from.length)]);
}
