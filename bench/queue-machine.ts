/**
 * The queue machine by itself: no log, no network, no other process. A million tasks of 100 bytes are pushed, the memory that they hold is looked at, an empty machine takes
 * their rows as from a checkpoint, then all of them are popped and acknowledged. What a server does above this costs extra; this is the ceiling.
 *
 *     node --import tsx --expose-gc bench/queue-machine.ts [--tasks 1000000] [--bytes 100] [--type fifo] [--priorities 1] [--pop 16] [--held]
 */
import { parseArgs } from "node:util";
import { must } from "../src/base/assert.ts";
import type { Moment } from "../src/machines/machine.ts";
import { OperationReader, OperationWriter } from "../src/machines/operation.ts";
import { type Owner, detached } from "../src/machines/owner.ts";
import type { Outcome } from "../src/machines/outcome.ts";
import { queueOperation } from "../src/machines/queues/queue-operation.ts";
import { Queues } from "../src/machines/queues/queues.ts";
import type { Lease, QueueImplementation, RequestOf } from "../src/protocol/requests.ts";
import { State } from "../src/state/state.ts";

const queue = "bench";
const pushesPerBatch = 1_000;
const tables = [3, 4, 5, 6];

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "1000000" },
    bytes: { type: "string", default: "100" },
    type: { type: "string", default: "fifo" },
    priorities: { type: "string", default: "1" },
    pop: { type: "string", default: "16" },
    held: { type: "boolean", default: false },
  },
});
const tasks = Number(values.tasks);
const payload = Buffer.alloc(Number(values.bytes), 0x61);
const priorities = Number(values.priorities);
const popCount = Number(values.pop);
const owner: Owner = values.held ? { node: 1, run: 2, connection: 3 } : detached;

class Machine {
  readonly moment: Moment = { timestamp: 1_700_000_000_000, position: 0, number: 0, seed: 1 };
  readonly state: State;
  readonly queues: Queues;
  readonly #writer = new OperationWriter();
  readonly #reader = new OperationReader();
  applyMs = 0;

  constructor(indexSeed: number) {
    this.state = new State(indexSeed);
    this.queues = new Queues(this.state, this.moment);
  }

  write(operation: ReturnType<typeof queueOperation>): void {
    this.#writer.begin(operation.code, undefined);
    operation.encode(this.#writer);
    this.#writer.end();
  }

  /** Applies what was written; only this is timed. */
  apply(settle: (outcome: Outcome) => void): void {
    const bytes = this.#writer.take();
    const start = performance.now();
    this.moment.timestamp++;
    let at = 0;
    while (at < bytes.length) {
      at = this.#reader.open(bytes, at);
      this.moment.number++;
      const outcome = this.queues.apply(this.#reader, this.moment);
      settle(outcome);
    }
    this.applyMs += performance.now() - start;
  }
}

function mustNotFail(outcome: Outcome): void {
  if (outcome.kind === "error") throw new Error(`${outcome.code} ${outcome.text}`);
}

function report(name: string, count: number, ms: number): void {
  const rate = Math.round((count / ms) * 1_000).toLocaleString("en");
  console.log(`${name.padEnd(24)} ${ms.toFixed(0).padStart(6)} ms  ${rate.padStart(10)} /s`);
}

function heldBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function pushAll(machine: Machine): void {
  for (let i = 0; i < tasks;) {
    for (const end = Math.min(tasks, i + pushesPerBatch); i < end; i++) {
      // Priorities in no order, but the same ones in every run.
      const priority = ((i * 7_919) % priorities) + 0;
      machine.write(queueOperation("queue.push", { queue, payload, priority }, owner));
    }
    machine.apply(mustNotFail);
  }
}

/** Pops and acknowledges all; the time of each apart. */
function drain(machine: Machine): { popMs: number; ackMs: number } {
  let popMs = 0;
  let ackMs = 0;
  for (let left = tasks; left > 0;) {
    const leases: Lease[][] = [];
    const before = machine.applyMs;
    for (let i = 0; i < 64; i++)
      machine.write(queueOperation("queue.pop", { queue, count: popCount }, owner));
    machine.apply((outcome) => {
      if (outcome.kind === "tasks" && outcome.tasks.length > 0) leases.push([...outcome.tasks]);
    });
    const between = machine.applyMs;
    for (const some of leases)
      machine.write(queueOperation("queue.ack", { queue, leases: some }, owner));
    machine.apply(mustNotFail);
    popMs += between - before;
    ackMs += machine.applyMs - between;
    const count = leases.reduce((sum, some) => sum + some.length, 0);
    if (count === 0) throw new Error(`${left} tasks were not handed out`);
    left -= count;
  }
  return { popMs, ackMs };
}

/** A machine that takes the rows of another, as it does with those of a checkpoint. */
function reload(from: Machine): { machine: Machine; rowsMs: number; rebuildMs: number } {
  // Each run of a node spreads its keys otherwise.
  const machine = new Machine(54_321);
  const start = performance.now();
  for (const id of tables) {
    const table = must(from.state.table(id));
    table.each((address) => {
      const key = table.keyStart(address);
      const body = table.bodyStart(address);
      const source = table.slab.buffer(address);
      const bodyBytes = table.bodyEnd(address) - body;
      machine.state.load(id, source, key, table.keyBytes(address), body, bodyBytes, false);
    });
  }
  const middle = performance.now();
  machine.queues.loaded();
  Object.assign(machine.moment, from.moment);
  return { machine, rowsMs: middle - start, rebuildMs: performance.now() - middle };
}

const create: RequestOf<"queue.create"> = {
  queue,
  implementation: values.type as QueueImplementation,
  ...(values.type === "range" ? { priorityMin: 0, priorityMax: priorities - 1 } : {}),
};

const before = heldBytes();
const first = new Machine(12_345);
first.write(queueOperation("queue.create", create, owner));
first.apply(mustNotFail);
pushAll(first);
report("push", tasks, first.applyMs);
const held = heldBytes() - before;
console.log(
  `memory                   ${Math.round(held / 1e6)} MB, ${(held / tasks).toFixed(0)} bytes per waiting task; slab and indexes ${(first.state.memoryBytes / tasks).toFixed(0)}; RSS ${Math.round(process.memoryUsage().rss / 1e6)} MB`,
);
const { machine, rowsMs, rebuildMs } = reload(first);
report("rows of a checkpoint", tasks, rowsMs);
report("rebuild after loading", tasks, rebuildMs);
if (machine.state.digest !== first.state.digest) throw new Error("the digests differ");
const { popMs, ackMs } = drain(first);
report(`pop ${popCount}`, tasks, popMs);
report(`ack ${popCount}`, tasks, ackMs);
report("pop and ack", tasks, popMs + ackMs);
const again = drain(machine);
report("pop and ack, reloaded", tasks, again.popMs + again.ackMs);
