/**
 * The log of one copy of a Raft group over the node's WAL: the core decides (raft/), its host carries out (core-host.ts), and here is who waits for it.
 *
 * The life of a copy: recovered, which can only be read (recovered-copy.ts); started, from when on it has a core; stopped by a failure. While a checkpoint of a
 * peer is being installed the core is asked for nothing.
 */
import { assert, must } from "../base/assert.ts";
import { asBuffer } from "../base/bytes.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Raft } from "../raft/raft.ts";
import {
  type Configuration,
  type Entry as RaftEntry,
  type Message,
  type Ready,
  type ReplicaId,
  type Role,
  type Term,
  entryKinds,
  nobody,
  roles,
} from "../raft/vocabulary.ts";
import { CopyGroup, type GroupCopy } from "./copy-group.ts";
import { CoreHost, type CoreHostParts } from "./core-host.ts";
import { decodeToken, encodeToken } from "./log-token.ts";
import { PendingEntries } from "./pending-entries.ts";
import { PendingReads } from "./pending-reads.ts";
import type { CheckpointPoint, CopyIdentity, RaftGroup } from "./raft-group.ts";
import { RecoveredCopy } from "./recovered-copy.ts";
import { notLeading, refusedBy, unknownOutcome } from "./refusals.ts";
import type { Entry, LogStatus, Position, SharedLog } from "./shared-log.ts";

export interface RaftLogParts extends Pick<
  CoreHostParts,
  "wal" | "group" | "random" | "sender" | "priority" | "entryMaxBytes" | "keepsState"
> {
  readonly bootstrap: CopyIdentity | undefined;
  readonly turns: Turns;
}

/** The node's side, as one log sees it. */
export interface Turns {
  /** The log has something to do in the next turn. */
  mark(log: RaftLog): void;
  /** There should be a turn soon. */
  wake(): void;
  /** `ready` waits until all that is staged now is durable; then {@link RaftLog.durable} is called. */
  await(log: RaftLog, raft: Raft, ready: Ready): void;
}

interface ResetWaiter {
  readonly position: Position;
  /** It is over when this is durable. */
  readonly ready: Ready;
  resolve(): void;
  reject(error: Error): void;
}

/** Who leads, as the listener was told last. */
interface Leadership {
  readonly role: Role;
  readonly leader: ReplicaId;
  readonly term: Term;
}

const noToken = Buffer.alloc(0);
const noEntries: readonly Entry[] = [];

export class RaftLog implements SharedLog, GroupCopy {
  /** Has something to do in the node's next turn; kept by `RaftLogs`. */
  marked = false;
  /** What membership sees. */
  readonly group: RaftGroup;
  readonly changes = new PendingEntries<Configuration>();
  readonly #parts: RaftLogParts;
  readonly #recovered: RecoveredCopy;
  readonly #pending = new PendingEntries<Position>();
  readonly #reads = new PendingReads();
  /** From the start on. */
  #host: CoreHost | undefined;
  /** Ticks that undecided entries have waited without this copy leading. */
  #undecidedTicks = 0;
  /** The checkpoint that the core has taken, until {@link resetTo}. */
  #installing: Ready | undefined;
  #reset: ResetWaiter | undefined;
  #stopped: TrubaError | undefined;
  #listener: () => void = () => {};
  #onSnapshot: (message: Message) => void = () => {};
  #onRemoved: () => void = () => {};
  /** The listener is to be told at the end of this turn. */
  #news = false;
  #told: Leadership = { role: roles.follower, leader: nobody, term: 0 };
  #token: { term: Term; configurationIndex: Position; bytes: Buffer } | undefined;

  /** Throws TrubaError BADCONFIG when the log belongs to another copy, DATADAMAGED or DATAVERSION when it does not say to whom. */
  constructor(parts: RaftLogParts) {
    this.#parts = parts;
    this.#recovered = new RecoveredCopy(parts.wal, parts.group, parts.bootstrap);
    this.group = new CopyGroup(this);
  }

  // SharedLog

  append(batch: Uint8Array): Promise<Position> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    if (this.#host === undefined) return Promise.reject(notLeading());
    const { entryMaxBytes, turns } = this.#parts;
    if (batch.length > entryMaxBytes) {
      const text = `a batch is ${batch.length} bytes; the log allows ${entryMaxBytes}`;
      return Promise.reject(new TrubaError("TOOLARGE", text));
    }
    const { raft } = this.#host;
    const refusal = raft.propose([{ kind: entryKinds.normal, data: asBuffer(batch) }]);
    if (refusal !== undefined) return Promise.reject(refusedBy(refusal));
    turns.mark(this);
    return this.#pending.add(raft.lastIndex, raft.term);
  }

  readFrom(position: Position, token?: Uint8Array, installed = false): void {
    if (this.#host === undefined) {
      this.#recovered.readFrom(position, token, installed);
      return;
    }
    this.#host.reader.readFrom(position);
    this.#touchIfReady(this.#host);
  }

  committed(maxBytes: number): readonly Entry[] {
    const host = this.#host;
    if (host === undefined) return this.#recovered.take(maxBytes);
    if (this.#installing !== undefined) return noEntries;
    const { reader } = host;
    if (this.#stopped !== undefined && reader.read === reader.last) host.salvage();
    const entries = reader.take(maxBytes);
    if (entries.length > 0) this.#touchIfReady(host);
    return entries;
  }

  barrier(): Promise<Position> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    const raft = this.#host?.raft;
    if (raft === undefined || raft.role !== roles.leader) return Promise.reject(notLeading());
    // Nobody else can lead while this copy alone decides who does.
    if (raft.isAlone && raft.hasCommittedInTerm) return Promise.resolve(raft.committed);
    if (this.#reads.term !== raft.term) this.#reads.rejectAll(notLeading());
    const answer = this.#reads.ask(raft.term);
    this.touch();
    return answer;
  }

  trim(upTo: Position): void {
    const { read } = this.#host?.reader ?? this.#recovered;
    assert(upTo <= read, "a log is trimmed above what was read");
    if (this.#stopped !== undefined || this.#installing !== undefined) return;
    this.#host?.checkpointed(upTo);
  }

  async resetTo(position: Position, token: Uint8Array): Promise<void> {
    if (this.#stopped !== undefined) throw this.#stopped;
    const host = must(this.#host, "a log is reset only after its start");
    assert(this.#reset === undefined, "a log is reset twice at once");
    const installing = this.#installing;
    this.#installing = undefined;
    const ready =
      installing === undefined
        ? host.beginAnew(position, token)
        : host.install(position, installing);
    this.#rejectUndecided("the log was reset behind a checkpoint before it confirmed the write");
    this.touch();
    await new Promise<void>((resolve, reject) => {
      this.#reset = { position, ready, resolve, reject };
    });
  }

  status(): LogStatus {
    const failed = this.#stopped !== undefined;
    if (this.#host === undefined) {
      const { first, last, term, committed, read } = this.#recovered;
      const token = this.#tokenAt(read, this.#recovered.termAt(read));
      const role = failed ? "stopped" : "follower";
      return { role, leader: undefined, term, first, last, committed, token };
    }
    const { raft, reader } = this.#host;
    const { term, leader, baseIndex, lastIndex } = raft;
    return {
      role: failed ? "stopped" : this.leadingTerm > 0 ? "leader" : "follower",
      leader: leader === nobody ? undefined : String(leader),
      term,
      first: baseIndex + 1,
      last: lastIndex,
      committed: reader.last,
      token: this.#tokenAt(reader.read, raft.termAt(reader.read)),
    };
  }

  get leadingTerm(): number {
    const host = this.#host;
    if (host === undefined || this.#stopped !== undefined) return 0;
    const { raft, reader } = host;
    return raft.role === roles.leader && raft.termAt(reader.read) === raft.term ? raft.term : 0;
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  // Installing a peer's checkpoint

  /**
   * Told of a message that announces a checkpoint which this copy needs. Who is told fetches it, calls {@link installing}, puts it in the place of this copy's
   * state, durably, and calls {@link resetTo}. One listener.
   */
  onSnapshot(listener: (message: Message) => void): void {
    this.#onSnapshot = listener;
  }

  /**
   * A peer's checkpoint is here, which `message` announced; `checkpoint` says what it is, if it is a later one. Returns whether the copy needs it. If so it
   * does nothing more before {@link resetTo}, which must follow: the core has taken it.
   */
  installing(message: Message, checkpoint?: CheckpointPoint): boolean {
    const host = this.#host;
    if (host === undefined || this.#stopped !== undefined) return false;
    assert(this.#installing === undefined, "two checkpoints are installed at once");
    const { raft } = host;
    host.carryOutAll();
    raft.step(checkpoint === undefined ? message : announcing(message, checkpoint));
    this.touch();
    if (!raft.hasReady()) return false;
    const ready = raft.ready();
    if (ready.snapshot === undefined) host.carryOut(ready);
    else this.#installing = ready;
    return this.#installing !== undefined;
  }

  /** Told when this copy finds that it is no member of its group any more. One listener. */
  onRemoved(listener: () => void): void {
    this.#onRemoved = listener;
  }

  // For the membership side

  get replica(): ReplicaId {
    return this.#recovered.replica;
  }

  get core(): Raft | undefined {
    return this.#host?.raft;
  }

  get stopped(): TrubaError | undefined {
    return this.#stopped;
  }

  get checkpoint(): CheckpointPoint {
    return must(this.#host, "the group has not started").checkpoint;
  }

  snapshotArrived(message: Message): void {
    const { snapshot } = message;
    if (snapshot === undefined || this.#installing !== undefined) return;
    if (!snapshot.configuration.witnesses.includes(this.replica)) {
      this.#onSnapshot(message);
      return;
    }
    // A failure of the disk ends the node by another way.
    if (this.installing(message)) this.resetTo(snapshot.index, noToken).catch(() => {});
  }

  touch(): void {
    this.#parts.turns.mark(this);
    this.#parts.turns.wake();
  }

  // For the node's turn

  /** From now on there is a core. */
  start(): void {
    assert(this.#host === undefined, "a log starts twice");
    const { turns } = this.#parts;
    const parts: CoreHostParts = {
      ...this.#parts,
      changes: this.changes,
      await: (raft, ready) => turns.await(this, raft, ready),
      onConfirmed: (entries) => this.#confirmed(entries),
      onRead: (token, index) => this.#reads.answered(token, index),
      onRemoved: () => this.#onRemoved(),
    };
    this.#host = new CoreHost(parts, this.#recovered);
    turns.mark(this);
  }

  /** Does what the core asks for, sends what may go out, and tells the listener what is new. */
  collect(): void {
    const host = this.#host;
    if (host === undefined || this.#stopped !== undefined || this.#installing !== undefined) return;
    if (this.#reads.count > 0) this.#askReads(host.raft);
    host.carryOutAll();
    this.#noteLeadership(host.raft);
    host.send();
    if (!this.#news) return;
    this.#news = false;
    this.#listener();
  }

  /** What was staged with `ready`, and all before it, is durable. */
  durable(raft: Raft, ready: Ready): void {
    if (this.#stopped !== undefined) return;
    const host = must(this.#host);
    host.durable(raft, ready);
    this.#parts.turns.mark(this);
    const reset = this.#reset;
    if (reset?.ready !== ready) return;
    this.#reset = undefined;
    host.checkpointed(reset.position);
    reset.resolve();
  }

  tick(): void {
    const host = this.#host;
    if (host === undefined || this.#stopped !== undefined) return;
    const { raft } = host;
    raft.tick();
    if (raft.role === roles.leader || this.#pending.count + this.changes.count === 0)
      this.#undecidedTicks = 0;
    else if (++this.#undecidedTicks >= limits.raftUndecidedMaxTicks) {
      this.#rejectUndecided(
        "this copy does not lead any more, and nobody has said what became of the write",
      );
    }
    if (this.#installing === undefined) host.trim();
    if (raft.hasReady()) this.#parts.turns.mark(this);
  }

  /** Confirms nothing any more. */
  fail(error: Error): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = new TrubaError("STOPPED", `the log has stopped: ${errorText(error)}`, {
      cause: error,
    });
    this.#rejectUndecided("the log stopped before it confirmed the write", error);
    this.#reads.rejectAll(this.#stopped);
    this.#reset?.reject(unknownOutcome("the log stopped before its reset was durable", error));
    this.#reset = undefined;
    this.#listener();
  }

  #confirmed(entries: readonly RaftEntry[]): void {
    for (const { index, term } of entries) this.#pending.confirmed(index, term)?.resolve(index);
    this.#news = true;
  }

  #touchIfReady({ raft }: CoreHost): void {
    if (this.#stopped === undefined && raft.hasReady()) this.touch();
  }

  #askReads(raft: Raft): void {
    if (raft.role !== roles.leader || raft.term !== this.#reads.term) return;
    const token = this.#reads.takeAsking();
    const refusal = token === undefined ? undefined : raft.readIndex(token);
    if (refusal !== undefined) this.#reads.rejectAll(refusedBy(refusal));
  }

  /** The listener is told of a new role, leader or term; who reads from a leader that is none any more is rejected. */
  #noteLeadership(raft: Raft): void {
    const { role, leader, term } = raft;
    if (this.#reads.count > 0 && (role !== roles.leader || term !== this.#reads.term))
      this.#reads.rejectAll(notLeading());
    const told = this.#told;
    if (role === told.role && leader === told.leader && term === told.term) return;
    this.#told = { role, leader, term };
    this.#news = true;
  }

  #rejectUndecided(why: string, cause?: Error): void {
    const error = unknownOutcome(why, cause);
    this.#undecidedTicks = 0;
    this.#pending.rejectAll(error);
    this.changes.rejectAll(error);
  }

  /** What a checkpoint of this position says; the same bytes while nothing of it changes. */
  #tokenAt(position: Position, term: Term = 0): Buffer {
    const { replica } = this;
    const { points } = this.#host ?? this.#recovered;
    const { configuration, index: configurationIndex } = points.at(position);
    if (this.#token?.term !== term || this.#token.configurationIndex !== configurationIndex) {
      const bytes = encodeToken({ replica, term, configuration, configurationIndex });
      this.#token = { term, configurationIndex, bytes };
    }
    return this.#token.bytes;
  }
}

/** The message as if the leader had announced this checkpoint, which is a later one of the same log, perhaps of a later term. */
function announcing(message: Message, { position, token }: CheckpointPoint): Message {
  const { term, configuration, configurationIndex } = decodeToken(token);
  return { ...message, snapshot: { index: position, term, configuration, configurationIndex } };
}
