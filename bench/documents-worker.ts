/**
 * One library in a process of its own, so that its memory and what the compiler learned of it are not the others'. Runs the cells that `documents.ts` names, one
 * at a time, and answers what it has measured; not to be started by hand.
 */
import { cells } from "./documents/cells.ts";
import type { Measurement } from "./documents/cells.ts";
import { type Library, libraryNames } from "./documents/library.ts";
import { rates } from "./documents/rates.ts";
import type { Rates } from "./documents/rates.ts";
import { CpuWatch } from "./measure.ts";

export type Question = { readonly cell: string } | { readonly rates: true };

export interface Answer {
  /** What others used of the processors meanwhile, in percent of one core. */
  readonly otherPercent: number;
  readonly measured?: Measurement;
  readonly rates?: Rates;
  /** Something was wrong. */
  readonly error?: string;
}

const name = libraryNames.find((known) => known === process.argv[2]);
if (name === undefined) throw new Error(`a library is one of ${libraryNames.join(", ")}`);
const library = await load();

process.on("message", (question: Question) => {
  const cpu = new CpuWatch(undefined);
  let answer: Omit<Answer, "otherPercent">;
  try {
    if ("rates" in question) answer = { rates: rates() };
    else {
      const cell = cells.find((known) => known.name === question.cell);
      if (cell === undefined) throw new Error(`there is no cell ${question.cell}`);
      answer = { measured: cell.run(library) };
    }
  } catch (error) {
    answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.send?.({ ...answer, otherPercent: cpu.read().other } satisfies Answer);
});

/** Only one of them is in this process. */
async function load(): Promise<Library> {
  if (name === "yjs") return (await import("./documents/yjs.ts")).yjs;
  if (name === "automerge") return (await import("./documents/automerge.ts")).automergeLibrary;
  if (name === "loro") return (await import("./documents/loro.ts")).loro;
  return (await import("./documents/truba.ts")).truba;
}
