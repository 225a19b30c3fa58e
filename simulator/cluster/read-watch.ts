/**
 * Asks every copy that takes itself for the leader, every now and then, for a linearizable read, and checks that it sees all that was committed before (P2). Clients follow whoever
 * answers; this one asks those too that lead no more and do not know it.
 */
import type { Clock } from "../../src/base/clock.ts";
import { TrubaError } from "../../src/base/errors.ts";
import type { Partition } from "../../src/partition/partition.ts";
import { SimulationError } from "../node-state.ts";
import type { ClusterPort, Oracle } from "./cluster-port.ts";
import type { HostLives } from "./host-lives.ts";

export interface ReadWatchParts {
  readonly clock: Clock;
  readonly cluster: ClusterPort;
  readonly oracle: Oracle;
  readonly lives: HostLives;
  readonly everyMs: number;
}

export class ReadWatch {
  readonly #parts: ReadWatchParts;
  #ended = false;

  constructor(parts: ReadWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, cluster, everyMs } = this.#parts;
    clock.after(everyMs, () => {
      if (this.#ended) return;
      for (const host of cluster.hosts)
        for (const partition of cluster.nodeOn(host)?.partitions ?? [])
          if (partition.leads) this.#look(host, partition);
      this.start();
    });
  }

  stop(): void {
    this.#ended = true;
  }

  #look(host: number, partition: Partition): void {
    const { oracle, lives } = this.#parts;
    const life = lives.of(host);
    const committed = oracle.committed(partition.id);
    partition.barrier().then(
      () => {
        if (lives.of(host) === life) requireAll(oracle, host, partition, committed);
      },
      (error: unknown) => {
        if (!(error instanceof TrubaError)) throw error;
      },
    );
  }
}

/** A read that was let through on a host must see what was committed before it was asked for. */
export function requireAll(
  oracle: Oracle,
  host: number,
  { id, position }: Partition,
  committed: number,
): void {
  if (position >= committed) return;
  const text = `a read of partition ${id} on host ${host} sees entries up to ${position}; those up to ${committed} were committed before it was asked for`;
  oracle.violate(new SimulationError(`P2 (thesis 6.4): ${text}`));
}
