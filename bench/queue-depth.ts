/** Whether a push costs more when many tasks wait: one priority queue with 400,000 of different priorities, one that is empty, pushed into in turns. */

import { BrokerProcess } from "./brokers/process.ts";
import { CpuWatch, spread } from "./measure.ts";
import type { Arena } from "./servers.ts";
import { QUIET_PERCENT } from "./table.ts";

export interface DepthResult {
  readonly waiting: number;
  /** Pushes in a second, median. */
  readonly deepPerSecond: number;
  readonly emptyPerSecond: number;
  /** Time of a push into the deep queue to that into the empty one: the median over the rounds, each compared with itself. */
  readonly ratio: number;
  readonly noisy: boolean;
}

export interface DepthOptions {
  readonly waiting: number;
  readonly pushes: number;
  readonly rounds: number;
}

export async function measureDepth(arena: Arena, options: DepthOptions): Promise<DepthResult> {
  const { waiting, pushes: count, rounds } = options;
  const server = await arena.start("truba");
  const client = await BrokerProcess.start("truba");
  try {
    await client.ask({ kind: "connect", server });
    // One tag, so that both are on one partition: nothing but the depth differs.
    const deepQueue = "deep{depth}";
    await client.ask({ kind: "make", queue: deepQueue, priorities: true });
    await client.ask({ kind: "bulk", queue: deepQueue, count: waiting, bytes: 128, seed: 1 });
    const results: { deep: number; empty: number; other: number }[] = [];
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      const emptyQueue = `empty${round}{depth}`;
      await client.ask({ kind: "make", queue: emptyQueue, priorities: true });
      const pushInto = (queue: string): Promise<number> =>
        client.ask({ kind: "push", queue, count, bytes: 128, seed: round + 2 });
      const watch = new CpuWatch(server.pid, client.pid);
      let deep = round % 2 === 0 ? await pushInto(deepQueue) : 0;
      const empty = await pushInto(emptyQueue);
      if (round % 2 === 1) deep = await pushInto(deepQueue);
      if (round > 0) results.push({ deep, empty, other: watch.read().other });
    }
    const quiet = results.filter(({ other }) => other <= QUIET_PERCENT);
    const used = quiet.length > 0 ? quiet : results;
    const perSecond = (ms: number): number => (count / ms) * 1_000;
    return {
      waiting,
      deepPerSecond: spread(used.map(({ deep }) => perSecond(deep))).median,
      emptyPerSecond: spread(used.map(({ empty }) => perSecond(empty))).median,
      ratio: spread(used.map(({ deep, empty }) => deep / empty)).median,
      noisy: quiet.length === 0,
    };
  } finally {
    await client.close();
    await arena.remove(server);
  }
}
