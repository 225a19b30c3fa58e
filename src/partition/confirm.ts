/**
 * The second queue: batches that the log is confirming. Answers find their batch by (writer, sequence), on every engine.
 */
import { must } from "../base/assert.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import type { SharedLog } from "../log/shared-log.ts";
import { type ErrorOutcome, errorOutcome } from "../machines/outcome.ts";
import type { Waiting } from "./answer.ts";
import type { ConfirmHealth } from "./confirm-health.ts";
import type { PipelineLoad, SealedBatch } from "./gather.ts";

export class Confirm {
  readonly #log: SharedLog;
  readonly #load: PipelineLoad;
  readonly #health: ConfirmHealth;
  readonly #onFailed: () => void;
  /** Sequence → who waits. */
  readonly #waiting = new Map<number, Waiting>();

  /** `onFailed` is told after a batch was answered that the log has not taken: who proposes by itself may want to do so again. */
  constructor(log: SharedLog, load: PipelineLoad, health: ConfirmHealth, onFailed: () => void) {
    this.#log = log;
    this.#load = load;
    this.#health = health;
    this.#onFailed = onFailed;
  }

  /** Batches not yet confirmed. */
  get inFlight(): number {
    return this.#waiting.size;
  }

  submit(sealed: SealedBatch, sequence: number): void {
    this.#waiting.set(sequence, sealed.waiting);
    this.#log.append(sealed.batch).catch((error: unknown) => this.#fail(sequence, error));
  }

  /** A batch of ours came back from the log: who waits for it, if it was not given up. */
  arrived(sequence: number): Waiting | undefined {
    this.#health.confirmed();
    return this.#take(sequence);
  }

  #take(sequence: number): Waiting | undefined {
    const waiting = this.#waiting.get(sequence);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(sequence);
    this.#load.operations -= waiting.count;
    this.#load.bytes -= waiting.bytes;
    return waiting;
  }

  /** Answers all batches that were not taken with one outcome. */
  giveUp(outcome: ErrorOutcome): void {
    for (const sequence of this.#waiting.keys()) must(this.#take(sequence)).settleFrom(0, outcome);
  }

  #fail(sequence: number, error: unknown): void {
    const waiting = this.#take(sequence);
    if (waiting === undefined) return;
    if (this.#isFailure(error)) this.#health.failed(errorText(error));
    if (error instanceof TrubaError)
      waiting.settleFrom(0, errorOutcome(error.code, error.message, error.retryAfterMs));
    else waiting.settleFrom(0, errorOutcome("UNKNOWNOUTCOME", errorText(error)));
    this.#onFailed();
  }

  /** Losing leadership, or having to wait for it, is part of a cluster's life: the log is not broken. */
  #isFailure(error: unknown): boolean {
    if (!(error instanceof TrubaError)) return true;
    if (error.code === "NOTLEADER" || error.code === "OVERLOADED") return false;
    return error.code !== "UNKNOWNOUTCOME" || this.#log.status().role !== "follower";
  }
}
