/**
 * `npm run bench`: SET and GET by redis-benchmark against the bare server, Redis and Truba, turn about, so that a slow
 * spell of the machine falls on all three. See README.md for method and results.
 *
 * In every round the servers start on empty folders; then for each cell each server runs once, in an order that
 * rotates. A run in which others used more than 30 % of a core is repeated, twice at most.
 */

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { setAll } from "./load.ts";
import { CpuWatch, describeMachine } from "./measure.ts";
import { benchmarkKey, benchmarkValue, KEY_SPACE, runLoad } from "./redis.ts";
import type { Load } from "./redis.ts";
import { RespClient } from "./resp-client.ts";
import { Arena, chooseServers, STORES } from "./servers.ts";
import type { RunningServer, ServerName } from "./servers.ts";
import { judge, machineReport, QUIET_PERCENT, recordsReport, verdictReport } from "./table.ts";
import type { RecordCell, Sample } from "./table.ts";

const ROUNDS = 5;
const CELL_SECONDS = 2.5;
const QUICK_CELL_SECONDS = 1.5;
const CALIBRATION_SECONDS = 0.3;
const FIRST_GUESS_PER_SECOND = 5_000;
const MAX_REPEATS = 2;
const VERSION = 1;

interface Options {
  readonly servers: readonly ServerName[];
  readonly rounds: number;
  readonly cellSeconds: number;
  readonly repeats: number;
  readonly directory: string | undefined;
  readonly json: string | undefined;
}

/** One size of value after another: between them the servers are filled anew, so that every GET finds its key. */
const VALUE_SIZES: readonly {
  readonly bytes: number;
  readonly shapes: readonly (readonly [number, number])[];
}[] = [
  {
    bytes: 128,
    shapes: [
      [1, 1],
      [16, 1],
      [64, 1],
      [256, 1],
      [64, 16],
    ],
  },
  { bytes: 1024, shapes: [[64, 1]] },
];

/** The cells of one size of value, all SETs before all GETs. Targets refer to their names. */
export function cellsOf(size: (typeof VALUE_SIZES)[number]): RecordCell[] {
  return (["SET", "GET"] as const).flatMap((command) =>
    size.shapes.map(([connections, pipeline]) => {
      const load: Load = { command, valueBytes: size.bytes, connections, pipeline };
      const bytes = size.bytes % 1024 === 0 ? `${size.bytes / 1024} KiB` : `${size.bytes} B`;
      const suffix = pipeline === 1 ? "" : `, -P ${pipeline}`;
      return { name: `${command} ${bytes}, c=${connections}${suffix}`, load, samples: {} };
    }),
  );
}

/** All cells of the benchmark. */
export function allCells(): RecordCell[][] {
  return VALUE_SIZES.map(cellsOf);
}

async function runRound(
  round: number,
  options: Options,
  groups: RecordCell[][],
  arena: Arena,
): Promise<void> {
  const servers: RunningServer[] = [];
  for (const name of options.servers) servers.push(await arena.start(name));
  const rates = new Map<string, number>();
  let turn = round;
  for (const cells of groups) {
    for (const server of servers) await fill(server, cells[0]?.load.valueBytes ?? 0);
    for (const cell of cells) {
      turn++;
      for (let i = 0; i < servers.length; i++) {
        const server = servers[(i + turn) % servers.length];
        if (server !== undefined) await runCell(cell, server, rates, options);
      }
    }
  }
  for (const server of servers) await arena.remove(server);
}

/** Writes every key of the key space once and reads two of them back: a GET of a missing key would be too cheap. */
async function fill(server: RunningServer, valueBytes: number): Promise<void> {
  const value = benchmarkValue(valueBytes);
  await setAll(server.port, { count: KEY_SPACE, key: benchmarkKey, value: () => value });
  const client = await RespClient.connect(server.port);
  for (const index of [0, KEY_SPACE - 1]) {
    const reply = await client.ask("GET", benchmarkKey(index));
    if (reply !== value)
      throw new Error(`${server.name} answered GET of a key just set with ${String(reply)}`);
  }
  client.close();
}

async function runCell(
  cell: RecordCell,
  server: RunningServer,
  rates: Map<string, number>,
  options: Options,
): Promise<void> {
  let quietest: Sample | undefined;
  for (let attempt = 0; attempt <= options.repeats; attempt++) {
    const sample = await measureOnce(cell.load, server, rates, options.cellSeconds);
    if (quietest === undefined || sample.cpu.other < quietest.cpu.other) quietest = sample;
    const { cpu } = sample;
    const rate = `${Math.round(sample.perSecond)}/s`.padStart(10);
    const noise = `cpu server ${cpu.server} client ${cpu.client} other ${cpu.other} %`;
    process.stderr.write(`${cell.name.padEnd(24)} ${server.name.padEnd(6)} ${rate}  ${noise}\n`);
    if (cpu.other <= QUIET_PERCENT) break;
  }
  if (quietest !== undefined) (cell.samples[server.name] ??= []).push(quietest);
}

/** A short run says how many requests fill the time; the run that counts follows. */
async function measureOnce(
  load: Load,
  server: RunningServer,
  rates: Map<string, number>,
  seconds: number,
): Promise<Sample> {
  const key = `${server.name} ${JSON.stringify(load)}`;
  let rate = rates.get(key);
  if (rate === undefined) {
    const guess = FIRST_GUESS_PER_SECOND * Math.min(load.connections, 10) * load.pipeline;
    rate = (await runLoad(server.port, load, Math.ceil(guess * CALIBRATION_SECONDS))).perSecond;
    rates.set(key, rate);
  }
  const watch = new CpuWatch(server.pid);
  const result = await runLoad(
    server.port,
    load,
    Math.max(load.connections * load.pipeline, Math.ceil(rate * seconds)),
  );
  return { ...result, cpu: watch.read() };
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      servers: { type: "string" },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      dir: { type: "string" },
      json: { type: "string" },
    },
  });
  const rounds = values.rounds === undefined ? (values.quick ? 1 : ROUNDS) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds must be 1 or more, not "${values.rounds}"`);
  return {
    servers: chooseServers(values.servers, STORES, (line) => process.stderr.write(`${line}\n`)),
    rounds,
    cellSeconds: values.quick ? QUICK_CELL_SECONDS : CELL_SECONDS,
    repeats: values.quick ? 0 : MAX_REPEATS,
    directory: values.dir,
    json: values.json,
  };
}

async function main(): Promise<void> {
  const options = readOptions();
  const arena = new Arena(options.directory);
  const groups = allCells();
  const cells = groups.flat();
  try {
    const machine = describeMachine(arena.directory);
    process.stdout.write(`${machineReport(machine)}\n\n`);
    for (let round = 0; round < options.rounds; round++) {
      process.stderr.write(`round ${round + 1} of ${options.rounds}\n`);
      await runRound(round, options, groups, arena);
    }
    const verdicts = judge(cells);
    process.stdout.write(
      `${recordsReport(cells, options.servers)}\n\n${verdictReport(verdicts)}\n`,
    );
    if (options.json !== undefined) {
      const { rounds, cellSeconds, servers } = options;
      const report = { version: VERSION, machine, rounds, cellSeconds, servers, cells, verdicts };
      writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
    }
  } finally {
    await arena.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
