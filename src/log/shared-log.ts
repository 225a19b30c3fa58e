/**
 * An ordered, durable log of opaque batches: what stands between the state machines and how they are replicated. Positions are contiguous,
 * from 1; an engine's own entries read as empty batches, so positions have no gaps for the reader.
 *
 * State machines, exactly-once and checkpoints stand above this interface and are the same on every engine.
 */
export type Position = number;

export interface Entry {
  readonly position: Position;
  /** Belongs to the reader; empty for an entry of the engine itself. */
  readonly batch: Buffer;
}

export interface LogStatus {
  /**
   * `leader` from when {@link SharedLog.committed} has given an entry of the leader's own term, and so everything that earlier leaders have confirmed:
   * a state that has applied what was given is the newest there is.
   */
  readonly role: "leader" | "follower" | "stopped";
  /** Who leads, if known: the engine's name for a copy. */
  readonly leader: string | undefined;
  readonly term: number;
  /** The first position that can still be read, and the last one that is in the log. `last` = `first` - 1 when it is empty. */
  readonly first: Position;
  readonly last: Position;
  /** The last position that is confirmed, durable on a majority, and that {@link SharedLog.committed} can give. */
  readonly committed: Position;
  /**
   * What a checkpoint must carry that holds exactly what {@link SharedLog.committed} has given until now: so that {@link SharedLog.readFrom} and, elsewhere,
   * {@link SharedLog.resetTo} know where it stands. The engine's own bytes; not to be changed.
   */
  readonly token: Uint8Array;
}

export interface SharedLog {
  /**
   * Puts a batch behind all earlier ones. The batch, which is not empty, belongs to the log from now on. Resolves with its position when it is
   * confirmed: {@link committed} gives it from then on. Batches are confirmed in the order of the calls. Never throws; rejects with TrubaError NOTLEADER, OVERLOADED,
   * TOOLARGE or STOPPED (not in the log, and never will be) or UNKNOWNOUTCOME (may turn up in the log or not).
   */
  append(batch: Uint8Array): Promise<Position>;
  /**
   * Where {@link committed} goes on: behind this position, which may be lower than what was read. Called once the state holds everything up to it; before the
   * first call it is 0. `token` is that of the checkpoint which the state came from, `undefined` if it has none. `installed` says that this checkpoint
   * came from a peer, so that the log may end before it, or hold something else: then it begins anew behind it. Throws TrubaError DATADAMAGED when the log
   * holds something else although the checkpoint is this copy's own.
   */
  readFrom(position: Position, token?: Uint8Array, installed?: boolean): void;
  /**
   * The next confirmed entries, in order, without gap, none twice: empty when there are none. At least one if there is one, and no more once there are
   * `maxBytes`; it may give fewer. Throws TrubaError DATADAMAGED when they cannot be read, among others because they were trimmed. What was confirmed can
   * be read also after the log has stopped, if its engine can still read. What was given counts as applied: it is in the next checkpoint.
   */
  committed(maxBytes: number): readonly Entry[];
  /**
   * Resolves with a position such that a state that has applied everything up to it has seen all that was acknowledged before the call. Rejects with
   * TrubaError NOTLEADER or STOPPED.
   */
  barrier(): Promise<Position>;
  /**
   * Entries up to `upTo`, all of which were read, are no longer needed: a checkpoint that holds exactly them is durable. Need not be durable itself: after a
   * crash they may be there again, and an engine may keep them for other copies. Nothing happens if the log has stopped.
   */
  trim(upTo: Position): void;
  /**
   * Forgets all entries and goes on behind `position`: a checkpoint of a peer was installed, durably. `token` is that peer's. Resolves when durable. Appends not
   * yet confirmed are rejected with UNKNOWNOUTCOME, new ones with NOTLEADER until the log leads again. Rejects with TrubaError STOPPED or UNKNOWNOUTCOME.
   */
  resetTo(position: Position, token: Uint8Array): Promise<void>;
  status(): LogStatus;
  /** The term in which the log leads, as {@link LogStatus} `role` says it; 0 = it does not. Asked after every batch. */
  readonly leadingTerm: number;
  /** Told when {@link committed} may have something, or when role, leader or term changed; also without cause. One listener. */
  onChange(listener: () => void): void;
}
