/**
 * What a partition promises across its keys, by its versions: they are numbers of its operations, so they tell one order of all its writes. Writes stand in
 * the order in which they were asked for and answered; what one group saw was so at one moment; and a copy that is read locally does not go back.
 */
import { must } from "../../src/base/assert.ts";
import { SimulationError } from "../node-state.ts";
import type { Effects, Write } from "./effects.ts";
import { shortKey, textOfCall } from "./history.ts";
import type { ActionAnswer, RecordCall } from "./history.ts";

/** Throws SimulationError when the versions of a partition contradict its clients. */
export function checkPartition(calls: readonly RecordCall[], effects: Effects): void {
  const [first] = calls;
  if (first === undefined) return;
  const writes = effects.inOrder(first.partition);
  checkOrder(calls, effects, writes);
  checkMoments(calls, effects, writes);
  checkLocalReads(calls);
}

interface Event {
  readonly moment: number;
  /** Someone was told this version, or a write that has it was asked for. */
  readonly kind: "told" | "asked";
  readonly version: number;
  readonly call: RecordCall;
}

/** A write that was asked for after some version was told has a higher one. */
function checkOrder(
  calls: readonly RecordCall[],
  effects: Effects,
  writes: readonly { write: Write; version: number }[],
): void {
  const events: Event[] = [];
  for (const { write, version } of writes) {
    const { call } = write;
    events.push({ moment: call.invoked, kind: "asked", version, call });
    events.push({ moment: must(effects.of(call)).by, kind: "told", version, call });
  }
  for (const call of calls) {
    for (const { answer, moment } of call.answers) {
      if (answer.kind !== "done") continue;
      for (const { version } of answer.answers)
        events.push({ moment, kind: "told", version, call });
    }
  }
  events.sort((a, b) => a.moment - b.moment);
  let newest: Event | undefined;
  for (const event of events) {
    if (event.kind === "told") {
      if (newest === undefined || event.version > newest.version) newest = event;
    } else if (newest !== undefined && event.version < newest.version) {
      throw new SimulationError(
        `P2: reordered: ${textOfCall(event.call)} has version ${event.version}; version ${newest.version} was told before it was asked for: ${textOfCall(newest.call)}`,
      );
    }
  }
}

/** What one group saw of several keys was so at one moment: between the latest of the writes that it saw and the first that replaced one of them. */
function checkMoments(
  calls: readonly RecordCall[],
  effects: Effects,
  writes: readonly { write: Write; version: number }[],
): void {
  const byKey = new Map<string, number[]>();
  for (const { write, version } of writes) {
    const versions = byKey.get(write.key) ?? [];
    versions.push(version);
    byKey.set(write.key, versions);
  }
  for (const call of calls) {
    const answer = call.answers[0]?.answer;
    // A repeated group reads again, at another moment.
    if (!call.group || call.attempts > 1 || answer?.kind !== "done") continue;
    const base = effects.of(call)?.base;
    let from = base ?? 0;
    let before = base === undefined ? Infinity : base + 0.5;
    const own = new Set<string>();
    for (const [index, told] of answer.answers.entries()) {
      const { key, kind } = must(call.actions[index]);
      const seen = own.has(key) ? 0 : seenVersion(told);
      if (kind !== "get") own.add(key);
      if (seen === 0) continue;
      from = Math.max(from, seen);
      const next = byKey.get(key)?.find((version) => version > seen && !isOwn(version, call, base));
      before = Math.min(before, next ?? Infinity);
    }
    if (from < before) continue;
    throw new SimulationError(
      `P2: torn group: ${textOfCall(call)} saw version ${from}, and something that version ${before} had replaced`,
    );
  }
}

function isOwn(version: number, call: RecordCall, base: number | undefined): boolean {
  return base !== undefined && version >= base && version < base + call.actions.length;
}

/** The version that was there before the action; 0 = none or not told. */
function seenVersion(told: ActionAnswer): number {
  if (told.kind === "value") return told.version;
  return told.status === "deleted" ? told.version : 0;
}

/** Local reads of one life of one copy see ever later states. */
function checkLocalReads(calls: readonly RecordCall[]): void {
  const reads = calls
    .filter(({ way }) => way === "local")
    .flatMap((call) => call.answers.map((answer) => ({ call, ...answer })))
    .sort((a, b) => a.moment - b.moment);
  const newest = new Map<string, { version: number; call: RecordCall }>();
  for (const { call, answer, place } of reads) {
    if (answer.kind !== "done") continue;
    const { key } = must(call.actions[0]);
    const { version } = must(answer.answers[0]);
    if (version === 0) continue;
    const name = `${place} ${key}`;
    const before = newest.get(name);
    if (before !== undefined && before.version > version) {
      throw new SimulationError(
        `P2: local reads of ${shortKey(key)} went back: ${textOfCall(call)} after ${textOfCall(before.call)}`,
      );
    }
    newest.set(name, { version, call });
  }
}
