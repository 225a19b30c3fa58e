/**
 * Plays seeds of the power-loss simulation.
 *
 *     npm run simulate:crash -- --seed 7               one seed, with the hash of its trace
 *     npm run simulate:crash -- --seed 1 --seeds 2000  so many, from this one on
 */
import { parseArgs } from "node:util";
import { SystemClock } from "../src/base/system-clock.ts";
import { crashRun } from "./node-crash.ts";

const { values } = parseArgs({
  options: { seed: { type: "string", default: "1" }, seeds: { type: "string", default: "1" } },
});
const first = Number(values.seed);
const count = Number(values.seeds);
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1)
  throw new Error("--seed and --seeds are whole numbers");

const totals = { starts: 0, crashes: 0, operations: 0, checkpoints: 0 };
const failed: number[] = [];
const clock = new SystemClock();
const started = clock.monotonicMs();
for (let seed = first; seed < first + count; seed++) {
  try {
    const run = await crashRun(seed);
    totals.starts += run.starts;
    totals.crashes += run.crashes;
    totals.operations += run.operations;
    totals.checkpoints += run.checkpoints;
    if (count === 1) console.log(`seed ${seed}: trace ${run.trace}`);
    else if ((seed - first + 1) % 500 === 0) console.log(`${seed - first + 1} seeds`);
  } catch (error) {
    failed.push(seed);
    console.error(count === 1 ? error : String(error));
  }
}
const seconds = ((clock.monotonicMs() - started) / 1_000).toFixed(1);
console.log(
  `${count} seeds, ${totals.starts} starts, ${totals.crashes} crashes, ${totals.operations} operations, ` +
    `${totals.checkpoints} checkpoints asked for, ${failed.length} failed, ${seconds} s`,
);
if (failed.length > 0) {
  console.error(`failed: ${failed.join(" ")}`);
  process.exitCode = 1;
}
