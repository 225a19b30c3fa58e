/**
 * One partition: the way of an operation from gather to answer, over a log and a state. What the stages do stands in gather.ts, confirm.ts, apply.ts and
 * answer.ts; here is their order, what refuses an operation before the log, and what the leader proposes by itself.
 */
import { assert } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { SharedLog } from "../log/shared-log.ts";
import type { Moment } from "../machines/machine.ts";
import { type OperationWriter, operationCodes } from "../machines/operation.ts";
import { type ErrorOutcome, errorOutcome } from "../machines/outcome.ts";
import { MachineStack } from "../machines/stack.ts";
import type { CheckpointStore } from "../state/checkpoint-store.ts";
import { State } from "../state/state.ts";
import type { OutcomeSink, Waiting } from "./answer.ts";
import { Apply } from "./apply.ts";
import type { BatchHeader } from "./batch.ts";
import { Checkpointer } from "./checkpointer.ts";
import type { ConfirmHealth } from "./confirm-health.ts";
import { Confirm } from "./confirm.ts";
import { DigestCheck } from "./digest-check.ts";
import { Gather, type PipelineLoad } from "./gather.ts";
import { LogClock } from "./log-clock.ts";

export interface PartitionParts {
  readonly id: number;
  readonly log: SharedLog;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly load: PipelineLoad;
  readonly health: ConfirmHealth;
  /** This run of the node: no other run of any node has the same. */
  readonly writer: number;
  readonly onceMaxBytes: number;
  /** Asks for a turn of the node: something was gathered. */
  readonly wake: () => void;
}

const maxRead = limits.batchMaxBytes;

export class Partition {
  readonly id: number;
  readonly log: SharedLog;
  readonly state: State;
  readonly stack: MachineStack;
  readonly checkpointer: Checkpointer;
  /** Why operations are refused before the log; `undefined` = they are not. */
  refusal: ErrorOutcome | undefined;
  readonly #parts: PartitionParts;
  readonly #moment: Moment = { timestamp: 0, position: 0, number: 0, seed: 0 };
  readonly #gather: Gather;
  readonly #confirm: Confirm;
  readonly #apply: Apply;
  readonly #digest = new DigestCheck();
  #logClock: LogClock | undefined;
  #sequence = 0;
  #dueTimer: Timer | undefined;
  #dueAt = Infinity;
  /** A `due` or `digest` operation of ours that is not applied yet. */
  #proposing = false;
  readonly #waitingOf = (header: BatchHeader): Waiting | undefined =>
    header.writer === this.#parts.writer ? this.#confirm.arrived(header.sequence) : undefined;

  constructor(parts: PartitionParts) {
    this.id = parts.id;
    this.log = parts.log;
    this.#parts = parts;
    this.state = new State(parts.random.u32());
    this.stack = new MachineStack(this.state, this.#moment, { onceMaxBytes: parts.onceMaxBytes });
    this.#gather = new Gather(parts.load);
    this.#confirm = new Confirm(parts.log, parts.load, parts.health);
    this.#apply = new Apply({
      state: this.state,
      stack: this.stack,
      moment: this.#moment,
      digest: this.#digest,
    });
    this.checkpointer = new Checkpointer({
      partition: parts.id,
      state: this.state,
      stack: this.stack,
      moment: this.#moment,
      digest: this.#digest,
      log: parts.log,
      store: parts.store,
      clock: parts.clock,
      logger: parts.logger,
    });
  }

  /** Position of the last applied entry. */
  get position(): number {
    return this.#moment.position;
  }

  /** Number of the last applied operation. */
  get number(): number {
    return this.#moment.number;
  }

  /** Log time of the last applied batch. */
  get timestamp(): number {
    return this.#moment.timestamp;
  }

  /** Whether operations have gathered that no batch holds yet. */
  get gathered(): boolean {
    return this.#gather.count > 0;
  }

  /** Whether every operation taken was answered. */
  get idle(): boolean {
    return this.#gather.count === 0 && this.#confirm.inFlight === 0;
  }

  /** Takes the state from the checkpoint; the log goes on from there. */
  async load(): Promise<void> {
    await this.checkpointer.load();
    this.log.readFrom(this.#moment.position);
  }

  /** Everything that was in the log is applied: from now on this partition leads. */
  lead(): void {
    this.#logClock = new LogClock(this.#parts.clock, this.#moment.timestamp);
    this.#propose();
  }

  /** Why an operation cannot be taken now; `undefined` if it can. Must be asked before one is written. */
  admit(): ErrorOutcome | undefined {
    if (this.refusal !== undefined) return this.refusal;
    const load = this.#parts.load;
    if (load.bytes <= limits.pipelineMaxBytes && load.operations <= limits.pipelineMaxOperations)
      return undefined;
    return errorOutcome(
      "OVERLOADED",
      `the node has ${load.operations} operations of ${load.bytes} bytes in hand; its limits are ${limits.pipelineMaxOperations} and ${limits.pipelineMaxBytes}`,
      limits.overloadedRetryAfterMs,
    );
  }

  /** Where to write an operation that {@link admit} let in; {@link enqueue} must follow in the same turn. */
  open(): OperationWriter {
    this.#gather.open();
    return this.#gather.writer;
  }

  /** The operation just written waits for its outcome. */
  enqueue(sink: OutcomeSink | undefined, tag: number): void {
    this.#gather.add(sink, tag);
    if (this.#gather.full) this.seal();
    this.#parts.wake();
  }

  /** Closes the batch that has gathered and hands it to the log. */
  seal(): void {
    if (this.#gather.count === 0) return;
    assert(this.#logClock !== undefined, "a partition that does not lead takes no operations");
    const sequence = ++this.#sequence;
    const { writer, random } = this.#parts;
    const timestamp = Math.max(this.#moment.timestamp, this.#logClock.now());
    this.#confirm.submit(
      this.#gather.seal({ writer, sequence, timestamp, seed: random.u32() }),
      sequence,
    );
  }

  /** Applies what the log has confirmed, until `deadlineMs` (monotonic). Returns whether everything is applied. */
  applyConfirmed(deadlineMs: number): boolean {
    for (;;) {
      const entries = this.log.committed(maxRead);
      if (entries.length === 0) break;
      for (const entry of entries) this.#apply.entry(entry, this.#waitingOf);
      if (this.#parts.clock.monotonicMs() > deadlineMs) return false;
    }
    this.#propose();
    return true;
  }

  /** Proposes nothing any more. */
  stop(): void {
    this.#dueTimer?.cancel();
    this.#logClock = undefined;
  }

  /** The node has stopped: answers all that is in hand. What has gathered was not done; what the log had, nobody knows. */
  fail(): void {
    this.stop();
    this.#gather.refuse(
      errorOutcome("STOPPED", "the node has stopped; the operation was not done"),
    );
    this.#confirm.giveUp(
      errorOutcome("UNKNOWNOUTCOME", "the node stopped before the write was confirmed"),
    );
  }

  /** What the leader proposes by itself: a digest when it is time, `due` when the first deadline has come. */
  #propose(): void {
    if (this.#logClock === undefined || this.#proposing || this.refusal !== undefined) return;
    if (this.#digest.isDue(this.#moment.number)) {
      this.#proposing = true;
      this.#digest.encode(this.open());
      this.enqueue(this.#ownSink, 0);
      return;
    }
    const due = this.stack.nextDue();
    if (due === this.#dueAt) return;
    this.#dueTimer?.cancel();
    this.#dueTimer = undefined;
    this.#dueAt = due;
    if (due === Infinity) return;
    const wait = Math.min(Math.max(0, due - this.#logClock.now()), 2 ** 30);
    this.#dueTimer = this.#parts.clock.after(wait, () => this.#proposeDue());
  }

  #proposeDue(): void {
    this.#dueAt = Infinity;
    if (this.#logClock === undefined || this.#proposing || this.refusal !== undefined) return;
    if (this.stack.nextDue() > this.#logClock.now()) {
      this.#propose();
      return;
    }
    this.#proposing = true;
    const writer = this.open();
    writer.begin(operationCodes.due, undefined);
    writer.end();
    this.enqueue(this.#ownSink, 0);
  }

  readonly #ownSink: OutcomeSink = {
    settle: () => {
      this.#proposing = false;
      this.#dueAt = Infinity;
    },
  };
}
