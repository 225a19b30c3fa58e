/** The tasks of a queue that wait, in the order in which they are handed out: one {@link Fifo} for each priority, and what says which of them is next. */
import type { Int64 } from "../../protocol/requests.ts";
import type { Fifo } from "./fifo.ts";

export interface Order {
  add(priority: Int64, number: number): void;
  /** A task of this priority waits no more. */
  leave(priority: Int64): void;
  /** The task that is next, or 0. It stays. */
  first(): number;
  /** Drops what {@link first} answered; it must be made to leave as well. */
  dropFirst(): void;
  /** Calls `visit` for each list in which tasks stand, in order, until it returns false. Nothing must change meanwhile. */
  each(visit: (fifo: Fifo) => boolean): void;
  /** As {@link add}, in any order; {@link sort} must follow. */
  load(priority: Int64, number: number): void;
  sort(): void;
}
