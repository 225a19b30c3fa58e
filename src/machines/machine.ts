/**
 * A state machine: pure and deterministic. It knows no time but the batch's, no randomness but its seed, and nothing but its tables.
 */
import type { OperationReader } from "./operation.ts";
import type { Outcome } from "./outcome.ts";

/**
 * Where in the log the state stands. One object for each partition, updated from operation to operation; between batches it tells what was applied last.
 */
export interface Moment {
  /** Log time of the batch, ms since 1970 (DESIGN: log time). */
  timestamp: number;
  /** Position of the batch in the log. */
  position: number;
  /** Number of the operation: +1 for each of the partition. */
  number: number;
  /** Randomness of the batch, 32 bits. */
  seed: number;
}

export interface Machine {
  /** The operation codes it takes. */
  readonly codes: readonly number[];
  /** Applies the operation that `operation` stands at the body of. Must not throw: an operation that cannot be done is an outcome. */
  apply(operation: OperationReader, moment: Moment): Outcome;
  /** Rebuilds what it keeps beside its tables, after a checkpoint was loaded. */
  loaded(): void;
  /** Log time at which its first deadline is due; Infinity if none. */
  nextDue(): number;
  /** Handles up to `maxRows` deadlines that are due at the moment; returns how many. */
  handleDue(moment: Moment, maxRows: number): number;
}
