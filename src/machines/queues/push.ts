/** A task is pushed. */
import { limits } from "../../base/limits.ts";
import type { Int64 } from "../../protocol/requests.ts";
import type { Moment } from "../machine.ts";
import type { OperationReader } from "../operation.ts";
import { type ErrorOutcome, type PushedOutcome, errorOutcome } from "../outcome.ts";
import { readInt64 } from "./int64.ts";
import { queueFor, readName } from "./queue-admin.ts";
import { refusedPriority } from "./queue-rules.ts";
import type { QueueTables } from "./queue-tables.ts";
import type { Queue } from "./queue.ts";

export const pushPriority = 1;
export const pushDelay = 2;
export const pushExpiry = 4;
export const pushDedup = 8;

/** Body: name, u8 flags as above, [i64 priority], [f64 delay ms], [f64 expiry ms], [u8 bytes of the dedup id, id], payload. */
export function pushTask(
  tables: QueueTables,
  operation: OperationReader,
  moment: Moment,
): PushedOutcome | ErrorOutcome {
  const name = readName(operation);
  const flags = operation.u8();
  const priority = (flags & pushPriority) === 0 ? 0 : readInt64(operation);
  const delayMs = (flags & pushDelay) === 0 ? 0 : operation.f64();
  const expiryMs = (flags & pushExpiry) === 0 ? 0 : operation.f64();
  const idBytes = (flags & pushDedup) === 0 ? 0 : operation.u8();
  const idStart = operation.skip(idBytes);
  const { buffer, at, end } = operation;
  const queue = queueFor(tables, moment, name);
  if ("kind" in queue) return queue;
  const { number, timestamp } = moment;
  if (idBytes > 0) {
    const task = tables.dedup.find(queue.number, buffer, idStart, idBytes, timestamp);
    if (task !== 0) return { kind: "pushed", task, duplicate: true };
  }
  const refused = refusal(queue, priority, end - at);
  if (refused !== undefined) return refused;
  if (idBytes > 0 && queue.rules.dedupMs > 0) {
    const id = { source: buffer, start: idStart, bytes: idBytes };
    tables.dedup.put(queue.number, id, number, timestamp + queue.rules.dedupMs);
  }
  if (delayMs > 0) tables.deliveries.putDelayed(number, 0, timestamp + delayMs);
  const expiresAtMs = expiryMs === 0 ? 0 : timestamp + expiryMs;
  tables.tasks.put(
    { number, queue: queue.number, priority, pushedAtMs: timestamp, expiresAtMs },
    buffer,
    at,
    end,
  );
  return { kind: "pushed", task: number, duplicate: false };
}

function refusal(queue: Queue, priority: Int64, payloadBytes: number): ErrorOutcome | undefined {
  const { rules, name } = queue;
  const maxPayloadBytes = rules.maxPayloadBytes ?? limits.valueMaxBytes;
  if (payloadBytes > maxPayloadBytes)
    return errorOutcome(
      "PAYLOADTOOLARGE",
      `payload is ${payloadBytes} bytes; queue "${name}" allows ${maxPayloadBytes}`,
    );
  const wrongPriority = refusedPriority(rules, priority);
  if (wrongPriority !== undefined)
    return errorOutcome(
      "PRIORITYOUTOFRANGE",
      `priority ${priority} does not go into queue "${name}": ${wrongPriority}`,
    );
  if (rules.maxSize === null || queue.size < rules.maxSize) return undefined;
  return errorOutcome(
    "QUEUEFULL",
    `queue "${name}" has ${queue.size} tasks; its greatest size is ${rules.maxSize}`,
  );
}
