/** Purging and reviving: an operation handles a bounded number of rows, so that none holds up the others; this asks until none is left, and answers with the sum. */
import type { Operation } from "../machines/operation.ts";
import type { Outcome } from "../machines/outcome.ts";
import { purgeOperation, reviveOperation } from "../machines/queues/queue-operation.ts";
import type { OutcomeSink } from "../partition/answer.ts";
import type { Partition } from "../partition/partition.ts";
import { limits } from "../base/limits.ts";
import type { AnyRequest } from "../protocol/requests.ts";

interface SweepParts {
  readonly asked: Extract<AnyRequest, { verb: "queue.purge" | "queue.revive" }>;
  readonly partition: Partition;
  submit(operation: Operation, sink: OutcomeSink, requestId: Buffer | undefined): void;
  readonly sink: OutcomeSink;
  readonly tag: number;
}

export class Sweep implements OutcomeSink {
  readonly #parts: SweepParts;
  #count = 0;
  /** Number of the last operation that was applied when the first of ours was: what came later is left alone. 0 = not yet known. */
  #upTo = 0;

  constructor(parts: SweepParts) {
    this.#parts = parts;
  }

  /** Only the first operation carries the request id: a repeat of the whole finds nothing left to do. */
  begin(operation: Operation, requestId: Buffer | undefined): void {
    this.#parts.submit(operation, this, requestId);
  }

  settle(_tag: number, outcome: Outcome): void {
    const { sink, tag, partition, asked } = this.#parts;
    if (outcome.kind !== "count") {
      sink.settle(tag, outcome);
      return;
    }
    this.#count += outcome.count;
    if (outcome.count < limits.sweepMaxRows) {
      sink.settle(tag, { kind: "count", count: this.#count });
      return;
    }
    if (this.#upTo === 0) this.#upTo = partition.number;
    const next =
      asked.verb === "queue.purge"
        ? purgeOperation(asked.request, this.#upTo)
        : reviveOperation(asked.request, this.#upTo);
    this.#parts.submit(next, this, undefined);
  }
}
