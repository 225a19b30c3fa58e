/**
 * Owners of sessions: none writes after another has come (fenced epochs), none gets a session early or while somebody else has it, repeats are counted, and what
 * puts a session off says truly until when. Only what is certain is reported.
 */
import { must } from "../../src/base/assert.ts";
import { SimulationError } from "../node-state.ts";
import type { Holding, Session, SessionFacts, Write } from "./session-facts.ts";
import { textOfCall, told } from "./state-call.ts";

/** Throws SimulationError. */
export function checkOwners(facts: SessionFacts): void {
  for (const session of facts.sessions.values()) {
    for (const write of session.writes) {
      if (write.verdict === "done") checkFenced(facts, session, write);
      if (write.code === "FENCED" || write.code === "NOSESSION")
        checkRefused(facts, session, write);
      if (write.code === "REPEATLIMIT") checkDead(session, write);
      if (write.verb === "session.store" && write.outcome !== undefined)
        checkStored(facts, session, write);
    }
    for (const [at, holding] of session.holdings.entries()) {
      if (at > 0) checkGivenOn(facts, session, must(session.holdings[at - 1]), holding);
      checkEnded(session, holding);
    }
  }
}

/** A write that was done is older than all that came after its epoch. */
function checkFenced(facts: SessionFacts, session: Session, write: Write): void {
  const { above } = facts.numbers(write.call, session);
  for (const { epoch, call } of session.holdings) {
    if (epoch <= write.epoch || epoch > above) continue;
    throw new SimulationError(
      `P4: not fenced: a write with epoch ${write.epoch} of session ${session.id} was done after epoch ${epoch}: ${textOfCall(write.call)}; ${textOfCall(call)}`,
    );
  }
  for (const other of session.writes) {
    if (other === write || other.epoch !== write.epoch || other.verdict !== "done") continue;
    const ends = other.verb === "session.store" || other.verb === "session.delete";
    if (!ends || knownBy(other) >= write.call.invoked || other.call === write.call) continue;
    throw new SimulationError(
      `P4: not fenced: a write with epoch ${write.epoch} of session ${session.id} was done after ${textOfCall(other.call)}: ${textOfCall(write.call)}`,
    );
  }
}

/** With one epoch a session is put off or deleted once; what was deleted does not come back. */
function checkEnded(session: Session, { epoch }: Holding): void {
  const ends = session.writes.filter(
    (one) =>
      one.epoch === epoch &&
      one.verdict === "done" &&
      (one.verb === "session.store" || one.verb === "session.delete"),
  );
  if (ends.length > 1)
    throw new SimulationError(
      `P4: session ${session.id} was given up twice with epoch ${epoch}: ${ends.map(({ call }) => textOfCall(call)).join(" and ")}`,
    );
}

/** A write was refused because its epoch is not the session's: so there is somebody or something that has changed it. */
function checkRefused(facts: SessionFacts, session: Session, write: Write): void {
  const holding = session.holdings.find(({ epoch }) => epoch === write.epoch);
  const by = knownBy(write);
  if (holding === undefined || mayHaveEnded(facts, session, holding, by, write)) return;
  if (session.holdings.some(({ epoch }) => epoch > write.epoch)) return;
  const latest = facts.world.times.latest(
    session.partition,
    facts.numbers(write.call, session).below,
  );
  const until = silentAt(facts, session, holding, write);
  if (latest >= until) return;
  throw new SimulationError(
    `P4: session ${session.id} has epoch ${write.epoch} until ${until}, and a write with it was refused by ${latest}: ${textOfCall(write.call)}; it came from ${textOfCall(holding.call)}`,
  );
}

/** Whether anything but silence may have taken a session from its owner by a moment. */
function mayHaveEnded(
  facts: SessionFacts,
  session: Session,
  holding: Holding,
  by: number,
  but?: Write,
): boolean {
  if (!holding.detached && facts.world.ownerEnded(holding.call) < by) return true;
  return session.writes.some(
    (one) =>
      one !== but &&
      one.epoch === holding.epoch &&
      one.verdict !== "refused" &&
      one.call.invoked < by &&
      (one.verb === "session.store" || one.verb === "session.delete"),
  );
}

/** Log time before which the session surely did not count as hung, by what its owner has done until then. */
function silentAt(facts: SessionFacts, session: Session, holding: Holding, until?: Write): number {
  let at = facts.world.times.earliest(session.partition, holding.epoch) + session.kind.silenceMs;
  for (const { epoch, outcome, verb, call } of session.writes) {
    if (epoch !== holding.epoch || outcome === undefined) continue;
    if (verb === "session.store" || verb === "session.delete") continue;
    // Of those at the same time as the refused one nobody knows which was first.
    const what = told(call);
    if (until !== undefined && (what.kind !== "done" || what.by >= until.call.invoked)) continue;
    at = Math.max(at, outcome.dueAtMs);
  }
  return at;
}

/** From one owner that is known to the next. */
function checkGivenOn(
  facts: SessionFacts,
  session: Session,
  before: Holding,
  after: Holding,
): void {
  const { id, kind, partition } = session;
  const text = (): string => `${textOfCall(before.call)}; then ${textOfCall(after.call)}`;
  const ghosts = facts.ghosts(kind.name, after.by);
  const revived = session.revivals.some(({ invoked }) => invoked < after.by);
  const [least, most] = [revived ? 1 : before.repeats + 1, before.repeats + 1 + ghosts];
  if (
    after.repeats < least ||
    after.repeats > most ||
    (kind.maxRepeats > 0 && after.repeats > kind.maxRepeats)
  )
    throw new SimulationError(
      `P4: session ${id} was given out as repeat ${after.repeats}; by what was given out before it is ${least} to ${most}, of ${kind.maxRepeats} at most: ${text()}`,
    );
  const latest = facts.world.times.latest(partition, after.epoch);
  const end = session.writes.find(
    ({ epoch, verdict, verb }) =>
      epoch === before.epoch &&
      verdict === "done" &&
      (verb === "session.store" || verb === "session.delete"),
  );
  if (end?.verb === "session.delete")
    throw new SimulationError(
      `P4: deleted, and back: session ${id}: ${textOfCall(end.call)}; ${textOfCall(after.call)}`,
    );
  for (const { call, verb, epoch } of session.writes)
    if (verb === "session.delete" && epoch === before.epoch && call.group)
      facts.world.evidence.didNot(
        call,
        "P4: deleted, and back",
        () => `session ${id} was given out later: ${textOfCall(after.call)}`,
      );
  if (end !== undefined) {
    const { dueAtMs, status } = must(end.outcome);
    if (status === "dead" && revived) return;
    if (status === "dead")
      throw new SimulationError(
        `P4: dead, and back: session ${id}: ${textOfCall(end.call)}; ${textOfCall(after.call)}`,
      );
    if (latest >= dueAtMs) return;
    throw new SimulationError(
      `P4: early: session ${id} was put off until ${dueAtMs} and given out by ${latest}: ${textOfCall(end.call)}; ${textOfCall(after.call)}`,
    );
  }
  if (mayHaveEnded(facts, session, before, after.by)) return;
  const until = silentAt(facts, session, before) + (revived ? 0 : kind.delayMs);
  if (latest >= until) return;
  throw new SimulationError(
    `P4: two owners: session ${id} is not hung before ${until}, and was given to somebody else by ${latest}: ${text()}`,
  );
}

/** Until when it was put off, and whether it had to die. */
function checkStored(
  facts: SessionFacts,
  session: Session,
  { epoch, outcome, afterMs, call }: Write,
): void {
  const { id, kind, partition, holdings } = session;
  const { status, dueAtMs, epoch: number } = must(outcome);
  const repeats = holdings.find((one) => one.epoch === epoch)?.repeats;
  const mustDie = repeats !== undefined && kind.maxRepeats > 0 && repeats >= kind.maxRepeats;
  if (repeats !== undefined && (status === "dead") !== mustDie)
    throw new SimulationError(
      `P4: session ${id} with ${repeats} repeats of ${kind.maxRepeats} is ${status} after it was put off: ${textOfCall(call)}`,
    );
  if (status === "dead") return;
  const { times } = facts.world;
  const least = times.earliest(partition, number) + (afterMs ?? kind.delayMs);
  const most = times.latest(partition, number) + (afterMs ?? kind.delayMs + kind.spreadMs) + 999;
  const whole =
    dueAtMs % 1_000 === 0 || afterMs === 0 || (afterMs === undefined && kind.delayMs === 0);
  if (dueAtMs >= least && dueAtMs <= most && whole) return;
  throw new SimulationError(
    `P4: session ${id} was put off until ${dueAtMs}; it must be a whole second from ${least} to ${most}: ${textOfCall(call)}`,
  );
}

/** Dead is only what was put off after its last repeat. */
function checkDead({ id, kind }: Session, { call }: Write): void {
  if (kind.maxRepeats > 0) return;
  throw new SimulationError(
    `P4: session ${id} never dies by its kind ${kind.name}, and a write was refused: ${textOfCall(call)}`,
  );
}

function knownBy({ call }: Write): number {
  const what = told(call);
  return what.kind === "done" ? what.by : Infinity;
}
