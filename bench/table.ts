/**
 * Samples in, a table in Markdown and verdicts out: the part of the benchmarks that can be checked without running one.
 */

import { spread } from "./measure.ts";
import type { CpuUse, Machine, Spread } from "./measure.ts";
import type { Load, LoadResult } from "./redis.ts";
import type { ServerName } from "./servers.ts";

/** Percent of one core that others may use in a run before it counts as disturbed. */
export const QUIET_PERCENT = 30;

/** One run of one cell against one server. */
export interface Run {
  readonly perSecond: number;
  readonly cpu: CpuUse;
}

/** A run whose latencies were seen. */
export interface Sample extends LoadResult, Run {}

/** All runs of one kind of load. */
export interface Cell<R extends Run = Run> {
  readonly name: string;
  readonly samples: Partial<Record<ServerName, R[]>>;
}

/** A cell that redis-benchmark runs. */
export interface RecordCell extends Cell<Sample> {
  readonly load: Load;
}

/** What is printed for one server in one cell. */
export interface Figure<R extends Run = Run> {
  readonly perSecond: Spread;
  /** The runs that were used: the quiet ones, or all if none was. */
  readonly used: readonly R[];
  /** No run was quiet: the figure is made of disturbed ones. */
  readonly noisy: boolean;
  /** Runs that were made; `perSecond.runs` of them were used. */
  readonly made: number;
}

/** The median of the quiet runs; of all runs, and marked so, if none was quiet. Undefined without runs. */
export function figureOf<R extends Run>(samples: readonly R[] | undefined): Figure<R> | undefined {
  if (samples === undefined || samples.length === 0) return undefined;
  const quiet = samples.filter((sample) => sample.cpu.other <= QUIET_PERCENT);
  const used = quiet.length > 0 ? quiet : samples;
  return {
    perSecond: spread(used.map((sample) => sample.perSecond)),
    used,
    noisy: quiet.length === 0,
    made: samples.length,
  };
}

/** A promise about the ratio of two servers in one cell. */
export interface Target {
  readonly cell: string;
  readonly of: ServerName;
  readonly to: ServerName;
  readonly atLeast: number;
}

/** Names of cells as `records.ts` makes them. */
export const TARGETS: readonly Target[] = [
  { cell: "SET 128 B, c=64", of: "truba", to: "bare", atLeast: 0.85 },
  { cell: "SET 128 B, c=1", of: "truba", to: "redis", atLeast: 0.9 },
  { cell: "SET 128 B, c=64, -P 16", of: "truba", to: "bare", atLeast: 0.55 },
  { cell: "GET 128 B, c=64", of: "truba", to: "bare", atLeast: 0.9 },
];

/** How two servers compare in one cell. */
export interface Ratio {
  /** The median over the rounds, each compared with itself: a slow spell of the machine falls on both sides. */
  readonly value: number;
  /** No round was quiet for both servers: the value is made of disturbed rounds and proves nothing. */
  readonly noisy: boolean;
}

/** Pairs the runs of two servers round by round. Undefined without a round that both took part in. */
export function ratioOf(cell: Cell | undefined, of: ServerName, to: ServerName): Ratio | undefined {
  const below = cell?.samples[to] ?? [];
  const rounds = (cell?.samples[of] ?? []).flatMap((above, round) => {
    const other = below[round];
    if (other === undefined) return [];
    const quiet = Math.max(above.cpu.other, other.cpu.other) <= QUIET_PERCENT;
    return [{ value: above.perSecond / other.perSecond, quiet }];
  });
  if (rounds.length === 0) return undefined;
  const quiet = rounds.filter((round) => round.quiet);
  const used = quiet.length > 0 ? quiet : rounds;
  return { value: spread(used.map((round) => round.value)).median, noisy: quiet.length === 0 };
}

/** A disturbed measurement neither meets nor misses a target; `ratio` is undefined where a server was left out. */
export interface Verdict {
  readonly target: Target;
  readonly ratio: Ratio | undefined;
  readonly verdict: "met" | "missed" | "disturbed" | "not measured";
}

/** Holds the cells against the targets. */
export function judge(cells: readonly Cell[], targets: readonly Target[] = TARGETS): Verdict[] {
  return targets.map((target) => {
    const cell = cells.find(({ name }) => name === target.cell);
    const ratio = ratioOf(cell, target.of, target.to);
    return { target, ratio, verdict: verdictOf(ratio, target.atLeast) };
  });
}

function verdictOf(ratio: Ratio | undefined, atLeast: number): Verdict["verdict"] {
  if (ratio === undefined) return "not measured";
  if (ratio.noisy) return "disturbed";
  return ratio.value >= atLeast ? "met" : "missed";
}

/** Two servers that are compared: the first divided by the second. */
export type Pair = readonly [ServerName, ServerName];

const RECORD_PAIRS: readonly Pair[] = [
  ["truba", "bare"],
  ["truba", "redis"],
  ["bare", "redis"],
];

/** The table of throughput. `~` before a number: no run behind it was quiet. */
export function throughputReport(
  cells: readonly Cell[],
  servers: readonly ServerName[],
  pairs: readonly Pair[],
): string {
  const ratios = pairs.filter(([of, to]) => servers.includes(of) && servers.includes(to));
  return markdownTable([
    ["ops/s, median [min-max]", ...servers, ...ratios.map(([of, to]) => `${of}/${to}`)],
    ...cells.map((cell) => [
      cell.name,
      ...servers.map((server) => throughputText(figureOf(cell.samples[server]))),
      ...ratios.map(([of, to]) => ratioText(ratioOf(cell, of, to))),
    ]),
  ]);
}

/** The table of throughput and the table of latencies. */
export function recordsReport(
  cells: readonly Cell<Sample>[],
  servers: readonly ServerName[],
): string {
  const latency = [
    ["p50 / p99 ms", ...servers],
    ...cells.map((cell) => [
      cell.name,
      ...servers.map((server) => latencyText(figureOf(cell.samples[server]))),
    ]),
  ];
  return `${throughputReport(cells, servers, RECORD_PAIRS)}\n\n${markdownTable(latency)}`;
}

/** One line per target. */
export function verdictReport(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ target, ratio, verdict }) => {
    const ratioName = `${target.of}/${target.to}`;
    return [target.cell, ratioName, `>= ${target.atLeast.toFixed(2)}`, ratioText(ratio), verdict];
  });
  return markdownTable([["cell", "ratio", "target", "measured", "verdict"], ...rows]);
}

/** The lines above every table. */
export function machineReport(machine: Machine): string {
  const { fdatasync } = machine;
  const lines = [
    `${machine.cores} cores, ${machine.cpu}; Linux ${machine.kernel}; Node ${machine.node}; Redis ${machine.redis}`,
    `write + fdatasync of 4 KiB: ${grouped(fdatasync.perSecond)}/s, p50 ${fdatasync.p50Ms.toFixed(3)} ms, p99 ${fdatasync.p99Ms.toFixed(3)} ms`,
  ];
  if (machine.inMemory)
    lines.push("The folder is a file system in memory: write figures mean nothing. Use --dir.");
  return lines.join("\n");
}

/** Rows of equal length, the first the heading; all columns but the first flush right. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string => {
    const padded = widths.map((width, column) => {
      const text = row[column] ?? "";
      return column === 0 ? text.padEnd(width) : text.padStart(width);
    });
    return `| ${padded.join(" | ")} |`;
  };
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [line(rows[0] ?? []), line(rule), ...rows.slice(1).map(line)].join("\n");
}

/** 73037.4 as `73,037`. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Bytes as `262.4 MiB`. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function throughputText(figure: Figure | undefined): string {
  if (figure === undefined) return "-";
  const { median, min, max, runs } = figure.perSecond;
  const used = runs === figure.made ? "" : ` ${runs}/${figure.made}`;
  return `${figure.noisy ? "~" : ""}${grouped(median)} [${grouped(min)}-${grouped(max)}]${used}`;
}

function latencyText(figure: Figure<Sample> | undefined): string {
  if (figure === undefined) return "-";
  const p50 = spread(figure.used.map(({ p50Ms }) => p50Ms)).median;
  const p99 = spread(figure.used.map(({ p99Ms }) => p99Ms)).median;
  return `${p50.toFixed(3)} / ${p99.toFixed(3)}`;
}

/** As it stands in tables. */
export function ratioText(ratio: Ratio | undefined): string {
  return ratio === undefined ? "-" : `${ratio.noisy ? "~" : ""}${ratio.value.toFixed(2)}`;
}
