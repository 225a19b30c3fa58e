/**
 * A million records of 128 bytes: what they cost in memory and on disk, how long the server is away after kill -9, and
 * what overwriting all of them adds. One server after the other, the same records for each.
 *
 *     node --import tsx bench/memory.ts [--servers redis,truba] [--quick] [--dir DIR] [--json FILE]
 */

import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { loadRecords, recordKey, recordValue } from "./load.ts";
import type { RecordSet } from "./load.ts";
import { describeMachine, directoryBytes, residentBytes } from "./measure.ts";
import { RespClient } from "./resp-client.ts";
import { Arena, chooseServers, STORES } from "./servers.ts";
import type { RunningServer, ServerName } from "./servers.ts";
import { machineReport, markdownTable, mebibytes } from "./table.ts";

const RECORDS = 1_000_000;
const QUICK_RECORDS = 100_000;
const VALUE_BYTES = 128;
/** Time in which a server may finish what it does in the background before its memory is read. */
const SETTLE_MS = 5_000;
const WATCH_EVERY_MS = 50;
const RETRY_MS = 2;
const RESTART_TIMEOUT_MS = 120_000;
const CHECKED_RECORDS = 2_000;

const MEMORY_TARGET_RATIO = 1.3;
const RESTART_TARGET_SECONDS = 3;

/** Bytes are of resident memory (RSS) unless they are named disk. */
interface MemoryResult {
  readonly server: ServerName;
  readonly emptyBytes: number;
  readonly loadSeconds: number;
  readonly loadedPeakBytes: number;
  readonly loadedBytes: number;
  readonly loadedDiskBytes: number;
  /** From the start of the new process to the first correct value; undefined for the bare server, which forgets. */
  readonly restartSeconds: number | undefined;
  readonly restartedBytes: number | undefined;
  readonly overwriteSeconds: number;
  readonly overwritePeakBytes: number;
  readonly overwrittenBytes: number;
  readonly overwrittenDiskBytes: number;
}

async function measure(name: ServerName, records: RecordSet, arena: Arena): Promise<MemoryResult> {
  const say = (text: string): boolean => process.stderr.write(`${name}: ${text}\n`);
  let server = await arena.start(name);
  const emptyBytes = residentBytes(server.pid).now;
  say(`loading ${records.count} records`);
  const loadSeconds = await loadRecords(server.port, records);
  await sleep(SETTLE_MS);
  const loaded = residentBytes(server.pid);
  const loadedDiskBytes = directoryBytes(server.data);

  let restartSeconds: number | undefined;
  let restartedBytes: number | undefined;
  if (name !== "bare") {
    say("kill -9 and restart");
    await arena.kill(server);
    const restarted = await restart(server, records, arena);
    ({ server } = restarted);
    restartSeconds = restarted.seconds;
    await checkRecords(server.port, records, 0);
    await sleep(SETTLE_MS);
    restartedBytes = residentBytes(server.pid).now;
  }

  say("overwriting all");
  const watch = watchMemory(server.pid);
  const overwriteSeconds = await loadRecords(server.port, records, 1);
  await sleep(SETTLE_MS);
  const overwritePeakBytes = watch.stop();
  await checkRecords(server.port, records, 1);
  const result: MemoryResult = {
    server: name,
    emptyBytes,
    loadSeconds,
    loadedPeakBytes: loaded.peak,
    loadedBytes: loaded.now,
    loadedDiskBytes,
    restartSeconds,
    restartedBytes,
    overwriteSeconds,
    overwritePeakBytes,
    overwrittenBytes: residentBytes(server.pid).now,
    overwrittenDiskBytes: directoryBytes(server.data),
  };
  await arena.remove(server);
  return result;
}

/**
 * Starts the server again on its folder, and asks for the last record loaded from the first moment on: refused
 * connections and error answers (Redis says LOADING) are asked again, a wrong value is an acknowledged write lost.
 */
async function restart(
  dead: RunningServer,
  records: RecordSet,
  arena: Arena,
): Promise<{ readonly server: RunningServer; readonly seconds: number }> {
  const start = performance.now();
  // The port is known only when `start` resolves, and that is when the server says it is ready; both count.
  const server = await arena.start(dead.name, dead.data);
  const last = records.count - 1;
  const expected = recordValue(records, last, 0);
  for (;;) {
    const reply = await askOnce(server.port, recordKey(records, last));
    if (reply === expected) return { server, seconds: (performance.now() - start) / 1000 };
    if (reply === null || typeof reply === "string") {
      throw new Error(
        `${dead.name} lost an acknowledged write in kill -9: the last record reads ${String(reply)}`,
      );
    }
    if (performance.now() - start > RESTART_TIMEOUT_MS)
      throw new Error(`${dead.name} did not come back: ${reply.message}`);
    await sleep(RETRY_MS);
  }
}

/** A value, null for none, or the error: not reachable yet, or not willing. */
async function askOnce(port: number, key: string): Promise<string | null | Error> {
  try {
    const client = await RespClient.connect(port);
    try {
      const reply = await client.ask("GET", key);
      if (reply === null || typeof reply === "string" || reply instanceof Error) return reply;
      return new Error(`GET was answered ${JSON.stringify(reply)}`);
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

/** Reads records spread over the whole set. Throws on the first that does not hold what was acknowledged. */
async function checkRecords(port: number, records: RecordSet, version: number): Promise<void> {
  const client = await RespClient.connect(port);
  const step = Math.max(1, Math.floor(records.count / CHECKED_RECORDS));
  for (let i = 0; i < records.count; i += step) {
    const reply = await client.ask("GET", recordKey(records, i));
    if (reply !== recordValue(records, i, version)) {
      throw new Error(
        `record ${i} (${recordKey(records, i)}) reads ${String(reply).slice(0, 60)} after overwrite ${version}`,
      );
    }
  }
  client.close();
}

/** Samples the memory of a process; `stop` returns the most that was seen, in bytes. */
function watchMemory(pid: number): { readonly stop: () => number } {
  let peak = 0;
  const look = (): void => {
    peak = Math.max(peak, residentBytes(pid).now);
  };
  const timer = setInterval(look, WATCH_EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return peak;
    },
  };
}

const seconds = (value: number | undefined): string =>
  value === undefined ? "-" : `${value.toFixed(2)} s`;
const size = (value: number | undefined): string => (value === undefined ? "-" : mebibytes(value));

function report(results: readonly MemoryResult[]): string {
  const row = (name: string, text: (result: MemoryResult) => string): string[] => [
    name,
    ...results.map(text),
  ];
  return markdownTable([
    row("", (result) => result.server),
    row("RSS, empty", (result) => size(result.emptyBytes)),
    row("RSS, loaded", (result) => size(result.loadedBytes)),
    row("RSS, peak while loading", (result) => size(result.loadedPeakBytes)),
    row("disk, loaded", (result) => size(result.loadedDiskBytes)),
    row("restart after kill -9", (result) => seconds(result.restartSeconds)),
    row("RSS, restarted", (result) => size(result.restartedBytes)),
    row("RSS, peak while overwriting", (result) => size(result.overwritePeakBytes)),
    row("RSS, all overwritten", (result) => size(result.overwrittenBytes)),
    row("disk, all overwritten", (result) => size(result.overwrittenDiskBytes)),
    row("loading", (result) => seconds(result.loadSeconds)),
    row("overwriting", (result) => seconds(result.overwriteSeconds)),
  ]);
}

/** The targets, for a full set only: a small one measures the empty process. */
function verdicts(results: readonly MemoryResult[]): string[] {
  const truba = results.find((result) => result.server === "truba");
  const redis = results.find((result) => result.server === "redis");
  if (truba === undefined) return [];
  const lines: string[] = [];
  const say = (met: boolean, text: string): number =>
    lines.push(`${met ? "met" : "missed"}: ${text}`);
  if (redis !== undefined) {
    const ratio = truba.loadedBytes / redis.loadedBytes;
    say(
      ratio <= MEMORY_TARGET_RATIO,
      `RSS ${ratio.toFixed(2)} x Redis, target <= ${MEMORY_TARGET_RATIO}`,
    );
    lines.push(`disk ${(truba.loadedDiskBytes / redis.loadedDiskBytes).toFixed(2)} x Redis`);
  }
  const away = truba.restartSeconds;
  if (away !== undefined) {
    say(
      away < RESTART_TARGET_SECONDS,
      `restart ${away.toFixed(2)} s, target < ${RESTART_TARGET_SECONDS} s`,
    );
  }
  return lines;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      servers: { type: "string" },
      quick: { type: "boolean", default: false },
      seed: { type: "string", default: "1" },
      dir: { type: "string" },
      json: { type: "string" },
    },
  });
  const servers = chooseServers(values.servers, STORES, (line) =>
    process.stderr.write(`${line}\n`),
  );
  const records = {
    seed: Number(values.seed),
    count: values.quick ? QUICK_RECORDS : RECORDS,
    valueBytes: VALUE_BYTES,
  };
  const arena = new Arena(values.dir);
  try {
    const machine = describeMachine(arena.directory);
    process.stdout.write(
      `${machineReport(machine)}\n${records.count} records, seed ${records.seed}\n\n`,
    );
    const results: MemoryResult[] = [];
    for (const name of servers) results.push(await measure(name, records, arena));
    const judged = values.quick ? ["no verdict: --quick loads too little"] : verdicts(results);
    process.stdout.write(`${report(results)}\n\n${judged.join("\n")}\n`);
    if (values.json !== undefined) {
      writeFileSync(
        values.json,
        `${JSON.stringify({ version: 1, machine, records, results, judged }, null, 2)}\n`,
      );
    }
  } finally {
    await arena.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
