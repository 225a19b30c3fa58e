/**
 * One node composed: a WAL, its copies of the partitions, and the turns that serve them all (turns.ts).
 *
 * Life: `open` recovers (node-start.ts) and, alone, leads; `drain` refuses new operations and waits for those in hand; `stop` makes all durable and lets the
 * directory go. A node among others opens as soon as it has recovered: who leads is decided as time passes.
 */
import { assert, must } from "../base/assert.ts";
import { delay, nextTurn } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { randomSafeInteger } from "../base/random.ts";
import type { Documents } from "../documents/documents.ts";
import type { RaftGroup } from "../log/raft-group.ts";
import { RaftLogs } from "../log/raft-logs.ts";
import { ConfirmHealth } from "../partition/confirm-health.ts";
import type { PipelineLoad } from "../partition/gather.ts";
import type { Partition } from "../partition/partition.ts";
import { partitionOfSlot } from "../placement/slots.ts";
import type { Message } from "../raft/vocabulary.ts";
import type {
  CheckpointReceiver,
  ExportedCheckpoint,
  ReceivedCheckpoint,
} from "../state/checkpoint-transfer.ts";
import type { Wal } from "../wal/wal.ts";
import { CheckpointRounds } from "./checkpoint-rounds.ts";
import { type Condition, NodeCondition } from "./condition.ts";
import { Copies, CopyDamage } from "./copies.ts";
import type { Identity } from "./identity.ts";
import { openDocuments, refusalOf } from "./node-documents.ts";
import { type NodeOptions, type OpenedDirectory, openDirectory } from "./node-start.ts";
import type { CopyPlan, RetiredCopy } from "./replication.ts";
import { Requests } from "./requests.ts";
import { type TurningNode, Turns } from "./turns.ts";

export type { NodeOptions } from "./node-start.ts";
export type { CopyPlan, RetiredCopy } from "./replication.ts";

export class Node {
  readonly identity: Identity;
  readonly wal: Wal;
  readonly startedMs: number;
  /** This run of the node: no other run of any node has the same. */
  readonly run: number;
  /** Does requests, for every surface. */
  readonly requests: Requests;
  readonly load: PipelineLoad = { bytes: 0, operations: 0 };
  /** Copies that were here and are gone for good: others, under other ids, must take their places. */
  readonly retired: readonly RetiredCopy[];
  readonly #environment: Environment;
  readonly #directory: OpenedDirectory;
  readonly #replicated: boolean;
  readonly #logs: RaftLogs;
  readonly #copies: Copies;
  readonly #turns: Turns;
  readonly #rounds: CheckpointRounds;
  readonly #condition: NodeCondition;
  #documents: Documents | undefined;
  #turnEnded: () => void = () => {};
  #fatal: (error: Error) => void = () => {};
  #failure: Error | undefined;

  private constructor(environment: Environment, directory: OpenedDirectory, options: NodeOptions) {
    const { clock, random, logger } = environment;
    const { wal, disk } = directory;
    const plans = [...directory.plans];
    const { replication } = options;
    this.#environment = environment;
    this.#directory = directory;
    this.#replicated = replication !== undefined;
    this.identity = directory.identity;
    this.wal = wal;
    this.retired = disk.retired;
    this.startedMs = clock.wallMs();
    this.run = randomSafeInteger(random);
    this.#condition = new NodeCondition(logger, (refusal) => {
      for (const partition of this.partitions) partition.refusal = refusal;
      if (this.#documents !== undefined) this.#documents.refusal = refusalOf(refusal);
    });
    const health = new ConfirmHealth((error) => this.fail(error));
    const wake = (): void => this.#turns.wake();
    const guest = (): Documents | undefined => this.#documents;
    this.#logs = new RaftLogs({
      wal,
      entryMaxBytes: directory.entryMaxBytes,
      random,
      sender: replication?.sender,
      onFlushed: wake,
      priorityOf: (group) => plans[group]?.priority ?? 0,
    });
    this.#copies = new Copies({
      plans,
      logs: this.#logs,
      wal,
      disk,
      hasEnded: () => this.#ended,
      shared: {
        clock,
        random,
        logger,
        load: this.load,
        health,
        node: this.identity.nodeId,
        writer: this.run,
        kinds: options.kinds,
        onceMaxBytes: Math.floor(limits.onceMaxBytes / plans.length),
        wake,
      },
    });
    this.#turns = new Turns({
      clock,
      logs: this.#logs,
      wal,
      copies: this.#copies,
      health,
      node: Node.#seenByTurns(this),
      guest,
    });
    this.#rounds = new CheckpointRounds({ copies: this.#copies, wal, clock, logger, wake, guest });
    const { nodeId } = this.identity;
    const { run } = this;
    const partitions = (): readonly Partition[] => this.partitions;
    this.requests = new Requests({ partitions, clock, random, nodeId, run });
  }

  /**
   * Opens the data directory and recovers what is in it. Alone it leads all its partitions when this resolves. Throws TrubaError DATALOCKED, DATADAMAGED, DATAVERSION
   * or BADCONFIG; a node alone that refuses to start changes nothing. With `replication` a damaged copy is retired instead: see {@link retired}.
   */
  static async open(environment: Environment, options: NodeOptions): Promise<Node> {
    const damage = new Map<number, string>();
    for (;;) {
      try {
        return await Node.#open(environment, options, damage);
      } catch (error) {
        if (!(error instanceof CopyDamage)) throw error;
        if (options.replication === undefined) throw error.damage;
        // Begins again without the copy.
        assert(!damage.has(error.partition), "a copy is retired once");
        damage.set(error.partition, error.message);
      }
    }
  }

  static async #open(
    environment: Environment,
    options: NodeOptions,
    damage: ReadonlyMap<number, string>,
  ): Promise<Node> {
    const directory = await openDirectory(environment, options, damage);
    try {
      const node = new Node(environment, directory, options);
      directory.watch((event) => {
        if (event instanceof Error) node.fail(event);
        else node.setDiskFull(event.full);
      });
      if (node.#failure !== undefined) throw node.#failure;
      await node.#start();
      return node;
    } catch (error) {
      await directory.abandon();
      throw error;
    }
  }

  /**
   * One for every partition, by its number; where this node has no full copy it is empty and does not lead. Another object takes the place of one when its
   * state is replaced, so it is asked for each time.
   */
  get partitions(): readonly Partition[] {
    return this.#copies.partitions;
  }

  /** What membership and transport see of the copies, by partition; `undefined` where this node has none. */
  get groups(): readonly (RaftGroup | undefined)[] {
    return this.#copies.groups;
  }

  /** The documents, which are not partitioned: this node writes them by itself. */
  get documents(): Documents {
    return must(this.#documents, "the node has not been opened");
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
    return this.#condition.current;
  }

  /** Free disk space is below or above the low-water mark. */
  setDiskFull(full: boolean): void {
    this.#condition.setDiskFull(full);
    if (!full) this.#turns.wake();
  }

  /** Refuses new operations and waits for those in hand. */
  async drain(): Promise<void> {
    const { clock } = this.#environment;
    this.#condition.drain();
    const stopping = new TrubaError("SHUTTINGDOWN", "the node is stopping", {
      retryAfterMs: 1_000,
    });
    for (const partition of this.partitions) partition.refuseTakers(stopping);
    const isIdle = (): boolean =>
      this.partitions.every((partition) => partition.idle) && this.#documents?.idle !== false;
    while (this.#failure === undefined && !isIdle()) {
      // A write that waits for space would wait for ever: `stop` gives it up.
      if (this.#condition.diskFull && this.#logs.busy) return;
      this.#turns.wake();
      if (this.#logs.busy || this.#replicated) await delay(clock, 1);
      else await nextTurn(clock);
    }
  }

  /** Makes all durable and lets the directory go. What is in hand, if it was not drained, is answered. */
  async stop(): Promise<void> {
    this.#turns.end();
    for (const partition of this.partitions) partition.stop();
    this.#condition.stop();
    try {
      this.#documents?.stopCheckpoints();
      await this.#rounds.stop();
      await this.wal.close();
      if (this.#failure === undefined) {
        for (const partition of this.partitions) partition.applyConfirmed(Infinity);
        this.#documents?.confirm();
      }
      for (const partition of this.partitions) partition.fail();
      this.#documents?.fail(new Error("the node has stopped"));
      // Ends what waits for it: a copy that is being changed is found by the next start.
      this.#logs.fail(new Error("the node has stopped"));
      await this.#copies.settled();
      await this.#directory.disk.close();
    } finally {
      this.#directory.lock.release();
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

  /** The newest checkpoint of a full copy that is here, to be sent; one is made if there is none yet. Throws TrubaError NOTLEADER if no full copy is here. */
  async exportCheckpoint(partition: number): Promise<ExportedCheckpoint> {
    return this.#copies.exportCheckpoint(partition);
  }

  /** Where a checkpoint of a peer is put while it arrives. */
  receiveCheckpoint(partition: number): CheckpointReceiver {
    return this.#directory.disk.store(partition).receive();
  }

  /**
   * Puts a fetched checkpoint in the place of a copy's state; `message` is the snapshot message that announced it. Resolves with whether it was: one that has
   * become old changes nothing. What waits on this copy then has an unknown outcome. Meanwhile the copy applies and checkpoints nothing.
   */
  installCheckpoint(
    partition: number,
    received: ReceivedCheckpoint,
    message: Message,
  ): Promise<boolean> {
    return this.#changed(this.#copies.install(partition, received, message));
  }

  /**
   * A copy comes to this node while it runs, as a learner under an id that no copy ever had; who takes part is told by `RaftGroup.propose` of its leader. It starts from
   * `checkpoint`, fetched from a peer, or gets everything from its leader. Throws TrubaError BADCHANGE when there is a copy of the partition here.
   */
  addCopy(partition: number, plan: CopyPlan, checkpoint?: ReceivedCheckpoint): Promise<void> {
    return this.#changed(this.#copies.add(partition, plan, checkpoint));
  }

  /** The copy of a partition leaves this node, for good: log and state go. Throws TrubaError BADCHANGE when there is none. */
  removeCopy(partition: number): Promise<void> {
    return this.#changed(this.#copies.remove(partition));
  }

  /** The node can go on no longer. What is in hand has an unknown outcome. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#environment.logger.error(
      { error: errorText(error) },
      "the node stops: it can no longer make writes durable",
    );
    this.#condition.stop();
    this.#logs.fail(error);
    for (const partition of this.partitions) partition.fail();
    this.#documents?.fail(error);
    // A state that may be wrong must not become a checkpoint.
    void this.#rounds.stop();
    this.#environment.clock.soon(() => {
      this.#turnEnded();
      this.#fatal(error);
    });
  }

  /** A copy changes. When that fails for another reason than that it may not be, half of it may be done, and the next start finds out. */
  async #changed<T>(change: Promise<T>): Promise<T> {
    try {
      return await change;
    } catch (error) {
      const refused = error instanceof TrubaError && error.code === "BADCHANGE";
      if (!refused && !this.#ended)
        this.fail(error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      this.#turns.wake();
    }
  }

  async #start(): Promise<void> {
    const { clock, logger } = this.#environment;
    const started = clock.monotonicMs();
    await this.#copies.load();
    for (const partition of this.partitions) await this.#replay(partition);
    this.#logs.start();
    if (!this.#replicated) await this.#lead();
    const wake = (): void => this.#turns.wake();
    this.#documents = await openDocuments(this.#environment, this.#directory, wake);
    this.#documents.refusal = refusalOf(this.#condition.refusal);
    // Before the first turn, and so before the first checkpoint.
    await this.#directory.disk.removeLeftovers();
    this.#turns.begin(this.#replicated);
    const rows = this.partitions.reduce((sum, partition) => sum + partition.state.rows, 0);
    const partitions = this.partitions.length;
    logger.info({ rows, partitions, ms: Math.round(clock.monotonicMs() - started) }, "recovered");
  }

  /** Until every partition leads, which for the only voter is as soon as the disk has its word, and has done what comes first. */
  async #lead(): Promise<void> {
    const { clock } = this.#environment;
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (!this.#logs.busy)
        for (const partition of this.partitions) if (partition.gathered) partition.seal();
      if (!this.#logs.busy && this.#logs.ready) this.#logs.flush();
      else if (this.#logs.busy) await delay(clock, 1);
      for (const partition of this.partitions) await this.#replay(partition);
      if (this.partitions.every(({ leads }) => leads)) return;
      const gathered = this.partitions.some((partition) => partition.gathered);
      if (!this.#logs.busy && !this.#logs.ready && !gathered) {
        throw new TrubaError(
          "BADCONFIG",
          `the data directory ${this.#directory.path} belongs to a node of a cluster, whose other copies are needed`,
        );
      }
    }
  }

  async #replay(partition: Partition): Promise<void> {
    const { clock } = this.#environment;
    while (!this.#copies.replay(partition, clock.monotonicMs() + limits.applyTurnMaxMs))
      await nextTurn(clock);
  }

  get #ended(): boolean {
    return this.#failure !== undefined || this.#condition.stopped;
  }

  /** What its turns see of the node. */
  static #seenByTurns(node: Node): TurningNode {
    return {
      get ended() {
        return node.#ended;
      },
      get diskFull() {
        return node.#condition.diskFull;
      },
      fail: (error) => node.fail(error),
      turnEnded: () => {
        node.#turnEnded();
        node.#rounds.maybeRun();
      },
    };
  }
}
