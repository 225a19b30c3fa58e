/** What the node says of itself to people and pages: `/v1/status`, and whether it is ready. Answered locally. */
import { z } from "zod";
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Node } from "../../node/node.ts";
import type { QueueStats } from "../../protocol/requests.ts";
import { addressText, heartbeatOf } from "../heartbeat.ts";
import type { ServerContext } from "../server-context.ts";
import { verbSchemas } from "./verb-schemas.ts";
import { count, flag, kindName, moment, object, text } from "./wire-fields.ts";

const numberOf = (description: string) => count({ description, example: 1 });
const stateCounts = (names: readonly string[]) =>
  object(Object.fromEntries(names.map((name) => [name, numberOf(`how many are ${name}`)])));

export const statusSchema = object({
  cluster: text({ description: "name of the cluster", example: "Truba" }),
  node: text({ description: "name of the node", example: "node-1" }),
  version: text({ description: "version of Truba", example: "0.2.0" }),
  condition: z
    .enum(["serving", "diskfull", "draining", "stopped"])
    .meta({ description: "whether it takes requests" }),
  ready: flag("whether it serves and leads all its partitions"),
  warning: text({ description: "what to know of the cluster" }).optional(),
  startedAtMs: moment("when it started, by its clock"),
  timeMs: moment("its clock"),
  clientAddress: text({ description: "for RESP and the line protocol", example: "127.0.0.1:8765" }),
  httpAddress: text({ description: "for HTTP", example: "127.0.0.1:8080" }),
  replicationFactor: numberOf("full copies that the cluster is to keep of each partition"),
  connections: object({
    client: numberOf("of RESP and the line protocol"),
    http: numberOf("of HTTP"),
  }),
  memoryBytes: count({ description: "memory of the process; 0 = not known" }),
  logBytes: count({ description: "disk space of the log" }),
  records: numberOf("records"),
  tasks: stateCounts(["waiting", "delayed", "leased", "dead"]),
  sessions: stateCounts(["active", "stored", "dead"]),
  partitions: z.array(
    object({
      partition: numberOf("its number"),
      role: z
        .enum(["leader", "follower", "stopped"])
        .meta({ description: "what its copy here is" }),
      term: numberOf("Raft's term"),
      position: numberOf("last entry that is applied"),
      committed: numberOf("last entry that is confirmed"),
      rows: numberOf("rows of its tables"),
      bytes: numberOf("what they take in memory"),
      checkpoint: numberOf("last entry that a durable checkpoint holds"),
    }),
  ),
  documents: object({
    source: text({ description: "name under which the node writes documents", example: "node-1" }),
    count: numberOf("documents"),
    links: numberOf("links to other nodes"),
    linksUp: numberOf("those of them that are up"),
  }),
  queuesCount: numberOf("queues in all"),
  queues: z.array(verbSchemas["queue.stats"].response).meta({ description: "the first, by name" }),
  kinds: z.array(
    object({
      kind: kindName,
      closed: flag("not in the configuration any more"),
      active: numberOf("active sessions"),
      stored: numberOf("stored sessions"),
      dead: numberOf("dead sessions"),
    }),
  ),
});

/** What status and metrics tell of single queues. */
export function firstQueues(node: Node): readonly QueueStats[] {
  const { queues } = node.requests.read("queue.list", { count: limits.queuesShownMaxCount }) as {
    queues: readonly QueueStats[];
  };
  return queues;
}

/** Why the node is not ready, if so: it does not serve, or does not lead a partition that has a copy here. */
export function unready(node: Node): TrubaError | undefined {
  switch (node.condition) {
    case "diskfull":
      return new TrubaError(
        "DISKFULL",
        "free disk space is below the low-water mark; reads go on",
        {
          retryAfterMs: 1_000,
        },
      );
    case "draining":
      return new TrubaError("SHUTTINGDOWN", "the node is stopping", { retryAfterMs: 1_000 });
    case "stopped":
      return new TrubaError("STOPPED", "the node has stopped");
    case "serving":
      break;
    default:
      node.condition satisfies never;
  }
  const idle = node.partitions.filter(({ leads }) => !leads).map(({ id }) => id);
  if (idle.length === 0) return undefined;
  return new TrubaError("NOTLEADER", `this node does not lead partition ${idle.join(", ")}`, {
    retryAfterMs: limits.notLeaderRetryAfterMs,
  });
}

export function statusOf(
  context: ServerContext,
  http: { readonly address: string; readonly connections: number },
): object {
  const { node, advertised, version, clock } = context;
  const { identity, partitions } = node;
  const { warning } = heartbeatOf(context);
  const tasks = { waiting: 0, delayed: 0, leased: 0, dead: 0 };
  const sessions = { active: 0, stored: 0, dead: 0 };
  let records = 0;
  let queuesCount = 0;
  for (const { stack } of partitions) {
    const queued = stack.queues.totals;
    for (const state of ["waiting", "delayed", "leased", "dead"] as const)
      tasks[state] += queued[state];
    for (const state of ["active", "stored", "dead"] as const)
      sessions[state] += stack.sessions.totals[state];
    records += stack.records.count;
    queuesCount += queued.queues;
  }
  return {
    cluster: identity.clusterName,
    node: identity.name,
    version,
    condition: node.condition,
    ready: unready(node) === undefined,
    ...(warning === undefined ? {} : { warning }),
    startedAtMs: node.startedMs,
    timeMs: clock.wallMs(),
    clientAddress: addressText(advertised),
    httpAddress: http.address,
    replicationFactor: identity.replicationFactor,
    connections: { client: context.sessions.size, http: http.connections },
    memoryBytes: context.processFacts?.memory().residentBytes ?? 0,
    logBytes: node.wal.statistics.diskBytes,
    records,
    tasks,
    sessions,
    partitions: partitions.map(({ id, log, position, state, checkpointer }) => {
      const { role, term, committed } = log.status();
      return {
        partition: id,
        role,
        term,
        position,
        committed,
        rows: state.rows,
        bytes: state.memoryBytes,
        checkpoint: checkpointer.position,
      };
    }),
    documents: documentsOf(node),
    queuesCount,
    queues: firstQueues(node),
    kinds: kindsOf(node),
  };
}

function documentsOf({ documents }: Node): object {
  const links = documents.links();
  return {
    source: documents.source,
    count: [...documents.names()].length,
    links: links.length,
    linksUp: links.filter(({ state }) => state === "up").length,
  };
}

function kindsOf(node: Node): readonly object[] {
  const { kinds } = node.requests.read("session.kinds", {}) as {
    kinds: readonly { kind: string; closed: boolean }[];
  };
  return kinds.map(({ kind, closed }) => {
    const counts = { active: 0, stored: 0, dead: 0 };
    for (const { stack } of node.partitions) {
      const of = stack.sessions.totalsOf(kind);
      for (const state of ["active", "stored", "dead"] as const) counts[state] += of[state];
    }
    return { kind, closed, ...counts };
  });
}
