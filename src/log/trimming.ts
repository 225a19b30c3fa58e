/**
 * What of a copy's log may go: what its newest checkpoint holds, but for what other copies still need (DESIGN §9: of a group with a witness nothing goes that a full
 * copy does not hold).
 *
 * A copy with a state has its configuration in its checkpoint. One that runs as a witness has none, also when its configuration does not name it as a
 * witness any more, because it was removed; so its configuration stands beside the reset that its log begins with, and no entry that changes it goes before a
 * new reset says the same. That reset and the entries that stay go into one batch of the WAL, which is on disk whole
 * or not at all; while they are too many the trim waits.
 */
import { must } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import type { Raft } from "../raft/raft.ts";
import type { Index, ReplicaId, Term } from "../raft/vocabulary.ts";
import type { Wal } from "../wal/wal.ts";
import type { ConfigurationPoints } from "./configuration-points.ts";
import { encodeToken } from "./log-token.ts";
import type { CheckpointPoint } from "./raft-group.ts";
import type { Position } from "./shared-log.ts";

/** Bytes that a record may take beside its body, at most. */
const recordExtraBytes = 128;

export class Trimming {
  readonly #wal: Wal;
  readonly #group: number;
  readonly #replica: ReplicaId;
  /** What of a witness's log is written again with its new reset, at most; fits into one batch of any WAL. */
  readonly #rewrittenMaxBytes: number;
  readonly #keepsState: boolean | undefined;
  #checkpoint: Position = 0;
  #token: Uint8Array = Buffer.alloc(0);
  /** The configuration that stands beside the reset is the one after this entry. */
  #resetPoint: Index = 0;

  constructor(parts: {
    wal: Wal;
    group: number;
    replica: ReplicaId;
    entryMaxBytes: number;
    keepsState: boolean | undefined;
  }) {
    this.#wal = parts.wal;
    this.#group = parts.group;
    this.#replica = parts.replica;
    this.#keepsState = parts.keepsState;
    this.#rewrittenMaxBytes = Math.min(limits.raftMessageMaxBytes, parts.entryMaxBytes);
  }

  /** The newest checkpoint that is durable. */
  get checkpoint(): CheckpointPoint {
    return { position: this.#checkpoint, token: this.#token };
  }

  /** The log begins here, with this configuration beside its reset. */
  begins(resetPoint: Index): void {
    this.#resetPoint = resetPoint;
  }

  tokenAt(position: Position, term: Term, points: ConfigurationPoints): Buffer {
    const { configuration, index } = points.at(position);
    return encodeToken({ replica: this.#replica, term, configuration, configurationIndex: index });
  }

  /** A checkpoint is durable that holds everything up to `position`: others may get it. */
  checkpointed(raft: Raft, position: Position, points: ConfigurationPoints): void {
    const term = raft.termAt(position);
    if (term === undefined) return;
    this.#checkpoint = position;
    this.#token = this.tokenAt(position, term, points);
    if (!this.#hasState(raft) || position === 0) return;
    const { configuration, index } = points.at(position);
    raft.snapshotAvailable({ index: position, term, configuration, configurationIndex: index });
  }

  /**
   * Stages the trim as far as it may go now. Says what was staged: `entries` are entries of the copy, whose durability what follows depends on. `settled`: nothing of
   * the copy waits to be durable.
   */
  trim(raft: Raft, points: ConfigurationPoints, settled: boolean): "nothing" | "trim" | "entries" {
    const upTo = Math.min(this.#checkpoint, raft.trimLimit);
    if (upTo <= raft.baseIndex) return "nothing";
    const term = must(raft.termAt(upTo));
    let staged: "trim" | "entries" = "trim";
    if (!this.#hasState(raft) && points.at(upTo).index > this.#resetPoint) {
      if (!settled || !this.#rewrite(raft, upTo, term, points)) return "nothing";
      staged = "entries";
    } else this.#wal.stageTrim(this.#group, upTo, term);
    raft.compact(upTo);
    points.dropBelow(Math.min(upTo, this.#checkpoint));
    return staged;
  }

  /** A witness that a configuration no longer names, because it was removed, has no state all the same. */
  #hasState(raft: Raft): boolean {
    return this.#keepsState ?? !raft.isWitness;
  }

  /** Returns whether it could be done. */
  #rewrite(raft: Raft, upTo: Position, term: Term, points: ConfigurationPoints): boolean {
    const { stagedRecords } = this.#wal;
    if (stagedRecords > 0) return false;
    const count = raft.lastIndex - upTo;
    const entries =
      count === 0 ? [] : this.#wal.read(this.#group, upTo + 1, this.#rewrittenMaxBytes);
    let bytes = 0;
    for (const { body } of entries) bytes += body.length + recordExtraBytes;
    if (entries.length < count || bytes > this.#rewrittenMaxBytes) return false;
    this.#wal.stageReset(this.#group, upTo, term, this.tokenAt(upTo, term, points));
    for (const entry of entries)
      this.#wal.stageEntry(this.#group, entry.index, entry.term, entry.body);
    this.#resetPoint = points.at(upTo).index;
    return true;
  }
}
