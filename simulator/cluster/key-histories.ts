/** A partition's history as one history for each key, for the linearizability checker: what a call did to a key is one step of that key. */
import type { ErrorCode } from "../../src/base/errors.ts";
import { must } from "../../src/base/assert.ts";
import type { Effect, Effects } from "./effects.ts";
import type { ActionAnswer, RecordAction, RecordCall } from "./history.ts";
import type { TimedAction } from "./linearizability.ts";
import type { RecordStep, RecordSteps, TookEffect } from "./record-model.ts";

export interface KeyOperation extends TimedAction<RecordSteps> {
  readonly call: RecordCall;
}

/** Keys in the order in which they were first used. */
export function keyHistories(
  calls: readonly RecordCall[],
  effects: Effects,
): Map<string, KeyOperation[]> {
  const histories = new Map<string, KeyOperation[]>();
  for (const call of calls) {
    if (call.way === "local" || call.fate === "refused") continue;
    for (const key of new Set(call.actions.map((action) => action.key))) {
      const history = histories.get(key) ?? [];
      history.push(...operationsOf(call, key, effects.of(call)));
      histories.set(key, history);
    }
  }
  return histories;
}

/** Each phase of a version comes after the one before: written, seen, removed. */
const phases = { written: 0, seen: 1, removed: 2 } as const;
const phasesPerVersion = 4;

function operationsOf(call: RecordCall, key: string, effect: Effect | undefined): KeyOperation[] {
  const first = call.answers[0];
  if (first === undefined) return withoutAnswer(call, key, effect);
  const { answer, moment } = first;
  const returned = Math.min(moment, effect?.by ?? Infinity);
  if (answer.kind === "aborted") return abortedAt(call, key, answer.index, answer.code, moment);
  const steps: RecordStep[] = [];
  for (const [index, action] of call.actions.entries())
    if (action.key === key) steps.push({ action, answer: must(answer.answers[index]) });
  if (call.attempts === 1) return [known(call, { steps }, returned)];
  // A repeat has read again, so what a group read was not always so when it wrote. Behind its own writes it may have read what nobody else could see.
  const rest = steps.filter(({ action }) => action.kind !== "get");
  const own = steps.findIndex(({ action }) => action.kind !== "get");
  const reads = own < 0 ? steps : steps.slice(0, own);
  const operations = reads.map((step) => known(call, { steps: [step] }, moment));
  if (rest.length > 0) operations.push(known(call, { steps: rest }, returned));
  return operations;
}

/** Nobody told the client. If somebody saw what it wrote, it is known to have happened; else it may still happen, or never. */
function withoutAnswer(call: RecordCall, key: string, effect: Effect | undefined): KeyOperation[] {
  const steps: RecordStep[] = [];
  for (const [index, action] of call.actions.entries()) {
    if (action.key !== key || action.kind === "get") continue;
    const version = effect === undefined || action.kind !== "set" ? 0 : effect.base + index;
    steps.push({ action, answer: { kind: "effect", version } });
  }
  if (steps.length === 0) return [];
  if (effect !== undefined) return [known(call, { steps }, effect.by)];
  const kind = steps.map(({ action }) => kindOf(action)).join("; ");
  return [{ call, action: { steps }, invoked: call.invoked, returned: Infinity, kind }];
}

function abortedAt(
  call: RecordCall,
  key: string,
  index: number,
  code: ErrorCode,
  moment: number,
): KeyOperation[] {
  if (must(call.actions[index]).key !== key) return [];
  const steps: RecordStep[] = [];
  for (const action of call.actions.slice(0, index + 1))
    if (action.key === key) steps.push({ action, answer: { kind: "effect", version: 0 } });
  const { invoked } = call;
  const action = { steps, abortedBy: code };
  return [{ call, action, invoked, returned: moment, looks: true }];
}

function known(call: RecordCall, action: RecordSteps, returned: number): KeyOperation {
  const rank = rankOf(action.steps);
  const { invoked } = call;
  const looks = action.steps.every(({ answer }) => isLook(answer));
  return rank === undefined
    ? { call, action, invoked, returned, looks }
    : { call, action, invoked, returned, looks, rank };
}

function isLook(answer: ActionAnswer | TookEffect): boolean {
  if (answer.kind !== "record") return answer.kind === "value";
  const { status } = answer;
  return status !== "created" && status !== "updated" && status !== "deleted";
}

/** The order that versions tell: a write before those that saw it, those before the next write. */
function rankOf(steps: readonly RecordStep[]): number | undefined {
  let rank: number | undefined;
  for (const { action, answer } of steps) {
    const { version } = answer;
    if (version === 0) continue;
    const phase = phaseOf(action, answer);
    if (rank === undefined || phase === phases.written) rank = version * phasesPerVersion + phase;
    else if (rank % phasesPerVersion !== phases.written)
      rank = Math.max(rank, version * phasesPerVersion + phase);
  }
  return rank;
}

function phaseOf(action: RecordAction, answer: ActionAnswer | TookEffect): number {
  if (answer.kind === "value") return phases.seen;
  if (answer.kind === "effect") return action.kind === "set" ? phases.written : phases.seen;
  if (answer.status === "created" || answer.status === "updated") return phases.written;
  return answer.status === "deleted" ? phases.removed : phases.seen;
}

/** Equal for actions that do the same to a record that nobody reads. */
function kindOf(action: RecordAction): string {
  if (action.kind === "set") {
    const { condition, version, expires } = action;
    return `set ${condition} ${version} ${expires}`;
  }
  return action.kind === "delete" ? `delete ${action.version}` : "get";
}
