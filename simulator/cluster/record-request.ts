/** One request for records: what is sent, and the history of it as the checkers read it. */
import { unreachable } from "../../src/base/assert.ts";
import type { OperationWriter } from "../../src/machines/operation.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import type { Partition } from "../../src/partition/partition.ts";
import { encodeOperation } from "../node-operations.ts";
import type { PlainRecordOperation } from "../node-operations.ts";
import { SimulationError } from "../node-state.ts";
import type { PartitionRequest } from "./request.ts";
import type {
  ActionAnswer,
  CallAnswer,
  DeleteAction,
  Fate,
  GetAction,
  RecordCall,
  SetAction,
  TimedAnswer,
} from "./history.ts";
import { stampOf, stampedValue } from "./stamped-value.ts";

/** A SET with what the checkers need not know. */
export interface PlannedSet extends SetAction {
  readonly valueBytes: number;
  readonly expiryMs: number;
}

export type PlannedAction = PlannedSet | DeleteAction | GetAction;

export interface RecordPlan {
  readonly client: number;
  readonly partition: number;
  readonly way: RecordCall["way"];
  readonly requestId: string | undefined;
  readonly actions: readonly PlannedAction[];
  readonly group: boolean;
}

/** Told what a request has come to; once more when a late answer changes that. */
export type RequestListener = (request: RecordRequest) => void;

export class RecordRequest implements PartitionRequest, RecordCall {
  readonly client: number;
  readonly partition: number;
  readonly way: RecordCall["way"];
  readonly requestId: string | undefined;
  readonly actions: readonly PlannedAction[];
  readonly group: boolean;
  invoked = Infinity;
  fate: Fate = "open";
  attempts = 0;
  readonly answers: TimedAnswer[] = [];
  readonly #listener: RequestListener;

  constructor(plan: RecordPlan, listener: RequestListener) {
    this.client = plan.client;
    this.partition = plan.partition;
    this.way = plan.way;
    this.requestId = plan.requestId;
    this.actions = plan.actions;
    this.group = plan.group;
    this.#listener = listener;
  }

  get isRead(): boolean {
    return this.actions.every(({ kind }) => kind === "get");
  }

  get repeatable(): boolean {
    return this.requestId !== undefined || this.isRead;
  }

  encode(writer: OperationWriter): void {
    const operations = this.actions.map(operationOf);
    const [first] = operations;
    if (this.group) encodeOperation(writer, { kind: "group", operations }, this.requestId);
    else if (first !== undefined) encodeOperation(writer, first, this.requestId);
  }

  read(partition: Partition): Outcome {
    const { records } = partition.stack;
    const key = Buffer.from(this.actions[0]?.key ?? "", "hex");
    const address = records.find(key, 0, key.length);
    if (address === 0) return { kind: "value", version: 0, value: undefined };
    const bytes = records
      .buffer(address)
      .subarray(records.valueStart(address), records.valueEnd(address));
    return { kind: "value", version: records.version(address), value: Buffer.from(bytes) };
  }

  sent(moment: number): void {
    this.invoked = Math.min(this.invoked, moment);
    if (this.answers.length === 0) this.attempts++;
  }

  answered(outcome: Outcome, moment: number, place: string): void {
    this.answers.push({ answer: this.#answerOf(outcome), moment, place });
  }

  ended(fate: Fate): void {
    if (fate === this.fate) return;
    this.fate = fate;
    this.#listener(this);
  }

  #answerOf(outcome: Outcome): CallAnswer {
    if (outcome.kind === "aborted") {
      const { index, code } = outcome;
      return { kind: "aborted", index, code };
    }
    const outcomes = outcome.kind === "group" ? outcome.outcomes : [outcome];
    if (outcomes.length !== this.actions.length || (outcome.kind === "group") !== this.group)
      throw new SimulationError(
        `${this.actions.length} actions were answered by ${outcomes.length} outcomes, the first of kind ${outcome.kind}`,
      );
    return { kind: "done", answers: outcomes.map(answerOf) };
  }
}

function answerOf(outcome: Outcome): ActionAnswer {
  if (outcome.kind === "record")
    return { kind: "record", status: outcome.status, version: outcome.version };
  if (outcome.kind !== "value")
    throw new SimulationError(`an action on a record was answered ${outcome.kind}`);
  const { version, value } = outcome;
  return { kind: "value", version, stamp: value === undefined ? 0 : stampOf(value) };
}

function operationOf(action: PlannedAction): PlainRecordOperation {
  switch (action.kind) {
    case "set": {
      const { key, condition, version, expiryMs, stamp, valueBytes } = action;
      const value = stampedValue(stamp, valueBytes);
      return { kind: "set", key, condition, version, expiryMs, value };
    }
    case "delete":
      return { kind: "delete", key: action.key, version: action.version };
    case "get":
      return { kind: "get", key: action.key };
    default:
      return unreachable(action);
  }
}
