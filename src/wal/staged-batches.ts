/** What is staged and not yet written: batches that are full, and the one that fills. */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { BatchBuffer } from "./batch-buffer.ts";
import { commitBytes, recordBytes } from "./format.ts";
import type { Kind } from "./format.ts";
import type { GroupLog } from "./group.ts";

const firstBufferBytes = 262_144;
/** Buffers that grew above this are not kept. */
const keptBufferBytes = 2 * limits.walBatchMaxBytes;
const keptBuffers = 2;

export class StagedBatches {
  /** Largest record, with its commit record: half a segment, so that any fits a fresh one. */
  readonly #recordMaxBytes: number;
  readonly #batchMaxBytes: number;
  #filling = new BatchBuffer(firstBufferBytes);
  #filled: BatchBuffer[] = [];
  #filledBytes = 0;
  #filledRecords = 0;
  readonly #free: BatchBuffer[] = [];

  constructor(segmentBytes: number) {
    this.#recordMaxBytes = segmentBytes / 2;
    this.#batchMaxBytes = Math.min(limits.walBatchMaxBytes, segmentBytes / 2);
  }

  get bytes(): number {
    return this.#filledBytes + (this.#filling.count === 0 ? 0 : this.#filling.encodedBytes);
  }

  get records(): number {
    return this.#filledRecords + this.#filling.count;
  }

  /** Copies one record in. Throws TrubaError TOOLARGE for one that no segment can hold. */
  stage(kind: Kind, group: GroupLog, index: number, term: number, body?: Uint8Array): void {
    const alone = recordBytes(body === undefined ? 0 : body.length) + commitBytes(1, 1);
    if (alone > this.#recordMaxBytes) {
      throw new TrubaError(
        "TOOLARGE",
        `a log record takes ${alone} bytes; the segments of this log allow ${this.#recordMaxBytes}`,
      );
    }
    const { count, encodedBytes } = this.#filling;
    // A commit record of its own is the most that another record can add to this batch's.
    if (count > 0 && encodedBytes + alone > this.#batchMaxBytes) this.#fill();
    this.#filling.stage(kind, group, index, term, body);
  }

  /** All that is staged, oldest first; the caller's until {@link giveBack}. */
  take(): BatchBuffer[] {
    if (this.#filling.count > 0) this.#fill();
    const taken = this.#filled;
    this.#filled = [];
    this.#filledBytes = 0;
    this.#filledRecords = 0;
    return taken;
  }

  giveBack(batch: BatchBuffer): void {
    batch.clear();
    if (this.#free.length < keptBuffers && batch.capacityBytes <= keptBufferBytes)
      this.#free.push(batch);
  }

  #fill(): void {
    this.#filledBytes += this.#filling.encodedBytes;
    this.#filledRecords += this.#filling.count;
    this.#filled.push(this.#filling);
    this.#filling = this.#free.pop() ?? new BatchBuffer(firstBufferBytes);
  }
}
