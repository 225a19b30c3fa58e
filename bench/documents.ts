/**
 * Documents: the cells of crdt-benchmarks that have maps and lists of numbers, and a partition that heals, for Truba's replica beside yjs, automerge and loro, turn
 * about; then what only Truba is asked: appends, a large document, bytes of a catch-up. No disk and no network: `documents-cluster.ts` has these.
 *
 *     node --import tsx bench/documents.ts [--only B1.8,heal] [--libraries truba,yjs] [--rounds N] [--json FILE]
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Answer, Question } from "./documents-worker.ts";
import { cells } from "./documents/cells.ts";
import { libraryNames } from "./documents/library.ts";
import type { LibraryName } from "./documents/library.ts";
import { bytesReport, ratesReport, timesReport, verdictsReport } from "./documents/report.ts";
import type { Run, Runs } from "./documents/report.ts";
import type { Rates } from "./documents/rates.ts";

const workerPath = fileURLToPath(new URL("documents-worker.ts", import.meta.url));
const roundCount = 5;
/** What takes longer is measured once. */
const slowMs = 2_500;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    libraries: { type: "string", default: libraryNames.join(",") },
    rounds: { type: "string", default: String(roundCount) },
    json: { type: "string" },
  },
});
const wanted = values.only?.split(",");
const names = libraryNames.filter((name) => values.libraries.split(",").includes(name));
const chosen = cells.filter(({ name }) => wanted === undefined || wanted.includes(name));
const rounds = Number(values.rounds);

class Worker {
  readonly name: LibraryName;
  readonly #child: ChildProcess;

  constructor(name: LibraryName) {
    this.name = name;
    this.#child = fork(workerPath, [name], {
      execArgv: ["--expose-gc", "--max-old-space-size=4096", "--import", "tsx"],
      // Infinity is an answer.
      serialization: "advanced",
    });
  }

  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void =>
        reject(new Error(`the process of ${this.name} ended with code ${code}`));
      this.#child.once("exit", ended);
      this.#child.once("message", (answer: Answer) => {
        this.#child.off("exit", ended);
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(`${this.name}: ${answer.error}`));
      });
      this.#child.send(question);
    });
  }

  stop(): void {
    this.#child.kill();
  }
}

const workers = names.map((name) => new Worker(name));
const started = performance.now();
const runs: Runs = new Map(chosen.map(({ name }) => [name, new Map<LibraryName, Run[]>()]));
let rates: Rates | undefined;
let ratesNoise = 0;
try {
  for (let round = 0; round < rounds; round++) await playRound(round);
  const own = workers.find(({ name }) => name === "truba");
  if (own !== undefined && (wanted === undefined || wanted.includes("rates")))
    ({ rates, otherPercent: ratesNoise } = await own.ask({ rates: true }));
} finally {
  for (const worker of workers) worker.stop();
}
tell();

/** The libraries take turns within each cell, another one first each time. */
async function playRound(round: number): Promise<void> {
  for (const [at, { name }] of chosen.entries()) {
    for (let turn = 0; turn < workers.length; turn++) {
      const worker = workers[(turn + at + round) % workers.length];
      const found = runs.get(name);
      if (worker === undefined || found === undefined) continue;
      const before = found.get(worker.name) ?? [];
      if (before.some(({ wholeMs }) => wholeMs > slowMs)) continue;
      const start = performance.now();
      const { measured, otherPercent } = await worker.ask({ cell: name });
      if (measured === undefined) continue;
      const wholeMs = performance.now() - start;
      found.set(worker.name, [...before, { ...measured, otherPercent, wholeMs }]);
      process.stderr.write(
        `round ${round + 1} ${name} ${worker.name}: ${measured.timeMs.toFixed(1)} ms\n`,
      );
    }
  }
}

function tell(): void {
  console.log(
    `${cpus().length} cores, ${cpus()[0]?.model ?? "unknown"}; Linux ${release()}; Node ${process.version}; ${((performance.now() - started) / 1_000).toFixed(0)} s`,
  );
  if (chosen.length > 0) {
    console.log(`\n${timesReport(chosen, names, runs)}`);
    console.log(`\n${bytesReport(chosen, names, runs)}`);
  }
  if (rates !== undefined) console.log(`\n${ratesReport(rates, ratesNoise)}`);
  const verdicts = verdictsReport(runs, rates, ratesNoise);
  if (verdicts !== "") console.log(`\n${verdicts}`);
  if (values.json !== undefined) {
    const plain = [...runs].map(([name, of]) => [name, Object.fromEntries(of)]);
    const text = JSON.stringify({ runs: Object.fromEntries(plain) as unknown, rates }, null, 2);
    writeFileSync(values.json, text);
  }
}
