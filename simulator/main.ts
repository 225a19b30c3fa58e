/**
 * Plays seeds of the cluster simulation.
 *
 *     npm run simulate                              seeds 1, 2, … until somebody ends it
 *     npm run simulate -- --seed 1 --minutes 10     for ten minutes
 *     npm run simulate -- --seed 1 --seeds 200      so many
 *     npm run simulate -- --seed 7 --trace          one, with all that happens in it
 *     npm run simulate -- --documents --seeds 50    every run has documents
 *
 * Ends with exit code 1 at the first seed that finds something, having said what, how to see it again, and what happened before.
 */
import { parseArgs } from "node:util";
import { SystemClock } from "../src/base/system-clock.ts";
import { runSeed } from "./cluster/run.ts";
import type { SeedReport } from "./cluster/run.ts";
import type { Topic, TraceLine } from "./cluster/trace.ts";

const progressEveryMs = 15_000;
/** Lines of the shortened trace, and what stands in it. */
const shortLinesMax = 60;
const shortTopics: ReadonlySet<Topic> = new Set<Topic>([
  "client",
  "fault",
  "host",
  "role",
  "members",
]);

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    minutes: { type: "string" },
    trace: { type: "boolean", default: false },
    documents: { type: "boolean", default: false },
  },
});
const first = Number(values.seed ?? 1);
const count = values.seeds === undefined ? Infinity : Number(values.seeds);
const { documents } = values;
const minutes = values.minutes === undefined ? Infinity : Number(values.minutes);
if (!Number.isSafeInteger(first)) throw new Error(`--seed is a whole number, not ${values.seed}`);
if (!(count >= 1)) throw new Error(`--seeds is a number from 1 on, not ${values.seeds}`);
if (!(minutes > 0)) throw new Error(`--minutes is a number above 0, not ${values.minutes}`);

const numbers = [
  "events",
  "virtualMs",
  "messages",
  "deaths",
  "elections",
  "snapshots",
  "configurations",
  "reads",
  "writes",
  "patches",
  "undecided",
] as const satisfies readonly (keyof SeedReport)[];
const totals = new Map<string, number>();
const clock = new SystemClock();
const startedMs = clock.monotonicMs();
let toldMs = startedMs;
let played = 0;

/** In the code of a node nobody listens to it: a bug, whichever it is. */
process.on("unhandledRejection", (error) => {
  console.log(`violation: a promise was rejected and nobody listened: ${String(error)}`);
  console.log(error);
  console.log(`again: npm run simulate -- --seed ${first + played} --seeds 1`);
  process.exit(1);
});

// A seed alone is that one.
const alone =
  values.seed !== undefined && values.seeds === undefined && values.minutes === undefined;
const last = alone ? first : first + count - 1;
for (let seed = first; seed <= last; seed++) {
  if (clock.monotonicMs() - startedMs > minutes * 60_000) break;
  const onLine = values.trace ? ({ text }: TraceLine) => console.log(text) : undefined;
  const report = await runSeed(seed, { onLine, documents });
  played++;
  for (const name of numbers) totals.set(name, (totals.get(name) ?? 0) + report[name]);
  if (report.violation !== undefined) {
    await tellViolation(report);
    process.exitCode = 1;
    break;
  }
  if (clock.monotonicMs() - toldMs < progressEveryMs) continue;
  toldMs = clock.monotonicMs();
  console.log(`seed ${seed}: ${summary()}`);
}
console.log(summary());

function summary(): string {
  const seconds = (clock.monotonicMs() - startedMs) / 1_000;
  const total = (name: (typeof numbers)[number]): number => totals.get(name) ?? 0;
  const perSecond = Math.round(total("events") / seconds).toLocaleString("en");
  const ratio = Math.round(total("virtualMs") / 1_000 / seconds);
  const happened = numbers
    .filter((name) => name !== "virtualMs" && name !== "events")
    .map((name) => `${total(name).toLocaleString("en")} ${name}`);
  return (
    `${played} seeds in ${seconds.toFixed(1)} s, ${total("events").toLocaleString("en")} events, ${perSecond} events/s, ` +
    `${ratio} × real time; ${happened.join(", ")}`
  );
}

/** Plays the seed once more to have its text. */
async function tellViolation({ seed, hash, violation }: SeedReport): Promise<void> {
  const text = violation?.text ?? "";
  const partition = violation?.partition ?? -1;
  console.log(`violation: ${text}`);
  const lines: string[] = [];
  let healedAt = Infinity;
  const again = await runSeed(seed, {
    documents,
    onLine: (line) => {
      if (!shortTopics.has(line.topic)) return;
      if (partition >= 0 && line.partition >= 0 && line.partition !== partition) return;
      lines.push(line.text);
      // What leads nowhere after that repeats itself.
      if (line.text.endsWith("all is healed")) healedAt = lines.length;
    },
  });
  if (again.hash !== hash)
    console.log(`the seed has not played the same way twice: ${hash}, then ${again.hash}`);
  console.log(`\nwhat happened before, shortened:`);
  const end = Math.min(lines.length, healedAt + shortLinesMax / 3);
  for (const line of lines.slice(Math.max(0, end - shortLinesMax), end))
    console.log(line.slice(0, 240));
  const wanted = documents ? " --documents" : "";
  console.log(`\nagain: npm run simulate -- --seed ${seed} --seeds 1${wanted}`);
  console.log(`all:   npm run simulate -- --seed ${seed} --seeds 1${wanted} --trace`);
}
