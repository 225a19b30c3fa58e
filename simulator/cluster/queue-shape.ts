/** The shape of a run's load on queues: which queues there are, with what policies, and what is done with them how often. */
import { must } from "../../src/base/assert.ts";
import { limits } from "../../src/base/limits.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type {
  Int64,
  QueueImplementation,
  QueueOrder,
  QueueSettings,
} from "../../src/protocol/requests.ts";

/** A queue of a run and how it is to be made. Its policies stay as they are. */
export interface QueuePlan extends QueueSettings {
  readonly name: string;
  readonly partition: number;
  readonly implementation: QueueImplementation;
  readonly order: QueueOrder;
  readonly leaseMs: number;
  readonly maxDeliveries: number;
  /** Not made by a client: the first dead letter makes it. */
  readonly byDeath: boolean;
  /** Priorities that are pushed; none: clients push nothing, only the dead come here. */
  readonly priorities: readonly Int64[];
}

/** Shares are from 0 to 1. */
export interface QueueShape {
  readonly queuesPerPartition: number;
  /** 1: all queues alike; the higher, the more often the first ones. */
  readonly skew: number;
  /** Of what clients do, when they hold nothing: pushes; the rest are pops. */
  readonly pushes: number;
  readonly pushMaxAtOnce: number;
  readonly popMaxCount: number;
  /** Of the pops: those that wait, and how long. */
  readonly waits: number;
  readonly waitMaxMs: number;
  /** What becomes of a task in hand, each time its client acts. */
  readonly acks: number;
  readonly nacks: number;
  readonly extends: number;
  readonly forgets: number;
  readonly groups: number;
  /** Of the pushes. */
  readonly delays: number;
  readonly delayMaxMs: number;
  readonly expiries: number;
  readonly dedups: number;
  readonly payloadMaxBytes: number;
  /** Of the writes: those with a request id. */
  readonly ids: number;
  /** Of the pops: those whose tasks belong to nobody's connection. */
  readonly detached: number;
  /** Of what clients do: their connections end. */
  readonly leaves: number;
  readonly pauses: number;
  /** Of what clients do: a queue is purged, or its dead revived. */
  readonly sweeps: number;
}

export function drawQueueShape(random: Random): QueueShape {
  return {
    queuesPerPartition: pick(random, [1, 1, 2, 3]),
    skew: pick(random, [1, 2]),
    pushes: pick(random, [0.35, 0.5, 0.5, 0.65]),
    pushMaxAtOnce: pick(random, [1, 1, 3, 10]),
    popMaxCount: pick(random, [1, 1, 3, 10]),
    waits: chance(random, 0.5) ? 0 : 0.5,
    waitMaxMs: pick(random, [100, 1_000]),
    acks: pick(random, [0.3, 0.6, 0.8]),
    nacks: share(random, 0.3),
    extends: share(random, 0.15),
    forgets: share(random, 0.15),
    groups: share(random, 0.3),
    delays: share(random, 0.3),
    delayMaxMs: pick(random, [300, 2_000]),
    expiries: share(random, 0.15),
    dedups: share(random, 0.3),
    payloadMaxBytes: pick(random, [6, 40, 200]),
    ids: pick(random, [0, 0.5, 0.9, 1]),
    detached: share(random, 0.5),
    leaves: share(random, 0.04),
    pauses: chance(random, 0.2) ? 0.02 : 0,
    sweeps: chance(random, 0.2) ? 0.02 : 0,
  };
}

/** The queues of a run. `tags`: one for each partition. */
export function drawQueues(
  random: Random,
  shape: QueueShape,
  tags: readonly string[],
): QueuePlan[] {
  const plans: QueuePlan[] = [];
  for (const [partition, tag] of tags.entries()) {
    for (let i = 0; i < shape.queuesPerPartition; i++) {
      const name = `{${tag}}q${i}`;
      const mortal = chance(random, 0.5);
      const deadLetter = mortal && chance(random, 0.6) ? `${name}.dead` : null;
      const plan = drawQueue(random, { name, partition, mortal, deadLetter });
      plans.push(plan);
      if (deadLetter !== null) plans.push(drawDeadLetter(random, deadLetter, plan));
    }
  }
  return plans;
}

function drawQueue(
  random: Random,
  parts: { name: string; partition: number; mortal: boolean; deadLetter: string | null },
): QueuePlan {
  const { name, partition, mortal, deadLetter } = parts;
  const implementation = must((["fifo", "priority", "range"] as const)[randomBelow(random, 3)]);
  const edges = chance(random, 0.2);
  const low = edges ? [-(2n ** 63n), -9, 0, 2n ** 63n - 1n] : [-2, 0, 1, 5];
  const priorities = { fifo: [0], priority: low, range: [-1, 0, 1, 2] }[implementation];
  return {
    name,
    partition,
    implementation,
    order: chance(random, 0.5) ? "lowest" : "highest",
    ...(implementation === "range" ? { priorityMin: -1, priorityMax: 3 } : {}),
    maxSize: chance(random, 0.25) ? pick(random, [1, 5, 20]) : null,
    leaseMs: pick(random, [200, 500, 1_500, 3_000]),
    maxDeliveries: mortal ? pick(random, [1, 2, 3]) : 0,
    deadLetter,
    dedupMs: pick(random, [200, 1_000, 60_000]),
    byDeath: false,
    priorities,
  };
}

/** As a dead letter makes it; or made by a client, if that is first. */
function drawDeadLetter(random: Random, name: string, home: QueuePlan): QueuePlan {
  return {
    name,
    partition: home.partition,
    implementation: "priority",
    order: "lowest",
    leaseMs: 500,
    maxDeliveries: limits.deliveriesDefaultCount,
    deadLetter: null,
    byDeath: chance(random, 0.5),
    priorities: [],
  };
}

/** 0 in one of three runs, else up to `max`. */
export function share(random: Random, max: number): number {
  return chance(random, 1 / 3) ? 0 : (max * (1 + randomBelow(random, 100))) / 100;
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return must(from[randomBelow(random, from.length)], "there is something to pick from");
}
