/** The end of a delivery that was not acknowledged: the task waits again at its old place, is delayed, has expired, or is dead. */
import { assert } from "../../base/assert.ts";
import type { Moment } from "../machine.ts";
import { makeQueue } from "./queue-admin.ts";
import { defaultRules, fittedPriority } from "./queue-rules.ts";
import type { QueueTables } from "./queue-tables.ts";
import type { Queue } from "./queue.ts";

export interface GiveBackOptions {
  readonly delayMs: number;
  /** The delivery does not count. */
  readonly uncounted: boolean;
}

export const plainGiveBack: GiveBackOptions = { delayMs: 0, uncounted: false };

/** Ends the delivery of a task that is leased. */
export function giveBack(
  tables: QueueTables,
  moment: Moment,
  number: number,
  options: GiveBackOptions,
): void {
  const task = tables.tasks.find(number);
  assert(task !== 0, "a leased task has no row");
  const queue = tables.queueOf(task);
  if (queue.gone) {
    tables.removeTask(number, task);
    return;
  }
  const counted = tables.deliveries.deliveriesAt(tables.deliveries.find(number));
  const deliveries = options.uncounted ? Math.max(0, counted - 1) : counted;
  const { maxDeliveries } = queue.rules;
  const expiry = tables.tasks.expiresAtMs(task);
  if (maxDeliveries > 0 && deliveries >= maxDeliveries)
    bury(tables, moment, { number, task, queue, deliveries });
  else if (expiry !== 0 && expiry <= moment.timestamp) tables.removeTask(number, task);
  else if (options.delayMs > 0)
    tables.deliveries.putDelayed(number, deliveries, moment.timestamp + options.delayMs);
  else tables.deliveries.putWaiting(number, deliveries);
}

/**
 * A task has used up its deliveries. It goes to the dead-letter queue, whatever the size of that, with its number, so that it can be recognized, and starts anew there. Without one,
 * or if none can be made, it stays as dead. Either way it does not expire any more: a dead task is never lost.
 */
function bury(
  tables: QueueTables,
  moment: Moment,
  dead: {
    readonly number: number;
    readonly task: number;
    readonly queue: Queue;
    readonly deliveries: number;
  },
): void {
  const { number, task, queue, deliveries } = dead;
  const name = queue.rules.deadLetter;
  const grave =
    name === null
      ? undefined
      : (tables.named(name) ?? makeQueue(tables, moment, name, defaultRules));
  const priority = tables.tasks.priorityOf(task);
  const pushedAtMs = tables.tasks.pushedAtMs(task);
  const expires = tables.tasks.expiresAtMs(task) !== 0;
  if (grave === undefined) {
    if (expires) {
      const payload = tables.tasks.payload(task);
      const row = { number, queue: queue.number, priority, pushedAtMs, expiresAtMs: 0 };
      tables.tasks.put(row, payload, 0, payload.length);
    }
    tables.deliveries.putDead(number, deliveries);
    return;
  }
  const payload = tables.tasks.payload(task);
  tables.removeTask(number, task);
  tables.tasks.put(
    {
      number,
      queue: grave.number,
      priority: fittedPriority(grave.rules, priority),
      pushedAtMs,
      expiresAtMs: 0,
    },
    payload,
    0,
    payload.length,
  );
}
