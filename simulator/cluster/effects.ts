/**
 * What is known of each write of a history, from all that anybody was told: whether it took effect, at the latest when, and its version. A write of which
 * its own client knows nothing may have been read by another one; and with one write of a group all others of it are known, for they have versions in a row.
 *
 * Gathering this finds what contradicts itself: values that nobody wrote or that were refused, one write with two versions, two writes with one, groups of
 * which the parts do not belong together. Promises P1, P2 and P3 are named in the errors.
 */
import { must } from "../../src/base/assert.ts";
import { SimulationError } from "../node-state.ts";
import { shortKey, textOfCall } from "./history.ts";
import type { RecordAction, RecordCall, StatusAnswer } from "./history.ts";

/** One SET of one call. */
export interface Write {
  readonly call: RecordCall;
  /** Its place in the call. */
  readonly index: number;
  readonly key: string;
  readonly expires: boolean;
}

/** A call that took effect. */
export interface Effect {
  /** The version of an action is this plus its place in the call. */
  readonly base: number;
  /** It had happened by then: somebody knew. */
  readonly by: number;
}

export class Effects {
  readonly #writes = new Map<number, Write>();
  /** Those that their own answer says were not done. */
  readonly #undone = new Set<number>();
  readonly #effects = new Map<RecordCall, Effect>();
  /** By partition and version: the stamp of the write. */
  readonly #versions = new Map<string, number>();

  /** Throws SimulationError on what cannot be. */
  constructor(calls: readonly RecordCall[]) {
    for (const call of calls) this.#register(call);
    for (const call of calls) this.#learnAnswers(call);
    for (const call of calls) this.#learnReads(call);
    for (const call of calls) this.#nameAll(call);
  }

  /** Calls that took effect, as far as that is known. */
  of(call: RecordCall): Effect | undefined {
    return this.#effects.get(call);
  }

  /** All writes that are known to have taken effect, with their versions, in the order of the versions of each partition. */
  inOrder(partition: number): { readonly write: Write; readonly version: number }[] {
    return [...this.#writes.values()]
      .filter(({ call }) => call.partition === partition)
      .map((write) => ({ write, version: this.versionOf(write) }))
      .filter(({ version }) => version !== 0)
      .sort((a, b) => a.version - b.version);
  }

  /** 0 = not known to have taken effect. */
  versionOf({ call, index }: Write): number {
    const effect = this.#effects.get(call);
    const action = must(call.actions[index]);
    if (effect === undefined || action.kind !== "set" || this.#undone.has(action.stamp)) return 0;
    return effect.base + index;
  }

  #register(call: RecordCall): void {
    for (const [index, action] of call.actions.entries()) {
      if (action.kind !== "set") continue;
      const { key, stamp, expires } = action;
      this.#writes.set(stamp, { call, index, key, expires });
      if (call.fate === "refused") this.#undone.add(stamp);
    }
  }

  #learnAnswers(call: RecordCall): void {
    for (const { answer, moment } of call.answers) {
      for (const [index, action] of call.actions.entries()) {
        if (action.kind !== "set") continue;
        const told = answer.kind === "done" ? answer.answers[index] : undefined;
        if (told?.kind === "record" && isWritten(told))
          this.#learn({ call, index, version: told.version, moment, stamp: action.stamp });
        else this.#undone.add(action.stamp);
      }
    }
  }

  #learnReads(call: RecordCall): void {
    for (const { answer, moment } of call.answers) {
      if (answer.kind !== "done") continue;
      for (const [index, told] of answer.answers.entries()) {
        if (told.kind !== "value" || told.version === 0) continue;
        const { stamp, version } = told;
        const action = must(call.actions[index]);
        const write = stamp === undefined ? undefined : this.#writes.get(stamp);
        const ghost = this.#ghost(write, action, call, moment);
        if (ghost !== undefined || stamp === undefined || write === undefined) {
          throw new SimulationError(
            `P1: phantom value: ${textOfCall(call)} read at ${moment} from ${shortKey(action.key)} what ${ghost ?? "nobody wrote"}`,
          );
        }
        this.#learn({ call: write.call, index: write.index, version, moment, stamp });
      }
    }
  }

  /** Why this value cannot have been read. */
  #ghost(
    write: Write | undefined,
    action: RecordAction,
    reader: RecordCall,
    moment: number,
  ): string | undefined {
    if (write === undefined) return "nobody wrote";
    const { call, index, key } = write;
    const { stamp } = must(call.actions[index] as RecordAction & { stamp: number });
    if (key !== action.key || call.partition !== reader.partition)
      return `was written to ${shortKey(key)}`;
    if (call.invoked > moment) return `is written later: ${textOfCall(call)}`;
    if (this.#undone.has(stamp)) return `was refused: ${textOfCall(call)}`;
    return undefined;
  }

  #learn(fact: {
    readonly call: RecordCall;
    readonly index: number;
    readonly version: number;
    readonly moment: number;
    readonly stamp: number;
  }): void {
    const { call, index, version, moment, stamp } = fact;
    const base = version - index;
    const known = this.#effects.get(call);
    if (known !== undefined && known.base !== base) {
      throw new SimulationError(
        known.base + index > 0 && call.group
          ? `P2: half group, or P3: double effect: ${textOfCall(call)} wrote #${stamp} with version ${version}; by its other writes that is ${known.base + index}`
          : `P3: double effect: ${textOfCall(call)} wrote #${stamp} with version ${known.base + index} and with version ${version}`,
      );
    }
    this.#effects.set(call, { base, by: Math.min(known?.by ?? Infinity, moment) });
    this.#claim(call, version, stamp);
  }

  #claim(call: RecordCall, version: number, stamp: number): void {
    const name = `${call.partition} ${version}`;
    const other = this.#versions.get(name);
    if (other !== undefined && other !== stamp) {
      throw new SimulationError(
        `P2: two writes have version ${version}: ${textOfCall(call)} and ${textOfCall(must(this.#writes.get(other)).call)}`,
      );
    }
    this.#versions.set(name, stamp);
  }

  /** With one write of a call all are known. */
  #nameAll(call: RecordCall): void {
    const effect = this.#effects.get(call);
    if (effect === undefined) return;
    for (const [index, action] of call.actions.entries()) {
      if (action.kind === "set" && !this.#undone.has(action.stamp))
        this.#claim(call, effect.base + index, action.stamp);
    }
  }
}

function isWritten({ status }: StatusAnswer): boolean {
  return status === "created" || status === "updated";
}
