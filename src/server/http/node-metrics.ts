/** What /metrics tells: of the node, its log, its partitions, and what it keeps. Every number is read from where it is kept when somebody asks. */
import { Histogram } from "../../base/histogram.ts";
import { limits } from "../../base/limits.ts";
import { must } from "../../base/assert.ts";
import type { Partition } from "../../partition/partition.ts";
import type { ServerContext } from "../server-context.ts";
import { documentMetrics } from "./document-metrics.ts";
import type { Metric, Sample } from "./metrics-registry.ts";
import { firstQueues } from "./node-status.ts";
import { type MetricsSources, one, sum, surfaceMetrics } from "./surface-metrics.ts";

export function nodeMetrics(sources: MetricsSources): readonly Metric[] {
  return [
    ...surfaceMetrics(sources),
    ...pipelineMetrics(sources.context),
    ...logMetrics(sources),
    ...partitionMetrics(sources.context),
    ...machineMetrics(sources),
    ...documentMetrics(sources.context.node.documents),
  ];
}

function pipelineMetrics({ node }: ServerContext): readonly Metric[] {
  const { load } = node;
  return [
    {
      name: "truba_pipeline_operations",
      help: "Operations that are gathered or being confirmed.",
      kind: "gauge",
      read: () => one(load.operations),
    },
    {
      name: "truba_pipeline_bytes",
      help: "Bytes of operations that are gathered or being confirmed.",
      kind: "gauge",
      read: () => one(load.bytes),
    },
    {
      name: "truba_operations_accepted_total",
      help: "Operations that were sealed into batches by this run of the node.",
      kind: "counter",
      read: () => one(sum(node.partitions.map(({ batches }) => batches.sum))),
    },
    {
      name: "truba_operations_applied_total",
      help: "Operations that the partitions here have applied, those of earlier runs included.",
      kind: "counter",
      read: () => one(sum(node.partitions.map(({ number }) => number))),
    },
    {
      name: "truba_batch_operations",
      help: "Operations in one batch.",
      kind: "histogram",
      read: () => merged(node.partitions.map(({ batches }) => batches)),
    },
    {
      name: "truba_takers_waiting",
      help: "Pops, takes and subscriptions that wait, on each partition where they do.",
      kind: "gauge",
      read: () => one(node.requests.takes.waiting),
    },
  ];
}

function logMetrics({ context, freeBytes }: MetricsSources): readonly Metric[] {
  const { wal, checkpoints } = context.node;
  const disk: Metric = {
    name: "truba_disk_free_bytes",
    help: "Free space of the disk that holds the data.",
    kind: "gauge",
    read: () => one(freeBytes?.() ?? 0),
  };
  return [
    {
      name: "truba_log_batches_total",
      help: "Batches that were written to the log and synced.",
      kind: "counter",
      read: () => one(wal.statistics.batches),
    },
    {
      name: "truba_log_written_bytes_total",
      help: "Bytes that were written to the log.",
      kind: "counter",
      read: () => one(wal.statistics.bytes),
    },
    {
      name: "truba_log_sync_duration_seconds",
      help: "What a write to the log and its fdatasync take.",
      kind: "histogram",
      read: () => wal.statistics.syncDurations,
    },
    {
      name: "truba_log_segments",
      help: "Segments that hold entries which no checkpoint holds yet.",
      kind: "gauge",
      read: () => one(wal.statistics.liveSegments),
    },
    {
      name: "truba_log_spare_segments",
      help: "Segments that are made ahead of need.",
      kind: "gauge",
      read: () => one(wal.statistics.spareSegments),
    },
    {
      name: "truba_log_disk_bytes",
      help: "Disk space of the log, spare segments included.",
      kind: "gauge",
      read: () => one(wal.statistics.diskBytes),
    },
    {
      name: "truba_checkpoint_rounds_total",
      help: "Rounds of checkpoints that ended with every partition durable.",
      kind: "counter",
      read: () => one(checkpoints.completed),
    },
    {
      name: "truba_checkpoint_last_timestamp_seconds",
      help: "When the last of them ended, in seconds since 1970; the start of the node before the first.",
      kind: "gauge",
      read: () => one(checkpoints.completedMs / 1_000),
    },
    {
      name: "truba_checkpoint_failed",
      help: "1 if the last round of checkpoints did not end with every partition durable.",
      kind: "gauge",
      read: () => one(checkpoints.durable ? 0 : 1),
    },
    ...(freeBytes === undefined ? [] : [disk]),
  ];
}

function partitionMetrics({ node }: ServerContext): readonly Metric[] {
  const each = (name: string, help: string, read: (partition: Partition) => number): Metric => ({
    name: `truba_partition_${name}`,
    help,
    kind: "gauge",
    labels: ["partition"],
    read: () =>
      node.partitions.map((partition) => ({
        labels: { partition: partition.id },
        value: read(partition),
      })),
  });
  return [
    each("leads", "1 where this node leads the partition.", ({ leads }) => (leads ? 1 : 0)),
    each("term", "Raft's term.", ({ log }) => log.status().term),
    each("first_position", "First entry that is in the log.", ({ log }) => log.status().first),
    each("last_position", "Last entry that is in the log.", ({ log }) => log.status().last),
    each(
      "committed_position",
      "Last entry that is confirmed.",
      ({ log }) => log.status().committed,
    ),
    each("applied_position", "Last entry that is applied.", ({ position }) => position),
    each(
      "checkpoint_position",
      "Last entry that a durable checkpoint holds.",
      ({ checkpointer }) => checkpointer.position,
    ),
    each(
      "checkpoint_bytes",
      "Disk space of the partition's checkpoints.",
      ({ checkpointer }) => checkpointer.runBytes,
    ),
    each(
      "changed_rows",
      "Rows that changed since the last checkpoint.",
      ({ state }) => state.changedRows,
    ),
    each(
      "state_memory_bytes",
      "Memory of the partition's tables.",
      ({ state }) => state.memoryBytes,
    ),
    each("state_live_bytes", "Rows in them.", ({ state }) => state.liveBytes),
  ];
}

function machineMetrics({ context }: MetricsSources): readonly Metric[] {
  const { node } = context;
  const total = (read: (partition: Partition) => number): readonly Sample[] =>
    one(sum(node.partitions.map(read)));
  const byState = <State extends string>(
    states: readonly State[],
    read: (partition: Partition, state: State) => number,
  ): readonly Sample[] =>
    states.map((state) => ({
      labels: { state },
      value: sum(node.partitions.map((partition) => read(partition, state))),
    }));
  return [
    {
      name: "truba_records",
      help: "Records.",
      kind: "gauge",
      read: () => total(({ stack }) => stack.records.count),
    },
    {
      name: "truba_once_outcomes",
      help: "Outcomes that are remembered by their request ids.",
      kind: "gauge",
      read: () => total(({ stack }) => stack.once.count),
    },
    {
      name: "truba_queues",
      help: "Queues.",
      kind: "gauge",
      read: () => total(({ stack }) => stack.queues.totals.queues),
    },
    {
      name: "truba_tasks",
      help: "Tasks of all queues, by state.",
      kind: "gauge",
      labels: ["state"],
      read: () => byState(taskStates, ({ stack }, state) => stack.queues.totals[state]),
    },
    {
      name: "truba_queue_tasks",
      help: `Tasks of a queue, by state; of the first ${limits.queuesShownMaxCount} queues by name.`,
      kind: "gauge",
      labels: ["queue", "state"],
      read: () =>
        firstQueues(node).flatMap((stats) =>
          taskStates.map((state) => ({
            labels: { queue: stats.queue, state },
            value: stats[state],
          })),
        ),
    },
    {
      name: "truba_queue_payload_bytes",
      help: `Payloads of a queue's tasks; of the first ${limits.queuesShownMaxCount} queues by name.`,
      kind: "gauge",
      labels: ["queue"],
      read: () =>
        firstQueues(node).map(({ queue, payloadBytes }) => ({
          labels: { queue },
          value: payloadBytes,
        })),
    },
    {
      name: "truba_sessions",
      help: "Sessions, by state.",
      kind: "gauge",
      labels: ["state"],
      read: () => byState(sessionStates, ({ stack }, state) => stack.sessions.totals[state]),
    },
  ];
}

const taskStates = ["waiting", "delayed", "leased", "dead"] as const;
const sessionStates = ["active", "stored", "dead"] as const;

function merged(histograms: readonly Histogram[]): Histogram {
  const all = new Histogram(histograms[0]?.bounds ?? []);
  for (const { counts, count, sum: part } of histograms) {
    all.count += count;
    all.sum += part;
    counts.forEach((value, i) => {
      all.counts[i] = must(all.counts[i]) + value;
    });
  }
  return all;
}
