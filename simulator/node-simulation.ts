/**
 * One node on a simulated disk, with clients that remember what they were told and a model of what must be so. It lives, dies as the test says,
 * and is started again; after each start everything is compared:
 *
 *     P1  what was answered is there, with its version; and answers are what the model answers
 *     P3  a request id takes effect once; a repeat gets the first answer
 *     P7  what was refused is not there; what is unknown is there whole or not at all, in the order of the log
 *     P5  number, log time, rows and horizon are those of the model
 *
 * Errors found are thrown as `SimulationError`; who runs it adds the seed.
 */
import { createHash } from "node:crypto";
import { must } from "../src/base/assert.ts";
import type { Environment } from "../src/base/environment.ts";
import { silentLogger } from "../src/base/logger.ts";
import type { Random } from "../src/base/random.ts";
import { SeededRandom } from "../src/base/seeded-random.ts";
import type { ErrorOutcome, Outcome } from "../src/machines/outcome.ts";
import { Node } from "../src/node/node.ts";
import type { Partition } from "../src/partition/partition.ts";
import type { CrashChooser } from "./crash-chooser.ts";
import type { Operation } from "./disk-faults.ts";
import { PartitionModel, textOfOutcome } from "./node-model.ts";
import { compareState, digestsOf, SimulationError } from "./node-state.ts";
import { decodeBatch, encodeOperation, textOfOperation } from "./node-operations.ts";
import type { LoggedBatch, PlainOperation } from "./node-operations.ts";
import { ProcessClock } from "./process-clock.ts";
import { SimulatedClock } from "./simulated-clock.ts";
import { SimulatedFileSystem } from "./simulated-file-system.ts";
import { SimulatedNetwork } from "./simulated-network.ts";

/** One operation of one client. */
export interface Issued {
  readonly partition: number;
  readonly operation: PlainOperation;
  readonly requestId: string | undefined;
  readonly text: string;
  outcome: Outcome | undefined;
}

/** A batch that a node gave to its log. */
interface Appended {
  readonly position: number;
  readonly bytes: Buffer;
  readonly batch: LoggedBatch;
  /** Who asked, in the order of the batch; `undefined` for the node's own. */
  readonly issued: readonly (Issued | undefined)[];
}

/** What is known of one partition. */
interface PartitionView {
  readonly model: PartitionModel;
  /** Given to the log and not fed to the model yet. */
  appended: Appended[];
  /** Asked for in this life and in no batch yet. */
  queue: Issued[];
}

export interface SimulationOptions {
  readonly seed: number;
  readonly partitions: number;
  readonly segmentBytes: number;
  readonly latencyMs?: (operation: Operation) => number;
}

export const dataDirectory = "/srv/data";
/** What a client may be told of an operation that was not done, or of which nobody knows. */
const unanswered: ReadonlySet<string> = new Set(["UNKNOWNOUTCOME", "STOPPED", "TOOLARGE"]);

export class NodeSimulation {
  readonly options: SimulationOptions;
  readonly clock: SimulatedClock;
  readonly files: SimulatedFileSystem;
  readonly random: Random;
  readonly trace = createHash("sha256");
  readonly #views: readonly PartitionView[];
  /** The first answer to each request id of version 7. */
  readonly #firstAnswers: Map<string, string>;
  #process: ProcessClock | undefined;
  #node: Node | undefined;
  #fatal: Error | undefined;
  #recovered = "";
  /** What a sink may not throw. */
  #violation: string | undefined;

  constructor(
    options: SimulationOptions,
    from?: {
      clock: SimulatedClock;
      files: SimulatedFileSystem;
      views: readonly PartitionView[];
      firstAnswers: Map<string, string>;
    },
  ) {
    this.options = options;
    this.clock = from?.clock ?? new SimulatedClock();
    const { latencyMs } = options;
    this.files =
      from?.files ??
      new SimulatedFileSystem({
        clock: this.clock,
        directories: ["/srv"],
        ...(latencyMs === undefined ? {} : { latencyMs }),
      });
    this.random = new SeededRandom(options.seed);
    this.#views =
      from?.views ??
      Array.from({ length: options.partitions }, () => ({
        model: new PartitionModel(),
        appended: [],
        queue: [],
      }));
    this.#firstAnswers = from?.firstAnswers ?? new Map();
    this.files.onOperation = ({ kind, path, position, length }) => {
      this.trace.update(`${kind} ${path} ${position ?? ""} ${length ?? ""}\n`);
    };
  }

  get node(): Node {
    return must(this.#node, "no node runs");
  }

  /** Why the node stopped by itself, if it did. */
  get fatal(): Error | undefined {
    return this.#fatal;
  }

  get wall(): ProcessClock {
    return must(this.#process);
  }

  /** The world as it is now, without the process, to let it go on in another way: `die` comes next. */
  fork(seed = this.options.seed): NodeSimulation {
    this.#checkUnanswered();
    const views = this.#views.map(({ model, appended }) => ({
      model: model.clone(),
      appended: [...appended],
      queue: [],
    }));
    return new NodeSimulation(
      { ...this.options, seed },
      {
        clock: this.clock,
        files: this.files.clone(),
        views,
        firstAnswers: new Map(this.#firstAnswers),
      },
    );
  }

  /** Starts the node and compares what it has found with what must be there. Says whether it came up; throws if it may not have failed. */
  async open(): Promise<boolean> {
    const process = new ProcessClock(this.clock);
    this.#process = process;
    this.#fatal = undefined;
    const environment: Environment = {
      clock: process,
      random: new SeededRandom(this.random.u32()),
      files: this.files,
      network: new SimulatedNetwork({ clock: this.clock, random: this.random }),
      logger: silentLogger,
    };
    const opening = Node.open(environment, {
      dataDirectory,
      partitions: this.options.partitions,
      replicationFactor: 1,
      name: "simulated",
      walSegmentBytes: this.options.segmentBytes,
    }).then((node) => this.#adopt(node));
    try {
      await this.clock.drive(opening);
    } catch (error) {
      if (error instanceof SimulationError || this.files.alive) throw error;
      return false;
    }
    this.reconcile();
    return true;
  }

  /** Before any turn of the new node: what it has recovered, and from now on what it appends. */
  #adopt(node: Node): void {
    // What a crash has left behind may be removed or not: a node opens on a disk that has just died.
    if (!this.files.alive) throw new Error("the power went while the node opened");
    this.#node = node;
    this.#recovered = digestsOf(node);
    node.onFatal((error) => {
      this.#fatal = error;
    });
    for (const [id, view] of this.#views.entries()) {
      const partition = must(node.partitions[id]);
      this.#compareLog(node, partition, view);
      compareState(partition, view.model);
      this.#watch(partition, view);
    }
  }

  /** Feeds the model with what of the last life has turned out to be in the log. */
  #compareLog(node: Node, partition: Partition, view: PartitionView): void {
    const { model } = view;
    const end = partition.position;
    if (end - 1 < model.position) {
      throw new SimulationError(
        `P1: partition ${partition.id} recovered entries up to ${end - 1}; those up to ${model.position} were acknowledged`,
      );
    }
    let pending = view.appended;
    while (model.position < end) {
      const [entry] = node.wal.read(partition.id, model.position + 1, 0);
      const body = must(entry).body;
      const next = pending[0];
      if (next !== undefined && next.position === model.position + 1 && body.equals(next.bytes)) {
        pending = pending.slice(1);
        this.#feed(view, next, false);
        continue;
      }
      if (body.length > 0) {
        throw new SimulationError(
          `entry ${model.position + 1} of partition ${partition.id} is none that was appended there`,
        );
      }
      // An own entry of the log: nothing that was appended at or behind it has survived.
      pending = [];
      model.feed(undefined);
    }
    view.appended = [];
    view.queue = [];
  }

  /** Sees each batch that the partition gives to its log. */
  #watch(partition: Partition, view: PartitionView): void {
    const { log } = partition;
    const append = log.append.bind(log);
    log.append = (bytes) => {
      const before = log.status().last;
      const position = append(bytes);
      const batch = must(decodeBatch(Buffer.from(bytes)));
      const issued = batch.operations.map(({ operation, requestId }) => {
        if (operation.kind === "due" || operation.kind === "digest") return undefined;
        const next = view.queue.shift();
        if (next === undefined || `${requestId} ${textOfOperation(operation)}` !== next.text)
          this.#violation ??= `a batch holds ${textOfOperation(operation).slice(0, 80)}, which is not what was asked for next`;
        return next;
      });
      if (log.status().last > before)
        view.appended.push({ position: before + 1, bytes: Buffer.from(bytes), batch, issued });
      return position;
    };
  }

  /** Asks the node for an operation. Its outcome will stand in what is returned, unless the node dies. */
  issue(partition: number, operation: PlainOperation, requestId?: string): Issued {
    const text = `${requestId} ${textOfOperation(operation)}`;
    const issued: Issued = { partition, operation, requestId, text, outcome: undefined };
    const owner = must(this.node.partitions[partition]);
    const refused = owner.admit();
    if (refused !== undefined) {
      issued.outcome = refused;
      return issued;
    }
    encodeOperation(owner.open(), operation, requestId);
    must(this.#views[partition]).queue.push(issued);
    owner.enqueue(
      {
        settle: (_tag, outcome) => {
          this.trace.update(`${textOfOutcome(outcome)}\n`);
          if (issued.outcome !== undefined) this.#violation ??= `${text} was answered twice`;
          issued.outcome = outcome;
        },
      },
      0,
    );
    return issued;
  }

  /** Feeds the model with all that the node has applied, and compares the answers. */
  reconcile(): void {
    if (this.#violation !== undefined) throw new SimulationError(this.#violation);
    for (const [id, view] of this.#views.entries()) {
      const { position } = must(this.node.partitions[id]);
      for (;;) {
        const next = view.appended[0];
        if (next === undefined || next.position > position) break;
        view.appended.shift();
        while (view.model.position + 1 < next.position) view.model.feed(undefined);
        this.#feed(view, next, true);
      }
    }
  }

  #feed(view: PartitionView, { batch, issued }: Appended, answered: boolean): void {
    const outcomes = view.model.feed(batch);
    for (const [index, one] of issued.entries()) {
      if (one === undefined) continue;
      const expected = must(outcomes[index]);
      this.#compareAnswer(one, expected, answered);
      if (one.requestId !== undefined) this.#compareRepeat(one.requestId, expected);
    }
  }

  #compareAnswer({ text, outcome }: Issued, expected: Outcome, answered: boolean): void {
    const found = outcome === undefined ? "no answer" : textOfOutcome(outcome);
    if (found === textOfOutcome(expected)) return;
    const unknown =
      outcome === undefined || (outcome.kind === "error" && outcome.code === "UNKNOWNOUTCOME");
    if (!answered && unknown) return;
    throw new SimulationError(
      `${text.slice(0, 120)} was answered ${found}; it is in the log and the model answers ${textOfOutcome(expected)}`,
    );
  }

  /** P3, from outside: what is remembered under an id of version 7 is one outcome, and never another. */
  #compareRepeat(requestId: string, outcome: Outcome): void {
    if (requestId[14] !== "7" || outcome.kind === "error") return;
    const text = outcome.kind === "group" ? statusesOf(outcome) : textOfOutcome(outcome);
    const first = this.#firstAnswers.get(requestId);
    if (first === undefined) this.#firstAnswers.set(requestId, text);
    else if (first !== text)
      throw new SimulationError(`P3: ${requestId} was answered ${first}, then ${text}`);
    for (const { model } of this.#views) {
      if ((model.effects.get(requestId) ?? 0) > 1)
        throw new SimulationError(`P3: ${requestId} took effect twice`);
    }
  }

  /** Compares everything, at a moment when nothing is under way. */
  verify(): void {
    this.reconcile();
    for (const [id, view] of this.#views.entries()) {
      if (view.appended.length > 0 || view.queue.length > 0)
        throw new SimulationError(`partition ${id} has operations that were not applied`);
      compareState(must(this.node.partitions[id]), view.model);
    }
  }

  /** Number and digest of every partition as the last start has found them, before the node proposed anything. */
  get recovered(): string {
    return this.#recovered;
  }

  /** Whether every operation of this life was answered. */
  get quiet(): boolean {
    return this.#views.every(({ appended, queue }) => appended.length === 0 && queue.length === 0);
  }

  async stop(): Promise<void> {
    const { node } = this;
    await this.clock.drive(node.drain().then(() => node.stop()));
    this.verify();
    this.#end();
  }

  /**
   * The process ends without warning: killed, or with a power loss of which the chooser keeps what it likes. What it has told its clients before counts.
   */
  async die(how: "kill" | Random | CrashChooser): Promise<void> {
    this.#checkUnanswered();
    this.#process?.kill();
    if (how === "kill") this.files.kill();
    else this.files.crash(how);
    // Its calls that are under way come back as errors, and nobody listens.
    await this.clock.advanceSettled(1_000);
    this.files.restart();
    this.#end();
  }

  /** What was answered with an error instead of an outcome must be an error that says so. */
  #checkUnanswered(): void {
    if (this.#node === undefined) return;
    this.reconcile();
    for (const { appended, queue } of this.#views) {
      const all = [...queue, ...appended.flatMap(({ issued }) => issued)];
      for (const one of all) {
        const outcome = one?.outcome;
        if (outcome === undefined) continue;
        const code = outcome.kind === "error" ? outcome.code : "";
        if (!unanswered.has(code))
          throw new SimulationError(
            `P1: ${must(one).text.slice(0, 80)} was answered ${textOfOutcome(outcome)} before it was applied`,
          );
      }
    }
  }

  #end(): void {
    this.#node = undefined;
    this.#process = undefined;
  }
}

/** Whether the outcome says that the operation was not done. */
export function isRefusal(outcome: Outcome | undefined): outcome is ErrorOutcome {
  return outcome?.kind === "error" && outcome.code !== "UNKNOWNOUTCOME";
}

function statusesOf(outcome: Outcome): string {
  if (outcome.kind !== "group") return textOfOutcome(outcome);
  return outcome.outcomes
    .map((inner) => (inner.kind === "value" ? "value" : textOfOutcome(inner)))
    .join("; ");
}
