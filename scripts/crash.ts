/**
 * `npm run crash -- --rounds 200 --seed N`: the crash test of test/processes for as long as wanted. The same seed draws the same load and the same
 * moments; when the process dies within its work is the machine's.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runCrashRounds } from "../test/processes/fixtures/crash-rounds.ts";
import { notBuilt } from "../test/processes/fixtures/program.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    "load-max-ms": { type: "string", default: "2000" },
  },
});

function wholeNumber(name: keyof typeof values, max: number): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1 || value > max) {
    console.error(`--${name} is ${values[name]}; it must be a whole number from 1 to ${max}`);
    process.exit(2);
  }
  return value;
}

if (notBuilt !== false) {
  console.error(notBuilt);
  process.exit(1);
}
const rounds = wholeNumber("rounds", 1_000_000);
const seed = wholeNumber("seed", 0xffff_ffff);
const directory = mkdtempSync(join(tmpdir(), "truba-crash-"));
console.log(`${rounds} rounds, seed ${seed}, data in ${directory}`);
const started = performance.now();
const summary = await runCrashRounds({
  rounds,
  seed,
  directory,
  loadMaxMs: wholeNumber("load-max-ms", 600_000),
  onRound: (text) => console.log(text),
});
rmSync(directory, { recursive: true });
const seconds = Math.round((performance.now() - started) / 1_000);
console.log(`All held, in ${seconds} s: ${JSON.stringify(summary)}`);
