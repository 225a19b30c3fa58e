/**
 * What must be so after every event: the invariants of Raft over all copies of a partition, equal state at equal positions (P5), and the order of what is
 * trimmed, checkpointed and applied. Only what the event may have changed is looked at: the copies on one host.
 */
import { must } from "../../src/base/assert.ts";
import type { RaftGroup } from "../../src/log/raft-group.ts";
import type { Node } from "../../src/node/node.ts";
import { AbsentLog } from "../../src/partition/absent-log.ts";
import { RaftInvariants } from "../../src/raft/invariants.ts";
import { roles } from "../../src/raft/vocabulary.ts";
import type { Configuration, ReplicaId, Role, Term } from "../../src/raft/vocabulary.ts";
import type { Host } from "./host.ts";
import { LogTimes } from "./log-times.ts";
import { Reigns } from "./reigns.ts";
import type { Trace } from "./trace.ts";
import { Violation } from "./violation.ts";

/** A state, as it was first seen at a position. */
interface StateSeen {
  readonly number: number;
  readonly digest: number;
  readonly host: number;
}

interface RoleSeen {
  replica: ReplicaId;
  role: Role;
  term: Term;
  position: number;
  /** -1: none was seen. */
  configurationIndex: number;
}

export class Checks {
  /** Times that a copy has become leader. */
  elections = 0;
  /** Configurations that took effect, counted once per partition. */
  configurations = 0;
  /** Of all partitions. */
  readonly times = new LogTimes();
  readonly #reigns = new Reigns();
  readonly #trace: Trace;
  readonly #invariants: readonly RaftInvariants[];
  readonly #states: readonly Map<number, StateSeen>[];
  readonly #configurationAt: number[];
  readonly #seen = new Map<number, RoleSeen[]>();
  /** The last node that each copy was seen on, by partition and replica. */
  readonly #nodes = new Map<string, Node>();

  constructor(trace: Trace, partitions: number) {
    this.#trace = trace;
    this.#invariants = Array.from(
      { length: partitions },
      (_, partition) =>
        new RaftInvariants({
          onDisk: (replica, index, term) => {
            const node = this.#nodes.get(`${partition} ${replica}`);
            return node !== undefined && isOnDisk(node, partition, index, term);
          },
          seesVotes: true,
        }),
    );
    this.#states = Array.from({ length: partitions }, () => new Map<number, StateSeen>());
    this.#configurationAt = Array.from({ length: partitions }, () => 0);
  }

  /** Up to here entries of a partition are known to be committed. */
  committed(partition: number): number {
    return must(this.#invariants[partition]).committed;
  }

  /** The node of a host may have changed. Throws Violation. */
  look(host: Host, node: Node): void {
    const seen = this.#seenOn(host.number);
    for (let partition = 0; partition < this.#invariants.length; partition++) {
      const group = host.group(partition);
      if (group === undefined) continue;
      const { raft } = group;
      this.#nodes.set(`${partition} ${raft.id}`, node);
      try {
        must(this.#invariants[partition]).observe([raft]);
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        throw new Violation(partition, text, { cause: error });
      }
      compareDisk(node, partition, raft);
      this.#reigns.look(host, node, partition);
      this.#noteRole(host, partition, raft, must(seen[partition]));
      if (!raft.isWitness) this.#compareState(host, node, partition, must(seen[partition]));
    }
  }

  /** The process on a host has ended; `node` is what it was. */
  ended(host: Host, node: Node): void {
    this.look(host, node);
    for (const [partition, invariants] of this.#invariants.entries()) {
      const group = host.group(partition);
      if (group !== undefined) invariants.copyRestarted(group.replica);
    }
    this.#seen.delete(host.number);
  }

  #seenOn(host: number): RoleSeen[] {
    const known = this.#seen.get(host);
    if (known !== undefined) return known;
    const fresh = this.#invariants.map(() => ({
      replica: 0,
      role: roles.follower,
      term: 0,
      position: -1,
      configurationIndex: -1,
    }));
    this.#seen.set(host, fresh);
    return fresh;
  }

  #noteRole(host: Host, partition: number, raft: RaftGroup["raft"], seen: RoleSeen): void {
    if (raft.role === seen.role && raft.term === seen.term && raft.id === seen.replica) {
      if (raft.configurationIndex !== seen.configurationIndex)
        this.#noteConfiguration(host, partition, raft, seen);
      return;
    }
    if (raft.role === roles.leader && seen.role !== roles.leader) this.elections++;
    seen.role = raft.role;
    seen.term = raft.term;
    seen.replica = raft.id;
    const name = roleNames.get(raft.role) ?? "?";
    const text = `h${host.number} r${raft.id} ${name} of term ${raft.term}, log ${raft.baseIndex}..${raft.lastIndex}/${raft.lastTerm} committed ${raft.committed}`;
    this.#trace.say("role", partition, text);
    if (raft.configurationIndex !== seen.configurationIndex)
      this.#noteConfiguration(host, partition, raft, seen);
  }

  #noteConfiguration(host: Host, partition: number, raft: RaftGroup["raft"], seen: RoleSeen): void {
    seen.configurationIndex = raft.configurationIndex;
    if (raft.configurationIndex > must(this.#configurationAt[partition])) {
      this.#configurationAt[partition] = raft.configurationIndex;
      this.configurations++;
    }
    const text = `h${host.number} r${raft.id} has ${textOfConfiguration(raft.configuration)} after entry ${raft.configurationIndex}`;
    this.#trace.say("role", partition, text);
  }

  #compareState(host: Host, node: Node, partition: number, seen: RoleSeen): void {
    const copy = must(node.partitions[partition]);
    const { position, number, state, checkpointer, log } = copy;
    if (position === seen.position) return;
    // Its state is being replaced by a checkpoint of another copy.
    if (log instanceof AbsentLog) return;
    seen.position = position;
    this.times.note(partition, number, copy.timestamp);
    const base = host.group(partition)?.raft.baseIndex ?? 0;
    if (base > checkpointer.position || checkpointer.position > position) {
      throw new Violation(
        partition,
        `State Ordering: partition ${partition} on host ${host.number} is trimmed to ${base}, has a checkpoint at ${checkpointer.position} and applied ${position}`,
      );
    }
    const { digest } = state;
    const states = must(this.#states[partition]);
    const known = states.get(position);
    if (known === undefined) {
      states.set(position, { number, digest, host: host.number });
      return;
    }
    if (known.number === number && known.digest === digest) return;
    throw new Violation(
      partition,
      `P5: partition ${partition} at position ${position} has number ${number} and digest ${digest} on host ${host.number}; it had ${known.number} and ${known.digest} on host ${known.host}`,
    );
  }
}

const roleNames: ReadonlyMap<Role, string> = new Map(
  Object.entries(roles).map(([name, role]) => [role, name]),
);

function isOnDisk(node: Node, partition: number, index: number, term: number | undefined): boolean {
  const { terms, lastIndex } = node.wal.group(partition);
  return lastIndex >= index && (terms.base > index || terms.termAt(index) === term);
}

/** What a copy takes for durable is what its log has on disk (thesis 3.8). */
function compareDisk(node: Node, partition: number, raft: RaftGroup["raft"]): void {
  if (raft.role === roles.leader) checkLeader(node, partition, raft);
  const { durable, baseIndex } = raft;
  if (durable <= baseIndex) return;
  if (isOnDisk(node, partition, durable, raft.termAt(durable))) return;
  const { terms, lastIndex } = node.wal.group(partition);
  throw new Violation(
    partition,
    `Persistent State (thesis 3.8): copy ${raft.id} takes entry ${durable} of term ${raft.termAt(durable)} for durable; its log on disk ends at ${lastIndex}, with term ${terms.termAt(durable)} there`,
  );
}

/** Who leads has its term and its own vote on disk: else it could win that term again after a crash, and put other entries into it. */
function checkLeader(node: Node, partition: number, { id, term }: RaftGroup["raft"]): void {
  const onDisk = node.wal.group(partition).hardState;
  if (
    onDisk !== undefined &&
    (onDisk.term > term || (onDisk.term === term && onDisk.votedFor === id))
  )
    return;
  throw new Violation(
    partition,
    `Persistent State (thesis 3.8): copy ${id} leads term ${term}; on its disk it has voted for copy ${onDisk?.votedFor} in term ${onDisk?.term}`,
  );
}

export function textOfConfiguration(configuration: Configuration): string {
  const { voters, outgoing, learners, learnersNext, witnesses } = configuration;
  const words = [`voters ${voters.join(" ")}`];
  if (outgoing.length > 0) words.push(`outgoing ${outgoing.join(" ")}`);
  if (learners.length > 0) words.push(`learners ${learners.join(" ")}`);
  if (learnersNext.length > 0) words.push(`learners next ${learnersNext.join(" ")}`);
  if (witnesses.length > 0) words.push(`witnesses ${witnesses.join(" ")}`);
  return words.join(", ");
}
