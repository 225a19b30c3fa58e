/**
 * One full copy of a partition: the way of an operation from gather to answer, over a log and a state. What the stages do stands in gather.ts, confirm.ts,
 * apply.ts and answer.ts; here is their order, what refuses an operation before the log, and what begins and ends with leadership.
 *
 *     follows   applies what others wrote; takes nothing
 *     leads     from when the first entry of its term is applied: takes operations, proposes its own (leadership.ts)
 *     loses     what has gathered was surely not done; what the log has stays waiting, until it is applied or the log says what became of it
 *
 * One object is one state that only grows: when a peer's checkpoint replaces it, another object takes its place.
 */
import { must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { Histogram } from "../base/histogram.ts";
import { limits } from "../base/limits.ts";
import type { SharedLog } from "../log/shared-log.ts";
import type { Moment } from "../machines/machine.ts";
import type { OperationWriter } from "../machines/operation.ts";
import { type ErrorOutcome, errorOutcome } from "../machines/outcome.ts";
import type { KindSettings } from "../machines/sessions/kinds.ts";
import { kindsOperation } from "../machines/sessions/session-operation.ts";
import { MachineStack } from "../machines/stack.ts";
import { State } from "../state/state.ts";
import type { OutcomeSink, Waiting } from "./answer.ts";
import { Apply } from "./apply.ts";
import { Barriers } from "./barriers.ts";
import type { BatchHeader } from "./batch.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Confirm } from "./confirm.ts";
import { DigestCheck } from "./digest-check.ts";
import { Gather } from "./gather.ts";
import { Leadership } from "./leadership.ts";
import type { Led } from "./led.ts";
import { type OwnOperation, OwnOperations, restarted } from "./own-operations.ts";
import type { PartitionParts } from "./partition-parts.ts";
import type { Source, Taker } from "./takers.ts";

/** Operations. */
const batchBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192];

export class Partition {
  readonly id: number;
  readonly log: SharedLog;
  readonly state: State;
  readonly stack: MachineStack;
  readonly checkpointer: Checkpointer;
  /** Operations in each batch that this object has sealed. */
  readonly batches = new Histogram(batchBounds);
  /** There may be something to apply, or to propose: {@link applyConfirmed} should be called. */
  hasNews = true;
  #refusal: ErrorOutcome | undefined;
  readonly #parts: PartitionParts;
  readonly #moment: Moment = { timestamp: 0, position: 0, number: 0, seed: 0 };
  readonly #gather: Gather;
  readonly #confirm: Confirm;
  readonly #apply: Apply;
  readonly #digest = new DigestCheck();
  readonly #barriers = new Barriers();
  readonly #led: Led;
  readonly #own = new OwnOperations();
  /** While it leads. */
  #leadership: Leadership | undefined;
  /** The log's role or term may be another one than what {@link #observe} saw last. */
  #changed = true;
  #stopped = false;
  #retired = false;
  #sequence: number;
  readonly #waitingOf = (header: BatchHeader): Waiting | undefined =>
    header.writer === this.#parts.writer ? this.#confirm.arrived(header.sequence) : undefined;

  constructor(parts: PartitionParts) {
    this.id = parts.id;
    this.log = parts.log;
    this.#parts = parts;
    this.#sequence = parts.sequence ?? 0;
    this.#led = ledBy(this);
    this.state = new State(parts.random.u32());
    this.stack = new MachineStack(this.state, this.#moment, { onceMaxBytes: parts.onceMaxBytes });
    this.#gather = new Gather(parts.load);
    this.#confirm = new Confirm(parts.log, parts.load, parts.health, () => (this.hasNews = true));
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
    parts.log.onChange(() => {
      this.#changed = true;
      this.hasNews = true;
      parts.wake();
    });
  }

  /** Why operations are refused before the log; `undefined` = they are not. */
  get refusal(): ErrorOutcome | undefined {
    return this.#refusal;
  }

  set refusal(refusal: ErrorOutcome | undefined) {
    this.#refusal = refusal;
    this.hasNews = true;
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

  /** Pops, takes and subscriptions that wait here. */
  get takersCount(): number {
    return this.#leadership?.takersCount ?? 0;
  }

  /**
   * Whether it takes operations: its log leads, all that earlier leaders have written is applied, and what a leader does first is done; or may not be done now, and reads
   * are right without it.
   */
  get leads(): boolean {
    if (this.#leadership === undefined) return false;
    return this.#own.begun || (this.refusal !== undefined && this.#newKinds === undefined);
  }

  /** Kinds of sessions of the configuration that the state does not have as they are. */
  get #newKinds(): readonly KindSettings[] | undefined {
    const { kinds } = this.#parts;
    return kinds !== undefined && this.stack.sessions.kindsDiffer(kinds) ? kinds : undefined;
  }

  /** The last sequence that was used in this partition. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Takes the state from the checkpoint; the log goes on from there. Throws TrubaError DATADAMAGED. */
  async load(): Promise<void> {
    const loaded = await this.checkpointer.load();
    this.log.readFrom(this.#moment.position, loaded?.token, loaded?.installed);
  }

  /** As {@link load}, for a checkpoint of a peer that the log, which is running, does not know yet: it begins anew behind it. */
  async loadInstalled(): Promise<void> {
    const loaded = must(await this.checkpointer.load(), "a peer's checkpoint has a token");
    await this.log.resetTo(this.#moment.position, loaded.token);
  }

  /** Why an operation cannot be taken now; `undefined` if it can. Must be asked before one is written. */
  admit(): ErrorOutcome | undefined {
    if (this.refusal !== undefined) return this.refusal;
    if (!this.leads) return outcomeOf(this.#notLeader());
    const load = this.#parts.load;
    if (load.bytes <= limits.pipelineMaxBytes && load.operations <= limits.pipelineMaxOperations)
      return undefined;
    return errorOutcome(
      "OVERLOADED",
      `the node has ${load.operations} operations of ${load.bytes} bytes in hand; its limits are ${limits.pipelineMaxOperations} and ${limits.pipelineMaxBytes}`,
      limits.overloadedRetryAfterMs,
    );
  }

  /**
   * A linearizable read: resolves when the state holds all that was acknowledged before the call. Rejects with TrubaError NOTLEADER or STOPPED.
   */
  async barrier(): Promise<void> {
    this.#mustLead();
    const position = await this.log.barrier();
    if (position <= this.#moment.position) return;
    this.#mustLead();
    await this.#barriers.wait(position);
  }

  /** A taker waits for something of `source`; it is asked for in its name until it leaves. Throws TrubaError NOTLEADER or STOPPED. */
  park(source: Source, taker: Taker): void {
    this.#mustLead();
    must(this.#leadership).park(source, taker);
    this.#wake();
  }

  leave(source: Source, taker: Taker): void {
    this.#leadership?.leave(source, taker);
  }

  /** A taker of `source` wants more than before. */
  note(source: Source): void {
    this.#leadership?.note(source);
    this.#wake();
  }

  /** Nobody is to wait any more: those who do are told `error`. */
  refuseTakers(error: TrubaError): void {
    this.#leadership?.refuseTakers(error);
  }

  /** Has the node's own operation done as soon as this copy leads and may. */
  propose(operation: OwnOperation): void {
    this.#own.add(operation);
    this.#wake();
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
    const leadership = must(this.#leadership, "a partition that does not lead takes no operations");
    const sequence = ++this.#sequence;
    const { writer, random } = this.#parts;
    const timestamp = leadership.timestamp();
    this.batches.observe(this.#gather.count);
    this.#confirm.submit(
      this.#gather.seal({ writer, sequence, timestamp, seed: random.u32() }),
      sequence,
    );
  }

  /** Applies what the log has confirmed, until `deadlineMs` (monotonic). Returns whether everything is applied. */
  applyConfirmed(deadlineMs: number): boolean {
    this.hasNews = false;
    if (this.#retired) return true;
    for (;;) {
      const entries = this.log.committed(limits.batchMaxBytes);
      if (entries.length === 0) break;
      for (const entry of entries) this.#apply.entry(entry, this.#waitingOf);
      if (this.#barriers.count > 0) this.#barriers.applied(this.#moment.position);
      if (this.#parts.clock.monotonicMs() <= deadlineMs) continue;
      if (this.#changed) this.#observe();
      this.hasNews = true;
      return false;
    }
    if (this.#changed) this.#observe();
    this.#leadership?.propose();
    return true;
  }

  /** Proposes nothing any more, and leads no more. */
  stop(): void {
    this.#stopped = true;
    this.#leadership?.end(stopped());
    this.#barriers.rejectAll(stopped());
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

  /** This copy goes, or another state takes the place of its: answers all that is in hand, applies and writes nothing any more. */
  retire(why: string): void {
    this.stop();
    this.#retired = true;
    this.checkpointer.stop();
    this.#leadership = undefined;
    this.#gather.refuse(errorOutcome("NOTLEADER", why, limits.notLeaderRetryAfterMs));
    this.#confirm.giveUp(
      errorOutcome("UNKNOWNOUTCOME", `${why} before it was known whether the write was confirmed`),
    );
  }

  #wake(): void {
    this.hasNews = true;
    this.#parts.wake();
  }

  /** Compares what the log says of who leads with what was so. Called when all that the log has given out is applied. */
  #observe(): void {
    this.#changed = false;
    if (this.#stopped) return;
    const term = this.log.leadingTerm;
    if (this.#leadership !== undefined && this.#leadership.term !== term) this.#lose();
    if (this.#leadership !== undefined || term === 0) return;
    const { clock } = this.#parts;
    this.#leadership = new Leadership({
      term,
      clock,
      moment: this.#moment,
      stack: this.stack,
      digest: this.#digest,
      own: this.#own,
      led: this.#led,
    });
    this.#own.begin(this.#beginnings());
  }

  /** What a leader does before it serves anybody: what earlier runs of this node hold goes back; the kinds of sessions become those of the configuration. */
  #beginnings(): OwnOperation[] {
    const { node, writer } = this.#parts;
    const kinds = this.#newKinds;
    const { queues, sessions } = this.stack;
    const operations: OwnOperation[] = [];
    if (queues.totals.leased + sessions.totals.active > 0) operations.push(restarted(node, writer));
    if (kinds !== undefined) operations.push(kindsOperation(kinds));
    return operations;
  }

  #lose(): void {
    const leadership = must(this.#leadership);
    this.#leadership = undefined;
    const error = this.#notLeader();
    leadership.end(error);
    this.#gather.refuse(outcomeOf(error));
    this.#barriers.rejectAll(error);
  }

  #notLeader(): TrubaError {
    const { leader } = this.log.status();
    const text =
      this.#leadership !== undefined
        ? `partition ${this.id} has a new leader, which is not ready yet`
        : leader === undefined
          ? `no leader of partition ${this.id} is known here`
          : `this copy of partition ${this.id} does not lead; replica ${leader} does`;
    return new TrubaError("NOTLEADER", text, { retryAfterMs: limits.notLeaderRetryAfterMs });
  }

  #mustLead(): void {
    if (this.#stopped) throw stopped();
    if (!this.leads) throw this.#notLeader();
  }
}

/** What its leadership sees of a partition. */
function ledBy(partition: Partition): Led {
  return {
    get admitsOwn() {
      return partition.refusal === undefined;
    },
    open: () => partition.open(),
    enqueue: (sink, tag) => partition.enqueue(sink, tag),
  };
}

function outcomeOf(error: TrubaError): ErrorOutcome {
  return errorOutcome(error.code, error.message, error.retryAfterMs);
}

function stopped(): TrubaError {
  return new TrubaError("STOPPED", "the copy of the partition has stopped");
}
