/** The results of the benchmark of queues as text, held against the targets. */

import { DEPTH_TARGET, IDLE_TARGET, MEMORY_TARGET, SESSIONS_TARGET } from "./queue-cells.ts";
import type { QueueCell } from "./queue-cells.ts";
import type { DepthResult } from "./queue-depth.ts";
import type { IdleResult } from "./queue-idle.ts";
import type { QueueMemoryResult } from "./queue-memory.ts";
import {
  figureOf,
  grouped,
  judge,
  markdownTable,
  mebibytes,
  ratioText,
  type Target,
  type Verdict,
} from "./table.ts";

/** RSS of Redis with a million waiting jobs of BullMQ, measured on another day: for a run that leaves BullMQ out. */
const BULLMQ_BYTES = 692 * 2 ** 20;

/** What was not measured is missing or empty. */
export interface QueueResults {
  readonly cells: readonly QueueCell[];
  readonly depth: DepthResult | undefined;
  readonly memory: readonly QueueMemoryResult[];
  readonly idle: IdleResult | undefined;
}

/** One target and what became of it. */
export interface Finding {
  readonly what: string;
  readonly target: string;
  readonly measured: string;
  readonly verdict: Verdict["verdict"];
}

/** All targets, those that were not measured included. */
export function findings(results: QueueResults, targets: readonly Target[]): Finding[] {
  const ratios = judge(results.cells, targets).map(({ target, ratio, verdict }): Finding => ({
    what: target.cell,
    target: `>= ${target.atLeast} x ${target.to}`,
    measured: ratioText(ratio),
    verdict,
  }));
  return [
    ...ratios,
    sessionsFinding(results.cells),
    depthFinding(results.depth),
    memoryFinding(results.memory),
    restartFinding(results.memory),
    idleFinding(results.idle),
  ];
}

function sessionsFinding(cells: readonly QueueCell[]): Finding {
  const { cell: name, atLeast } = SESSIONS_TARGET;
  const figure = figureOf(cells.find((cell) => cell.name === name)?.samples.truba);
  const rate = figure?.perSecond.median;
  return {
    what: name,
    target: `>= ${grouped(atLeast)}/s`,
    measured: rate === undefined ? "-" : `${figure?.noisy === true ? "~" : ""}${grouped(rate)}/s`,
    verdict: verdictOf(rate === undefined ? undefined : rate >= atLeast, figure?.noisy),
  };
}

function depthFinding(depth: DepthResult | undefined): Finding {
  const { waiting, atMost } = DEPTH_TARGET;
  const measured =
    depth === undefined
      ? "-"
      : `${depth.noisy ? "~" : ""}${depth.ratio.toFixed(2)} x (${grouped(depth.deepPerSecond)}/s to ${grouped(depth.emptyPerSecond)}/s)`;
  // A shallow queue proves nothing.
  const proves = depth !== undefined && depth.waiting >= waiting;
  return {
    what: `push into a priority queue, ${grouped(depth?.waiting ?? waiting)} waiting`,
    target: `<= ${atMost} x an empty one`,
    measured,
    verdict: verdictOf(proves ? depth.ratio <= atMost : undefined, depth?.noisy),
  };
}

function memoryFinding(memory: readonly QueueMemoryResult[]): Finding {
  const { tasks, bytes, ofBullMq } = MEMORY_TARGET;
  const truba = memory.find(({ broker }) => broker === "truba");
  const bullmq = memory.find(({ broker }) => broker === "bullmq");
  const peer = bullmq?.loadedBytes ?? BULLMQ_BYTES;
  const ratio = truba === undefined ? undefined : truba.loadedBytes / peer;
  const proves = truba !== undefined && truba.tasks >= tasks;
  const earlier = bullmq === undefined ? ", BullMQ as measured earlier" : "";
  return {
    what: `RSS, ${grouped(truba?.tasks ?? tasks)} waiting tasks of ${bytes} B`,
    target: `<= ${ofBullMq} x bullmq`,
    measured: ratio === undefined ? "-" : `${ratio.toFixed(2)} x${earlier}`,
    verdict: verdictOf(proves && ratio !== undefined ? ratio <= ofBullMq : undefined, false),
  };
}

function restartFinding(memory: readonly QueueMemoryResult[]): Finding {
  const { tasks, restartSeconds } = MEMORY_TARGET;
  const truba = memory.find(({ broker }) => broker === "truba");
  const proves = truba !== undefined && truba.tasks >= tasks;
  return {
    what: "kill -9, then until the first pop",
    target: `< ${restartSeconds} s`,
    measured: truba === undefined ? "-" : restartText(truba),
    verdict: verdictOf(
      proves ? truba.restartSeconds < restartSeconds : undefined,
      truba?.restartNoisy,
    ),
  };
}

function idleFinding(idle: IdleResult | undefined): Finding {
  const { consumers, atMostPercent } = IDLE_TARGET;
  const proves = idle !== undefined && idle.consumers >= consumers;
  return {
    what: `processor time, ${grouped(idle?.consumers ?? consumers)} consumers waiting`,
    target: `<= ${atMostPercent} % of a core`,
    measured:
      idle === undefined
        ? "-"
        : `${idle.percent.toFixed(1)} % (${idle.basePercent.toFixed(1)} % without them)`,
    verdict: verdictOf(proves ? idle.percent <= atMostPercent : undefined, false),
  };
}

/** `met` undefined: not measured, or too small to prove anything. */
function verdictOf(met: boolean | undefined, noisy: boolean | undefined): Verdict["verdict"] {
  if (met === undefined) return "not measured";
  if (noisy === true) return "disturbed";
  return met ? "met" : "missed";
}

/** One line per target. */
export function findingsReport(all: readonly Finding[]): string {
  const rows = all.map(({ what, target, measured, verdict }) => [what, target, measured, verdict]);
  return markdownTable([["what", "target", "measured", "verdict"], ...rows]);
}

function restartText({ restartSeconds, restartNoisy }: QueueMemoryResult): string {
  return `${restartNoisy ? "~" : ""}${seconds(restartSeconds)}`;
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

/** Memory, disk and restart of those that were asked. */
export function memoryReport(results: readonly QueueMemoryResult[]): string {
  const row = (name: string, text: (result: QueueMemoryResult) => string): string[] => [
    name,
    ...results.map(text),
  ];
  const tasks = results[0]?.tasks ?? 0;
  return markdownTable([
    row(`${grouped(tasks)} waiting tasks`, ({ broker }) => broker),
    row("RSS, empty", ({ emptyBytes }) => mebibytes(emptyBytes)),
    row("RSS, loaded", ({ loadedBytes }) => mebibytes(loadedBytes)),
    row("RSS, peak while loading", ({ peakBytes }) => mebibytes(peakBytes)),
    row("disk, loaded", ({ diskBytes }) => mebibytes(diskBytes)),
    row("kill -9 to first pop", restartText),
    row("RSS, restarted", ({ restartedBytes }) => mebibytes(restartedBytes)),
    row("loading", ({ loadSeconds }) => seconds(loadSeconds)),
  ]);
}
