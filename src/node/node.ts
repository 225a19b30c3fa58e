/**
 * One node composed: a WAL, its partitions, and the one turn that serves them all.
 *
 *     turn   seal what has gathered → one write and one fdatasync for all → apply what is confirmed → tell the surfaces
 *
 * Life: `open` recovers and leads; `drain` refuses new operations and waits for those in hand; `stop` makes all durable and lets the directory go.
 */
import { must } from "../base/assert.ts";
import { type Timer, delay, nextTurn } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import { limits } from "../base/limits.ts";
import { randomSafeInteger } from "../base/random.ts";
import { WalLogs } from "../log/wal-log.ts";
import { type ErrorOutcome, errorOutcome } from "../machines/outcome.ts";
import { ConfirmHealth } from "../partition/confirm-health.ts";
import type { PipelineLoad } from "../partition/gather.ts";
import { Partition } from "../partition/partition.ts";
import { partitionOfSlot } from "../placement/slots.ts";
import { CheckpointStore } from "../state/checkpoint-store.ts";
import { listLog } from "../wal/segment.ts";
import { Wal } from "../wal/wal.ts";
import { CheckpointRounds } from "./checkpoint-rounds.ts";
import {
  type BootstrapOptions,
  type Identity,
  confirmIdentity,
  isConfirmed,
  makeDataDirectory,
  readOrMakeIdentity,
} from "./identity.ts";

export interface NodeOptions extends BootstrapOptions {
  readonly dataDirectory: string;
  readonly walSegmentBytes?: number | undefined;
}

/** How the node is: one reason to refuse operations at a time, the gravest. */
type Condition = "serving" | "diskfull" | "draining" | "stopped";

export class Node {
  readonly identity: Identity;
  readonly partitions: readonly Partition[];
  readonly wal: Wal;
  readonly startedMs: number;
  readonly load: PipelineLoad;
  readonly #environment: Environment;
  readonly #logs: WalLogs;
  readonly #stores: readonly CheckpointStore[];
  readonly #lock: { release(): void };
  readonly #rounds: CheckpointRounds;
  #condition: Condition = "serving";
  #diskFull = false;
  /** No turn before the node leads. */
  #turnAsked = true;
  #tick: Timer | undefined;
  #confirmedMs: number;
  #turnEnded: () => void = () => {};
  #fatal: (error: Error) => void = () => {};
  #failure: Error | undefined;

  private constructor(parts: {
    environment: Environment;
    identity: Identity;
    lock: { release(): void };
    wal: Wal;
    stores: readonly CheckpointStore[];
  }) {
    const { environment, identity, wal, stores } = parts;
    const { clock, random, logger } = environment;
    this.#environment = environment;
    this.#lock = parts.lock;
    this.#stores = stores;
    this.identity = identity;
    this.wal = wal;
    this.startedMs = clock.wallMs();
    this.#confirmedMs = clock.monotonicMs();
    this.load = { bytes: 0, operations: 0 };
    const health = new ConfirmHealth((error) => this.fail(error));
    const writer = randomSafeInteger(random);
    const wake = (): void => this.#wake();
    this.#logs = new WalLogs(wal, wake);
    this.partitions = stores.map((store, id) => {
      const log = this.#logs.open(id);
      log.onChange(wake);
      const onceMaxBytes = Math.floor(limits.onceMaxBytes / stores.length);
      return new Partition({
        id,
        log,
        store,
        clock,
        random,
        logger,
        load: this.load,
        health,
        writer,
        onceMaxBytes,
        wake,
      });
    });
    this.#rounds = new CheckpointRounds({ partitions: this.partitions, wal, clock, logger, wake });
  }

  /**
   * Opens the data directory, recovers what is in it, and leads all its partitions. Throws TrubaError DATALOCKED, DATADAMAGED, DATAVERSION or BADCONFIG;
   * a refused start changes nothing.
   */
  static async open(environment: Environment, options: NodeOptions): Promise<Node> {
    const { files, logger, clock } = environment;
    const directory = options.dataDirectory;
    makeDataDirectory(files, directory);
    const lock = await files.lock(directory);
    let wal: Wal | undefined;
    try {
      const identity = readOrMakeIdentity(environment, directory, options);
      if (isConfirmed(files, directory)) mustHoldLog(files, directory);
      const stores = await openStores(environment, directory, identity.partitions);
      let opened: Node | undefined;
      let failedEarly: Error | undefined;
      let diskFull = false;
      wal = await Wal.open({
        files,
        clock,
        logger,
        directory: `${directory}/wal`,
        segmentBytes: options.walSegmentBytes ?? limits.walSegmentBytes,
        nodeId: identity.nodeId,
        lowWaterBytes: limits.diskLowWaterBytes,
        onFailure: (error) => {
          failedEarly = error;
          opened?.fail(error);
        },
        onSpace: (full) => {
          diskFull = full;
          opened?.setDiskFull(full);
        },
      });
      confirmIdentity(files, directory);
      opened = new Node({ environment, identity, lock, wal, stores });
      if (failedEarly !== undefined) throw failedEarly;
      if (diskFull) opened.setDiskFull(true);
      await opened.#start();
      return opened;
    } catch (error) {
      await wal?.abandon();
      lock.release();
      throw error;
    }
  }

  /** The partition that owns a slot. */
  partitionOf(slot: number): Partition {
    return must(this.partitions[partitionOfSlot(slot, this.partitions.length)]);
  }

  /** Told at the end of every turn, when outcomes have been settled: the time to write answers out. */
  onTurnEnd(listener: () => void): void {
    this.#turnEnded = listener;
  }

  /** Told once when the node can no longer make writes durable or has found its state wrong; it has stopped acknowledging. */
  onFatal(listener: (error: Error) => void): void {
    this.#fatal = listener;
    if (this.#failure !== undefined) listener(this.#failure);
  }

  get condition(): Condition {
    return this.#condition;
  }

  /** Free disk space is below or above the low-water mark. */
  setDiskFull(full: boolean): void {
    if (full !== this.#diskFull)
      this.#environment.logger.warn(
        { full },
        full ? "disk is full: writes are refused" : "disk has space again",
      );
    this.#diskFull = full;
    this.#setCondition();
    if (!full) this.#wake();
  }

  /** Refuses new operations and waits for those in hand. */
  async drain(): Promise<void> {
    this.#condition = this.#condition === "stopped" ? "stopped" : "draining";
    this.#setCondition();
    while (this.#failure === undefined && this.partitions.some((partition) => !partition.idle)) {
      // A write that waits for space would wait for ever: `stop` gives it up.
      if (this.#diskFull && this.#logs.busy) return;
      this.#wake();
      if (this.#logs.busy) await delay(this.#environment.clock, 1);
      else await nextTurn(this.#environment.clock);
    }
  }

  /** Makes all durable and lets the directory go. What is in hand, if it was not drained, is answered. */
  async stop(): Promise<void> {
    this.#tick?.cancel();
    for (const partition of this.partitions) partition.stop();
    this.#condition = "stopped";
    this.#setCondition();
    try {
      await this.#rounds.stop();
      await this.wal.close();
      if (this.#failure === undefined)
        for (const partition of this.partitions) partition.applyConfirmed(Infinity);
      for (const partition of this.partitions) partition.fail();
      for (const store of this.#stores) await store.close();
    } finally {
      this.#lock.release();
    }
  }

  /** What became of its checkpoints. */
  get checkpoints(): Pick<CheckpointRounds, "completed" | "completedMs" | "durable"> {
    return this.#rounds;
  }

  /** Writes a checkpoint of every partition that changed. Resolves with whether all are durable. */
  checkpoint(): Promise<boolean> {
    return this.#rounds.run();
  }

  /** The node can go on no longer. What is in hand has an unknown outcome. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#environment.logger.error(
      { error: errorText(error) },
      "the node stops: it can no longer make writes durable",
    );
    this.#condition = "stopped";
    this.#setCondition();
    this.#logs.fail(error);
    for (const partition of this.partitions) partition.fail();
    // A state that may be wrong must not become a checkpoint.
    void this.#rounds.stop();
    this.#environment.clock.soon(() => {
      this.#turnEnded();
      this.#fatal(error);
    });
  }

  async #start(): Promise<void> {
    const { clock, logger } = this.#environment;
    const started = clock.monotonicMs();
    await Promise.all(this.partitions.map((partition) => partition.load()));
    for (const partition of this.partitions) mustMeet(partition);
    for (const partition of this.partitions) await this.#replay(partition);
    this.#logs.lead();
    await this.#flushed();
    for (const partition of this.partitions) {
      await this.#replay(partition);
      partition.lead();
    }
    // Before the first turn, and so before the first checkpoint.
    for (const store of this.#stores) await store.removeLeftovers();
    this.#turnAsked = false;
    this.#wake();
    this.#scheduleTick();
    const rows = this.partitions.reduce((sum, partition) => sum + partition.state.rows, 0);
    logger.info(
      { rows, partitions: this.partitions.length, ms: Math.round(clock.monotonicMs() - started) },
      "recovered",
    );
  }

  async #replay(partition: Partition): Promise<void> {
    const { clock } = this.#environment;
    while (!partition.applyConfirmed(clock.monotonicMs() + limits.applyTurnMaxMs))
      await nextTurn(clock);
  }

  /** Writes what is staged; resolves when it is durable. */
  async #flushed(): Promise<void> {
    this.#logs.flush();
    while (this.#logs.busy && this.#failure === undefined) await delay(this.#environment.clock, 1);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #wake(): void {
    if (this.#turnAsked) return;
    this.#turnAsked = true;
    this.#environment.clock.soon(() => {
      this.#turnAsked = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#failure !== undefined || this.#condition === "stopped") return;
    try {
      if (!this.#logs.busy) {
        this.#confirmedMs = this.#environment.clock.monotonicMs();
        for (const partition of this.partitions) if (partition.gathered) partition.seal();
        // What a fast disk confirms within this call is applied below, in this same turn.
        this.#turnAsked = true;
        if (this.#logs.ready) this.#logs.flush();
        this.#turnAsked = false;
      }
      if (this.#failure !== undefined) return;
      const deadline = this.#environment.clock.monotonicMs() + limits.applyTurnMaxMs;
      for (const partition of this.partitions) {
        if (!partition.applyConfirmed(deadline)) this.#wake();
      }
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#turnEnded();
    this.#rounds.maybeRun();
  }

  #setCondition(): void {
    if (this.#condition === "serving" || this.#condition === "diskfull")
      this.#condition = this.#diskFull ? "diskfull" : "serving";
    const refusal = refusals[this.#condition];
    for (const partition of this.partitions) partition.refusal = refusal;
  }

  /** Once a second: proves an idle log synced, and gives up when nothing is confirmed for too long. */
  #scheduleTick(): void {
    this.#tick = this.#environment.clock.after(1_000, () => {
      if (this.#failure !== undefined || this.#condition === "stopped") return;
      const nowMs = this.#environment.clock.monotonicMs();
      // A write that waits for disk space has not failed.
      if (!this.#logs.busy || this.#diskFull) this.#confirmedMs = nowMs;
      const silentMs = nowMs - this.#confirmedMs;
      if (silentMs > limits.confirmSilenceMaxMs) {
        this.fail(
          new TrubaError("STOPPED", `no write was confirmed for ${Math.round(silentMs)} ms`),
        );
        return;
      }
      // Wakes for what came meanwhile, and for a checkpoint that failed before.
      if (!this.#logs.busy && !this.#logs.ready) this.wal.seal(() => this.#wake());
      this.#scheduleTick();
    });
  }
}

const refusals: Readonly<Record<Condition, ErrorOutcome | undefined>> = {
  serving: undefined,
  diskfull: errorOutcome(
    "DISKFULL",
    "free disk space is below the low-water mark; reads go on",
    1_000,
  ),
  draining: errorOutcome("SHUTTINGDOWN", "the node is stopping", 1_000),
  stopped: errorOutcome("STOPPED", "the node has stopped"),
};

/** Every node that has served has a log; one that is gone must not be taken for one that never was. */
function mustHoldLog(files: FileSystem, directory: string): void {
  if (listLog(files, `${directory}/wal`).segments.length > 0) return;
  throw new TrubaError(
    "DATADAMAGED",
    `${directory}/wal holds no segment, although ${directory}/node.json is there: the log is lost`,
  );
}

/** The log must go on where the checkpoint ends, and not end before it. */
function mustMeet(partition: Partition): void {
  const { first, committed } = partition.log.status();
  const { id, position } = partition;
  if (first > position + 1) {
    throw new TrubaError(
      "DATADAMAGED",
      `the log of partition ${id} begins at entry ${first}, its checkpoint ends at ${position}: what is between is lost`,
    );
  }
  if (committed < position) {
    throw new TrubaError(
      "DATADAMAGED",
      `the log of partition ${id} ends at entry ${committed}, its checkpoint at ${position}: what is between is lost`,
    );
  }
}

async function openStores(
  environment: Environment,
  directory: string,
  partitions: number,
): Promise<CheckpointStore[]> {
  const { files, clock, logger } = environment;
  const stores: CheckpointStore[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const path = `${directory}/partitions/${String(partition).padStart(4, "0")}`;
    const { store } = await CheckpointStore.open({
      files,
      clock,
      logger,
      directory: path,
      partition,
    });
    stores.push(store);
  }
  return stores;
}
