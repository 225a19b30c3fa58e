/** What simulated clients ask for: a look at a copy, an operation of the log, or a request to a node; and what its outcomes mean to them. */
import type { ErrorCode } from "../../src/base/errors.ts";
import type { OperationWriter } from "../../src/machines/operation.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import type { Owner } from "../../src/machines/owner.ts";
import type { Node } from "../../src/node/node.ts";
import type { OutcomeSink } from "../../src/partition/answer.ts";
import type { Partition } from "../../src/partition/partition.ts";
import { SimulationError } from "../node-state.ts";
import type { Fate } from "./history.ts";

/** What a client wants, and who keeps the record of it. */
interface RequestBase {
  /** -1: of several; then it is submitted. */
  readonly partition: number;
  /** May be sent again although nobody knows whether it was done. */
  readonly repeatable: boolean;
  sent(moment: number): void;
  /** An outcome that is no refusal, for the first time or again. `place`: which life of which host gave it, and which copy. */
  answered(outcome: Outcome, moment: number, place: string): void;
  /** What is known now; told once the client has stopped waiting, and again if an answer comes late and changes it. */
  ended(fate: Fate): void;
}

/** A look at the state of a copy. */
export interface LookRequest extends RequestBase {
  readonly way: "barrier" | "local";
  read(partition: Partition): Outcome;
}

/** An operation of the log, or a look. */
export interface PartitionRequest extends RequestBase {
  readonly way: "log" | LookRequest["way"];
  encode(writer: OperationWriter): void;
  read(partition: Partition): Outcome;
}

/** A client's connection to one life of a host. */
export interface Connection {
  readonly life: number;
  readonly owner: Owner;
}

/** What a node does in the name of a connection. */
export interface NodeRequest extends RequestBase {
  readonly way: "submit";
  /** Hands it to the node; returns how to give up waiting. Throws TrubaError when it is refused at once. */
  submit(node: Node, connection: Connection, sink: OutcomeSink): (() => void) | undefined;
  /** Whether an error of this code is an answer of the state. */
  isAnswer(code: ErrorCode): boolean;
}

export type Request = LookRequest | PartitionRequest | NodeRequest;

/** Not done, and may be later or elsewhere. */
const refusedForNow: ReadonlySet<ErrorCode> = new Set([
  "NOTLEADER",
  "NOQUORUM",
  "STOPPED",
  "OVERLOADED",
  "SHUTTINGDOWN",
  "DISKFULL",
]);
/** Not done, and will not be. */
const refusedForGood: ReadonlySet<ErrorCode> = new Set([
  "REQUESTTOOOLD",
  "REQUESTAHEAD",
  "REQUESTREUSED",
  "TOOLARGE",
]);

export type AttemptResult = "answered" | "refused" | "refused for good" | "unknown";

/** What an outcome is to the client: an answer of the state, or something about the way to it. Throws SimulationError on an error that is neither. */
export function resultOf(outcome: Outcome, request: Request): AttemptResult {
  if (outcome.kind !== "error" || (request.way === "submit" && request.isAnswer(outcome.code)))
    return "answered";
  if (outcome.code === "UNKNOWNOUTCOME") return "unknown";
  if (refusedForNow.has(outcome.code)) return "refused";
  if (refusedForGood.has(outcome.code)) return "refused for good";
  throw new SimulationError(`a client was told ${outcome.code}: ${outcome.text}`);
}
