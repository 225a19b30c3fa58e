/** Where outcomes go: the fourth stage. */
import type { Outcome } from "../machines/outcome.ts";

/** Who waits for an operation: a connection, a caller in the process, the node itself. */
export interface OutcomeSink {
  /** Told once for each operation given with this tag. Must not throw. */
  settle(tag: number, outcome: Outcome): void;
}

/** Who waits for the operations of one batch, in their order. Two arrays rather than objects: this is one of the hot paths. */
export class Waiting {
  readonly sinks: (OutcomeSink | undefined)[] = [];
  readonly tags: number[] = [];
  /** Encoded size of the batch. */
  bytes = 0;

  get count(): number {
    return this.sinks.length;
  }

  add(sink: OutcomeSink | undefined, tag: number): void {
    this.sinks.push(sink);
    this.tags.push(tag);
  }

  settle(index: number, outcome: Outcome): void {
    this.sinks[index]?.settle(this.tags[index] as number, outcome);
  }

  /** Settles all from `first` on. */
  settleFrom(first: number, outcome: Outcome): void {
    for (let i = first; i < this.sinks.length; i++) this.settle(i, outcome);
  }
}
