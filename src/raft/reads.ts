/**
 * Linearizable reads without the log (thesis 6.4): a read may be answered once a majority has confirmed, by an answer to a heartbeat sent after it was asked,
 * that this copy still leads. Every round has a number of its own that is never used again in the term, so that a late answer to an earlier round
 * confirms nothing.
 */
import type { Index, ReplicaId } from "./vocabulary.ts";

export interface Read {
  /** Who asked; the leader itself or a copy that passed the question on. */
  readonly from: ReplicaId;
  readonly token: number;
}

interface Round {
  readonly number: number;
  /** What was committed when it was asked. */
  readonly index: Index;
  readonly read: Read;
}

export interface ConfirmedRead extends Read {
  readonly index: Index;
}

export class Reads {
  #rounds: Round[] = [];
  #lastRound = 0;
  /** Copy → the newest round it has confirmed. */
  readonly #confirmed = new Map<ReplicaId, number>();
  /** Asked before an entry of the own term is committed. */
  #waiting: Read[] = [];

  /** The newest round that waits; 0 = none. Goes with each heartbeat. */
  get newest(): number {
    return this.#rounds.length === 0 ? 0 : this.#lastRound;
  }

  /** Until an entry of the own term is committed the leader does not know what is (thesis 6.4, step 1). */
  postpone(read: Read): void {
    this.#waiting.push(read);
  }

  takePostponed(): readonly Read[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  get hasPostponed(): boolean {
    return this.#waiting.length > 0;
  }

  /** Opens a round; returns its number. */
  open(read: Read, committed: Index, self: ReplicaId): number {
    this.#lastRound++;
    this.#rounds.push({ number: this.#lastRound, index: committed, read });
    this.#confirmed.set(self, this.#lastRound);
    return this.#lastRound;
  }

  /** A copy has answered the heartbeat of a round. Returns whether that is news. */
  confirm(from: ReplicaId, round: number): boolean {
    if (round > this.#lastRound || round <= (this.#confirmed.get(from) ?? 0)) return false;
    this.#confirmed.set(from, round);
    return true;
  }

  confirmedBy(id: ReplicaId): number | undefined {
    return this.#confirmed.get(id);
  }

  /** All reads of rounds up to `round`. */
  take(round: number): ConfirmedRead[] {
    const taken: ConfirmedRead[] = [];
    while (this.#rounds[0] !== undefined && this.#rounds[0].number <= round) {
      const { read, index } = this.#rounds[0];
      taken.push({ ...read, index });
      this.#rounds.shift();
    }
    return taken;
  }
}
