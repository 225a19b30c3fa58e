/** Waiting tasks, and nothing else: what they cost in memory and on disk, and how long nobody can pop after kill -9. */

import { setTimeout as sleep } from "node:timers/promises";

import { BrokerProcess } from "./brokers/process.ts";
import { CpuWatch, directoryBytes, residentBytes } from "./measure.ts";
import type { Arena } from "./servers.ts";
import { QUIET_PERCENT } from "./table.ts";

export const MEMORY_BROKERS = ["truba", "bullmq"] as const;
type MemoryBroker = (typeof MEMORY_BROKERS)[number];

/** Bytes are of resident memory (RSS) unless they are named disk. */
export interface QueueMemoryResult {
  readonly broker: MemoryBroker;
  readonly tasks: number;
  readonly emptyBytes: number;
  readonly loadSeconds: number;
  readonly loadedBytes: number;
  readonly peakBytes: number;
  readonly diskBytes: number;
  /** From the start of the new process to a popped task. */
  readonly restartSeconds: number;
  /** Others used the processors meanwhile, so that it says little. */
  readonly restartNoisy: boolean;
  readonly restartedBytes: number;
}

export interface MemoryOptions {
  readonly tasks: number;
  readonly bytes: number;
  /** Time in which a server may finish what it does in the background before its memory is read. */
  readonly settleMs: number;
}

export async function measureMemory(
  broker: MemoryBroker,
  arena: Arena,
  { tasks, bytes, settleMs }: MemoryOptions,
): Promise<QueueMemoryResult> {
  const queue = "memory";
  let server = await arena.start(broker);
  let client = await BrokerProcess.start(broker);
  try {
    await client.ask({ kind: "connect", server });
    const emptyBytes = residentBytes(server.pid).now;
    await client.ask({ kind: "make", queue, priorities: false });
    const loadMs = await client.ask({ kind: "bulk", queue, count: tasks, bytes });
    await sleep(settleMs);
    const loaded = residentBytes(server.pid);
    const diskBytes = directoryBytes(server.data);
    await client.close();
    await arena.kill(server);

    client = await BrokerProcess.start(broker);
    const watch = new CpuWatch(undefined, client.pid);
    const start = performance.now();
    // It says that it is ready when it can be asked; both count, and so does the connection.
    server = await arena.start(broker, server.data);
    await client.ask({ kind: "connect", server });
    await client.ask({ kind: "pop", queue });
    const restartSeconds = (performance.now() - start) / 1_000;
    const restartNoisy = watch.read(server.pid).other > QUIET_PERCENT;
    await sleep(settleMs);
    return {
      broker,
      tasks,
      emptyBytes,
      loadSeconds: loadMs / 1_000,
      loadedBytes: loaded.now,
      peakBytes: loaded.peak,
      diskBytes,
      restartSeconds,
      restartNoisy,
      restartedBytes: residentBytes(server.pid).now,
    };
  } finally {
    await client.close();
    await arena.remove(server);
  }
}
