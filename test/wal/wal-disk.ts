/** A log on the simulated disk, with what a test needs to run it, to cut it off and to start it again. */
import { must } from "../../src/base/assert.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { Wal } from "../../src/wal/wal.ts";
import type { WalOptions } from "../../src/wal/wal.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";
import type { SimulatedFileSystemOptions } from "../../simulator/simulated-file-system.ts";

export const directory = "/data/wal";
export const segmentBytes = 8_192;
export const nodeId = 0x1234_5678_9abc;

export interface WalDisk {
  readonly clock: SimulatedClock;
  readonly files: SimulatedFileSystem;
}

export function newDisk(options: Partial<SimulatedFileSystemOptions> = {}): WalDisk {
  const clock = options.clock ?? new SimulatedClock();
  return { clock, files: new SimulatedFileSystem({ clock, directories: ["/data"], ...options }) };
}

/** The same disk again, to be treated in another way. */
export function copyOf(disk: WalDisk): WalDisk {
  return { clock: disk.clock, files: disk.files.clone() };
}

/** One run of a process with a log. */
export class WalRun {
  readonly disk: WalDisk;
  readonly failures: Error[] = [];
  readonly space: boolean[] = [];
  #wal: Wal | undefined;
  #onFailure = () => {};

  constructor(disk: WalDisk) {
    this.disk = disk;
  }

  get wal(): Wal {
    return must(this.#wal);
  }

  options(changed: Partial<WalOptions> = {}): WalOptions {
    return {
      files: this.disk.files,
      clock: this.disk.clock,
      logger: silentLogger,
      directory,
      segmentBytes,
      nodeId,
      lowWaterBytes: 0,
      onFailure: (error) => {
        this.failures.push(error);
        this.#onFailure();
      },
      onSpace: (full) => this.space.push(full),
      ...changed,
    };
  }

  async open(changed: Partial<WalOptions> = {}): Promise<Wal> {
    this.#wal = await this.disk.clock.drive(Wal.open(this.options(changed)));
    return this.#wal;
  }

  /** Flushes; true when it is durable, false when the log failed. */
  async flush(): Promise<boolean> {
    return this.#ended((done) => this.wal.flush(done));
  }

  async seal(): Promise<boolean> {
    return this.#ended((done) => this.wal.seal(done));
  }

  /** Lets background work come to its end. */
  async settle(): Promise<void> {
    await this.disk.clock.settle();
  }

  async close(): Promise<void> {
    await this.disk.clock.drive(this.wal.close());
  }

  async #ended(begin: (done: () => void) => void): Promise<boolean> {
    let outcome: boolean | undefined;
    const ended = new Promise<void>((resolve) => {
      this.#onFailure = () => {
        outcome ??= false;
        resolve();
      };
      begin(() => {
        outcome = true;
        resolve();
      });
    });
    if (outcome === undefined) await this.disk.clock.drive(ended);
    return outcome ?? false;
  }
}

/** A disk with an open log on it. */
export async function openRun(
  disk = newDisk(),
  changed: Partial<WalOptions> = {},
): Promise<WalRun> {
  const run = new WalRun(disk);
  await run.open(changed);
  return run;
}
