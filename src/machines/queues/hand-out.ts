/** Tasks are handed out. */
import { limits } from "../../base/limits.ts";
import type { DeliveredTask } from "../../protocol/requests.ts";
import type { Moment } from "../machine.ts";
import type { OperationReader } from "../operation.ts";
import { type Owner, readOwner } from "../owner.ts";
import type { ErrorOutcome, TasksOutcome } from "../outcome.ts";
import { queueFor, readName } from "./queue-admin.ts";
import type { QueueTables } from "./queue-tables.ts";
import type { Queue } from "./queue.ts";

interface Lending {
  readonly lease: number;
  readonly leaseEndsAtMs: number;
  readonly owner: Owner;
}

/** Body: name, u16 count, f64 lease ms (0 = that of the queue), owner. */
export function popTasks(
  tables: QueueTables,
  operation: OperationReader,
  moment: Moment,
): TasksOutcome | ErrorOutcome {
  const queue = queueFor(tables, moment, readName(operation));
  if ("kind" in queue) return queue;
  const count = operation.u16();
  const leaseMs = operation.f64();
  const owner = readOwner(operation);
  const tasks: DeliveredTask[] = [];
  if (queue.paused) return { kind: "tasks", tasks };
  const lending = {
    lease: moment.number,
    leaseEndsAtMs: moment.timestamp + (leaseMs === 0 ? queue.rules.leaseMs : leaseMs),
    owner,
  };
  let bytes = 0;
  let expired = 0;
  while (tasks.length < count && expired < limits.sweepMaxRows) {
    const number = queue.order.first();
    if (number === 0) break;
    const task = tables.tasks.find(number);
    const expiry = tables.tasks.expiresAtMs(task);
    if (expiry !== 0 && expiry <= moment.timestamp) {
      tables.removeTask(number, task);
      expired++;
      continue;
    }
    bytes += tables.tasks.payloadBytes(task);
    if (tasks.length > 0 && bytes > limits.takeMaxBytes) break;
    tasks.push(lend(tables, queue, number, task, lending));
  }
  return { kind: "tasks", tasks };
}

function lend(
  tables: QueueTables,
  queue: Queue,
  number: number,
  task: number,
  { lease, leaseEndsAtMs, owner }: Lending,
): DeliveredTask {
  const deliveries = tables.deliveries.deliveriesAt(tables.deliveries.find(number)) + 1;
  queue.order.dropFirst();
  tables.deliveries.putLeased(number, deliveries, leaseEndsAtMs, lease, owner);
  return {
    task: number,
    lease,
    priority: tables.tasks.priorityOf(task),
    deliveries,
    pushedAtMs: tables.tasks.pushedAtMs(task),
    leaseEndsAtMs,
    payload: tables.tasks.payload(task),
  };
}
