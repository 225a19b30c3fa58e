/**
 * What is known of the tasks of a history: who pushed each, when and to whom it was handed out, what became of every lease. A task is known by the stamp of its
 * payload, in its own queue and then perhaps among the dead letters. Gathering this finds what contradicts itself; promises P1 and P3 are named in the errors.
 */
import { must } from "../../src/base/assert.ts";
import type { DeliveredTask, RequestOf, TaskState } from "../../src/protocol/requests.ts";
import { SimulationError } from "../node-state.ts";
import type { Evidence } from "./evidence.ts";
import type { Between, LogOrders } from "./log-order.ts";
import type { LogTimes } from "./log-times.ts";
import type { QueuePlan } from "./queue-shape.ts";
import { stampOf } from "./stamped-value.ts";
import { outcomeOf, stepsOf, textOfCall, told } from "./state-call.ts";
import type { StateCall } from "./state-call.ts";

export interface Push {
  readonly stamp: number;
  readonly call: StateCall;
  readonly request: RequestOf<"queue.push">;
  /** The client was told that the dedup id is known: so it added nothing. */
  readonly duplicate: boolean;
}

export interface Delivery extends DeliveredTask {
  /** Log time at which it was handed out. */
  readonly atMs: number;
  readonly call: StateCall;
  readonly by: number;
}

/** One attempt to end or extend a lease. */
export interface Settling {
  readonly verb: "queue.ack" | "queue.nack" | "queue.extend" | "queue.check";
  readonly lease: number;
  readonly call: StateCall;
  readonly index: number;
  readonly verdict: "done" | "lost" | "unknown";
  readonly delayMs: number;
  readonly uncounted: boolean;
  /** Of an extension: how long, and until when as far as that was told. */
  readonly leaseMs: number;
  readonly endsAtMs: number;
}

/** As a queue has it when everything is over. */
export interface FinalTask {
  readonly queue: string;
  readonly task: number;
  readonly state: TaskState;
  readonly deliveries: number;
  readonly payload: Uint8Array;
}

export interface Task {
  readonly queue: QueuePlan;
  readonly number: number;
  readonly push: Push;
  /** In its own queue, and not among the dead letters. */
  readonly atHome: boolean;
  /** By lease. */
  readonly deliveries: Delivery[];
  readonly settlings: Settling[];
  pushedAtMs: number | undefined;
  final: FinalTask | undefined;
}

/** What the workload knows beside the calls. */
export interface QueueWorld {
  readonly queues: ReadonlyMap<string, QueuePlan>;
  readonly times: LogTimes;
  readonly orders: LogOrders;
  readonly evidence: Evidence;
  /** When the connection that a call was made on has ended, whatever the cause; Infinity = it has not. */
  ownerEnded(call: StateCall): number;
}

export class QueueFacts {
  readonly world: QueueWorld;
  readonly calls: readonly StateCall[];
  readonly pushes = new Map<number, Push>();
  /** Pops of each queue. */
  readonly pops = new Map<string, StateCall[]>();
  readonly #tasks = new Map<string, Task>();
  /** Stamp and queue → its task. */
  readonly #byStamp = new Map<string, Task>();
  /** Queues that were purged, or may have been, and those whose dead were revived. */
  readonly purged = new Set<string>();
  readonly revived = new Set<string>();
  readonly #ghosts = new Map<string, readonly StateCall[]>();

  /** Throws SimulationError on what cannot be. */
  constructor(calls: readonly StateCall[], final: readonly FinalTask[], world: QueueWorld) {
    this.calls = calls;
    this.world = world;
    for (const { call, index, step } of stepsOf(calls)) {
      if (step.verb === "queue.push") this.#learnPush(call, index, step.request);
      if (step.verb === "queue.purge") this.purged.add(step.request.queue);
      if (step.verb === "queue.revive") this.revived.add(step.request.queue);
      if (step.verb !== "queue.pop") continue;
      const others = this.pops.get(step.request.queue);
      if (others === undefined) this.pops.set(step.request.queue, [call]);
      else others.push(call);
    }
    for (const { call, index, step } of stepsOf(calls)) {
      if (step.verb === "queue.push") this.#learnTask(call, index, step.request);
      if (step.verb === "queue.pop") this.#learnDeliveries(call, index, step.request);
    }
    for (const one of final) this.#learnFinal(one);
    for (const { call, index, step } of stepsOf(calls)) {
      if (
        step.verb === "queue.ack" ||
        step.verb === "queue.nack" ||
        step.verb === "queue.extend" ||
        step.verb === "queue.check"
      )
        this.#learnSettlings(call, index, step);
    }
    for (const { deliveries } of this.#tasks.values()) deliveries.sort((a, b) => a.lease - b.lease);
  }

  get tasks(): IterableIterator<Task> {
    return this.#tasks.values();
  }

  /** Of those that anybody was told of. */
  task(queue: string, number: number): Task | undefined {
    return this.#tasks.get(`${queue} ${number}`);
  }

  /** The task that a push has made in its own queue, or the dead letter that it became. */
  taskOf(stamp: number, queue: string): Task | undefined {
    return this.#byStamp.get(`${stamp} ${queue}`);
  }

  /** Numbers between which the operation of a call stands. */
  numbers(call: StateCall): Between {
    return this.world.orders.numbers(call);
  }

  /** Pops of a queue of which nobody knows what they took, asked for before a moment; in the order of asking. */
  ghosts(queue: string, before: number): readonly StateCall[] {
    let known = this.#ghosts.get(queue);
    if (known === undefined) {
      known = (this.pops.get(queue) ?? [])
        .filter((call) => told(call).kind === "unknown")
        .sort((a, b) => a.invoked - b.invoked);
      this.#ghosts.set(queue, known);
    }
    const end = known.findIndex(({ invoked }) => invoked >= before);
    return end < 0 ? known : known.slice(0, end);
  }

  #learnPush(call: StateCall, index: number, request: RequestOf<"queue.push">): void {
    const stamp = must(stampOf(Buffer.from(request.payload)), "a payload has a stamp");
    const outcome = outcomeOf(call, index);
    const duplicate = outcome?.kind === "pushed" && outcome.duplicate;
    this.pushes.set(stamp, { stamp, call, request, duplicate });
  }

  #learnTask(call: StateCall, index: number, request: RequestOf<"queue.push">): void {
    const outcome = outcomeOf(call, index);
    if (outcome?.kind !== "pushed" || outcome.duplicate) return;
    const stamp = must(stampOf(Buffer.from(request.payload)));
    this.#task({
      stamp,
      queue: request.queue,
      number: outcome.task,
      seen: () => "it was acknowledged",
    });
  }

  #learnDeliveries(call: StateCall, index: number, request: RequestOf<"queue.pop">): void {
    const outcome = outcomeOf(call, index);
    const what = told(call);
    if (outcome?.kind !== "tasks" || what.kind !== "done") return;
    const { by } = what;
    const leaseMs = request.leaseMs ?? must(this.world.queues.get(request.queue)).leaseMs;
    for (const delivered of outcome.tasks) {
      const stamp = stampOf(Buffer.from(delivered.payload));
      const task = this.#task({
        stamp,
        queue: request.queue,
        number: delivered.task,
        seen: () => `it was handed out: ${textOfCall(call)}`,
      });
      const atMs = delivered.leaseEndsAtMs - leaseMs;
      task.deliveries.push({ ...delivered, atMs, call, by });
      checkUnchanged(task, delivered);
      task.pushedAtMs = delivered.pushedAtMs;
      this.#checkTime(call, delivered.lease, atMs);
    }
  }

  #checkTime(call: StateCall, number: number, atMs: number): void {
    const { times } = this.world;
    const from = times.earliest(call.partition, number);
    const to = times.latest(call.partition, number);
    if (atMs >= from && atMs <= to) return;
    throw new SimulationError(
      `log time: operation ${number} was applied between ${from} and ${to}; by its answer it was ${atMs}: ${textOfCall(call)}`,
    );
  }

  #learnFinal(final: FinalTask): void {
    const task = this.#task({
      stamp: stampOf(Buffer.from(final.payload)),
      queue: final.queue,
      number: final.task,
      seen: () => "it is there at the end",
    });
    task.final = final;
  }

  #learnSettlings(
    call: StateCall,
    index: number,
    {
      verb,
      request,
    }: {
      readonly verb: Settling["verb"];
      readonly request: RequestOf<"queue.nack"> & { readonly leaseMs?: number };
    },
  ): void {
    const what = told(call);
    if (what.kind === "nothing") return;
    const outcome = outcomeOf(call, index);
    const queue = must(this.world.queues.get(request.queue));
    for (const { task, lease } of request.leases) {
      const verdict =
        outcome === undefined
          ? "unknown"
          : outcome.kind === "settled" && !outcome.lost.includes(task)
            ? "done"
            : "lost";
      this.#tasks.get(`${request.queue} ${task}`)?.settlings.push({
        verb,
        lease,
        call,
        index,
        verdict,
        delayMs: request.delayMs ?? 0,
        uncounted: request.uncounted === true,
        leaseMs: request.leaseMs ?? queue.leaseMs,
        endsAtMs: outcome?.kind === "settled" ? outcome.leaseEndsAtMs : 0,
      });
    }
  }

  /** Finds or makes the task; the push is known to have happened by that. */
  #task(found: {
    readonly stamp: number | undefined;
    readonly queue: string;
    readonly number: number;
    readonly seen: () => string;
  }): Task {
    const { stamp, queue, number, seen } = found;
    const push = stamp === undefined ? undefined : this.pushes.get(stamp);
    const name = `task ${number} of ${queue} (#${stamp ?? "?"})`;
    if (push === undefined)
      throw new SimulationError(`P1: phantom: ${name}, which nobody has pushed: ${seen()}`);
    const home = push.request.queue;
    if (queue !== home && queue !== this.world.queues.get(home)?.deadLetter)
      throw new SimulationError(
        `P1: ${name} was pushed to another queue: ${textOfCall(push.call)}; ${seen()}`,
      );
    if (push.duplicate)
      throw new SimulationError(
        `P3: ${name} is there though its push was a duplicate: ${textOfCall(push.call)}; ${seen()}`,
      );
    this.world.evidence.happened(push.call, "P1: phantom", () => `${name} is there: ${seen()}`);
    const other = this.#byStamp.get(`${stamp} ${queue}`);
    if (other !== undefined && other.number !== number)
      throw new SimulationError(
        `P3: double effect: ${name} is task ${other.number} too: ${textOfCall(push.call)}; ${seen()}`,
      );
    const known = this.#tasks.get(`${queue} ${number}`);
    if (known !== undefined && known.push !== push)
      throw new SimulationError(
        `P3: ${name} is also what was pushed by ${textOfCall(known.push.call)}; ${seen()}`,
      );
    if (known !== undefined) return known;
    const task: Task = {
      queue: must(this.world.queues.get(queue), `queue ${queue} is one of the run`),
      number,
      push,
      atHome: queue === home,
      deliveries: [],
      settlings: [],
      pushedAtMs: undefined,
      final: undefined,
    };
    this.#tasks.set(`${queue} ${number}`, task);
    this.#byStamp.set(`${stamp} ${queue}`, task);
    return task;
  }
}

/** What a task is does not change from one delivery to the next. */
function checkUnchanged(task: Task, delivered: DeliveredTask): void {
  const { push, queue, pushedAtMs } = task;
  const wanted = BigInt(push.request.priority ?? 0);
  const found = BigInt(delivered.priority);
  const fits = found === wanted || (!task.atHome && found === 0n);
  if (fits && (pushedAtMs === undefined || pushedAtMs === delivered.pushedAtMs)) return;
  throw new SimulationError(
    `P7: task ${task.number} of ${queue.name} was pushed with priority ${wanted} at ${pushedAtMs ?? "?"}; it was handed out with ${found} and ${delivered.pushedAtMs}`,
  );
}
