/**
 * The first queue: operations encode themselves into the batch being built, while the one before it is confirmed.
 */
import { limits } from "../base/limits.ts";
import type { ErrorOutcome } from "../machines/outcome.ts";
import { OperationWriter } from "../machines/operation.ts";
import { type OutcomeSink, Waiting } from "./answer.ts";
import { type BatchHeader, batchHeaderBytes, writeBatchHeader } from "./batch.ts";

/** What all partitions of a node have in hand: gathered or not yet confirmed. */
export interface PipelineLoad {
  bytes: number;
  operations: number;
}

export interface SealedBatch {
  readonly batch: Buffer;
  readonly waiting: Waiting;
}

export class Gather {
  readonly writer = new OperationWriter();
  readonly #load: PipelineLoad;
  #waiting = new Waiting();

  constructor(load: PipelineLoad) {
    this.#load = load;
  }

  get count(): number {
    return this.#waiting.count;
  }

  /** Whether the batch holds as much as a batch may. */
  get full(): boolean {
    return (
      this.writer.bytes >= limits.batchMaxBytes || this.#waiting.count >= limits.batchMaxOperations
    );
  }

  /** Must be called before an operation is written. */
  open(): void {
    if (this.writer.bytes === 0) this.writer.reserve(batchHeaderBytes);
  }

  /** The operation just written waits for its outcome. */
  add(sink: OutcomeSink | undefined, tag: number): void {
    this.#waiting.add(sink, tag);
    this.#load.operations++;
    this.#load.bytes += this.writer.bytes - this.#waiting.bytes;
    this.#waiting.bytes = this.writer.bytes;
  }

  /** Closes the batch; the next one begins. */
  seal(header: Omit<BatchHeader, "count">): SealedBatch {
    const waiting = this.#waiting;
    const batch = this.writer.take();
    writeBatchHeader(batch, header, waiting.count);
    this.#waiting = new Waiting();
    return { batch, waiting };
  }

  /** Answers all that has gathered with one outcome; nothing of it goes into the log. */
  refuse(outcome: ErrorOutcome): void {
    const waiting = this.#waiting;
    this.#waiting = new Waiting();
    this.writer.take();
    this.#load.operations -= waiting.count;
    this.#load.bytes -= waiting.bytes;
    waiting.settleFrom(0, outcome);
  }
}
