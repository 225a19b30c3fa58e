/**
 * One record as the linearizability checker sees it: there with a version, or not. A record that expires may be gone at any moment, for its time is the
 * log's; but once somebody has not found it, it stays gone. Versions rise for ever, also over deletes.
 */
import { unreachable } from "../../src/base/assert.ts";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { ActionAnswer, DeleteAction, RecordAction, SetAction } from "./history.ts";
import type { SequentialModel } from "./linearizability.ts";

export interface RecordState {
  /** 0 = no record. */
  readonly stamp: number;
  /** 0 = not known: its writer was never told, and nobody has seen it. */
  readonly version: number;
  readonly mayExpire: boolean;
  /** All later versions are above it. */
  readonly floor: number;
}

/** The answer is not known, but it was not refused and took effect. `version` 0 = not known either. */
export interface TookEffect {
  readonly kind: "effect";
  readonly version: number;
}

export interface RecordStep {
  readonly action: RecordAction;
  readonly answer: ActionAnswer | TookEffect;
}

/** What one call did to one key, in one moment. With `abortedBy` nothing at all: the last step failed with that code. */
export interface RecordSteps {
  readonly steps: readonly RecordStep[];
  readonly abortedBy?: ErrorCode;
}

const refusals = { EXISTS: "exists", NOTFOUND: "notfound", VERSIONCONFLICT: "conflict" } as const;

export const recordModel: SequentialModel<RecordState, RecordSteps> = {
  initial: { stamp: 0, version: 0, mayExpire: false, floor: 0 },

  step(state, { steps, abortedBy }) {
    const count = abortedBy === undefined ? steps.length : steps.length - 1;
    let states: readonly RecordState[] = [state];
    for (const step of steps.slice(0, count))
      states = states.flatMap((before) => stepOnce(before, step));
    const last = steps[count];
    if (last === undefined) return states;
    const failed = states.flatMap((before) => failOnce(before, last.action, abortedBy));
    if (failed.length === 0) return [];
    // What came before in the group was undone.
    return count === 0 ? failed : [state];
  },

  textOf: ({ stamp, version, mayExpire, floor }) => `${stamp} ${version} ${mayExpire} ${floor}`,
};

/** The record that is found, or that none is: both are possible for one that may have expired. */
function views(state: RecordState): readonly RecordState[] {
  const { stamp, mayExpire } = state;
  return stamp !== 0 && mayExpire ? [state, gone(state)] : [state];
}

function stepOnce(state: RecordState, { action, answer }: RecordStep): readonly RecordState[] {
  return views(state).flatMap((found) => {
    switch (action.kind) {
      case "set":
        return setOnce(found, action, answer);
      case "delete":
        return deleteOnce(found, action, answer);
      case "get":
        return getOnce(found, answer);
      default:
        return unreachable(action);
    }
  });
}

function setOnce(
  found: RecordState,
  action: SetAction,
  answer: ActionAnswer | TookEffect,
): readonly RecordState[] {
  if (answer.kind === "value") return [];
  if (answer.kind === "record" && !isWritten(answer.status))
    return refuseOnce(found, action, answer.status, answer.version);
  const { stamp, expires } = action;
  if (answer.kind === "record" && (answer.status === "updated") !== (found.stamp !== 0)) return [];
  return accept(found, action).flatMap(({ floor }) => {
    const { version } = answer;
    if (version !== 0 && version <= floor) return [];
    return [{ stamp, version, mayExpire: expires, floor: Math.max(floor, version) }];
  });
}

function deleteOnce(
  found: RecordState,
  action: DeleteAction,
  answer: ActionAnswer | TookEffect,
): readonly RecordState[] {
  if (answer.kind === "value") return [];
  if (answer.kind === "effect") return accept(found, action).map(gone);
  const { status, version } = answer;
  if (status === "missing") return found.stamp === 0 ? accept(found, action) : [];
  if (status !== "deleted") return refuseOnce(found, action, status, version);
  if (found.stamp === 0) return [];
  return accept(found, action)
    .flatMap((accepted) => withVersion(accepted, version))
    .map(gone);
}

function getOnce(found: RecordState, answer: ActionAnswer | TookEffect): readonly RecordState[] {
  if (answer.kind === "effect") return [found];
  if (answer.kind === "record") return [];
  if (answer.version === 0) return found.stamp === 0 ? [found] : [];
  return found.stamp === answer.stamp ? withVersion(found, answer.version) : [];
}

/** The condition of the action holds. */
function accept(found: RecordState, action: SetAction | DeleteAction): readonly RecordState[] {
  const is = found.stamp !== 0;
  const condition = conditionOf(action);
  switch (condition) {
    case "none":
      return [found];
    case "nx":
      return is ? [] : [found];
    case "xx":
      return is ? [found] : [];
    case "version": {
      const required = action.version ?? 0;
      if (!is) return required === 0 ? [found] : [];
      return required === 0 ? [] : withVersion(found, required);
    }
    default:
      return unreachable(condition);
  }
}

/** The condition of the action does not hold, and the answer says why. */
function refuseOnce(
  found: RecordState,
  action: SetAction | DeleteAction,
  status: string,
  version: number | undefined,
): readonly RecordState[] {
  const is = found.stamp !== 0;
  const condition = conditionOf(action);
  const required = action.version ?? 0;
  if (status === "notfound") {
    const fits = condition === "xx" || (condition === "version" && required !== 0);
    return fits && !is ? [found] : [];
  }
  if (!is) return [];
  if (status === "exists" && condition !== "nx") return [];
  if (status === "conflict" && (condition !== "version" || version === required)) return [];
  if (status !== "exists" && status !== "conflict") return [];
  if (version !== undefined) return withVersion(found, version);
  const known = found.version !== 0;
  return status === "conflict" && known && found.version === required ? [] : [found];
}

function failOnce(
  state: RecordState,
  action: RecordAction,
  code: ErrorCode | undefined,
): readonly RecordState[] {
  if (code !== "EXISTS" && code !== "NOTFOUND" && code !== "VERSIONCONFLICT") return [state];
  if (action.kind === "get") return [];
  return views(state).flatMap((found) => refuseOnce(found, action, refusals[code], undefined));
}

/** The record's version is this one, if that can be. */
function withVersion(found: RecordState, version: number): readonly RecordState[] {
  if (found.version === version) return [found];
  if (found.version !== 0 || version <= found.floor) return [];
  return [{ ...found, version, floor: version }];
}

function gone({ floor }: RecordState): RecordState {
  return { stamp: 0, version: 0, mayExpire: false, floor };
}

function isWritten(status: string): boolean {
  return status === "created" || status === "updated";
}

function conditionOf(action: SetAction | DeleteAction): SetAction["condition"] {
  if (action.kind === "set") return action.condition;
  return action.version === undefined ? "none" : "version";
}
