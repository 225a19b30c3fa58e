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
  readonly role: "leader" | "follower" | "stopped";
  /** Who leads, if known: a node id as text. */
  readonly leader: string | undefined;
  readonly term: number;
  /** The first position that can still be read, and the last one that is in the log. `last` = `first` - 1 when it is empty. */
  readonly first: Position;
  readonly last: Position;
  /** The last position that is confirmed: durable on a majority. */
  readonly committed: Position;
  /** What a checkpoint must carry so that {@link SharedLog.resetTo} works elsewhere. */
  readonly token: Uint8Array;
}

export interface SharedLog {
  /**
   * Puts a batch behind all earlier ones. The batch, which is not empty, belongs to the log from now on. Resolves with its position when it is
   * confirmed: {@link committed} gives it from then on. Batches are confirmed in the order of the calls. Never throws; rejects with TrubaError NOTLEADER, OVERLOADED,
   * TOOLARGE or STOPPED (not appended, and never will be) or UNKNOWNOUTCOME (may turn up in the log or not).
   */
  append(batch: Uint8Array): Promise<Position>;
  /**
   * Where {@link committed} goes on: behind this position, which may be lower than what was read. Called once the state holds everything up to it; before the
   * first call it is 0.
   */
  readFrom(position: Position): void;
  /**
   * The next confirmed entries, in order, without gap, none twice: empty when there are none. At least one if there is one, and no more once there are
   * `maxBytes`; it may give fewer. Throws TrubaError DATADAMAGED when they cannot be read, among others because they were trimmed. What was confirmed can
   * be read also after the log has stopped, if its engine can still read.
   */
  committed(maxBytes: number): readonly Entry[];
  /**
   * Resolves with a position such that a state that has applied everything up to it has seen all that was acknowledged before the call. Rejects with
   * TrubaError NOTLEADER or STOPPED.
   */
  barrier(): Promise<Position>;
  /**
   * Entries up to `upTo`, all of which were read, are no longer needed: a checkpoint that holds them is durable. Need not be durable itself: after a
   * crash they may be there again. Nothing happens if the log has stopped.
   */
  trim(upTo: Position): void;
  /**
   * Forgets all entries and goes on behind `position`: a checkpoint of a peer was installed. `token` is that peer's. Resolves when durable. Appends not yet
   * confirmed are rejected with UNKNOWNOUTCOME. Rejects with TrubaError STOPPED or UNKNOWNOUTCOME.
   */
  resetTo(position: Position, token: Uint8Array): Promise<void>;
  status(): LogStatus;
  /** Told when {@link committed} may have something, or when role, leader or term changed; also without cause. One listener. */
  onChange(listener: () => void): void;
}
