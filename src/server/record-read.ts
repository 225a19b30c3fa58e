/** Reading a record where it lies: on one node what is applied is all that was acknowledged, so the state itself is the linearizable answer. */
import type { Records } from "../machines/records/records.ts";
import type { Call } from "./call.ts";
import type { Failure } from "./failure.ts";
import type { ServerContext } from "./server-context.ts";

/** `address` 0 = there is no such record. Good until the state changes. */
export interface FoundRecord {
  readonly failure: undefined;
  readonly records: Records;
  readonly address: number;
}

export type RecordLookup = FoundRecord | { readonly failure: Failure };

export function findRecord(call: Call, index: number, context: ServerContext): RecordLookup {
  return findRecordAt(call.buffer, { start: call.start(index), end: call.end(index) }, context);
}

export function findRecordAt(
  source: Buffer,
  at: { start: number; end: number },
  context: ServerContext,
): RecordLookup {
  const { key, node } = context;
  const failed = key.parse(source, at.start, at.end);
  if (failed !== undefined) return { failure: failed };
  const { records } = node.partitionOf(key.slot).stack;
  return { failure: undefined, records, address: records.find(key.buffer, 0, key.bytes) };
}
