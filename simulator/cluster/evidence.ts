/**
 * Whether each call took effect, from its own answer and from all that others were told. What contradicts itself is a broken promise: an effect of what was refused, an
 * acknowledged effect that is not there, half an atomic group.
 */
import { SimulationError } from "../node-state.ts";
import { textOfCall, told } from "./state-call.ts";
import type { StateCall } from "./state-call.ts";

interface Verdict {
  readonly done: boolean;
  readonly why: () => string;
}

export class Evidence {
  readonly #verdicts = new Map<StateCall, Verdict>();

  constructor(calls: readonly StateCall[]) {
    for (const call of calls) {
      const what = told(call);
      if (what.kind === "unknown") continue;
      const done = what.kind === "done" && what.outcomes.every(({ kind }) => kind !== "error");
      this.#verdicts.set(call, {
        done,
        why: () => `its answer says that it was ${done ? "" : "not "}done`,
      });
    }
  }

  /** `undefined`: nobody knows. */
  isDone(call: StateCall): boolean | undefined {
    return this.#verdicts.get(call)?.done;
  }

  /** Somebody saw the effect. `promise`: what is broken if it had none; `why`: what was seen, as a text. Throws SimulationError. */
  happened(call: StateCall, promise: string, why: () => string): void {
    this.#claim(call, true, promise, why);
  }

  /** Somebody saw that the effect is not there. */
  didNot(call: StateCall, promise: string, why: () => string): void {
    this.#claim(call, false, promise, why);
  }

  #claim(call: StateCall, done: boolean, promise: string, why: () => string): void {
    const known = this.#verdicts.get(call);
    if (known === undefined) {
      this.#verdicts.set(call, { done, why });
      return;
    }
    if (known.done === done) return;
    const broken = call.group ? `half group (${promise})` : promise;
    throw new SimulationError(`${broken}: ${why()}, but ${known.why()}: ${textOfCall(call)}`);
  }
}
