/** All checks of a history of records, the cheap ones first: they give the clearer words. */
import { must } from "../../src/base/assert.ts";
import { SimulationError } from "../node-state.ts";
import { Effects } from "./effects.ts";
import { checkPartition } from "./group-check.ts";
import { shortKey, textOfCall } from "./history.ts";
import type { RecordCall } from "./history.ts";
import { keyHistories } from "./key-histories.ts";
import type { KeyOperation } from "./key-histories.ts";
import { checkLinearizable, stepsMaxDefault } from "./linearizability.ts";
import type { CheckReport } from "./machine-workload.ts";
import { checkAnswers, checkFinal } from "./once-check.ts";
import { recordModel } from "./record-model.ts";

export type RecordReport = CheckReport;

export class RecordChecks {
  readonly #calls: readonly RecordCall[];
  readonly #final: readonly RecordCall[];
  readonly #stepsMax: number;
  #histories = 0;
  #undecided = 0;

  /** `calls`: all of them, in any order; `final`: those among them that read each key after everything else. */
  constructor(
    calls: readonly RecordCall[],
    final: readonly RecordCall[],
    stepsMax = stepsMaxDefault,
  ) {
    this.#calls = calls;
    this.#final = final;
    this.#stepsMax = stepsMax;
  }

  /** Throws SimulationError. */
  run(): RecordReport {
    checkAnswers(this.#calls);
    const effects = new Effects(this.#calls);
    this.#checkKeys(effects);
    for (const call of this.#final) {
      if (call.fate === "answered") continue;
      throw new SimulationError(
        `liveness: a read at the end was not answered: ${textOfCall(call)}`,
      );
    }
    checkFinal(this.#calls, this.#final, effects);
    for (const partition of new Set(this.#calls.map((call) => call.partition))) {
      const calls = this.#calls.filter((call) => call.partition === partition);
      checkPartition(calls, effects);
    }
    const count = (fate: RecordCall["fate"]): number =>
      this.#calls.filter((call) => call.fate === fate).length;
    return {
      calls: this.#calls.length,
      answered: count("answered"),
      refused: count("refused"),
      unknown: count("unknown") + count("open"),
      histories: this.#histories,
      undecided: this.#undecided,
    };
  }

  #checkKeys(effects: Effects): void {
    for (const [key, history] of keyHistories(this.#calls, effects)) {
      this.#histories++;
      const verdict = checkLinearizable(recordModel, history, this.#stepsMax);
      if (verdict.kind === "undecided") this.#undecided++;
      if (verdict.kind !== "violated") continue;
      const next = verdict.next.map((place) => describe(must(history[place])));
      throw new SimulationError(
        `P2: ${shortKey(key)} is not linearizable: after ${verdict.done} of its ${history.length} operations its stamp, version, whether it may expire and floor are ${verdict.state}, and none of these can be next:\n${next.join("\n")}`,
      );
    }
  }
}

function describe({ call, returned }: KeyOperation): string {
  return `  by ${returned}: ${textOfCall(call)}`;
}
