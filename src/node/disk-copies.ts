/**
 * What the disk holds of each partition, brought together with what it is to hold, before anything is read into memory: log and checkpoints are two places, and
 * a copy is in both or in neither.
 *
 *     on disk              wanted          what is done
 *     nothing              a copy          it begins
 *     a copy               the same        it goes on; if it is damaged it is retired
 *     a copy               another, none   it is removed; the other begins
 *     a retired copy       the same        stays retired: it has promised what it no longer knows (P7)
 *     a retired copy       another, none   the other begins
 *
 * A copy is removed in the log first (its last term and vote stay for ever), with the mark of who it was behind it; then its checkpoints go.
 */
import { assert, must } from "../base/assert.ts";
import type { Environment } from "../base/environment.ts";
import { TrubaError, errorText, systemErrorCode } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import { decodeToken, encodeToken } from "../log/log-token.ts";
import type { CopyIdentity } from "../log/raft-group.ts";
import { type Configuration, type ReplicaId, nobody } from "../raft/vocabulary.ts";
import { CheckpointStore } from "../state/checkpoint-store.ts";
import type { Wal, WalGroup } from "../wal/wal.ts";
import type { CopyPlan, RetiredCopy } from "./replication.ts";

const noMembers: Configuration = {
  voters: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  witnesses: [],
  autoLeave: false,
};

/** Stands for a copy of which the damaged log does not tell the name, where none was wanted: whoever is wanted later is another one, for ids are not used again. */
const noneWanted: ReplicaId = Number.MAX_SAFE_INTEGER;

/** Who the copy in a log is; `retired`: what is left is only the mark of one that was. */
interface FoundCopy {
  readonly replica: ReplicaId;
  readonly retired: boolean;
}

export class DiskCopies {
  readonly retired: RetiredCopy[] = [];
  readonly #environment: Environment;
  readonly #directory: string;
  readonly #stores: (CheckpointStore | undefined)[] = [];
  /** Why a partition's checkpoints cannot be opened. */
  readonly #damage = new Map<number, string>();

  /** `directory` is the node's. */
  constructor(environment: Environment, directory: string) {
    this.#environment = environment;
    this.#directory = directory;
  }

  /** Opens the checkpoints of all partitions. With `keepOn` one that is damaged is noted, otherwise TrubaError DATADAMAGED is thrown. */
  async openStores(partitions: number, keepOn: boolean): Promise<void> {
    for (let partition = 0; partition < partitions; partition++) {
      try {
        this.#stores[partition] = await this.#openStore(partition);
      } catch (error) {
        if (!keepOn || !isDamage(error)) throw error;
        this.#damage.set(partition, errorText(error));
      }
    }
  }

  store(partition: number): CheckpointStore {
    return must(this.#stores[partition], "a checkpoint store is not open");
  }

  /**
   * Does what the table says. `damage`: partitions whose copies are known to be damaged, and why. Returns the plans of those that may be opened. `flush` makes
   * durable what is staged in the log.
   */
  async settle(parts: {
    wal: Wal;
    plans: readonly (CopyPlan | undefined)[];
    damage: ReadonlyMap<number, string>;
    flush: () => Promise<void>;
  }): Promise<(CopyPlan | undefined)[]> {
    const { wal, plans, flush } = parts;
    const opened = [...plans];
    const dropped: number[] = [];
    for (const [partition, plan] of plans.entries()) {
      const group = wal.group(partition);
      // Only now: of a group that the log has forgotten it knows the damage when it is asked for.
      const lost = wal.damaged.get(partition);
      const found = foundIn(group, lost !== undefined);
      const damage = parts.damage.get(partition) ?? lost ?? this.#damage.get(partition);
      if (found === undefined && damage === undefined) continue;
      // A damaged log may name an earlier copy: what said that another one came may be what is damaged. Then whoever is wanted may have been here.
      const isNamed = lost === undefined && found !== undefined && found.replica !== nobody;
      const known = isNamed ? found.replica : undefined;
      const replica = known ?? plan?.bootstrap.replica ?? noneWanted;
      const isSame = plan?.bootstrap.replica === replica;
      if (isSame && found?.retired !== true && damage === undefined) continue;
      if (found?.retired !== true || lost !== undefined) stageRetired(wal, partition, replica);
      // Whoever it was, it may have been the one that is wanted.
      else if (known === undefined) stageMark(wal, partition, replica);
      dropped.push(partition);
      if (!isSame) continue;
      const reason = damage ?? "it was retired at an earlier start";
      this.retired.push({ partition, replica, reason });
      opened[partition] = undefined;
      this.#environment.logger.error({ partition, replica, reason }, "a copy is retired");
    }
    await flush();
    for (const partition of dropped) await this.drop(partition);
    for (const partition of dropped) {
      const plan = opened[partition];
      if (plan !== undefined) stageBeginning(wal, partition, plan.bootstrap);
    }
    await flush();
    return opened;
  }

  /** Removes what crashes have left beside the checkpoints. For later than opening: a start that is refused changes nothing. */
  async removeLeftovers(): Promise<void> {
    for (const store of this.#stores) await store?.removeLeftovers();
  }

  async close(): Promise<void> {
    for (const store of this.#stores) await store?.close();
  }

  /** Removes the checkpoints of a partition, durably, and begins with none. The log has removed the copy. */
  async drop(partition: number): Promise<void> {
    await this.#stores[partition]?.close();
    await removeFiles(this.#environment.files, this.#path(partition));
    this.#stores[partition] = await this.#openStore(partition);
  }

  async #openStore(partition: number): Promise<CheckpointStore> {
    const { files, clock, logger } = this.#environment;
    const directory = this.#path(partition);
    const { store } = await CheckpointStore.open({ files, clock, logger, directory, partition });
    return store;
  }

  #path(partition: number): string {
    return `${this.#directory}/partitions/${String(partition).padStart(4, "0")}`;
  }
}

function stageRetired(wal: Wal, partition: number, replica: ReplicaId): void {
  const { hardState, removed } = wal.group(partition);
  const last = hardState ?? removed;
  wal.stageRemoved(partition, last?.term ?? 0, last?.votedFor ?? nobody);
  stageMark(wal, partition, replica);
}

/** Who was here, behind the record of its removal: it has no members. */
export function stageMark(wal: Wal, partition: number, replica: ReplicaId): void {
  const mark = { replica, term: 0, configuration: noMembers, configurationIndex: 0 };
  wal.stageReset(partition, 0, 0, encodeToken(mark));
}

/** A new copy where another one was. */
export function stageBeginning(wal: Wal, partition: number, identity: CopyIdentity): void {
  wal.stageReset(partition, 0, 0, encodeToken({ ...identity, term: 0, configurationIndex: 0 }));
}

/** Whether what a start has met is damage at rest, or of a form that makes no sense. */
export function isDamage(error: unknown): error is TrubaError {
  return error instanceof TrubaError && error.code === "DATADAMAGED";
}

function foundIn(group: WalGroup, damaged: boolean): FoundCopy | undefined {
  const { reset, hardState, lastIndex, removed } = group;
  if (reset === undefined) {
    // A node alone has made it; or its damaged log does not say who it is.
    if (hardState !== undefined || lastIndex > 0)
      return damaged ? undefined : { replica: 1, retired: false };
    return removed === undefined ? undefined : { replica: nobody, retired: true };
  }
  const { replica, configuration } = decodeToken(reset.token);
  const members = configuration.voters.length + configuration.learners.length;
  return { replica, retired: members === 0 };
}

/** All files of a directory and of those in it. The names are gone for good when this returns. */
async function removeFiles(files: FileSystem, directory: string): Promise<void> {
  assert(directory.includes("/partitions/"), "only the files of a partition are removed");
  if (!files.existsSync(directory)) return;
  for (const name of files.listSync(directory)) {
    const path = `${directory}/${name}`;
    try {
      await files.unlink(path);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code !== "EISDIR" && code !== "EPERM") throw error;
      await removeFiles(files, path);
    }
  }
  await files.syncDirectory(directory);
}
