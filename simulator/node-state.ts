/** What a partition holds, beside what the model says that it must hold. */
import type { Node } from "../src/node/node.ts";
import type { Partition } from "../src/partition/partition.ts";
import type { ModelRecord, PartitionModel } from "./node-model.ts";

/** The node is not as it must be. */
export class SimulationError extends Error {
  override readonly name = "SimulationError";
}

/** Throws unless the state of the partition is the model's. */
export function compareState(partition: Partition, model: PartitionModel): void {
  const { state, stack } = partition;
  const facts = [
    ["number", partition.number, model.number],
    ["log time", partition.timestamp, model.timestamp],
    ["rows", state.rows, model.rows],
    ["horizon", stack.once.horizon, model.horizon],
  ] as const;
  for (const [name, found, expected] of facts) {
    if (found === expected) continue;
    throw new SimulationError(
      `P5: partition ${partition.id} has ${name} ${found}; the model has ${expected}`,
    );
  }
  const expected = model.visible();
  for (const [key, found] of recordsOf(partition)) {
    const record = expected.get(key);
    expected.delete(key);
    const wanted = record === undefined ? "no record" : describeRecord(record);
    if (describeRecord(found) === wanted) continue;
    throw new SimulationError(
      `record ${key} of partition ${partition.id} is ${describeRecord(found).slice(0, 80)}; the model has ${wanted.slice(0, 80)}`,
    );
  }
  if (expected.size > 0) {
    throw new SimulationError(
      `P1: partition ${partition.id} has no record ${[...expected.keys()].join(", ")}`,
    );
  }
}

/** Number and digest of every partition. */
export function digestsOf({ partitions }: Node): string {
  return partitions.map(({ number, state }) => `${number}:${state.digest}`).join(" ");
}

function describeRecord({ version, expiry, value }: ModelRecord): string {
  return `version ${version}, expiry ${expiry}, ${value.length} bytes ${value.toString("latin1")}`;
}

/** All records that the partition shows, by the hexadecimal key of their row. */
export function recordsOf(partition: Partition): Map<string, ModelRecord> {
  const { records } = partition.stack;
  const found = new Map<string, ModelRecord>();
  let cursor = 0;
  do {
    cursor = records.scan(cursor, 1_000, (address) => {
      const buffer = records.buffer(address);
      const keyStart = records.keyStart(address);
      const key = buffer.toString("hex", keyStart, keyStart + records.keyBytes(address));
      const value = Buffer.from(
        buffer.subarray(records.valueStart(address), records.valueEnd(address)),
      );
      found.set(key, {
        version: records.version(address),
        expiry: records.expiresAt(address),
        value,
      });
    });
  } while (cursor !== 0);
  return found;
}
