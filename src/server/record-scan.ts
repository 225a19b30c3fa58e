/**
 * Keys of records over all partitions, some at a time. The cursor is partition × 2^32 + a hash within it (state/row-index.ts): a record that is there from the first call to
 * the last is visited exactly once, whatever happens to others meanwhile. Cursors do not outlive a restart.
 */
import { recordKeyText } from "../machines/records/record-key.ts";
import type { Partition } from "../partition/partition.ts";

const hashes = 2 ** 32;

/** Whether there can be such a cursor. */
export function isCursor(cursor: number, partitions: readonly Partition[]): boolean {
  return Number.isSafeInteger(cursor) && cursor >= 0 && cursor < partitions.length * hashes;
}

/** Visits about `count` keys from the cursor on; returns the next cursor, 0 at the end. */
export function scanRecords(
  partitions: readonly Partition[],
  from: { readonly cursor: number; readonly count: number },
  visit: (key: string) => void,
): number {
  let partition = Math.floor(from.cursor / hashes);
  let hash = from.cursor % hashes;
  let left = from.count;
  for (; partition < partitions.length; partition++, hash = 0) {
    const records = partitions[partition]?.stack.records;
    if (records === undefined) break;
    const next = records.scan(hash, left, (address) => {
      left--;
      visit(
        recordKeyText(
          records.buffer(address),
          records.keyStart(address),
          records.keyBytes(address),
        ),
      );
    });
    if (next !== 0) return partition * hashes + next;
    if (left <= 0 && partition + 1 < partitions.length) return (partition + 1) * hashes;
  }
  return 0;
}
