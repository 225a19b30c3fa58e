/** Runs a handler for each task of a queue. */
import { TrubaError } from "../base/errors.ts";
import { Attempt, type HandlerContext } from "./attempt.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import type { ConsumerParts, Running } from "./consumer.ts";
import { type Duration, optionalMs } from "./duration.ts";
import type { HeldTask } from "./held-task.ts";
import { atLeastOne } from "./options.ts";
import { type Task, taskOf } from "./task.ts";
import { TaskFeed } from "./task-feed.ts";

/** Options of `work`. */
export interface WorkOptions {
  /** Handlers at one time. Default 1. */
  readonly concurrency?: number;
  /** Tasks that may be here, those being handled included; at least the concurrency. Default twice the concurrency. */
  readonly prefetch?: number;
  /** How long a task is lent; the lease is extended while its handler runs. Default: the lease of the queue. */
  readonly lease?: Duration;
  /** How long a handler may take. Then its signal is aborted and the task goes back with back-off. Default: as long as it likes. */
  readonly timeout?: Duration;
  /** How long a failed task is put off: from 1 s, doubled with each delivery, up to 5 min, of which a random half. */
  readonly backoff?: BackoffOptions;
  /** Stops the worker: it takes nothing more, and what is in hand is finished. */
  readonly signal?: AbortSignal;
  /** Told what a handler threw, and why a task could not be settled. Default: told to nobody. */
  readonly onError?: (error: unknown, task: Task<unknown> | undefined) => void;
}

/** Returning acknowledges the task, throwing gives it back with back-off. A handler that settles its task itself is left to it. */
export type TaskHandler<Out> = (task: Task<Out>, context: HandlerContext) => unknown;

/** A worker that runs. It stops when it is told to, when its signal aborts, when the queue ends, and when the database is closed. */
export class Worker<Out> implements AsyncDisposable, Running {
  readonly #parts: ConsumerParts<Out>;
  readonly #options: WorkOptions;
  readonly #handler: TaskHandler<Out>;
  readonly #feed: TaskFeed;
  readonly #backoff: Backoff;
  readonly #concurrency: number;
  readonly #timeoutMs: number | undefined;
  /** Aborted when the database is closed under the handlers. */
  readonly #closed = new AbortController();
  readonly #stop = (): void => this.#stopTaking();
  #inHand = 0;
  #settling = 0;
  #open = true;
  #failure: Error | undefined;
  #finished: (() => void)[] = [];

  constructor(parts: ConsumerParts<Out>, options: WorkOptions, handler: TaskHandler<Out>) {
    this.#parts = parts;
    this.#options = options;
    this.#handler = handler;
    this.#backoff = Backoff.of(parts.caller.random, options.backoff);
    this.#concurrency = atLeastOne(options.concurrency ?? 1, "concurrency");
    this.#timeoutMs = optionalMs(options.timeout, "timeout");
    const prefetch = atLeastOne(options.prefetch ?? this.#concurrency * 2, "prefetch");
    this.#feed = new TaskFeed({
      caller: parts.caller,
      desk: parts.desk,
      prefetch: Math.max(prefetch, this.#concurrency),
      leaseMs: optionalMs(options.lease, "lease"),
      ready: () => this.#fill(),
      ended: (error) => {
        this.#failure = error;
        this.#tell(error, undefined);
        this.#stopTaking();
      },
    });
    parts.running.add(this);
    if (options.signal?.aborted === true) this.#stopTaking();
    else options.signal?.addEventListener("abort", this.#stop, { once: true });
  }

  /** Handlers that run now. */
  get inHand(): number {
    return this.#inHand;
  }

  /** Takes nothing more and resolves when what is in hand is finished and settled. Rejects with the error that ended the worker before, if one did. */
  async stop(): Promise<void> {
    this.#stopTaking();
    await this.#whenFinished();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when the worker has stopped, for whatever reason; rejects with the error that ended it. */
  async finished(): Promise<void> {
    await this.#whenFinished();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Stops at once: the handlers' signals are aborted. */
  close(): void {
    this.#stopTaking();
    this.#closed.abort(new TrubaError("CLOSED", "the database was closed"));
  }

  /** As {@link stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #stopTaking(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#options.signal?.removeEventListener("abort", this.#stop);
    this.#feed.close();
    this.#maybeFinish();
  }

  #whenFinished(): Promise<void> {
    return new Promise((resolve) => {
      this.#finished.push(resolve);
      this.#maybeFinish();
    });
  }

  #maybeFinish(): void {
    if (this.#open || this.#inHand > 0 || this.#settling > 0) return;
    this.#parts.running.delete(this);
    const finished = this.#finished.splice(0);
    if (finished.length === 0) return;
    // What was fetched ahead is on its way back.
    void this.#parts.desk.settled().then(() => {
      for (const resolve of finished) resolve();
    });
  }

  #fill(): void {
    while (this.#open && this.#inHand < this.#concurrency) {
      const held = this.#feed.take();
      if (held === undefined) return;
      this.#inHand++;
      void this.#handle(held);
    }
  }

  async #handle(held: HeldTask): Promise<void> {
    const { caller, desk, values } = this.#parts;
    held.kept = true;
    const attempt = new Attempt(caller.clock, this.#timeoutMs, [
      () => held.signal,
      () => this.#closed.signal,
    ]);
    const made = taskOf(held, desk, values);
    const task = made instanceof Promise ? await made : made;
    try {
      await attempt.run(() => {
        // What does not fit the schema is a failure of its own, not the handler's.
        void task.value;
        return this.#handler(task, attempt);
      });
      if (!task.settled) this.#settle(task, desk.ack(held));
    } catch (error) {
      if (!task.settled) this.#settle(task, this.#putOff(held));
      this.#tell(error, task);
    } finally {
      attempt.end();
      this.#inHand--;
      this.#fill();
      this.#maybeFinish();
    }
  }

  #putOff(held: HeldTask): Promise<void> {
    // A handler that the end of the worker interrupted has not failed.
    if (this.#closed.signal.aborted) return this.#parts.desk.nack(held, { uncounted: true });
    return this.#parts.desk.nack(held, { delayMs: this.#backoff.delayMs(held.deliveries) });
  }

  /** Whoever waits for the worker's end waits for it; the next handler does not. */
  #settle(task: Task<Out>, settlement: Promise<void>): void {
    this.#settling++;
    settlement
      .catch((error: unknown) => this.#tell(error, task))
      .finally(() => {
        this.#settling--;
        this.#maybeFinish();
      });
  }

  #tell(error: unknown, task: Task<unknown> | undefined): void {
    // What fails because the database is closed is no news.
    if (!this.#closed.signal.aborted) this.#options.onError?.(error, task);
  }
}
