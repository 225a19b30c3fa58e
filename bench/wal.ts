/**
 * The log's own cost: batches of n records through the log, and the same number of bytes by a bare write + fdatasync into a file of
 * zeros, on the same disk, in turns, so that both see the same weather.
 *
 *     node --import tsx bench/wal.ts [directory]      default: a temporary directory
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../src/base/logger.ts";
import { NodeFileSystem } from "../src/base/node-file-system.ts";
import { SystemClock } from "../src/base/system-clock.ts";
import { Wal } from "../src/wal/wal.ts";

const root = mkdtempSync(join(process.argv[2] ?? tmpdir(), "truba-bench-wal-"));
const rounds = 8;
const batchesPerRound = 400;
const rawBytes = 64 * 1_048_576;

/** Bare writes of `bytes` each, one after the other, each synced, into a file that is already there. */
class RawFile {
  readonly #descriptor = openSync(join(root, "raw"), "w+");
  #position = 0;

  constructor() {
    const zeros = Buffer.alloc(1_048_576);
    for (let at = 0; at < rawBytes; at += zeros.length)
      writeSync(this.#descriptor, zeros, 0, zeros.length, at);
    fdatasyncSync(this.#descriptor);
  }

  run(bytes: number, count: number): number {
    const buffer = Buffer.alloc(bytes, 7);
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      if (this.#position + bytes > rawBytes) this.#position = 0;
      writeSync(this.#descriptor, buffer, 0, bytes, this.#position);
      fdatasyncSync(this.#descriptor);
      this.#position += bytes;
    }
    return performance.now() - start;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

async function measure(wal: Wal, raw: RawFile, records: number, bodyBytes: number): Promise<void> {
  const body = Buffer.alloc(bodyBytes, 3);
  const group = (records * 10_000 + bodyBytes) % 1_000;
  let index = wal.group(group).lastIndex;
  let walMs = 0;
  let rawMs = 0;
  for (let round = 0; round <= rounds; round++) {
    const { bytes } = wal.statistics;
    const start = performance.now();
    for (let i = 0; i < batchesPerRound; i++) {
      for (let k = 0; k < records; k++) wal.stageEntry(group, ++index, 1, body);
      // As a node does: checkpoints trim the log, so that its segments come back.
      if (i % 20 === 0) wal.stageTrim(group, index - records, 1);
      const pooled = flush(wal);
      if (pooled !== undefined) await pooled;
    }
    const ms = performance.now() - start;
    const mean = Math.round((wal.statistics.bytes - bytes) / batchesPerRound);
    const bareMs = raw.run(mean, batchesPerRound);
    // The first round warms up.
    if (round > 0) {
      walMs += ms;
      rawMs += bareMs;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log(
    `${String(records).padStart(4)} × ${String(bodyBytes).padStart(7)} B: log ${perBatch(walMs)} µs, bare ${perBatch(rawMs)} µs, ` +
      `log/bare ${(walMs / rawMs).toFixed(2)}, own cost ${perBatch(walMs - rawMs)} µs, ${wal.statistics.mode}`,
  );
}

/** Microseconds for one batch. */
function perBatch(ms: number): string {
  return ((ms / rounds / batchesPerRound) * 1_000).toFixed(1).padStart(8);
}

/** Undefined when it is durable already. */
function flush(wal: Wal): Promise<void> | undefined {
  let done = false;
  let wake: (() => void) | undefined;
  wal.flush(() => {
    done = true;
    wake?.();
  });
  if (done) return undefined;
  return new Promise((resolve) => {
    wake = resolve;
  });
}

/** The log's work without a disk: writes that return at once. */
function withoutDisk(files: NodeFileSystem): NodeFileSystem {
  const open = files.openSync.bind(files);
  files.openSync = (path, mode) => {
    const handle = open(path, mode);
    handle.writeSync = () => {};
    handle.syncDataSync = () => {};
    return handle;
  };
  return files;
}

async function openLog(name: string, files: NodeFileSystem): Promise<Wal> {
  return Wal.open({
    files,
    clock: new SystemClock(),
    logger: silentLogger,
    directory: join(root, name),
    segmentBytes: 64 * 1_048_576,
    nodeId: 1,
    lowWaterBytes: 0,
    onFailure: (error) => {
      throw error;
    },
    onSpace: () => {},
  });
}

try {
  const raw = new RawFile();
  const wal = await openLog("wal", new NodeFileSystem());
  for (const [records, bodyBytes] of [
    [1, 128],
    [16, 128],
    [64, 128],
    [16, 1_024],
    [1, 65_536],
    [1, 1_048_576],
  ] as const) {
    await measure(wal, raw, records, bodyBytes);
  }
  await wal.close();
  raw.close();

  const still = await openLog("still", withoutDisk(new NodeFileSystem()));
  const body = Buffer.alloc(128);
  let index = 0;
  for (const count of [20_000, 20_000]) {
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < 16; k++) still.stageEntry(1, ++index, 1, body);
      const pooled = flush(still);
      if (pooled !== undefined) await pooled;
      if (i % 1_000 === 0) still.stageTrim(1, index - 1_000 > 0 ? index - 1_000 : 0, 1);
    }
    const us = ((performance.now() - start) / count) * 1_000;
    console.log(`without a disk: ${us.toFixed(1)} µs per batch of 16 × 128 B`);
  }
  await still.close();
} finally {
  rmSync(root, { recursive: true });
}
