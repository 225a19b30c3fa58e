/**
 * Power loss, as random as a seed makes it: a node under load with small segments and many checkpoints, whose process ends at a drawn operation of
 * its disk, also while it recovers, again and again. After each start all is compared (node-simulation.ts). One seed is one run, to the byte.
 */
import { must } from "../src/base/assert.ts";
import { chance, randomBelow } from "../src/base/random.ts";
import type { Random } from "../src/base/random.ts";
import { SeededRandom } from "../src/base/seeded-random.ts";
import type { Operation } from "./disk-faults.ts";
import { NodeSimulation } from "./node-simulation.ts";
import { digestsOf, SimulationError } from "./node-state.ts";
import { Workload } from "./node-workload.ts";

export interface CrashRun {
  readonly seed: number;
  /** Starts of the node, those included that were cut off. */
  readonly starts: number;
  readonly crashes: number;
  readonly operations: number;
  readonly checkpoints: number;
  /** SHA-256 of everything that the disk was asked for and the clients were told. */
  readonly trace: string;
}

interface Shape {
  readonly partitions: number;
  readonly segmentBytes: number;
  readonly valueMaxBytes: number;
  readonly disk: "fast" | "slow" | "moody";
  readonly faults: boolean;
}

const livesMax = 6;

/** Plays one seed. Throws SimulationError, naming the command that plays it again. */
export async function crashRun(seed: number): Promise<CrashRun> {
  const random = new SeededRandom(seed);
  const shape = drawShape(random);
  const run = new Run(seed, shape, random);
  try {
    return await run.play();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new SimulationError(
      `seed ${seed} (${JSON.stringify(shape)}): ${text}\n  again: npm run simulate:crash -- --seed ${seed}`,
      { cause: error },
    );
  }
}

function drawShape(random: Random): Shape {
  const segmentBytes = must([32_768, 65_536, 262_144, 1_048_576][randomBelow(random, 4)]);
  return {
    partitions: 1 + randomBelow(random, 3),
    segmentBytes,
    valueMaxBytes: Math.min(100_000, segmentBytes / 16),
    disk: must((["fast", "fast", "slow", "moody"] as const)[randomBelow(random, 4)]),
    faults: chance(random, 0.3),
  };
}

function latency(disk: Shape["disk"], random: Random): (operation: Operation) => number {
  if (disk === "fast") return () => 0;
  const slow = disk === "slow";
  return ({ kind }) => {
    if (kind === "sync") return slow || chance(random, 0.3) ? 3 + randomBelow(random, 20) : 0.1;
    return kind === "write" || kind === "read" ? 0.05 : 0;
  };
}

class Run {
  readonly #shape: Shape;
  readonly #random: Random;
  readonly #simulation: NodeSimulation;
  readonly #workload: Workload;
  #starts = 0;
  #crashes = 0;
  #operations = 0;
  #checkpoints = 0;

  constructor(seed: number, shape: Shape, random: Random) {
    this.#shape = shape;
    this.#random = random;
    const { partitions, segmentBytes, valueMaxBytes } = shape;
    this.#simulation = new NodeSimulation({
      seed,
      partitions,
      segmentBytes,
      latencyMs: latency(shape.disk, new SeededRandom(seed + 1)),
    });
    const keys = 3 + randomBelow(random, 40);
    const idProbability = must([0, 0.3, 0.8][randomBelow(random, 3)]);
    this.#workload = new Workload(random, { partitions, keys, valueMaxBytes, idProbability });
  }

  async play(): Promise<CrashRun> {
    const simulation = this.#simulation;
    const lives = 2 + randomBelow(this.#random, livesMax - 1);
    for (let life = 0; life < lives; life++) await this.#life();
    await this.#comeUp();
    await this.#end();
    return {
      seed: simulation.options.seed,
      starts: this.#starts,
      crashes: this.#crashes,
      operations: this.#operations,
      checkpoints: this.#checkpoints,
      trace: simulation.trace.digest("hex"),
    };
  }

  async #life(): Promise<void> {
    const random = this.#random;
    const { files } = this.#simulation;
    if (chance(random, 0.4)) {
      // The power goes during the start, if it takes so long.
      files.failAfter(randomBelow(random, 40));
      if (!(await this.#open())) {
        await this.#die();
        return;
      }
      files.failAfter(Infinity);
    } else {
      await this.#comeUp();
    }
    if (chance(random, 0.3)) await this.#compareCopies();
    if (chance(random, 0.85))
      files.failAfter(randomBelow(random, must([10, 60, 400][randomBelow(random, 3)])));
    const alive = await this.#work(10 + randomBelow(random, 60));
    this.#workload.collect(false);
    if (alive && chance(random, 0.2)) {
      files.failAfter(Infinity);
      files.clearFaults();
      await this.#simulation.stop();
    } else {
      await this.#die();
    }
  }

  /** Says whether the process still lives. */
  async #work(steps: number): Promise<boolean> {
    const random = this.#random;
    const simulation = this.#simulation;
    for (let step = 0; step < steps; step++) {
      const count = chance(random, 0.3) ? 1 + randomBelow(random, 12) : 1;
      for (let i = 0; i < count; i++) this.#workload.step(simulation);
      this.#operations += count;
      if (chance(random, 0.1)) {
        this.#checkpoints++;
        void simulation.node.checkpoint();
      }
      if (this.#shape.faults && chance(random, 0.05)) this.#plantFault();
      await this.#passTime();
      if (!simulation.files.alive || simulation.fatal !== undefined) return false;
      simulation.reconcile();
      this.#workload.collect(false);
    }
    return true;
  }

  /** Mostly no time at all, so that much is under way when the power goes. */
  async #passTime(): Promise<void> {
    const random = this.#random;
    const { clock, wall } = this.#simulation;
    if (chance(random, 0.05)) wall.jumpWall(randomBelow(random, 20_000) - 10_000);
    const draw = randomBelow(random, 100);
    if (draw < 40) clock.runReady();
    else if (draw < 70) await clock.settle();
    else if (draw < 95) await clock.advanceSettled(randomBelow(random, 50));
    else if (draw < 99) await clock.advanceSettled(randomBelow(random, 5_000));
    else await clock.advanceSettled(randomBelow(random, 700_000));
  }

  /** Errors of the disk other than a loss of power. */
  #plantFault(): void {
    const random = this.#random;
    const { files } = this.#simulation;
    const times = 1 + randomBelow(random, 3);
    const draw = randomBelow(random, 6);
    if (draw === 0) files.fail({ on: "sync", path: /wal\/0/, code: "EIO", skip: times });
    else if (draw === 1) files.fail({ on: "write", path: /spare-.*tmp/, code: "ENOSPC", times });
    else if (draw === 2) files.fail({ on: "sync", path: /\.run$/, code: "EIO", times });
    else if (draw === 3) files.fail({ on: "write", path: /manifest/, code: "ENOSPC", times });
    else if (draw === 4) files.fail({ on: "rename", path: /manifest$/, code: "EIO", times });
    else files.fail({ on: "write", path: /\.run$/, code: "ENOSPC", times });
  }

  async #die(): Promise<void> {
    const random = this.#random;
    const simulation = this.#simulation;
    const how = simulation.files.alive && chance(random, 0.4) ? "kill" : random;
    this.#crashes++;
    await simulation.die(how);
    simulation.files.clearFaults();
    this.#workload.collect(true);
  }

  async #open(): Promise<boolean> {
    this.#starts++;
    return this.#simulation.open();
  }

  async #comeUp(): Promise<void> {
    this.#simulation.files.failAfter(Infinity);
    if (!(await this.#open())) throw new SimulationError("the node does not start");
  }

  /** Two copies of the disk, started apart, have the same digests. That they are right, `open` compares with the model. */
  async #compareCopies(): Promise<void> {
    const found: string[] = [];
    const copies = [this.#simulation.fork(), this.#simulation.fork()];
    for (const copy of copies) {
      await copy.open();
      found.push(copy.recovered);
      await copy.die("kill");
      await copy.open();
      await copy.die("kill");
    }
    if (found[0] !== found[1])
      throw new SimulationError(`P5: a copy has the digests ${found[0]}, another ${found[1]}`);
  }

  /** All that was asked for is answered, twice nothing; then checkpoints, and their bounds. */
  async #end(): Promise<void> {
    const simulation = this.#simulation;
    await this.#work(20);
    simulation.files.clearFaults();
    if (simulation.fatal !== undefined) {
      await this.#die();
      await this.#comeUp();
    }
    await simulation.clock.advanceSettled(3_000);
    // What the node proposes by itself may be under way at any moment, but not for long.
    for (let i = 0; i < 100 && !simulation.quiet; i++) {
      await simulation.clock.advanceSettled(7);
      simulation.reconcile();
    }
    simulation.verify();
    for (let round = 0; round < 2; round++) {
      await simulation.clock.drive(simulation.node.checkpoint());
      await simulation.clock.advanceSettled(1_500);
    }
    this.#compareBytes();
    for (let restart = 0; restart < 2; restart++) {
      const { node } = simulation;
      await simulation.stop();
      const before = digestsOf(node);
      await this.#comeUp();
      if (simulation.recovered !== before)
        throw new SimulationError(
          `P5: the digests were ${before}; after a restart they are ${simulation.recovered}`,
        );
      simulation.trace.update(before);
    }
    await simulation.stop();
  }

  #compareBytes(): void {
    const { node } = this.#simulation;
    const logMax = 5 * this.#shape.segmentBytes;
    if (node.wal.diskBytes > logMax)
      throw new SimulationError(`the log has ${node.wal.diskBytes} bytes, not at most ${logMax}`);
    for (const { id, state, checkpointer } of node.partitions) {
      const runsMax = 3 * state.liveBytes + 1_572_864;
      if (checkpointer.runBytes > runsMax)
        throw new SimulationError(
          `partition ${id} has ${checkpointer.runBytes} bytes of runs, not at most ${runsMax}`,
        );
    }
  }
}
