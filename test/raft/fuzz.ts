/**
 * Cores under everything that a network and disks may do, without hosts around them: messages lost, doubled and reordered, disks that lag, crashes that lose what was not
 * written, members that come and go. After every step the invariants must hold. Cheap, so that many thousands of runs are played.
 */
import { must } from "../../src/base/assert.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { RaftInvariants } from "../../src/raft/invariants.ts";
import {
  type ConfigurationChange,
  changeKinds,
  encodeChange,
} from "../../src/raft/membership-change.ts";
import { entryKinds, messageTypes, roles } from "../../src/raft/vocabulary.ts";
import { Cores, type CoresOptions } from "./cores.ts";

/** What a run may do, and how often. */
interface Rates {
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly lag: number;
  readonly crash: number;
  readonly change: number;
  readonly compact: number;
}

export interface FuzzReport {
  readonly committed: number;
  readonly elections: number;
  readonly changes: number;
  readonly reads: number;
  readonly snapshots: number;
}

const shapes: readonly CoresOptions[] = [
  { voters: [1], others: [2, 3, 4] },
  { voters: [1, 2], others: [3, 4, 5] },
  { voters: [1, 2, 3], others: [4, 5] },
  { voters: [1, 2, 3], others: [4, 5] },
  { voters: [1, 2, 3], witnesses: [3], others: [4, 5] },
  { voters: [1, 2, 3, 4, 5], others: [6] },
  { voters: [1, 2, 3, 4, 5], witnesses: [5], others: [6, 7] },
];

export class CoreFuzz {
  readonly #random: SeededRandom;
  readonly #cores: Cores;
  readonly #rates: Rates;
  readonly #invariants = new RaftInvariants({ seesVotes: true });
  readonly #witnesses: ReadonlySet<number>;
  #token = 0;
  /** Token → what was known to be committed when it was asked. */
  readonly #asked = new Map<number, number>();
  #committed = 0;
  #terms = 0;
  #changes = 0;
  #reads = 0;
  #snapshots = 0;
  /** Copies that were members and are none any more never come back under their id. */
  readonly #gone = new Set<number>();

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    const random = this.#random;
    const draw = (max: number): number =>
      chance(random, 0.4) ? 0 : (random.u32() / 2 ** 32) * max;
    this.#rates = {
      loss: draw(0.3),
      duplicate: draw(0.3),
      reorder: draw(0.5),
      lag: draw(0.6),
      crash: draw(0.02),
      change: draw(0.05),
      compact: draw(0.03),
    };
    const shape = must(shapes[randomBelow(random, shapes.length)]);
    this.#witnesses = new Set(shape.witnesses);
    this.#cores = new Cores({
      ...shape,
      seed,
      preVote: chance(random, 0.8),
      checkQuorum: chance(random, 0.8),
      cacheBytes: chance(random, 0.5) ? 0 : 2_000,
      maxMessageBytes: chance(random, 0.5) ? 100 : Infinity,
      maxInflightMessages: chance(random, 0.5) ? 2 : 64,
      maxApplyingBytes: chance(random, 0.5) ? 200 : Infinity,
    });
  }

  run(steps: number): FuzzReport {
    for (let step = 0; step < steps; step++) {
      this.#step();
      this.#check();
    }
    return {
      committed: this.#committed,
      elections: this.#terms,
      changes: this.#changes,
      reads: this.#reads,
      snapshots: this.#snapshots,
    };
  }

  #step(): void {
    const random = this.#random;
    const cores = this.#cores;
    const id = must(cores.ids[randomBelow(random, cores.ids.length)]);
    const rates = this.#rates;
    const raft = cores.raft(id);
    const draw = randomBelow(random, 100);
    if (draw < 15) raft.tick();
    else if (draw < 45) this.#turn(id);
    else if (draw < 85) this.#deliver();
    else if (draw < 92) cores.propose(id, `${this.#token++}`);
    else if (draw < 96) this.#read(id);
    else if (draw < 97) raft.transferLeader(must(cores.ids[randomBelow(random, cores.ids.length)]));
    else if (chance(random, rates.change * 10)) this.#change(id);
    else if (chance(random, 0.2)) raft.campaign();
    if (chance(random, rates.crash)) {
      cores.start(id);
      this.#invariants.copyRestarted(id);
    }
    if (chance(random, rates.compact)) cores.compact(id);
  }

  /** The host takes what is ready; its disk may lag. */
  #turn(id: number): void {
    const cores = this.#cores;
    if (chance(this.#random, this.#rates.lag)) cores.slow.add(id);
    else cores.slow.delete(id);
    cores.turn(id);
    for (const { token, index } of cores.reads.get(id)?.splice(0) ?? []) {
      const least = must(this.#asked.get(token));
      if (index < least)
        throw new Error(
          `a read of copy ${id} may be answered at ${index}; ${least} was committed before it was asked`,
        );
      this.#reads++;
    }
  }

  #deliver(): void {
    const { wire } = this.#cores;
    if (wire.length === 0) return;
    const random = this.#random;
    const at = chance(random, this.#rates.reorder) ? randomBelow(random, wire.length) : 0;
    const [message] = chance(random, this.#rates.duplicate) ? [must(wire[at])] : wire.splice(at, 1);
    if (message === undefined || chance(random, this.#rates.loss)) return;
    if (message.type === messageTypes.snapshot) {
      this.#snapshots++;
      // A leader learns at some time that it arrived, or did not.
      const leader = this.#cores.raft(message.from);
      leader.reportSnapshot(message.to, chance(random, 0.7));
    }
    if (this.#cores.ids.includes(message.to)) this.#cores.raft(message.to).step(message);
  }

  #read(id: number): void {
    const token = ++this.#token * 16 + id;
    this.#asked.set(token, this.#committed);
    this.#cores.raft(id).readIndex(token);
  }

  #change(id: number): void {
    const random = this.#random;
    const raft = this.#cores.raft(id);
    if (raft.role !== roles.leader) return;
    const { outgoing } = raft.configuration;
    const transition =
      (["auto", "implicit", "explicit"] as const)[randomBelow(random, 3)] ?? "auto";
    const changes: ConfigurationChange["changes"] =
      outgoing.length > 0
        ? []
        : Array.from({ length: 1 + randomBelow(random, 2) }, () => this.#memberChange());
    const change: ConfigurationChange =
      changes.length === 0 ? { transition: "auto", changes } : { transition, changes };
    if (raft.changeRefusal(change) !== undefined) return;
    if (
      raft.propose([{ kind: entryKinds.configuration, data: encodeChange(change) }]) === undefined
    )
      this.#changes++;
  }

  #memberChange(): ConfigurationChange["changes"][number] {
    const random = this.#random;
    const { ids } = this.#cores;
    const replica = must(ids[randomBelow(random, ids.length)]);
    const draw = randomBelow(random, 3);
    // One that leaves does not come back: it might have forgotten what it promised. So removal is rare, and final.
    if (draw === 0 && chance(random, 0.3)) {
      this.#gone.add(replica);
      return { kind: changeKinds.remove, replica };
    }
    if (this.#gone.has(replica)) return { kind: changeKinds.touch, replica };
    if (this.#witnesses.has(replica)) return { kind: changeKinds.addWitness, replica };
    return { kind: draw === 1 ? changeKinds.addLearner : changeKinds.addVoter, replica };
  }

  #check(): void {
    const cores = this.#cores;
    const rafts = cores.ids.map((id) => cores.raft(id));
    this.#invariants.observe(rafts);
    for (const { committed, term } of rafts) {
      this.#committed = Math.max(this.#committed, committed);
      this.#terms = Math.max(this.#terms, term);
    }
  }
}
