/**
 * Raft (Ongaro's thesis), as a pure function over time: ticks, messages, proposals and completions go in; what is to be sent, made durable, applied and
 * fetched comes out by {@link Raft.ready}. No promise, timer, clock or disk inside; the only randomness is the generator that is passed in.
 *
 * The host takes a {@link Ready}, sends `messages`, makes `snapshot`, `hard` and `entries` durable, then steps the messages of `afterAppend` that are addressed to this
 * copy and sends the others, then calls {@link Raft.appendDone}; it may take the next one meanwhile. It applies `committed` in order and calls
 * {@link Raft.applyChange} for each configuration entry and then {@link Raft.applyDone}. docs/raft.md says where the thesis' sections are.
 */
import { Copy, abortTransfer, trimLimitOf } from "./copy.ts";
import { campaign } from "./election.ts";
import { broadcastHeartbeat } from "./heartbeats.ts";
import { applyChange, changeRefusal, maybeLeaveJoint } from "./membership.ts";
import type { ConfigurationChange } from "./membership-change.ts";
import type { RaftOptions, RaftStatus, Refusal } from "./options.ts";
import { read } from "./reading.ts";
import { ReadyMaker } from "./ready.ts";
import { checkQuorum, entriesArrived, transferTo } from "./replication.ts";
import { propose, step } from "./step.ts";
import {
  type AppendAck,
  type Configuration,
  type Entry,
  type Fetch,
  type Index,
  type Message,
  type Proposal,
  type Ready,
  type ReplicaId,
  type Role,
  type SnapshotMeta,
  type Term,
  messageTypes,
  nobody,
  roles,
} from "./vocabulary.ts";

export type { RaftOptions, RaftStart, RaftStatus, Refusal } from "./options.ts";

export class Raft {
  readonly #copy: Copy;
  readonly #ready: ReadyMaker;

  constructor(options: RaftOptions) {
    this.#copy = new Copy(options);
    this.#ready = new ReadyMaker(this.#copy);
  }

  // What goes in

  /** The only notion of time. */
  tick(): void {
    const copy = this.#copy;
    copy.electionElapsed++;
    if (copy.role === roles.leader) this.#tickLeader();
    else if (copy.isPromotable && copy.electionElapsed >= copy.electionTimeout) {
      copy.electionElapsed = 0;
      this.campaign();
    }
  }

  /** A message of another copy, or one of `afterAppend` to this one. Throws TrubaError DATADAMAGED when it shows that this copy has lost what it had promised. */
  step(message: Message): void {
    if (message.to === this.#copy.id) step(this.#copy, message);
  }

  /** Puts proposals behind the log of the leader, all or none. Says why not. */
  propose(proposals: readonly Proposal[]): Refusal | undefined {
    return propose(this.#copy, proposals);
  }

  /** Why {@link propose} would make an empty entry of the change, or no change be made when it is applied; `undefined` if neither. */
  changeRefusal(change: ConfigurationChange): string | undefined {
    return changeRefusal(this.#copy, change);
  }

  campaign(): void {
    campaign(this.#copy, this.#copy.options.preVote ? "pre-vote" : "vote");
  }

  /** A follower grants its vote although it has heard of its leader: an operator knows that it is gone. */
  forgetLeader(): void {
    const copy = this.#copy;
    if (copy.role === roles.follower && copy.options.readMode === "safe") copy.leader = nobody;
  }

  /** Asks for leadership to go to a voter; a follower passes that on. The transfer is given up after an election timeout (thesis 3.10). */
  transferLeader(to: ReplicaId): void {
    const copy = this.#copy;
    if (copy.role === roles.leader) transferTo(copy, to);
    else if (copy.role === roles.follower && copy.leader !== nobody)
      copy.send(messageTypes.transferLeader, copy.leader, { from: to });
  }

  /** The answer comes by `Ready.reads`, or never: whoever waits must give up when the leader changes. `token` must not be used again. */
  readIndex(token: number): Refusal | undefined {
    const copy = this.#copy;
    if (copy.role === roles.leader) {
      if (copy.isWitness) return "witness";
      read(copy, { from: copy.id, token });
      return undefined;
    }
    if (copy.leader === nobody || copy.role !== roles.follower) return "no leader";
    copy.send(messageTypes.readIndex, copy.leader, { term: 0, context: token });
    return undefined;
  }

  /** Messages to a member do not arrive. */
  reportUnreachable(id: ReplicaId): void {
    const progress = this.#progressOf(id);
    if (progress?.state === "replicate") progress.becomeProbe();
  }

  /** A snapshot has arrived, or has failed. */
  reportSnapshot(id: ReplicaId, ok: boolean): void {
    const progress = this.#progressOf(id);
    if (progress === undefined || progress.state !== "snapshot") return;
    progress.snapshotEnded(ok);
    // It says by itself how far it is, or a heartbeat's answer does.
    progress.awaitsAnswer = true;
  }

  /** The newest checkpoint, which is sent to who needs entries that are gone. */
  snapshotAvailable(snapshot: SnapshotMeta): void {
    this.#copy.checkpoint = snapshot;
  }

  /** Entries up to here, all of them applied, are gone from the disk. */
  compact(index: Index): void {
    this.#copy.log.compact(index);
  }

  /** A configuration entry is applied. Returns the configuration in force now. */
  applyChange(index: Index, change: ConfigurationChange): Configuration {
    applyChange(this.#copy, index, change);
    return this.configuration;
  }

  /** What {@link Ready} said with this acknowledgement is durable, and the messages that waited for it have been handled. */
  appendDone(ack: AppendAck): void {
    const { log, term } = this.#copy;
    // Of an earlier term: the entries may have been replaced by others of the same place. What is durable is said again with the next one.
    if (ack.term === term && ack.index > 0) log.durableTo(ack.index, ack.logTerm);
    if (ack.snapshot > 0) log.snapshotDurable(ack.snapshot);
  }

  applyDone(index: Index): void {
    const copy = this.#copy;
    copy.uncommittedBytes = Math.max(0, copy.uncommittedBytes - copy.log.appliedTo(index));
    maybeLeaveJoint(copy);
  }

  /** What {@link Ready.fetches} asked for: contiguous from `asked.from`. */
  entriesFetched(asked: Fetch, entries: readonly Entry[]): void {
    this.#copy.log.fetched(asked, entries);
    entriesArrived(this.#copy, entries);
  }

  // What comes out

  hasReady(): boolean {
    return this.#ready.has();
  }

  /** What is to be done. It is under way from now on, and not given again. */
  ready(): Ready {
    return this.#ready.take();
  }

  // What can be seen

  get id(): ReplicaId {
    return this.#copy.id;
  }

  get term(): Term {
    return this.#copy.term;
  }

  get vote(): ReplicaId {
    return this.#copy.vote;
  }

  get role(): Role {
    return this.#copy.role;
  }

  get leader(): ReplicaId {
    return this.#copy.leader;
  }

  get committed(): Index {
    return this.#copy.log.committed;
  }

  get applied(): Index {
    return this.#copy.log.applied;
  }

  get durable(): Index {
    return this.#copy.log.durable;
  }

  get lastIndex(): Index {
    return this.#copy.log.last;
  }

  get lastTerm(): Term {
    return this.#copy.log.lastTerm;
  }

  /** The entry before the first one in the log. */
  get baseIndex(): Index {
    return this.#copy.log.base;
  }

  termAt(index: Index): Term | undefined {
    return this.#copy.log.termAt(index);
  }

  get configuration(): Configuration {
    return this.#copy.members.toConfiguration();
  }

  get configurationIndex(): Index {
    return this.#copy.configurationIndex;
  }

  get isWitness(): boolean {
    return this.#copy.isWitness;
  }

  get isVoter(): boolean {
    return this.#copy.members.isVoter(this.id);
  }

  /** The only voter: nobody else is needed for anything. */
  get isAlone(): boolean {
    const { members } = this.#copy;
    return !members.isJoint && members.voters.length === 1 && members.voters[0] === this.id;
  }

  /** An entry of the own term is committed (thesis 6.4): from here on the leader knows what is. */
  get hasCommittedInTerm(): boolean {
    return this.#copy.hasCommittedInTerm;
  }

  /** The log must be kept above here. */
  get trimLimit(): Index {
    return trimLimitOf(this.#copy);
  }

  /** To whom leadership is being handed; 0 = nobody. */
  get transferee(): ReplicaId {
    return this.#copy.transferee;
  }

  get electionTimeoutTicks(): number {
    return this.#copy.electionTimeout;
  }

  /** Until the next change of role or term. For tests. */
  setElectionTimeout(ticks: number): void {
    this.#copy.electionTimeout = ticks;
  }

  status(): RaftStatus {
    const copy = this.#copy;
    const leads = copy.role === roles.leader;
    return {
      id: copy.id,
      hard: copy.hardState,
      soft: { role: copy.role, leader: copy.leader },
      applied: copy.log.applied,
      last: copy.log.last,
      configuration: this.configuration,
      progress: leads ? copy.members.progress : new Map(),
    };
  }

  #tickLeader(): void {
    const copy = this.#copy;
    const { electionTicks, heartbeatTicks } = copy.options;
    copy.heartbeatElapsed++;
    if (copy.electionElapsed >= electionTicks) {
      copy.electionElapsed = 0;
      if (copy.options.checkQuorum) checkQuorum(copy);
      if (copy.role !== roles.leader) return;
      abortTransfer(copy);
      // It may have been put off because of the transfer.
      maybeLeaveJoint(copy);
    }
    if (copy.heartbeatElapsed < heartbeatTicks) return;
    copy.heartbeatElapsed = 0;
    broadcastHeartbeat(copy);
  }

  #progressOf(id: ReplicaId) {
    const copy = this.#copy;
    return copy.role === roles.leader ? copy.members.progress.get(id) : undefined;
  }
}
