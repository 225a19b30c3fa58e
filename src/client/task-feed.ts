/** Tasks of a queue as they come, a limited number at a time: what consumers and workers draw from. */
import type { DeliveredTask } from "../protocol/requests.ts";
import type { Caller } from "./caller.ts";
import type { HeldTask, TaskHolder } from "./held-task.ts";
import { LastingSubscription } from "./lasting-subscription.ts";
import type { TaskDesk } from "./task-desk.ts";

export interface TaskFeedOptions {
  readonly caller: Caller;
  readonly desk: TaskDesk;
  /** Tasks that may be here, handed out ones included, 1 or more. */
  readonly prefetch: number;
  readonly leaseMs: number | undefined;
  /** There is something to {@link TaskFeed.take}. */
  ready(): void;
  /** Nothing comes any more. Told once, and not after {@link TaskFeed.close}. */
  ended(error: Error): void;
}

export class TaskFeed implements TaskHolder {
  readonly #desk: TaskDesk;
  readonly #subscription: LastingSubscription<DeliveredTask>;
  #waiting: HeldTask[] = [];
  /** Those before this one were taken. */
  #taken = 0;

  constructor(options: TaskFeedOptions) {
    const { caller, desk, prefetch, leaseMs } = options;
    this.#desk = desk;
    const request = { queue: desk.queue, ...(leaseMs === undefined ? {} : { leaseMs }) };
    this.#subscription = new LastingSubscription({
      caller,
      credit: prefetch,
      subscribe: (credit, sink) => caller.channel.tasks({ ...request, credit }, sink),
      items: (tasks) => {
        for (const task of tasks) this.#waiting.push(desk.hold(task, this));
        options.ready();
      },
      settled: () => desk.settled(),
      lost: (error) => desk.loseOf(this, error),
      ended: (error) => options.ended(error),
    });
  }

  /** The next task that is still ours; `undefined` if none is here. */
  take(): HeldTask | undefined {
    while (this.#taken < this.#waiting.length) {
      const held = this.#waiting[this.#taken++];
      if (held?.fate !== "held") continue;
      held.buffered = false;
      return held;
    }
    this.#waiting = [];
    this.#taken = 0;
    return undefined;
  }

  gone(): void {
    this.#subscription.giveBack(1);
  }

  /** Takes nothing more; what was not taken from here goes back, as if it had not been delivered. */
  close(): void {
    this.#subscription.close();
    for (let held = this.take(); held !== undefined; held = this.take()) this.#desk.refuse(held);
  }
}
