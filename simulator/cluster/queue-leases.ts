/**
 * One holder per lease, and what follows from it: between two deliveries of a task the first lease is over, given back, or its owner gone; no task comes back
 * before its delay; deliveries are counted; a lease that holds is not refused. Only what is certain is reported: where an outcome is unknown, everything that
 * it may have been is allowed.
 */
import { must } from "../../src/base/assert.ts";
import { SimulationError } from "../node-state.ts";
import type { Delivery, QueueFacts, Settling, Task } from "./queue-facts.ts";
import { told, textOfCall } from "./state-call.ts";

/** Throws SimulationError. */
export function checkLeases(facts: QueueFacts): void {
  for (const task of facts.tasks) {
    for (const [at, delivery] of task.deliveries.entries()) {
      checkDelay(facts, task, delivery);
      checkCount(facts, task, delivery, at === 0 ? undefined : must(task.deliveries[at - 1]));
      checkSettled(facts, task, delivery);
      const next = task.deliveries[at + 1];
      if (next !== undefined) checkHandedOn(facts, task, delivery, next);
    }
  }
}

export function nameOf({ number, queue, push }: Task): string {
  return `task ${number} of ${queue.name} (#${push.stamp})`;
}

function checkDelay(facts: QueueFacts, task: Task, { atMs, pushedAtMs, call }: Delivery): void {
  const { delayMs = 0, expiryMs } = task.push.request;
  // Among the dead letters neither counts.
  if (!task.atHome) return;
  if (atMs < pushedAtMs + delayMs)
    throw new SimulationError(
      `P4: early: ${nameOf(task)} was pushed at ${pushedAtMs} with a delay of ${delayMs} ms and handed out at ${atMs}: ${textOfCall(call)}`,
    );
  // What was dead does not expire any more.
  if (facts.revived.has(task.queue.name)) return;
  if (expiryMs === undefined || atMs < pushedAtMs + expiryMs) return;
  throw new SimulationError(
    `expired: ${nameOf(task)} was pushed at ${pushedAtMs} for ${expiryMs} ms and handed out at ${atMs}: ${textOfCall(call)}`,
  );
}

function checkCount(
  facts: QueueFacts,
  task: Task,
  delivery: Delivery,
  before: Delivery | undefined,
): void {
  const { maxDeliveries } = task.queue;
  const given = (lease: number): boolean =>
    task.settlings.some(
      (one) =>
        one.verb === "queue.nack" && one.uncounted && one.lease === lease && one.verdict !== "lost",
    );
  const counted = before === undefined || !given(before.lease) ? 1 : 0;
  const ghosts = facts.ghosts(task.queue.name, delivery.by).length;
  // Who is revived has been handed out to nobody.
  const revived = facts.revived.has(task.queue.name);
  const least = revived ? 1 : (before?.deliveries ?? 0) + counted;
  const most = (before?.deliveries ?? 0) + 1 + ghosts;
  const { deliveries } = delivery;
  if (
    deliveries >= least &&
    deliveries <= most &&
    (maxDeliveries === 0 || deliveries <= maxDeliveries)
  )
    return;
  throw new SimulationError(
    `P4: ${nameOf(task)} was handed out as delivery ${deliveries}; by what was handed out before it is ${least} to ${most}, of ${maxDeliveries} at most: ${textOfCall(delivery.call)}`,
  );
}

/** What ended a lease, and what was refused though it held. */
function checkSettled(facts: QueueFacts, task: Task, delivery: Delivery): void {
  const { lease, call } = delivery;
  const own = task.settlings.filter((one) => one.lease === lease);
  const ends = own.filter(
    ({ verb, verdict }) => verdict === "done" && (verb === "queue.ack" || verb === "queue.nack"),
  );
  if (ends.length > 1)
    throw new SimulationError(
      `P2: the lease ${lease} of ${nameOf(task)} was ended twice: ${ends.map((one) => textOfCall(one.call)).join(" and ")}`,
    );
  for (const one of own) {
    if (one.verdict !== "lost") continue;
    const what = told(one.call);
    if (what.kind !== "done" || mayEndOtherwise(facts, delivery, own, what.by, one)) continue;
    const latest = facts.world.times.latest(call.partition, facts.numbers(one.call).below);
    const until = earliestEnd(delivery, own, what.by, facts);
    if (latest >= until) continue;
    throw new SimulationError(
      `P4: the lease ${lease} of ${nameOf(task)} holds until ${until}, and was refused by ${latest}: ${textOfCall(one.call)}`,
    );
  }
}

/** Whether anything but time may have ended the lease by a moment. */
function mayEndOtherwise(
  facts: QueueFacts,
  delivery: Delivery,
  own: readonly Settling[],
  by: number,
  but?: Settling,
): boolean {
  const { call } = delivery;
  if (!call.detached && facts.world.ownerEnded(call) < by) return true;
  return own.some(
    (one) =>
      one !== but &&
      one.call.invoked < by &&
      one.verdict !== "lost" &&
      (one.verb === "queue.ack" || one.verb === "queue.nack"),
  );
}

/** The lease cannot be over before that time, as far as time ends it; `by`: what was asked for later counts for nothing. */
function earliestEnd(
  delivery: Delivery,
  own: readonly Settling[],
  by: number,
  facts: QueueFacts,
): number {
  const extensions = own.filter(
    ({ verb, verdict, call }) => verb === "queue.extend" && verdict !== "lost" && call.invoked < by,
  );
  const ends = extensions.map((one) => ({
    from: one.call.invoked,
    to: doneBy(one),
    // An outcome that is unknown began anew at the delivery at the earliest.
    endsAtMs:
      one.verdict === "done"
        ? one.endsAtMs
        : Math.max(delivery.atMs, earliest(facts, one)) + one.leaseMs,
  }));
  ends.push({ from: -1, to: delivery.by, endsAtMs: delivery.leaseEndsAtMs });
  // The last one counts; those that are certainly not the last do not.
  const replaced = (one: { to: number }): boolean =>
    ends.some((other) => other !== one && other.from > one.to && other.to < by);
  return Math.min(...ends.filter((one) => !replaced(one)).map(({ endsAtMs }) => endsAtMs));
}

function earliest(facts: QueueFacts, { call }: Settling): number {
  return facts.world.times.earliest(call.partition, facts.numbers(call).above);
}

function doneBy({ call }: Settling): number {
  const what = told(call);
  return what.kind === "done" ? what.by : Infinity;
}

/** Two deliveries of one task, one after the other. */
function checkHandedOn(facts: QueueFacts, task: Task, first: Delivery, second: Delivery): void {
  const own = task.settlings.filter((one) => one.lease === first.lease);
  for (const one of own) {
    if (one.verb !== "queue.ack") continue;
    const seen = `${nameOf(task)} was handed out again with lease ${second.lease} after lease ${first.lease}: ${textOfCall(second.call)}`;
    if (one.verdict === "done")
      throw new SimulationError(
        `P4: acknowledged, and back: ${seen}; it was acknowledged by ${textOfCall(one.call)}`,
      );
    if (one.call.group)
      facts.world.evidence.didNot(one.call, "P4: acknowledged, and back", () => seen);
  }
  const nack = own.find(({ verb, verdict }) => verb === "queue.nack" && verdict === "done");
  if (nack !== undefined) {
    // It was its last delivery: it died, was revived, and is counted anew.
    if (facts.revived.has(task.queue.name) && second.deliveries <= first.deliveries) return;
    const from = Math.max(first.atMs, earliest(facts, nack));
    if (second.atMs >= from + nack.delayMs) return;
    throw new SimulationError(
      `P4: early: ${nameOf(task)} was given back at ${from} or later with a delay of ${nack.delayMs} ms and handed out at ${second.atMs}: ${textOfCall(nack.call)}; ${textOfCall(second.call)}`,
    );
  }
  if (second.lease !== first.lease) {
    if (mayEndOtherwise(facts, first, own, second.by)) return;
    const until = earliestEnd(first, own, second.by, facts);
    if (second.atMs >= until) return;
    throw new SimulationError(
      `P4: two holders: ${nameOf(task)} is lent out until ${until} by ${textOfCall(first.call)}; at ${second.atMs} it was handed out by ${textOfCall(second.call)}`,
    );
  }
  throw new SimulationError(
    `P4: two holders: ${nameOf(task)} was handed out twice with lease ${first.lease}: ${textOfCall(first.call)} and ${textOfCall(second.call)}`,
  );
}
