/** All checks of a history of queues and sessions, those that give the clearest words first. */
import { SimulationError } from "../node-state.ts";
import { Evidence } from "./evidence.ts";
import { LogOrders } from "./log-order.ts";
import type { LogTimes } from "./log-times.ts";
import type { KindSettings } from "../../src/machines/sessions/kinds.ts";
import { checkEnds } from "./queue-ends.ts";
import { QueueFacts } from "./queue-facts.ts";
import type { FinalTask } from "./queue-facts.ts";
import { checkLeases } from "./queue-leases.ts";
import { checkOrder } from "./queue-order.ts";
import type { QueuePlan } from "./queue-shape.ts";
import { checkOwners } from "./session-epochs.ts";
import { SessionFacts } from "./session-facts.ts";
import type { FinalSession } from "./session-facts.ts";
import { checkSessionEnds, checkStartOrder } from "./session-order.ts";
import { checkRecords } from "./session-records.ts";
import { stampOf } from "./stamped-value.ts";
import { outcomeOf, stepsOf, textOfCall, textOfOutcome } from "./state-call.ts";
import type { StateCall } from "./state-call.ts";

/** What is there when everything is over. */
export interface FinalState {
  readonly tasks: readonly FinalTask[];
  readonly sessions: readonly FinalSession[];
  /** Key → version and value of a record that groups write; none: it is not there. */
  readonly markers: ReadonlyMap<string, { readonly version: number; readonly value: Uint8Array }>;
  /** Log time, by partition. */
  readonly endMs: readonly number[];
}

export interface StateHistory {
  readonly calls: readonly StateCall[];
  readonly queues: ReadonlyMap<string, QueuePlan>;
  readonly kinds: ReadonlyMap<string, KindSettings>;
  readonly times: LogTimes;
  readonly final: FinalState;
  partitionOf(session: string): number;
  /** When the connection that a call was made on ended; Infinity = it has not. */
  ownerEnded(call: StateCall): number;
}

/** Throws SimulationError. */
export function checkStates(history: StateHistory): void {
  const { calls, times, final } = history;
  for (const call of calls) checkAnswers(call);
  const evidence = new Evidence(calls);
  const orders = new LogOrders(calls, (session) => history.partitionOf(session));
  const world = {
    queues: history.queues,
    kinds: history.kinds,
    times,
    orders,
    evidence,
    partitionOf: (session: string) => history.partitionOf(session),
    ownerEnded: (call: StateCall) => history.ownerEnded(call),
  };
  const queues = new QueueFacts(calls, final.tasks, world);
  const sessions = new SessionFacts(calls, final.sessions, world);
  checkMarkers(calls, final, evidence);
  checkLeases(queues);
  checkOwners(sessions);
  checkRecords(sessions);
  checkOrder(queues);
  checkStartOrder(sessions);
  // What is not there shows which groups were not done, so these come last, and the orphans behind them.
  checkSessionEnds(sessions);
  checkEnds(queues, final.endMs);
}

/** Exactly once (P3): all answers to one request are one answer. */
function checkAnswers(call: StateCall): void {
  const [first, ...others] = call.answers;
  if (first === undefined) return;
  for (const { outcome } of others) {
    if (textOfOutcome(outcome) === textOfOutcome(first.outcome)) continue;
    throw new SimulationError(
      `P3: two answers to one request: ${textOfCall(call)}; then ${textOfOutcome(outcome)}`,
    );
  }
}

/** Records that groups write: what stands at the end shows that its group was done, and none that was acknowledged is behind it. */
function checkMarkers(
  calls: readonly StateCall[],
  { markers }: FinalState,
  evidence: Evidence,
): void {
  for (const { call, index, step } of stepsOf(calls)) {
    if (step.verb !== "record.set") continue;
    const found = markers.get(step.request.key);
    const outcome = outcomeOf(call, index);
    const stamp = stampOf(Buffer.from(step.request.value));
    if (found !== undefined && stampOf(Buffer.from(found.value)) === stamp)
      evidence.happened(
        call,
        "P1: phantom",
        () => `its record is there at the end with version ${found.version}`,
      );
    if (outcome?.kind !== "record" || (found !== undefined && found.version >= outcome.version))
      continue;
    throw new SimulationError(
      `P1: lost update: record ${step.request.key} has ${found === undefined ? "no value" : `version ${found.version}`} at the end: ${textOfCall(call)}`,
    );
  }
}
