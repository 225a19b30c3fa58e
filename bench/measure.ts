/**
 * What the benchmarks read from the machine: processor time (ours and everybody else's), resident memory, bytes of a
 * folder, the price of one fdatasync; and the few statistics they print. Linux only: it reads /proc.
 */

import { execFileSync } from "node:child_process";
import { closeSync, fdatasyncSync, lstatSync, openSync, readFileSync, readdirSync } from "node:fs";
import { rmSync, statfsSync, writeSync } from "node:fs";
import { arch, cpus, release } from "node:os";
import { join } from "node:path";

/** Kernel clock ticks per second in /proc (USER_HZ), 100 on every Linux architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
const PROBE_BYTES = 4096;
const PROBE_FILE_BYTES = 16 * 1024 * 1024;
const TMPFS_MAGIC = 0x01021994;

/** The middle of several runs and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** Throws a RangeError on an empty list: a median of nothing is a bug of the caller. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle];
  const low = sorted[sorted.length % 2 === 1 ? middle : middle - 1];
  const min = sorted[0];
  const max = sorted.at(-1);
  if (high === undefined || low === undefined || min === undefined || max === undefined) {
    throw new RangeError("spread of no values");
  }
  return { median: (low + high) / 2, min, max, runs: sorted.length };
}

/** The nearest-rank percentile, `fraction` in (0, 1]. `sorted` rises. Throws a RangeError on an empty list. */
export function percentile(sorted: ArrayLike<number>, fraction: number): number {
  const rank = Math.max(1, Math.ceil(sorted.length * fraction));
  const value = sorted[rank - 1];
  if (value === undefined) throw new RangeError("percentile of no values");
  return value;
}

/** Fields of /proc/PID/stat from the third on: the name in parentheses may hold blanks and more parentheses. */
function processFields(pid: number | "self"): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** Processor time in ticks that a process has used, all its threads together. Throws if the process is gone. */
function processTicks(pid: number): number {
  const fields = processFields(pid);
  return Number(fields[11]) + Number(fields[12]);
}

/** Processor time in seconds that a process has used, in steps of 10 ms. Throws if the process is gone. */
export function processorSeconds(pid: number): number {
  return processTicks(pid) / TICKS_PER_SECOND;
}

/** This process and those of its children that have ended: the load generator is one of them. */
function ownTicks(): number {
  const fields = processFields("self");
  return Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
}

/** Ticks in which any processor was not idle: user, nice, system, irq, softirq, steal. */
function busyTicks(): number {
  const line = readFileSync("/proc/stat", "latin1").split("\n", 1)[0] ?? "";
  const [, user, nice, system, , , irq, softirq, steal] = line.split(/\s+/).map(Number);
  return (user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0) + (steal ?? 0);
}

/** Processor use in percent of one core. */
export interface CpuUse {
  readonly server: number;
  readonly client: number;
  /** All else on the machine: other programs, kernel threads, the host's stolen time. May be a little below zero. */
  readonly other: number;
}

/** Measures who used the processors from its making until `read()`. The load generator must have ended by then, unless its process is named. */
export class CpuWatch {
  readonly #server: number | undefined;
  readonly #client: number | undefined;
  readonly #start = performance.now();
  readonly #busy = busyTicks();
  readonly #clientTicks: number;
  readonly #serverTicks: number;

  /** Without a server's process: one that is started while it watches is named in the end. */
  constructor(serverPid: number | undefined, clientPid?: number) {
    this.#server = serverPid;
    this.#client = clientPid;
    this.#serverTicks = serverPid === undefined ? 0 : processTicks(serverPid);
    this.#clientTicks = this.#clientSoFar();
  }

  read(serverPid = this.#server): CpuUse {
    const seconds = (performance.now() - this.#start) / 1000;
    const server = serverPid === undefined ? 0 : processTicks(serverPid) - this.#serverTicks;
    const client = this.#clientSoFar() - this.#clientTicks;
    const other = busyTicks() - this.#busy - server - client;
    const percent = (ticks: number): number =>
      Math.round((ticks / TICKS_PER_SECOND / seconds) * 100);
    return { server: percent(server), client: percent(client), other: percent(other) };
  }

  #clientSoFar(): number {
    return ownTicks() + (this.#client === undefined ? 0 : processTicks(this.#client));
  }
}

/** Resident memory of a process in bytes: now (`VmRSS`) and the most it ever had (`VmHWM`). */
export function residentBytes(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const field = (name: string): number => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status);
    if (match === null) throw new Error(`/proc/${pid}/status has no ${name}`);
    return Number(match[1]) * 1024;
  };
  return { now: field("VmRSS"), peak: field("VmHWM") };
}

/** Bytes that a folder and all below it occupy on the disk (allocated blocks, not file lengths). */
export function directoryBytes(path: string): number {
  let total = 0;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) {
      total += directoryBytes(child);
      continue;
    }
    // Files come and go while a server runs; one that went between the two calls occupies nothing.
    const found = lstatSync(child, { throwIfNoEntry: false });
    if (found !== undefined) total += found.blocks * 512;
  }
  return total;
}

/** The machine a table was made on; without it the numbers mean nothing. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  readonly redis: string;
  /** Write of 4 KiB over a zero-filled file and fdatasync, one after the other, for about a second. */
  readonly fdatasync: {
    readonly perSecond: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  };
  /** A file system in memory: fdatasync does nothing there and the write figures are worthless. */
  readonly inMemory: boolean;
}

/** Looks at the machine and probes the disk under `directory`. Takes about a second. */
export function describeMachine(directory: string): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    kernel: `${release()} ${arch()}`,
    node: process.version,
    redis: redisVersion() ?? "not installed",
    fdatasync: probeDisk(directory, 1000),
    inMemory: statfsSync(directory).type === TMPFS_MAGIC,
  };
}

/** The version of the `redis-server` on the PATH; undefined if there is none. */
export function redisVersion(): string | undefined {
  try {
    const text = execFileSync("redis-server", ["--version"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return /v=(\S+)/.exec(text)?.[1] ?? text.trim();
  } catch {
    return undefined;
  }
}

function probeDisk(directory: string, milliseconds: number): Machine["fdatasync"] {
  const path = join(directory, "fdatasync-probe");
  const file = openSync(path, "w+");
  try {
    writeSync(file, Buffer.alloc(PROBE_FILE_BYTES), 0, PROBE_FILE_BYTES, 0);
    fdatasyncSync(file);
    const block = Buffer.alloc(PROBE_BYTES, 0x55);
    const times: number[] = [];
    const start = performance.now();
    let before = start;
    for (let i = 0; before - start < milliseconds; i++) {
      writeSync(file, block, 0, PROBE_BYTES, (i * PROBE_BYTES) % PROBE_FILE_BYTES);
      fdatasyncSync(file);
      const after = performance.now();
      times.push(after - before);
      before = after;
    }
    times.sort((a, b) => a - b);
    return {
      perSecond: Math.round((times.length / (before - start)) * 1000),
      p50Ms: percentile(times, 0.5),
      p99Ms: percentile(times, 0.99),
    };
  } finally {
    closeSync(file);
    rmSync(path, { force: true });
  }
}
