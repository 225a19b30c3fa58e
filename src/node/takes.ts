/** Pops and takes, once or as subscriptions, on the partitions of a node. */
import type { Clock } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Operation } from "../machines/operation.ts";
import type { Outcome } from "../machines/outcome.ts";
import { type Owner, detached } from "../machines/owner.ts";
import { giveBackOperation } from "../machines/sessions/session-operation.ts";
import type { OutcomeSink } from "../partition/answer.ts";
import type { Partition } from "../partition/partition.ts";
import { partitionOfSlot } from "../placement/slots.ts";
import type { DeliveredSession, DeliveredTask, RequestOf } from "../protocol/requests.ts";
import { operationOf } from "./request-operation.ts";
import { CreditTaker, WaitingTake, type WaitingParts } from "./waiting.ts";

/** What a subscription brings goes here. */
export interface ItemsSink<Item> {
  items(items: readonly Item[]): void;
  /** It brings nothing more. Told once, unless it was closed. */
  ended(error: TrubaError): void;
}

export interface TakeSubscription {
  /** It may bring so many more. */
  credit(count: number): void;
  close(): void;
}

interface TakesParts {
  readonly clock: Clock;
  readonly partitions: () => readonly Partition[];
  submit(operation: Operation, sink: OutcomeSink, tag: number): void;
  /** The owner may hold something of the partition from now on. */
  holds(owner: Owner, partition: number): void;
}

const nobody: OutcomeSink = { settle: () => {} };

export class Takes {
  readonly #parts: TakesParts;

  constructor(parts: TakesParts) {
    this.#parts = parts;
  }

  /** Pops and takes that wait, on all partitions; one of sessions counts on each. */
  get waiting(): number {
    let count = 0;
    for (const { takersCount } of this.#parts.partitions()) count += takersCount;
    return count;
  }

  /** Returns how to give up waiting. Throws TrubaError for a bad request. */
  pop(
    request: RequestOf<"queue.pop">,
    owner: Owner,
    sink: OutcomeSink,
    tag: number,
  ): (() => void) | undefined {
    const { partition, operation } = this.#queue(request, owner);
    const waitMs = checkedWait(request.waitMs);
    this.#parts.holds(owner, partition.id);
    // A queue that is not there is an error, which the log decides; `default` is made by its first push.
    const { queue } = request;
    if (waitMs === 0 || (queue !== "default" && !partition.stack.queues.has(queue))) {
      this.#parts.submit(operation(request.count ?? 1), sink, tag);
      return undefined;
    }
    return this.#wait(
      {
        partitions: [partition],
        source: { queue },
        operation,
        giveBack: this.#nack(queue),
      },
      { count: request.count ?? 1, waitMs, none: { kind: "tasks", tasks: [] } },
      { sink, tag },
    );
  }

  /** Takes due sessions, on whichever partition they are. */
  take(
    request: RequestOf<"session.take">,
    owner: Owner,
    sink: OutcomeSink,
    tag: number,
  ): (() => void) | undefined {
    const parts = this.#sessions(request, owner);
    return this.#wait(
      parts,
      {
        count: request.count ?? 1,
        waitMs: checkedWait(request.waitMs),
        none: { kind: "sessions", sessions: [] },
      },
      { sink, tag },
    );
  }

  /** Throws TrubaError for a bad request, NOTLEADER, OVERLOADED. */
  tasks(
    request: {
      readonly queue: string;
      readonly leaseMs?: number | undefined;
      readonly credit: number;
    },
    owner: Owner,
    sink: ItemsSink<DeliveredTask>,
  ): TakeSubscription {
    const { queue, leaseMs } = request;
    const pop = leaseMs === undefined ? { queue } : { queue, leaseMs };
    const { partition, operation } = this.#queue(pop, owner);
    if (!partition.stack.queues.has(queue) && queue !== "default")
      throw new TrubaError("NOQUEUE", `there is no queue ${JSON.stringify(queue)}`);
    this.#parts.holds(owner, partition.id);
    return this.#subscribe(
      { partitions: [partition], source: { queue }, operation, giveBack: this.#nack(queue) },
      request.credit,
      {
        items: (outcome) => {
          if (outcome.kind === "tasks") sink.items(outcome.tasks);
        },
        ended: (error) => sink.ended(error),
      },
    );
  }

  /** Throws TrubaError for a bad request, NOTLEADER, OVERLOADED. */
  sessions(
    request: { readonly kinds: readonly string[]; readonly credit: number },
    owner: Owner,
    sink: ItemsSink<DeliveredSession>,
  ): TakeSubscription {
    return this.#subscribe(this.#sessions({ kinds: request.kinds }, owner), request.credit, {
      items: (outcome) => {
        if (outcome.kind === "sessions") sink.items(outcome.sessions);
      },
      ended: (error) => sink.ended(error),
    });
  }

  /** Where a queue is, and how it is popped. The request is checked here, completely. */
  #queue(
    request: RequestOf<"queue.pop">,
    owner: Owner,
  ): { partition: Partition; operation: (count: number) => Operation } {
    const operation = (count: number): Operation =>
      operationOf({ verb: "queue.pop", request: { ...request, count } }, { owner, tag: "" });
    const { slot } = operation(request.count ?? 1);
    const partitions = this.#parts.partitions();
    const partition = partitions[partitionOfSlot(slot, partitions.length)] as Partition;
    return { partition, operation };
  }

  #sessions(request: RequestOf<"session.take">, owner: Owner): WaitingParts {
    const operation = (count: number): Operation =>
      operationOf({ verb: "session.take", request: { ...request, count } }, { owner, tag: "" });
    operation(request.count ?? 1);
    const partitions = this.#parts.partitions().filter(({ leads }) => leads);
    const [first] = partitions;
    if (first === undefined)
      throw new TrubaError("NOTLEADER", "this node leads no partition", {
        retryAfterMs: limits.notLeaderRetryAfterMs,
      });
    // An unknown kind is an error, not something to wait for.
    for (const kind of request.kinds) first.stack.sessions.mustHaveKind(kind);
    for (const { id } of partitions) this.#parts.holds(owner, id);
    return { partitions, source: { kinds: request.kinds }, operation, giveBack: this.#store };
  }

  #wait(
    parts: WaitingParts,
    wait: { count: number; waitMs: number; none: Outcome },
    answer: { sink: OutcomeSink; tag: number },
  ): () => void {
    this.#mustHaveRoom();
    const take = new WaitingTake(parts, {
      ...wait,
      clock: this.#parts.clock,
      answer: (outcome) => answer.sink.settle(answer.tag, outcome),
    });
    return () => take.giveUp();
  }

  #subscribe(
    parts: WaitingParts,
    credit: number,
    sink: { items: (outcome: Outcome) => void; ended: (error: TrubaError) => void },
  ): TakeSubscription {
    checkCredit(credit, 0);
    this.#mustHaveRoom();
    const taker = new CreditTaker(parts, {
      credit,
      items: sink.items,
      ended: ({ code, text }) => sink.ended(new TrubaError(code, text)),
    });
    return {
      credit: (count) => {
        checkCredit(count, 1);
        taker.credit(count);
      },
      close: () => taker.close(),
    };
  }

  #mustHaveRoom(): void {
    if (this.waiting < limits.waitersMaxCount) return;
    throw new TrubaError(
      "OVERLOADED",
      `${this.waiting} pops and subscriptions wait; the limit is ${limits.waitersMaxCount}`,
      { retryAfterMs: limits.overloadedRetryAfterMs },
    );
  }

  /** What nobody wants any more goes back as if it had never been handed out. */
  #nack(queue: string): (outcome: Outcome) => void {
    return (outcome) => {
      if (outcome.kind !== "tasks" || outcome.tasks.length === 0) return;
      const leases = outcome.tasks.map(({ task, lease }) => ({ task, lease }));
      const request = { queue, leases, uncounted: true };
      this.#parts.submit(
        operationOf({ verb: "queue.nack", request }, { owner: detached, tag: "" }),
        nobody,
        0,
      );
    };
  }

  readonly #store = (outcome: Outcome): void => {
    if (outcome.kind !== "sessions") return;
    for (const session of outcome.sessions)
      this.#parts.submit(giveBackOperation(session), nobody, 0);
  };
}

function checkedWait(waitMs = 0): number {
  if (Number.isFinite(waitMs) && waitMs >= 0 && waitMs <= limits.waitMaxMs) return waitMs;
  throw new TrubaError("BADVALUE", `waitMs is ${waitMs}; it must be 0 to ${limits.waitMaxMs}`);
}

function checkCredit(count: number, least: number): void {
  if (Number.isSafeInteger(count) && count >= least && count <= limits.creditMaxCount) return;
  throw new TrubaError(
    "BADVALUE",
    `credit is ${count}; it must be ${least} to ${limits.creditMaxCount}`,
  );
}
