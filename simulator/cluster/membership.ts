/**
 * The operator of a simulated cluster: replaces what is lost, and changes the members for no reason. Each round looks at what the leader's configuration says
 * and does the next thing, so it does not matter which of its proposals got lost:
 *
 *     lost learner           remove it
 *     lost or unwanted voter a copy elsewhere joins as learner → catches up → takes the voter's place by one joint change
 *     lost witness           another one takes its place at once
 *     joint                  wait, or leave it if the leader does not by itself
 */
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { errorText } from "../../src/base/errors.ts";
import { chance } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { RaftGroup } from "../../src/log/raft-group.ts";
import { changeKinds, leaveJoint } from "../../src/raft/membership-change.ts";
import type { ConfigurationChange, MemberChange } from "../../src/raft/membership-change.ts";
import type { Configuration } from "../../src/raft/vocabulary.ts";
import { textOfChange } from "./change-text.ts";
import { membersOf } from "./directory.ts";
import type { Copy, Directory } from "./directory.ts";
import type { Host } from "./host.ts";
import { RunningCopies } from "./running-copies.ts";
import { drawInterval, pick } from "./swarm.ts";
import type { Trace } from "./trace.ts";

const roundEveryMs = 150;
/** Of an operator in a hurry, who does not wait for what he asked for before. */
const hastyRoundEveryMs = 15;
/** A proposal of which nothing was heard for so long is forgotten. */
const proposalMaxMs = 3_000;
/** A learner that has not caught up after so many rounds is given up. */
const catchUpMaxRounds = 60;
/** So far behind the leader's commit index a learner may be promoted. */
const catchUpEntries = 16;
const membersMaxCount = 6;
const touchEveryMs = 1_500;

/** What is under way for one partition. */
interface Plan {
  proposedMs: number;
  /** A voter that is to be replaced although nothing is wrong with it. */
  victim: Copy | undefined;
  waitedRounds: number;
  nextWhimMs: number;
  nextTouchMs: number;
}

export class Membership {
  /** Proposals that were applied. */
  changes = 0;
  readonly #time: Clock;
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #directory: Directory;
  readonly #hosts: readonly Host[];
  readonly copies: RunningCopies;
  readonly #plans: readonly Plan[];
  #whimEveryMs: number;
  #hasty: boolean;

  constructor(parts: {
    time: Clock;
    random: Random;
    trace: Trace;
    directory: Directory;
    hosts: readonly Host[];
    partitions: number;
    /** 0 = no change without a reason. */
    whimEveryMs: number;
    /** The operator asks for the next change while the one before may be under way. */
    hasty: boolean;
  }) {
    this.#time = parts.time;
    this.#random = parts.random;
    this.#trace = parts.trace;
    this.#directory = parts.directory;
    this.#hosts = parts.hosts;
    this.copies = new RunningCopies(parts.directory, parts.hosts);
    this.#whimEveryMs = parts.whimEveryMs;
    this.#hasty = parts.hasty;
    this.#plans = Array.from({ length: parts.partitions }, () => ({
      proposedMs: -Infinity,
      victim: undefined,
      waitedRounds: 0,
      nextWhimMs: drawInterval(this.#random, this.#whimEveryMs),
      nextTouchMs: 0,
    }));
  }

  start(): void {
    this.#time.after(this.#hasty ? hastyRoundEveryMs : roundEveryMs, () => {
      for (const [partition, plan] of this.#plans.entries()) {
        for (const host of this.#hosts) host.followDirectory(partition);
        this.#round(partition, plan);
      }
      this.start();
    });
  }

  /** From now on only what must be done. */
  calm(): void {
    this.#whimEveryMs = 0;
    this.#hasty = false;
    for (const plan of this.#plans) plan.victim = undefined;
  }

  /**
   * Whether the disk of a host may go without breaking a promise that Raft gives: of each partition's voters all others are whole, and two at least remain; and
   * no change of the members is under way.
   */
  mayLose(host: Host): boolean {
    for (const [partition, plan] of this.#plans.entries()) {
      const copy = this.#directory.on(partition, host.number);
      if (copy === undefined) continue;
      const configuration = this.#settledConfiguration(partition, plan);
      if (configuration === undefined) return false;
      if (!configuration.voters.includes(copy.replica)) continue;
      if (configuration.voters.length < 3) return false;
      const others = configuration.voters.map((id) => this.#directory.copy(partition, id));
      if (others.some((other) => other?.state !== "alive" || other.doubtful)) return false;
      if (!this.#mayRelyOnWitness(copy, configuration)) return false;
    }
    return true;
  }

  /** A witness holds the end of the log only: without the copy that is lost, the other full ones must reach up to where it begins. */
  #mayRelyOnWitness({ partition, replica }: Copy, { voters, witnesses }: Configuration): boolean {
    const rafts = voters
      .filter((id) => id !== replica)
      .map((id) => this.copies.group(must(this.#directory.copy(partition, id)))?.raft);
    const keptFrom = rafts.map((raft) =>
      raft !== undefined && witnesses.includes(raft.id) ? raft.baseIndex : 0,
    );
    if (!voters.some((id) => witnesses.includes(id))) return true;
    return rafts.every((raft) => raft !== undefined && raft.durable >= Math.max(...keptFrom));
  }

  /** The configuration, if nothing can come between: no change of it is in the leader's log, which has an entry of its own term, and nobody knows of a later term. */
  #settledConfiguration(partition: number, plan: Plan): Configuration | undefined {
    if (this.#time.monotonicMs() < plan.proposedMs + proposalMaxMs) return undefined;
    const raft = this.copies.leader(partition)?.raft;
    if (raft === undefined || !raft.hasCommittedInTerm) return undefined;
    const touch = { kind: changeKinds.touch, replica: raft.id };
    if (raft.changeRefusal({ transition: "auto", changes: [touch] }) !== undefined)
      return undefined;
    for (const host of this.#hosts) {
      if ((host.group(partition)?.raft.term ?? 0) > raft.term) return undefined;
    }
    const { configuration, configurationIndex } = raft;
    // Who has forgotten it by a restart goes by the one before, and may need those who were in that.
    if (!this.copies.isKnownToMajority(partition, configuration, configurationIndex))
      return undefined;
    return configuration.outgoing.length > 0 ? undefined : configuration;
  }

  #round(partition: number, plan: Plan): void {
    const now = this.#time.monotonicMs();
    if (!this.#hasty && now < plan.proposedMs + proposalMaxMs) return;
    const group = this.copies.leader(partition);
    if (group === undefined) return;
    const { configuration, configurationIndex } = group.raft;
    const allKnown = this.#noteMembers(partition, configuration, configurationIndex);
    if (configuration.outgoing.length > 0) {
      if (!configuration.autoLeave) this.#propose(partition, plan, group, leaveJoint);
      return;
    }
    if (!allKnown && now >= plan.nextTouchMs) {
      // With a change of the configuration the commit index before it becomes durable everywhere.
      plan.nextTouchMs = now + touchEveryMs;
      const touch = { kind: changeKinds.touch, replica: group.replica };
      this.#propose(partition, plan, group, { transition: "auto", changes: [touch] });
      return;
    }
    if (this.#repair(partition, plan, group)) return;
    if (this.#whimEveryMs === 0 || now < plan.nextWhimMs) return;
    plan.nextWhimMs = now + drawInterval(this.#random, this.#whimEveryMs);
    this.#whim(partition, plan, group);
  }

  /**
   * Who was a member and is none in a later configuration is so for good. What is left of it is deleted when a majority of those who remain know that even
   * after a power loss: before, they may need its vote. Returns whether nothing waits for that.
   */
  #noteMembers(partition: number, configuration: Configuration, index: number): boolean {
    let allKnown = true;
    const members = membersOf(configuration);
    for (const copy of this.#directory.copies(partition)) {
      if (members.has(copy.replica)) {
        copy.memberAt = Math.max(copy.memberAt, index, 1);
        continue;
      }
      if (copy.state !== "alive" || copy.memberAt === 0 || index <= copy.memberAt) continue;
      if (copy.goneAt === 0) copy.goneAt = index;
      if (!this.copies.isKnownToMajority(partition, configuration, copy.goneAt)) {
        allKnown = false;
        continue;
      }
      copy.state = "removed";
      this.#trace.say("members", partition, `r${copy.replica} on h${copy.host} is removed`);
      this.#maybeRestart(must(this.#hosts[copy.host]));
    }
    return allKnown;
  }

  /** Does the next thing that must be done; whether there was one. */
  #repair(partition: number, plan: Plan, group: RaftGroup): boolean {
    const { voters, learners } = group.raft.configuration;
    const copies = (ids: readonly number[]): Copy[] =>
      ids.flatMap((id) => this.#directory.copy(partition, id) ?? []);
    const lostLearner = copies(learners).find(({ state }) => state === "lost");
    if (lostLearner !== undefined) {
      this.#change(partition, plan, group, [remove(lostLearner)]);
      return true;
    }
    const { victim } = plan;
    if (victim !== undefined && !voters.includes(victim.replica)) plan.victim = undefined;
    const leaving = copies(voters).find(({ state }) => state === "lost") ?? plan.victim;
    if (leaving === undefined) return false;
    this.#replace(partition, plan, group, leaving);
    return true;
  }

  #replace(partition: number, plan: Plan, group: RaftGroup, leaving: Copy): void {
    if (leaving.witness) {
      const spare = this.#spare(partition, true);
      if (spare === undefined || !this.copies.isOpen(spare)) return;
      const added = { kind: changeKinds.addWitness, replica: spare.replica };
      this.#change(partition, plan, group, [added, remove(leaving)]);
      return;
    }
    const { learners, witnesses } = group.raft.configuration;
    const id = learners.find((learner) => !witnesses.includes(learner));
    if (id === undefined) {
      this.#join(partition, plan, group);
      return;
    }
    const learner = must(this.#directory.copy(partition, id));
    if (this.#hasCaughtUp(partition, group, id)) {
      plan.waitedRounds = 0;
      const added = { kind: changeKinds.addVoter, replica: id };
      this.#change(partition, plan, group, [added, remove(leaving)]);
    } else if (++plan.waitedRounds > catchUpMaxRounds) {
      plan.waitedRounds = 0;
      plan.victim = undefined;
      this.#change(partition, plan, group, [remove(learner)]);
    }
  }

  /** A new copy begins as a learner. */
  #join(partition: number, plan: Plan, group: RaftGroup): void {
    const spare = this.#spare(partition, false);
    if (spare === undefined) {
      plan.victim = undefined;
      return;
    }
    if (!this.copies.isOpen(spare)) return;
    const added = { kind: changeKinds.addLearner, replica: spare.replica };
    this.#change(partition, plan, group, [added]);
  }

  /** A copy that is no member yet: one that was placed before, or a new one on a host that runs. */
  #spare(partition: number, witness: boolean): Copy | undefined {
    const waiting = this.#directory
      .copies(partition)
      .find((copy) => copy.state === "alive" && copy.memberAt === 0 && copy.witness === witness);
    if (waiting !== undefined) return waiting;
    const free = this.#hosts.filter(
      (host) => host.node !== undefined && this.#directory.on(partition, host.number) === undefined,
    );
    if (free.length === 0) return undefined;
    const host = pick(this.#random, free);
    const copy = this.#directory.add(partition, host.number, witness);
    this.#trace.say("members", partition, `r${copy.replica} is placed on h${host.number}`);
    this.#maybeRestart(host);
    return copy;
  }

  /** What the directory says of a host has changed: its node follows soon, or the process ends and the next one reads it. */
  #maybeRestart(host: Host): void {
    if (chance(this.#random, 0.2)) host.die("kill");
  }

  /** A copy whose disk has just been damaged must not become a voter: that it is lost is known soon. */
  #hasCaughtUp(partition: number, group: RaftGroup, replica: number): boolean {
    const copy = this.#directory.copy(partition, replica);
    if (copy?.state !== "alive" || copy.doubtful) return false;
    const match = group.status().progress.get(replica)?.match ?? 0;
    const { committed, configurationIndex } = group.raft;
    return match >= configurationIndex && match + catchUpEntries >= committed;
  }

  /** Something that nobody needs. */
  #whim(partition: number, plan: Plan, group: RaftGroup): void {
    const { voters, learners, witnesses } = group.raft.configuration;
    const copies = voters.map((id) => must(this.#directory.copy(partition, id)));
    if (copies.some(({ state, doubtful }) => state !== "alive" || doubtful)) return;
    const full = copies.filter(({ witness }) => !witness);
    const anyFull = pick(this.#random, full);
    const learner = learners.find((id) => !witnesses.includes(id));
    const whims: (() => void)[] = [
      () => (plan.victim = pick(this.#random, copies)),
      () => group.transferLeadership(anyFull.replica),
      () => this.#change(partition, plan, group, [{ ...remove(anyFull), kind: changeKinds.touch }]),
    ];
    if (voters.length + learners.length < membersMaxCount)
      whims.push(() => this.#join(partition, plan, group));
    if (full.length > 1) {
      const demoted = { kind: changeKinds.addLearner, replica: anyFull.replica };
      whims.push(
        () => this.#change(partition, plan, group, [remove(anyFull)]),
        () => this.#change(partition, plan, group, [demoted]),
      );
    }
    if (learner !== undefined && this.#hasCaughtUp(partition, group, learner)) {
      const promoted = { kind: changeKinds.addVoter, replica: learner };
      whims.push(
        () => this.#change(partition, plan, group, [promoted]),
        () => this.#change(partition, plan, group, [{ ...promoted, kind: changeKinds.remove }]),
      );
      if (full.length > 1)
        whims.push(() => this.#change(partition, plan, group, [promoted, remove(anyFull)]));
    }
    const witness = copies.find((copy) => copy.witness);
    if (witness !== undefined && voters.length > 2)
      whims.push(() => this.#change(partition, plan, group, [remove(witness)]));
    if (witness === undefined && full.length % 2 === 0)
      whims.push(() => this.#addWitness(partition, plan, group));
    pick(this.#random, whims)();
  }

  #addWitness(partition: number, plan: Plan, group: RaftGroup): void {
    const spare = this.#spare(partition, true);
    if (spare === undefined || !this.copies.isOpen(spare)) return;
    const added = { kind: changeKinds.addWitness, replica: spare.replica };
    this.#change(partition, plan, group, [added]);
  }

  #change(partition: number, plan: Plan, group: RaftGroup, changes: readonly MemberChange[]): void {
    const wanted = this.#withoutLeader(partition, group, changes);
    if (wanted.length === 0) return;
    const joint = wanted.length > 1 || chance(this.#random, 0.2);
    const transition = joint ? (chance(this.#random, 0.25) ? "explicit" : "implicit") : "auto";
    this.#propose(partition, plan, group, { transition, changes: wanted });
  }

  /**
   * A leader that is removed steps down when it applies that, perhaps before the others know: with too few others nobody could be elected. So it hands over
   * first, if there is somebody; what is left of the change may be made at once.
   */
  #withoutLeader(
    partition: number,
    group: RaftGroup,
    changes: readonly MemberChange[],
  ): readonly MemberChange[] {
    const { voters } = group.raft.configuration;
    const rest = changes.filter(
      ({ kind, replica }) =>
        replica !== group.replica ||
        (kind !== changeKinds.remove && kind !== changeKinds.addLearner),
    );
    if (rest.length === changes.length || voters.length > 2) return changes;
    const heir = voters
      .map((id) => must(this.#directory.copy(partition, id)))
      .find(
        ({ replica, state, witness }) => replica !== group.replica && state === "alive" && !witness,
      );
    if (heir === undefined) return rest;
    group.transferLeadership(heir.replica);
    return [];
  }

  #propose(partition: number, plan: Plan, group: RaftGroup, change: ConfigurationChange): void {
    const proposedMs = this.#time.monotonicMs();
    plan.proposedMs = proposedMs;
    const text = textOfChange(change);
    this.#trace.say("members", partition, `r${group.replica} is to make it ${text}`);
    const ended = (): void => {
      if (plan.proposedMs === proposedMs) plan.proposedMs = -Infinity;
    };
    group.propose(change).then(
      () => {
        this.changes++;
        this.#trace.say("members", partition, `done: ${text}`);
        ended();
      },
      (error: unknown) => {
        this.#trace.say("members", partition, `not done: ${text}: ${errorText(error)}`);
        ended();
      },
    );
  }
}

function remove({ replica }: Copy): MemberChange {
  return { kind: changeKinds.remove, replica };
}
