/**
 * Keeps the requests of one connection in their order, as Redis does, although several partitions work on them. A read that comes behind writes waits for
 * their answers and then runs on the state as it is. If all of those writes are on the read's own partition, that is the right moment: a partition applies
 * and answers in order. But partitions apply one after the other, so behind a write to another partition a read could come too late, and see what the
 * same connection wrote after it. Therefore a write to the slot of such a read is held until the read has run.
 */
import { partitionOfSlot } from "../placement/slots.ts";

/** What is read: a slot, or more than one. */
export type ReadScope = number | "all";

export class RequestOrder {
  readonly #partitions: number;
  /** Partition of the writes that wait for their answers, since there was none. */
  #writesOn: number | "several" = "several";
  readonly #waiting = new Map<ReadScope, number>();

  /** `partitions`: how many the node has. */
  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** A write to a slot goes out; `waiting` = answers that are waited for already. */
  write(slot: number, waiting: number): void {
    this.writeOn(partitionOfSlot(slot, this.#partitions), waiting);
  }

  writeOn(partition: number, waiting: number): void {
    if (waiting === 0) this.#writesOn = partition;
    else if (this.#writesOn !== partition) this.#writesOn = "several";
  }

  /** Something goes out of which no one knows on which partitions it is. */
  writeAnywhere(): void {
    this.#writesOn = "several";
  }

  /** A read will run in its turn. Says whether {@link readDone} must be called when it does. */
  readWaits(scope: ReadScope): boolean {
    if (scope !== "all" && partitionOfSlot(scope, this.#partitions) === this.#writesOn)
      return false;
    this.beginWaits(scope);
    return true;
  }

  /** Something else will begin in its turn, behind which no write to its slot may go out before. {@link readDone} must be called when it has begun. */
  beginWaits(scope: ReadScope): void {
    this.#waiting.set(scope, (this.#waiting.get(scope) ?? 0) + 1);
  }

  readDone(scope: ReadScope): void {
    const left = (this.#waiting.get(scope) ?? 0) - 1;
    if (left > 0) this.#waiting.set(scope, left);
    else this.#waiting.delete(scope);
  }

  /** Whether a write must be held, because a read waits that must not see it: a write to a slot, or to any number of them. */
  holds(scope: ReadScope): boolean {
    if (this.#waiting.size === 0) return false;
    return scope === "all" || this.#waiting.has(scope) || this.#waiting.has("all");
  }
}
