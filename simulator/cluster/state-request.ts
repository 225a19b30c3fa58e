/** One request for queues or sessions, or a group: what is handed to a node, and the history of it as the checkers read it. */
import { must } from "../../src/base/assert.ts";
import type { ErrorCode } from "../../src/base/errors.ts";
import { detached } from "../../src/machines/owner.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import type { Node } from "../../src/node/node.ts";
import type { OutcomeSink } from "../../src/partition/answer.ts";
import type { AnyRequest } from "../../src/protocol/requests.ts";
import { SimulationError } from "../node-state.ts";
import type { Connection, NodeRequest } from "./request.ts";
import type { Fate } from "./history.ts";
import type { StateAnswer, StateCall } from "./state-call.ts";
import { textOfOutcome } from "./state-call.ts";

export interface StatePlan {
  readonly client: number;
  /** Of all its steps; -1: of several. */
  readonly partition: number;
  readonly requestId?: string | undefined;
  readonly steps: readonly AnyRequest[];
  readonly group?: boolean;
  /** What it takes or opens belongs to nobody's connection. */
  readonly detached?: boolean;
}

/** Told what a request has come to; once more when a late answer changes that. */
export type StateListener = (request: StateRequest) => void;

/** What the state may answer, beside doing it. */
const answerCodes: ReadonlySet<ErrorCode> = new Set([
  "NOQUEUE",
  "QUEUEFULL",
  "LEASELOST",
  "NOSESSION",
  "FENCED",
  "REPEATLIMIT",
  "SESSIONTOOLONG",
  "NOTDEAD",
]);

export class StateRequest implements NodeRequest, StateCall {
  readonly way = "submit";
  readonly client: number;
  readonly partition: number;
  readonly requestId: string | undefined;
  readonly steps: readonly AnyRequest[];
  readonly group: boolean;
  readonly detached: boolean;
  invoked = Infinity;
  fate: Fate = "open";
  readonly lives: number[] = [];
  readonly answers: StateAnswer[] = [];
  readonly #listener: StateListener;

  constructor(plan: StatePlan, listener: StateListener) {
    this.client = plan.client;
    this.partition = plan.partition;
    this.requestId = plan.requestId;
    this.steps = plan.steps;
    this.group = plan.group === true;
    this.detached = plan.detached === true;
    this.#listener = listener;
  }

  get repeatable(): boolean {
    return this.requestId !== undefined;
  }

  /** Throws TrubaError. */
  submit(node: Node, connection: Connection, sink: OutcomeSink): (() => void) | undefined {
    const { life, owner } = connection;
    this.lives.push(life);
    const context = { owner: this.detached ? detached : owner, requestId: this.requestId };
    if (this.group) {
      node.requests.submitGroup(this.steps, context, sink, 0);
      return undefined;
    }
    const { verb, request } = must(this.steps[0]);
    return node.requests.submit(verb, request, context, sink, 0);
  }

  isAnswer(code: ErrorCode): boolean {
    return answerCodes.has(code);
  }

  sent(moment: number): void {
    this.invoked = Math.min(this.invoked, moment);
  }

  answered(outcome: Outcome, moment: number): void {
    const fits =
      outcome.kind === "group" ? this.group && outcome.outcomes.length === this.steps.length : true;
    if (!fits)
      throw new SimulationError(
        `${this.steps.length} steps were answered by ${textOfOutcome(outcome)}`,
      );
    this.answers.push({ outcome, moment });
  }

  ended(fate: Fate): void {
    if (fate === this.fate && fate !== "answered") return;
    this.fate = fate;
    this.#listener(this);
  }
}
