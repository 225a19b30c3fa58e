/** One partition over a log in memory, with virtual time and the part of the node's turn that it needs. */
import { must } from "../../src/base/assert.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { MemoryLog } from "../../src/log/memory-log.ts";
import type { SharedLog } from "../../src/log/shared-log.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import type { OutcomeSink } from "../../src/partition/answer.ts";
import type { PipelineLoad } from "../../src/partition/gather.ts";
import { ConfirmHealth } from "../../src/partition/confirm-health.ts";
import { Partition } from "../../src/partition/partition.ts";
import { CheckpointStore } from "../../src/state/checkpoint-store.ts";
import { decodeBatch, encodeOperation } from "../../simulator/node-operations.ts";
import type { LoggedBatch, PlainOperation } from "../../simulator/node-operations.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";

export class PartitionWorld<L extends SharedLog = MemoryLog> implements OutcomeSink {
  readonly clock: SimulatedClock;
  readonly log: L;
  readonly files: SimulatedFileSystem;
  readonly load: PipelineLoad = { bytes: 0, operations: 0 };
  /** What the emergency stop was told. */
  readonly givenUp: Error[] = [];
  readonly writer: number;
  /** All that was answered, in order: tag and outcome. */
  readonly answers: { readonly tag: number; readonly outcome: Outcome }[] = [];
  readonly #appended: Buffer[] = [];
  /** Whether a turn seals: without, operations gather as during a flush. */
  sealing = true;
  #partition: Partition | undefined;
  #woken = false;
  #nextTag = 0;

  private constructor(
    writer: number,
    parts: { clock: SimulatedClock; log: L; files: SimulatedFileSystem },
  ) {
    this.writer = writer;
    this.clock = parts.clock;
    this.log = parts.log;
    this.files = parts.files;
  }

  /** A new partition over a log in memory that always leads, or the next start of one: same log, same checkpoints. */
  static async open(from?: PartitionWorld, writer = 1): Promise<PartitionWorld> {
    if (from !== undefined) return PartitionWorld.again(from, writer);
    const clock = new SimulatedClock();
    return PartitionWorld.over(new MemoryLog(clock), clock, writer);
  }

  /** A new partition over a log of the test's choice. */
  static async over<L extends SharedLog>(
    log: L,
    clock: SimulatedClock,
    writer = 1,
  ): Promise<PartitionWorld<L>> {
    const files = new SimulatedFileSystem({ clock, directories: ["/data"] });
    return PartitionWorld.again({ log, clock, files }, writer);
  }

  static async again<L extends SharedLog>(
    from: { clock: SimulatedClock; log: L; files: SimulatedFileSystem },
    writer: number,
  ): Promise<PartitionWorld<L>> {
    const world = new PartitionWorld<L>(writer, from);
    await world.#open();
    return world;
  }

  get partition(): Partition {
    return must(this.#partition);
  }

  /** What went into the log. */
  get batches(): LoggedBatch[] {
    return this.#appended.map((bytes) => must(decodeBatch(bytes)));
  }

  /** Gives the operation to the partition; returns its tag. */
  issue(operation: PlainOperation, requestId?: string): number {
    const tag = this.#nextTag++;
    encodeOperation(this.partition.open(), operation, requestId);
    this.partition.enqueue(this, tag);
    return tag;
  }

  settle(tag: number, outcome: Outcome): void {
    this.answers.push({ tag, outcome });
  }

  /** The code of the only answer to a tag that is an error, else its kind. */
  codeOf(tag: number): string {
    const outcome = this.answer(tag);
    return outcome.kind === "error" ? outcome.code : outcome.kind;
  }

  /** The only answer to a tag. */
  answer(tag: number): Outcome {
    const found = this.answers.filter((answer) => answer.tag === tag);
    if (found.length !== 1) throw new Error(`operation ${tag} was answered ${found.length} times`);
    return must(found[0]).outcome;
  }

  /** Lets all that is ready happen, without time. */
  async run(): Promise<void> {
    await this.clock.settle();
  }

  stop(): void {
    this.partition.stop();
  }

  async #open(): Promise<void> {
    const { clock, log, files } = this;
    const options = { files, clock, logger: silentLogger, directory: "/data/0000", partition: 0 };
    const { store } = await clock.drive(CheckpointStore.open(options));
    const append = log.append.bind(log);
    log.append = (bytes) => {
      this.#appended.push(Buffer.from(bytes));
      return append(bytes);
    };
    const partition = new Partition({
      id: 0,
      log,
      store,
      clock,
      random: new SeededRandom(this.writer),
      logger: silentLogger,
      load: this.load,
      health: new ConfirmHealth((error) => this.givenUp.push(error)),
      node: 1,
      writer: this.writer,
      onceMaxBytes: 1_048_576,
      wake: () => this.#wake(),
    });
    this.#partition = partition;
    await clock.drive(partition.load());
    partition.applyConfirmed(Infinity);
  }

  #wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    this.clock.soon(() => {
      this.#woken = false;
      if (this.sealing) this.partition.seal();
      // As the node's turns do.
      if (this.partition.hasNews) this.partition.applyConfirmed(Infinity);
    });
  }
}

export function keyOf(number: number): string {
  return `00000000000040008000${number.toString(16).padStart(12, "0")}`;
}

export function set(key: number, bytes = 10, expiryMs = 0): PlainOperation {
  const value = Buffer.alloc(bytes, key);
  return { kind: "set", key: keyOf(key), value, condition: "none", version: 0, expiryMs };
}
