/** The node itself: whether it lives and is ready, what it does, and its metrics. */
import { z } from "zod";
import type { ServerContext } from "../../server-context.ts";
import type { MetricsRegistry } from "../metrics-registry.ts";
import { statusOf, statusSchema, unready } from "../node-status.ts";
import { Refusal } from "../problem.ts";
import { type Route, jsonAnswer } from "../route.ts";
import { object } from "../wire-fields.ts";

export interface NodeRoutesParts {
  readonly context: ServerContext;
  readonly metrics: MetricsRegistry;
  readonly http: () => { readonly address: string; readonly connections: number };
}

const good = (word: string) => object({ status: z.literal(word) });

export function nodeRoutes({ context, metrics, http }: NodeRoutesParts): readonly Route[] {
  const { node } = context;
  return [
    {
      method: "GET",
      path: "/health/live",
      id: "get_health_live",
      group: "node",
      role: "public",
      summary: "Whether the process lives",
      answers: { 200: { description: "it does", json: good("live") } },
      errors: [],
      handle: () => jsonAnswer({ status: "live" }),
    },
    {
      method: "GET",
      path: "/health/ready",
      id: "get_health_ready",
      group: "node",
      role: "public",
      summary: "Whether the node serves and leads all its partitions",
      answers: { 200: { description: "it does", json: good("ready") } },
      problemStatus: 503,
      errors: ["SHUTTINGDOWN", "STOPPED", "DISKFULL", "NOTLEADER", "NOQUORUM"],
      handle: () => {
        const error = unready(node);
        if (error === undefined) return jsonAnswer({ status: "ready" });
        const { retryAfterMs } = error;
        throw new Refusal(error.code, error.message, {
          status: 503,
          ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        });
      },
    },
    {
      method: "GET",
      path: "/v1/status",
      id: "get_status",
      group: "node",
      role: "read",
      summary: "The node, its partitions, queues and sessions",
      answers: { 200: { description: "as it is here now", json: statusSchema } },
      errors: [],
      handle: () => jsonAnswer(statusOf(context, http())),
    },
    {
      method: "GET",
      path: "/metrics",
      id: "get_metrics",
      group: "node",
      role: "read",
      summary: "Metrics for Prometheus",
      answers: { 200: { description: "in Prometheus' text format", mediaType: "text/plain" } },
      errors: [],
      handle: async () => ({
        status: 200,
        body: {
          kind: "bytes",
          bytes: Buffer.from(await metrics.text(), "utf8"),
          contentType: metrics.contentType,
        },
      }),
    },
  ];
}
