/** The copies of a simulated cluster as they are now: who leads, which of them runs, and what they would know after a power loss. */
import { must } from "../../src/base/assert.ts";
import type { RaftGroup } from "../../src/log/raft-group.ts";
import { roles } from "../../src/raft/vocabulary.ts";
import type { Configuration } from "../../src/raft/vocabulary.ts";
import type { Copy, Directory } from "./directory.ts";
import type { Host } from "./host.ts";

export class RunningCopies {
  readonly #directory: Directory;
  readonly #hosts: readonly Host[];

  constructor(directory: Directory, hosts: readonly Host[]) {
    this.#directory = directory;
    this.#hosts = hosts;
  }

  /** The copy that leads a partition in the highest term. */
  leader(partition: number): RaftGroup | undefined {
    let found: RaftGroup | undefined;
    for (const host of this.#hosts) {
      const group = host.group(partition);
      if (group === undefined || group.raft.role !== roles.leader) continue;
      if (found === undefined || group.raft.term > found.raft.term) found = group;
    }
    return found;
  }

  isOpen(copy: Copy): boolean {
    return this.group(copy) !== undefined;
  }

  /** The group of a copy, if its node runs and has it. */
  group({ partition, replica, host }: Copy): RaftGroup | undefined {
    const group = this.#hosts[host]?.group(partition);
    return group?.replica === replica ? group : undefined;
  }

  /** Whether a majority of the voters have on disk that entry `index` is committed: in the log, or in a checkpoint. */
  isKnownToMajority(partition: number, { voters }: Configuration, index: number): boolean {
    const knowing = voters.filter((id) => {
      const copy = must(this.#directory.copy(partition, id));
      const node = this.isOpen(copy) ? this.#hosts[copy.host]?.node : undefined;
      if (node === undefined) return false;
      const commit = node.wal.group(partition).hardState?.commit ?? 0;
      return Math.max(commit, node.partitions[partition]?.checkpointer.position ?? 0) >= index;
    });
    return 2 * knowing.length > voters.length;
  }
}
