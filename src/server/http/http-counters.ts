/** Plain cells that the HTTP port counts in; metrics read them. */
import { Histogram } from "../../base/histogram.ts";
import type { RouteGroup } from "./route.ts";

/** Seconds. */
const durationBounds = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

export class HttpCounters {
  connectionsReceived = 0;
  connectionsRefused = 0;
  connections = 0;
  requests = 0;
  /** From the whole request to the answer, waiting included; of streams to their beginning. */
  readonly durations = new Histogram(durationBounds);
  /** `GROUP STATUS` → good answers. */
  readonly answers = new Map<string, number>();
  /** `CODE STATUS` → refusals. */
  readonly refusals = new Map<string, number>();

  answered(group: RouteGroup, status: number): void {
    add(this.answers, `${group} ${status}`);
  }

  refused(code: string, status: number): void {
    add(this.refusals, `${code} ${status}`);
  }
}

function add(cells: Map<string, number>, key: string): void {
  cells.set(key, (cells.get(key) ?? 0) + 1);
}
