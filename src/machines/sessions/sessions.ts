/**
 * The sessions machine: what gathers records in the hands of one owner and ends in `delete`, or is put off and delivered again until it does (P4). It is
 *
 *     active   in the hands of an owner, until it deletes or stores it, falls silent, or is gone
 *     stored   until its due time, and then until somebody takes it
 *     dead     kept after the repeat limit of its kind, until it is revived
 *
 * Each change of hands gives it a new *epoch*, the number of the operation, so whoever had it before is FENCED. See `session-row.ts`, `session-records.ts` and `kind-rows.ts`
 * for the tables and `session-operation.ts` for the bytes of operations.
 */
import { limits } from "../../base/limits.ts";
import type { DeliveredSession, RequestOf, ResponseOf } from "../../protocol/requests.ts";
import type { State } from "../../state/state.ts";
import type { Machine, Moment } from "../machine.ts";
import { type OperationReader, operationCodes } from "../operation.ts";
import {
  type ErrorOutcome,
  type Outcome,
  type SessionOutcome,
  type SessionStatus,
  done,
} from "../outcome.ts";
import { type Holder, type Owner, detached, readOwner } from "../owner.ts";
import { KindRows, decodeKinds } from "./kind-rows.ts";
import type { KindSettings } from "./kinds.ts";
import { dueAfter, kindDelayMs } from "./repeat-time.ts";
import { sessionIdText } from "./session-id.ts";
import { SessionIndex, type SessionTotals } from "./session-index.ts";
import { flagData, flagDetached } from "./session-operation.ts";
import {
  type SessionReadVerb,
  type SessionTables,
  getSession,
  kindNumbers,
  listKinds,
  listSessions,
} from "./session-read.ts";
import { SessionRecords } from "./session-records.ts";
import {
  fenced,
  kindClosed,
  noKind,
  noSession,
  notDead,
  repeatLimit,
  tooLong,
  tooManyRecords,
} from "./session-refusals.ts";
import { type Session, SessionRows } from "./session-row.ts";
import { asKindSays, notHandled } from "./store-times.ts";
import type { StoredOrder } from "./stored-order.ts";

export class Sessions implements Machine, Holder {
  readonly codes = [
    operationCodes.sessionNew,
    operationCodes.sessionAppend,
    operationCodes.sessionReplace,
    operationCodes.sessionTouch,
    operationCodes.sessionDelete,
    operationCodes.sessionStore,
    operationCodes.sessionTake,
    operationCodes.sessionRevive,
    operationCodes.sessionKinds,
  ];
  /** A session was stored or revived, or is stored for another time. Called while an operation is applied: it may only take a note. */
  onReady: (() => void) | undefined;
  readonly #kinds: KindRows;
  readonly #rows: SessionRows;
  readonly #records: SessionRecords;
  readonly #index: SessionIndex;

  constructor(state: State) {
    this.#kinds = new KindRows(state);
    this.#rows = new SessionRows(state);
    this.#records = new SessionRecords(state);
    this.#index = new SessionIndex(this.#rows);
    this.#index.onStored = () => this.onReady?.();
  }

  /** Sessions by state. */
  get totals(): SessionTotals {
    return this.#index.totals;
  }

  /** Sessions of the kinds of this name, by state. */
  totalsOf(kind: string): SessionTotals {
    const sum = { active: 0, stored: 0, dead: 0 };
    for (const number of this.#kinds.numbersOf(kind)) {
      const { active, stored, dead } = this.#index.totalsOf(number);
      sum.active += active;
      sum.stored += stored;
      sum.dead += dead;
    }
    return sum;
  }

  /** Log time at which the first stored session of these kinds is due; Infinity if there is none. */
  nextStored(kinds: readonly string[]): number {
    let next = Infinity;
    for (const name of kinds) {
      for (const number of this.#kinds.numbersOf(name)) {
        const stored = this.#index.storedOf(number);
        if (stored?.settle() === true) next = Math.min(next, stored.due);
      }
    }
    return next;
  }

  /** Whether the state holds other kinds than these, which the configuration names. */
  kindsDiffer(kinds: readonly KindSettings[]): boolean {
    return this.#kinds.differ(kinds);
  }

  /** Throws TrubaError NOKIND unless there is such a kind, open or closed. */
  mustHaveKind(name: string): void {
    kindNumbers(this.#kinds, name);
  }

  /** Throws TrubaError BADSESSION, NOSESSION, NOKIND, BADVALUE. */
  read<V extends SessionReadVerb>(verb: V, request: RequestOf<V>): ResponseOf<V>;
  read(verb: SessionReadVerb, request: object): object {
    const tables: SessionTables = {
      kinds: this.#kinds,
      rows: this.#rows,
      records: this.#records,
      index: this.#index,
    };
    switch (verb) {
      case "session.get":
        return getSession(tables, request as RequestOf<"session.get">);
      case "session.list":
        return listSessions(tables, request);
      case "session.kinds":
        return listKinds(tables);
      default:
        return verb satisfies never;
    }
  }

  loaded(): void {
    this.#kinds.loaded();
    this.#index.loaded();
  }

  nextDue(): number {
    return this.#index.silences.next();
  }

  /** Sessions whose owner is silent for too long are stored for repeat. */
  handleDue(moment: Moment, maxRows: number): number {
    let rows = 0;
    for (; rows < maxRows; rows++) {
      const number = this.#index.silences.due(moment.timestamp);
      if (number === undefined) break;
      const session = this.#rows.read(this.#rows.find(number));
      this.#putOff(session, moment, this.#kindDue(session, moment));
    }
    return rows;
  }

  release(owner: Owner, moment: Moment, maxRows: number): number {
    return this.#releaseAll(this.#index.holdings.of(owner, maxRows), moment);
  }

  releaseEarlier(node: number, run: number, moment: Moment, maxRows: number): number {
    return this.#releaseAll(this.#index.holdings.ofEarlier(node, run, maxRows), moment);
  }

  apply(operation: OperationReader, moment: Moment): Outcome {
    switch (operation.code) {
      case operationCodes.sessionNew:
        return this.#open(operation, moment);
      case operationCodes.sessionTake:
        return this.#take(operation, moment);
      case operationCodes.sessionKinds:
        this.#kinds.set(decodeKinds(operation), (number) => this.#index.isUsed(number));
        return done;
      default:
        return this.#applyToOne(operation, moment);
    }
  }

  #open(operation: OperationReader, moment: Moment): Outcome {
    const asker = readOwner(operation);
    const flags = operation.u8();
    const hasData = (flags & flagData) !== 0;
    const owner = (flags & flagDetached) === 0 ? asker : detached;
    const tag = text(operation, "utf8");
    const kindName = text(operation, "latin1");
    const kind = this.#kinds.forNew(kindName);
    if (kind === undefined) return noKind(kindName);
    if (kind.closed) return kindClosed(kindName);
    const bytes = operation.end - operation.at;
    if (bytes > kind.maxBytes) return tooLong("a new session", bytes, kind);
    const { number, timestamp } = moment;
    if (hasData) this.#records.put(number, 0, data(operation));
    return this.#put("created", {
      number,
      epoch: number,
      dueAtMs: timestamp + kind.silenceMs,
      openedAtMs: timestamp,
      kind: kind.number,
      repeats: 0,
      recordsCount: hasData ? 1 : 0,
      bytes,
      state: "active",
      tag,
      owner,
    });
  }

  /** What names a session, and but for a revival an epoch. */
  #applyToOne(operation: OperationReader, moment: Moment): Outcome {
    const tagBytes = operation.u8();
    const tagStart = operation.skip(tagBytes);
    const tag = operation.buffer.subarray(tagStart, tagStart + tagBytes);
    const number = operation.f64();
    const address = this.#rows.find(number);
    if (address === 0 || !this.#rows.hasTag(address, tag))
      return noSession(number, tag.toString("utf8"));
    const session = this.#rows.read(address);
    if (operation.code === operationCodes.sessionRevive) return this.#revive(session, moment);
    const epoch = operation.f64();
    if (session.state === "dead") return repeatLimit(session);
    if (session.state !== "active" || session.epoch !== epoch) return fenced(session, epoch);
    switch (operation.code) {
      case operationCodes.sessionAppend:
        return this.#append(session, operation, moment);
      case operationCodes.sessionReplace:
        return this.#replace(session, operation, moment);
      case operationCodes.sessionDelete:
        return this.#delete(session);
      case operationCodes.sessionStore: {
        const afterMs = operation.f64();
        if (afterMs === notHandled)
          return this.#putOff(
            { ...session, repeats: session.repeats - 1 },
            moment,
            dueAfter(moment, 0),
          );
        const due =
          afterMs === asKindSays ? this.#kindDue(session, moment) : dueAfter(moment, afterMs);
        return this.#putOff(session, moment, due);
      }
      default:
        return this.#put("touched", this.#alive(session, moment));
    }
  }

  #append(session: Session, operation: OperationReader, moment: Moment): Outcome {
    const kind = this.#kinds.of(session.kind);
    const { recordsCount } = session;
    const bytes = session.bytes + operation.end - operation.at;
    if (bytes > kind.maxBytes) return tooLong(`session ${idOf(session)}`, bytes, kind);
    if (recordsCount >= limits.sessionRecordsMaxCount) return tooManyRecords(session);
    this.#records.put(session.number, recordsCount, data(operation));
    const alive = this.#alive(session, moment);
    return this.#put("appended", { ...alive, recordsCount: recordsCount + 1, bytes });
  }

  #replace(session: Session, operation: OperationReader, moment: Moment): Outcome {
    const kind = this.#kinds.of(session.kind);
    const bytes = operation.end - operation.at;
    if (bytes > kind.maxBytes) return tooLong(`session ${idOf(session)}`, bytes, kind);
    this.#records.put(session.number, 0, data(operation));
    this.#records.drop(session.number, 1, session.recordsCount);
    return this.#put("replaced", { ...this.#alive(session, moment), recordsCount: 1, bytes });
  }

  #delete(session: Session): SessionOutcome {
    this.#records.drop(session.number, 0, session.recordsCount);
    this.#rows.remove(session.number);
    return outcomeOf("deleted", { ...session, dueAtMs: 0, recordsCount: 0, bytes: 0 });
  }

  /** Due at once, whatever it has been through. */
  #revive(session: Session, moment: Moment): SessionOutcome | ErrorOutcome {
    if (session.state !== "dead") return notDead(session);
    const { number, timestamp } = moment;
    return this.#put("stored", {
      ...session,
      state: "stored",
      epoch: number,
      dueAtMs: timestamp,
      repeats: 0,
    });
  }

  #take(operation: OperationReader, moment: Moment): Outcome {
    const owner = readOwner(operation);
    const count = operation.u16();
    const orders: StoredOrder[] = [];
    for (let kinds = operation.u16(); kinds > 0; kinds--) {
      const name = text(operation, "latin1");
      const numbers = this.#kinds.numbersOf(name);
      if (numbers.length === 0) return noKind(name);
      for (const number of numbers) {
        const stored = this.#index.storedOf(number);
        if (stored?.settle() === true) orders.push(stored);
      }
    }
    const sessions: DeliveredSession[] = [];
    let bytes = 0;
    while (sessions.length < count) {
      const first = firstOf(orders);
      if (first === undefined || first.due > moment.timestamp) break;
      const session = this.#rows.read(this.#rows.find(first.number));
      bytes += session.bytes;
      if (sessions.length > 0 && bytes > limits.takeMaxBytes) break;
      sessions.push(this.#deliver(session, owner, moment));
      first.settle();
    }
    return { kind: "sessions", sessions };
  }

  #deliver(session: Session, owner: Owner, moment: Moment): DeliveredSession {
    const kind = this.#kinds.of(session.kind);
    const repeats = session.repeats + 1;
    const epoch = moment.number;
    const dueAtMs = moment.timestamp + kind.silenceMs;
    this.#rows.put({ ...session, state: "active", owner, epoch, dueAtMs, repeats });
    return {
      session: idOf(session),
      epoch,
      kind: kind.name,
      repeats,
      createdAtMs: session.openedAtMs,
      records: this.#records.read(session.number, session.recordsCount),
    };
  }

  /** Out of its owner's hands until `dueAtMs`; or it is dead. */
  #putOff(session: Session, moment: Moment, dueAtMs: number): SessionOutcome {
    const { maxRepeats } = this.#kinds.of(session.kind);
    const epoch = moment.number;
    const away = { ...session, epoch, owner: detached };
    if (maxRepeats > 0 && session.repeats >= maxRepeats)
      return this.#put("dead", { ...away, state: "dead", dueAtMs: 0 });
    return this.#put("stored", { ...away, state: "stored", dueAtMs });
  }

  #releaseAll(numbers: readonly number[], moment: Moment): number {
    for (const number of numbers)
      this.#putOff(this.#rows.read(this.#rows.find(number)), moment, dueAfter(moment, 0));
    return numbers.length;
  }

  #kindDue(session: Session, moment: Moment): number {
    const kind = this.#kinds.of(session.kind);
    return dueAfter(moment, kindDelayMs(kind, moment, session.number));
  }

  /** Its silence begins anew. */
  #alive(session: Session, moment: Moment): Session {
    return { ...session, dueAtMs: moment.timestamp + this.#kinds.of(session.kind).silenceMs };
  }

  #put(status: SessionStatus, session: Session): SessionOutcome {
    this.#rows.put(session);
    return outcomeOf(status, session);
  }
}

/** Of those that are settled and not empty, the one whose first session goes first. */
function firstOf(orders: readonly StoredOrder[]): StoredOrder | undefined {
  let first: StoredOrder | undefined;
  for (const order of orders)
    if (order.size > 0 && (first === undefined || order.isBefore(first))) first = order;
  return first;
}

function outcomeOf(status: SessionStatus, session: Session): SessionOutcome {
  const { epoch, dueAtMs, recordsCount, bytes } = session;
  return { kind: "session", status, session: idOf(session), epoch, dueAtMs, recordsCount, bytes };
}

function idOf({ number, tag }: Session): string {
  return sessionIdText(number, tag);
}

function text(operation: OperationReader, encoding: "utf8" | "latin1"): string {
  const bytes = operation.u8();
  const start = operation.skip(bytes);
  return operation.buffer.toString(encoding, start, start + bytes);
}

function data({ buffer, at, end }: OperationReader): {
  source: Buffer;
  start: number;
  end: number;
} {
  return { source: buffer, start: at, end };
}
