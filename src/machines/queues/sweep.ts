/** What takes many rows away, or changes them, in slices: purge, revive, and the tasks of queues that are gone. */
import { must } from "../../base/assert.ts";
import { limits } from "../../base/limits.ts";
import type { Moment } from "../machine.ts";
import type { OperationReader } from "../operation.ts";
import type { CountOutcome, ErrorOutcome } from "../outcome.ts";
import { dead, delayed } from "./delivery-row.ts";
import { isMissingDefault, nameText, noQueue, readName } from "./queue-admin.ts";
import type { QueueTables } from "./queue-tables.ts";
import type { Queue } from "./queue.ts";

const none: CountOutcome = { kind: "count", count: 0 };

/**
 * Body: name, u8 1 for the dead, f64 number of the last task that may go, 0 = any up to this operation. At most `limits.sweepMaxRows` go: those that wait, in the order in which
 * they would be handed out, then those that are delayed, by number; or the dead, by number.
 */
export function purgeTasks(
  tables: QueueTables,
  operation: OperationReader,
  moment: Moment,
): CountOutcome | ErrorOutcome {
  const name = readName(operation);
  const queue = tables.find(name.source, name.start, name.bytes);
  if (queue === undefined) return isMissingDefault(tables, name) ? none : noQueue(nameText(name));
  const ofDead = operation.u8() === 1;
  const upTo = operation.f64() || moment.number;
  const numbers: number[] = [];
  const collect = (number: number): boolean => {
    if (number > upTo || numbers.length === limits.sweepMaxRows) return false;
    numbers.push(number);
    return true;
  };
  if (!ofDead) queue.walkWaiting(upTo, collect);
  queue.walk(ofDead ? dead : delayed, 0, collect);
  for (const number of numbers) tables.removeTask(number, tables.tasks.find(number));
  return { kind: "count", count: numbers.length };
}

/** Body: name, f64 the task or 0 for all, f64 number of the last task, as of a purge. Revived tasks are not held back by the greatest size: whoever revives them wants them all. */
export function reviveTasks(
  tables: QueueTables,
  operation: OperationReader,
  moment: Moment,
): CountOutcome | ErrorOutcome {
  const name = readName(operation);
  const queue = tables.find(name.source, name.start, name.bytes);
  if (queue === undefined) return isMissingDefault(tables, name) ? none : noQueue(nameText(name));
  const one = operation.f64();
  const upTo = one || operation.f64() || moment.number;
  const numbers: number[] = [];
  queue.walk(dead, one === 0 ? 0 : one - 1, (number) => {
    if (number > upTo || numbers.length === limits.sweepMaxRows) return false;
    numbers.push(number);
    return true;
  });
  for (const number of numbers) tables.deliveries.putWaiting(number, 0);
  return { kind: "count", count: numbers.length };
}

/** Drops the tasks of queues that are gone: of the oldest such queue, the lowest number first. */
export class GoneTasks {
  readonly #tables: QueueTables;
  /** Tasks of the queue in hand, the lowest last. */
  #numbers: number[] = [];
  #queue: Queue | undefined;

  constructor(tables: QueueTables) {
    this.#tables = tables;
  }

  /** Up to `maxRows`; returns how many. */
  drop(maxRows: number): number {
    const tables = this.#tables;
    let rows = 0;
    while (rows < maxRows && tables.gone.size > 0) {
      const queue = oldest(tables.gone);
      if (this.#queue !== queue || this.#numbers.length === 0) {
        this.#queue = queue;
        this.#numbers = this.#tasksOf(queue);
      }
      const number = must(this.#numbers.pop(), "a queue has tasks in no list");
      const task = tables.tasks.find(number);
      // It may have gone since: its lease ended, or it expired.
      if (task === 0 || tables.queueOf(task) !== queue) continue;
      tables.removeTask(number, task);
      rows++;
    }
    if (tables.gone.size === 0) {
      this.#queue = undefined;
      this.#numbers = [];
    }
    return rows;
  }

  #tasksOf(queue: Queue): number[] {
    const tables = this.#tables;
    const numbers: number[] = [];
    const collect = (number: number): boolean => {
      numbers.push(number);
      return true;
    };
    queue.walkWaiting(Infinity, collect);
    queue.walk(delayed, 0, collect);
    queue.walk(dead, 0, collect);
    tables.leases.each((number) => {
      const task = tables.tasks.find(number);
      if (task !== 0 && tables.queueOf(task) === queue) numbers.push(number);
    });
    return numbers.sort((a, b) => b - a);
  }
}

function oldest(queues: ReadonlySet<Queue>): Queue {
  let found: Queue | undefined;
  for (const queue of queues) if (found === undefined || queue.number < found.number) found = queue;
  return must(found);
}
