/**
 * Proves that the simulator sees: plants each bug of simulator/mutants/ in a copy of the source and plays seeds until it is caught.
 *
 *     npm run mutants                        all of them, two at a time
 *     npm run mutants -- --only aba --seeds 500 --jobs 1
 *     npm run mutants -- --write             and puts the table into docs/simulator.md
 *
 * Exit code 1 when one is not caught within the seeds, or does not apply.
 */
import { spawn } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SystemClock } from "../src/base/system-clock.ts";
import { type Mutant, applyMutant, parseMutant } from "./mutation.ts";

interface Verdict {
  readonly mutant: Mutant;
  /** How many seeds it took; `undefined` when it was not caught. */
  readonly seeds: number | undefined;
  readonly caughtBy: string;
}

const root = join(import.meta.dirname, "..");
const folder = join(import.meta.dirname, "mutants");
const document = join(root, "docs", "simulator.md");
const tableStart = "<!-- mutants -->";
const tableEnd = "<!-- /mutants -->";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "500" },
    jobs: { type: "string", default: "2" },
    write: { type: "boolean", default: false },
  },
});
const firstSeed = Number(values.seed);

const mutants = readdirSync(folder)
  .filter((name) => name.endsWith(".patch") && name.includes(values.only))
  .sort()
  .map((name) => parseMutant(name.slice(0, -6), readFileSync(join(folder, name), "utf8")));

const verdicts = new Map<string, Verdict>();
const queue = [...mutants];
const clock = new SystemClock();
const startedMs = clock.monotonicMs();
await Promise.all(Array.from({ length: Number(values.jobs) }, work));
const ordered = mutants.flatMap(({ name }) => verdicts.get(name) ?? []);
const missed = ordered.filter(({ seeds }) => seeds === undefined);
if (values.write) writeTable(ordered);
console.log(
  `${ordered.length} mutants, ${missed.length} not caught, ${((clock.monotonicMs() - startedMs) / 1_000).toFixed(0)} s`,
);
if (missed.length > 0) process.exitCode = 1;

async function work(): Promise<void> {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const verdict = await judge(mutant);
    verdicts.set(mutant.name, verdict);
    const { seeds, caughtBy } = verdict;
    const result = seeds === undefined ? `NOT CAUGHT: ${caughtBy}` : `seed ${seeds}: ${caughtBy}`;
    console.log(`${mutant.name.padEnd(32)} ${result}`);
  }
}

async function judge(mutant: Mutant): Promise<Verdict> {
  const copy = mkdtempSync(join(tmpdir(), "truba-mutant-"));
  try {
    for (const name of ["src", "simulator", "package.json", "tsconfig.json"])
      cpSync(join(root, name), join(copy, name), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    try {
      applyMutant(mutant, copy);
    } catch (error) {
      return { mutant, seeds: undefined, caughtBy: String(error) };
    }
    return await play(mutant, copy);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function play(mutant: Mutant, directory: string): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ["--import", "tsx", "simulator/main.ts", "--seed", values.seed, "--seeds", values.seeds],
      { cwd: directory, stdio: ["ignore", "pipe", "pipe"] },
    );
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => {
      const violation = /^violation: (.*)$/m.exec(output)?.[1];
      const seed = /--seed (\d+) --seeds 1/.exec(output)?.[1];
      if (violation !== undefined && seed !== undefined)
        resolve({ mutant, seeds: Number(seed) - firstSeed + 1, caughtBy: violation });
      else if (code === 0) resolve({ mutant, seeds: undefined, caughtBy: "all seeds passed" });
      else resolve({ mutant, seeds: undefined, caughtBy: `the run broke: ${output.slice(-400)}` });
    });
  });
}

function writeTable(rows: readonly Verdict[]): void {
  const lines = ["| Mutant | Planted bug | Seeds | Caught by |", "| --- | --- | ---: | --- |"];
  for (const { mutant, seeds, caughtBy } of rows) {
    const cause = caughtBy.replaceAll("|", "\\|").slice(0, 160);
    lines.push(`| ${mutant.name} | ${mutant.title} | ${seeds ?? "not caught"} | ${cause} |`);
  }
  const text = readFileSync(document, "utf8");
  const before = text.slice(0, text.indexOf(tableStart) + tableStart.length);
  const after = text.slice(text.indexOf(tableEnd));
  writeFileSync(document, `${before}\n\n${lines.join("\n")}\n\n${after}`);
}
