/**
 * Sessions of a partition are given out in the order in which they are due, and those due in the same moment in the order in which they were put off. And their
 * ends: an acknowledged session ends only in a delete, or among the dead (P4).
 */
import { must } from "../../src/base/assert.ts";
import { SimulationError } from "../node-state.ts";
import type { Session, SessionFacts } from "./session-facts.ts";
import { outcomeOf, textOfCall } from "./state-call.ts";
import type { StateCall } from "./state-call.ts";

/** A session that was surely stored for all operations with a number above `from` and below `to`. */
interface Stored {
  readonly session: Session;
  readonly dueAtMs: number;
  readonly from: number;
  readonly to: number;
}

/** Throws SimulationError. */
export function checkStartOrder(facts: SessionFacts): void {
  const stored = [...facts.sessions.values()].flatMap((session) => storedTimes(facts, session));
  for (const call of facts.takes) {
    const outcome = outcomeOf(call, 0);
    if (outcome?.kind !== "sessions") continue;
    const byPartition = new Map<number, Stored[]>();
    for (const { session, epoch } of outcome.sessions) {
      const one = stored.find(({ session: { id }, to }) => id === session && to === epoch);
      if (one === undefined) continue;
      const others = byPartition.get(one.session.partition);
      if (others === undefined) byPartition.set(one.session.partition, [one]);
      else others.push(one);
    }
    for (const [partition, given] of byPartition)
      checkTake(
        call,
        given,
        stored.filter((one) => one.session.partition === partition),
      );
  }
}

/**
 * From a store that was acknowledged to the take that came next: the count of repeats says that it is the next, unless somebody has had the session of whom nobody knows.
 */
function storedTimes(facts: SessionFacts, session: Session): Stored[] {
  const found: Stored[] = [];
  if (session.revivals.length > 0) return found;
  for (const { verb, verdict, outcome, epoch } of session.writes) {
    if (verb !== "session.store" || verdict !== "done" || outcome?.status !== "stored") continue;
    const at = session.holdings.findIndex((one) => one.epoch === epoch);
    const [before, after] = [session.holdings[at], session.holdings[at + 1]];
    if (before === undefined || after === undefined) continue;
    const isNext = after.repeats === before.repeats + 1;
    if (!isNext || facts.ghosts(session.kind.name, after.by) > 0) continue;
    found.push({ session, dueAtMs: outcome.dueAtMs, from: outcome.epoch, to: after.epoch });
  }
  return found;
}

function checkTake(call: StateCall, given: readonly Stored[], stored: readonly Stored[]): void {
  for (let at = 1; at < given.length; at++) {
    const [first, second] = [must(given[at - 1]), must(given[at])];
    if (!startsBefore(first, second)) fail(second, first, call);
  }
  const [step] = call.steps;
  if (step?.verb !== "session.take") return;
  for (const last of given) {
    for (const one of stored) {
      if (given.includes(one) || one.from >= last.to || one.to <= last.to) continue;
      if (step.request.kinds.includes(one.session.kind.name) && startsBefore(one, last))
        fail(one, last, call);
    }
  }
}

function startsBefore(one: Stored, other: Stored): boolean {
  return one.dueAtMs === other.dueAtMs ? one.from < other.from : one.dueAtMs < other.dueAtMs;
}

function fail(one: Stored, other: Stored, call: StateCall): never {
  const words = ({ session, dueAtMs, from }: Stored): string =>
    `session ${session.id}, put off by operation ${from} until ${dueAtMs}`;
  throw new SimulationError(
    `start order: ${words(one)}, had to come before ${words(other)}: ${textOfCall(call)}`,
  );
}

/** Throws SimulationError. */
export function checkSessionEnds(facts: SessionFacts): void {
  for (const session of facts.sessions.values()) checkEnd(facts, session);
  // One whose opening was acknowledged is known; of others a record shows that they were opened.
  for (const [stamp, call] of facts.openings) {
    const isKnown = [...facts.sessions.values()].some(({ opened }) => opened === call);
    if (!isKnown && facts.world.evidence.isDone(call) === true)
      throw new SimulationError(
        `P4: orphan: the session that begins with #${stamp} is nowhere: ${textOfCall(call)}`,
      );
  }
}

function checkEnd(facts: SessionFacts, session: Session): void {
  const { id, final, writes, holdings, kind, opened } = session;
  const deletes = writes.filter(
    ({ verb, verdict }) => verb === "session.delete" && verdict !== "refused",
  );
  const last = holdings.at(-1)?.call ?? opened;
  const cause = (): string => (last === undefined ? "" : textOfCall(last));
  if (final === undefined) {
    if (deletes.length === 0)
      throw new SimulationError(
        `P4: orphan: session ${id} is gone, and nobody deleted it: ${cause()}`,
      );
    const [only] = deletes;
    if (deletes.length === 1 && only?.call.group === true)
      facts.world.evidence.happened(
        only.call,
        "P4",
        () => `session ${id} is gone, and nothing else deleted it`,
      );
    return;
  }
  for (const { verdict, call } of deletes) {
    const why = `session ${id} is there at the end`;
    if (verdict === "done")
      throw new SimulationError(`P4: deleted, and back: ${why}: ${textOfCall(call)}`);
    if (call.group) facts.world.evidence.didNot(call, "P4: deleted, and back", () => why);
  }
  const known = holdings.at(-1)?.repeats ?? 0;
  const repeated =
    (final.repeats >= known || session.revivals.length > 0) &&
    (final.state !== "dead" || (kind.maxRepeats > 0 && final.repeats >= kind.maxRepeats));
  if (repeated) return;
  throw new SimulationError(
    `P4: session ${id} is ${final.state} at the end with ${final.repeats} repeats; it had ${known} before, and its kind allows ${kind.maxRepeats}: ${cause()}`,
  );
}
