/** Raft logs over a WAL on the simulated disk, and the part of the node's turn that they need. */
import { must } from "../../src/base/assert.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { CopyIdentity } from "../../src/log/raft-group.ts";
import type { RaftLog } from "../../src/log/raft-log.ts";
import { RaftLogs } from "../../src/log/raft-logs.ts";
import type { PeerSender } from "../../src/raft/peer-sender.ts";
import type { Entry } from "../../src/log/shared-log.ts";
import { Wal } from "../../src/wal/wal.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";
import { drain } from "../contract/shared-log.ts";

/** What a segment of {@link segmentBytes} can hold, and a little less. */
export const entryMaxBytes = 30_000;
const segmentBytes = 65_536;

export interface LogDiskOptions {
  /** A sync of more than 2 ms makes the log use the thread pool. */
  readonly syncMs?: number;
  readonly clock?: SimulatedClock;
  readonly sender?: PeerSender;
  readonly bootstrap?: CopyIdentity;
  readonly priority?: number;
  readonly seed?: number;
}

export class LogDisk {
  readonly clock: SimulatedClock;
  readonly files: SimulatedFileSystem;
  /** What a sync takes from now on. */
  syncMs: number;
  readonly #options: LogDiskOptions;
  readonly #random: SeededRandom;
  #open: { wal: Wal; logs: RaftLogs; byGroup: Map<number, RaftLog> } | undefined;

  constructor(options: LogDiskOptions = {}, files?: SimulatedFileSystem) {
    const { syncMs = 0, clock = new SimulatedClock(), seed = 1 } = options;
    const latencyMs = ({ kind }: { kind: string }): number => (kind === "sync" ? this.syncMs : 0);
    this.syncMs = syncMs;
    this.clock = clock;
    this.files = files ?? new SimulatedFileSystem({ clock, directories: ["/data"], latencyMs });
    this.#options = options;
    this.#random = new SeededRandom(seed);
  }

  /** The same disk, opened in another way. */
  reopened(options: Omit<LogDiskOptions, "clock"> = {}): LogDisk {
    return new LogDisk({ ...options, clock: this.clock }, this.files);
  }

  get wal(): Wal {
    return must(this.#open).wal;
  }

  get logs(): RaftLogs {
    return must(this.#open).logs;
  }

  log(group: number): RaftLog {
    return must(must(this.#open).byGroup.get(group));
  }

  /** Opens the groups and starts them: a lone copy leads, and its own entry is durable and read. */
  async open(groups: readonly number[] = [1]): Promise<void> {
    await this.openOnly(groups);
    this.logs.start();
    await this.settle();
  }

  /** As a start of the node before its logs start. */
  async openOnly(groups: readonly number[] = [1]): Promise<void> {
    const { sender, bootstrap, priority = 0 } = this.#options;
    const wal = await this.clock.drive(
      Wal.open({
        files: this.files,
        clock: this.clock,
        logger: silentLogger,
        directory: "/data/wal",
        segmentBytes,
        nodeId: 7,
        lowWaterBytes: 0,
        onFailure: (error) => this.#open?.logs.fail(error),
        onSpace: () => {},
      }),
    );
    const logs = new RaftLogs({
      wal,
      random: this.#random,
      sender,
      priorityOf: () => priority,
      entryMaxBytes,
    });
    const byGroup = new Map<number, RaftLog>();
    this.#open = { wal, logs, byGroup };
    for (const group of groups) byGroup.set(group, logs.open(group, bootstrap));
  }

  /** Flushes until nothing is left to do. */
  async settle(): Promise<void> {
    for (;;) {
      if (this.logs.ready) this.logs.flush();
      else if (!this.logs.busy) break;
      await this.clock.advanceSettled(1);
    }
    await this.clock.settle();
  }

  /** All that is confirmed, while the log goes on. */
  async read(group: number): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (;;) {
      const some = drain(this.log(group), 1_048_576);
      if (some.length === 0) return entries;
      entries.push(...some);
      await this.settle();
    }
  }

  async close(): Promise<void> {
    await this.clock.drive(this.wal.close());
  }

  /** The process ends without a word; what was not synced may be lost. */
  async crash(): Promise<void> {
    await this.clock.drive(this.wal.abandon());
  }

  async reopen(groups: readonly number[] = [1]): Promise<void> {
    await this.close();
    await this.open(groups);
  }
}
