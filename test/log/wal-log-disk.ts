/** Logs over a WAL on the simulated disk, and the part of the node's turn that they need. */
import { must } from "../../src/base/assert.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { WalLogs } from "../../src/log/wal-log.ts";
import type { WalLog } from "../../src/log/wal-log.ts";
import { Wal } from "../../src/wal/wal.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";

export class LogDisk {
  readonly clock = new SimulatedClock();
  readonly files: SimulatedFileSystem;
  #open: { wal: Wal; logs: WalLogs; byGroup: Map<number, WalLog> } | undefined;

  /** A sync of more than 2 ms makes the log use the thread pool. */
  constructor(syncMs = 0) {
    const latencyMs = ({ kind }: { kind: string }): number => (kind === "sync" ? syncMs : 0);
    this.files = new SimulatedFileSystem({ clock: this.clock, directories: ["/data"], latencyMs });
  }

  get wal(): Wal {
    return must(this.#open).wal;
  }

  get logs(): WalLogs {
    return must(this.#open).logs;
  }

  log(group: number): WalLog {
    return must(must(this.#open).byGroup.get(group));
  }

  /** Opens the groups; they lead, and their own entries are durable. */
  async open(groups: readonly number[] = [1]): Promise<void> {
    await this.openOnly(groups);
    this.logs.lead();
    await this.settle();
  }

  /** As a start of the node that does not lead yet. */
  async openOnly(groups: readonly number[] = [1]): Promise<void> {
    const wal = await this.clock.drive(
      Wal.open({
        files: this.files,
        clock: this.clock,
        logger: silentLogger,
        directory: "/data/wal",
        segmentBytes: 65_536,
        nodeId: 7,
        lowWaterBytes: 0,
        onFailure: (error) => this.#open?.logs.fail(error),
        onSpace: () => {},
      }),
    );
    const logs = new WalLogs(wal);
    const byGroup = new Map(groups.map((group) => [group, logs.open(group)]));
    this.#open = { wal, logs, byGroup };
  }

  /** Flushes until nothing is staged. */
  async settle(): Promise<void> {
    for (;;) {
      if (this.logs.ready && this.#alive) this.logs.flush();
      else if (!this.logs.busy) break;
      await this.clock.advanceSettled(1);
    }
    await this.clock.settle();
  }

  async close(): Promise<void> {
    await this.clock.drive(this.wal.close());
  }

  async reopen(groups: readonly number[] = [1]): Promise<void> {
    await this.close();
    await this.open(groups);
  }

  get #alive(): boolean {
    return [...must(this.#open).byGroup.values()].every((log) => log.status().role !== "stopped");
  }
}
