/**
 * The records of a session are what was acknowledged, in order, and nothing else. Between two owners only the first of them can have written; of a write with an
 * unknown outcome both is allowed, once, and for all who come later alike.
 */
import { SimulationError } from "../node-state.ts";
import type { Evidence } from "./evidence.ts";
import type { Session, SessionFacts, Write } from "./session-facts.ts";
import { stampIn } from "./session-facts.ts";
import { stampOf } from "./stamped-value.ts";
import { textOfCall, told } from "./state-call.ts";
import type { StateCall } from "./state-call.ts";

/** Throws SimulationError. */
export function checkRecords(facts: SessionFacts): void {
  const { evidence } = facts.world;
  for (const session of facts.sessions.values()) {
    const { holdings, final, opened } = session;
    const [first] = holdings;
    if (first !== undefined && opened !== undefined && first.call !== opened) {
      // Nobody but its opening has written yet.
      const begun = opened.steps.map(stampIn).filter((stamp) => stamp !== 0);
      compare(evidence, {
        session,
        start: begun,
        writes: [],
        end: first.records,
        seen: () => textOfCall(first.call),
      });
    }
    for (const [at, holding] of holdings.entries()) {
      const next = holdings[at + 1];
      const end =
        next?.records ?? final?.records.map((record) => stampOf(Buffer.from(record)) ?? 0);
      if (end === undefined) continue;
      const seen = (): string =>
        next === undefined ? "the state at the end" : textOfCall(next.call);
      compare(evidence, {
        session,
        start: holding.records,
        writes: writesOf(session, holding.epoch),
        end,
        seen,
      });
    }
  }
}

/** All that one owner may have written. */
function writesOf({ writes }: Session, epoch: number): Write[] {
  return writes.filter(
    (one) => one.epoch === epoch && one.stamp !== 0 && one.verdict !== "refused",
  );
}

interface Segment {
  readonly session: Session;
  /** Stamps at its begin and at its end. */
  readonly start: readonly number[];
  readonly writes: readonly Write[];
  readonly end: readonly number[];
  readonly seen: () => string;
}

function compare(evidence: Evidence, segment: Segment): void {
  const { session, start, writes, end, seen } = segment;
  const fail = (why: string): never => {
    throw new SimulationError(
      `P4: records of session ${session.id}: ${why}; they were [${start.join(" ")}] and are [${end.join(" ")}]: ${seen()}`,
    );
  };
  if (new Set(end).size < end.length) fail("one stands there twice");
  const byStamp = new Map(writes.map((write) => [write.stamp, write]));
  const replaced = byStamp.get(end[0] ?? 0);
  const replacement = replaced?.verb === "session.replace" ? replaced : undefined;
  if (replacement === undefined && start.some((stamp, at) => stamp !== end[at]))
    fail("what was there is not");
  const added = end.slice(replacement === undefined ? start.length : 1).map((stamp) => {
    const write = byStamp.get(stamp);
    return write?.verb === "session.append" ? write : fail(`nobody can have appended #${stamp}`);
  });
  const written = replacement === undefined ? added : [replacement, ...added];
  for (const [at, write] of written.entries()) {
    const overtaken = written.slice(0, at).find((other) => isBefore(write.call, other.call));
    if (overtaken !== undefined) fail(`#${write.stamp} was written before #${overtaken.stamp}`);
    const count = end.indexOf(write.stamp) + 1;
    if (write.outcome !== undefined && write.outcome.recordsCount !== count)
      fail(
        `#${write.stamp} is record ${count}; its writer was told ${write.outcome.recordsCount}: ${textOfCall(write.call)}`,
      );
  }
  for (const write of writes) {
    if (written.includes(write)) continue;
    const isGone = replacement !== undefined && !isBefore(replacement.call, write.call);
    if (isGone) continue;
    if (write.verdict === "done") fail(`#${write.stamp} is missing: ${textOfCall(write.call)}`);
    if (write.call.group)
      evidence.didNot(
        write.call,
        "P4: records",
        () => `#${write.stamp} is not in session ${session.id}: ${seen()}`,
      );
  }
}

/** Whether the one was surely over before the other began. */
function isBefore(one: StateCall, other: StateCall): boolean {
  const what = told(one);
  return what.kind === "done" && what.by < other.invoked;
}
