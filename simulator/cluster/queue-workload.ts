/**
 * What clients do with queues in a run: they push, pop, work for a while and acknowledge, give back, extend or forget; in time, late or never; alone or as one
 * group with a push, a record and a session. Their tasks in hand stay with them from one request to the next.
 */
import { must } from "../../src/base/assert.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import { makeUuidV4 } from "../../src/base/uuid.ts";
import { formatUuid } from "../../src/base/uuid.ts";
import type {
  AnyRequest,
  Lease,
  QueueSettings,
  SessionHandle,
} from "../../src/protocol/requests.ts";
import { drawQueueShape, drawQueues, pick } from "./queue-shape.ts";
import type { QueuePlan, QueueShape } from "./queue-shape.ts";
import type { StateBook } from "./state-book.ts";
import type { StateRequest } from "./state-request.ts";

/** A task that a client has, or believes to have. */
interface Hand extends Lease {
  readonly queue: QueuePlan;
}

export interface QueueWorkloadParts {
  readonly random: Random;
  readonly book: StateBook;
  /** A session of a partition that a client may write to, for its groups. */
  readonly sessionOf: (client: number, partition: number) => SessionHandle | undefined;
  /** Overrides what is drawn. */
  readonly shape?: Partial<QueueShape> | undefined;
}

export class QueueWorkload {
  readonly shape: QueueShape;
  readonly queues: ReadonlyMap<string, QueuePlan>;
  /** Keys of records that groups write, by partition. */
  readonly markers: readonly string[];
  readonly #parts: QueueWorkloadParts;
  readonly #plans: readonly QueuePlan[];
  readonly #made = new Set<string>();
  readonly #hands = new Map<number, Hand[]>();

  constructor(parts: QueueWorkloadParts) {
    const { random, book } = parts;
    this.#parts = parts;
    this.shape = { ...drawQueueShape(random), ...parts.shape };
    this.#plans = drawQueues(random, this.shape, book.tags);
    this.queues = new Map(this.#plans.map((plan) => [plan.name, plan]));
    this.markers = book.tags.map((tag) => `{${tag}}${formatUuid(makeUuidV4(random))}`);
  }

  next(client: number, random: Random): readonly StateRequest[] | "leave" {
    const { shape } = this;
    if (chance(random, shape.leaves)) return "leave";
    const hands = this.#handsOf(client);
    if (hands.length > 0 && chance(random, 0.7)) return [this.#settle(client, random, hands)];
    const pushes = chance(random, shape.pushes);
    const plan = this.#queue(random, pushes);
    if (!this.#made.has(plan.name) && !plan.byDeath) return [this.#create(client, plan)];
    if (chance(random, shape.pauses)) return [this.#pause(client, plan, random)];
    if (chance(random, shape.sweeps)) return [this.#sweep(client, plan, random)];
    if (!pushes) return [this.#pop(client, plan, random)];
    const count = 1 + randomBelow(random, shape.pushMaxAtOnce);
    return Array.from({ length: count }, () =>
      this.#request(client, plan, this.#push(plan, random), random),
    );
  }

  /** Its connections have ended. Some go on all the same, with what they believe to have. */
  left(client: number, random: Random): void {
    if (chance(random, 0.6)) this.#hands.delete(client);
  }

  #handsOf(client: number): Hand[] {
    const known = this.#hands.get(client);
    if (known !== undefined) return known;
    const fresh: Hand[] = [];
    this.#hands.set(client, fresh);
    return fresh;
  }

  #queue(random: Random, home: boolean): QueuePlan {
    const plans = home
      ? this.#plans.filter(({ priorities }) => priorities.length > 0)
      : this.#plans;
    const place = (random.u32() / 0x1_0000_0000) ** this.shape.skew;
    return must(plans[Math.floor(plans.length * place)]);
  }

  #request(client: number, plan: QueuePlan, step: AnyRequest, random: Random): StateRequest {
    const { book } = this.#parts;
    const requestId = chance(random, this.shape.ids) ? book.requestId(random) : undefined;
    return book.request({ client, partition: plan.partition, requestId, steps: [step] });
  }

  #create(client: number, plan: QueuePlan): StateRequest {
    const { book } = this.#parts;
    const step: AnyRequest = {
      verb: "queue.create",
      request: { queue: plan.name, ifAbsent: true, ...settingsOf(plan) },
    };
    return book.request({ client, partition: plan.partition, steps: [step] }, ({ answers }) => {
      if (answers[0]?.outcome.kind === "queue") this.#made.add(plan.name);
    });
  }

  #pause(client: number, plan: QueuePlan, random: Random): StateRequest {
    const verb = chance(random, 0.4) ? "queue.pause" : "queue.resume";
    return this.#request(client, plan, { verb, request: { queue: plan.name } }, random);
  }

  #sweep(client: number, { name, partition }: QueuePlan, random: Random): StateRequest {
    const steps: readonly AnyRequest[] = [
      { verb: "queue.revive", request: { queue: name } },
      { verb: "queue.purge", request: { queue: name } },
      { verb: "queue.purge", request: { queue: name, state: "dead" } },
    ];
    // Without an id: a repeat would sweep what came since.
    return this.#parts.book.request({ client, partition, steps: [pick(random, steps)] });
  }

  #push(plan: QueuePlan, random: Random): AnyRequest {
    const { delays, delayMaxMs, expiries, dedups, payloadMaxBytes } = this.shape;
    const priority = pick(random, plan.priorities);
    return {
      verb: "queue.push",
      request: {
        queue: plan.name,
        payload: this.#parts.book.stamped(random, payloadMaxBytes),
        ...(priority === 0 ? {} : { priority }),
        ...(chance(random, delays) ? { delayMs: 1 + randomBelow(random, delayMaxMs) } : {}),
        ...(chance(random, expiries) ? { expiryMs: 200 + randomBelow(random, 3_000) } : {}),
        ...(chance(random, dedups) ? { dedup: `d${randomBelow(random, 4)}` } : {}),
      },
    };
  }

  #pop(client: number, plan: QueuePlan, random: Random): StateRequest {
    const { popMaxCount, waits, waitMaxMs, detached } = this.shape;
    const count = 1 + randomBelow(random, popMaxCount);
    // What a dead letter has made has the lease of no plan.
    const ownLease = plan.priorities.length === 0 || chance(random, 0.5);
    const step: AnyRequest = {
      verb: "queue.pop",
      request: {
        queue: plan.name,
        ...(count === 1 ? {} : { count }),
        ...(ownLease ? { leaseMs: pick(random, [100, 400, 1_000, 3_000]) } : {}),
        ...(chance(random, waits) ? { waitMs: 1 + randomBelow(random, waitMaxMs) } : {}),
      },
    };
    const own = { client, partition: plan.partition, steps: [step] };
    return this.#parts.book.request(
      { ...own, detached: chance(random, detached) },
      ({ answers }) => {
        const outcome = answers[0]?.outcome;
        if (outcome?.kind === "error") this.#made.delete(plan.name);
        if (outcome?.kind !== "tasks") return;
        for (const { task, lease } of outcome.tasks)
          this.#handsOf(client).push({ task, lease, queue: plan });
      },
    );
  }

  /** Does something with what it has in hand. */
  #settle(client: number, random: Random, hands: Hand[]): StateRequest {
    const hand = must(hands.splice(randomBelow(random, hands.length), 1)[0]);
    const { acks, nacks, extends: extensions, forgets, groups } = this.shape;
    const dice = (random.u32() / 0x1_0000_0000) * (acks + nacks + extensions + forgets + groups);
    // Now and then a client has not understood that it has something no more.
    const keeps = chance(random, 0.05);
    if (keeps || dice < extensions) hands.push(hand);
    if (dice < extensions)
      return this.#request(client, hand.queue, this.#extend(hand, random), random);
    if (dice < extensions + forgets) return this.#pop(client, hand.queue, random);
    if (dice < extensions + forgets + groups) return this.#group(client, hand, random);
    const all = [hand, ...takeOut(hands, hand, chance(random, 0.3) ? 4 : 0)];
    const step = dice < extensions + forgets + groups + nacks ? this.#nack(all, random) : ack(all);
    return this.#request(client, hand.queue, step, random);
  }

  #extend({ queue, task, lease }: Hand, random: Random): AnyRequest {
    const leaseMs = chance(random, 0.5) ? { leaseMs: pick(random, [100, 1_000, 3_000]) } : {};
    const request = { queue: queue.name, leases: [{ task, lease }], ...leaseMs };
    return { verb: "queue.extend", request };
  }

  #nack(hands: readonly Hand[], random: Random): AnyRequest {
    const { delayMaxMs } = this.shape;
    const delay = chance(random, 0.4) ? { delayMs: 1 + randomBelow(random, delayMaxMs) } : {};
    const uncounted = chance(random, 0.15) ? { uncounted: true } : {};
    return { verb: "queue.nack", request: { ...leasesOf(hands), ...delay, ...uncounted } };
  }

  /** A step of the work and its outcome as one: the task is done, another is pushed, a record says so, and a session too. */
  #group(client: number, hand: Hand, random: Random): StateRequest {
    const { book, sessionOf } = this.#parts;
    const { partition } = hand.queue;
    const steps: AnyRequest[] = [chance(random, 0.8) ? ack([hand]) : this.#nack([hand], random)];
    const homes = this.#plans.filter(
      (plan) =>
        plan.partition === partition && this.#made.has(plan.name) && plan.priorities.length > 0,
    );
    if (homes.length > 0) steps.push(this.#push(pick(random, homes), random));
    const session = chance(random, 0.6) ? sessionOf(client, partition) : undefined;
    const data = book.stamped(random, 20);
    if (session !== undefined) steps.push(sessionStep(session, data, random));
    const key = must(this.markers[partition]);
    steps.push({ verb: "record.set", request: { key, value: book.stamped(random, 20) } });
    // What stands first is undone when what stands last is refused.
    if (chance(random, 0.5)) steps.reverse();
    const requestId = chance(random, this.shape.ids) ? book.requestId(random) : undefined;
    return book.request({ client, partition, requestId, steps, group: true });
  }
}

/** Mostly it is written to; it may end with the group, too. */
function sessionStep(session: SessionHandle, data: Buffer, random: Random): AnyRequest {
  if (chance(random, 0.15)) return { verb: "session.delete", request: session };
  if (chance(random, 0.15)) return { verb: "session.store", request: session };
  return { verb: "session.append", request: { ...session, data } };
}

function settingsOf(plan: QueuePlan): QueueSettings {
  const { name: _, partition: _1, byDeath: _2, priorities: _3, ...settings } = plan;
  return settings;
}

function leasesOf(hands: readonly Hand[]): { queue: string; leases: Lease[] } {
  const leases = hands.map(({ task, lease }) => ({ task, lease }));
  return { queue: must(hands[0]).queue.name, leases };
}

function ack(hands: readonly Hand[]): AnyRequest {
  return { verb: "queue.ack", request: leasesOf(hands) };
}

/** Takes others of the same queue out of the hands, each task once. */
function takeOut(hands: Hand[], { queue, task }: Hand, maxCount: number): Hand[] {
  const taken: Hand[] = [];
  for (let at = hands.length - 1; at >= 0 && taken.length < maxCount; at--) {
    const hand = must(hands[at]);
    if (hand.queue !== queue || hand.task === task || taken.some((one) => one.task === hand.task))
      continue;
    taken.push(hand);
    hands.splice(at, 1);
  }
  return taken;
}
