/**
 * Strict FIFO in a priority: no task is handed out before one that stands before it and was there to be handed out, and a pop that finds less than it
 * asked for leaves nothing behind. A task was certainly there from its push, or from when it was given back, until it is handed out, unless it has a delay or
 * somebody may have had it in between.
 */
import { must } from "../../src/base/assert.ts";
import type { RequestOf } from "../../src/protocol/requests.ts";
import { SimulationError } from "../node-state.ts";
import { nameOf } from "./queue-leases.ts";
import type { Delivery, QueueFacts, Task } from "./queue-facts.ts";
import { outcomeOf, textOfCall } from "./state-call.ts";
import type { StateCall } from "./state-call.ts";

/** The task can be handed out by every operation with a number above `from` and below `to`. */
interface Window {
  readonly task: Task;
  readonly from: number;
  readonly to: number;
}

/** Throws SimulationError. */
export function checkOrder(facts: QueueFacts): void {
  const byQueue = new Map<string, Window[]>();
  for (const task of facts.tasks) {
    const windows = windowsOf(facts, task);
    const others = byQueue.get(task.queue.name);
    if (others === undefined) byQueue.set(task.queue.name, windows);
    else others.push(...windows);
  }
  const paused = new Set<string>();
  for (const { steps } of facts.calls)
    for (const step of steps) if (step.verb === "queue.pause") paused.add(step.request.queue);
  for (const [queue, pops] of facts.pops) {
    const windows = byQueue.get(queue) ?? [];
    for (const call of pops) checkPop(facts, call, windows, paused.has(queue));
  }
}

function windowsOf(facts: QueueFacts, task: Task): Window[] {
  const { number, push, deliveries, final, queue, settlings } = task;
  const windows: Window[] = [];
  // A pop that waits and is given up gives back what it took, and nobody hears of it; and what is revived is counted anew.
  const haunted = (by: number): boolean =>
    facts.ghosts(queue.name, by).some(({ steps }) => {
      const [step] = steps;
      const waits = step?.verb === "queue.pop" && (step.request.waitMs ?? 0) > 0;
      return waits || facts.revived.has(queue.name);
    });
  const add = (from: number, to: number): void => {
    if (from < to) windows.push({ task, from, to });
  };
  const [first] = deliveries;
  // A dead letter has its number from its push: since when it is here nobody was told.
  const waits = task.atHome && (push.request.delayMs ?? 0) === 0;
  const untouched = final?.state === "waiting" && final.deliveries === 0;
  if (waits && first !== undefined && first.deliveries === 1 && !haunted(first.by))
    add(number, first.lease);
  if (waits && first === undefined && untouched && !haunted(Infinity)) add(number, Infinity);
  for (const [at, delivery] of deliveries.entries()) {
    const next = deliveries[at + 1];
    const nack = settlings.find(
      ({ verb, lease, verdict, delayMs }) =>
        verb === "queue.nack" && lease === delivery.lease && verdict === "done" && delayMs === 0,
    );
    if (nack === undefined || next === undefined || haunted(next.by)) continue;
    if (next.deliveries === delivery.deliveries + (nack.uncounted ? 0 : 1))
      add(facts.numbers(nack.call).below, next.lease);
  }
  return windows;
}

function checkPop(
  facts: QueueFacts,
  call: StateCall,
  windows: readonly Window[],
  paused: boolean,
): void {
  const [step] = call.steps;
  const outcome = outcomeOf(call, 0);
  if (step?.verb !== "queue.pop" || outcome?.kind !== "tasks") return;
  const { queue } = step.request;
  const taken = outcome.tasks.map(({ task }) => must(facts.task(queue, task)));
  checkSorted(call, taken);
  const number = outcome.tasks[0]?.lease;
  const all = isEverything(step.request, outcome.tasks, paused);
  const last = taken.at(-1);
  const { above, below } = facts.numbers(call);
  for (const { task, from, to } of windows) {
    const there =
      number === undefined ? from <= above && to >= below : from < number && number < to;
    if (!there || taken.includes(task)) continue;
    if (last !== undefined && standsBefore(task, last))
      throw new SimulationError(
        `FIFO: ${nameOf(task)} has priority ${priorityOf(task)} and was there to be handed out; ${nameOf(last)} with priority ${priorityOf(last)} stands behind it and was handed out: ${textOfCall(call)}`,
      );
    if (all)
      throw new SimulationError(
        `P4: ${nameOf(task)} was there to be handed out, and a pop left it: ${textOfCall(call)}`,
      );
  }
}

/** Whether the pop must have taken all that was there. What waits has no certain moment. */
function isEverything(
  request: RequestOf<"queue.pop">,
  tasks: readonly unknown[],
  paused: boolean,
): boolean {
  return !paused && (request.waitMs ?? 0) === 0 && tasks.length < (request.count ?? 1);
}

function checkSorted(call: StateCall, taken: readonly Task[]): void {
  for (let at = 1; at < taken.length; at++) {
    const [first, second] = [must(taken[at - 1]), must(taken[at])];
    if (standsBefore(first, second)) continue;
    throw new SimulationError(
      `FIFO: ${nameOf(first)} with priority ${priorityOf(first)} was handed out before ${nameOf(second)} with priority ${priorityOf(second)}: ${textOfCall(call)}`,
    );
  }
}

/** By priority, then by number. */
function standsBefore(one: Task, other: Task): boolean {
  const a = priorityOf(one);
  const b = priorityOf(other);
  if (a === b) return one.number < other.number;
  return one.queue.order === "lowest" ? a < b : a > b;
}

function priorityOf({ push, deliveries, atHome }: Task): bigint {
  const delivered: Delivery | undefined = deliveries[0];
  if (!atHome && delivered !== undefined) return BigInt(delivered.priority);
  return BigInt(push.request.priority ?? 0);
}
