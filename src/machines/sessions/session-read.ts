/** Reads of sessions, from the state as it is now. */
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { shown } from "../../base/shown-value.ts";
import type { KindInfo, RequestOf, ResponseOf, SessionInfo } from "../../protocol/requests.ts";
import { checkedCount } from "../checked-count.ts";
import type { KindRows } from "./kind-rows.ts";
import { isKindName } from "./kinds.ts";
import { parseSessionId, sessionIdText } from "./session-id.ts";
import type { SessionIndex } from "./session-index.ts";
import type { SessionRecords } from "./session-records.ts";
import { noKind, noSession } from "./session-refusals.ts";
import type { Session, SessionRows } from "./session-row.ts";

export type SessionReadVerb = "session.get" | "session.list" | "session.kinds";

/** What reads look at. */
export interface SessionTables {
  readonly kinds: KindRows;
  readonly rows: SessionRows;
  readonly records: SessionRecords;
  readonly index: SessionIndex;
}

const listDefaultCount = 100;
const states: readonly unknown[] = ["active", "stored", "dead"];

/** Throws TrubaError BADSESSION, NOSESSION. */
export function getSession(
  { rows, records, kinds }: SessionTables,
  { session }: RequestOf<"session.get">,
): ResponseOf<"session.get"> {
  const { number, tag } = parseSessionId(session);
  const address = rows.find(number);
  if (address === 0 || !rows.hasTag(address, tag)) {
    const { code, text } = noSession(number, tag.toString("utf8"));
    throw new TrubaError(code, text);
  }
  const found = rows.read(address);
  return { ...infoOf(found, kinds), records: records.read(number, found.recordsCount) };
}

/** By number, behind that of `after`. Throws TrubaError BADVALUE, BADSESSION, NOKIND. */
export function listSessions(
  { rows, kinds, index }: SessionTables,
  { state, kind, after, count }: RequestOf<"session.list">,
): ResponseOf<"session.list"> {
  if (state !== undefined && !states.includes(state))
    throw new TrubaError("BADVALUE", `state is ${shown(state)}; it must be active, stored or dead`);
  const most = checkedCount("count", count ?? listDefaultCount, 1, limits.listMaxCount);
  const behind = after === undefined ? 0 : parseSessionId(after).number;
  const numbers = kind === undefined ? undefined : kindNumbers(kinds, kind);
  const sessions: SessionInfo[] = [];
  index.each(state, behind, (number) => {
    const address = rows.find(number);
    if (state !== undefined && rows.state(address) !== state) return true;
    if (numbers !== undefined && !numbers.includes(rows.kind(address))) return true;
    sessions.push(infoOf(rows.read(address), kinds));
    return sessions.length < most;
  });
  return { sessions };
}

export function listKinds({ kinds }: SessionTables): ResponseOf<"session.kinds"> {
  return {
    kinds: kinds.all().map(({ name, ...settings }): KindInfo => ({ kind: name, ...settings })),
  };
}

/** Throws TrubaError NOKIND. */
export function kindNumbers(kinds: KindRows, name: string): readonly number[] {
  const numbers = isKindName(name) ? kinds.numbersOf(name) : [];
  if (numbers.length > 0) return numbers;
  const { code, text } = noKind(shown(name));
  throw new TrubaError(code, text);
}

function infoOf(session: Session, kinds: KindRows): SessionInfo {
  return {
    session: sessionIdText(session.number, session.tag),
    kind: kinds.of(session.kind).name,
    state: session.state,
    epoch: session.epoch,
    repeats: session.repeats,
    createdAtMs: session.openedAtMs,
    dueAtMs: session.dueAtMs,
    recordsCount: session.recordsCount,
    bytes: session.bytes,
  };
}
