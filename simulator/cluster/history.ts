/**
 * What clients asked of records and what they were told, as plain data for the checkers. Moments are counts of a run's events: what happened before
 * something else, anywhere, has the lower one. Values are known by their stamps (stamped-value.ts), so a history stays small.
 */
import { unreachable } from "../../src/base/assert.ts";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { RecordStatus } from "../../src/machines/outcome.ts";

export interface SetAction {
  readonly kind: "set";
  readonly key: string;
  /** No other action of the run has it. */
  readonly stamp: number;
  readonly condition: "none" | "nx" | "xx" | "version";
  readonly version: number;
  /** The record may vanish by itself. */
  readonly expires: boolean;
}

export interface DeleteAction {
  readonly kind: "delete";
  readonly key: string;
  readonly version: number | undefined;
}

export interface GetAction {
  readonly kind: "get";
  readonly key: string;
}

export type RecordAction = SetAction | DeleteAction | GetAction;

export interface StatusAnswer {
  readonly kind: "record";
  readonly status: RecordStatus;
  readonly version: number;
}

export interface ValueAnswer {
  readonly kind: "value";
  /** 0 = no record. */
  readonly version: number;
  /** 0 = no record; `undefined`: bytes that no client ever wrote. */
  readonly stamp: number | undefined;
}

export type ActionAnswer = StatusAnswer | ValueAnswer;

/** `done`: one answer for each action. `aborted`: nothing of the group was done, because of the action at `index`. */
export type CallAnswer =
  | { readonly kind: "done"; readonly answers: readonly ActionAnswer[] }
  | { readonly kind: "aborted"; readonly index: number; readonly code: ErrorCode };

export interface TimedAnswer {
  readonly answer: CallAnswer;
  /** When the client had it; of a local read: when it was made. */
  readonly moment: number;
  /** One copy in one life of its host: {@link RecordCall.way} `local` answers of one place never go back. */
  readonly place: string;
}

/**
 * `refused`: surely not done. `unknown`: nobody can say. `open`: nobody has said yet, which is the same for a checker.
 */
export type Fate = "open" | "answered" | "refused" | "unknown";

/** One request, sent once or, under its id, several times. */
export interface RecordCall {
  readonly client: number;
  readonly partition: number;
  /** `log`: an operation in the log; `barrier`: a read of a state that holds all that was acknowledged; `local`: a read of whatever a copy holds. */
  readonly way: "log" | "barrier" | "local";
  readonly requestId: string | undefined;
  /** In their order; more than one only in a group. */
  readonly actions: readonly RecordAction[];
  readonly group: boolean;
  readonly invoked: number;
  readonly fate: Fate;
  /** How often it was sent before the first answer. */
  readonly attempts: number;
  /** The first is what the client went on with; others came from later or slower attempts. */
  readonly answers: readonly TimedAnswer[];
}

export function textOfAction(action: RecordAction): string {
  switch (action.kind) {
    case "set": {
      const { key, stamp, condition, version, expires } = action;
      const when = condition === "version" ? ` if version ${version}` : ` ${condition}`;
      return `set ${shortKey(key)} to #${stamp}${condition === "none" ? "" : when}${expires ? " for a while" : ""}`;
    }
    case "delete":
      return `delete ${shortKey(action.key)}${action.version === undefined ? "" : ` if version ${action.version}`}`;
    case "get":
      return `get ${shortKey(action.key)}`;
    default:
      return unreachable(action);
  }
}

export function textOfAnswer(answer: ActionAnswer): string {
  if (answer.kind === "record") return `${answer.status} ${answer.version}`;
  if (answer.version === 0) return "nothing";
  return `#${answer.stamp ?? "?"} version ${answer.version}`;
}

export function textOfCall(call: RecordCall): string {
  const { client, way, requestId, actions, invoked, fate, answers } = call;
  const asked = actions.map(textOfAction).join("; ");
  const [first] = answers;
  let told: string = fate;
  if (first?.answer.kind === "aborted") told = `aborted at ${first.answer.index}`;
  else if (first !== undefined) told = (first.answer.answers ?? []).map(textOfAnswer).join("; ");
  const id = requestId === undefined ? "" : ` (${requestId})`;
  return `client ${client} ${way} [${asked}]${id} at ${invoked}..${first?.moment ?? ""}: ${told}`;
}

/** The end of a key tells it apart in a run. */
export function shortKey(key: string): string {
  return key.slice(24, 32);
}
