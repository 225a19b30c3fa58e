/**
 * What becomes of tasks: no acknowledged push without an end (P4), nothing dead before its last delivery, no queue above its greatest size, dedup ids that count,
 * groups whole.
 */
import { must } from "../../src/base/assert.ts";
import { SimulationError } from "../node-state.ts";
import { nameOf } from "./queue-leases.ts";
import type { Push, QueueFacts, Task } from "./queue-facts.ts";
import { outcomeOf, stepsOf, textOfCall, told } from "./state-call.ts";

/** Throws SimulationError. `endMs`: log time of the end, by partition. */
export function checkEnds(facts: QueueFacts, endMs: readonly number[]): void {
  for (const task of facts.tasks) {
    checkFinal(facts, task);
    if (!task.atHome) checkDeath(facts, task);
  }
  for (const push of facts.pushes.values()) {
    const { call, request } = push;
    if (facts.world.evidence.isDone(call) !== true || push.duplicate) continue;
    const { deadLetter } = must(facts.world.queues.get(request.queue));
    const home = facts.taskOf(push.stamp, request.queue);
    const letter = deadLetter == null ? undefined : facts.taskOf(push.stamp, deadLetter);
    checkNoOrphan(facts, push, [home, letter], must(endMs[call.partition]));
  }
  for (const name of facts.world.queues.keys()) checkSize(facts, name);
  checkQueuesStay(facts);
  checkDedup(facts);
}

/** Acknowledged, still there, dead, among the dead letters, or expired as asked. Of a group that nobody was told of, the push may have been a duplicate. */
function checkNoOrphan(
  facts: QueueFacts,
  push: Push,
  both: readonly (Task | undefined)[],
  endMs: number,
): void {
  const { expiryMs, dedup } = push.request;
  const lives = both.filter((task) => task !== undefined);
  for (const { final, settlings } of lives) {
    if (final !== undefined) return;
    if (settlings.some(({ verb, verdict }) => verb === "queue.ack" && verdict !== "lost")) return;
  }
  if (lives.length === 0 && dedup !== undefined) return;
  const { deadLetter } = must(facts.world.queues.get(push.request.queue));
  if (facts.purged.has(push.request.queue) || facts.purged.has(deadLetter ?? "")) return;
  // It counts from the push, of which the time may not be known.
  const pushedAtMs = facts.world.times.earliest(push.call.partition, lives[0]?.number ?? 0);
  if (expiryMs !== undefined && pushedAtMs + expiryMs <= endMs) return;
  const seen = lives.flatMap(({ deliveries }) => deliveries.map(({ call }) => textOfCall(call)));
  throw new SimulationError(
    `P4: orphan: #${push.stamp} of ${push.request.queue} is not there at the end, not among the dead, and nobody acknowledged it: ${textOfCall(push.call)}; ${seen.join("; ")}`,
  );
}

/** What is there at the end. */
function checkFinal(facts: QueueFacts, task: Task): void {
  const { final, queue, settlings, deliveries } = task;
  const acknowledged = settlings.filter(({ verb }) => verb === "queue.ack");
  if (final === undefined) {
    // Nobody else can have ended it: so this did.
    const [only] = acknowledged.filter(({ verdict }) => verdict !== "lost");
    const sole =
      acknowledged.length === 1 && only?.call.group === true && !mayEndWithoutAck(facts, task);
    if (sole && only.verdict === "unknown")
      facts.world.evidence.happened(
        only.call,
        "P4",
        () => `${nameOf(task)} is gone, and nothing else ended it`,
      );
    return;
  }
  const where = `${nameOf(task)} is there at the end, ${final.state}`;
  for (const one of acknowledged) {
    if (one.verdict === "done")
      throw new SimulationError(`P4: acknowledged, and back: ${where}: ${textOfCall(one.call)}`);
    if (one.call.group)
      facts.world.evidence.didNot(one.call, "P4: acknowledged, and back", () => where);
  }
  const count = deliveries.at(-1)?.deliveries ?? 0;
  const least = count - (settlings.some(({ uncounted }) => uncounted) ? 1 : 0);
  if (final.deliveries < least && !facts.revived.has(queue.name))
    throw new SimulationError(
      `P4: ${where}, after ${final.deliveries} deliveries; it was handed out as delivery ${count}`,
    );
  if (final.state !== "dead") return;
  if (
    queue.maxDeliveries > 0 &&
    final.deliveries >= queue.maxDeliveries &&
    queue.deadLetter == null
  )
    return;
  throw new SimulationError(
    `P4: ${where}, after ${final.deliveries} deliveries; its queue allows ${queue.maxDeliveries}, dead letters go to ${queue.deadLetter ?? "nobody"}`,
  );
}

function mayEndWithoutAck(facts: QueueFacts, { push, queue }: Task): boolean {
  return (
    push.request.expiryMs !== undefined ||
    facts.purged.has(queue.name) ||
    queue.maxDeliveries > 0 ||
    facts.ghosts(queue.name, Infinity).length > 0
  );
}

/** A dead letter was handed out as often as its queue allows, and is in that queue no more. */
function checkDeath(facts: QueueFacts, letter: Task): void {
  const home = facts.taskOf(letter.push.stamp, letter.push.request.queue);
  const plan = must(facts.world.queues.get(letter.push.request.queue));
  const ghosts = facts.ghosts(plan.name, Infinity).length;
  const known = home?.deliveries ?? [];
  if (home?.final !== undefined)
    throw new SimulationError(
      `P4: two of one: ${nameOf(letter)} is ${nameOf(home)}, which is there too`,
    );
  const reborn = letter.deliveries[0]?.lease ?? Infinity;
  const late = known.find(({ lease }) => lease > reborn);
  if (late !== undefined)
    throw new SimulationError(
      `P4: two of one: ${nameOf(letter)} was handed out after its death: ${textOfCall(late.call)}`,
    );
  if (plan.maxDeliveries > 0 && (known.at(-1)?.deliveries ?? 0) + ghosts >= plan.maxDeliveries)
    return;
  throw new SimulationError(
    `P4: ${nameOf(letter)} is dead after ${known.length} deliveries that are known and ${ghosts} that may have been; its queue allows ${plan.maxDeliveries}`,
  );
}

/** Tasks that were certainly there when one was added. */
function checkSize(facts: QueueFacts, name: string): void {
  const { maxSize } = must(facts.world.queues.get(name));
  // The dead do not count, and may be revived above it.
  if (maxSize == null || facts.revived.has(name)) return;
  const tasks = [...facts.tasks]
    .filter(({ queue }) => queue.name === name)
    .sort((a, b) => a.number - b.number);
  const lastSeen = tasks.map(({ number, deliveries, final }) =>
    final !== undefined && final.state !== "dead"
      ? Infinity
      : Math.max(number, deliveries.at(-1)?.lease ?? 0),
  );
  for (const [at, { number, push }] of tasks.entries()) {
    let size = 1;
    for (let before = 0; before < at; before++) if (must(lastSeen[before]) > number) size++;
    if (size > maxSize)
      throw new SimulationError(
        `P8: ${name} takes ${maxSize} tasks, and had ${size} at number ${number}: ${textOfCall(push.call)}`,
      );
  }
  for (const { call, index, step } of stepsOf(facts.calls)) {
    if (step.verb !== "queue.push" || step.request.queue !== name || call.group) continue;
    const outcome = outcomeOf(call, index);
    if (outcome?.kind === "error" && outcome.code === "QUEUEFULL")
      checkRefusedAsFull(facts, name, maxSize, call);
  }
}

/** A push that was refused for the size: the queue may have been full. */
function checkRefusedAsFull(
  facts: QueueFacts,
  name: string,
  maxSize: number,
  call: Push["call"],
): void {
  const what = told(call);
  const by = what.kind === "done" ? what.by : Infinity;
  let size = 0;
  for (const push of facts.pushes.values()) {
    if (push.request.queue !== name || push.duplicate || push.call.invoked > by) continue;
    if (facts.world.evidence.isDone(push.call) === false) continue;
    const task = facts.taskOf(push.stamp, name);
    const gone = task?.settlings.some((one) => {
      const settled = told(one.call);
      return (
        one.verb === "queue.ack" &&
        one.verdict === "done" &&
        settled.kind === "done" &&
        settled.by < call.invoked
      );
    });
    if (gone !== true) size++;
  }
  if (size >= maxSize) return;
  throw new SimulationError(
    `P4: ${name} takes ${maxSize} tasks and had ${size} at most, and a push was refused: ${textOfCall(call)}`,
  );
}

/** Queues are not deleted: one that was made is there. */
function checkQueuesStay(facts: QueueFacts): void {
  const madeBy = new Map<string, number>();
  for (const { call, step } of stepsOf(facts.calls)) {
    const what = told(call);
    if (step.verb !== "queue.create" || what.kind !== "done" || what.outcomes[0]?.kind === "error")
      continue;
    madeBy.set(step.request.queue, Math.min(what.by, madeBy.get(step.request.queue) ?? Infinity));
  }
  for (const call of facts.calls) {
    const [answer] = call.answers;
    const [step] = call.steps;
    const missing = answer?.outcome.kind === "error" && answer.outcome.code === "NOQUEUE";
    if (!missing || step === undefined || !("queue" in step.request)) continue;
    if (call.invoked > (madeBy.get(step.request.queue) ?? Infinity))
      throw new SimulationError(`P1: a queue that was made is not there: ${textOfCall(call)}`);
  }
}

function checkDedup(facts: QueueFacts): void {
  const seen = new Map<string, { push: Push; number: number; pushedAtMs: number }[]>();
  for (const push of facts.pushes.values()) {
    const { dedup, queue } = push.request;
    const task = facts.taskOf(push.stamp, queue);
    if (dedup === undefined || task === undefined) continue;
    const pushedAtMs = task.pushedAtMs ?? NaN;
    const others = seen.get(`${queue} ${dedup}`) ?? [];
    const { dedupMs = 0 } = task.queue;
    const near = others.find((other) => Math.abs(other.pushedAtMs - pushedAtMs) < dedupMs);
    if (near !== undefined)
      throw new SimulationError(
        `P3: dedup id ${dedup} of ${queue} was taken twice within ${dedupMs} ms: ${textOfCall(near.push.call)} and ${textOfCall(push.call)}`,
      );
    seen.set(`${queue} ${dedup}`, [...others, { push, number: task.number, pushedAtMs }]);
  }
  for (const { call, index, step } of stepsOf(facts.calls)) {
    const outcome = outcomeOf(call, index);
    if (step.verb !== "queue.push" || outcome?.kind !== "pushed" || !outcome.duplicate) continue;
    const { queue, dedup } = step.request;
    const task = facts.task(queue, outcome.task);
    if (dedup !== undefined && (task === undefined || task.push.request.dedup === dedup)) continue;
    throw new SimulationError(
      `P3: a push was taken for a duplicate of task ${outcome.task}, which had another id: ${textOfCall(call)}`,
    );
  }
}
