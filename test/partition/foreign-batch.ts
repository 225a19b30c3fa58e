/** Batches that another writer, or nobody sane, has put into the log. */
import { OperationWriter, operationCodes } from "../../src/machines/operation.ts";
import { batchHeaderBytes, writeBatchHeader } from "../../src/partition/batch.ts";
import { keyOf } from "./partition-world.ts";

export function foreignBatch(
  header: { writer: number; sequence: number; timestamp?: number },
  write: (writer: OperationWriter) => void,
  count = 1,
): Buffer {
  const writer = new OperationWriter();
  writer.reserve(batchHeaderBytes);
  write(writer);
  const batch = writer.take();
  writeBatchHeader(batch, { timestamp: 0, ...header, seed: 0 }, count);
  return batch;
}

/** A deletion of key 5. */
export function writeDelete(writer: OperationWriter): void {
  writer.begin(operationCodes.recordDelete, undefined);
  writer.u8(0);
  writer.u8(16);
  writer.bytesOf(Buffer.from(keyOf(5), "hex"), 0, 16);
  writer.end();
}

/** What the leader found at operation `number`. */
export function digestBatch(sequence: number, number: number, digest: number): Buffer {
  return foreignBatch({ writer: 9, sequence }, (writer) => {
    writer.begin(operationCodes.digest, undefined);
    writer.f64(number);
    writer.f64(digest);
    writer.end();
  });
}
