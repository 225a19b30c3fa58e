/** What a log needs to know, and what it tells of itself. */
import type { Clock } from "../base/clock.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Histogram } from "../base/histogram.ts";
import type { Logger } from "../base/logger.ts";

export interface WalOptions {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Made if it is not there; its parent must be. */
  readonly directory: string;
  /** Size of new segments, 4 KiB to 1 GiB. Half of it bounds one batch, and so one entry. */
  readonly segmentBytes: number;
  /** A safe integer. A log that another node wrote is refused. */
  readonly nodeId: number;
  /** Free disk space, beside what the next segment needs, below which `onSpace(true)` is called. */
  readonly lowWaterBytes: number;
  /**
   * What damage of acknowledged records does. `refuse`, the default: the log is not opened. `retire`: the groups that it concerns, or all of them
   * when that cannot be known, are in `Wal.damaged`; the others are whole and go on. Where nothing can be read behind the damage, or the log
   * is another node's or a newer Truba's, it is refused either way.
   */
  readonly onDamage?: "refuse" | "retire";
  /** Called once, when the log cannot go on. Nothing that was not confirmed before will be. */
  readonly onFailure: (error: Error) => void;
  /** Disk space has become short, or is there again; may be called before `open`
   * resolves. What is staged nevertheless still becomes durable as long as segments are left, and waits after that. */
  readonly onSpace: (full: boolean) => void;
}

export interface WalStatistics {
  /** How syncs are made now. */
  readonly mode: "sync" | "pool";
  readonly batches: number;
  readonly bytes: number;
  readonly syncAverageMs: number;
  readonly syncMaxMs: number;
  /** Of each write and its sync, in seconds. */
  readonly syncDurations: Histogram;
  readonly liveSegments: number;
  readonly spareSegments: number;
  readonly diskBytes: number;
}

/** What the parts of the log have in common. */
export function seams(options: WalOptions) {
  const { files, clock, logger, directory, segmentBytes, lowWaterBytes } = options;
  return { files, clock, logger, directory, segmentBytes, lowWaterBytes };
}
