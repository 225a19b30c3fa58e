/** The side of a copy that membership sees; the data goes through `raft-log.ts`, which owns the core. */
import { must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { type ConfigurationChange, encodeChange } from "../raft/membership-change.ts";
import type { RaftStatus } from "../raft/options.ts";
import type { Raft } from "../raft/raft.ts";
import {
  type Configuration,
  type Message,
  type ReplicaId,
  entryKinds,
  messageTypes,
  roles,
} from "../raft/vocabulary.ts";
import type { PendingEntries } from "./pending-entries.ts";
import type { CheckpointPoint, RaftGroup } from "./raft-group.ts";
import { notLeading, refusedBy } from "./refusals.ts";

/** What a copy offers to its membership side. */
export interface GroupCopy {
  readonly replica: ReplicaId;
  /** The core, from the start on; also after a failure. */
  readonly core: Raft | undefined;
  /** Why nothing is done any more. */
  readonly stopped: TrubaError | undefined;
  readonly checkpoint: CheckpointPoint;
  /** Who waits for a change of the configuration to be applied. */
  readonly changes: PendingEntries<Configuration>;
  snapshotArrived(message: Message): void;
  /** The core has something to do: asks for a turn. */
  touch(): void;
}

export class CopyGroup implements RaftGroup {
  readonly #copy: GroupCopy;

  constructor(copy: GroupCopy) {
    this.#copy = copy;
  }

  get replica(): ReplicaId {
    return this.#copy.replica;
  }

  get started(): boolean {
    return this.#copy.core !== undefined;
  }

  get raft(): Raft {
    return must(this.#copy.core, "the group has not started");
  }

  step(message: Message): void {
    const core = this.#running();
    if (core === undefined) return;
    if (message.type === messageTypes.snapshot) {
      this.#copy.snapshotArrived(message);
      return;
    }
    core.step(message);
    this.#copy.touch();
  }

  propose(change: ConfigurationChange): Promise<Configuration> {
    const { core, stopped, changes } = this.#copy;
    if (stopped !== undefined) return Promise.reject(stopped);
    if (core === undefined || core.role !== roles.leader) return Promise.reject(notLeading());
    const problem = core.changeRefusal(change);
    if (problem !== undefined) return Promise.reject(new TrubaError("BADCHANGE", problem));
    const refusal = core.propose([{ kind: entryKinds.configuration, data: encodeChange(change) }]);
    if (refusal !== undefined) return Promise.reject(refusedBy(refusal));
    this.#copy.touch();
    return changes.add(core.lastIndex, core.term);
  }

  transferLeadership(to: ReplicaId): void {
    this.#running()?.transferLeader(to);
    this.#copy.touch();
  }

  snapshotSent(to: ReplicaId, ok: boolean): void {
    this.#running()?.reportSnapshot(to, ok);
    this.#copy.touch();
  }

  unreachable(to: ReplicaId): void {
    this.#running()?.reportUnreachable(to);
    this.#copy.touch();
  }

  status(): RaftStatus {
    return this.raft.status();
  }

  checkpointToken(): CheckpointPoint {
    return this.#copy.checkpoint;
  }

  #running(): Raft | undefined {
    return this.#copy.stopped === undefined ? this.#copy.core : undefined;
  }
}
