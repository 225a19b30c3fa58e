/** INFO: what the node is and does, in the lines that tools for Redis read, and a section of our own. Nothing stands here that is not measured or true. */
import { limits } from "../../base/limits.ts";
import type { RespWriter } from "../../protocol/resp-writer.ts";
import { type Call, textOf } from "../call.ts";
import { clusterIdText } from "../cluster-id.ts";
import type { PlainCommand } from "../command.ts";
import { redisVersion } from "../redis-version.ts";
import type { ServerContext } from "../server-context.ts";
import type { Session } from "../session.ts";

type Line = readonly [name: string, value: string | number];

function server({
  node,
  clock,
  version,
  advertised,
  processFacts,
}: ServerContext): readonly Line[] {
  const uptimeSeconds = Math.max(0, Math.floor((clock.wallMs() - node.startedMs) / 1_000));
  return [
    ["redis_version", redisVersion],
    ["truba_version", version],
    ["redis_mode", "cluster"],
    ...(processFacts === undefined
      ? []
      : ([
          ["os", processFacts.system],
          ["process_id", processFacts.id],
        ] as const)),
    ["run_id", clusterIdText(node.identity)],
    ["tcp_port", advertised.port],
    ["server_time_usec", clock.wallMs() * 1_000],
    ["uptime_in_seconds", uptimeSeconds],
    ["uptime_in_days", Math.floor(uptimeSeconds / 86_400)],
  ];
}

function clients({ sessions }: ServerContext): readonly Line[] {
  return [
    ["connected_clients", sessions.size],
    ["maxclients", limits.connectionsMaxCount],
  ];
}

function memory({ processFacts }: ServerContext): readonly Line[] {
  const limit: readonly Line[] = [
    ["maxmemory", 0],
    ["maxmemory_policy", "noeviction"],
  ];
  if (processFacts === undefined) return limit;
  const { residentBytes, residentMaxBytes, heapUsed, heapTotal, external } = processFacts.memory();
  return [
    ["used_memory", heapUsed + external],
    ["used_memory_rss", residentBytes],
    ["used_memory_rss_peak", residentMaxBytes],
    ["used_memory_heap", heapUsed],
    ["used_memory_heap_total", heapTotal],
    ...limit,
  ];
}

function persistence({ node }: ServerContext): readonly Line[] {
  let changed = 0;
  for (const { state } of node.partitions) changed += state.changedRows;
  return [
    ["loading", 0],
    ["rdb_changes_since_last_save", changed],
    ["rdb_last_save_time", Math.floor(node.checkpoints.completedMs / 1_000)],
    ["rdb_last_bgsave_status", node.checkpoints.durable ? "ok" : "err"],
    ["aof_enabled", 1],
    ["aof_last_write_status", node.condition === "stopped" ? "err" : "ok"],
    ["aof_current_size", node.wal.statistics.diskBytes],
  ];
}

function stats({ counters }: ServerContext): readonly Line[] {
  return [
    ["total_connections_received", counters.connectionsReceived],
    ["total_commands_processed", counters.commandsProcessed],
    ["total_net_input_bytes", counters.bytesReceived],
    ["rejected_connections", counters.connectionsRefused],
    ["total_error_replies", counters.errorsAnswered],
  ];
}

function replication(): readonly Line[] {
  return [
    ["role", "master"],
    ["connected_slaves", 0],
  ];
}

function cpu({ processFacts }: ServerContext): readonly Line[] {
  if (processFacts === undefined) return [];
  const { userSeconds, systemSeconds } = processFacts.cpu();
  return [
    ["used_cpu_sys", systemSeconds.toFixed(6)],
    ["used_cpu_user", userSeconds.toFixed(6)],
  ];
}

function keyspace({ node }: ServerContext): readonly Line[] {
  let keys = 0;
  for (const { stack } of node.partitions) keys += stack.records.count;
  return keys === 0 ? [] : [["db0", `keys=${keys}`]];
}

function truba({ node, eventLoopDelay, heldBytes }: ServerContext): readonly Line[] {
  const { identity, partitions, load } = node;
  const log = node.wal.statistics;
  const sums = { records: 0, requestIds: 0, memory: 0, live: 0, changed: 0, runs: 0 };
  for (const { state, stack, checkpointer } of partitions) {
    sums.records += stack.records.count;
    sums.requestIds += stack.once.count;
    sums.memory += state.memoryBytes;
    sums.live += state.liveBytes;
    sums.changed += state.changedRows;
    sums.runs += checkpointer.runBytes;
  }
  const { p99Ms, maxMs } = eventLoopDelay.take();
  return [
    ["truba_cluster", identity.clusterName],
    ["truba_node", identity.name],
    ["truba_node_id", identity.nodeId],
    ["truba_condition", node.condition],
    ["truba_partitions", partitions.length],
    ["truba_replication_factor", identity.replicationFactor],
    ["truba_records", sums.records],
    ["truba_request_ids", sums.requestIds],
    ["truba_state_memory_bytes", sums.memory],
    ["truba_state_live_bytes", sums.live],
    ["truba_checkpoint_bytes", sums.runs],
    ["truba_checkpoints_completed", node.checkpoints.completed],
    ["truba_checkpoint_changed_rows", sums.changed],
    ["truba_pipeline_operations", load.operations],
    ["truba_pipeline_bytes", load.bytes],
    ["truba_requests_held_bytes", heldBytes],
    ["truba_log_disk_bytes", log.diskBytes],
    ["truba_log_segments", log.liveSegments],
    ["truba_log_spare_segments", log.spareSegments],
    ["truba_log_batches", log.batches],
    ["truba_log_bytes", log.bytes],
    ["truba_log_sync_mode", log.mode],
    ["truba_log_sync_average_ms", log.syncAverageMs.toFixed(3)],
    ["truba_log_sync_max_ms", log.syncMaxMs.toFixed(3)],
    // Since INFO last told them.
    ["truba_event_loop_delay_p99_ms", p99Ms.toFixed(3)],
    ["truba_event_loop_delay_max_ms", maxMs.toFixed(3)],
  ];
}

const sections: ReadonlyMap<string, (context: ServerContext) => readonly Line[]> = new Map([
  ["Server", server],
  ["Clients", clients],
  ["Memory", memory],
  ["Persistence", persistence],
  ["Stats", stats],
  ["Replication", replication],
  ["CPU", cpu],
  ["Cluster", () => [["cluster_enabled", 1]] as const],
  ["Keyspace", keyspace],
  ["Truba", truba],
]);

const wholeNames: readonly string[] = ["default", "all", "everything"];

function run(call: Call, session: Session, reply: RespWriter): void {
  const asked = Array.from({ length: call.count - 1 }, (_, i) => textOf(call, i + 1).toLowerCase());
  const all = asked.length === 0 || asked.some((name) => wholeNames.includes(name));
  const texts: string[] = [];
  for (const [title, lines] of sections) {
    if (!all && !asked.includes(title.toLowerCase())) continue;
    const body = lines(session.context).map(([name, value]) => `${name}:${value}\r\n`);
    texts.push(`# ${title}\r\n${body.join("")}`);
  }
  reply.verbatim("txt", texts.join("\r\n"));
}

export const infoCommand: PlainCommand = {
  kind: "plain",
  name: "INFO",
  arity: -1,
  flags: ["loading", "stale"],
  role: "read",
  group: "server",
  since: "0.1.0",
  usage: "[section [section ...]]",
  help: "What the node is and does: server, clients, memory, persistence, stats, replication, cpu, cluster, keyspace, truba.",
  keys: [0, 0, 0],
  run,
};
