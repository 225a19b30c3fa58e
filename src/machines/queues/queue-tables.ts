/**
 * The tables of queues with the indexes beside them: queues by name and number, tasks of each by state and order, deadlines, and who holds what. The hooks of the tables keep the
 * indexes, so a group that is undone takes them along; after a checkpoint was loaded they are made from the rows.
 *
 * A task is in a state by two rows, its own and its delivery row, so there is an order in which they are written: what makes a task writes its delivery row first, what
 * removes one removes that last. Then the hook of tasks always sees the state.
 */
import { must } from "../../base/assert.ts";
import type { State } from "../../state/state.ts";
import { Deadlines } from "../deadlines.ts";
import { Holdings } from "../owner.ts";
import { DedupRows } from "./dedup-rows.ts";
import { DeliveryRows, delayed, leased, waiting } from "./delivery-row.ts";
import type { Standing } from "./fifo.ts";
import type { Int64 } from "../../protocol/requests.ts";
import { Queue } from "./queue.ts";
import { QueueRows } from "./queue-row.ts";
import { defaultRules } from "./queue-rules.ts";
import { TaskRows } from "./task-row.ts";

/** Tasks of all queues. */
export interface QueueTotals {
  readonly waiting: number;
  readonly delayed: number;
  readonly leased: number;
  readonly dead: number;
  readonly queues: number;
}

export class QueueTables {
  readonly queues: QueueRows;
  readonly tasks: TaskRows;
  readonly deliveries: DeliveryRows;
  readonly dedup: DedupRows;
  /** Ends of leases; of what is in the heap, those that stand are the tasks that are leased. */
  readonly leases: Deadlines;
  readonly delays: Deadlines;
  /** Of tasks that wait or are delayed. */
  readonly expiries: Deadlines;
  readonly holdings = new Holdings();
  /** Queues that are gone and have tasks left. */
  readonly gone = new Set<Queue>();
  /** A task of the queue can be handed out now. */
  onReady: ((queue: string) => void) | undefined;
  readonly #byNumber = new Map<number, Queue>();
  readonly #byName = new Map<string, Queue>();
  #sortedNames: string[] | undefined;
  /** By state; those of queues that are gone do not count. */
  readonly #totals = [0, 0, 0, 0];
  #latest: Queue | undefined;
  #loading = false;

  constructor(state: State) {
    this.queues = new QueueRows(state);
    this.tasks = new TaskRows(state);
    this.deliveries = new DeliveryRows(state);
    this.dedup = new DedupRows(state);
    this.leases = new Deadlines((due, number) => this.#isDue(leased, due, number));
    this.delays = new Deadlines((due, number) => this.#isDue(delayed, due, number));
    this.expiries = new Deadlines((due, number) => this.#expires(due, number));
    this.queues.table.onChange = (before, after) => this.#queueChanged(before, after);
    this.tasks.table.onChange = (before, after) => this.#taskChanged(before, after);
    this.deliveries.table.onChange = (before, after) => this.#deliveryChanged(before, after);
  }

  get totals(): QueueTotals {
    const [inWaiting = 0, inDelayed = 0, inLeased = 0, inDead = 0] = this.#totals;
    return {
      waiting: inWaiting,
      delayed: inDelayed,
      leased: inLeased,
      dead: inDead,
      queues: this.#byName.size,
    };
  }

  loaded(): void {
    this.#loading = true;
    this.queues.table.each((address) => this.#queueChanged(0, address));
    this.tasks.table.each((address) => this.#taskChanged(0, address));
    this.deliveries.table.each((address) => this.#noteDelivery(address));
    for (const queue of this.#byNumber.values()) queue.sort();
    this.dedup.loaded();
    this.#loading = false;
  }

  named(name: string): Queue | undefined {
    return this.#byName.get(name);
  }

  /** The queue whose name stands in `source`. */
  find(source: Buffer, start: number, bytes: number): Queue | undefined {
    const latest = this.#latest;
    if (latest !== undefined && isName(latest.nameBytes, source, start, bytes)) return latest;
    const address = this.queues.table.find(source, start, bytes);
    if (address === 0) return undefined;
    const queue = must(this.#byNumber.get(this.queues.numberOf(address)));
    this.#latest = queue;
    return queue;
  }

  /** The queue of a task, which may be gone. */
  queueOf(task: number): Queue {
    const number = this.tasks.queueOf(task);
    return this.#latest?.number === number ? this.#latest : this.#withNumber(number);
  }

  /** Names of all queues in the order of their bytes. */
  get names(): readonly string[] {
    this.#sortedNames ??= [...this.#byName.keys()].sort();
    return this.#sortedNames;
  }

  /** Takes the task and its delivery row away. */
  removeTask(number: number, task: number): void {
    this.tasks.removeAt(task);
    this.deliveries.remove(number);
  }

  /** Which queue a task belongs to that has no row: it is gone. */
  #withNumber(number: number): Queue {
    const known = this.#byNumber.get(number);
    if (known !== undefined) return known;
    const row = {
      name: Buffer.alloc(0),
      number,
      createdAtMs: 0,
      paused: false,
      rules: defaultRules,
    };
    const queue = this.#make(row);
    queue.gone = true;
    this.gone.add(queue);
    return queue;
  }

  #make(row: Queue["row"]): Queue {
    const queue = new Queue(
      row,
      (state, priorityMatters) =>
        ({
          stands: (number, priority) =>
            this.#isIn(row.number, state, number, priorityMatters ? priority : undefined),
        }) satisfies Standing,
    );
    this.#byNumber.set(row.number, queue);
    return queue;
  }

  #isIn(queue: number, state: number, number: number, priority: Int64 | undefined): boolean {
    const task = this.tasks.find(number);
    if (task === 0 || this.tasks.queueOf(task) !== queue) return false;
    if (priority !== undefined && this.tasks.priorityOf(task) !== priority) return false;
    return this.deliveries.stateAt(this.deliveries.find(number)) === state;
  }

  #isDue(state: number, due: number, number: number): boolean {
    const delivery = this.deliveries.find(number);
    return this.deliveries.stateAt(delivery) === state && this.deliveries.dueAt(delivery) === due;
  }

  #expires(due: number, number: number): boolean {
    const task = this.tasks.find(number);
    if (task === 0 || this.tasks.expiresAtMs(task) !== due) return false;
    const state = this.deliveries.stateAt(this.deliveries.find(number));
    return state === waiting || state === delayed;
  }

  #queueChanged(before: number, after: number): void {
    if (!this.queues.isQueue(after === 0 ? before : after)) return;
    if (after !== 0) {
      const row = this.queues.read(after);
      if (before === 0) this.#queueMade(row);
      else this.#queueAltered(row);
    } else this.#queueGone(this.queues.read(before).number);
  }

  #queueMade(row: Queue["row"]): void {
    const known = this.#byNumber.get(row.number);
    const queue = known ?? this.#make(row);
    queue.row = row;
    // One that was gone has come back: its deletion was undone.
    if (queue.gone) this.#count(queue, 1);
    queue.gone = false;
    this.gone.delete(queue);
    this.#byName.set(queue.name, queue);
    this.#sortedNames = undefined;
  }

  #queueAltered(row: Queue["row"]): void {
    const queue = must(this.#byNumber.get(row.number));
    const resumed = queue.paused && !row.paused;
    queue.row = row;
    if (resumed && queue.count(waiting) > 0) this.onReady?.(queue.name);
  }

  #queueGone(number: number): void {
    const queue = must(this.#byNumber.get(number));
    this.#byName.delete(queue.name);
    this.#sortedNames = undefined;
    if (this.#latest === queue) this.#latest = undefined;
    this.#count(queue, -1);
    queue.gone = true;
    // Whoever waits for its tasks is to be told.
    this.onReady?.(queue.name);
    if (queue.isEmpty) this.#byNumber.delete(number);
    else this.gone.add(queue);
  }

  #count(queue: Queue, sign: 1 | -1): void {
    for (let state = 0; state < this.#totals.length; state++)
      this.#totals[state] = must(this.#totals[state]) + sign * queue.count(state);
  }

  #taskChanged(before: number, after: number): void {
    const number = this.tasks.numberOf(after === 0 ? before : after);
    const state = this.deliveries.stateAt(this.deliveries.find(number));
    if (before !== 0) {
      const queue = this.queueOf(before);
      queue.payloadBytes -= this.tasks.payloadBytes(before);
      this.#leave(queue, state, before);
      if (after === 0) this.#maybeForget(queue);
    }
    if (after !== 0) {
      const queue = this.queueOf(after);
      queue.payloadBytes += this.tasks.payloadBytes(after);
      this.#enter(queue, state, after, number);
    }
  }

  #deliveryChanged(before: number, after: number): void {
    const { deliveries } = this;
    const number = deliveries.numberOf(after === 0 ? before : after);
    if (before !== 0 && deliveries.isHeld(before))
      this.holdings.remove(deliveries.ownerAt(before), number);
    if (after !== 0) this.#noteDelivery(after);
    const task = this.tasks.find(number);
    if (task === 0) return;
    const from = deliveries.stateAt(before);
    const to = deliveries.stateAt(after);
    if (from === to) return;
    const queue = this.queueOf(task);
    this.#leave(queue, from, task);
    this.#enter(queue, to, task, number);
  }

  /** Its deadline, and who holds it. */
  #noteDelivery(address: number): void {
    const { deliveries } = this;
    const state = deliveries.stateAt(address);
    if (state === leased) {
      const number = deliveries.numberOf(address);
      this.leases.add(deliveries.dueAt(address), number);
      if (deliveries.isHeld(address)) this.holdings.add(deliveries.ownerAt(address), number);
    } else if (state === delayed)
      this.delays.add(deliveries.dueAt(address), deliveries.numberOf(address));
  }

  #enter(queue: Queue, state: number, task: number, number: number): void {
    const priority = this.tasks.priorityOf(task);
    queue.counts[state] = queue.count(state) + 1;
    if (this.#loading) queue.load(state, priority, number);
    else queue.enter(state, priority, number);
    if (state === waiting || state === delayed) {
      const expiry = this.tasks.expiresAtMs(task);
      if (expiry !== 0) this.expiries.add(expiry, number);
    }
    if (queue.gone) return;
    this.#totals[state] = (this.#totals[state] as number) + 1;
    if (state === waiting && !queue.paused && !this.#loading) this.onReady?.(queue.name);
  }

  #leave(queue: Queue, state: number, task: number): void {
    queue.counts[state] = queue.count(state) - 1;
    queue.leave(state, this.tasks.priorityOf(task));
    if (!queue.gone) this.#totals[state] = (this.#totals[state] as number) - 1;
  }

  /** A queue that is gone is forgotten with its last task. */
  #maybeForget(queue: Queue): void {
    if (!queue.gone || !queue.isEmpty) return;
    this.#byNumber.delete(queue.number);
    this.gone.delete(queue);
  }
}

function isName(name: Buffer, source: Buffer, start: number, bytes: number): boolean {
  if (name.length !== bytes) return false;
  for (let i = 0; i < bytes; i++) if (name[i] !== source[start + i]) return false;
  return true;
}
