/**
 * How long a checkpoint holds the event loop: a million records of 128 bytes are written to runs in this process, while Node's own histogram measures how
 * late its loop is. First the same without a checkpoint, for what the machine does by itself; then all records anew; then after a tenth of them changed.
 *
 *     node --import tsx bench/checkpoint-delay.ts [--records 1000000] [--dir DIR]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { must } from "../src/base/assert.ts";
import { silentLogger } from "../src/base/logger.ts";
import { NodeFileSystem } from "../src/base/node-file-system.ts";
import { NodeNetwork } from "../src/base/node-network.ts";
import { SystemClock } from "../src/base/system-clock.ts";
import { SystemRandom } from "../src/base/system-random.ts";
import { operationCodes } from "../src/machines/operation.ts";
import { encodeRecordSet, plainSet } from "../src/machines/records/records.ts";
import { Node } from "../src/node/node.ts";

const valueBytes = 128;
const targetMs = 20;
const operationsPerTurn = 10_000;

/** Sets the records `from` up to `to`, and waits for all of them. */
async function setRecords(node: Node, from: number, to: number): Promise<void> {
  const value = Buffer.alloc(valueBytes, from & 0xff);
  const key = { buffer: Buffer.from("00000000000040008000000000000000", "hex"), bytes: 16 };
  for (let start = from; start < to; start += operationsPerTurn) {
    const end = Math.min(to, start + operationsPerTurn);
    await new Promise<void>((resolve) => {
      let left = end - start;
      const sink = { settle: () => void (--left === 0 && resolve()) };
      for (let i = start; i < end; i++) {
        key.buffer.writeUInt32LE(i, 12);
        const partition = must(node.partitions[i % node.partitions.length]);
        const writer = partition.open();
        writer.begin(operationCodes.recordSet, undefined);
        encodeRecordSet(writer, key, plainSet, { source: value, start: 0, end: valueBytes });
        writer.end();
        partition.enqueue(sink, 0);
      }
    });
  }
}

function ms(nanoseconds: number): string {
  return (nanoseconds / 1e6).toFixed(2);
}

/** The longest delay in milliseconds. */
async function measure(name: string, work: () => Promise<void>): Promise<number> {
  globalThis.gc?.();
  await sleep(500);
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  const start = performance.now();
  histogram.enable();
  await work();
  // So that a delay at the very end is seen.
  await sleep(5);
  histogram.disable();
  console.log(
    `${name}: ${(performance.now() - start).toFixed(0)} ms, delay p50 ${ms(histogram.percentile(50))} p99 ${ms(histogram.percentile(99))} ` +
      `p99.9 ${ms(histogram.percentile(99.9))} max ${ms(histogram.max)} ms`,
  );
  return histogram.max / 1e6;
}

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "1000000" },
    dir: { type: "string", default: tmpdir() },
  },
});
const records = Number(values.records);
const root = mkdtempSync(join(values.dir, "truba-checkpoint-delay-"));
try {
  const node = await Node.open(
    {
      clock: new SystemClock(),
      random: new SystemRandom(),
      files: new NodeFileSystem(),
      network: new NodeNetwork(),
      logger: silentLogger,
    },
    // One segment holds all, so that no checkpoint begins by itself.
    { dataDirectory: join(root, "data"), walSegmentBytes: 536_870_912 },
  );
  const checkpoint = async (): Promise<void> => {
    if (!(await node.checkpoint())) throw new Error("the checkpoint failed");
  };
  await setRecords(node, 0, records);
  await measure("idle", () => sleep(2_000).then(() => {}));
  const whole = await measure(`checkpoint of ${records} records`, checkpoint);
  await setRecords(node, 0, records / 10);
  const part = await measure(`checkpoint of ${records / 10} changed records`, checkpoint);
  const longest = Math.max(whole, part);
  console.log(
    `longest ${longest.toFixed(2)} ms, target <= ${targetMs} ms: ${longest <= targetMs ? "met" : "missed"}`,
  );
  await node.drain();
  await node.stop();
} finally {
  rmSync(root, { recursive: true });
}
