/**
 * Which copy of which partition is on which host: what in a real cluster stands in its metadata. The operator (membership.ts) writes it, the transport and
 * the hosts read it. Ids of replicas are given out once, whatever becomes of the copy.
 */
import { assert, must } from "../../src/base/assert.ts";
import { randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { Configuration, ReplicaId } from "../../src/raft/vocabulary.ts";
import type { Swarm } from "./swarm.ts";

export interface Copy {
  readonly partition: number;
  readonly replica: ReplicaId;
  readonly host: number;
  readonly witness: boolean;
  /** 0 = campaigns first. */
  readonly priority: number;
  /**
   * `lost`: its disk is gone or damaged, so it answers nobody any more and is to be replaced. `removed`: it was a member and is none any more: what is
   * left of it is to be deleted.
   */
  state: "alive" | "lost" | "removed";
  /** The newest index of a configuration in which it was seen as a member. */
  memberAt: number;
  /** The first index of a configuration in which it was seen to be a member no more; 0 = none. */
  goneAt: number;
  /** Its disk may be damaged, and nobody has looked since. */
  doubtful: boolean;
}

export class Directory {
  readonly #copies: Copy[][] = [];
  readonly #initial: Configuration[] = [];

  constructor(swarm: Swarm, random: Random) {
    for (let partition = 0; partition < swarm.partitions; partition++) {
      const copies: Copy[] = [];
      this.#copies.push(copies);
      const hosts = shuffled(random, swarm.hosts);
      const count = swarm.replicationFactor + (swarm.witness ? 1 : 0);
      for (const host of hosts.slice(0, count)) {
        this.add(partition, host, copies.length >= swarm.replicationFactor).memberAt = 1;
      }
      this.#initial.push({
        voters: copies.map(({ replica }) => replica),
        outgoing: [],
        learners: [],
        learnersNext: [],
        witnesses: copies.filter(({ witness }) => witness).map(({ replica }) => replica),
        autoLeave: false,
      });
    }
  }

  /** Numbers of all partitions. */
  get partitions(): number[] {
    return this.#copies.map((_, partition) => partition);
  }

  /** The members with which the partition began, before its first entry. */
  initial(partition: number): Configuration {
    return must(this.#initial[partition]);
  }

  /** All copies that there ever were of a partition, oldest first. */
  copies(partition: number): readonly Copy[] {
    return must(this.#copies[partition]);
  }

  copy(partition: number, replica: ReplicaId): Copy | undefined {
    return this.#copies[partition]?.[replica - 1];
  }

  /** The copy that a host is to have, if any. */
  on(partition: number, host: number): Copy | undefined {
    return this.copies(partition).find((copy) => copy.host === host && copy.state === "alive");
  }

  /** Another copy, under an id that no copy of the partition ever had. */
  add(partition: number, host: number, witness: boolean): Copy {
    const copies = must(this.#copies[partition]);
    assert(this.on(partition, host) === undefined, "a host has one copy of a partition");
    const replica = copies.length + 1;
    const copy: Copy = {
      partition,
      replica,
      host,
      witness,
      priority: Math.min(replica - 1, 4),
      state: "alive",
      memberAt: 0,
      goneAt: 0,
      doubtful: false,
    };
    copies.push(copy);
    return copy;
  }
}

/** All who take part, in whichever way. */
export function membersOf(configuration: Configuration): Set<ReplicaId> {
  const { voters, outgoing, learners, learnersNext } = configuration;
  return new Set([...voters, ...outgoing, ...learners, ...learnersNext]);
}

function shuffled(random: Random, count: number): number[] {
  const numbers = Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at--) {
    const other = randomBelow(random, at + 1);
    const kept = must(numbers[at]);
    numbers[at] = must(numbers[other]);
    numbers[other] = kept;
  }
  return numbers;
}
