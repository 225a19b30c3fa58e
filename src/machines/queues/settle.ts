/** Deliveries are acknowledged, given back, extended or checked, each by its task and lease. */
import { must } from "../../base/assert.ts";
import type { Moment } from "../machine.ts";
import { type OperationReader, operationCodes } from "../operation.ts";
import { type ErrorOutcome, type SettledOutcome, errorOutcome } from "../outcome.ts";
import { leased } from "./delivery-row.ts";
import { type GiveBackOptions, giveBack, plainGiveBack } from "./give-back.ts";
import { isMissingDefault, nameText, noQueue, readName } from "./queue-admin.ts";
import type { QueueTables } from "./queue-tables.ts";

/**
 * Body: name, then
 *
 *     nack      u8 1 if the delivery does not count, f64 delay ms
 *     extend    f64 lease ms, 0 = that of the queue
 *     all       u16 count, so many times f64 task and f64 lease
 */
export function settleTasks(
  tables: QueueTables,
  operation: OperationReader,
  moment: Moment,
): SettledOutcome | ErrorOutcome {
  const { code } = operation;
  const name = readName(operation);
  const queue = tables.find(name.source, name.start, name.bytes);
  if (queue === undefined && !isMissingDefault(tables, name)) return noQueue(nameText(name));
  const options = code === operationCodes.queueNack ? readNack(operation) : plainGiveBack;
  const leaseMs = code === operationCodes.queueExtend ? operation.f64() : 0;
  const leaseEndsAtMs =
    code === operationCodes.queueExtend && queue !== undefined
      ? moment.timestamp + (leaseMs === 0 ? queue.rules.leaseMs : leaseMs)
      : 0;
  const count = operation.u16();
  const lost: number[] = [];
  for (let i = 0; i < count; i++) {
    const number = operation.f64();
    const lease = operation.f64();
    const delivery = queue === undefined ? 0 : heldDelivery(tables, queue.number, number, lease);
    if (delivery === 0) lost.push(number);
    else if (code === operationCodes.queueAck) tables.removeTask(number, tables.tasks.find(number));
    else if (code === operationCodes.queueNack) giveBack(tables, moment, number, options);
    else if (code === operationCodes.queueExtend)
      tables.deliveries.putExtended(delivery, leaseEndsAtMs);
  }
  if (count === 1 && lost.length === 1)
    return errorOutcome("LEASELOST", `the lease of task ${must(lost[0])} does not hold`);
  return { kind: "settled", settled: count - lost.length, lost, leaseEndsAtMs };
}

function readNack(operation: OperationReader): GiveBackOptions {
  const uncounted = operation.u8() === 1;
  return { uncounted, delayMs: operation.f64() };
}

/** The delivery row of a task of the queue that is leased by this lease, or 0. */
function heldDelivery(tables: QueueTables, queue: number, number: number, lease: number): number {
  const { deliveries, tasks } = tables;
  const delivery = deliveries.find(number);
  if (delivery === 0 || deliveries.stateAt(delivery) !== leased) return 0;
  if (deliveries.leaseAt(delivery) !== lease) return 0;
  return tasks.queueOf(tasks.find(number)) === queue ? delivery : 0;
}
