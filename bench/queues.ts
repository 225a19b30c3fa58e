/**
 * Tasks: push, and pop and acknowledge, by the clients that people use, against Truba, BullMQ, RabbitMQ and beanstalkd, turn about; then what only Truba is asked:
 * sessions, a deep queue, memory and restart beside BullMQ, consumers that wait. See README.md for method and results.
 *
 *     node --import tsx bench/queues.ts [--quick] [--rounds N] [--servers truba,bullmq] [--parts cells,depth,memory,idle] [--dir DIR] [--truba MAIN.js] [--json FILE]
 */

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { BrokerProcess } from "./brokers/process.ts";
import { CpuWatch, describeMachine } from "./measure.ts";
import {
  DEPTH_TARGET,
  IDLE_TARGET,
  MEMORY_TARGET,
  PAYLOAD_BYTES,
  QUEUE_PAIRS,
  QUEUE_TARGETS,
  type QueueCell,
  queueCells,
} from "./queue-cells.ts";
import { type DepthResult, measureDepth } from "./queue-depth.ts";
import { type IdleResult, measureIdle } from "./queue-idle.ts";
import { MEMORY_BROKERS, measureMemory, type QueueMemoryResult } from "./queue-memory.ts";
import { type QueueResults, findings, findingsReport, memoryReport } from "./queue-report.ts";
import { Arena, BROKERS, type BrokerName, chooseServers, type RunningServer } from "./servers.ts";
import { machineReport, QUIET_PERCENT, type Run, throughputReport } from "./table.ts";

const VERSION = 1;
const ROUNDS = 5;
const MAX_REPEATS = 2;
const CALIBRATION_TASKS = 3_000;

const PARTS = ["cells", "depth", "memory", "idle"] as const;
type Part = (typeof PARTS)[number];

/** How long and how large everything is. */
interface Scale {
  readonly rounds: number;
  readonly repeats: number;
  readonly cellSeconds: number;
  readonly calibrationTasks: number;
  readonly warmUpSeconds: number;
  readonly depthWaiting: number;
  readonly depthPushes: number;
  readonly memoryTasks: number;
  readonly settleMs: number;
  readonly idleConsumers: number;
  readonly idleSeconds: number;
  readonly idleSettleMs: number;
}

const FULL: Scale = {
  rounds: ROUNDS,
  repeats: MAX_REPEATS,
  cellSeconds: 2.5,
  calibrationTasks: CALIBRATION_TASKS,
  warmUpSeconds: 1,
  depthWaiting: DEPTH_TARGET.waiting,
  depthPushes: 40_000,
  memoryTasks: MEMORY_TARGET.tasks,
  settleMs: 5_000,
  idleConsumers: IDLE_TARGET.consumers,
  idleSeconds: 10,
  idleSettleMs: 15_000,
};

/** To see that everything works: its figures prove nothing, and it gives no verdicts. */
const QUICK: Scale = {
  rounds: 1,
  repeats: 0,
  cellSeconds: 0.4,
  calibrationTasks: 500,
  warmUpSeconds: 0.1,
  depthWaiting: 20_000,
  depthPushes: 2_000,
  memoryTasks: 20_000,
  settleMs: 500,
  idleConsumers: 100,
  idleSeconds: 2,
  idleSettleMs: 1_000,
};

interface Contender {
  readonly name: BrokerName;
  readonly server: RunningServer;
  readonly client: BrokerProcess;
}

/** Cells of one round: each broker runs each of its cells once, on queues of the round, in an order that rotates. */
class Round {
  readonly #scale: Scale;
  readonly #contenders: readonly Contender[];
  #queues = 0;

  constructor(scale: Scale, contenders: readonly Contender[]) {
    this.#scale = scale;
    this.#contenders = contenders;
  }

  async run(cells: readonly QueueCell[], round: number): Promise<void> {
    let turn = round;
    for (const cell of cells) {
      turn++;
      const able = this.#contenders.filter(({ name }) => cell.brokers.includes(name));
      for (let i = 0; i < able.length; i++) {
        const contender = able[(i + turn) % able.length];
        if (contender !== undefined) await this.#runCell(cell, contender);
      }
    }
  }

  async #runCell(cell: QueueCell, contender: Contender): Promise<void> {
    // What has just started is still being compiled: the second of two short runs says how many tasks fill the time.
    const { calibrationTasks: few, warmUpSeconds, cellSeconds } = this.#scale;
    const cold = await this.#measure(cell, contender, few);
    const warmUp = Math.max(few, Math.round(cold.perSecond * warmUpSeconds));
    const warm = await this.#measure(cell, contender, warmUp);
    const count = Math.max(few, Math.round(warm.perSecond * cellSeconds));
    let quietest: Run | undefined;
    for (let attempt = 0; attempt <= this.#scale.repeats; attempt++) {
      const run = await this.#measure(cell, contender, count);
      if (quietest === undefined || run.cpu.other < quietest.cpu.other) quietest = run;
      const rate = `${Math.round(run.perSecond)}/s`.padStart(10);
      const noise = `cpu server ${run.cpu.server} client ${run.cpu.client} other ${run.cpu.other} %`;
      say(`${cell.name.padEnd(28)} ${contender.name.padEnd(10)} ${rate}  ${noise}`);
      if (run.cpu.other <= QUIET_PERCENT) break;
    }
    if (quietest !== undefined) (cell.samples[contender.name] ??= []).push(quietest);
  }

  async #measure(cell: QueueCell, { server, client }: Contender, count: number): Promise<Run> {
    const queue = `bench${this.#queues++}`;
    await client.ask({ kind: "make", queue, priorities: false });
    if (cell.drains) await client.ask({ kind: "bulk", queue, count, bytes: PAYLOAD_BYTES });
    const watch = new CpuWatch(server.pid, client.pid);
    const ms = await client.ask(cell.job(queue, count));
    return { perSecond: (count / ms) * 1_000, cpu: watch.read() };
  }
}

async function runCells(
  arena: Arena,
  scale: Scale,
  brokers: readonly BrokerName[],
): Promise<QueueCell[]> {
  const cells = queueCells();
  for (let round = 0; round < scale.rounds; round++) {
    say(`round ${round + 1} of ${scale.rounds}`);
    const contenders: Contender[] = [];
    try {
      for (const name of brokers) {
        const server = await arena.start(name);
        const client = await BrokerProcess.start(name);
        contenders.push({ name, server, client });
        await client.ask({ kind: "connect", server });
      }
      await new Round(scale, contenders).run(cells, round);
    } finally {
      for (const { client, server } of contenders) {
        await client.close();
        await arena.remove(server);
      }
    }
  }
  return cells;
}

async function runAll(
  arena: Arena,
  scale: Scale,
  options: { brokers: readonly BrokerName[]; parts: readonly Part[] },
): Promise<QueueResults> {
  const { brokers, parts } = options;
  const truba = brokers.includes("truba");
  const cells = parts.includes("cells") ? await runCells(arena, scale, brokers) : [];
  let depth: DepthResult | undefined;
  if (truba && parts.includes("depth")) {
    say(`a queue with ${scale.depthWaiting} waiting`);
    const { depthWaiting: waiting, depthPushes: pushes, rounds } = scale;
    depth = await measureDepth(arena, { waiting, pushes, rounds });
  }
  const memory: QueueMemoryResult[] = [];
  if (parts.includes("memory")) {
    for (const name of MEMORY_BROKERS) {
      if (!brokers.includes(name)) continue;
      say(`${name} with ${scale.memoryTasks} waiting tasks`);
      const { memoryTasks: tasks, settleMs } = scale;
      memory.push(
        await measureMemory(name, arena, { tasks, bytes: MEMORY_TARGET.bytes, settleMs }),
      );
    }
  }
  let idle: IdleResult | undefined;
  if (truba && parts.includes("idle")) {
    say(`${scale.idleConsumers} waiting consumers`);
    const { idleConsumers: consumers, idleSeconds: seconds, idleSettleMs: settleMs } = scale;
    idle = await measureIdle(arena, { consumers, seconds, settleMs });
  }
  return { cells, depth, memory, idle };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function partsOf(list: string | undefined): Part[] {
  if (list === undefined) return [...PARTS];
  return list.split(",").map((word) => {
    const part = PARTS.find((one) => one === word.trim());
    if (part === undefined) throw new Error(`no part "${word}"; known are ${PARTS.join(", ")}`);
    return part;
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      servers: { type: "string" },
      parts: { type: "string" },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      dir: { type: "string" },
      truba: { type: "string" },
      json: { type: "string" },
    },
  });
  const scale = { ...(values.quick ? QUICK : FULL) };
  if (values.rounds !== undefined) scale.rounds = Number(values.rounds);
  if (!Number.isInteger(scale.rounds) || scale.rounds < 1)
    throw new Error(`--rounds must be 1 or more, not "${values.rounds}"`);
  const parts = partsOf(values.parts);
  const brokers = chooseServers(values.servers, BROKERS, say);
  const arena = new Arena(
    values.dir,
    values.truba === undefined ? undefined : resolve(values.truba),
  );
  try {
    const machine = describeMachine(arena.directory);
    process.stdout.write(`${machineReport(machine)}\n\n`);
    const results = await runAll(arena, scale, { brokers, parts });
    const { cells, memory } = results;
    if (cells.length > 0)
      process.stdout.write(`${throughputReport(cells, brokers, QUEUE_PAIRS)}\n\n`);
    if (memory.length > 0) process.stdout.write(`${memoryReport(memory)}\n\n`);
    const judged = findings(results, QUEUE_TARGETS);
    process.stdout.write(`${findingsReport(judged)}\n`);
    if (values.quick) process.stdout.write("--quick: these figures prove nothing\n");
    if (values.json !== undefined) {
      const report = { version: VERSION, machine, scale, brokers, results, findings: judged };
      writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
    }
  } finally {
    await arena.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
