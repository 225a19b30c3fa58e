/**
 * The end of a run for queues and sessions: when the clients have gone and all is healed, everything that is left must still come to somebody. One patient client pops and
 * acknowledges, takes and deletes, until nothing but the dead is left, or for too long.
 */
import type { Clock } from "../../src/base/clock.ts";
import type { Partition } from "../../src/partition/partition.ts";
import type { Request } from "./request.ts";
import type { QueuePlan } from "./queue-shape.ts";
import type { SessionWorkload } from "./session-workload.ts";
import type { StateBook } from "./state-book.ts";
import { StateLook, queueLeft, sessionsLeft } from "./state-look.ts";

/** Virtual time that it may take: the longest lease, silence and delay are far below. */
const drainMaxMs = 40_000;
const leaseMs = 10_000;
const atOnce = 50;
const lookAgainMs = 250;
const client = 0;

export interface DrainParts {
  readonly book: StateBook;
  readonly clock: Clock;
  readonly queues: readonly QueuePlan[];
  readonly sessions: SessionWorkload;
  /** Sends a request, to whichever host it takes. */
  readonly perform: (request: Request, done: () => void) => void;
}

export class Drain {
  readonly #parts: DrainParts;
  readonly #untilMs: number;
  readonly #done: () => void;
  #open = 0;
  /** This round has found something. */
  #found = false;

  constructor(parts: DrainParts, done: () => void) {
    this.#parts = parts;
    this.#untilMs = parts.clock.monotonicMs() + drainMaxMs;
    this.#done = done;
  }

  start(): void {
    const { book, queues, perform } = this.#parts;
    let open = queues.length;
    for (const { name, partition } of queues) {
      const step = { verb: "queue.resume", request: { queue: name } } as const;
      perform(book.request({ client, partition, steps: [step] }), () => {
        open--;
        if (open === 0) this.#round();
      });
    }
  }

  /** What comes from one queue to another is found by the next round. */
  #round(): void {
    const { queues } = this.#parts;
    this.#found = false;
    this.#open = queues.length + 1;
    for (const queue of queues) this.#drainQueue(queue);
    this.#drainSessions();
  }

  #end(): void {
    this.#open--;
    if (this.#open > 0) return;
    if (this.#found && !this.#isLate()) this.#round();
    else this.#done();
  }

  #isLate(): boolean {
    return this.#parts.clock.monotonicMs() > this.#untilMs;
  }

  #drainQueue(queue: QueuePlan): void {
    const { book, perform } = this.#parts;
    const { name, partition } = queue;
    const pop = { queue: name, count: atOnce, leaseMs };
    let leases: { task: number; lease: number }[] = [];
    const request = book.request(
      { client, partition, steps: [{ verb: "queue.pop", request: pop }], detached: true },
      ({ answers }) => {
        const outcome = answers[0]?.outcome;
        if (outcome?.kind === "tasks")
          leases = outcome.tasks.map(({ task, lease }) => ({ task, lease }));
      },
    );
    perform(request, () => {
      if (leases.length === 0)
        this.#lookAgain(
          partition,
          (one) => queueLeft(one, name),
          () => this.#drainQueue(queue),
        );
      else {
        this.#found = true;
        const ack = { queue: name, leases };
        const settle = book.request({
          client,
          partition,
          steps: [{ verb: "queue.ack", request: ack }],
        });
        perform(settle, () => this.#drainQueue(queue));
      }
    });
  }

  #drainSessions(): void {
    const { book, sessions, perform } = this.#parts;
    let taken: { session: string; epoch: number }[] = [];
    const request = sessions.takeAll(client, atOnce, 0, ({ answers }) => {
      const outcome = answers[0]?.outcome;
      if (outcome?.kind === "sessions")
        taken = outcome.sessions.map(({ session, epoch }) => ({ session, epoch }));
    });
    perform(request, () => {
      if (taken.length === 0) {
        this.#lookAgainEverywhere(0);
        return;
      }
      this.#found = true;
      let open = taken.length;
      for (const handle of taken) {
        const partition = book.partitionOf(handle.session);
        const step = { verb: "session.delete", request: handle } as const;
        perform(book.request({ client, partition, steps: [step] }), () => {
          open--;
          if (open === 0) this.#drainSessions();
        });
      }
    });
  }

  #lookAgainEverywhere(partition: number): void {
    if (partition === this.#parts.book.tags.length) {
      this.#end();
      return;
    }
    this.#ask(partition, sessionsLeft, (left) => {
      if (left === 0) this.#lookAgainEverywhere(partition + 1);
      else this.#later(() => this.#drainSessions());
    });
  }

  #lookAgain(partition: number, left: (partition: Partition) => number, goOn: () => void): void {
    this.#ask(partition, left, (count) => {
      if (count === 0) this.#end();
      else this.#later(goOn);
    });
  }

  /** Goes on after a while, or ends if it has been too long: the checks find what is left. */
  #later(goOn: () => void): void {
    const { clock } = this.#parts;
    this.#found = true;
    if (this.#isLate()) this.#end();
    else clock.after(lookAgainMs, goOn);
  }

  /** A linearizable look at a partition. */
  #ask(
    partition: number,
    count: (partition: Partition) => number,
    done: (count: number) => void,
  ): void {
    const look = new StateLook(partition, count);
    this.#parts.perform(look, () => done(look.found));
  }
}
