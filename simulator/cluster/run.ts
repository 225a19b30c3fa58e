/** One seed: a cluster, its clients and its faults, from the first start to the last comparison. */
import type { SimulationError } from "../node-state.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { Violation } from "./violation.ts";
import { Cluster } from "./cluster.ts";
import { drawDocuments } from "./document-shape.ts";
import type { DocumentShape } from "./document-shape.ts";
import { Liveness } from "./liveness.ts";
import { withLimits } from "./small-limits.ts";
import { Steadiness } from "./steadiness.ts";
import { drawSwarm, recordLimits } from "./swarm.ts";
import type { FaultName, Swarm } from "./swarm.ts";
import { Trace } from "./trace.ts";
import type { TraceLine } from "./trace.ts";
import { Workload } from "./workload.ts";

/** What happened in a run. */
export interface SeedReport {
  readonly seed: number;
  readonly swarm: Swarm;
  /** Of everything that happened, in order. */
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly messages: number;
  readonly deaths: number;
  readonly elections: number;
  readonly snapshots: number;
  readonly configurations: number;
  readonly reads: number;
  readonly writes: number;
  /** Of documents. */
  readonly patches: number;
  /** Keys whose history was too long to decide whether it is linearizable. */
  readonly undecided: number;
  readonly faults: ReadonlyMap<FaultName, number>;
  /** What was found to be wrong, and of which partition (-1: of none). */
  readonly violation: { readonly text: string; readonly partition: number } | undefined;
}

export interface RunOptions {
  /** Is given the text of everything that happens. */
  readonly onLine?: ((line: TraceLine) => void) | undefined;
  /** Changes what the seed has drawn. */
  readonly adjust?: ((swarm: Swarm) => Swarm) | undefined;
  /** The run has documents, whatever the seed says. */
  readonly documents?: boolean | undefined;
  readonly adjustDocuments?:
    | ((shape: DocumentShape | undefined, swarm: Swarm) => DocumentShape | undefined)
    | undefined;
}

/** Plays a seed. What it finds stands in the report; it throws only when the simulator itself fails. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<SeedReport> {
  const random = new SeededRandom(seed);
  const drawn = drawSwarm(random, new SeededRandom(seed ^ 0x51ce));
  const swarm = options.adjust?.(drawn) ?? drawn;
  return withLimits(swarm.limits, () => runSwarm(seed, random, swarm, options));
}

async function runSwarm(
  seed: number,
  random: SeededRandom,
  swarm: Swarm,
  options: RunOptions,
): Promise<SeedReport> {
  const time = new SimulatedClock();
  const trace = new Trace(() => time.monotonicMs(), options.onLine);
  trace.say("fault", -1, `seed ${seed}: ${JSON.stringify(swarm)}`);
  const documentRandom = new SeededRandom(~seed);
  const documentsDrawn = drawDocuments(documentRandom, swarm.hosts, options.documents);
  const shape =
    options.adjustDocuments === undefined
      ? documentsDrawn
      : options.adjustDocuments(documentsDrawn, swarm);
  const documents = shape === undefined ? undefined : { shape, random: documentRandom };
  if (shape !== undefined) trace.say("fault", -1, `documents: ${JSON.stringify(shape)}`);
  const cluster = new Cluster({ time, random, trace, swarm, documents });
  const workload = new Workload({
    random: new SeededRandom(random.u32()),
    clock: time,
    cluster,
    trace: (line, partition = -1) => trace.say("client", partition, line),
    records: recordLimits(swarm.segmentBytes),
    kinds: swarm.kinds,
  });
  let violation: SeedReport["violation"];
  let undecided = 0;
  try {
    undecided = await play(cluster, workload);
  } catch (error) {
    violation = describe(error);
    trace.say("fault", violation.partition, `violation: ${violation.text}`);
  }
  return {
    seed,
    swarm,
    hash: trace.hash,
    events: trace.events,
    virtualMs: time.monotonicMs(),
    messages: cluster.network.sent,
    deaths: cluster.deaths,
    elections: cluster.checks.elections,
    snapshots: cluster.checkpointsInstalled,
    configurations: cluster.checks.configurations,
    reads: workload.counts.reads,
    writes: workload.counts.writes,
    patches: cluster.documents?.acknowledged ?? 0,
    undecided,
    faults: cluster.nemesis.counts,
    violation,
  };
}

/** Returns how many keys were not decided. */
async function play(cluster: Cluster, workload: Workload): Promise<number> {
  cluster.start();
  workload.start();
  await cluster.pass(cluster.swarm.safetyMs);
  await new Liveness(cluster).require(() => workload.stop());
  await cluster.documents?.require();
  await new Steadiness(cluster).require();
  return workload.check().undecided;
}

/** An assertion of the shipped code that fails is as much of a violation as what a check finds. */
function describe(error: unknown): { readonly text: string; readonly partition: number } {
  if (error instanceof Violation) return { text: error.message, partition: error.partition };
  if (!(error instanceof Error)) return { text: String(error), partition: -1 };
  const found: SimulationError | Error = error;
  const cause = found.cause instanceof Error ? `\n${found.cause.stack}` : "";
  const text = found.name === "SimulationError" ? found.message : `${found.stack}`;
  return { text: text + cause, partition: -1 };
}
