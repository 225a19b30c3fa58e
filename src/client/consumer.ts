/** Tasks of a queue as an async iterator. */
import type { Caller } from "./caller.ts";
import { type Duration, optionalMs } from "./duration.ts";
import { atLeastOne } from "./options.ts";
import { type Task, taskOf } from "./task.ts";
import type { TaskDesk } from "./task-desk.ts";
import { TaskFeed } from "./task-feed.ts";
import type { ValueCodec } from "./values.ts";

/** Options of `consume`. */
export interface ConsumeOptions {
  /** Tasks that may be with this consumer at one time, unsettled ones included. Default 16. */
  readonly prefetch?: number;
  /** How long a task is lent. Default: the lease of the queue. */
  readonly lease?: Duration;
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal;
}

/** What runs until it is stopped; closing the database stops it. */
export interface Running {
  close(): void;
}

export interface ConsumerParts<Out> {
  readonly caller: Caller;
  readonly desk: TaskDesk;
  readonly values: ValueCodec<never, Out>;
  readonly running: Set<Running>;
}

/**
 * Tasks as they come: `for await (const task of consumer)`. The iteration ends when the loop is left, when the signal aborts and when the database is closed; it
 * throws when the queue ends (NOQUEUE) or may not be read (NOPERM). What was fetched ahead goes back then; what was handed out stays yours. Lost connections are
 * made anew without the loop noticing.
 */
export class Consumer<Out> implements AsyncIterableIterator<Task<Out>>, AsyncDisposable, Running {
  readonly #parts: ConsumerParts<Out>;
  readonly #feed: TaskFeed;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.close();
  #wake: (() => void)[] = [];
  #open = true;
  #failure: Error | undefined;

  constructor(parts: ConsumerParts<Out>, options: ConsumeOptions) {
    this.#parts = parts;
    this.#signal = options.signal;
    this.#feed = new TaskFeed({
      caller: parts.caller,
      desk: parts.desk,
      prefetch: atLeastOne(options.prefetch ?? 16, "prefetch"),
      leaseMs: optionalMs(options.lease, "lease"),
      ready: () => this.#wakeAll(),
      ended: (error) => {
        this.#failure = error;
        this.close();
      },
    });
    parts.running.add(this);
    if (options.signal?.aborted === true) this.close();
    else options.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next task, when there is one: what a loop calls. */
  async next(): Promise<IteratorResult<Task<Out>, undefined>> {
    for (;;) {
      const held = this.#open ? this.#feed.take() : undefined;
      if (held !== undefined) {
        const { desk, values } = this.#parts;
        return { done: false, value: await taskOf(held, desk, values) };
      }
      if (!this.#open) {
        const failure = this.#failure;
        this.#failure = undefined;
        if (failure !== undefined) throw failure;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => void this.#wake.push(resolve));
    }
  }

  /** Ends the iteration: what a loop calls that is left. */
  async return(): Promise<IteratorResult<Task<Out>, undefined>> {
    this.close();
    await this.#parts.desk.settled();
    return { done: true, value: undefined };
  }

  /** Ends the iteration. What was fetched ahead goes back. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#parts.running.delete(this);
    this.#feed.close();
    this.#wakeAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
