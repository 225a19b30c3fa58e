/**
 * What the queues of a partition must do, written as plainly as can be: lists that are filtered and sorted, copies for groups. It shares no code with the machine but the
 * words of requests. Priorities are bigints throughout.
 */
import { must } from "../../../src/base/assert.ts";
import type { Outcome } from "../../../src/machines/outcome.ts";
import type { Owner } from "../../../src/machines/owner.ts";
import type { Lease, QueueSettings, RequestOf, TaskState } from "../../../src/protocol/requests.ts";
import {
  type Content,
  type ModelQueue,
  type ModelTask,
  changed,
  error,
  isFree,
  short,
  takes,
} from "./queue-model-content.ts";
import type { AnyQueueRequest, Step } from "./queue-world.ts";

const sweepRows = 1_024;

export class QueueModel {
  number = 0;
  timestamp = 0;
  content: Content = { queues: [], tasks: [], dedup: [], lastQueue: 0 };

  apply(timestamp: number, steps: readonly Step[]): Outcome[] {
    this.timestamp = Math.max(this.timestamp, timestamp);
    return steps.map((step) => this.#step(step));
  }

  /** In the order in which they would be handed out, or by number. */
  tasksOf(name: string, state: TaskState): ModelTask[] {
    const queue = this.#named(name);
    const tasks = this.content.tasks.filter(
      (task) => task.queue === queue?.number && task.state === state,
    );
    return tasks.sort((a, b) =>
      state === "waiting" ? this.#inOrder(queue, a, b) : a.number - b.number,
    );
  }

  get nextDue(): number {
    const { tasks, dedup } = this.content;
    if (tasks.some((task) => this.#isGone(task))) return this.timestamp;
    const dues = tasks.flatMap((task) => [
      ...(task.due > 0 ? [task.due] : []),
      ...(task.expiresAtMs > 0 && isFree(task) ? [task.expiresAtMs] : []),
    ]);
    return Math.min(Infinity, ...dues, ...dedup.map(({ end }) => end));
  }

  #step(step: Step): Outcome {
    this.number++;
    if (step.verb === "group") return this.#group(step.requests);
    if (step.verb === "due") {
      this.#due();
      return { kind: "done" };
    }
    if (step.verb === "disconnected")
      return this.#release(
        ({ owner }) =>
          owner !== undefined &&
          owner.node === step.owner.node &&
          owner.run === step.owner.run &&
          owner.connection === step.owner.connection,
      );
    if (step.verb === "restarted")
      return this.#release(({ owner }) => owner?.node === step.node && owner.run !== step.run);
    return this.#request(step);
  }

  #group(requests: readonly AnyQueueRequest[]): Outcome {
    const before = structuredClone(this.content);
    const outcomes: Outcome[] = [];
    for (const [index, request] of requests.entries()) {
      this.number++;
      const outcome = this.#request(request);
      const lost = outcome.kind === "settled" && outcome.lost.length > 0;
      if (outcome.kind === "error" || lost) {
        this.content = before;
        const code = outcome.kind === "error" ? outcome.code : "LEASELOST";
        return { kind: "aborted", index, code, text: "" };
      }
      outcomes.push(outcome);
    }
    return { kind: "group", outcomes };
  }

  #request(asked: AnyQueueRequest): Outcome {
    switch (asked.verb) {
      case "queue.create":
        return this.#create(asked.request);
      case "queue.alter":
        return this.#alter(asked.request);
      case "queue.delete": {
        const queue = this.#named(asked.request.queue);
        this.content.queues = this.content.queues.filter((each) => each !== queue);
        return changed(queue !== undefined);
      }
      case "queue.pause":
      case "queue.resume":
        return this.#pause(asked.request.queue, asked.verb === "queue.pause");
      case "queue.push":
        return this.#push(asked.request);
      case "queue.pop":
        return this.#pop(asked.request, asked.owner);
      case "queue.ack":
      case "queue.nack":
      case "queue.extend":
      case "queue.check":
        return this.#settle(asked);
      case "queue.purge":
        return this.#purge(asked.request);
      case "queue.revive":
        return this.#revive(asked.request);
      case "queue.peek":
      case "queue.count":
      case "queue.stats":
      case "queue.list":
        throw new Error(`${asked.verb} is no operation`);
      default:
        return asked satisfies never;
    }
  }

  #create(request: RequestOf<"queue.create">): Outcome {
    const { queue: name, ifAbsent, ...settings } = request;
    const known = this.#named(name);
    if (known === undefined) {
      this.#make(name, { implementation: "fifo", ...settings });
      return changed(true);
    }
    const old = known.settings;
    const same =
      (settings.implementation ?? "fifo") === old.implementation &&
      (settings.order ?? "lowest") === (old.order ?? "lowest") &&
      String(settings.priorityMin) === String(old.priorityMin) &&
      String(settings.priorityMax) === String(old.priorityMax);
    return ifAbsent === true && same ? changed(false) : error("QUEUEEXISTS");
  }

  #alter({ queue: name, ...policies }: RequestOf<"queue.alter">): Outcome {
    const queue = this.#orDefault(name);
    if (queue === undefined) return error("NOQUEUE");
    queue.settings = { ...queue.settings, ...policies };
    return changed(true);
  }

  #pause(name: string, paused: boolean): Outcome {
    if (!paused && name === "default" && this.#named(name) === undefined) return changed(false);
    const queue = this.#orDefault(name);
    if (queue === undefined) return error("NOQUEUE");
    const was = queue.paused;
    queue.paused = paused;
    return changed(was !== paused);
  }

  #push(request: RequestOf<"queue.push">): Outcome {
    const queue = this.#orDefault(request.queue);
    if (queue === undefined) return error("NOQUEUE");
    const { settings } = queue;
    const known = this.content.dedup.find(
      ({ queue: of, id, end }) =>
        of === queue.number && id === request.dedup && end > this.timestamp,
    );
    if (known !== undefined) return { kind: "pushed", task: known.task, duplicate: true };
    if (request.payload.length > (settings.maxPayloadBytes ?? 1_048_576))
      return error("PAYLOADTOOLARGE");
    const priority = BigInt(request.priority ?? 0);
    if (!takes(settings, priority)) return error("PRIORITYOUTOFRANGE");
    const size = this.content.tasks.filter(
      (task) => task.queue === queue.number && task.state !== "dead",
    ).length;
    if (size >= (settings.maxSize ?? Infinity)) return error("QUEUEFULL");
    const dedupMs = settings.dedupMs ?? 300_000;
    if (request.dedup !== undefined && dedupMs > 0) {
      const old = this.content.dedup.find(
        ({ queue: of, id }) => of === queue.number && id === request.dedup,
      );
      this.content.dedup = this.content.dedup.filter((each) => each !== old);
      const end = this.timestamp + dedupMs;
      this.content.dedup.push({ queue: queue.number, id: request.dedup, task: this.number, end });
    }
    const delayMs = request.delayMs ?? 0;
    this.content.tasks.push({
      number: this.number,
      queue: queue.number,
      priority,
      pushedAtMs: this.timestamp,
      expiresAtMs: request.expiryMs === undefined ? 0 : this.timestamp + request.expiryMs,
      payload: Buffer.from(request.payload).toString("latin1"),
      state: delayMs > 0 ? "delayed" : "waiting",
      deliveries: 0,
      due: delayMs > 0 ? this.timestamp + delayMs : 0,
      lease: 0,
      owner: undefined,
    });
    return { kind: "pushed", task: this.number, duplicate: false };
  }

  #pop(request: RequestOf<"queue.pop">, owner: Owner | undefined): Outcome {
    const queue = this.#orDefault(request.queue);
    if (queue === undefined) return error("NOQUEUE");
    if (queue.paused) return { kind: "tasks", tasks: [] };
    const due = this.timestamp + (request.leaseMs ?? queue.settings.leaseMs ?? 30_000);
    const taken: ModelTask[] = [];
    for (const task of this.tasksOf(request.queue, "waiting")) {
      if (taken.length === (request.count ?? 1)) break;
      if (task.expiresAtMs > 0 && task.expiresAtMs <= this.timestamp) this.#drop(task);
      else taken.push(task);
    }
    const held = owner !== undefined && owner.connection !== 0;
    for (const task of taken) {
      Object.assign(task, { state: "leased", due, lease: this.number });
      task.deliveries++;
      task.owner = held ? owner : undefined;
    }
    return {
      kind: "tasks",
      tasks: taken.map((task) => ({
        task: task.number,
        lease: task.lease,
        priority: short(task.priority),
        deliveries: task.deliveries,
        pushedAtMs: task.pushedAtMs,
        leaseEndsAtMs: due,
        payload: Buffer.from(task.payload, "latin1"),
      })),
    };
  }

  #settle(
    asked: Extract<
      AnyQueueRequest,
      { verb: "queue.ack" | "queue.nack" | "queue.extend" | "queue.check" }
    >,
  ): Outcome {
    const name = asked.request.queue;
    const queue = this.#named(name);
    if (queue === undefined && name !== "default") return error("NOQUEUE");
    const leaseMs = asked.verb === "queue.extend" ? asked.request.leaseMs : undefined;
    const end = this.timestamp + (leaseMs ?? queue?.settings.leaseMs ?? 30_000);
    const lost: number[] = [];
    const { leases } = asked.request;
    for (const lease of leases) {
      const task = this.#held(queue, lease);
      if (task === undefined) lost.push(lease.task);
      else if (asked.verb === "queue.ack") this.#drop(task);
      else if (asked.verb === "queue.extend") task.due = end;
      else if (asked.verb === "queue.nack")
        this.#giveBack(task, asked.request.delayMs ?? 0, asked.request.uncounted === true);
    }
    if (leases.length === 1 && lost.length === 1) return error("LEASELOST");
    const leaseEndsAtMs = asked.verb === "queue.extend" && queue !== undefined ? end : 0;
    return { kind: "settled", settled: leases.length - lost.length, lost, leaseEndsAtMs };
  }

  #held(queue: ModelQueue | undefined, { task, lease }: Lease): ModelTask | undefined {
    return this.content.tasks.find(
      (each) =>
        each.number === task &&
        each.queue === queue?.number &&
        each.state === "leased" &&
        each.lease === lease,
    );
  }

  #giveBack(task: ModelTask, delayMs: number, uncounted: boolean): void {
    const queue = this.content.queues.find(({ number }) => number === task.queue);
    Object.assign(task, { due: 0, lease: 0, owner: undefined });
    if (queue === undefined) {
      this.#drop(task);
      return;
    }
    if (uncounted) task.deliveries--;
    const most = queue.settings.maxDeliveries ?? 20;
    if (most > 0 && task.deliveries >= most) {
      task.state = "dead";
      task.expiresAtMs = 0;
      const { deadLetter } = queue.settings;
      if (typeof deadLetter === "string") this.#bury(task, deadLetter);
    } else if (task.expiresAtMs > 0 && task.expiresAtMs <= this.timestamp) this.#drop(task);
    else if (delayMs > 0) Object.assign(task, { state: "delayed", due: this.timestamp + delayMs });
    else task.state = "waiting";
  }

  #bury(task: ModelTask, name: string): void {
    const grave = this.#named(name) ?? this.#make(name, { implementation: "priority" });
    task.state = "waiting";
    task.deliveries = 0;
    task.queue = grave.number;
    if (takes(grave.settings, task.priority)) return;
    const min = BigInt(grave.settings.priorityMin ?? 0);
    const max = BigInt(grave.settings.priorityMax ?? 0);
    task.priority = min > 0n ? min : max < 0n ? max : 0n;
  }

  #purge({ queue: name, state }: RequestOf<"queue.purge">): Outcome {
    if (this.#named(name) === undefined)
      return name === "default" ? { kind: "count", count: 0 } : error("NOQUEUE");
    const all =
      state === "dead"
        ? this.tasksOf(name, "dead")
        : [...this.tasksOf(name, "waiting"), ...this.tasksOf(name, "delayed")];
    const gone = all.slice(0, sweepRows);
    for (const task of gone) this.#drop(task);
    return { kind: "count", count: gone.length };
  }

  #revive({ queue: name, task: one }: RequestOf<"queue.revive">): Outcome {
    if (this.#named(name) === undefined)
      return name === "default" ? { kind: "count", count: 0 } : error("NOQUEUE");
    const dead = this.tasksOf(name, "dead").filter(
      ({ number }) => one === undefined || number === one,
    );
    for (const task of dead.slice(0, sweepRows)) {
      task.state = "waiting";
      task.deliveries = 0;
    }
    return { kind: "count", count: Math.min(dead.length, sweepRows) };
  }

  #release(of: (task: ModelTask) => boolean): Outcome {
    const held = this.content.tasks.filter((task) => task.state === "leased" && of(task));
    held.sort((a, b) => a.number - b.number);
    for (const task of held.slice(0, sweepRows)) this.#giveBack(task, 0, false);
    return { kind: "count", count: Math.min(held.length, sweepRows) };
  }

  #due(): void {
    const now = this.timestamp;
    const inState = (state: TaskState): ModelTask[] =>
      this.content.tasks
        .filter((task) => task.state === state && task.due <= now)
        .sort((a, b) => a.due - b.due || a.number - b.number);
    for (const task of inState("leased")) this.#giveBack(task, 0, false);
    for (const task of inState("delayed")) Object.assign(task, { state: "waiting", due: 0 });
    for (const task of this.content.tasks.filter(
      (each) => isFree(each) && each.expiresAtMs > 0 && each.expiresAtMs <= now,
    ))
      this.#drop(task);
    this.content.dedup = this.content.dedup.filter(({ end }) => end > now);
    for (const task of this.content.tasks.filter((each) => this.#isGone(each))) this.#drop(task);
  }

  #isGone(task: ModelTask): boolean {
    return !this.content.queues.some(({ number }) => number === task.queue);
  }

  #drop(task: ModelTask): void {
    this.content.tasks = this.content.tasks.filter((each) => each !== task);
  }

  #make(name: string, settings: QueueSettings): ModelQueue {
    const number = ++this.content.lastQueue;
    const createdAtMs = this.timestamp;
    this.content.queues.push({ name, number, createdAtMs, settings, paused: false });
    return must(this.#named(name));
  }

  #orDefault(name: string): ModelQueue | undefined {
    const known = this.#named(name);
    if (known !== undefined || name !== "default") return known;
    return this.#make(name, { implementation: "priority" });
  }

  #named(name: string): ModelQueue | undefined {
    return this.content.queues.find((queue) => queue.name === name);
  }

  #inOrder(queue: ModelQueue | undefined, a: ModelTask, b: ModelTask): number {
    if (a.priority === b.priority) return a.number - b.number;
    return a.priority < b.priority === (queue?.settings.order === "highest") ? 1 : -1;
  }
}
