/** Requests for queues and their answers, as JSON. */
import { z } from "zod";
import { limits } from "../../base/limits.ts";
import {
  bytes,
  choice,
  count,
  duration,
  flag,
  int64,
  leases,
  moment,
  object,
  queueName,
  text,
} from "./wire-fields.ts";

const queue = { queue: queueName } as const;

const maxSize = count({
  description: "tasks waiting, delayed and leased, at most",
  code: "BADMAXSIZE",
  max: limits.queueSizeMaxCount,
  example: 100_000,
});
const maxPayloadBytes = count({
  description: "bytes of one payload, at most",
  code: "BADMAXPAYLOAD",
  max: limits.valueMaxBytes,
  example: 65_536,
});
const leaseMs = count({
  description: "how long a task is lent out, in ms",
  min: limits.leaseMinMs,
  max: limits.leaseMaxMs,
  example: limits.leaseDefaultMs,
});
const maxDeliveries = count({
  description: "deliveries after which a task is dead; 0 = never",
  max: limits.deliveriesMaxCount,
  example: limits.deliveriesDefaultCount,
});
const deadLetter = text({
  description: "queue that dead tasks go to, on the same partition",
  code: "BADQUEUENAME",
  example: "emails.dead",
});
const dedupMs = duration("how long a dedup id is remembered", limits.dedupMaxMs);
const implementation = choice(["fifo", "priority", "range"], {
  description: "fifo, priority (any priorities) or range (an array over a priority range)",
  code: "BADIMPLEMENTATION",
});
const order = choice(["lowest", "highest"], { description: "which priority goes first" });
const priority = int64({ description: "priority of the task", example: 5 });
const priorityMin = int64({ description: "lowest priority that is taken", example: 0 });
const priorityMax = int64({ description: "highest priority that is taken", example: 9 });
const delayMs = duration("not handed out before", limits.delayMaxMs);
const state = choice(["waiting", "delayed", "leased", "dead"], {
  description: "state of the tasks",
});
const task = count({ description: "number of the task", example: 41 });
const lease = count({ description: "number of the delivery", example: 57 });
const deliveries = count({ description: "deliveries so far, this one included", example: 1 });
const payload = bytes("what the task carries");

const policies = {
  maxSize: maxSize.nullable().optional(),
  maxPayloadBytes: maxPayloadBytes.nullable().optional(),
  leaseMs: leaseMs.optional(),
  maxDeliveries: maxDeliveries.optional(),
  deadLetter: deadLetter.nullable().optional(),
  dedupMs: dedupMs.optional(),
} as const;

const numberOf = (what: string) => count({ description: what, example: 0 });

const counts = {
  waiting: numberOf("tasks that wait"),
  delayed: numberOf("tasks that are not due yet"),
  leased: numberOf("tasks that are lent out"),
  dead: numberOf("tasks that are dead"),
} as const;

const stats = object({
  queue: queueName,
  implementation,
  order,
  priorityMin: priorityMin.nullable(),
  priorityMax: priorityMax.nullable(),
  maxSize: maxSize.nullable(),
  maxPayloadBytes: maxPayloadBytes.nullable(),
  leaseMs,
  maxDeliveries,
  deadLetter: deadLetter.nullable(),
  dedupMs,
  paused: flag("hands out nothing"),
  createdAtMs: moment("when it was made"),
  ...counts,
  payloadBytes: numberOf("payloads of all its tasks"),
  nextPushedAtMs: moment("when the task that goes next was pushed, or 0"),
});

const settled = {
  settled: count({ description: "leases that held", example: 1 }),
  lost: z.array(task).meta({ description: "tasks whose lease did not hold" }),
} as const;

const changed = object({ changed: flag("whether it was otherwise before") });
const counted = object({ count: numberOf("tasks") });
const takeCount = count({
  description: "at most so many",
  min: 1,
  max: limits.takeMaxCount,
  example: 1,
});

export const queueSchemas = {
  "queue.create": {
    request: object({
      ...queue,
      implementation: implementation.optional(),
      order: order.optional(),
      priorityMin: priorityMin.optional(),
      priorityMax: priorityMax.optional(),
      ...policies,
      ifAbsent: flag("a queue of the same type that is there stays as it is").optional(),
    }),
    response: object({ created: flag("false: it was there") }),
  },
  "queue.alter": {
    request: object({ ...queue, ...policies }),
    response: object({ altered: flag("done") }),
  },
  "queue.delete": {
    request: object(queue),
    response: object({ deleted: flag("false: there was none") }),
  },
  "queue.push": {
    request: object({
      ...queue,
      payload,
      priority: priority.optional(),
      delayMs: delayMs.optional(),
      expiryMs: duration("dropped if nobody holds it then", limits.delayMaxMs).optional(),
      dedup: text({
        description: "a second push with the same id within the window does nothing",
        example: "order-7",
      }).optional(),
    }),
    response: object({ task, duplicate: flag("whether the dedup id was known") }),
  },
  "queue.pop": {
    request: object({
      ...queue,
      count: takeCount.optional(),
      leaseMs: leaseMs.optional(),
      waitMs: duration("how long to wait for the first task", limits.waitMaxMs).optional(),
    }),
    response: object({
      tasks: z.array(
        object({
          task,
          lease,
          priority,
          deliveries,
          pushedAtMs: moment("when it was pushed"),
          leaseEndsAtMs: moment("when the lease ends"),
          payload,
        }),
      ),
    }),
  },
  "queue.ack": { request: object({ ...queue, leases }), response: object(settled) },
  "queue.nack": {
    request: object({
      ...queue,
      leases,
      delayMs: delayMs.optional(),
      uncounted: flag("the delivery does not count").optional(),
    }),
    response: object(settled),
  },
  "queue.extend": {
    request: object({ ...queue, leases, leaseMs: leaseMs.optional() }),
    response: object({ ...settled, leaseEndsAtMs: moment("when the leases end") }),
  },
  "queue.check": { request: object({ ...queue, leases }), response: object(settled) },
  "queue.peek": {
    request: object({
      ...queue,
      count: count({ description: "at most so many", min: 1, max: limits.listMaxCount }).optional(),
      state: state.optional(),
      after: count({ description: "by task: those behind this one" }).optional(),
    }),
    response: object({
      tasks: z.array(
        object({
          task,
          state,
          priority,
          deliveries,
          pushedAtMs: moment("when it was pushed"),
          dueAtMs: moment("when its delay or lease ends, or 0"),
          expiresAtMs: moment("when it expires, or 0"),
          payload,
        }),
      ),
    }),
  },
  "queue.count": { request: object(queue), response: object(counts) },
  "queue.stats": { request: object(queue), response: stats },
  "queue.list": {
    request: object({
      after: text({ description: "names behind this one" }).optional(),
      count: count({ description: "at most so many", min: 1, max: limits.listMaxCount }).optional(),
    }),
    response: object({ queues: z.array(stats) }),
  },
  "queue.purge": {
    request: object({
      ...queue,
      state: choice(["waiting", "dead"], {
        description: "waiting (delayed ones too) or dead",
      }).optional(),
    }),
    response: counted,
  },
  "queue.pause": { request: object(queue), response: changed },
  "queue.resume": { request: object(queue), response: changed },
  "queue.revive": { request: object({ ...queue, task: task.optional() }), response: counted },
} as const;
