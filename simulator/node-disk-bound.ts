/**
 * P8: what a node takes on the disk follows from what lives, not from how long it has run: one record that is never touched again, beside others that
 * are overwritten without end. All files count, at every step, also while a merge writes its result.
 *
 *     node --import tsx simulator/node-disk-bound.ts --overwrites 10000000
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { must } from "../src/base/assert.ts";
import { silentLogger } from "../src/base/logger.ts";
import { SeededRandom } from "../src/base/seeded-random.ts";
import { Node } from "../src/node/node.ts";
import { encodeOperation } from "./node-operations.ts";
import { SimulatedClock } from "./simulated-clock.ts";
import { SimulatedFileSystem } from "./simulated-file-system.ts";
import { SimulatedNetwork } from "./simulated-network.ts";

export interface DiskBound {
  readonly overwrites: number;
  /** Bytes of the records that live, as a run holds them. */
  readonly liveBytes: number;
  /** The most bytes that all files together had. */
  readonly diskMaxBytes: number;
  /** The most that they had above 3 × live bytes: the constant. */
  readonly constantBytes: number;
  readonly checkpoints: number;
}

const segmentBytes = 1_048_576;
const keys = 2_000;
const valueBytes = 128;
const batchOperations = 100;
const sink = { settle(): void {} };

function keyOf(number: number): string {
  return `00000000000040008000${number.toString(16).padStart(12, "0")}`;
}

export async function diskBound(overwrites: number): Promise<DiskBound> {
  const clock = new SimulatedClock();
  const random = new SeededRandom(5);
  const files = new SimulatedFileSystem({ clock, directories: ["/data"] });
  const network = new SimulatedNetwork({ clock, random });
  const node = await clock.drive(
    Node.open(
      { clock, random, files, network, logger: silentLogger },
      { dataDirectory: "/data", partitions: 1, walSegmentBytes: segmentBytes },
    ),
  );
  const partition = must(node.partitions[0]);
  const write = (key: number): void => {
    const value = Buffer.alloc(valueBytes, random.u32() & 0xff);
    const operation = { kind: "set", key: keyOf(key), value, condition: "none" } as const;
    encodeOperation(partition.open(), { ...operation, version: 0, expiryMs: 0 }, undefined);
    partition.enqueue(sink, 0);
  };
  write(0);
  await clock.settle();
  let diskMaxBytes = 0;
  let constantBytes = 0;
  let checkpoints = 0;
  let position = 0;
  const { capacityBytes } = files;
  files.onOperation = ({ kind }) => {
    if (kind !== "unlink" && kind !== "create" && kind !== "rename") return;
    const used = capacityBytes - files.freeBytesSync("/data");
    diskMaxBytes = Math.max(diskMaxBytes, used);
    constantBytes = Math.max(constantBytes, used - 3 * partition.state.liveBytes);
  };
  for (let done = 0; done < overwrites; done += batchOperations) {
    for (let i = 0; i < batchOperations; i++) write(1 + (random.u32() % keys));
    await clock.advanceSettled(1);
    if (partition.checkpointer.position === position) continue;
    checkpoints++;
    position = partition.checkpointer.position;
  }
  const { liveBytes } = partition.state;
  await clock.drive(node.drain().then(() => node.stop()));
  return { overwrites, liveBytes, diskMaxBytes, constantBytes, checkpoints };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(2)} MiB`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { overwrites: { type: "string", default: "1000000" } } });
  const bound = await diskBound(Number(values.overwrites));
  console.log(
    `${bound.overwrites} overwrites, ${bound.checkpoints} checkpoints: live ${megabytes(bound.liveBytes)}, ` +
      `at most ${megabytes(bound.diskMaxBytes)} on disk = 3 × live + ${megabytes(bound.constantBytes)} (segments of ${megabytes(segmentBytes)})`,
  );
}
