/** A task while a client has it: what became of it, until when it is lent, and who is told. */
import { TrubaError } from "../base/errors.ts";
import type { DeliveredTask, Int64 } from "../protocol/requests.ts";

/** `held` alone can be settled. `grouped`: an atomic group is about to. */
export type TaskFate = "held" | "grouped" | "acknowledged" | "given back" | "lost";

/** Who handed a task to the user, and has room for another once this one is off their hands. */
export interface TaskHolder {
  /** Settled or lost; told once for each task. */
  gone(): void;
}

export class HeldTask {
  readonly task: number;
  readonly lease: number;
  readonly priority: Int64;
  readonly deliveries: number;
  readonly pushedAtMs: number;
  readonly payload: Uint8Array;
  /** How long the lease was when the task came. */
  readonly leaseMs: number;
  readonly holder: TaskHolder | undefined;
  leaseEndsAtMs: number;
  fate: TaskFate = "held";
  /** It waits to be handed to the user: given back before its lease ends. */
  buffered: boolean;
  /** Its lease begins anew as long as somebody works on it. */
  kept = false;
  /** An extension is on its way. */
  extending = false;
  #controller: AbortController | undefined;
  #lostBy: Error | undefined;

  constructor(delivered: DeliveredTask, nowMs: number, holder: TaskHolder | undefined) {
    this.task = delivered.task;
    this.lease = delivered.lease;
    this.priority = delivered.priority;
    this.deliveries = delivered.deliveries;
    this.pushedAtMs = delivered.pushedAtMs;
    this.payload = delivered.payload;
    this.leaseEndsAtMs = delivered.leaseEndsAtMs;
    this.leaseMs = Math.max(1, delivered.leaseEndsAtMs - nowMs);
    this.holder = holder;
    this.buffered = holder !== undefined;
  }

  /** Made when it is asked for: most tasks never need one. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#lostBy !== undefined) this.#controller.abort(this.#lostBy);
    }
    return this.#controller.signal;
  }

  /** Somebody else may have it from now on. */
  lose(error: Error): void {
    this.fate = "lost";
    this.#lostBy = error;
    this.#controller?.abort(error);
  }

  /** Throws TrubaError LEASELOST unless it can be settled. */
  mustBeHeld(queue: string): void {
    if (this.fate === "held") return;
    const what = this.fate === "grouped" ? "is part of an atomic group" : `was ${this.fate} before`;
    throw new TrubaError("LEASELOST", `task ${this.task} of queue "${queue}" ${what}`, {
      cause: this.#lostBy,
    });
  }
}
