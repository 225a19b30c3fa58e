/** A write as a surface has parsed it: where it goes and how it encodes itself. */
import type { OperationWriter } from "../machines/operation.ts";

export interface Operation {
  /** Operation code (machines/operation.ts). */
  readonly code: number;
  /** Slot of its key, which decides the partition. */
  readonly slot: number;
  /** Writes the body, between the writer's `begin` and `end`. */
  encode(writer: OperationWriter): void;
}
