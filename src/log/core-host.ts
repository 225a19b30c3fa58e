/**
 * The core of a started copy, and what carries out what it says.
 *
 *     Ready: messages          at once, with the turn
 *            entries, hard     staged in the WAL; the next flush makes them durable
 *            afterAppend, ack  when that flush, and every one before it, has ended
 *            committed         to the reader, who applies what it takes
 *
 * What is staged is always in the order in which the core gave it out, so a Ready is durable when the flush that carries it is. A Ready with nothing to be
 * staged waits for no disk, unless an earlier one of this copy does.
 */
import { assert, must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { RaftStart } from "../raft/options.ts";
import type { PeerSender } from "../raft/peer-sender.ts";
import { Raft } from "../raft/raft.ts";
import {
  type Configuration,
  type Entry,
  type Fetch,
  type Index,
  type Message,
  type Ready,
  type ReplicaId,
  nobody,
} from "../raft/vocabulary.ts";
import type { Wal } from "../wal/wal.ts";
import { CommittedReader } from "./committed-reader.ts";
import { type ConfigurationPoints, pointsOf } from "./configuration-points.ts";
import { type LogToken, decodeToken, encodeToken } from "./log-token.ts";
import type { PendingEntries } from "./pending-entries.ts";
import type { CheckpointPoint } from "./raft-group.ts";
import type { RecoveredCopy } from "./recovered-copy.ts";
import type { Position } from "./shared-log.ts";
import { Staging } from "./staging.ts";
import { fromStoredBody } from "./stored-entry.ts";
import { Trimming } from "./trimming.ts";

export interface CoreHostParts {
  readonly wal: Wal;
  readonly group: number;
  readonly random: Random;
  readonly sender: PeerSender | undefined;
  /** Place in the order in which the copies of the group campaign, from 0. */
  readonly priority: number;
  readonly entryMaxBytes: number;
  /** Whether a state with checkpoints stands on the log, whatever the configuration says of the copy now. Absent: a witness has none. */
  readonly keepsState?: boolean | undefined;
  readonly changes: PendingEntries<Configuration>;
  /** `ready` waits until all that is staged now is durable; then {@link CoreHost.durable} is called. */
  readonly await: (raft: Raft, ready: Ready) => void;
  readonly onConfirmed: (entries: readonly Entry[]) => void;
  readonly onRead: (token: number, index: Index) => void;
  readonly onRemoved: () => void;
}

/** Of all groups alike; the rest is for the published scenarios. */
const coreOptions = () =>
  ({
    electionTicks: limits.raftElectionTicks,
    heartbeatTicks: limits.raftHeartbeatTicks,
    preVote: true,
    checkQuorum: true,
    maxMessageBytes: limits.raftMessageMaxBytes,
    maxInflightMessages: limits.raftInflightMaxMessages,
    maxInflightBytes: limits.raftInflightMaxBytes,
    maxUncommittedBytes: limits.raftUncommittedMaxBytes,
    maxApplyingBytes: limits.raftApplyingMaxBytes,
    cacheBytes: limits.raftCacheBytes,
    readMode: "safe",
    stepDownOnRemoval: true,
    votesTellCommit: true,
    validateChanges: true,
    forwardProposals: false,
    applyUnstable: false,
  }) as const;

export class CoreHost {
  readonly #parts: CoreHostParts;
  readonly #replica: ReplicaId;
  readonly #staging: Staging;
  readonly #trimming: Trimming;
  #raft: Raft;
  #reader: CommittedReader;
  #points: ConfigurationPoints;
  #outbox: Message[] = [];
  /** Parts of this copy that were staged, or wait behind such, and are not known to be durable. */
  #unsynced = 0;

  /** Stages what must be durable before the copy says anything. An only voter campaigns at once. */
  constructor(parts: CoreHostParts, recovered: RecoveredCopy) {
    const { wal, group, entryMaxBytes, keepsState } = parts;
    const { replica, points } = recovered;
    this.#parts = parts;
    this.#replica = replica;
    this.#staging = new Staging(wal, group);
    this.#trimming = new Trimming({ wal, group, replica, entryMaxBytes, keepsState });
    this.#points = points;
    const { start, staged, checkpoint, resetPoint } = recovered.start();
    this.#raft = this.#newCore(start);
    this.#reader = this.#newReader(start.applied, Math.min(recovered.read, start.applied));
    this.#trimming.begins(resetPoint);
    this.#trimming.checkpointed(this.#raft, checkpoint, points);
    if (staged) this.#await(nothing());
    if (this.#raft.isAlone) this.#raft.campaign();
  }

  get raft(): Raft {
    return this.#raft;
  }

  get reader(): CommittedReader {
    return this.#reader;
  }

  get points(): ConfigurationPoints {
    return this.#points;
  }

  get checkpoint(): CheckpointPoint {
    return this.#trimming.checkpoint;
  }

  /** Does all that the core asks for now, but for sending. */
  carryOutAll(): void {
    while (this.#raft.hasReady()) this.carryOut(this.#raft.ready());
  }

  carryOut(ready: Ready): void {
    assert(ready.snapshot === undefined, "a checkpoint is installed, not carried out");
    for (const message of ready.messages) this.#outbox.push(message);
    const staged = this.#staging.stage(ready);
    const waits = ready.afterAppend.length > 0 || ready.ack !== undefined;
    if (staged || (waits && this.#unsynced > 0)) this.#await(ready);
    else if (waits) this.#acknowledge(ready);
    if (ready.committed.length > 0) this.#confirm(ready.committed);
    for (const { token, index } of ready.reads) this.#parts.onRead(token, index);
    for (const wanted of ready.fetches) this.#fetch(wanted);
  }

  send(): void {
    if (this.#outbox.length === 0) return;
    const messages = this.#outbox;
    this.#outbox = [];
    this.#parts.sender?.send(this.#parts.group, messages);
  }

  /** What was staged with `ready`, and all before it, is durable. A core that was replaced meanwhile has nothing to say. */
  durable(raft: Raft, ready: Ready): void {
    this.#unsynced--;
    if (raft === this.#raft) this.#acknowledge(ready);
  }

  /** A checkpoint is durable that holds everything up to `position`: other copies may get it, and the log below may go. */
  checkpointed(position: Position): void {
    if (position > this.checkpoint.position)
      this.#trimming.checkpointed(this.#raft, position, this.#points);
    this.trim();
  }

  /** Trims as far as other copies allow now. */
  trim(): void {
    if (this.checkpoint.position <= this.#raft.baseIndex) return;
    const staged = this.#trimming.trim(this.#raft, this.#points, this.#unsynced === 0);
    if (staged === "entries") this.#await(nothing());
  }

  /** The core has taken a checkpoint, as `ready` says; the log follows it. What {@link durable} is told of when that is over is returned. */
  install(position: Position, ready: Ready): Ready {
    const { index, term, configuration, configurationIndex } = must(ready.snapshot);
    assert(position === index, "another checkpoint is installed than the one that was announced");
    if (ready.hard !== undefined) this.#staging.stageHard(ready.hard);
    const replica = this.#replica;
    this.#stageReset(index, { replica, term, configuration, configurationIndex });
    this.#reader = this.#newReader(index, index);
    for (const message of ready.messages) this.#outbox.push(message);
    this.#await(ready);
    return ready;
  }

  /** A checkpoint that no leader has sent: another core begins behind it, in no earlier term and with the same vote. As {@link install}. */
  beginAnew(position: Position, token: Uint8Array): Ready {
    const found = { ...decodeToken(token), replica: this.#replica };
    this.carryOutAll();
    const { term, vote } = this.#raft;
    const isLater = found.term > term;
    const hardState = isLater
      ? { term: found.term, vote: nobody, commit: position }
      : { term, vote, commit: position };
    this.#stageReset(position, found);
    this.#staging.stageHard(hardState);
    const { configuration, configurationIndex } = found;
    const runs = [{ first: position, term: found.term }];
    const range = { base: position, last: position, applied: position, runs };
    this.#raft = this.#newCore({ configuration, configurationIndex, hardState, ...range });
    this.#reader = this.#newReader(position, position);
    const ready = nothing();
    this.#await(ready);
    if (this.#raft.isAlone) this.#raft.campaign();
    return ready;
  }

  /** After a failure: gives the reader what was confirmed and not given out yet, as far as it can be read. */
  salvage(): void {
    const { reader, raft } = this;
    try {
      while (reader.read === reader.last && raft.hasReady()) {
        const { committed, fetches } = raft.ready();
        this.#confirm(committed);
        for (const wanted of fetches) this.#fetch(wanted);
      }
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
    }
  }

  #newCore(start: RaftStart): Raft {
    const { random, priority } = this.#parts;
    return new Raft({ ...coreOptions(), id: this.#replica, random, priority, start });
  }

  #newReader(applied: Position, read: Position): CommittedReader {
    const { wal, group, changes, onRemoved } = this.#parts;
    const parts = { raft: this.#raft, wal, group, replica: this.#replica, changes, onRemoved };
    return new CommittedReader({ ...parts, points: this.#points, applied }, read);
  }

  #stageReset(position: Position, token: LogToken): void {
    const { wal, group } = this.#parts;
    wal.stageReset(group, position, token.term, encodeToken(token));
    this.#points = pointsOf(token);
    this.#trimming.begins(token.configurationIndex);
  }

  #await(ready: Ready): void {
    this.#unsynced++;
    this.#parts.await(this.#raft, ready);
  }

  #acknowledge({ afterAppend, ack }: Ready): void {
    for (const message of afterAppend) {
      if (message.to === this.#replica) this.#raft.step(message);
      else this.#outbox.push(message);
    }
    if (ack !== undefined) this.#raft.appendDone(ack);
  }

  #confirm(entries: readonly Entry[]): void {
    for (const entry of entries) this.#reader.push(entry);
    this.#parts.onConfirmed(entries);
  }

  #fetch(wanted: Fetch): void {
    const { wal, group } = this.#parts;
    const entries: Entry[] = [];
    for (const { index, term, body } of wal.read(group, wanted.from, wanted.maxBytes)) {
      if (index >= wanted.to) break;
      entries.push({ index, term, ...fromStoredBody(body) });
    }
    this.#raft.entriesFetched(wanted, entries);
  }
}

/** Stands for something that was staged and that the core does not know of. Each is another object, by which it is known. */
function nothing(): Ready {
  return {
    soft: undefined,
    hard: undefined,
    snapshot: undefined,
    entries: [],
    mustSync: true,
    messages: [],
    afterAppend: [],
    ack: undefined,
    committed: [],
    reads: [],
    fetches: [],
  };
}
