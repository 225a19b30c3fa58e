/**
 * Between which numbers an operation has its own, of which clients were not told: operations are numbered in the order of the log, and what was answered before
 * something else was asked for stands before it (P2).
 */
import { must } from "../../src/base/assert.ts";
import type { Outcome, RecordStatus, SessionStatus } from "../../src/machines/outcome.ts";
import { SimulationError } from "../node-state.ts";
import { firstAtLeast } from "./log-times.ts";
import { textOfCall, told } from "./state-call.ts";
import type { StateCall } from "./state-call.ts";

/** A number that somebody was told. */
export interface Sighting {
  readonly number: number;
  readonly call: StateCall;
  /** The operation had been done by this moment. */
  readonly by: number;
}

export interface Between {
  readonly above: number;
  readonly below: number;
}

/** Of one partition. */
export class LogOrder {
  /** By when they were known: moments, and the highest number up to there. */
  readonly #known: readonly number[];
  readonly #highest: readonly number[];
  /** By when they were asked for: moments, and the lowest number from there on. */
  readonly #asked: readonly number[];
  readonly #lowest: readonly number[];

  /** Throws SimulationError when numbers contradict the order of asking and answering. */
  constructor(sightings: readonly Sighting[]) {
    const byKnown = sightings.toSorted((a, b) => a.by - b.by);
    this.#known = byKnown.map(({ by }) => by);
    let highest = 0;
    this.#highest = byKnown.map(({ number }) => (highest = Math.max(highest, number)));
    const byAsked = sightings.toSorted((a, b) => a.call.invoked - b.call.invoked);
    this.#asked = byAsked.map(({ call }) => call.invoked);
    let lowest = Infinity;
    this.#lowest = byAsked
      .toReversed()
      .map(({ number }) => (lowest = Math.min(lowest, number)))
      .toReversed();
    for (const { number, call } of sightings) {
      if (number > this.above(call.invoked)) continue;
      const other = must(sightings.find((each) => each.by < call.invoked && each.number >= number));
      if (other.call === call) continue;
      throw new SimulationError(
        `P2: ${textOfCall(call)} has number ${number}; asked for and answered before was ${textOfCall(other.call)} with number ${other.number}`,
      );
    }
  }

  /** What was asked for at this moment or later has a number above this one. */
  above(moment: number): number {
    return this.#highest[firstAtLeast(this.#known, moment) - 1] ?? 0;
  }

  /** What was done by this moment has a number below this one. */
  below(moment: number): number {
    const at = firstAtLeast(this.#asked, moment);
    // The same moment belongs to one event.
    return this.#lowest[this.#asked[at] === moment ? at + 1 : at] ?? Infinity;
  }
}

/** Of all partitions, from all that clients were told. */
export class LogOrders {
  readonly #orders = new Map<number, LogOrder>();
  readonly #own = new Map<StateCall, { partition: number; lowest: number; highest: number }>();

  /** `partitionOf`: of a session. Throws SimulationError as {@link LogOrder}. */
  constructor(calls: readonly StateCall[], partitionOf: (session: string) => number) {
    const sightings = new Map<number, Sighting[]>();
    for (const call of calls) {
      const what = told(call);
      if (what.kind !== "done") continue;
      for (const outcome of what.outcomes) {
        for (const [number, session] of numbersIn(outcome)) {
          const partition = session === undefined ? call.partition : partitionOf(session);
          const others = sightings.get(partition);
          const sighting = { number, call, by: what.by };
          if (others === undefined) sightings.set(partition, [sighting]);
          else others.push(sighting);
          this.#note(call, partition, number);
        }
      }
    }
    for (const [partition, seen] of sightings) this.#orders.set(partition, new LogOrder(seen));
  }

  /** The numbers of the operation, or of the operations of the group, are above the first and below the second. */
  numbers(call: StateCall, partition = call.partition): Between {
    const own = this.#own.get(call);
    if (own?.partition === partition) return { above: own.lowest - 1, below: own.highest + 1 };
    const order = this.#orders.get(partition);
    if (order === undefined) return { above: 0, below: Infinity };
    const what = told(call);
    return {
      above: order.above(call.invoked),
      below: what.kind === "done" ? order.below(what.by) : Infinity,
    };
  }

  #note(call: StateCall, partition: number, number: number): void {
    const own = this.#own.get(call);
    if (own === undefined) this.#own.set(call, { partition, lowest: number, highest: number });
    else if (own.partition === partition) {
      own.lowest = Math.min(own.lowest, number);
      own.highest = Math.max(own.highest, number);
    }
  }
}

/** Numbers of operations that an outcome tells, each of this very operation, with the session that says on which partition. */
function numbersIn(outcome: Outcome): readonly (readonly [number, string | undefined])[] {
  if (outcome.kind === "pushed") return outcome.duplicate ? [] : [[outcome.task, undefined]];
  if (outcome.kind === "tasks")
    return outcome.tasks.slice(0, 1).map(({ lease }) => [lease, undefined] as const);
  if (outcome.kind === "sessions")
    return outcome.sessions.map(({ epoch, session }) => [epoch, session] as const);
  if (outcome.kind === "session" && raisesEpoch.has(outcome.status))
    return [[outcome.epoch, outcome.session]];
  const written = outcome.kind === "record" && isWritten.has(outcome.status);
  return written ? [[outcome.version, undefined]] : [];
}

const raisesEpoch: ReadonlySet<SessionStatus> = new Set(["created", "stored", "dead"]);
const isWritten: ReadonlySet<RecordStatus> = new Set(["created", "updated"]);
