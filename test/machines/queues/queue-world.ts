/** The machines of a partition with requests for queues as a client makes them: each an operation of its own or in a group, applied at a chosen log time; and its restarts. */
import assert from "node:assert/strict";
import { must } from "../../../src/base/assert.ts";
import type { Moment } from "../../../src/machines/machine.ts";
import {
  OperationReader,
  OperationWriter,
  operationCodes,
} from "../../../src/machines/operation.ts";
import type { Outcome } from "../../../src/machines/outcome.ts";
import { type Owner, detached, writeOwner } from "../../../src/machines/owner.ts";
import { type QueueVerb, queueOperation } from "../../../src/machines/queues/queue-operation.ts";
import { MachineStack } from "../../../src/machines/stack.ts";
import type { DeliveredTask, Lease, RequestOf } from "../../../src/protocol/requests.ts";
import type { Slab } from "../../../src/state/slab.ts";
import { State } from "../../../src/state/state.ts";
import { CheckedSlab } from "../../state/checked-slab.ts";
import { RestlessClock } from "../../state/restless-clock.ts";
import { type RunRow, writeRun } from "../../state/table-world.ts";

export const start = 1_700_000_000_000;

/** One thing that happens to a partition. */
export type Step =
  | AnyQueueRequest
  | { readonly verb: "group"; readonly requests: readonly AnyQueueRequest[] }
  | { readonly verb: "due" }
  | { readonly verb: "disconnected"; readonly owner: Owner }
  | { readonly verb: "restarted"; readonly node: number; readonly run: number };

export type AnyQueueRequest = {
  [V in QueueVerb]: {
    readonly verb: V;
    readonly request: RequestOf<V>;
    readonly owner?: Owner;
  };
}[QueueVerb];

export class QueueReplica {
  readonly moment: Moment = { timestamp: 0, position: 0, number: 0, seed: 0 };
  readonly slab: Slab;
  readonly state: State;
  readonly stack: MachineStack;
  readonly #writer = new OperationWriter();
  readonly #reader = new OperationReader();

  constructor(indexSeed: number, slab: Slab = new CheckedSlab()) {
    this.slab = slab;
    this.state = new State(indexSeed, slab);
    this.stack = new MachineStack(this.state, this.moment, { onceMaxBytes: 1_048_576 });
  }

  get queues(): MachineStack["queues"] {
    return this.stack.queues;
  }

  apply(timestamp: number, steps: readonly Step[]): Outcome[] {
    for (const step of steps) this.#write(step);
    const bytes = this.#writer.take();
    const outcomes: Outcome[] = [];
    this.moment.position++;
    this.moment.timestamp = Math.max(this.moment.timestamp, timestamp);
    let at = 0;
    while (at < bytes.length) {
      at = this.#reader.open(bytes, at);
      outcomes.push(this.stack.apply(this.#reader, this.moment));
    }
    return outcomes;
  }

  /** What a checkpoint of now would write; it counts as durable. */
  async checkpoint(meanwhile: () => void = () => {}): Promise<RunRow[]> {
    const clock = new RestlessClock(1);
    const frozen = this.state.freeze();
    meanwhile();
    const run = await writeRun(frozen, clock);
    meanwhile();
    await this.state.thaw(frozen, true, clock);
    return run;
  }

  /** Takes in the runs of checkpoints, from the oldest to the newest. */
  load(runs: readonly (readonly RunRow[])[]): void {
    for (const { table, key, body } of runs.flat()) {
      const source = Buffer.concat([key, body ?? Buffer.alloc(0)]);
      this.state.load(
        table,
        source,
        0,
        key.length,
        key.length,
        body?.length ?? 0,
        body === undefined,
      );
    }
    this.stack.loaded();
  }

  #write(step: Step): void {
    const writer = this.#writer;
    if (step.verb === "group") {
      writer.beginGroup(step.requests.length, undefined);
      for (const inner of step.requests) this.#writeRequest(inner);
      writer.endGroup();
      return;
    }
    if (step.verb === "due") writer.begin(operationCodes.due, undefined);
    else if (step.verb === "disconnected") {
      writer.begin(operationCodes.disconnected, undefined);
      writeOwner(writer, step.owner);
    } else if (step.verb === "restarted") {
      writer.begin(operationCodes.restarted, undefined);
      writer.f64(step.node);
      writer.f64(step.run);
    } else {
      this.#writeRequest(step);
      return;
    }
    writer.end();
  }

  #writeRequest({ verb, request, owner }: AnyQueueRequest): void {
    const operation = queueOperation(verb, request, owner ?? detached);
    this.#writer.begin(operation.code, undefined);
    operation.encode(this.#writer);
    this.#writer.end();
  }
}

/** A replica with a clock of its own, for tests that tell a story. */
export class QueueWorld {
  replica: QueueReplica;
  now = start;
  #restarts = 0;

  constructor(slab: Slab = new CheckedSlab()) {
    this.replica = new QueueReplica(1, slab);
  }

  get queues(): MachineStack["queues"] {
    return this.replica.queues;
  }

  /** Time passes; nothing is handled by itself. */
  pass(ms: number): void {
    this.now += ms;
  }

  step(step: Step): Outcome {
    return must(this.replica.apply(this.now, [step])[0]);
  }

  do<V extends QueueVerb>(verb: V, request: RequestOf<V>, owner: Owner = detached): Outcome {
    return this.step({ verb, request, owner } as unknown as AnyQueueRequest);
  }

  /** Handles what is due, as a leader would: again and again while something is. */
  due(): void {
    for (let turns = 0; this.replica.stack.nextDue() <= this.now; turns++) {
      assert.ok(turns < 10_000, "what is due never ends");
      this.step({ verb: "due" });
    }
  }

  create(request: RequestOf<"queue.create">): void {
    assert.deepEqual(this.do("queue.create", request), { kind: "queue", changed: true });
  }

  /** The number of the task. */
  push(request: Omit<RequestOf<"queue.push">, "payload"> & { readonly payload?: string }): number {
    const payload = Buffer.from(request.payload ?? "");
    const outcome = this.do("queue.push", { ...request, payload });
    assert.ok(outcome.kind === "pushed", `${textOf(outcome)} to ${request.queue}`);
    return outcome.task;
  }

  pop(
    queue: string,
    count = 1,
    owner: Owner = detached,
    leaseMs?: number,
  ): readonly DeliveredTask[] {
    const request = leaseMs === undefined ? { queue, count } : { queue, count, leaseMs };
    const outcome = this.do("queue.pop", request, owner);
    assert.ok(outcome.kind === "tasks", textOf(outcome));
    return outcome.tasks;
  }

  /** Pops one that must be there. */
  popOne(queue: string, owner: Owner = detached): DeliveredTask {
    return must(this.pop(queue, 1, owner)[0], `nothing waits in ${queue}`);
  }

  /** Payloads in the order in which they are handed out, each acknowledged at once. */
  drain(queue: string): string[] {
    const texts: string[] = [];
    for (;;) {
      const [task] = this.pop(queue);
      if (task === undefined) return texts;
      texts.push(Buffer.from(task.payload).toString());
      this.ack(queue, task);
    }
  }

  ack(queue: string, ...leases: readonly Lease[]): void {
    const outcome = this.do("queue.ack", { queue, leases });
    assert.deepEqual(outcome, {
      kind: "settled",
      settled: leases.length,
      lost: [],
      leaseEndsAtMs: 0,
    });
  }

  nack(
    queue: string,
    lease: Lease,
    options: { readonly delayMs?: number; readonly uncounted?: boolean } = {},
  ): void {
    const outcome = this.do("queue.nack", { queue, leases: [lease], ...options });
    assert.deepEqual(outcome, { kind: "settled", settled: 1, lost: [], leaseEndsAtMs: 0 });
  }

  counts(queue: string): readonly [waiting: number, delayed: number, leased: number, dead: number] {
    const { waiting, delayed, leased, dead } = this.queues.read("queue.count", { queue });
    return [waiting, delayed, leased, dead];
  }

  /** The process ends and starts again from a checkpoint. */
  restart(): void {
    const { moment, state } = this.replica;
    const { digest } = state;
    const run: RunRow[] = [];
    // All rows, whether a checkpoint has them already or not.
    for (let id = 1; id <= 9; id++) {
      const table = state.table(id);
      table?.each((address) => {
        const buffer = table.slab.buffer(address);
        const key = table.keyStart(address);
        const body = table.bodyStart(address);
        run.push({
          table: id,
          key: Buffer.from(buffer.subarray(key, body)),
          body: Buffer.from(buffer.subarray(body, table.bodyEnd(address))),
        });
      });
    }
    const replica = new QueueReplica(1_000 + ++this.#restarts);
    replica.load([run]);
    Object.assign(replica.moment, moment);
    assert.equal(replica.state.digest, digest, "digest after a restart");
    this.replica = replica;
  }
}

/** The code of an error, or what else it is. */
export function codeOf(outcome: Outcome): string {
  if (outcome.kind === "aborted") return `aborted ${outcome.index} ${outcome.code}`;
  return outcome.kind === "error" ? outcome.code : outcome.kind;
}

/** Everything that can be read of the queues, and of the state, to be compared. */
export function pictureOf(replica: QueueReplica): unknown {
  const { queues } = replica;
  const { queues: listed } = queues.read("queue.list", { count: 1_000 });
  return {
    digest: replica.state.digest,
    totals: queues.totals,
    nextDue: replica.stack.nextDue(),
    queues: listed.map((stats) => ({
      stats,
      ready: queues.readyCount(stats.queue),
      tasks: (["waiting", "delayed", "leased", "dead"] as const).map(
        (state) => queues.read("queue.peek", { queue: stats.queue, state, count: 1_000 }).tasks,
      ),
    })),
  };
}

/** Equal text for equal pictures and outcomes; bigints and bytes among them. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each === "bigint") return `${each}n`;
    if (each instanceof Uint8Array) return Buffer.from(each).toString("latin1");
    return each;
  });
}
