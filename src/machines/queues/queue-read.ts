/** What is read of queues outside of the log: from the tables as they are, in one go. */
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type {
  PeekedTask,
  QueueStats,
  RequestOf,
  ResponseOf,
  TaskState,
} from "../../protocol/requests.ts";
import { checkedCount } from "../checked-count.ts";
import { dead, delayed, leased, waiting } from "./delivery-row.ts";
import { defaultName } from "./queue-admin.ts";
import { checkedQueueName, checkedTaskNumber, checkedTaskState } from "./queue-request-check.ts";
import { type QueueRules, defaultRules } from "./queue-rules.ts";
import type { QueueTables } from "./queue-tables.ts";
import type { Queue } from "./queue.ts";

export type QueueReadVerb = "queue.peek" | "queue.count" | "queue.stats" | "queue.list";

const peekDefaultCount = 10;
const listDefaultCount = 100;

type Readers = { readonly [V in QueueReadVerb]: (request: RequestOf<V>) => ResponseOf<V> };

export class QueueReader {
  readonly #tables: QueueTables;
  readonly #readers: Readers = {
    "queue.peek": (request) => this.#peek(request),
    "queue.count": (request) => countsOf(this.#queue(request.queue)),
    "queue.stats": (request) => this.#stats(request.queue, this.#queue(request.queue)),
    "queue.list": (request) => this.#list(request),
  };

  constructor(tables: QueueTables) {
    this.#tables = tables;
  }

  read<V extends QueueReadVerb>(verb: V, request: RequestOf<V>): ResponseOf<V> {
    return this.#readers[verb](request);
  }

  /** The queue; `undefined` for one that makes itself and was not made yet, which is as an empty one. */
  #queue(name: string): Queue | undefined {
    checkedQueueName("queue", name);
    const queue = this.#tables.named(name);
    if (queue === undefined && name !== defaultName)
      throw new TrubaError("NOQUEUE", `there is no queue "${name}"`);
    return queue;
  }

  #peek(request: RequestOf<"queue.peek">): ResponseOf<"queue.peek"> {
    const queue = this.#queue(request.queue);
    const count = checkedCount("count", request.count ?? peekDefaultCount, 1, limits.listMaxCount);
    const state = checkedTaskState(request.state ?? "waiting");
    const after = checkedTaskNumber("after", request.after ?? 0);
    const tasks: PeekedTask[] = [];
    if (queue === undefined) return { tasks };
    let bytes = 0;
    // Never more than one pop would hand out, so that a look at large tasks costs no more.
    this.#walk(queue, state, after, (number) => {
      const task = this.#tables.tasks.find(number);
      bytes += this.#tables.tasks.payloadBytes(task);
      if (tasks.length > 0 && bytes > limits.takeMaxBytes) return false;
      tasks.push(this.#peeked(number, task, state));
      return tasks.length < count;
    });
    return { tasks };
  }

  #walk(queue: Queue, state: TaskState, after: number, visit: (number: number) => boolean): void {
    if (state === "waiting")
      queue.walkWaiting(Infinity, (number) => number <= after || visit(number));
    else if (state === "leased") {
      for (const number of this.#leasedOf(queue, after)) if (!visit(number)) return;
    } else queue.walk(state === "delayed" ? delayed : dead, after, visit);
  }

  #leasedOf(queue: Queue, after: number): number[] {
    const { leases, tasks } = this.#tables;
    const numbers = new Set<number>();
    leases.each((number) => {
      if (number > after && tasks.queueOf(tasks.find(number)) === queue.number) numbers.add(number);
    });
    return [...numbers].sort((a, b) => a - b);
  }

  #peeked(number: number, task: number, state: TaskState): PeekedTask {
    const { tasks, deliveries } = this.#tables;
    const delivery = deliveries.find(number);
    return {
      task: number,
      state,
      priority: tasks.priorityOf(task),
      deliveries: deliveries.deliveriesAt(delivery),
      pushedAtMs: tasks.pushedAtMs(task),
      dueAtMs: deliveries.dueAt(delivery),
      expiresAtMs: tasks.expiresAtMs(task),
      payload: tasks.payload(task),
    };
  }

  #list(request: RequestOf<"queue.list">): ResponseOf<"queue.list"> {
    const count = checkedCount("count", request.count ?? listDefaultCount, 1, limits.listMaxCount);
    const after = request.after ?? "";
    const { names } = this.#tables;
    const from = firstBehind(names, after);
    const queues = names
      .slice(from, from + count)
      .map((name) => this.#stats(name, this.#tables.named(name)));
    return { queues };
  }

  #stats(name: string, queue: Queue | undefined): QueueStats {
    const next = queue?.order.first() ?? 0;
    return {
      queue: name,
      ...settingsOf(queue?.rules ?? defaultRules),
      paused: queue?.paused ?? false,
      createdAtMs: queue?.row.createdAtMs ?? 0,
      ...countsOf(queue),
      payloadBytes: queue?.payloadBytes ?? 0,
      nextPushedAtMs: next === 0 ? 0 : this.#tables.tasks.pushedAtMs(this.#tables.tasks.find(next)),
    };
  }
}

function countsOf(queue: Queue | undefined): ResponseOf<"queue.count"> {
  return {
    waiting: queue?.count(waiting) ?? 0,
    delayed: queue?.count(delayed) ?? 0,
    leased: queue?.count(leased) ?? 0,
    dead: queue?.count(dead) ?? 0,
  };
}

function settingsOf(rules: QueueRules): QueueRules {
  const { implementation, order, priorityMin, priorityMax, maxSize, maxPayloadBytes } = rules;
  const { leaseMs, maxDeliveries, deadLetter, dedupMs } = rules;
  return {
    implementation,
    order,
    priorityMin,
    priorityMax,
    maxSize,
    maxPayloadBytes,
    leaseMs,
    maxDeliveries,
    deadLetter,
    dedupMs,
  };
}

/** Where the names begin that are behind `after`; sorted by code units, as the names are. */
function firstBehind(names: readonly string[], after: string): number {
  let from = 0;
  let to = names.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((names[middle] ?? "") > after) to = middle;
    else from = middle + 1;
  }
  return from;
}
