/**
 * What a seed makes of a run: the shape of the cluster, and which faults there are and how often. Each run has some faults only, so that those which hide
 * others do not hide them always (Groce et al., Swarm Testing, 2012).
 */
import { must } from "../../src/base/assert.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { Weather } from "./message-network.ts";
import type { KindSettings } from "../../src/machines/sessions/kinds.ts";
import type { RecordShape } from "./record-shape.ts";
import { drawKinds } from "./session-shape.ts";
import { type DrawnLimits, drawLimits } from "./small-limits.ts";

export const faultNames = [
  "partition",
  "clog",
  "pause",
  "wallJump",
  "drift",
  "kill",
  "powerLoss",
  "powerLossAtWrite",
  "rot",
  "slowDisk",
  "fullDisk",
  "syncError",
  "writeError",
  "wipe",
  "checkpoint",
  "restart",
] as const;
export type FaultName = (typeof faultNames)[number];

export interface Swarm {
  readonly hosts: number;
  readonly partitions: number;
  /** Full copies of each partition at the start. */
  readonly replicationFactor: number;
  /** One voter more that keeps no state. */
  readonly witness: boolean;
  /** Small ones are soon full, and bound what clients may send at once: see {@link recordLimits}. */
  readonly segmentBytes: number;
  readonly weather: Weather;
  /** What passes before whatever a process does soon: so that other work comes in between; 0 = nothing. */
  readonly turnMs: number;
  /** In the place of those that are shipped. */
  readonly limits: DrawnLimits;
  /** What a synchronous disk call takes on average; 0 = nothing takes time. */
  readonly diskMs: number;
  /** Mean time between two faults of a kind, anywhere in the cluster. Those that are not here do not happen. */
  readonly faultEveryMs: Readonly<Partial<Record<FaultName, number>>>;
  /** Mean time between two rounds of the operator that changes the members for no reason; 0 = it only replaces what is lost. */
  readonly changeEveryMs: number;
  /** The operator does not wait for what he asked for before. */
  readonly hasty: boolean;
  /** Mean time of a process that is down. */
  readonly downMs: number;
  readonly wallOffsetMaxMs: number;
  /** How long faults happen. */
  readonly safetyMs: number;
  /** Of sessions; what all nodes are configured with. */
  readonly kinds: readonly KindSettings[];
}

/** How often a run has the fault at all, and between two of them: milliseconds, drawn evenly on a logarithmic scale. */
const ranges: Readonly<
  Record<FaultName, { readonly share: number; readonly every: readonly [number, number] }>
> = {
  partition: { share: 0.5, every: [600, 6_000] },
  clog: { share: 0.4, every: [300, 5_000] },
  pause: { share: 0.35, every: [800, 8_000] },
  wallJump: { share: 0.3, every: [1_000, 8_000] },
  drift: { share: 0.3, every: [1_000, 8_000] },
  kill: { share: 0.5, every: [800, 8_000] },
  powerLoss: { share: 0.4, every: [1_000, 8_000] },
  powerLossAtWrite: { share: 0.3, every: [1_500, 8_000] },
  rot: { share: 0.3, every: [1_500, 10_000] },
  slowDisk: { share: 0.3, every: [1_000, 8_000] },
  fullDisk: { share: 0.2, every: [2_000, 10_000] },
  syncError: { share: 0.25, every: [1_500, 10_000] },
  writeError: { share: 0.2, every: [1_500, 10_000] },
  wipe: { share: 0.3, every: [2_000, 10_000] },
  checkpoint: { share: 0.8, every: [100, 2_000] },
  restart: { share: 0.3, every: [1_500, 8_000] },
};

/** `sizes` draws what was added later, so that the same seed goes on to draw the same faults. */
export function drawSwarm(random: Random, sizes: Random): Swarm {
  const hosts = pick(random, [1, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7]);
  const replicationFactor = Math.min(hosts, pick(random, [1, 2, 2, 3, 3, 3, 4, 5]));
  const mayHaveWitness = replicationFactor % 2 === 0 && hosts > replicationFactor;
  return {
    hosts,
    partitions: pick(random, [1, 1, 2, 3]),
    replicationFactor,
    witness: mayHaveWitness && chance(random, 0.8),
    segmentBytes: pick(random, [32_768, 262_144, 4_194_304]),
    weather: drawWeather(random),
    turnMs: pick(sizes, [0, 0, 0, 0, 0.1, 0.25, 1]),
    limits: drawLimits(sizes),
    diskMs: pick(random, [0, 0, 0.2, 1, 4]),
    faultEveryMs: drawFaults(random),
    changeEveryMs: hosts > 1 && chance(random, 0.6) ? logarithmic(random, 200, 5_000) : 0,
    hasty: chance(random, 0.25),
    downMs: logarithmic(random, 100, 3_000),
    wallOffsetMaxMs: pick(random, [0, 100, 5_000]),
    safetyMs: Math.round(logarithmic(random, 8_000, 80_000)),
    kinds: drawKinds(random),
  };
}

function drawWeather(random: Random): Weather {
  const lossy = chance(random, 0.5);
  const doubling = chance(random, 0.4);
  return {
    delayMinMs: pick(random, [0.125, 0.5, 2]),
    delayMeanMs: pick(random, [0.25, 1, 5, 30]),
    loss: lossy ? randomBelow(random, 31) / 100 : 0,
    duplication: doubling ? randomBelow(random, 51) / 100 : 0,
    reorders: chance(random, 0.6),
  };
}

function drawFaults(random: Random): Partial<Record<FaultName, number>> {
  const every: Partial<Record<FaultName, number>> = {};
  // Now and then nothing happens but what the network does.
  const calm = chance(random, 0.08);
  for (const name of faultNames) {
    const { share, every: range } = ranges[name];
    const [from, to] = range;
    const wanted = chance(random, share);
    const meanMs = logarithmic(random, from, to);
    if (wanted && (!calm || name === "checkpoint")) every[name] = meanMs;
  }
  return every;
}

/** So that the batch which gathers while the disk is slow fits half a segment, however many clients there are. */
export function recordLimits(segmentBytes: number): Partial<RecordShape> {
  if (segmentBytes > 1_048_576) return {};
  return segmentBytes > 65_536
    ? { valueMaxBytes: 200, burstMaxCount: 8, groupMaxCount: 2 }
    : { valueMaxBytes: 50, burstMaxCount: 2, groupMaxCount: 2 };
}

/** Exponentially distributed: the time to the next of events that come at random. */
export function drawInterval(random: Random, meanMs: number): number {
  return Math.max(1, -Math.log((random.u32() + 1) / 0x1_0000_0001) * meanMs);
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return must(from[randomBelow(random, from.length)], "there is something to pick from");
}

function logarithmic(random: Random, from: number, to: number): number {
  return from * (to / from) ** (random.u32() / 0x1_0000_0000);
}
