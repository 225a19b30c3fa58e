/** Puts into the WAL what the core wants to be durable. */
import {
  type HardState,
  type Index,
  type Ready,
  type ReplicaId,
  type Term,
  entryKinds,
} from "../raft/vocabulary.ts";
import type { Wal } from "../wal/wal.ts";
import { storedBody } from "./stored-entry.ts";

export class Staging {
  readonly #wal: Wal;
  readonly #group: number;
  /** As staged last. */
  #term: Term;
  #vote: ReplicaId;
  #commit: Index;
  /** As the core said last. */
  #committed: Index;

  constructor(wal: Wal, group: number) {
    this.#wal = wal;
    this.#group = group;
    const { hardState } = wal.group(group);
    this.#term = hardState?.term ?? 0;
    this.#vote = hardState?.votedFor ?? 0;
    this.#commit = hardState?.commit ?? 0;
    this.#committed = this.#commit;
  }

  /**
   * Returns whether anything was staged.
   *
   * A commit index alone is not worth a record: it is a hint, and the leader knows it. But it must be durable before an entry that changes the configuration is: with
   * that entry the leader has said that the change before it is committed, and a copy that forgot this could campaign by a configuration two changes old, whose
   * majority need not share a voter with the present one.
   */
  stage({ hard, entries }: Ready): boolean {
    let staged = false;
    if (hard !== undefined) staged = this.stageHard(hard);
    if (
      this.#committed > this.#commit &&
      entries.some(({ kind }) => kind === entryKinds.configuration)
    )
      this.#stageHard({ term: this.#term, vote: this.#vote, commit: this.#committed });
    for (const entry of entries)
      this.#wal.stageEntry(this.#group, entry.index, entry.term, storedBody(entry));
    return staged || entries.length > 0;
  }

  /** Returns whether anything was staged: a term or a vote. */
  stageHard(hard: HardState): boolean {
    this.#committed = hard.commit;
    if (hard.term === this.#term && hard.vote === this.#vote) return false;
    this.#stageHard(hard);
    return true;
  }

  #stageHard({ term, vote, commit }: HardState): void {
    this.#term = term;
    this.#vote = vote;
    this.#commit = commit;
    this.#wal.stageHardState(this.#group, { term, votedFor: vote, commit });
  }
}
