/**
 * Group commit in process, without a network: so many SETs of 128 bytes always in flight through a whole node (gather, log, sync, apply, answer), beside
 * what the disk allows: as many bytes per write and fdatasync, into a file that is zero-filled as the log's segments are. Both in turns in one run,
 * so that a busy machine slows both.
 *
 *     node --import tsx bench/group-commit.ts [--in-flight 1024] [--rounds 10] [--dir DIR]
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { must } from "../src/base/assert.ts";
import { silentLogger } from "../src/base/logger.ts";
import type { FileHandle } from "../src/base/file-system.ts";
import { NodeFileSystem } from "../src/base/node-file-system.ts";
import { NodeNetwork } from "../src/base/node-network.ts";
import { SystemClock } from "../src/base/system-clock.ts";
import { SystemRandom } from "../src/base/system-random.ts";
import { operationCodes } from "../src/machines/operation.ts";
import type { Outcome } from "../src/machines/outcome.ts";
import { encodeRecordSet, plainSet } from "../src/machines/records/records.ts";
import { Node } from "../src/node/node.ts";

const valueBytes = 128;
const keys = 100_000;
const operationsPerRound = 100_000;
const targetRatio = 0.3;
const fileBytes = 67_108_864;

/** A client that always has so many operations in flight, spread over all partitions. */
class Client {
  readonly #node: Node;
  readonly #value = Buffer.alloc(valueBytes, 120);
  readonly #key = { buffer: Buffer.from("00000000000040008000000000000000", "hex"), bytes: 16 };
  #next = 0;
  #left = 0;
  #inFlight = 0;
  #done: () => void = () => {};

  constructor(node: Node) {
    this.#node = node;
  }

  run(operations: number, inFlight: number): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#left = operations;
      for (let i = 0; i < inFlight; i++) this.#issue();
    });
  }

  settle(_tag: number, outcome: Outcome): void {
    if (outcome.kind !== "record") throw new Error(`a SET was answered ${JSON.stringify(outcome)}`);
    this.#inFlight--;
    if (this.#left > 0) this.#issue();
    else if (this.#inFlight === 0) this.#done();
  }

  #issue(): void {
    const { partitions } = this.#node;
    this.#next = (this.#next + 7_919) % keys;
    this.#left--;
    this.#inFlight++;
    this.#key.buffer.writeUInt32LE(this.#next, 12);
    const partition = must(partitions[this.#next % partitions.length]);
    const refused = partition.admit();
    if (refused !== undefined) throw new Error(`a SET was refused: ${refused.text}`);
    const writer = partition.open();
    writer.begin(operationCodes.recordSet, undefined);
    encodeRecordSet(writer, this.#key, plainSet, {
      source: this.#value,
      start: 0,
      end: valueBytes,
    });
    writer.end();
    partition.enqueue(this, 0);
  }
}

/** Real files; notes what the log's synchronous writes and syncs take. */
class MeasuredFiles extends NodeFileSystem {
  spentMs = 0;

  override openSync(path: string, mode: "read" | "write" | "create"): FileHandle {
    const handle = super.openSync(path, mode);
    const write = handle.writeSync.bind(handle);
    const sync = handle.syncDataSync.bind(handle);
    handle.writeSync = (bytes, position) => {
      const start = performance.now();
      write(bytes, position);
      this.spentMs += performance.now() - start;
    };
    handle.syncDataSync = () => {
      const start = performance.now();
      sync();
      this.spentMs += performance.now() - start;
    };
    return handle;
  }
}

/** Writes and fdatasyncs, into a zero-filled file, around and around. */
class RawFile {
  readonly #file: number;
  #at = 0;

  constructor(path: string) {
    this.#file = openSync(path, "w+");
    const zeros = Buffer.alloc(1_048_576);
    for (let at = 0; at < fileBytes; at += zeros.length)
      writeSync(this.#file, zeros, 0, zeros.length, at);
    fsyncSync(this.#file);
  }

  /** Milliseconds. */
  run(writes: number, bytes: number): number {
    const buffer = Buffer.alloc(bytes, 7);
    const start = performance.now();
    for (let i = 0; i < writes; i++) {
      if (this.#at + bytes > fileBytes) this.#at = 0;
      writeSync(this.#file, buffer, 0, bytes, this.#at);
      fdatasyncSync(this.#file);
      this.#at += bytes;
    }
    return performance.now() - start;
  }

  close(): void {
    closeSync(this.#file);
  }
}

function micros(ms: number, count: number): string {
  return ((ms / count) * 1_000).toFixed(2);
}

const { values } = parseArgs({
  options: {
    "in-flight": { type: "string", default: "1024" },
    rounds: { type: "string", default: "10" },
    dir: { type: "string", default: tmpdir() },
  },
});
const inFlight = Number(values["in-flight"]);
const rounds = Number(values.rounds);
const root = mkdtempSync(join(values.dir, "truba-group-commit-"));
try {
  const files = new MeasuredFiles();
  const node = await Node.open(
    {
      clock: new SystemClock(),
      random: new SystemRandom(),
      files,
      network: new NodeNetwork(),
      logger: silentLogger,
    },
    { dataDirectory: join(root, "data") },
  );
  const raw = new RawFile(join(root, "raw"));
  const client = new Client(node);
  await client.run(operationsPerRound, inFlight);
  let nodeMs = 0;
  let nodeDiskMs = 0;
  let rawMs = 0;
  let batches = 0;
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    const before = node.wal.statistics;
    const spentMs = files.spentMs;
    const start = performance.now();
    await client.run(operationsPerRound, inFlight);
    nodeMs += performance.now() - start;
    nodeDiskMs += files.spentMs - spentMs;
    const after = node.wal.statistics;
    const syncs = after.batches - before.batches;
    batches += syncs;
    bytes += after.bytes - before.bytes;
    rawMs += raw.run(syncs, Math.round((after.bytes - before.bytes) / syncs));
  }
  const operations = operationsPerRound * rounds;
  const perSecond = (ms: number): string =>
    Math.round((operations / ms) * 1_000).toLocaleString("en");
  const ratio = rawMs / nodeMs;
  console.log(
    `${inFlight} in flight, ${(operations / batches).toFixed(0)} operations and ${(bytes / batches / 1_024).toFixed(1)} KiB per sync, mode ${node.wal.statistics.mode}\n` +
      `node ${perSecond(nodeMs)} SET/s, write + fdatasync alone ${perSecond(rawMs)} SET/s (${micros(rawMs, batches)} µs each)\n` +
      `the node's disk calls take ${micros(nodeDiskMs, batches)} µs each; without them an operation takes ${micros(nodeMs - nodeDiskMs, operations)} µs\n` +
      `ratio ${ratio.toFixed(2)}, target >= ${targetRatio}: ${ratio >= targetRatio ? "met" : "missed"}`,
  );
  raw.close();
  await node.drain();
  await node.stop();
} finally {
  rmSync(root, { recursive: true });
}
