/**
 * Whole lives of queues, at random: one replica that never restarts, one that does so again and again from checkpoints, and the model. They must agree on every outcome, on all that
 * can be read, on the digest and on the first deadline.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import type { Outcome } from "../../../src/machines/outcome.ts";
import type { Owner } from "../../../src/machines/owner.ts";
import type {
  Int64,
  Lease,
  QueuePolicies,
  QueueSettings,
  TaskState,
} from "../../../src/protocol/requests.ts";
import { type Draws, forSeedsAsync } from "../../state/draws.ts";
import type { RunRow } from "../../state/table-world.ts";
import { QueueModel } from "./queue-model.ts";
import { short } from "./queue-model-content.ts";
import {
  type AnyQueueRequest,
  QueueReplica,
  type Step,
  pictureOf,
  start,
  textOf,
} from "./queue-world.ts";

const names = ["default", "jobs", "{jobs}.dead", "mail", "{mail}.dead"] as const;
/** Where most traffic goes. */
const busyNames = ["default", "jobs", "jobs", "jobs", "mail", "mail", ...names] as const;
const edges: readonly Int64[] = [
  -(2n ** 63n),
  -(2n ** 63n) + 1n,
  -(2n ** 53n),
  -(2 ** 53 - 1),
  -1,
  0,
  0,
  0,
  1,
  5,
  2 ** 32,
  2 ** 53 - 1,
  2n ** 53n,
  2n ** 63n - 2n,
  2n ** 63n - 1n,
];
const states: readonly TaskState[] = ["waiting", "delayed", "leased", "dead"];

/** What clients, leaders and operators ask for. */
class Callers {
  readonly draws: Draws;
  /** Deliveries that somebody was told of, whatever became of them. */
  readonly #leases: (Lease & { readonly queue: string })[] = [];
  #pushed = 0;

  constructor(draws: Draws) {
    this.draws = draws;
  }

  next(): Step {
    const { draws } = this;
    if (draws.oneIn(9)) return { verb: "due" };
    if (draws.oneIn(40)) return { verb: "disconnected", owner: must(this.#owner()) };
    if (draws.oneIn(80)) return { verb: "restarted", node: 1, run: 1 + draws.below(2) };
    if (draws.oneIn(6)) {
      const requests = Array.from({ length: 1 + draws.below(5) }, () => this.#request(true));
      return { verb: "group", requests };
    }
    return this.#request(draws.oneIn(2));
  }

  /** Takes note of deliveries. */
  learn(step: Step, outcome: Outcome): void {
    if (step.verb === "group" && outcome.kind === "group")
      step.requests.forEach((request, at) => this.learn(request, must(outcome.outcomes[at])));
    if (step.verb !== "queue.pop" || outcome.kind !== "tasks") return;
    const { queue } = step.request;
    for (const { task, lease } of outcome.tasks) this.#leases.push({ queue, task, lease });
  }

  #request(plain: boolean): AnyQueueRequest {
    const { draws } = this;
    if (!plain && draws.oneIn(5)) return this.#admin();
    const queue = draws.pick(busyNames);
    if (draws.oneIn(3)) return this.#settle();
    if (draws.oneIn(2)) {
      const request = {
        queue,
        count: 1 + draws.below(4),
        ...(draws.oneIn(3) ? { leaseMs: draws.pick([100, 1_000, 60_000]) } : {}),
      };
      return { verb: "queue.pop", request, ...this.#ownerOption() };
    }
    return {
      verb: "queue.push",
      request: {
        queue,
        payload: Buffer.from(
          `${++this.#pushed}${"x".repeat(draws.oneIn(8) ? draws.below(60) : 0)}`,
        ),
        ...(draws.oneIn(3) ? { priority: this.#priority() } : {}),
        ...(draws.oneIn(5) ? { delayMs: draws.pick([0, 1, 500, 20_000]) } : {}),
        ...(draws.oneIn(6) ? { expiryMs: draws.pick([1, 400, 30_000]) } : {}),
        ...(draws.oneIn(5) ? { dedup: draws.pick(["a", "b", "é"]) } : {}),
      },
    };
  }

  #settle(): AnyQueueRequest {
    const { draws } = this;
    const from = Math.max(0, this.#leases.length - 12);
    const leases: Lease[] = [];
    let queue: string = draws.pick(names);
    for (let i = 1 + draws.below(3); i > 0; i--) {
      const known = this.#leases[from + draws.below(this.#leases.length - from + 1)];
      const { task, lease } = known ?? { task: 1 + draws.below(40), lease: 1 + draws.below(40) };
      if (known !== undefined) queue = known.queue;
      leases.push({ task, lease });
    }
    if (draws.oneIn(20)) queue = draws.pick(names);
    const delay = draws.oneIn(3) ? { delayMs: draws.pick([0, 10, 5_000]) } : {};
    switch (draws.below(5)) {
      case 0:
      case 1:
        return { verb: "queue.ack", request: { queue, leases } };
      case 2:
        return {
          verb: "queue.nack",
          request: { queue, leases, uncounted: draws.oneIn(3), ...delay },
        };
      case 3:
        return {
          verb: "queue.extend",
          request: { queue, leases, ...(draws.oneIn(2) ? { leaseMs: 45_000 } : {}) },
        };
      default:
        return draws.oneIn(3)
          ? { verb: "queue.check", request: { queue, leases } }
          : { verb: "queue.nack", request: { queue, leases } };
    }
  }

  #admin(): AnyQueueRequest {
    const { draws } = this;
    const queue = draws.pick(names);
    switch (draws.below(8)) {
      case 0:
      case 1:
        return this.create(queue);
      case 2:
        return { verb: "queue.alter", request: { queue, ...this.#policies(queue) } };
      case 3:
        return draws.oneIn(4)
          ? { verb: "queue.delete", request: { queue } }
          : {
              verb: "queue.purge",
              request: { queue, state: draws.pick(["waiting", "dead"] as const) },
            };
      case 4:
        return { verb: "queue.pause", request: { queue } };
      case 5:
      case 6:
        return { verb: "queue.resume", request: { queue } };
      default:
        return {
          verb: "queue.revive",
          request: { queue, ...(draws.oneIn(2) ? { task: 1 + draws.below(60) } : {}) },
        };
    }
  }

  create(queue: string): AnyQueueRequest {
    const request = { queue, ifAbsent: this.draws.oneIn(2), ...this.#settings(queue) };
    return { verb: "queue.create", request };
  }

  #settings(queue: string): QueueSettings {
    const { draws } = this;
    const implementation = draws.pick(["fifo", "priority", "range"] as const);
    const min = draws.pick(edges);
    const most = 2n ** 63n - 1n;
    const max = BigInt(min) + BigInt(draws.pick([0, 3, 400]));
    const range = { priorityMin: min, priorityMax: short(max > most ? most : max) };
    return {
      implementation,
      order: draws.pick(["lowest", "highest"]),
      ...(implementation === "range" || (implementation === "priority" && draws.oneIn(4))
        ? range
        : {}),
      ...this.#policies(queue),
    };
  }

  #policies(queue: string): QueuePolicies {
    const { draws } = this;
    return {
      ...(draws.oneIn(4) ? { maxSize: draws.oneIn(4) ? null : draws.pick([0, 3, 10]) } : {}),
      ...(draws.oneIn(5) ? { maxPayloadBytes: draws.oneIn(3) ? null : draws.pick([2, 30]) } : {}),
      ...(draws.oneIn(3) ? { leaseMs: draws.pick([100, 5_000]) } : {}),
      ...(draws.oneIn(2) ? { maxDeliveries: draws.pick([0, 1, 2]) } : {}),
      ...(draws.oneIn(2) && (queue === "jobs" || queue === "mail")
        ? { deadLetter: draws.oneIn(4) ? null : `{${queue}}.dead` }
        : {}),
      ...(draws.oneIn(4) ? { dedupMs: draws.pick([0, 800, 60_000]) } : {}),
    };
  }

  #priority(): Int64 {
    return this.draws.oneIn(4) ? this.draws.pick(edges) : this.draws.below(2);
  }

  #ownerOption(): { readonly owner?: Owner } {
    const owner = this.draws.oneIn(2) ? this.#owner() : undefined;
    return owner === undefined ? {} : { owner };
  }

  #owner(): Owner {
    const { draws } = this;
    return { node: 1 + draws.below(2), run: 1 + draws.below(2), connection: 1 + draws.below(2) };
  }
}

function textsApart(outcomes: readonly Outcome[]): string {
  return textOf(outcomes).replaceAll(/"text":"(?:[^"\\]|\\.)*"/g, '"text":""');
}

/** What can be read of a model, in the form of what can be read of a replica. */
function compareReads(replica: QueueReplica, model: QueueModel): void {
  const { queues } = replica;
  const { queues: listed } = queues.read("queue.list", { count: 1_000 });
  assert.deepEqual(
    listed.map(({ queue }) => queue),
    model.content.queues.map(({ name }) => name).sort(),
  );
  let total = 0;
  for (const stats of listed) {
    const { queue } = stats;
    let bytes = 0;
    for (const state of states) {
      const expected = model.tasksOf(queue, state);
      const { tasks } = queues.read("queue.peek", { queue, state, count: 1_000 });
      assert.equal(
        textOf(tasks),
        textOf(
          expected.map((task) => ({
            task: task.number,
            state,
            priority: short(task.priority),
            deliveries: task.deliveries,
            pushedAtMs: task.pushedAtMs,
            dueAtMs: task.due,
            expiresAtMs: task.expiresAtMs,
            payload: Buffer.from(task.payload, "latin1"),
          })),
        ),
        `${state} in ${queue}`,
      );
      assert.equal(stats[state], expected.length, `count of ${state} in ${queue}`);
      bytes += expected.reduce((sum, task) => sum + task.payload.length, 0);
      total += expected.length;
    }
    assert.equal(stats.payloadBytes, bytes, `bytes in ${queue}`);
    assert.equal(stats.nextPushedAtMs, model.tasksOf(queue, "waiting")[0]?.pushedAtMs ?? 0);
    assert.equal(queues.readyCount(queue), stats.paused ? 0 : stats.waiting);
  }
  const { totals } = queues;
  assert.equal(totals.waiting + totals.delayed + totals.leased + totals.dead, total, "totals");
  assert.equal(totals.queues, listed.length);
}

async function life(draws: Draws): Promise<void> {
  const callers = new Callers(draws);
  const steady = new QueueReplica(draws.seed);
  let other = new QueueReplica(draws.seed + 1);
  const model = new QueueModel();
  const runs: RunRow[][] = [];
  let restarts = 0;
  let behind: {
    readonly timestamp: number;
    readonly steps: readonly Step[];
    readonly text: string;
  }[] = [];
  let atCheckpoint = { ...steady.moment };
  let timestamp = start;

  const first: readonly Step[] = [callers.create("jobs"), callers.create("mail")];
  const step = (): void => {
    timestamp += draws.pick([0, 0, 1, 100, 400, 1_000, 31_000]);
    const steps =
      steady.moment.position === 0
        ? first
        : Array.from({ length: 1 + draws.below(4) }, () => callers.next());
    const outcomes = steady.apply(timestamp, steps);
    const text = textOf(outcomes);
    assert.equal(textsApart(outcomes), textsApart(model.apply(timestamp, steps)), textOf(steps));
    assert.equal(textOf(other.apply(timestamp, steps)), text, "outcomes of the other replica");
    behind.push({ timestamp, steps, text });
    steps.forEach((each, at) => callers.learn(each, must(outcomes[at])));
    assert.equal(steady.stack.nextDue(), model.nextDue, "first deadline");
  };

  const restart = (): void => {
    other = new QueueReplica(draws.seed + 1_000 * ++restarts);
    other.load(runs);
    Object.assign(other.moment, atCheckpoint);
    for (const { timestamp: at, steps, text } of behind)
      assert.equal(textOf(other.apply(at, steps)), text, "outcomes applied again");
  };

  for (let i = 0; i < 120; i++) {
    if (draws.oneIn(15)) {
      const moment = { ...other.moment };
      const { length } = behind;
      runs.push(await other.checkpoint(() => void (draws.oneIn(2) && step())));
      atCheckpoint = moment;
      behind = behind.slice(length);
    } else if (draws.oneIn(12)) restart();
    else step();
    assert.equal(other.state.digest, steady.state.digest, "digest");
    if (!draws.oneIn(8)) continue;
    compareReads(steady, model);
    assert.equal(textOf(pictureOf(other)), textOf(pictureOf(steady)), "what is read");
  }
  restart();
  compareReads(other, model);
  // A group changes nothing for good in memory either: what a new replica makes of the rows is what the old one has.
  assert.equal(textOf(pictureOf(other)), textOf(pictureOf(steady)), "what is read");
}

suite("queues at random (P3, P4, P5)", () => {
  test("a replica that restarts at any point agrees for ever with one that does not, and both with the model", async () => {
    await forSeedsAsync(1, 80, life);
  });
});
