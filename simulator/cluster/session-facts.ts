/**
 * What is known of the sessions of a history: who opened each, to whom it was given with which epoch, and every write with what came of it. Gathering this
 * finds what contradicts itself; promises P1 and P3 are named in the errors.
 */
import { must } from "../../src/base/assert.ts";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { KindSettings } from "../../src/machines/sessions/kinds.ts";
import type { SessionOutcome } from "../../src/machines/outcome.ts";
import type { AnyRequest, DeliveredSession, SessionState } from "../../src/protocol/requests.ts";
import { SimulationError } from "../node-state.ts";
import type { Evidence } from "./evidence.ts";
import type { Between, LogOrders } from "./log-order.ts";
import { firstAtLeast } from "./log-times.ts";
import type { LogTimes } from "./log-times.ts";
import { stampOf } from "./stamped-value.ts";
import { outcomeOf, stepsOf, textOfCall, told } from "./state-call.ts";
import type { StateCall } from "./state-call.ts";

/** Given to somebody, with an epoch of its own: opened or taken. */
export interface Holding {
  readonly epoch: number;
  /** Takes so far; 0 when it was opened. */
  readonly repeats: number;
  /** Stamps of its records then. */
  readonly records: readonly number[];
  readonly call: StateCall;
  readonly by: number;
  /** It does not come back when a connection ends. */
  readonly detached: boolean;
}

type WriteVerb =
  | "session.append"
  | "session.replace"
  | "session.touch"
  | "session.store"
  | "session.delete";

export interface Write {
  readonly verb: WriteVerb;
  readonly epoch: number;
  readonly call: StateCall;
  /** Of an append or a replace; else 0. */
  readonly stamp: number;
  readonly afterMs: number | undefined;
  readonly verdict: "done" | "refused" | "unknown";
  /** Why it was refused. */
  readonly code: ErrorCode | undefined;
  readonly outcome: SessionOutcome | undefined;
}

/** As it is when everything is over. */
export interface FinalSession {
  readonly session: string;
  readonly kind: string;
  readonly state: SessionState;
  readonly repeats: number;
  readonly records: readonly Uint8Array[];
}

export interface Session {
  readonly id: string;
  readonly partition: number;
  readonly number: number;
  readonly kind: KindSettings;
  /** Its opening; `undefined` while nobody has seen by whom. */
  opened: StateCall | undefined;
  /** By epoch. */
  readonly holdings: Holding[];
  readonly writes: Write[];
  /** Revivals, done or perhaps. */
  readonly revivals: StateCall[];
  final: FinalSession | undefined;
}

/** What the workload knows beside the calls. */
export interface SessionWorld {
  readonly kinds: ReadonlyMap<string, KindSettings>;
  readonly times: LogTimes;
  readonly orders: LogOrders;
  readonly evidence: Evidence;
  partitionOf(session: string): number;
  ownerEnded(call: StateCall): number;
}

export class SessionFacts {
  readonly calls: readonly StateCall[];
  readonly world: SessionWorld;
  readonly takes: StateCall[] = [];
  readonly sessions = new Map<string, Session>();
  /** Openings by the stamp of their first record. */
  readonly openings = new Map<number, StateCall>();
  readonly #writers = new Map<number, StateCall>();
  /** By kind: when takes of which nobody knows were asked for, rising. */
  readonly #ghosts = new Map<string, readonly number[]>();

  /** Throws SimulationError on what cannot be. */
  constructor(calls: readonly StateCall[], final: readonly FinalSession[], world: SessionWorld) {
    this.calls = calls;
    this.world = world;
    for (const { call, step } of stepsOf(calls)) {
      if (step.verb === "session.take") this.takes.push(call);
      const stamp = stampIn(step);
      if (stamp === 0) continue;
      this.#writers.set(stamp, call);
      if (step.verb === "session.new") this.openings.set(stamp, call);
    }
    for (const { call, index, step } of stepsOf(calls)) {
      if (step.verb === "session.new") this.#learnOpening(call, index, step);
      if (step.verb === "session.take") this.#learnTake(call, index);
    }
    for (const { call, index, step } of stepsOf(calls)) this.#learnWrite(call, index, step);
    for (const one of final) this.#learnFinal(one);
    for (const session of this.sessions.values()) {
      session.holdings.sort((a, b) => a.epoch - b.epoch);
      checkEpochs(session);
    }
  }

  numbers(call: StateCall, { partition }: Session): Between {
    return this.world.orders.numbers(call, partition);
  }

  /** Takes that may have taken sessions of a kind of which nobody was told, asked for before a moment. */
  ghosts(kind: string, before: number): number {
    let known = this.#ghosts.get(kind);
    if (known === undefined) {
      const unknown = this.takes.filter((call) => {
        const [step] = call.steps;
        const asks = step?.verb === "session.take" && step.request.kinds.includes(kind);
        return asks && told(call).kind === "unknown";
      });
      known = unknown.map(({ invoked }) => invoked).sort((a, b) => a - b);
      this.#ghosts.set(kind, known);
    }
    return firstAtLeast(known, before);
  }

  #learnOpening(call: StateCall, index: number, step: AnyRequest & { verb: "session.new" }): void {
    const outcome = outcomeOf(call, index);
    const what = told(call);
    if (outcome?.kind !== "session" || what.kind !== "done") return;
    const session = this.#session(outcome.session, step.request.kind, () => textOfCall(call));
    if (session.opened !== undefined && session.opened !== call)
      throw new SimulationError(
        `P3: one session for two: ${textOfCall(session.opened)} and ${textOfCall(call)}`,
      );
    session.opened = call;
    if (outcome.epoch !== session.number)
      throw new SimulationError(
        `P4: a new session has epoch ${outcome.epoch}: ${textOfCall(call)}`,
      );
    const stamp = stampIn(step);
    session.holdings.push({
      epoch: outcome.epoch,
      repeats: 0,
      records: stamp === 0 ? [] : [stamp],
      call,
      by: what.by,
      detached: call.detached || step.request.detached === true,
    });
  }

  #learnTake(call: StateCall, index: number): void {
    const outcome = outcomeOf(call, index);
    const what = told(call);
    if (outcome?.kind !== "sessions" || what.kind !== "done") return;
    for (const delivered of outcome.sessions) {
      const session = this.#session(delivered.session, delivered.kind, () => textOfCall(call));
      const records = this.#recordsOf(session, delivered.records, () => textOfCall(call));
      const { epoch, repeats } = delivered;
      session.holdings.push({
        epoch,
        repeats,
        records,
        call,
        by: what.by,
        detached: call.detached,
      });
      this.#checkBytes(session, delivered);
    }
  }

  #checkBytes({ id, kind }: Session, { records }: DeliveredSession): void {
    const bytes = records.reduce((sum, { length }) => sum + length, 0);
    if (bytes <= kind.maxBytes) return;
    throw new SimulationError(
      `P8: session ${id} has ${bytes} bytes; its kind ${kind.name} allows ${kind.maxBytes}`,
    );
  }

  #learnWrite(call: StateCall, index: number, step: AnyRequest): void {
    const { verb, request } = step;
    if (verb === "session.revive") {
      const revived = told(call).kind !== "nothing" && outcomeOf(call, index)?.kind !== "error";
      if (revived) this.sessions.get(request.session)?.revivals.push(call);
      return;
    }
    if (
      verb !== "session.append" &&
      verb !== "session.replace" &&
      verb !== "session.touch" &&
      verb !== "session.store" &&
      verb !== "session.delete"
    )
      return;
    const what = told(call);
    if (what.kind === "nothing") return;
    const outcome = outcomeOf(call, index);
    const session = must(
      this.sessions.get(request.session),
      "clients know only what they were given",
    );
    session.writes.push({
      verb,
      epoch: request.epoch,
      call,
      stamp: stampIn(step),
      afterMs: verb === "session.store" ? request.afterMs : undefined,
      verdict: outcome === undefined ? "unknown" : outcome.kind === "session" ? "done" : "refused",
      code: outcome?.kind === "error" ? outcome.code : undefined,
      outcome: outcome?.kind === "session" ? outcome : undefined,
    });
  }

  #learnFinal(final: FinalSession): void {
    const session = this.#session(final.session, final.kind, () => "it is there at the end");
    session.final = final;
    this.#recordsOf(session, final.records, () => "it is there at the end");
  }

  #session(id: string, kindName: string, seen: () => string): Session {
    const kind = this.world.kinds.get(kindName);
    if (kind === undefined)
      throw new SimulationError(`P1: session ${id} has the unknown kind ${kindName}: ${seen()}`);
    const known = this.sessions.get(id);
    if (known !== undefined && known.kind !== kind)
      throw new SimulationError(
        `P1: session ${id} was of kind ${known.kind.name} and is of kind ${kindName}: ${seen()}`,
      );
    if (known !== undefined) return known;
    const session: Session = {
      id,
      partition: this.world.partitionOf(id),
      number: Number.parseInt(id.slice(-16), 16),
      kind,
      opened: undefined,
      holdings: [],
      writes: [],
      revivals: [],
      final: undefined,
    };
    this.sessions.set(id, session);
    return session;
  }

  /** The stamps of records; whoever wrote them has done so. */
  #recordsOf(session: Session, records: readonly Uint8Array[], seen: () => string): number[] {
    return records.map((record, place) => {
      const stamp = stampOf(Buffer.from(record)) ?? 0;
      const writer = this.#writers.get(stamp);
      if (writer === undefined)
        throw new SimulationError(
          `P1: phantom: record ${place} of session ${session.id} (#${stamp || "?"}), which nobody wrote: ${seen()}`,
        );
      this.world.evidence.happened(
        writer,
        "P1: phantom",
        () => `#${stamp} stands in session ${session.id}: ${seen()}`,
      );
      const opening = this.openings.get(stamp);
      if (opening !== undefined) {
        if (session.opened !== undefined && session.opened !== opening)
          throw new SimulationError(
            `P3: session ${session.id} begins with #${stamp} of another: ${textOfCall(opening)}; ${seen()}`,
          );
        session.opened = opening;
      }
      return stamp;
    });
  }
}

/** The stamp that a step writes; 0 = it writes none. */
export function stampIn({ verb, request }: AnyRequest): number {
  if (verb !== "session.new" && verb !== "session.append" && verb !== "session.replace") return 0;
  return request.data === undefined
    ? 0
    : must(stampOf(Buffer.from(request.data)), "a record has a stamp");
}

function checkEpochs({ id, holdings }: Session): void {
  for (let at = 1; at < holdings.length; at++) {
    const [before, after] = [must(holdings[at - 1]), must(holdings[at])];
    if (before.epoch < after.epoch) continue;
    throw new SimulationError(
      `P4: two owners: session ${id} was given out twice with epoch ${after.epoch}: ${textOfCall(before.call)} and ${textOfCall(after.call)}`,
    );
  }
}
