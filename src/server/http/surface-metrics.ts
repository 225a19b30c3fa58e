/** What /metrics tells of the surfaces: connections, requests, answers. */
import type { ServerContext } from "../server-context.ts";
import type { HttpCounters } from "./http-counters.ts";
import type { Metric, Sample } from "./metrics-registry.ts";

export interface MetricsSources {
  readonly context: ServerContext;
  readonly http: HttpCounters;
  /** Streams of events that are open. */
  readonly streams: () => number;
  /** Free space of the disk that holds the data, in bytes; `undefined`: not known. */
  readonly freeBytes: (() => number) | undefined;
}

const bySurface = (client: number, ofHttp: number): readonly Sample[] => [
  { labels: { surface: "client" }, value: client },
  { labels: { surface: "http" }, value: ofHttp },
];

const pairs = (cells: ReadonlyMap<string, number>, first: string): readonly Sample[] =>
  [...cells].map(([key, value]) => {
    const [word = "", status = ""] = key.split(" ");
    return { labels: { [first]: word, status }, value };
  });
export function surfaceMetrics(sources: MetricsSources): readonly Metric[] {
  return [...nodeFacts(sources.context), ...requestMetrics(sources), ...httpMetrics(sources)];
}

function nodeFacts({ node, version }: ServerContext): readonly Metric[] {
  const { identity } = node;
  return [
    {
      name: "truba_node_info",
      help: "The node: its version, its name and its cluster.",
      kind: "gauge",
      labels: ["version", "node", "cluster"],
      read: () => [
        {
          labels: { version, node: identity.name, cluster: identity.clusterName },
          value: 1,
        },
      ],
    },
    {
      name: "truba_node_serving",
      help: "1 while the node takes requests of all kinds.",
      kind: "gauge",
      read: () => one(node.condition === "serving" ? 1 : 0),
    },
    {
      name: "truba_node_start_time_seconds",
      help: "When the node started, in seconds since 1970.",
      kind: "gauge",
      read: () => one(node.startedMs / 1_000),
    },
  ];
}

function requestMetrics({ context, http }: MetricsSources): readonly Metric[] {
  const { counters } = context;
  return [
    {
      name: "truba_connections",
      help: "Connections that are open; client is the port of RESP and the line protocol.",
      kind: "gauge",
      labels: ["surface"],
      read: () => bySurface(context.sessions.size, http.connections),
    },
    {
      name: "truba_connections_accepted_total",
      help: "Connections that were made.",
      kind: "counter",
      labels: ["surface"],
      read: () => bySurface(counters.connectionsReceived, http.connectionsReceived),
    },
    {
      name: "truba_connections_refused_total",
      help: "Connections over the limit.",
      kind: "counter",
      labels: ["surface"],
      read: () => bySurface(counters.connectionsRefused, http.connectionsRefused),
    },
    {
      name: "truba_requests_total",
      help: "Requests that came, by surface.",
      kind: "counter",
      labels: ["surface"],
      read: () => [
        {
          labels: { surface: "resp" },
          value: counters.commandsProcessed - counters.lineCommandsProcessed,
        },
        { labels: { surface: "line" }, value: counters.lineCommandsProcessed },
        { labels: { surface: "http" }, value: http.requests },
      ],
    },
    {
      name: "truba_errors_answered_total",
      help: "Requests that were answered with an error.",
      kind: "counter",
      labels: ["surface"],
      read: () => bySurface(counters.errorsAnswered, sum(http.refusals.values())),
    },
  ];
}

function httpMetrics({ context, http, streams }: MetricsSources): readonly Metric[] {
  const { counters } = context;
  return [
    {
      name: "truba_client_received_bytes_total",
      help: "Bytes that came to the port of RESP and the line protocol.",
      kind: "counter",
      read: () => one(counters.bytesReceived),
    },
    {
      name: "truba_authentication_failures_total",
      help: "Tokens that were shown and not known.",
      kind: "counter",
      read: () => one(context.access.failures),
    },
    {
      name: "truba_http_answers_total",
      help: "Good answers of the HTTP port.",
      kind: "counter",
      labels: ["group", "status"],
      read: () => pairs(http.answers, "group"),
    },
    {
      name: "truba_http_refusals_total",
      help: "Problems that the HTTP port answered, by code.",
      kind: "counter",
      labels: ["code", "status"],
      read: () => pairs(http.refusals, "code"),
    },
    {
      name: "truba_http_request_duration_seconds",
      help: "From a whole request to its answer, waiting for tasks included.",
      kind: "histogram",
      read: () => http.durations,
    },
    {
      name: "truba_http_event_streams",
      help: "Streams of server-sent events that are open.",
      kind: "gauge",
      read: () => one(streams()),
    },
    {
      name: "truba_requests_held_bytes",
      help: "Parts of requests that have not arrived whole, and bodies of HTTP requests in hand.",
      kind: "gauge",
      read: () => one(context.heldBytes),
    },
  ];
}

export function one(value: number): readonly Sample[] {
  return [{ value }];
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
