/**
 * What clients asked of queues and sessions and what they were told, as plain data for the checkers. A call is one request or an atomic group of them; it is
 * sent once or, under its request id, several times. Moments are counts of a run's events, as in history.ts.
 */
import { must } from "../../src/base/assert.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import type { AnyRequest } from "../../src/protocol/requests.ts";
import type { Fate } from "./history.ts";
import { stampOf } from "./stamped-value.ts";

export interface StateAnswer {
  readonly outcome: Outcome;
  /** When the client had it. */
  readonly moment: number;
}

export interface StateCall {
  readonly client: number;
  /** -1: of several, as a take of sessions. */
  readonly partition: number;
  readonly requestId: string | undefined;
  readonly steps: readonly AnyRequest[];
  readonly group: boolean;
  /** What it takes belongs to nobody's connection. */
  readonly detached: boolean;
  readonly invoked: number;
  /** The lives of the hosts that got it; it may have been done in the name of the connection to any of them. */
  readonly lives: readonly number[];
  readonly fate: Fate;
  /** The first is what the client went on with. */
  readonly answers: readonly StateAnswer[];
}

/**
 * `nothing`: it was surely not done, as a whole. `done`: an outcome for each step, and the moment by which that was known. A single step that was refused
 * by the state (LEASELOST, QUEUEFULL, …) is done, with that error as its outcome.
 */
export type Told =
  | { readonly kind: "unknown" }
  | { readonly kind: "nothing" }
  | {
      readonly kind: "done";
      readonly outcomes: readonly Outcome[];
      readonly by: number;
    };

export function told(call: StateCall): Told {
  const [first] = call.answers;
  if (first === undefined) return { kind: call.fate === "refused" ? "nothing" : "unknown" };
  const { outcome } = first;
  if (outcome.kind === "aborted" || (call.group && outcome.kind === "error"))
    return { kind: "nothing" };
  // Answers of later attempts may have come first.
  const by = Math.min(...call.answers.map(({ moment }) => moment));
  return { kind: "done", outcomes: outcome.kind === "group" ? outcome.outcomes : [outcome], by };
}

/** The outcome of one step, if the client was told that it was done. */
export function outcomeOf(call: StateCall, index: number): Outcome | undefined {
  const what = told(call);
  return what.kind === "done" ? must(what.outcomes[index]) : undefined;
}

/** Every step of the calls. */
export function* stepsOf(
  calls: readonly StateCall[],
): Generator<{ readonly call: StateCall; readonly index: number; readonly step: AnyRequest }> {
  for (const call of calls) {
    for (const [index, step] of call.steps.entries()) yield { call, index, step };
  }
}

export function textOfCall(call: StateCall): string {
  const { client, requestId, steps, invoked, fate, answers } = call;
  const asked = steps.map(textOfStep).join("; ");
  const [first] = answers;
  const was = first === undefined ? fate : textOfOutcome(first.outcome);
  const id = requestId === undefined ? "" : ` (${requestId})`;
  return `client ${client} [${asked}]${id} at ${invoked}..${first?.moment ?? ""}: ${was}`;
}

export function textOfStep({ verb, request }: AnyRequest): string {
  const words = Object.entries(request).map(([name, value]) => `${name} ${textOfValue(value)}`);
  return `${verb} ${words.join(" ")}`;
}

export function textOfOutcome(outcome: Outcome): string {
  if (outcome.kind === "group") return `{${outcome.outcomes.map(textOfOutcome).join("; ")}}`;
  if (outcome.kind === "aborted") return `aborted at ${outcome.index} ${outcome.code}`;
  if (outcome.kind === "error") return outcome.code;
  // One that was remembered may have its fields in another order.
  const fields = Object.entries(outcome).filter(([name]) => name !== "kind");
  const words = fields.map(([name, value]) => `${name} ${textOfValue(value)}`).sort();
  return [outcome.kind, ...words].join(" ");
}

function textOfValue(value: unknown): string {
  if (value instanceof Uint8Array) return `#${stampOf(Buffer.from(value)) ?? "?"}`;
  if (Array.isArray(value)) return `[${value.map(textOfValue).join(" ")}]`;
  if (typeof value === "object" && value !== null)
    return Object.values(value).map(textOfValue).join("/");
  return String(value);
}
