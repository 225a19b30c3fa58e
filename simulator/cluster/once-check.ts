/**
 * Exactly once (P3) and nothing lost (P1), from what clients were told: all answers to one request id are one answer, and what was acknowledged last is
 * there at the end.
 */
import { must } from "../../src/base/assert.ts";
import { SimulationError } from "../node-state.ts";
import type { Effects } from "./effects.ts";
import { shortKey, textOfCall } from "./history.ts";
import type { CallAnswer, RecordCall } from "./history.ts";

/** A write that took effect, and when that was known. */
interface Known {
  readonly version: number;
  readonly expires: boolean;
  readonly call: RecordCall;
  readonly by: number;
}

/** Throws SimulationError when a request id got two answers. What a group read is not remembered, and may differ. */
export function checkAnswers(calls: readonly RecordCall[]): void {
  for (const call of calls) {
    const [first, ...others] = call.answers;
    if (first === undefined) continue;
    for (const { answer } of others) {
      if (textWithoutValues(answer) === textWithoutValues(first.answer)) continue;
      throw new SimulationError(
        `P3: two answers to one request: ${textOfCall(call)}; then ${textWithoutValues(answer)}`,
      );
    }
  }
}

/**
 * Throws SimulationError unless the final reads, one for each key, show the last write of each key that was known before they were asked, or what came behind it. (An
 * answer that was given up may still come while they are under way.)
 */
export function checkFinal(
  calls: readonly RecordCall[],
  final: readonly RecordCall[],
  effects: Effects,
): void {
  const removable = removableKeys(calls, effects);
  const known = new Map<string, Known[]>();
  for (const partition of new Set(calls.map((call) => call.partition))) {
    for (const { write, version } of effects.inOrder(partition)) {
      const { key, expires, call } = write;
      const one = { version, expires, call, by: effects.of(call)?.by ?? Infinity };
      const others = known.get(key);
      if (others === undefined) known.set(key, [one]);
      else others.push(one);
    }
  }
  for (const call of final) {
    const key = must(call.actions[0]).key;
    const answer = call.answers[0]?.answer;
    const last = known.get(key)?.findLast(({ by }) => by < call.invoked);
    if (answer?.kind !== "done" || last === undefined) continue;
    const found = must(answer.answers[0]).version;
    // What came behind it may have been known only later.
    const mayExpire = known.get(key)?.some((one) => one.version >= last.version && one.expires);
    if (found === 0 ? mayExpire === true || removable.has(key) : found >= last.version) continue;
    throw new SimulationError(
      `P1: lost update: at the end ${shortKey(key)} has ${found === 0 ? "no record" : `version ${found}`}; version ${last.version} had been written by ${textOfCall(last.call)}`,
    );
  }
}

/** Keys of which the record may have been removed behind all writes that are known: by a delete, or because an unknown write let it expire. */
function removableKeys(calls: readonly RecordCall[], effects: Effects): Set<string> {
  const keys = new Set<string>();
  for (const call of calls) {
    if (call.fate === "refused") continue;
    const unknown = call.answers.length === 0 && effects.of(call) === undefined;
    for (const action of call.actions) {
      if (action.kind === "delete" || (action.kind === "set" && action.expires && unknown))
        keys.add(action.key);
    }
  }
  return keys;
}

function textWithoutValues(answer: CallAnswer): string {
  if (answer.kind === "aborted") return `aborted at ${answer.index} ${answer.code}`;
  return answer.answers
    .map((told) => (told.kind === "value" ? "a value" : `${told.status} ${told.version}`))
    .join("; ");
}
