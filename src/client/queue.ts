/** A queue as its users see it. */
import type {
  Int64,
  PeekedTask,
  QueuePolicies,
  QueueStats,
  TaskState,
} from "../protocol/requests.ts";
import type { Caller, CallLimits } from "./caller.ts";
import { Consumer, type ConsumeOptions, type ConsumerParts, type Running } from "./consumer.ts";
import type { QueueDefinition } from "./definitions.ts";
import { type Duration, optionalMs } from "./duration.ts";
import { type Task, taskOf } from "./task.ts";
import type { TaskDesk } from "./task-desk.ts";
import { type TaskHandler, Worker, type WorkOptions } from "./worker.ts";

/** Options of `push`. */
export interface PushOptions extends CallLimits {
  /** Default 0. A queue without priorities takes no other (PRIORITYOUTOFRANGE). */
  readonly priority?: Int64;
  /** Not handed out before. */
  readonly delay?: Duration;
  /** Dropped if nobody has it then. */
  readonly expiry?: Duration;
  /** A second push with the same id within the queue's window adds nothing and answers the first task. */
  readonly dedup?: string;
}

/** What `push` answers. */
export interface Pushed {
  /** The task's number. */
  readonly task: number;
  /** The dedup id was known: `task` is the one pushed then, which may be gone. */
  readonly duplicate: boolean;
}

/** Options of `pop`. */
export interface PopOptions extends CallLimits {
  /** How long to wait for a task. Default: not at all. At most 60 s. */
  readonly wait?: Duration;
  /** How long the task is lent. Default: the lease of the queue. */
  readonly lease?: Duration;
}

/** What `alter` may change; `undefined` leaves it, `null` takes it away. */
export interface QueueChanges {
  readonly maxSize?: number | null;
  readonly maxPayload?: number | null;
  readonly lease?: Duration;
  readonly maxDeliveries?: number;
  readonly deadLetter?: string | null;
  readonly dedupWindow?: Duration;
}

/** A task that was looked at, not taken. */
export interface SeenTask<Out> extends Omit<PeekedTask, "payload"> {
  readonly value: Out;
}

export interface QueueParts {
  readonly caller: Caller;
  readonly desk: TaskDesk;
  readonly running: Set<Running>;
}

/**
 * A queue. `In` is what is pushed, `Out` what is delivered. Every method rejects with TrubaError; NOQUEUE until the queue is made, by {@link Queue.create} or by
 * somebody else, but for the queue `default`, which makes itself.
 */
export class Queue<In, Out> {
  readonly #definition: QueueDefinition<In, Out>;
  readonly #caller: Caller;
  readonly #desk: TaskDesk;
  readonly #parts: ConsumerParts<Out>;

  constructor(definition: QueueDefinition<In, Out>, { caller, desk, running }: QueueParts) {
    this.#definition = definition;
    this.#caller = caller;
    this.#desk = desk;
    this.#parts = { caller, desk, running, values: definition.values };
  }

  get name(): string {
    return this.#definition.name;
  }

  /**
   * Makes the queue as it is defined, unless it is there; says whether it was made. One that is there stays as it is; if its type or priorities differ from the
   * definition, QUEUEEXISTS. With `ifAbsent: false` one that is there is QUEUEEXISTS always.
   */
  async create(options: { readonly ifAbsent?: boolean } & CallLimits = {}): Promise<boolean> {
    const { ifAbsent = true } = options;
    const request = { queue: this.name, ...this.#definition.settings, ifAbsent };
    const { created } = await this.#caller.call("queue.create", request, options);
    return created;
  }

  /** Alters what the queue checks; tasks that are in it stay. Says whether anything was altered. */
  async alter(changes: QueueChanges, limits?: CallLimits): Promise<boolean> {
    const { maxSize, maxPayload, lease, maxDeliveries, deadLetter, dedupWindow } = changes;
    const leaseMs = optionalMs(lease, "lease");
    const dedupMs = optionalMs(dedupWindow, "dedupWindow");
    const policies: QueuePolicies = {
      ...(maxSize === undefined ? {} : { maxSize }),
      ...(maxPayload === undefined ? {} : { maxPayloadBytes: maxPayload }),
      ...(leaseMs === undefined ? {} : { leaseMs }),
      ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
      ...(deadLetter === undefined ? {} : { deadLetter }),
      ...(dedupMs === undefined ? {} : { dedupMs }),
    };
    const request = { queue: this.name, ...policies };
    return (await this.#caller.call("queue.alter", request, limits)).altered;
  }

  /** Deletes the queue with all its tasks; says whether there was one. */
  async delete(limits?: CallLimits): Promise<boolean> {
    return (await this.#caller.call("queue.delete", { queue: this.name }, limits)).deleted;
  }

  /** Adds a task: it is durable when this resolves, and there once however often the request had to be sent. */
  async push(value: In, options: PushOptions = {}): Promise<Pushed> {
    const encoded = this.#definition.values.encode(value);
    const payload = encoded instanceof Promise ? await encoded : encoded;
    return this.#caller.call("queue.push", pushRequest(this.name, payload, options), options);
  }

  /** Takes the next task; `undefined` if there is none, nor comes one in the time to wait. */
  async pop(options: PopOptions = {}): Promise<Task<Out> | undefined> {
    return (await this.popMany(1, options))[0];
  }

  /** Takes up to `count` tasks, at most 1,024; waits for the first only. */
  async popMany(count: number, options: PopOptions = {}): Promise<Task<Out>[]> {
    const waitMs = optionalMs(options.wait, "wait");
    const leaseMs = optionalMs(options.lease, "lease");
    const request = {
      queue: this.name,
      count,
      ...(waitMs === undefined ? {} : { waitMs }),
      ...(leaseMs === undefined ? {} : { leaseMs }),
    };
    const { tasks } = await this.#caller.call("queue.pop", request, options);
    const held = tasks.map((task) => this.#desk.hold(task, undefined));
    return Promise.all(held.map(async (one) => taskOf(one, this.#desk, this.#definition.values)));
  }

  /**
   * Tasks as they come, fetched ahead as far as `prefetch` says.
   *
   * ```ts
   * for await (const task of db.queue(emails).consume({ prefetch: 32 })) {
   *   await send(task.value, { signal: task.signal });
   *   await task.ack();
   * }
   * ```
   */
  consume(options: ConsumeOptions = {}): Consumer<Out> {
    return new Consumer(this.#parts, options);
  }

  /**
   * Runs a handler for each task: returning acknowledges it, throwing gives it back with back-off. The lease is extended while the handler runs.
   *
   * ```ts
   * await using worker = db.queue(emails).work({ concurrency: 32 }, async (task, { signal }) => {
   *   await send(task.value, { signal });
   * });
   * ```
   */
  work(options: WorkOptions, handler: TaskHandler<Out>): Worker<Out> {
    return new Worker(this.#parts, options, handler);
  }

  /** Looks at tasks without taking them: those that would be handed out next, or those of a state by number, behind `after`. At most 1,000. */
  async peek(
    options: {
      readonly count?: number;
      readonly state?: TaskState;
      readonly after?: number;
    } & CallLimits = {},
  ): Promise<SeenTask<Out>[]> {
    const { count, state, after } = options;
    const request = {
      queue: this.name,
      ...(count === undefined ? {} : { count }),
      ...(state === undefined ? {} : { state }),
      ...(after === undefined ? {} : { after }),
    };
    const { tasks } = await this.#caller.call("queue.peek", request, options);
    const { values } = this.#definition;
    return Promise.all(
      tasks.map(async ({ payload, ...facts }) => ({
        ...facts,
        value: await values.decode(payload),
      })),
    );
  }

  /** How many tasks there are, by state. */
  count(limits?: CallLimits): Promise<{
    readonly waiting: number;
    readonly delayed: number;
    readonly leased: number;
    readonly dead: number;
  }> {
    return this.#caller.call("queue.count", { queue: this.name }, limits);
  }

  /** Settings and counts. */
  stats(limits?: CallLimits): Promise<QueueStats> {
    return this.#caller.call("queue.stats", { queue: this.name }, limits);
  }

  /** Drops what waits and what is delayed, or what is dead; answers how many. What is in hand stays. */
  async purge(options: { readonly state?: "waiting" | "dead" } & CallLimits = {}): Promise<number> {
    const { state } = options;
    const request = { queue: this.name, ...(state === undefined ? {} : { state }) };
    return (await this.#caller.call("queue.purge", request, options)).count;
  }

  /** Hands out nothing more, to nobody; all else works. Says whether that is new. */
  async pause(limits?: CallLimits): Promise<boolean> {
    return (await this.#caller.call("queue.pause", { queue: this.name }, limits)).changed;
  }

  /** Hands out again. Says whether that is new. */
  async resume(limits?: CallLimits): Promise<boolean> {
    return (await this.#caller.call("queue.resume", { queue: this.name }, limits)).changed;
  }

  /** Dead tasks of this queue wait again, as if never delivered: all, or one by its number. Answers how many. */
  async revive(options: { readonly task?: number } & CallLimits = {}): Promise<number> {
    const { task } = options;
    const request = { queue: this.name, ...(task === undefined ? {} : { task }) };
    return (await this.#caller.call("queue.revive", request, options)).count;
  }
}

/** A push as a request. */
export function pushRequest(
  queue: string,
  payload: Uint8Array,
  options: PushOptions,
): {
  queue: string;
  payload: Uint8Array;
  priority?: Int64;
  delayMs?: number;
  expiryMs?: number;
  dedup?: string;
} {
  const { priority, delay, expiry, dedup } = options;
  const delayMs = optionalMs(delay, "delay");
  const expiryMs = optionalMs(expiry, "expiry");
  return {
    queue,
    payload,
    ...(priority === undefined ? {} : { priority }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(expiryMs === undefined ? {} : { expiryMs }),
    ...(dedup === undefined ? {} : { dedup }),
  };
}
