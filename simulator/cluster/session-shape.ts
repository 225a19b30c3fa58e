/** The shape of a run's load on sessions: the kinds that the nodes are configured with, and what clients do how often. */
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { KindSettings } from "../../src/machines/sessions/kinds.ts";
import { pick, share } from "./queue-shape.ts";

/** Shares are from 0 to 1. */
export interface SessionShape {
  /** Of what clients do when they have no session in hand: they open one; else they take what is due. */
  readonly opens: number;
  readonly takeMaxCount: number;
  readonly waits: number;
  readonly waitMaxMs: number;
  /** What an owner does with a session, each time it acts. */
  readonly appends: number;
  readonly replaces: number;
  readonly touches: number;
  readonly stores: number;
  readonly deletes: number;
  readonly hangs: number;
  /** Of the stores: those that say when, and the latest. */
  readonly ownTimes: number;
  readonly afterMaxMs: number;
  readonly recordMaxBytes: number;
  readonly ids: number;
  readonly detached: number;
  readonly leaves: number;
  /** Of what clients do when they know of a dead session: they revive it. */
  readonly revives: number;
}

export function drawSessionShape(random: Random): SessionShape {
  return {
    opens: pick(random, [0.3, 0.5, 0.7]),
    takeMaxCount: pick(random, [1, 1, 3, 10]),
    waits: chance(random, 0.5) ? 0 : 0.6,
    waitMaxMs: pick(random, [200, 2_000]),
    appends: pick(random, [0.2, 0.5]),
    replaces: share(random, 0.15),
    touches: share(random, 0.15),
    stores: pick(random, [0.1, 0.3, 0.5]),
    deletes: pick(random, [0.05, 0.2]),
    hangs: share(random, 0.15),
    ownTimes: share(random, 1),
    afterMaxMs: pick(random, [500, 3_000]),
    recordMaxBytes: pick(random, [6, 30, 100]),
    ids: pick(random, [0, 0.5, 0.9, 1]),
    detached: share(random, 0.5),
    leaves: share(random, 0.04),
    revives: share(random, 0.3),
  };
}

/** The kinds of a run, for all of its nodes. */
export function drawKinds(random: Random): KindSettings[] {
  const count = pick(random, [1, 2, 3]);
  return Array.from({ length: count }, (_, number) => ({
    name: `kind${number}`,
    number: 10 + number,
    delayMs: pick(random, [0, 200, 1_500]),
    spreadMs: pick(random, [0, 0, 1_000]),
    maxRepeats: pick(random, [0, 1, 3, 8]),
    maxBytes: pick(random, [60, 10_000]),
    silenceMs: 1_000 + randomBelow(random, 2_000),
  }));
}
