/**
 * What we take from Redis: the server as the durable peer (each reply only after its append-only file is synced) and
 * `redis-benchmark` as the load of all servers, so that no client of ours flatters one of them.
 */

import { execFile } from "node:child_process";

/** Flags that make Redis sync before it answers, and keep it from rewriting its file in the middle of a cell. */
export function redisArguments(port: number, data: string): string[] {
  const network = [
    "--bind",
    "127.0.0.1",
    "--port",
    String(port),
    "--dir",
    data,
    "--daemonize",
    "no",
  ];
  const durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
  return [...network, ...durable, "--auto-aof-rewrite-percentage", "0"];
}

/** Keys are UUIDs of version 4 in form: redis-benchmark writes twelve random digits over `__rand_int__`. */
export const KEY_PATTERN = "00000000-0000-4000-8000-__rand_int__";
export const KEY_SPACE = 100_000;
const LOAD_TIMEOUT_MS = 120_000;

/** One kind of load: what each of `connections` sends, `pipeline` requests at a time. */
export interface Load {
  readonly command: "SET" | "GET";
  readonly valueBytes: number;
  readonly connections: number;
  readonly pipeline: number;
}

/** What redis-benchmark reported. Its latencies are those of a whole pipeline, not of one request in it. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** The key that redis-benchmark makes of the number `index`. */
export function benchmarkKey(index: number): string {
  return KEY_PATTERN.replace("__rand_int__", String(index).padStart(12, "0"));
}

/** The value of the cells: letters and digits without a pattern that a compressing server could use. */
export function benchmarkValue(bytes: number): string {
  let value = "";
  for (
    let state = 1;
    value.length < bytes;
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  ) {
    value += state.toString(36);
  }
  return value.slice(0, bytes);
}

/** Sends `requests` requests and waits for the last answer. Rejects if redis-benchmark is missing or an answer is an error. */
export async function runLoad(
  port: number,
  load: Load,
  requests: number,
  keySpace = KEY_SPACE,
): Promise<LoadResult> {
  const shape = [
    "-c",
    String(load.connections),
    "-P",
    String(load.pipeline),
    "-n",
    String(requests),
  ];
  // The explicit command: `-t set` would choose keys of its own form, and Redis 7.0 knows no placeholder for the value.
  const command = [load.command, KEY_PATTERN];
  if (load.command === "SET") command.push(benchmarkValue(load.valueBytes));
  const text = await new Promise<string>((resolve, reject) => {
    execFile(
      "redis-benchmark",
      [
        "-h",
        "127.0.0.1",
        "-p",
        String(port),
        ...shape,
        "-r",
        String(keySpace),
        "--csv",
        ...command,
      ],
      { timeout: LOAD_TIMEOUT_MS },
      (error, stdout, stderr) => {
        if (error !== null)
          reject(new Error(`redis-benchmark failed: ${error.message}\n${stdout}${stderr}`));
        else resolve(stdout);
      },
    );
  });
  return parseReport(text);
}

/** Reads the report of `redis-benchmark --csv`, by the names of its columns. Throws if it is another text. */
export function parseReport(text: string): LoadResult {
  const lines = text.split("\n").filter((line) => line.startsWith('"'));
  const names = cells(lines[0] ?? "");
  const values = cells(lines[1] ?? "");
  const column = (name: string): number => {
    const value = Number(values[names.indexOf(name)] ?? "none");
    if (!Number.isFinite(value))
      throw new Error(`redis-benchmark reported no ${name}: ${text.slice(0, 300)}`);
    return value;
  };
  return {
    perSecond: column("rps"),
    p50Ms: column("p50_latency_ms"),
    p99Ms: column("p99_latency_ms"),
    maxMs: column("max_latency_ms"),
  };
}

/** The quoted cells of one line. redis-benchmark does not escape; our commands hold no quotation mark. */
function cells(line: string): string[] {
  return Array.from(line.matchAll(/"([^"]*)"/g), (match) => match[1] ?? "");
}
