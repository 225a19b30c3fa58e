/** Prometheus' text format, by prom-client: the only file that knows the library. Nothing is counted in it; it asks for the numbers when somebody looks. */
import { Counter, Gauge, Registry, collectDefaultMetrics } from "prom-client";
import { must } from "../../base/assert.ts";
import type { Histogram } from "../../base/histogram.ts";

export interface Sample {
  readonly labels?: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A metric as data. Names follow Prometheus' conventions: base units, `_total` for counters. */
export type Metric = {
  readonly name: string;
  readonly help: string;
} & (
  | {
      readonly kind: "counter" | "gauge";
      readonly labels?: readonly string[];
      read(): readonly Sample[];
    }
  | { readonly kind: "histogram"; read(): Histogram }
);

/** Of the library's own metrics of the process, those that break Prometheus' conventions: gauges whose names end as counters do. */
const unconventional = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

export class MetricsRegistry {
  readonly #registry = new Registry();

  /** `ofProcess`: also what the library knows of the process. It watches the garbage collector from then on, so that is for processes, not for tests. */
  constructor(metrics: readonly Metric[], ofProcess: boolean) {
    if (ofProcess) {
      collectDefaultMetrics({ register: this.#registry });
      for (const name of unconventional) this.#registry.removeSingleMetric(name);
    }
    for (const metric of metrics) this.#add(metric);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #add(metric: Metric): void {
    if (metric.kind === "histogram") {
      this.#registry.registerMetric(
        new CellHistogram(metric.name, metric.help, () => metric.read()) as never,
      );
      return;
    }
    const { name, help, labels = [] } = metric;
    const configuration = { name, help, labelNames: [...labels], registers: [this.#registry] };
    if (metric.kind === "counter") {
      const counter: Counter = new Counter({
        ...configuration,
        collect: () => {
          counter.reset();
          for (const { labels: of = {}, value } of metric.read()) counter.inc(of, value);
        },
      });
      return;
    }
    const gauge: Gauge = new Gauge({
      ...configuration,
      collect: () => {
        gauge.reset();
        for (const { labels: of = {}, value } of metric.read()) gauge.set(of, value);
      },
    });
  }
}

/** The library's histogram counts by itself and cannot be set; this one shows the cells of ours in its form. */
class CellHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = "histogram";
  readonly aggregator = "sum";
  readonly #read: () => Histogram;

  constructor(name: string, help: string, read: () => Histogram) {
    this.name = name;
    this.help = help;
    this.#read = read;
  }

  get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    const { bounds, counts, count, sum } = this.#read();
    let below = 0;
    const buckets = bounds.map((bound, i) => {
      below += must(counts[i]);
      return { metricName: `${name}_bucket`, labels: { le: bound }, value: below };
    });
    const values = [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { le: "+Inf" }, value: count },
      { metricName: `${name}_sum`, labels: {}, value: sum },
      { metricName: `${name}_count`, labels: {}, value: count },
    ];
    return Promise.resolve({ name, help, type, aggregator, values });
  }
}
