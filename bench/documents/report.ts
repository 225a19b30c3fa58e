/** Runs in, tables in Markdown and verdicts out. */
import { limits } from "../../src/base/limits.ts";
import { spread } from "../measure.ts";
import { QUIET_PERCENT, grouped, markdownTable } from "../table.ts";
import { patienceMs } from "./cells.ts";
import type { Cell, CellName, Measurement } from "./cells.ts";
import type { LibraryName } from "./library.ts";
import type { Rates } from "./rates.ts";

export interface Run extends Measurement {
  /** What others used of the processors, in percent of one core. */
  readonly otherPercent: number;
  /** Preparation and checks included. */
  readonly wholeMs: number;
}

/** Those of one library in the order of the rounds. */
export type Runs = ReadonlyMap<CellName, Map<LibraryName, Run[]>>;

type Metric = Exclude<keyof Run, "otherPercent" | "wholeMs">;

export const healTargetMs = 150;

interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly noisy: boolean;
}

/** Of the quiet runs; of all, and marked so, if none was quiet. */
function figureOf(runs: readonly Run[] | undefined, metric: Metric): Figure | undefined {
  const measured = (runs ?? []).filter((run) => run[metric] !== undefined);
  if (measured.length === 0) return undefined;
  const quiet = measured.filter(({ otherPercent }) => otherPercent <= QUIET_PERCENT);
  const used = quiet.length > 0 ? quiet : measured;
  const { median, min, max } = spread(used.map((run) => run[metric] ?? 0));
  return { median, min, max, noisy: quiet.length === 0 };
}

/** How many times as long the other library took, of the figures that are shown. */
function ratioOf(runs: ReadonlyMap<LibraryName, Run[]>, other: LibraryName, metric: Metric) {
  const own = figureOf(runs.get("truba"), metric);
  const beside = figureOf(runs.get(other), metric);
  if (own === undefined || beside === undefined) return undefined;
  return beside.median / own.median;
}

const times: readonly (readonly [Metric, string])[] = [
  ["timeMs", ""],
  ["editMs", "of it edits"],
  ["singleMs", "one by one"],
  ["reverseMs", "one by one, last first"],
  ["encodeMs", "encode"],
  ["parseMs", "load"],
];

const bytes: readonly (readonly [Metric, string])[] = [
  ["updateBytes", "update"],
  ["documentBytes", "document"],
  ["deflatedBytes", "document, deflated"],
  ["memoryBytes", "memory"],
];

export function timesReport(
  cells: readonly Cell[],
  names: readonly LibraryName[],
  runs: Runs,
): string {
  return report("ms, median [min-max]", cells, names, runs, times, millisecondsText);
}

export function bytesReport(
  cells: readonly Cell[],
  names: readonly LibraryName[],
  runs: Runs,
): string {
  return report("bytes, median", cells, names, runs, bytes, ({ median }) => grouped(median));
}

function report(
  heading: string,
  cells: readonly Cell[],
  names: readonly LibraryName[],
  runs: Runs,
  metrics: readonly (readonly [Metric, string])[],
  text: (figure: Figure) => string,
): string {
  const others = names.includes("truba") ? names.filter((name) => name !== "truba") : [];
  const rows = [[heading, ...names, ...others.map((other) => `${other}/truba`)]];
  for (const { name, title } of cells) {
    const found = runs.get(name) ?? new Map<LibraryName, Run[]>();
    for (const [metric, label] of metrics) {
      const figures = names.map((library) => figureOf(found.get(library), metric));
      if (figures.every((figure) => figure === undefined)) continue;
      const ratios = others.map((other) => ratioOf(found, other, metric));
      rows.push([
        label === "" ? `${name} ${title}` : `${name} ${label}`,
        ...figures.map((figure) => (figure === undefined ? "-" : text(figure))),
        ...ratios.map((ratio) => (ratio === undefined ? "-" : ratioText(ratio))),
      ]);
    }
  }
  return markdownTable(rows);
}

function millisecondsText({ median, min, max, noisy }: Figure): string {
  if (median === Infinity) return `> ${grouped(patienceMs)}`;
  return `${noisy ? "~" : ""}${shown(median)} [${shown(min)}-${shown(max)}]`;
}

function shown(ms: number): string {
  return ms === Infinity ? "-" : ms.toFixed(ms < 100 ? 1 : 0);
}

function ratioText(ratio: number): string {
  if (!Number.isFinite(ratio)) return "-";
  return ratio.toFixed(ratio < 10 ? 2 : 0);
}

export function ratesReport(rates: Rates, otherPercent: number): string {
  return markdownTable([
    [`Truba by itself; others used ${otherPercent} % of a core`, "measured", "target"],
    ["appends in order, own", `${grouped(rates.issuesPerSecond)}/s`, ""],
    ["appends in order, of a peer, one by one", `${grouped(rates.appendsPerSecond)}/s`, ""],
    [
      "appends in order, of a peer, in batches",
      `${grouped(rates.batchedPerSecond)}/s`,
      `>= ${grouped(rateTargets.batchedPerSecond)}/s`,
    ],
    [
      `small patches of a document of ${(rates.largeBytes / 1e6).toFixed(1)} MB, ${grouped(rates.largeMembers)} members`,
      `${grouped(rates.largePerSecond)}/s`,
      `>= ${grouped(rateTargets.largePerSecond)}/s`,
    ],
    [
      "catch-up, bytes per transaction, deflated",
      rates.catchUpBytes.toFixed(1),
      `<= ${rateTargets.catchUpBytes}`,
    ],
    ["the same, not compressed", rates.catchUpPlainBytes.toFixed(1), ""],
    [
      `a batch of ${grouped(limits.documentBatchMaxBytes / 1_024)} KiB`,
      `${grouped(rates.batchTransactions)} transactions`,
      "",
    ],
  ]);
}

export const rateTargets = {
  batchedPerSecond: 150_000,
  largePerSecond: 200_000,
  catchUpBytes: 30,
} as const;

/** One line per target; `~`: no run behind it was quiet, so that it proves little. */
export function verdictsReport(runs: Runs, rates: Rates | undefined, otherPercent: number): string {
  const rows = [["cell", "target", "measured", "verdict"]];
  for (const [cell, found] of runs) {
    const own = figureOf(found.get("truba"), "timeMs");
    if (own === undefined) continue;
    const noisy = (other: LibraryName): boolean =>
      figureOf(found.get(other), "timeMs")?.noisy === true;
    let mark = own.noisy ? "~" : "";
    const verdict = (met: boolean): string => mark + (met ? "met" : "missed");
    if (cell === "heal") {
      const measured = `${own.median.toFixed(0)} ms`;
      const target = `<= ${healTargetMs} ms`;
      rows.push([cell, target, measured, verdict(own.median <= healTargetMs)]);
      continue;
    }
    for (const other of ["yjs", "automerge"] as const) {
      const ratio = ratioOf(found, other, "timeMs");
      if (ratio === undefined) continue;
      mark = own.noisy || noisy(other) ? "~" : "";
      rows.push([cell, `faster than ${other}`, `${ratioText(ratio)} times`, verdict(ratio > 1)]);
    }
  }
  if (rates !== undefined) {
    const mark = otherPercent > QUIET_PERCENT ? "~" : "";
    const { batchedPerSecond, largePerSecond, catchUpBytes } = rates;
    const rate = (cell: string, value: number, target: number): void => {
      const met = mark + (value >= target ? "met" : "missed");
      rows.push([cell, `>= ${grouped(target)}/s`, `${grouped(value)}/s`, met]);
    };
    rate("appends in order", batchedPerSecond, rateTargets.batchedPerSecond);
    rate("large document", largePerSecond, rateTargets.largePerSecond);
    const met = catchUpBytes <= rateTargets.catchUpBytes ? "met" : "missed";
    rows.push([
      "catch-up",
      `<= ${rateTargets.catchUpBytes} B`,
      `${catchUpBytes.toFixed(1)} B`,
      met,
    ]);
  }
  return rows.length > 1 ? markdownTable(rows) : "";
}
