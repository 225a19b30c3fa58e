/** A task as a consumer has it. */
import { TrubaError } from "../base/errors.ts";
import type { Int64 } from "../protocol/requests.ts";
import { type Duration, optionalMs } from "./duration.ts";
import type { HeldTask } from "./held-task.ts";
import type { TaskDesk } from "./task-desk.ts";
import type { ValueCodec } from "./values.ts";

/** What an atomic group needs of a task. */
export interface TaskParts {
  readonly held: HeldTask;
  readonly desk: TaskDesk;
}

/**
 * One delivery of a task. It is lent to you until you `ack` it (done, it goes), `nack` it (it returns to its place in the queue), or the lease ends. With `await using`
 * a task that leaves its scope unsettled goes back, and the delivery does not count.
 */
export class Task<Out> implements AsyncDisposable {
  readonly #held: HeldTask;
  readonly #desk: TaskDesk;
  readonly #decoded: Out | TrubaError;

  constructor(held: HeldTask, desk: TaskDesk, decoded: Out | TrubaError) {
    this.#held = held;
    this.#desk = desk;
    this.#decoded = decoded;
  }

  /** For atomic groups. */
  static partsOf(task: Task<unknown>): TaskParts {
    return { held: task.#held, desk: task.#desk };
  }

  /** What was pushed. Throws TrubaError BADVALUE if it does not fit the schema. */
  get value(): Out {
    if (this.#decoded instanceof TrubaError) throw this.#decoded;
    return this.#decoded;
  }

  /** Its number, the same in every delivery. */
  get task(): number {
    return this.#held.task;
  }

  /** Number of this delivery's lease. */
  get lease(): number {
    return this.#held.lease;
  }

  get priority(): Int64 {
    return this.#held.priority;
  }

  /** How often it was handed out, this time included. */
  get deliveries(): number {
    return this.#held.deliveries;
  }

  get pushedAt(): Date {
    return new Date(this.#held.pushedAtMs);
  }

  /** When the lease ends unless it is extended, by the clock of the node. */
  get leaseEndsAt(): Date {
    return new Date(this.#held.leaseEndsAtMs);
  }

  /** Aborted when the lease is lost, with TrubaError LEASELOST as the reason: somebody else may have the task from then on. */
  get signal(): AbortSignal {
    return this.#held.signal;
  }

  /** Whether it was acknowledged, given back or lost. */
  get settled(): boolean {
    return this.#held.fate !== "held";
  }

  /**
   * It is done: resolves when it is gone, durably. All acknowledgements of one turn of the event loop go as one request. Rejects with TrubaError LEASELOST when the
   * lease does not hold any more, or when the task was settled before.
   */
  async ack(): Promise<void> {
    await this.#desk.ack(this.#held);
  }

  /** It returns to its place in the queue, after a delay perhaps; after its last delivery it is dead instead. Rejects as {@link ack}. */
  async nack(options: { readonly delay?: Duration } = {}): Promise<void> {
    const delayMs = optionalMs(options.delay, "delay");
    await this.#desk.nack(this.#held, delayMs === undefined ? {} : { delayMs });
  }

  /** The lease begins anew, as long as it was, or as long as named. Rejects as {@link ack}. */
  async extend(lease?: Duration): Promise<void> {
    await this.#desk.extend(this.#held, optionalMs(lease, "lease") ?? this.#held.leaseMs);
  }

  /** Gives it back uncounted unless it is settled. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.settled) return;
    await this.#desk.nack(this.#held, { uncounted: true }).catch((error: unknown) => {
      // Lost: then it has gone back already.
      if (!(error instanceof TrubaError && error.code === "LEASELOST")) throw error;
    });
  }
}

/** The task that was held, with its value or why it has none. */
export function taskOf<Out>(
  held: HeldTask,
  desk: TaskDesk,
  values: ValueCodec<never, Out>,
): Task<Out> | Promise<Task<Out>> {
  try {
    const decoded = values.decode(held.payload);
    if (!(decoded instanceof Promise)) return new Task(held, desk, decoded);
    return decoded.then(
      (value) => new Task(held, desk, value),
      (error: unknown) => new Task<Out>(held, desk, badValue(error)),
    );
  } catch (error) {
    return new Task<Out>(held, desk, badValue(error));
  }
}

function badValue(error: unknown): TrubaError {
  if (error instanceof TrubaError) return error;
  return new TrubaError("BADVALUE", "the schema of the task's queue threw", { cause: error });
}
