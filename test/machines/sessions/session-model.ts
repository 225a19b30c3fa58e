/**
 * What the sessions of one partition must do, written as plainly as can be: a map of objects, filtered and sorted for each question. Of the real machine it knows only how the spread
 * of a delay is drawn, which other tests check.
 */
import { must } from "../../../src/base/assert.ts";
import type { ErrorCode } from "../../../src/base/errors.ts";
import type { Moment } from "../../../src/machines/machine.ts";
import type { Outcome, SessionStatus } from "../../../src/machines/outcome.ts";
import type { Owner } from "../../../src/machines/owner.ts";
import type { KindSettings } from "../../../src/machines/sessions/kinds.ts";
import { kindDelayMs } from "../../../src/machines/sessions/repeat-time.ts";
import type { SessionVerb } from "../../../src/machines/sessions/session-operation.ts";
import type { RequestOf, SessionState } from "../../../src/protocol/requests.ts";

type WriteVerb = Exclude<SessionVerb, "session.get" | "session.list" | "session.kinds">;

/** A verb as somebody asks for it. */
export type Asked = {
  readonly [V in WriteVerb]: {
    readonly verb: V;
    readonly request: RequestOf<V>;
    readonly owner: Owner;
  };
}[WriteVerb];

export type Action =
  | { readonly does: "verb"; readonly asked: Asked }
  | { readonly does: "due" }
  | { readonly does: "disconnected"; readonly owner: Owner }
  | { readonly does: "restarted"; readonly node: number; readonly run: number }
  | { readonly does: "kinds"; readonly kinds: readonly KindSettings[] }
  | { readonly does: "group"; readonly asked: readonly Asked[] };

export interface ModelSession {
  id: string;
  number: number;
  kind: number;
  state: SessionState;
  epoch: number;
  due: number;
  opened: number;
  repeats: number;
  owner: Owner;
  records: string[];
}

const second = 1_000;

export class SessionModel {
  sessions = new Map<number, ModelSession>();
  kinds: (KindSettings & { closed: boolean })[] = [];
  readonly moment: Moment = { timestamp: 0, position: 0, number: 0, seed: 0 };

  /** The outcome, without the texts of errors. */
  apply(timestamp: number, seed: number, action: Action): Outcome {
    Object.assign(this.moment, { timestamp, seed });
    this.moment.number++;
    switch (action.does) {
      case "due": {
        const silent = this.#sorted((one) => one.state === "active" && one.due <= timestamp);
        for (const one of silent) this.#putOff(one, this.#kindDue(one));
        return { kind: "done" };
      }
      case "disconnected":
        return this.#release(({ node, run, connection }) => {
          const { owner } = action;
          return node === owner.node && run === owner.run && connection === owner.connection;
        });
      case "restarted":
        return this.#release(({ node, run }) => node === action.node && run !== action.run);
      case "kinds":
        for (const kind of this.kinds) kind.closed = true;
        for (const kind of action.kinds) {
          this.kinds = this.kinds.filter(({ number }) => number !== kind.number);
          this.kinds.push({ ...kind, closed: false });
        }
        return { kind: "done" };
      case "group": {
        const before = structuredClone(this.sessions);
        const outcomes: Outcome[] = [];
        for (const [index, each] of action.asked.entries()) {
          this.moment.number++;
          const outcome = this.#verb(each);
          if (outcome.kind === "error") {
            this.sessions = before;
            return { kind: "aborted", index, code: outcome.code, text: "" };
          }
          outcomes.push(outcome);
        }
        return { kind: "group", outcomes };
      }
      case "verb":
        return this.#verb(action.asked);
      default:
        return action satisfies never;
    }
  }

  ofState(state: SessionState): ModelSession[] {
    return this.#sorted((one) => one.state === state);
  }

  nextStored(names: readonly string[]): number {
    const numbers = this.#numbersOf(names);
    const dues = this.ofState("stored").filter(({ kind }) => numbers.includes(kind));
    return Math.min(Infinity, ...dues.map(({ due }) => due));
  }

  nextDue(): number {
    return Math.min(Infinity, ...this.ofState("active").map(({ due }) => due));
  }

  #verb(asked: Asked): Outcome {
    switch (asked.verb) {
      case "session.new":
        return this.#open(asked.request, asked.owner);
      case "session.take":
        return this.#take(asked.request, asked.owner);
      case "session.revive": {
        const one = this.#find(asked.request.session);
        if (one === undefined) return error("NOSESSION");
        if (one.state !== "dead") return error("NOTDEAD");
        Object.assign(one, { state: "stored", due: this.moment.timestamp, repeats: 0 });
        one.epoch = this.moment.number;
        return outcomeOf("stored", one);
      }
      case "session.append":
      case "session.replace":
      case "session.touch":
      case "session.delete":
      case "session.store":
        return this.#held(asked);
      default:
        return asked satisfies never;
    }
  }

  #open({ kind: name, data, tag, detached }: RequestOf<"session.new">, owner: Owner): Outcome {
    const named = this.kinds.filter((each) => each.name === name);
    if (named.length === 0) return error("NOKIND");
    const kind = named.find(({ closed }) => !closed);
    if (kind === undefined) return error("KINDCLOSED");
    if ((data?.length ?? 0) > kind.maxBytes) return error("SESSIONTOOLONG");
    const { number, timestamp } = this.moment;
    const one: ModelSession = {
      id: `{${tag ?? "t"}}${number.toString(16).padStart(16, "0")}`,
      number,
      kind: kind.number,
      state: "active",
      epoch: number,
      due: timestamp + kind.silenceMs,
      opened: timestamp,
      repeats: 0,
      owner: detached === true ? { node: 0, run: 0, connection: 0 } : owner,
      records: data === undefined ? [] : [Buffer.from(data).toString("latin1")],
    };
    this.sessions.set(number, one);
    return outcomeOf("created", one);
  }

  #take({ kinds, count }: RequestOf<"session.take">, owner: Owner): Outcome {
    if (kinds.some((name) => this.kinds.every((each) => each.name !== name)))
      return error("NOKIND");
    const { number, timestamp } = this.moment;
    const numbers = this.#numbersOf(kinds);
    const ready = this.ofState("stored")
      .filter(({ kind, due }) => numbers.includes(kind) && due <= timestamp)
      .sort((a, b) => a.due - b.due || a.epoch - b.epoch || a.number - b.number);
    const sessions = ready.slice(0, count).map((one) => {
      const kind = this.#kindOf(one);
      one.repeats++;
      Object.assign(one, {
        state: "active",
        owner,
        epoch: number,
        due: timestamp + kind.silenceMs,
      });
      return {
        session: one.id,
        epoch: number,
        kind: kind.name,
        repeats: one.repeats,
        createdAtMs: one.opened,
        records: one.records.map((record) => Buffer.from(record, "latin1")),
      };
    });
    return { kind: "sessions", sessions };
  }

  #held(
    asked: Extract<
      Asked,
      { verb: `session.${"append" | "replace" | "touch" | "delete" | "store"}` }
    >,
  ): Outcome {
    const { session, epoch } = asked.request;
    const one = this.#find(session);
    if (one === undefined) return error("NOSESSION");
    if (one.state === "dead") return error("REPEATLIMIT");
    if (one.state === "stored" || one.epoch !== epoch) return error("FENCED");
    const { maxBytes, silenceMs } = this.#kindOf(one);
    if (asked.verb === "session.delete") {
      this.sessions.delete(one.number);
      return outcomeOf("deleted", { ...one, records: [], due: 0 });
    }
    if (asked.verb === "session.store") {
      const { afterMs } = asked.request;
      return this.#putOff(one, afterMs === undefined ? this.#kindDue(one) : this.#after(afterMs));
    }
    if (asked.verb !== "session.touch") {
      const added = Buffer.from(asked.request.data).toString("latin1");
      const records = asked.verb === "session.append" ? [...one.records, added] : [added];
      if (records.join("").length > maxBytes) return error("SESSIONTOOLONG");
      one.records = records;
    }
    one.due = this.moment.timestamp + silenceMs;
    const status = {
      "session.append": "appended",
      "session.replace": "replaced",
      "session.touch": "touched",
    } as const;
    return outcomeOf(status[asked.verb], one);
  }

  #putOff(one: ModelSession, due: number): Outcome {
    const { maxRepeats } = this.#kindOf(one);
    one.epoch = this.moment.number;
    one.owner = { node: 0, run: 0, connection: 0 };
    const dead = maxRepeats > 0 && one.repeats >= maxRepeats;
    one.state = dead ? "dead" : "stored";
    one.due = dead ? 0 : due;
    return outcomeOf(one.state, one);
  }

  #release(isGone: (owner: Owner) => boolean): Outcome {
    const gone = this.ofState("active").filter(
      ({ owner }) => owner.connection !== 0 && isGone(owner),
    );
    for (const one of gone) this.#putOff(one, this.moment.timestamp);
    return { kind: "count", count: gone.length };
  }

  #kindDue(one: ModelSession): number {
    const kind = this.#kindOf(one);
    return this.#after(kindDelayMs(kind, this.moment, one.number));
  }

  #after(ms: number): number {
    const { timestamp } = this.moment;
    return ms === 0 ? timestamp : Math.ceil((timestamp + ms) / second) * second;
  }

  #kindOf(one: ModelSession): KindSettings & { closed: boolean } {
    return must(this.kinds.find(({ number }) => number === one.kind));
  }

  #numbersOf(names: readonly string[]): number[] {
    return this.kinds.filter(({ name }) => names.includes(name)).map(({ number }) => number);
  }

  #find(id: string): ModelSession | undefined {
    return [...this.sessions.values()].find((one) => one.id === id);
  }

  #sorted(keep: (one: ModelSession) => boolean): ModelSession[] {
    return [...this.sessions.values()].filter(keep).sort((a, b) => a.number - b.number);
  }
}

function outcomeOf(status: SessionStatus, one: ModelSession): Outcome {
  return {
    kind: "session",
    status,
    session: one.id,
    epoch: one.epoch,
    dueAtMs: one.due,
    recordsCount: one.records.length,
    bytes: one.records.join("").length,
  };
}

function error(code: ErrorCode): Outcome & { kind: "error" } {
  return { kind: "error", code, text: "" };
}
