/** Why an operation on a session is refused, in words. `once` remembers them, so they depend on the state alone. */
import { limits } from "../../base/limits.ts";
import { type ErrorOutcome, errorOutcome } from "../outcome.ts";
import type { Kind } from "./kind-rows.ts";
import { sessionIdText } from "./session-id.ts";
import type { Session } from "./session-row.ts";

export function noSession(number: number, tag: string): ErrorOutcome {
  return errorOutcome("NOSESSION", `there is no session ${sessionIdText(number, tag)}`);
}

export function noKind(name: string): ErrorOutcome {
  return errorOutcome("NOKIND", `there is no kind of sessions named ${name}`);
}

export function kindClosed(name: string): ErrorOutcome {
  return errorOutcome("KINDCLOSED", `kind ${name} is closed: it has no new sessions`);
}

export function fenced(session: Session, epoch: number): ErrorOutcome {
  const id = sessionIdText(session.number, session.tag);
  const text =
    session.state === "active"
      ? `session ${id} has epoch ${session.epoch}; the request's is ${epoch}`
      : `session ${id} was stored; epoch ${epoch} no longer has it`;
  return errorOutcome("FENCED", text);
}

export function repeatLimit(session: Session): ErrorOutcome {
  const id = sessionIdText(session.number, session.tag);
  return errorOutcome("REPEATLIMIT", `session ${id} is dead after ${session.repeats} repeats`);
}

export function notDead(session: Session): ErrorOutcome {
  const id = sessionIdText(session.number, session.tag);
  return errorOutcome("NOTDEAD", `session ${id} is ${session.state}, not dead`);
}

export function tooLong(id: string, bytes: number, kind: Kind): ErrorOutcome {
  return errorOutcome(
    "SESSIONTOOLONG",
    `${id} would be ${bytes} bytes; kind ${kind.name} allows ${kind.maxBytes}`,
  );
}

export function tooManyRecords(session: Session): ErrorOutcome {
  const id = sessionIdText(session.number, session.tag);
  return errorOutcome(
    "SESSIONTOOLONG",
    `session ${id} has ${session.recordsCount} records; the limit is ${limits.sessionRecordsMaxCount}`,
  );
}
