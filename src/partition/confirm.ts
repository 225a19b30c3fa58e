/**
 * The second queue: batches that the log is confirming. Answers find their batch by (writer, sequence), on every engine.
 */
import { must } from "../base/assert.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import type { SharedLog } from "../log/shared-log.ts";
import { errorOutcome } from "../machines/outcome.ts";
import type { Waiting } from "./answer.ts";
import type { PipelineLoad, SealedBatch } from "./gather.ts";

export class Confirm {
  readonly #log: SharedLog;
  readonly #load: PipelineLoad;
  /** Sequence → who waits. */
  readonly #waiting = new Map<number, Waiting>();

  constructor(log: SharedLog, load: PipelineLoad) {
    this.#log = log;
    this.#load = load;
  }

  /** Batches not yet confirmed. */
  get inFlight(): number {
    return this.#waiting.size;
  }

  submit(sealed: SealedBatch, sequence: number): void {
    this.#waiting.set(sequence, sealed.waiting);
    this.#log.append(sealed.batch).catch((error: unknown) => this.#fail(sequence, error));
  }

  /** Who waits for the batch, if it is ours and was not given up; called once for each batch. */
  take(sequence: number): Waiting | undefined {
    const waiting = this.#waiting.get(sequence);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(sequence);
    this.#load.operations -= waiting.count;
    this.#load.bytes -= waiting.bytes;
    return waiting;
  }

  #fail(sequence: number, error: unknown): void {
    if (!this.#waiting.has(sequence)) return;
    const waiting = must(this.take(sequence));
    if (error instanceof TrubaError)
      waiting.settleAll(errorOutcome(error.code, error.message, error.retryAfterMs));
    else waiting.settleAll(errorOutcome("UNKNOWNOUTCOME", errorText(error)));
  }
}
