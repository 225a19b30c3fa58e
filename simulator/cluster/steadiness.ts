/**
 * The third phase of a run, when all is healed and equal: a follower that was cut off must not depose a leader when it comes back (PreVote, thesis 9.6), and a leader
 * that is cut off must find out by itself (CheckQuorum, thesis 6.2) while the others go on without it.
 */
import { must } from "../../src/base/assert.ts";
import { roles } from "../../src/raft/vocabulary.ts";
import { Violation } from "./violation.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";

/** Several election timeouts. */
const cutMs = 4_000;
const settleMs = 2_000;
/** Two looks of CheckQuorum, and time to elect after them. */
const stepDownMaxMs = 1_500;
const electMaxMs = 20_000;
const lookEveryMs = 100;

interface Reign {
  readonly partition: number;
  readonly leader: number;
  readonly term: number;
}

export class Steadiness {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Throws Violation. */
  async require(): Promise<void> {
    await this.#followerComesBack();
    await this.#leaderIsCutOff();
  }

  async #followerComesBack(): Promise<void> {
    const cluster = this.#cluster;
    const reigns = this.#reigns();
    const host = cluster.machines.find(
      ({ number }) => !reigns.some(({ leader }) => leader === number) && this.#votes(number),
    );
    if (host === undefined) return;
    const unmoved = reigns.filter(({ partition }) => this.#majorityWithout(partition, host.number));
    this.#cutOff(host);
    await cluster.pass(cutMs);
    cluster.network.unblockAll();
    await cluster.pass(settleMs);
    for (const { partition, leader, term } of unmoved) {
      const now = this.#reigns().find((reign) => reign.partition === partition);
      if (now?.leader === leader && now.term === term) continue;
      throw new Violation(
        partition,
        `PreVote (thesis 9.6): h${leader} led partition ${partition} in term ${term}; then h${host.number}, a follower, was cut off and came back, and ${now === undefined ? "nobody leads" : `h${now.leader} leads in term ${now.term}`}`,
      );
    }
  }

  async #leaderIsCutOff(): Promise<void> {
    const cluster = this.#cluster;
    const [reign] = this.#reigns().filter(
      ({ partition, leader }) => !this.#majorityAlone(partition, leader),
    );
    if (reign === undefined) return;
    const host = must(cluster.machines[reign.leader]);
    const { partition } = reign;
    this.#cutOff(host);
    await cluster.pass(stepDownMaxMs);
    if (host.group(partition)?.raft.role === roles.leader) {
      throw new Violation(
        partition,
        `CheckQuorum (thesis 6.2): h${host.number} was cut off ${stepDownMaxMs} ms ago and still leads partition ${partition} in term ${host.group(partition)?.raft.term}`,
      );
    }
    if (this.#majorityWithout(partition, host.number)) await this.#successorOf(reign);
    cluster.network.unblockAll();
    await cluster.pass(settleMs);
  }

  async #successorOf({ partition, leader }: Reign): Promise<void> {
    for (let waitedMs = 0; waitedMs < electMaxMs; waitedMs += lookEveryMs) {
      const successor = this.#reigns().find((each) => each.partition === partition);
      if (successor !== undefined && successor.leader !== leader) return;
      await this.#cluster.pass(lookEveryMs);
    }
    throw new Violation(partition, `nobody leads partition ${partition} without h${leader}`);
  }

  #cutOff({ number }: Host): void {
    const { network, hosts, trace } = this.#cluster;
    trace.say("fault", -1, `h${number} is cut off`);
    for (const other of hosts) {
      if (other === number) continue;
      network.block(number, other);
      network.block(other, number);
    }
  }

  #reigns(): Reign[] {
    const { directory, membership } = this.#cluster;
    return directory.partitions.flatMap((partition) => {
      const group = membership.copies.leader(partition);
      if (group === undefined) return [];
      const { host } = must(directory.copy(partition, group.replica));
      return [{ partition, leader: host, term: group.raft.term }];
    });
  }

  #votes(host: number): boolean {
    return this.#cluster.directory.partitions.some((partition) =>
      this.#voters(partition).includes(host),
    );
  }

  #majorityWithout(partition: number, host: number): boolean {
    const voters = this.#voters(partition);
    return 2 * voters.filter((voter) => voter !== host).length > voters.length;
  }

  #majorityAlone(partition: number, host: number): boolean {
    const voters = this.#voters(partition);
    return voters.length === 1 && voters[0] === host;
  }

  /** The hosts of the voters. */
  #voters(partition: number): number[] {
    const { directory, membership } = this.#cluster;
    const leader = membership.copies.leader(partition);
    const voters = leader?.raft.configuration.voters ?? [];
    return voters.map((id) => must(directory.copy(partition, id)).host);
  }
}
