/**
 * What the leader knows of one member's log, and how it sends to it. A copy that does not lead keeps the same objects and leaves them alone.
 *
 *   probe      where the logs agree is not known: one append at a time, then wait for the answer or a heartbeat's
 *   replicate  it is known: appends go out ahead of the answers, as far as the window allows
 *   snapshot   what the member needs is gone from the log: nothing goes out until the snapshot has arrived or failed
 *
 * Always match < next. Entries from match+1 to next-1 are on their way, or have been lost.
 */
import { assert } from "../base/assert.ts";
import { Inflights } from "./inflights.ts";
import type { Index } from "./vocabulary.ts";

export type ProgressState = "probe" | "replicate" | "snapshot";

export interface ProgressOptions {
  /** The first entry to try, from 1. */
  readonly next: Index;
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
}

/** Progress for those who only look. */
export interface ProgressView {
  readonly match: Index;
  readonly next: Index;
  readonly state: ProgressState;
  readonly pendingSnapshot: Index;
  readonly recentActive: boolean;
  readonly isLearner: boolean;
  readonly isWitness: boolean;
  readonly isPaused: boolean;
  describe(): string;
}

const stateNames: Readonly<Record<ProgressState, string>> = {
  probe: "StateProbe",
  replicate: "StateReplicate",
  snapshot: "StateSnapshot",
};

export class Progress implements ProgressView {
  readonly inflights: Inflights;
  #match: Index = 0;
  #next: Index;
  #state: ProgressState = "probe";
  #pendingSnapshot: Index = 0;
  /** Heard from within the current election timeout (CheckQuorum); who joins counts as heard from, so that it is not held against the quorum at once. */
  recentActive = true;
  /**
   * No append goes out until the member is heard from again. Set by an append that must be answered first: a probe, or one that filled the window.
   */
  awaitsAnswer = false;
  /** The highest commit index sent to the member, 0 at first. */
  sentCommit: Index = 0;
  /** The entries for the next append are being read from disk. */
  fetching = false;
  /** Kept in step with the configuration by {@link Members}. */
  isLearner = false;
  isWitness = false;

  constructor({ next, maxInflightMessages, maxInflightBytes }: ProgressOptions) {
    assert(next >= 1, "the first entry has index 1");
    this.#next = next;
    this.inflights = new Inflights(maxInflightMessages, maxInflightBytes);
  }

  /** The highest entry that the member is known to hold durably, the same as the leader's. */
  get match(): Index {
    return this.#match;
  }

  /** The entry that the next append begins with. */
  get next(): Index {
    return this.#next;
  }

  get state(): ProgressState {
    return this.#state;
  }

  /** Index of the snapshot on its way; 0 outside state `snapshot`. */
  get pendingSnapshot(): Index {
    return this.#pendingSnapshot;
  }

  /** Whether appends must wait. A probe or a full window is woken by a heartbeat's answer, a snapshot by its arrival. */
  get isPaused(): boolean {
    return this.#state === "snapshot" || this.awaitsAnswer;
  }

  /** As at the beginning of a term: what the member said to another leader does not count (thesis 3.5). */
  reset(match: Index, next: Index): void {
    assert(match < next, "what the member holds is not sent again");
    this.#enter("probe");
    this.#match = match;
    this.#next = next;
    this.sentCommit = 0;
    this.recentActive = false;
    this.fetching = false;
  }

  /** Looks anew where the logs agree; behind a snapshot, which may have arrived unheard of, from there. */
  becomeProbe(): void {
    const snapshot = this.#pendingSnapshot;
    this.#enter("probe");
    this.#moveNext(Math.max(this.#match, snapshot) + 1);
  }

  becomeReplicate(): void {
    this.#enter("replicate");
    this.#next = this.#match + 1;
  }

  /** A snapshot of everything up to `index` is on its way. */
  becomeSnapshot(index: Index): void {
    assert(index > 0, "a snapshot has an index");
    this.#enter("snapshot");
    this.#pendingSnapshot = index;
    this.#next = Math.max(this.#match, index) + 1;
    this.sentCommit = index;
  }

  /** The snapshot has arrived, so that the member goes on behind it, or has not. */
  snapshotEnded(arrived: boolean): void {
    if (!arrived) this.#pendingSnapshot = 0;
    this.becomeProbe();
  }

  /** The member holds everything up to `index`. Whether that is news; an answer that came late or twice is not. */
  maybeUpdate(index: Index): boolean {
    if (index <= this.#match) return false;
    this.#match = index;
    this.#next = Math.max(this.#next, index + 1);
    this.awaitsAnswer = false;
    return true;
  }

  /**
   * The member refused an append that follows entry `rejected`; by its `hint` the logs may agree there. Whether that is news: one that answers another append
   * than the last is not, messages may be late or doubled.
   */
  maybeDecrTo(rejected: Index, hint: Index): boolean {
    if (this.#state === "replicate") {
      if (rejected <= this.#match) return false;
      // What was sent behind the lost one is refused too: back to what is sure.
      this.#moveNext(this.#match + 1);
      return true;
    }
    if (this.#next - 1 !== rejected) return false;
    this.#moveNext(Math.max(Math.min(rejected, hint + 1), this.#match + 1));
    this.awaitsAnswer = false;
    return true;
  }

  /** An append with so many entries (0 allowed), of so many bytes of data, was sent. */
  sentEntries(count: number, bytes: number): void {
    if (this.#state === "replicate") {
      if (count > 0) {
        this.#next += count;
        this.inflights.add(this.#next - 1, bytes);
      }
      // The append that fills the window, or finds it full, is a probe: were all of the window lost, only an answer to it could tell.
      this.awaitsAnswer = this.inflights.full;
    } else if (count > 0) {
      assert(this.#state === "probe", "no append goes to a member that waits for a snapshot");
      this.awaitsAnswer = true;
    }
  }

  /**
   * Whether an append, empty perhaps, with commit index `index` would tell the member more than those sent before: it can use a commit index only up to the
   * entries that it was sent.
   */
  canBumpCommit(index: Index): boolean {
    return index > this.sentCommit && this.sentCommit < this.#next - 1;
  }

  /** One line, as the published scenarios print it. */
  describe(): string {
    const { count, full } = this.inflights;
    const words = [stateNames[this.#state], `match=${this.#match}`, `next=${this.#next}`];
    if (this.isLearner) words.push("learner");
    if (this.isWitness) words.push("witness");
    if (this.isPaused) words.push("paused");
    if (this.#pendingSnapshot > 0) words.push(`pendingSnap=${this.#pendingSnapshot}`);
    if (!this.recentActive) words.push("inactive");
    if (count > 0) words.push(`inflight=${count}${full ? "[full]" : ""}`);
    return words.join(" ");
  }

  #enter(state: ProgressState): void {
    this.#state = state;
    this.#pendingSnapshot = 0;
    this.awaitsAnswer = false;
    this.inflights.reset();
  }

  /** What is sent again is sent with its commit index. */
  #moveNext(next: Index): void {
    this.#next = next;
    this.sentCommit = Math.min(this.sentCommit, next - 1);
  }
}
