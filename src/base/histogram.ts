/** A histogram in plain cells: counting is two additions and a short search, and nothing is allocated. Metrics read it as Prometheus has histograms. */
import { must } from "./assert.ts";

export class Histogram {
  /** Upper bounds, rising; what is above the last counts only in the sum and the count. */
  readonly bounds: readonly number[];
  /** How many were at most the bound and above the one before. */
  readonly counts: number[];
  count = 0;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.count++;
    this.sum += value;
    const { bounds, counts } = this;
    for (let i = 0; i < bounds.length; i++) {
      if (value > must(bounds[i])) continue;
      counts[i] = must(counts[i]) + 1;
      return;
    }
  }
}
