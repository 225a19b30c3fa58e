/**
 * The third stage: confirmed batches, in order, to the machines. Cannot fail; whatever goes wrong here is a bug or damage, and stops the node.
 */
import { assert } from "../base/assert.ts";
import type { Entry } from "../log/shared-log.ts";
import type { Moment } from "../machines/machine.ts";
import { OperationReader, operationCodes } from "../machines/operation.ts";
import { type Outcome, done, errorOutcome } from "../machines/outcome.ts";
import type { MachineStack } from "../machines/stack.ts";
import type { State } from "../state/state.ts";
import type { Waiting } from "./answer.ts";
import { type BatchHeader, batchHeaderBytes, readBatchHeader } from "./batch.ts";
import type { DigestCheck } from "./digest-check.ts";

export class Apply {
  readonly #state: State;
  readonly #stack: MachineStack;
  readonly #moment: Moment;
  readonly #digest: DigestCheck;
  readonly #reader = new OperationReader();

  constructor(parts: { state: State; stack: MachineStack; moment: Moment; digest: DigestCheck }) {
    this.#state = parts.state;
    this.#stack = parts.stack;
    this.#moment = parts.moment;
    this.#digest = parts.digest;
  }

  /**
   * Applies one entry. `waitingOf` is asked once who waits for the batch; outcomes go there. Throws TrubaError DATADAMAGED when a digest differs and
   * DATAVERSION when the batch is of a later version.
   */
  entry(entry: Entry, waitingOf: (header: BatchHeader) => Waiting | undefined): void {
    const moment = this.#moment;
    assert(entry.position === moment.position + 1, "entries are applied out of order");
    moment.position = entry.position;
    const batch = entry.batch;
    if (batch.length === 0) return;
    const header = readBatchHeader(batch);
    moment.timestamp = Math.max(moment.timestamp, header.timestamp);
    moment.seed = header.seed;
    const waiting = waitingOf(header);
    const reader = this.#reader;
    let at = batchHeaderBytes;
    let index = 0;
    try {
      for (; index < header.count; index++) {
        at = reader.open(batch, at);
        const outcome = this.#operation(reader);
        if (waiting !== undefined) waiting.settle(index, outcome);
      }
      assert(at === batch.length, "a batch has bytes left over");
    } catch (error) {
      waiting?.settleFrom(index, errorOutcome("UNKNOWNOUTCOME", "the node stopped"));
      throw error;
    }
  }

  #operation(reader: OperationReader): Outcome {
    if (reader.code !== operationCodes.digest) return this.#stack.apply(reader, this.#moment);
    this.#moment.number++;
    this.#digest.apply(reader, this.#moment.number, this.#state.digest);
    return done;
  }
}
