/**
 * Where the tasks of one queue are settled: acknowledgements, returns and extensions of a turn go as one request each. It watches the leases of all tasks that
 * this client holds: extends those that are worked on, gives back what waited too long to be handed out, and tells when one is lost.
 */
import { must } from "../base/assert.ts";
import type { Timer } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { DeliveredTask, Lease, RequestOf } from "../protocol/requests.ts";
import type { Caller } from "./caller.ts";
import { HeldTask, type TaskHolder } from "./held-task.ts";

type SettleVerb = "queue.ack" | "queue.nack" | "queue.extend";

/** What the settlements of one request have in common. */
interface Manner {
  readonly verb: SettleVerb;
  readonly delayMs?: number;
  readonly uncounted?: boolean;
  readonly leaseMs?: number;
}

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

interface Batch {
  readonly manner: Manner;
  readonly tasks: HeldTask[];
  readonly waiters: (Waiter | undefined)[];
}

const acknowledge: Manner = { verb: "queue.ack" };

export class TaskDesk {
  readonly queue: string;
  readonly #caller: Caller;
  readonly #held = new Set<HeldTask>();
  /** Of this turn. */
  #batches: Batch[] = [];
  #acks: Batch | undefined;
  #underWay = 0;
  #idle: (() => void)[] = [];
  #watch: Timer | undefined;
  #shortestLeaseMs = Infinity;

  constructor(caller: Caller, queue: string) {
    this.#caller = caller;
    this.queue = queue;
  }

  /** Takes note of a task that was delivered to this client. */
  hold(delivered: DeliveredTask, holder: TaskHolder | undefined): HeldTask {
    const held = new HeldTask(delivered, this.#caller.channel.serverNowMs(), holder);
    this.#held.add(held);
    if (held.leaseMs < this.#shortestLeaseMs) {
      this.#shortestLeaseMs = held.leaseMs;
      this.#watch?.cancel();
      this.#watch = undefined;
    }
    this.#watchOn();
    return held;
  }

  /** Throws TrubaError LEASELOST if the task is not held; rejects with it if the node says so. */
  ack(held: HeldTask): Promise<void> {
    held.mustBeHeld(this.queue);
    this.#release(held, "acknowledged");
    if (this.#acks === undefined) this.#acks = this.#open(acknowledge);
    return this.#add(this.#acks, held);
  }

  /** As {@link ack}. */
  nack(held: HeldTask, manner: { delayMs?: number; uncounted?: boolean } = {}): Promise<void> {
    held.mustBeHeld(this.queue);
    this.#release(held, "given back");
    return this.#add(this.#batchOf({ ...manner, verb: "queue.nack" }), held);
  }

  /** The lease begins anew. Throws and rejects as {@link ack}. */
  extend(held: HeldTask, leaseMs?: number): Promise<void> {
    held.mustBeHeld(this.queue);
    const manner: Manner = {
      verb: "queue.extend",
      ...(leaseMs === undefined ? {} : { leaseMs }),
    };
    return this.#add(this.#batchOf(manner), held);
  }

  /** An atomic group did to it what `fate` says. */
  settledInGroup(held: HeldTask, fate: "acknowledged" | "given back"): void {
    this.#release(held, fate);
  }

  /** Gives back what waited to be handed out, as if it had not been delivered. */
  refuse(held: HeldTask): void {
    this.nack(held, { uncounted: true }).catch(() => {
      // It comes back when its lease ends.
    });
  }

  lose(held: HeldTask, error: Error): void {
    const wasHeld = this.#held.delete(held);
    held.lose(error);
    if (wasHeld) held.holder?.gone();
  }

  /** What one holder has handed out has gone back to the queue. */
  loseOf(holder: TaskHolder, error: Error): void {
    for (const held of this.#held)
      if (held.holder === holder) this.lose(held, leaseLost(this.queue, held, error.message));
  }

  /** All that is held has gone back to the queue. */
  loseAll(error: Error): void {
    for (const held of this.#held) this.lose(held, error);
  }

  /** Resolves when all that was settled has been answered. */
  settled(): Promise<void> {
    if (this.#underWay === 0 && this.#batches.length === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#idle.push(resolve));
  }

  #release(held: HeldTask, fate: "acknowledged" | "given back"): void {
    held.fate = fate;
    this.#held.delete(held);
    held.holder?.gone();
  }

  #batchOf(manner: Manner): Batch {
    for (const batch of this.#batches) if (sameManner(batch.manner, manner)) return batch;
    return this.#open(manner);
  }

  #open(manner: Manner): Batch {
    const batch: Batch = { manner, tasks: [], waiters: [] };
    if (this.#batches.length === 0) this.#caller.clock.soon(() => this.#send());
    this.#batches.push(batch);
    return batch;
  }

  #add(batch: Batch, held: HeldTask): Promise<void> {
    return new Promise((resolve, reject) => {
      batch.tasks.push(held);
      batch.waiters.push({ resolve, reject });
    });
  }

  #send(): void {
    const batches = this.#batches;
    this.#batches = [];
    this.#acks = undefined;
    for (const { manner, tasks, waiters } of batches) {
      for (let at = 0; at < tasks.length; at += limits.takeMaxCount) {
        const end = at + limits.takeMaxCount;
        this.#sendPart({ manner, tasks: tasks.slice(at, end), waiters: waiters.slice(at, end) });
      }
    }
  }

  #sendPart(batch: Batch): void {
    const { manner, tasks } = batch;
    const { verb, ...how } = manner;
    const leases: Lease[] = tasks.map(({ task, lease }) => ({ task, lease }));
    const request: RequestOf<SettleVerb> = { queue: this.queue, leases, ...how };
    this.#underWay++;
    this.#caller
      .call(verb, request)
      .then(
        (response) => {
          const endsAtMs = "leaseEndsAtMs" in response ? response.leaseEndsAtMs : 0;
          this.#answer(batch, new Set(response.lost), endsAtMs);
        },
        (error: unknown) => this.#fail(batch, error),
      )
      .finally(() => {
        this.#underWay--;
        if (this.#underWay > 0 || this.#batches.length > 0) return;
        for (const resolve of this.#idle.splice(0)) resolve();
      });
  }

  #answer({ tasks, waiters }: Batch, lost: ReadonlySet<number>, leaseEndsAtMs: number): void {
    for (let i = 0; i < tasks.length; i++) {
      const held = must(tasks[i]);
      if (lost.size > 0 && lost.has(held.task)) {
        const error = leaseLost(this.queue, held, "its lease did not hold any more");
        this.lose(held, error);
        waiters[i]?.reject(error);
        continue;
      }
      if (leaseEndsAtMs > 0) held.leaseEndsAtMs = leaseEndsAtMs;
      waiters[i]?.resolve();
    }
  }

  #fail({ tasks, waiters }: Batch, error: unknown): void {
    const isLost = error instanceof TrubaError && error.code === "LEASELOST";
    for (let i = 0; i < tasks.length; i++) {
      if (isLost) this.lose(must(tasks[i]), error);
      waiters[i]?.reject(error);
    }
  }

  #watchOn(): void {
    if (this.#watch !== undefined || this.#held.size === 0) return;
    const everyMs = Math.min(1_000, Math.max(10, this.#shortestLeaseMs / 10));
    this.#watch = this.#caller.clock.after(everyMs, () => {
      this.#watch = undefined;
      this.#look();
      if (this.#held.size === 0) this.#shortestLeaseMs = Infinity;
      this.#watchOn();
    });
  }

  #look(): void {
    const nowMs = this.#caller.channel.serverNowMs();
    for (const held of this.#held) {
      const leftMs = held.leaseEndsAtMs - nowMs;
      if (leftMs <= 0) this.lose(held, leaseLost(this.queue, held, "its lease ended"));
      else if (held.buffered && leftMs < held.leaseMs / 2) this.refuse(held);
      else if (held.kept && !held.extending && leftMs < (held.leaseMs * 2) / 3) this.#keep(held);
    }
  }

  #keep(held: HeldTask): void {
    if (held.fate !== "held") return;
    held.extending = true;
    const ended = (): void => {
      held.extending = false;
    };
    this.extend(held, held.leaseMs).then(ended, ended);
  }
}

function leaseLost(queue: string, held: HeldTask, why: string): TrubaError {
  return new TrubaError("LEASELOST", `task ${held.task} of queue "${queue}": ${why}`);
}

function sameManner(a: Manner, b: Manner): boolean {
  return (
    a.verb === b.verb &&
    a.delayMs === b.delayMs &&
    a.uncounted === b.uncounted &&
    a.leaseMs === b.leaseMs
  );
}
