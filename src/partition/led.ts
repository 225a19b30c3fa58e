/** What whoever proposes by itself sees of a partition that leads. */
import type { OperationWriter } from "../machines/operation.ts";
import type { OutcomeSink } from "./answer.ts";

/** The partition, as its leadership sees it. */
export interface Led {
  /** Operations may be proposed now: the node does not refuse them. */
  readonly admitsOwn: boolean;
  open(): OperationWriter;
  enqueue(sink: OutcomeSink, tag: number): void;
}
