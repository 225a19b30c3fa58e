/**
 * All machines of one partition as one: `once` below, groups on the undo list, each operation to the machine of its code.
 */
import { assert, must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { State } from "../state/state.ts";
import type { Machine, Moment } from "./machine.ts";
import { Once } from "./once/once.ts";
import { OperationReader, operationCodes } from "./operation.ts";
import { type Holder, readOwner } from "./owner.ts";
import {
  type AbortedOutcome,
  type GroupOutcome,
  type Outcome,
  abortReason,
  done,
} from "./outcome.ts";
import { Queues } from "./queues/queues.ts";
import { Records } from "./records/records.ts";
import { Sessions } from "./sessions/sessions.ts";

/** A group reads into memory what it answers, so that is bounded. */
const tooMuchRead = {
  code: "TOOLARGE",
  text: `the group reads more than ${limits.answerMaxBytes} bytes`,
} as const;

export class MachineStack {
  readonly records: Records;
  readonly queues: Queues;
  readonly sessions: Sessions;
  readonly once: Once;
  readonly #state: State;
  readonly #machines: readonly Machine[];
  readonly #holders: readonly Holder[];
  /** Operation code → machine. */
  readonly #byCode: (Machine | undefined)[] = [];
  readonly #inner = new OperationReader();

  constructor(state: State, moment: Moment, options: { onceMaxBytes: number }) {
    this.#state = state;
    this.records = new Records(state, moment);
    this.once = new Once(state, options.onceMaxBytes);
    this.queues = new Queues(state, moment);
    this.sessions = new Sessions(state);
    this.#machines = [this.records, this.queues, this.sessions];
    this.#holders = [this.queues, this.sessions];
    for (const machine of this.#machines) {
      for (const code of machine.codes) this.#byCode[code] = machine;
    }
  }

  /** Rebuilds what the machines keep beside their tables, after a checkpoint was loaded. */
  loaded(): void {
    this.once.loaded();
    for (const machine of this.#machines) machine.loaded();
  }

  /**
   * Applies one operation with everything in it; `moment.number` is the number of the operation before it and moves on. Throws TrubaError DATAVERSION for an
   * operation that only a later version knows.
   */
  apply(operation: OperationReader, moment: Moment): Outcome {
    if (operation.requestIdBytes === 0) return this.#applyNew(operation, moment);
    const recalled = this.once.recall(operation, moment);
    if (recalled !== undefined) {
      moment.number++;
      if (recalled.kind === "group") return this.#readAgain(operation, moment, recalled);
      return recalled.kind === "value" ? this.#applyOne(operation, moment) : recalled;
    }
    const outcome = this.#applyNew(operation, moment);
    this.once.remember(operation, moment, outcome);
    return outcome;
  }

  /** Log time at which the first deadline of any machine is due. */
  nextDue(): number {
    let due = this.once.nextDue();
    for (const machine of this.#machines) due = Math.min(due, machine.nextDue());
    return due;
  }

  #applyNew(operation: OperationReader, moment: Moment): Outcome {
    moment.number++;
    if (operation.code === operationCodes.group) return this.#applyGroup(operation, moment);
    if (operation.code === operationCodes.due) return this.#handleDue(moment);
    if (operation.code === operationCodes.disconnected) {
      const owner = readOwner(operation);
      return this.#giveBack((holder, rows) => holder.release(owner, moment, rows));
    }
    if (operation.code === operationCodes.restarted) {
      const node = operation.f64();
      const run = operation.f64();
      return this.#giveBack((holder, rows) => holder.releaseEarlier(node, run, moment, rows));
    }
    return this.#applyOne(operation, moment);
  }

  #applyOne(operation: OperationReader, moment: Moment): Outcome {
    const machine = this.#byCode[operation.code];
    if (machine === undefined) {
      throw new TrubaError(
        "DATAVERSION",
        `the log holds an operation of code ${operation.code}, which this version does not know`,
      );
    }
    return machine.apply(operation, moment);
  }

  #applyGroup(operation: OperationReader, moment: Moment): GroupOutcome | AbortedOutcome {
    const count = operation.u16();
    const outcomes: Outcome[] = [];
    const inner = this.#inner;
    let at = operation.at;
    let readBytes = 0;
    this.#state.undo.begin();
    for (let index = 0; index < count; index++) {
      at = inner.open(operation.buffer, at);
      assert(at <= operation.end, "an operation is longer than its group");
      moment.number++;
      const outcome = this.#applyOne(inner, moment);
      if (outcome.kind === "value") readBytes += outcome.value?.length ?? 0;
      const reason = readBytes > limits.answerMaxBytes ? tooMuchRead : abortReason(outcome);
      if (reason !== undefined) {
        this.#state.undo.rollback();
        return { kind: "aborted", index, code: reason.code, text: reason.text };
      }
      outcomes.push(outcome);
    }
    assert(at === operation.end, "a group has bytes left over");
    this.#state.undo.commit();
    return { kind: "group", outcomes };
  }

  /** A repeated group answers what it answered; what it read is read again, for values are not remembered. */
  #readAgain(operation: OperationReader, moment: Moment, recalled: GroupOutcome): Outcome {
    const outcomes = [...recalled.outcomes];
    const inner = this.#inner;
    let at = operation.bodyStart + 2;
    let readBytes = 0;
    for (let index = 0; index < outcomes.length; index++) {
      at = inner.open(operation.buffer, at);
      if (must(outcomes[index]).kind !== "value") continue;
      const outcome = this.#applyOne(inner, moment);
      if (outcome.kind === "value") readBytes += outcome.value?.length ?? 0;
      if (readBytes > limits.answerMaxBytes) return { kind: "error", ...tooMuchRead };
      outcomes[index] = outcome;
    }
    return { kind: "group", outcomes };
  }

  /** As much as one operation may; whoever asks sees by the count that there may be more. */
  #giveBack(of: (holder: Holder, maxRows: number) => number): Outcome {
    let count = 0;
    for (const holder of this.#holders) count += of(holder, limits.sweepMaxRows - count);
    return { kind: "count", count };
  }

  #handleDue(moment: Moment): Outcome {
    let rows = this.once.handleDue(moment, limits.dueMaxRows);
    for (const machine of this.#machines)
      rows += machine.handleDue(moment, limits.dueMaxRows - rows);
    return done;
  }
}
