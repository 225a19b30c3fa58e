/**
 * `node --import tsx bench/run-files.ts [--rows N] [--directory DIR]`: writes a checkpoint of a million rows of 176 bytes on disk
 * (header 10, key 36, body 130), overwrites half of them, merges the two runs and loads the result. Prints the rates and the longest time for which the
 * event loop stood still.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { silentLogger } from "../src/base/logger.ts";
import { NodeFileSystem } from "../src/base/node-file-system.ts";
import { SystemClock } from "../src/base/system-clock.ts";
import { CheckpointStore } from "../src/state/checkpoint-store.ts";
import { orderHash, runRowHeaderBytes } from "../src/state/run-format.ts";
import type { RowSource } from "../src/state/run-format.ts";

const KEY_BYTES = 36;
const BODY_BYTES = 130;
const ROW_BYTES = KEY_BYTES + BODY_BYTES;

const { values } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, directory: { type: "string" } },
});
const ROWS = Number(values.rows);

/** Rows that lie in one buffer in the order of a run: every `step`-th of them. */
class StoredRows implements RowSource {
  readonly table = 1;
  readonly source: Buffer;
  readonly keyBytes = KEY_BYTES;
  readonly bodyBytes = BODY_BYTES;
  readonly deleted = false;
  orderHash = 0;
  keyStart = 0;
  bodyStart = 0;
  #at = 0;
  readonly #step: number;

  constructor(source: Buffer, step: number) {
    this.source = source;
    this.#step = step * ROW_BYTES;
  }

  next(): boolean {
    if (this.#at >= this.source.length) return false;
    this.keyStart = this.#at;
    this.bodyStart = this.#at + KEY_BYTES;
    this.orderHash = orderHash(this.source, this.keyStart, KEY_BYTES);
    this.#at += this.#step;
    return true;
  }
}

function makeRows(): Buffer {
  const keys = Array.from({ length: ROWS }, (_, i) => {
    const key = Buffer.from(`00000000-0000-4000-8000-${String(i).padStart(12, "0")}`, "latin1");
    return { key, hash: orderHash(key, 0, key.length) };
  });
  keys.sort((a, b) => a.hash - b.hash || Buffer.compare(a.key, b.key));
  const source = Buffer.alloc(ROWS * ROW_BYTES, 0x62);
  keys.forEach(({ key }, i) => key.copy(source, i * ROW_BYTES));
  return source;
}

async function measured(
  name: string,
  bytes: number,
  rows: number,
  work: () => Promise<unknown>,
): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  delay.disable();
  const columns = [
    name.padEnd(16),
    `${seconds.toFixed(2)} s`,
    `cpu ${((cpu.user + cpu.system) / 1e6).toFixed(2)} s`,
    `${Math.round(bytes / 1e6 / seconds)} MB/s`,
    `${Math.round(rows / seconds).toLocaleString("en")} rows/s`,
    `event loop p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, max ${(delay.max / 1e6).toFixed(1)} ms`,
  ];
  console.log(columns.join("  "));
}

const folder = mkdtempSync(join(values.directory ?? tmpdir(), "truba-run-files-"));
try {
  const environment = {
    files: new NodeFileSystem(),
    clock: new SystemClock(),
    logger: silentLogger,
  };
  const place = { directory: join(folder, "0000"), partition: 0 };
  const { store } = await CheckpointStore.open({ ...environment, ...place });
  const source = makeRows();
  const live = ROWS * (ROW_BYTES + runRowHeaderBytes);
  await measured("write", live, ROWS, () => store.addDelta(new StoredRows(source, 1), {}));
  await measured("load", live, ROWS, () => store.load(() => {}));
  await store.addDelta(new StoredRows(source, 2), {});
  // A live size of nothing makes it merge whatever the size.
  await measured("merge", 1.5 * live, 1.5 * ROWS, () => store.maybeMerge(0));
  const again = await CheckpointStore.open({ ...environment, ...place });
  let sum = 0;
  await measured("load of the merge", live, ROWS, () =>
    again.store.load((_table, buffer, keyStart) => {
      sum += buffer[keyStart] as number;
    }),
  );
  if (sum !== ROWS * 0x30)
    throw new Error("the rows that were loaded are not those that were written");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
