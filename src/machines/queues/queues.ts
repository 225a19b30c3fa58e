/**
 * The queues machine (DESIGN: queues): tasks with payloads in named queues, handed out in the order of priority and, within a priority, of their numbers, that is in the order in
 * which they were pushed; for the time of a lease, after which they are at their old place again. Its tables are drawn in `queue-row.ts`, `task-row.ts`, `delivery-row.ts` and
 * `dedup-rows.ts`; what lies beside them in memory is in `queue-tables.ts`.
 *
 * What a deadline means does not depend on when it is handled, with one exception that hides it: a task that has expired is not handed out, whether its row is there still or not.
 * A lease holds until the `due` operation that ends it.
 */
import { limits } from "../../base/limits.ts";
import type { RequestOf, ResponseOf } from "../../protocol/requests.ts";
import type { State } from "../../state/state.ts";
import type { Machine, Moment } from "../machine.ts";
import { type OperationReader, operationCodes } from "../operation.ts";
import type { Holder, Owner } from "../owner.ts";
import type { Outcome } from "../outcome.ts";
import { waiting } from "./delivery-row.ts";
import { giveBack, plainGiveBack } from "./give-back.ts";
import { popTasks } from "./hand-out.ts";
import { pushTask } from "./push.ts";
import { alterQueue, createQueue, deleteQueue, pauseQueue } from "./queue-admin.ts";
import { QueueReader, type QueueReadVerb } from "./queue-read.ts";
import { type QueueTotals, QueueTables } from "./queue-tables.ts";
import { settleTasks } from "./settle.ts";
import { GoneTasks, purgeTasks, reviveTasks } from "./sweep.ts";

export class Queues implements Machine, Holder {
  readonly codes = [
    operationCodes.queueCreate,
    operationCodes.queueAlter,
    operationCodes.queueDelete,
    operationCodes.queuePause,
    operationCodes.queuePurge,
    operationCodes.queueRevive,
    operationCodes.queuePush,
    operationCodes.queuePop,
    operationCodes.queueAck,
    operationCodes.queueNack,
    operationCodes.queueExtend,
    operationCodes.queueCheck,
  ];
  readonly #moment: Moment;
  readonly #tables: QueueTables;
  readonly #gone: GoneTasks;
  readonly #reader: QueueReader;

  constructor(state: State, moment: Moment) {
    this.#moment = moment;
    this.#tables = new QueueTables(state);
    this.#gone = new GoneTasks(this.#tables);
    this.#reader = new QueueReader(this.#tables);
  }

  /** Told while an operation is applied that a task of a queue can be handed out now; must only take a note. It may be told of what a failed group takes back again. */
  get onReady(): ((queue: string) => void) | undefined {
    return this.#tables.onReady;
  }

  set onReady(listener: ((queue: string) => void) | undefined) {
    this.#tables.onReady = listener;
  }

  /** Tasks that a pop would hand out now: 0 for a queue that is paused or not there. Those that have expired and not gone yet are among them. */
  readyCount(queue: string): number {
    const found = this.#tables.named(queue);
    return found === undefined || found.paused ? 0 : found.count(waiting);
  }

  has(queue: string): boolean {
    return this.#tables.named(queue) !== undefined;
  }

  /** Tasks of all queues, by state. */
  get totals(): QueueTotals {
    return this.#tables.totals;
  }

  /** Answers from the tables as they are. Throws TrubaError NOQUEUE, BADQUEUENAME, BADVALUE. */
  read<V extends QueueReadVerb>(verb: V, request: RequestOf<V>): ResponseOf<V> {
    return this.#reader.read(verb, request);
  }

  apply(operation: OperationReader, moment: Moment): Outcome {
    const tables = this.#tables;
    switch (operation.code) {
      case operationCodes.queuePush:
        return pushTask(tables, operation, moment);
      case operationCodes.queuePop:
        return popTasks(tables, operation, moment);
      case operationCodes.queueAck:
      case operationCodes.queueNack:
      case operationCodes.queueExtend:
      case operationCodes.queueCheck:
        return settleTasks(tables, operation, moment);
      case operationCodes.queueCreate:
        return createQueue(tables, operation, moment);
      case operationCodes.queueAlter:
        return alterQueue(tables, operation, moment);
      case operationCodes.queueDelete:
        return deleteQueue(tables, operation);
      case operationCodes.queuePause:
        return pauseQueue(tables, operation, moment);
      case operationCodes.queuePurge:
        return purgeTasks(tables, operation, moment);
      case operationCodes.queueRevive:
        return reviveTasks(tables, operation, moment);
      default:
        throw new Error(`the queues do not take operations of code ${operation.code}`);
    }
  }

  loaded(): void {
    this.#tables.loaded();
  }

  nextDue(): number {
    const { leases, delays, expiries, dedup, gone } = this.#tables;
    if (gone.size > 0) return this.#moment.timestamp;
    return Math.min(leases.next(), delays.next(), expiries.next(), dedup.nextDue());
  }

  /** Ends of leases first, then of delays, expiries, dedup ids; then what is left of queues that are gone. */
  handleDue(moment: Moment, maxRows: number): number {
    const tables = this.#tables;
    const { timestamp } = moment;
    let rows = 0;
    for (; rows < maxRows; rows++) {
      const number = tables.leases.due(timestamp);
      if (number === undefined) break;
      giveBack(tables, moment, number, plainGiveBack);
    }
    for (; rows < maxRows; rows++) {
      const number = tables.delays.due(timestamp);
      if (number === undefined) break;
      const delivery = tables.deliveries.find(number);
      tables.deliveries.putWaiting(number, tables.deliveries.deliveriesAt(delivery));
    }
    for (; rows < maxRows; rows++) {
      const number = tables.expiries.due(timestamp);
      if (number === undefined) break;
      tables.removeTask(number, tables.tasks.find(number));
    }
    rows += tables.dedup.forget(timestamp, maxRows - rows);
    return rows + this.#gone.drop(maxRows - rows);
  }

  release(owner: Owner, moment: Moment, maxRows: number): number {
    const numbers = this.#tables.holdings.of(owner, Math.min(maxRows, limits.sweepMaxRows));
    return this.#giveBackAll(numbers, moment);
  }

  releaseEarlier(node: number, run: number, moment: Moment, maxRows: number): number {
    const { holdings } = this.#tables;
    const numbers = holdings.ofEarlier(node, run, Math.min(maxRows, limits.sweepMaxRows));
    return this.#giveBackAll(numbers, moment);
  }

  #giveBackAll(numbers: readonly number[], moment: Moment): number {
    for (const number of numbers) giveBack(this.#tables, moment, number, plainGiveBack);
    return numbers.length;
  }
}
