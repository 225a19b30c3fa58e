/**
 * What a node has of each partition while it runs: a full copy, a witness, or nothing. `partitions` has an object for every partition, so that whoever goes
 * through them needs no special case; where this node has no full copy it is empty and takes nothing.
 *
 * A full copy's state is replaced as a whole when a checkpoint of a peer is installed: then another {@link Partition} stands in its place.
 */
import { must } from "../base/assert.ts";
import { delay } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import { decodeToken } from "../log/log-token.ts";
import type { RaftGroup } from "../log/raft-group.ts";
import type { RaftLog } from "../log/raft-log.ts";
import type { RaftLogs } from "../log/raft-logs.ts";
import { AbsentLog } from "../partition/absent-log.ts";
import { readManifestState } from "../partition/manifest-state.ts";
import type { PartitionParts } from "../partition/partition-parts.ts";
import { Partition } from "../partition/partition.ts";
import { Witness } from "../partition/witness.ts";
import type { Message } from "../raft/vocabulary.ts";
import type { ExportedCheckpoint, ReceivedCheckpoint } from "../state/checkpoint-transfer.ts";
import type { Wal } from "../wal/wal.ts";
import { type DiskCopies, isDamage, stageBeginning, stageMark } from "./disk-copies.ts";
import type { CopyPlan } from "./replication.ts";

/** The copy of a partition cannot be used as its disk has it. */
export class CopyDamage extends Error {
  override readonly name = "CopyDamage";
  readonly partition: number;
  readonly damage: TrubaError;

  constructor(partition: number, damage: TrubaError) {
    super(damage.message, { cause: damage });
    this.partition = partition;
    this.damage = damage;
  }
}

/** What all partitions of a node have in common. */
export type SharedParts = Omit<PartitionParts, "id" | "log" | "store" | "sequence">;

interface CopiesParts {
  /** By partition; changed as copies come and go. */
  readonly plans: (CopyPlan | undefined)[];
  readonly logs: RaftLogs;
  readonly wal: Wal;
  readonly disk: DiskCopies;
  readonly shared: SharedParts;
  readonly hasEnded: () => boolean;
}

export class Copies {
  readonly partitions: Partition[] = [];
  readonly groups: (RaftGroup | undefined)[] = [];
  readonly witnesses = new Map<number, Witness>();
  /** Of full copies. */
  readonly #logs: (RaftLog | undefined)[] = [];
  readonly #parts: CopiesParts;
  /** Partitions whose copy is coming, going, or getting another state, and when that is over. */
  readonly #changing = new Map<number, Promise<unknown>>();

  constructor(parts: CopiesParts) {
    this.#parts = parts;
    for (const id of parts.plans.keys()) {
      this.#open(id);
      this.partitions[id] = this.#make(id, 0);
    }
  }

  /** Takes the states of all full copies from their checkpoints. Throws {@link CopyDamage}. */
  async load(): Promise<void> {
    await Promise.all(this.partitions.map((partition) => this.#load(partition)));
    for (const partition of this.partitions) this.#mustMeet(partition);
  }

  /** Applies what is committed, while the node starts. Says whether that is all. Throws {@link CopyDamage} when the log cannot be read. */
  replay(partition: Partition, deadlineMs: number): boolean {
    try {
      return partition.applyConfirmed(deadlineMs);
    } catch (error) {
      throw damageOf(partition, error);
    }
  }

  /** See `Node.exportCheckpoint`. */
  async exportCheckpoint(id: number): Promise<ExportedCheckpoint> {
    const { checkpointer } = must(this.partitions[id]);
    const log = this.#logs[id];
    if (log === undefined)
      throw new TrubaError("NOTLEADER", `this node has no full copy of partition ${id}`);
    const store = this.#parts.disk.store(id);
    await checkpointer.makeFirst();
    const { token } = readManifestState(must(store.state), id);
    // A copy that joined after the checkpoint could not start from it: it would not be a member.
    if (isOlder(Buffer.from(token, "hex"), log.status().token)) await checkpointer.run();
    await checkpointer.check();
    return store.exportFiles();
  }

  /**
   * Puts the state of a peer in the place of this copy's. Resolves with whether it was: a message that has become old changes nothing. A crash at any moment
   * leaves the old state or the new one. Rejects when the node can go on no longer.
   */
  async install(id: number, received: ReceivedCheckpoint, message: Message): Promise<boolean> {
    if (this.#changing.has(id) || this.#logs[id] === undefined) return false;
    return this.#change(id, () => this.#install(id, received, message));
  }

  /**
   * A copy comes to this node. `checkpoint` is what it starts from, if it is not to get everything from its peers. Throws TrubaError BADCHANGE when there is a copy of the partition
   * here. Rejects otherwise when the node can go on no longer.
   */
  async add(id: number, plan: CopyPlan, checkpoint?: ReceivedCheckpoint): Promise<void> {
    if (this.#changing.has(id) || this.groups[id] !== undefined)
      throw new TrubaError("BADCHANGE", `this node has a copy of partition ${id} already`);
    await this.#change(id, () => this.#add(id, plan, checkpoint));
  }

  /** The copy of a partition leaves this node, for good. Throws TrubaError BADCHANGE when there is none. */
  async remove(id: number): Promise<void> {
    if (this.#changing.has(id) || this.groups[id] === undefined)
      throw new TrubaError("BADCHANGE", `this node has no copy of partition ${id} to remove`);
    await this.#change(id, () => this.#remove(id));
  }

  /** Waits for changes under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#changing.values());
  }

  #change<T>(id: number, make: () => Promise<T>): Promise<T> {
    const change = make().finally(() => {
      this.#changing.delete(id);
    });
    this.#changing.set(id, change);
    return change;
  }

  async #install(id: number, received: ReceivedCheckpoint, message: Message): Promise<boolean> {
    const { disk } = this.#parts;
    const log = must(this.#logs[id]);
    const before = must(this.partitions[id]);
    // It may be a later one than the message says.
    const { position, token } = readManifestState(received.state, id);
    const point = { position, token: Buffer.from(token, "hex") };
    // A checkpoint of the old state must not be written over the new one.
    before.checkpointer.stop();
    await before.checkpointer.settled();
    if (token === "" || !log.installing(message, point)) {
      before.checkpointer.resume();
      return false;
    }
    this.#retire(before, "a checkpoint of another copy took the place of this one's state");
    await disk.store(id).adopt(received);
    const partition = this.#make(id, before.sequence);
    await partition.loadInstalled();
    this.#put(partition);
    return true;
  }

  async #add(id: number, plan: CopyPlan, checkpoint?: ReceivedCheckpoint): Promise<void> {
    const { plans, logs, wal, disk } = this.#parts;
    const { reset } = wal.group(id);
    if (reset !== undefined) {
      stageBeginning(wal, id, plan.bootstrap);
      await this.#durable(() => wal.group(id).reset !== reset);
    }
    if (checkpoint !== undefined) await disk.store(id).adopt(checkpoint);
    plans[id] = plan;
    this.#open(id);
    const partition = this.#make(id, must(this.partitions[id]).sequence);
    await this.#load(partition);
    logs.start();
    this.#put(partition);
  }

  async #remove(id: number): Promise<void> {
    const { plans, logs, wal, disk } = this.#parts;
    const before = must(this.partitions[id]);
    const { replica } = must(this.groups[id]);
    const { reset } = wal.group(id);
    plans[id] = undefined;
    this.groups[id] = undefined;
    this.#logs[id] = undefined;
    this.witnesses.delete(id);
    this.#retire(before, "the copy left this node");
    logs.remove(id);
    stageMark(wal, id, replica);
    await this.#durable(() => wal.group(id).reset !== reset);
    await before.checkpointer.settled();
    await disk.drop(id);
    // Over the store that begins anew.
    this.#put(this.#make(id, before.sequence));
  }

  /** Nothing of it is seen any more; an empty one stands in its place. */
  #retire(partition: Partition, why: string): void {
    partition.retire(why);
    const absent = { ...this.#partsOf(partition.id, partition.sequence), log: new AbsentLog() };
    this.#put(new Partition(absent));
  }

  /** Waits until what was staged in the log is durable, as `isDone` sees. */
  async #durable(isDone: () => boolean): Promise<void> {
    const { clock, wake } = this.#parts.shared;
    while (!isDone()) {
      if (this.#parts.hasEnded()) throw new TrubaError("STOPPED", "the node has stopped");
      wake();
      await delay(clock, 1);
    }
  }

  #open(id: number): void {
    const { plans, logs, shared } = this.#parts;
    const plan = plans[id];
    const log = plan === undefined ? undefined : logs.open(id, plan.bootstrap, !plan.witness);
    this.groups[id] = log?.group;
    this.#logs[id] = plan?.witness === true ? undefined : log;
    if (plan?.witness === true)
      this.witnesses.set(id, new Witness({ id, log: must(log), wake: shared.wake }));
  }

  #put(partition: Partition): void {
    partition.refusal = must(this.partitions[partition.id]).refusal;
    this.partitions[partition.id] = partition;
  }

  #make(id: number, sequence: number): Partition {
    return new Partition(this.#partsOf(id, sequence));
  }

  #partsOf(id: number, sequence: number): PartitionParts {
    const { shared, disk } = this.#parts;
    const log = this.#logs[id] ?? new AbsentLog();
    return { ...shared, id, log, store: disk.store(id), sequence };
  }

  async #load(partition: Partition): Promise<void> {
    if (this.#logs[partition.id] === undefined) return;
    try {
      await partition.load();
    } catch (error) {
      throw damageOf(partition, error);
    }
  }

  /** The log must go on where the checkpoint ends, and not end before it. */
  #mustMeet({ id, log, position }: Partition): void {
    const { first, last } = log.status();
    if (first > position + 1) {
      const text = `the log of partition ${id} begins at entry ${first}, its checkpoint ends at ${position}: what is between is lost`;
      throw new CopyDamage(id, new TrubaError("DATADAMAGED", text));
    }
    if (last < position) {
      const text = `the log of partition ${id} ends at entry ${last}, its checkpoint at ${position}: what is between is lost`;
      throw new CopyDamage(id, new TrubaError("DATADAMAGED", text));
    }
  }
}

function damageOf({ id }: Partition, error: unknown): unknown {
  return isDamage(error) ? new CopyDamage(id, error) : error;
}

/** Whether the members have changed from one token to the other. */
function isOlder(token: Uint8Array, than: Uint8Array): boolean {
  return decodeToken(token).configurationIndex < decodeToken(than).configurationIndex;
}
