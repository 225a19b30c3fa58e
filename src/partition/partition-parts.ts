/** What a partition is made of and stands on. */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { SharedLog } from "../log/shared-log.ts";
import type { KindSettings } from "../machines/sessions/kinds.ts";
import type { CheckpointStore } from "../state/checkpoint-store.ts";
import type { ConfirmHealth } from "./confirm-health.ts";
import type { PipelineLoad } from "./gather.ts";

export interface PartitionParts {
  readonly id: number;
  readonly log: SharedLog;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly load: PipelineLoad;
  readonly health: ConfirmHealth;
  readonly node: number;
  /** This run of the node: no other run of any node has the same. */
  readonly writer: number;
  /** The last sequence that this run of the node has used in the partition: 0 unless it had a copy of it before. */
  readonly sequence?: number;
  readonly onceMaxBytes: number;
  /** The kinds of sessions that the configuration has; absent: those that the state has stay. */
  readonly kinds?: readonly KindSettings[] | undefined;
  /** Asks for a turn of the node: something was gathered. */
  readonly wake: () => void;
}
