/** A linearizable look at a partition that counts something; that it sees all that was committed before, the client checks of every look (client.ts). */
import type { Outcome } from "../../src/machines/outcome.ts";
import type { Partition } from "../../src/partition/partition.ts";
import type { LookRequest } from "./request.ts";

export class StateLook implements LookRequest {
  readonly way = "barrier";
  readonly repeatable = true;
  readonly partition: number;
  /** What it has found; -1: nothing was answered. */
  found = -1;
  readonly #count: (partition: Partition) => number;

  constructor(partition: number, count: (partition: Partition) => number) {
    this.partition = partition;
    this.#count = count;
  }

  read(partition: Partition): Outcome {
    return { kind: "count", count: this.#count(partition) };
  }

  sent(): void {}

  answered(outcome: Outcome): void {
    if (outcome.kind === "count") this.found = outcome.count;
  }

  ended(): void {}
}

/** Tasks of a queue that are not dead. */
export function queueLeft({ stack }: Partition, queue: string): number {
  if (!stack.queues.has(queue)) return 0;
  const { waiting, delayed, leased } = stack.queues.read("queue.count", { queue });
  return waiting + delayed + leased;
}

/** Sessions that are not dead. */
export function sessionsLeft({ stack }: Partition): number {
  const { active, stored } = stack.sessions.totals;
  return active + stored;
}
