/**
 * The configuration in force, and how far each member is (thesis chapter 4). A change makes new Members. The Progress objects of those who stay are shared, and
 * their learner and witness marks follow the newest Members: who takes the new ones drops the old ones.
 *
 * Invariants, checked whenever Members are made:
 *   1. No learner is a voter, incoming or outgoing.
 *   2. learnersNext are outgoing voters, and not incoming ones.
 *   3. Without outgoing voters there are no learnersNext, and autoLeave is false.
 *   4. The members are exactly those that have a Progress; witnesses are members.
 *
 * All lists are sorted, and members are always gone through in rising order, so that equal inputs give equal messages.
 */
import { assert, must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { changeKinds, type ConfigurationChange, type MemberChange } from "./membership-change.ts";
import type { Progress } from "./progress.ts";
import { committedIndex, voteResult, type VoteResult } from "./quorum.ts";
import { nobody, type Configuration, type Index, type ReplicaId } from "./vocabulary.ts";

/** Makes the Progress of one who joins, as of now. */
export type NewProgress = () => Progress;

export class Members implements Configuration {
  readonly voters: readonly ReplicaId[];
  readonly outgoing: readonly ReplicaId[];
  readonly learners: readonly ReplicaId[];
  readonly learnersNext: readonly ReplicaId[];
  readonly witnesses: readonly ReplicaId[];
  readonly autoLeave: boolean;
  /** All members. */
  readonly ids: readonly ReplicaId[];
  /** Of all members, in the order of {@link ids}. */
  readonly progress: ReadonlyMap<ReplicaId, Progress>;
  readonly #newProgress: NewProgress;
  /** Made once: they are used on the hot path. */
  readonly #matchOf = (id: ReplicaId): Index | undefined => this.progress.get(id)?.match;
  readonly #activityOf = (id: ReplicaId): boolean => this.progress.get(id)?.recentActive ?? false;

  private constructor(draft: Draft, newProgress: NewProgress) {
    const problem = problemOf(draft);
    assert(problem === undefined, `a change made an impossible configuration: ${problem}`);
    this.voters = sorted(draft.voters);
    this.outgoing = sorted(draft.outgoing);
    this.learners = sorted(draft.learners);
    this.learnersNext = sorted(draft.learnersNext);
    this.witnesses = sorted(draft.witnesses);
    this.autoLeave = draft.autoLeave;
    this.ids = sorted(draft.progress.keys());
    const progress = new Map<ReplicaId, Progress>();
    for (const id of this.ids) {
      const one = must(draft.progress.get(id));
      one.isLearner = draft.learners.has(id);
      one.isWitness = draft.witnesses.has(id);
      progress.set(id, one);
    }
    this.progress = progress;
    this.#newProgress = newProgress;
  }

  /**
   * As a checkpoint or the bootstrap says; all empty for a copy that knows of nobody yet. Every member's progress begins anew. Throws TrubaError DATADAMAGED on a
   * configuration that no change can make.
   */
  static fromConfiguration(configuration: Configuration, newProgress: NewProgress): Members {
    const draft = draftOf(configuration);
    for (const list of [draft.voters, draft.outgoing, draft.learners]) {
      for (const id of list) if (!draft.progress.has(id)) draft.progress.set(id, newProgress());
    }
    const problem = problemOf(draft);
    if (problem !== undefined) {
      throw new TrubaError("DATADAMAGED", `the configuration of a group is impossible: ${problem}`);
    }
    return new Members(draft, newProgress);
  }

  toConfiguration(): Configuration {
    const { voters, outgoing, learners, learnersNext, witnesses, autoLeave } = this;
    return { voters, outgoing, learners, learnersNext, witnesses, autoLeave };
  }

  /** Two sets of voters decide together. */
  get isJoint(): boolean {
    return this.outgoing.length > 0;
  }

  /** Whether its vote and its log count, in either set. */
  isVoter(id: ReplicaId): boolean {
    return this.voters.includes(id) || this.outgoing.includes(id);
  }

  /** The largest index that the voters hold durably; see {@link committedIndex} of quorum.ts. */
  committedIndex(): Index {
    return committedIndex(this.voters, this.outgoing, this.#matchOf);
  }

  voteResult(voteOf: (id: ReplicaId) => boolean | undefined): VoteResult {
    return voteResult(this.voters, this.outgoing, voteOf);
  }

  /** Whether a quorum was heard from in the current election timeout (CheckQuorum, thesis 6.2). */
  get isQuorumActive(): boolean {
    return voteResult(this.voters, this.outgoing, this.#activityOf) === "won";
  }

  /**
   * The members after a change as it stands in the log: an empty one leaves the joint configuration; one that asks for it or has several parts enters one; any other
   * is simple. Throws TrubaError BADCHANGE when it is not possible now; nothing has changed then.
   */
  after(change: ConfigurationChange): Members {
    return new Members(this.#draftAfter(change), this.#newProgress);
  }

  /** Throws what {@link after} would throw, and changes nothing, no mark of a Progress either. */
  check(change: ConfigurationChange): void {
    this.#draftAfter(change);
  }

  /** Changes that alter one voter at most take effect at once: any majorities before and after have a voter in common (thesis 4.1). Throws TrubaError BADCHANGE. */
  simple(changes: readonly MemberChange[]): Members {
    return new Members(this.#simple(changes), this.#newProgress);
  }

  /** Any changes: until the joint configuration is left, majorities of the voters before and after must both agree (thesis 4.3). Throws TrubaError BADCHANGE. */
  enterJoint(autoLeave: boolean, changes: readonly MemberChange[]): Members {
    return new Members(this.#enterJoint(autoLeave, changes), this.#newProgress);
  }

  /** The outgoing voters go, those among learnersNext become learners. Throws TrubaError BADCHANGE. */
  leaveJoint(): Members {
    return new Members(this.#leaveJoint(), this.#newProgress);
  }

  /** `voters=(1 2)&&(1) learners=(3)`, as the published scenarios print it. */
  describe(): string {
    let text = `voters=${listText(this.voters)}`;
    if (this.isJoint) text += `&&${listText(this.outgoing)}`;
    if (this.learners.length > 0) text += ` learners=${listText(this.learners)}`;
    if (this.learnersNext.length > 0) text += ` learners_next=${listText(this.learnersNext)}`;
    if (this.witnesses.length > 0) text += ` witnesses=${listText(this.witnesses)}`;
    if (this.autoLeave) text += " autoleave";
    return text;
  }

  #draftAfter({ transition, changes }: ConfigurationChange): Draft {
    if (transition === "auto" && changes.length === 0) return this.#leaveJoint();
    if (transition === "auto" && changes.length === 1) return this.#simple(changes);
    return this.#enterJoint(transition !== "explicit", changes);
  }

  #simple(changes: readonly MemberChange[]): Draft {
    if (this.isJoint) throw refused("can't apply simple config change in joint config");
    const draft = this.#draft();
    applyAll(draft, changes, this.#newProgress);
    let altered = 0;
    for (const id of this.voters) if (!draft.voters.has(id)) altered++;
    for (const id of draft.voters) if (!this.voters.includes(id)) altered++;
    if (altered > 1) {
      throw refused("more than one voter changed without entering joint config");
    }
    return draft;
  }

  #enterJoint(autoLeave: boolean, changes: readonly MemberChange[]): Draft {
    if (this.isJoint) throw refused("config is already joint");
    if (this.voters.length === 0) throw refused("can't make a zero-voter config joint");
    const draft = this.#draft();
    draft.outgoing = new Set(draft.voters);
    draft.autoLeave = autoLeave;
    applyAll(draft, changes, this.#newProgress);
    return draft;
  }

  #leaveJoint(): Draft {
    if (!this.isJoint) throw refused("can't leave a non-joint config");
    const draft = this.#draft();
    for (const id of draft.learnersNext) draft.learners.add(id);
    for (const id of draft.outgoing) {
      if (!draft.voters.has(id) && !draft.learners.has(id)) forget(draft, id);
    }
    draft.learnersNext = new Set();
    draft.outgoing = new Set();
    draft.autoLeave = false;
    return draft;
  }

  #draft(): Draft {
    const draft = draftOf(this);
    for (const [id, progress] of this.progress) draft.progress.set(id, progress);
    return draft;
  }
}

/** Members in the making: may break the invariants until it is done. */
interface Draft {
  readonly voters: Set<ReplicaId>;
  outgoing: Set<ReplicaId>;
  readonly learners: Set<ReplicaId>;
  learnersNext: Set<ReplicaId>;
  readonly witnesses: Set<ReplicaId>;
  autoLeave: boolean;
  readonly progress: Map<ReplicaId, Progress>;
}

function draftOf(configuration: Configuration): Draft {
  return {
    voters: new Set(configuration.voters),
    outgoing: new Set(configuration.outgoing),
    learners: new Set(configuration.learners),
    learnersNext: new Set(configuration.learnersNext),
    witnesses: new Set(configuration.witnesses),
    autoLeave: configuration.autoLeave,
    progress: new Map(),
  };
}

/** In their order; each may be repeated or have been true before. */
function applyAll(draft: Draft, changes: readonly MemberChange[], newProgress: NewProgress): void {
  for (const change of changes) {
    // A leader that withdraws a change puts nobody in its place.
    if (change.replica !== nobody) applyOne(draft, change, newProgress);
  }
  if (draft.voters.size === 0) throw refused("removed all voters");
  if (isSubset(draft.voters, draft.witnesses)) {
    throw refused("all voters would be witnesses, and nobody would keep the state");
  }
}

function applyOne(draft: Draft, { kind, replica }: MemberChange, newProgress: NewProgress): void {
  switch (kind) {
    case changeKinds.addVoter:
      mustBeFull(draft, replica);
      makeVoter(draft, replica, newProgress);
      break;
    case changeKinds.addWitness:
      if (draft.progress.has(replica) && !draft.witnesses.has(replica))
        throw refused(`copy ${replica} keeps the state; a witness must be another copy`);
      makeVoter(draft, replica, newProgress);
      draft.witnesses.add(replica);
      break;
    case changeKinds.addLearner:
      mustBeFull(draft, replica);
      makeLearner(draft, replica, newProgress);
      break;
    case changeKinds.remove:
      remove(draft, replica);
      break;
    case changeKinds.touch:
      break;
  }
}

/** A witness cannot become a full copy: it has the log's end and no state. */
function mustBeFull(draft: Draft, id: ReplicaId): void {
  if (draft.witnesses.has(id))
    throw refused(`copy ${id} is a witness and has no state; a full copy must be another one`);
}

function makeVoter(draft: Draft, id: ReplicaId, newProgress: NewProgress): void {
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  draft.voters.add(id);
  if (!draft.progress.has(id)) draft.progress.set(id, newProgress());
}

/** One whose vote still counts in the outgoing set becomes a learner only when that is left. */
function makeLearner(draft: Draft, id: ReplicaId, newProgress: NewProgress): void {
  draft.voters.delete(id);
  if (draft.outgoing.has(id)) draft.learnersNext.add(id);
  else draft.learners.add(id);
  if (!draft.progress.has(id)) draft.progress.set(id, newProgress());
}

/** An outgoing voter is still sent to, and still what it was, until the joint configuration is left. */
function remove(draft: Draft, id: ReplicaId): void {
  draft.voters.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  if (!draft.outgoing.has(id)) forget(draft, id);
}

function forget(draft: Draft, id: ReplicaId): void {
  draft.progress.delete(id);
  draft.witnesses.delete(id);
}

/** Which of the invariants does not hold, in words. */
function problemOf(draft: Draft): string | undefined {
  const { voters, outgoing, learners, learnersNext, witnesses, progress } = draft;
  const members = new Set([...voters, ...outgoing, ...learners]);
  for (const id of members) {
    if (!Number.isSafeInteger(id) || id <= nobody) return `${id} is no id of a copy`;
    if (!progress.has(id)) return `member ${id} has no progress`;
  }
  if (members.size !== progress.size) return "there is progress of one who is no member";
  for (const id of learners) {
    if (voters.has(id) || outgoing.has(id)) return `${id} is a learner and a voter`;
  }
  for (const id of learnersNext) {
    if (!outgoing.has(id)) return `${id} is to become a learner and is no outgoing voter`;
    if (voters.has(id)) return `${id} is to become a learner and is a voter`;
  }
  if (outgoing.size > 0 && voters.size === 0) return "there are outgoing voters and no others";
  if (outgoing.size === 0 && draft.autoLeave) return "there is no joint configuration to leave";
  if (!isSubset(witnesses, members)) return "a witness is no member";
  return undefined;
}

function isSubset(part: ReadonlySet<ReplicaId>, whole: ReadonlySet<ReplicaId>): boolean {
  for (const id of part) if (!whole.has(id)) return false;
  return true;
}

function sorted(ids: Iterable<ReplicaId>): readonly ReplicaId[] {
  return [...ids].sort((a, b) => a - b);
}

function listText(ids: readonly ReplicaId[]): string {
  return `(${ids.join(" ")})`;
}

function refused(text: string): TrubaError {
  return new TrubaError("BADCHANGE", text);
}
