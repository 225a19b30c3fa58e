/**
 * Requests of one connection that the log does in its own time: takes, which may wait, and what administers queues. Each holds its place among the answers.
 *
 * A take that waits begins when everything before it is answered, so there is one at a time; what is sent behind it is done meanwhile if it writes, and has its turn if it
 * reads. Takes that do not wait are bounded by what their answers may come to.
 */
import { limits } from "../base/limits.ts";
import { type Outcome, errorOutcome } from "../machines/outcome.ts";
import { itemsCount } from "../node/waiting.ts";
import type { OutcomeSink } from "../partition/answer.ts";
import type { PreparedRequest } from "./command.ts";
import type { ConnectionFlow } from "./connection-flow.ts";
import { failureOf } from "./failure.ts";
import type { Render } from "./reply-queue.ts";
import type { RequestOrder } from "./request-order.ts";

export class LogRequests {
  readonly #flow: ConnectionFlow;
  readonly #order: RequestOrder;
  /** What the answers that are not written yet may come to. */
  #answersBytes = 0;
  /** The take that waits. */
  #waiting: { readonly tag: number; readonly giveUp: (() => void) | undefined } | undefined;
  /** The client can settle nothing any more, so nothing is waited for on its behalf. */
  #inputEnded = false;
  readonly #waitingSink: OutcomeSink = {
    settle: (tag, outcome) => {
      this.#flow.queue.settle(tag, outcome);
      // Nothing came, so perhaps no turn of the node is coming that would send it.
      if (itemsCount(outcome) === 0) this.#flow.flush();
    },
  };

  constructor(flow: ConnectionFlow, order: RequestOrder) {
    this.#flow = flow;
    this.#order = order;
  }

  /** Begins a request, now or as soon as it may. `render` writes its answer. */
  take(request: PreparedRequest, requestId: string | undefined, render: Render): void {
    if (!this.#mayBegin(request)) {
      this.#flow.hold({
        ready: () => !this.#order.holds("all") && this.#hasRoom(request),
        take: () => this.take(request, requestId, render),
      });
      return;
    }
    const { queue } = this.#flow;
    this.#answersBytes += request.answerMaxBytes;
    const answer = (outcome: Outcome): void => {
      this.#answersBytes -= request.answerMaxBytes;
      if (request.waits) this.#waiting = undefined;
      render(outcome);
    };
    if (request.waits) this.#waitInTurn(request, answer);
    else {
      const tag = queue.expect(answer);
      this.#begin(request, requestId, tag);
    }
    this.#order.writeAnywhere();
  }

  /** Nobody waits for the answers any more. */
  giveUp(): void {
    this.#waiting?.giveUp?.();
    this.#waiting = undefined;
  }

  /** The client will send no more, not even what would settle a task: a take that waits is refused, and so are those behind it. */
  inputEnded(): void {
    this.#inputEnded = true;
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.giveUp();
    this.#flow.queue.settle(waiting.tag, clientEnded);
    // No turn of the node may be coming that would send it.
    this.#flow.flush();
  }

  #mayBegin(request: PreparedRequest): boolean {
    return !this.#order.holds(request.scope) && this.#hasRoom(request);
  }

  #hasRoom({ answerMaxBytes }: PreparedRequest): boolean {
    if (this.#answersBytes === 0 || answerMaxBytes === 0) return true;
    return this.#answersBytes + answerMaxBytes <= limits.answerMaxBytes;
  }

  #waitInTurn(request: PreparedRequest, answer: Render): void {
    this.#order.beginWaits(request.scope);
    this.#flow.queue.expectInTurn((tag) => {
      this.#order.readDone(request.scope);
      // For a connection that is gone nothing is taken.
      if (!this.#flow.closed) this.#begin(request, undefined, tag);
    }, answer);
  }

  #begin(request: PreparedRequest, requestId: string | undefined, tag: number): void {
    const { queue } = this.#flow;
    if (request.waits && this.#inputEnded) {
      queue.settle(tag, clientEnded);
      return;
    }
    try {
      const giveUp = request.begin(requestId, request.waits ? this.#waitingSink : queue, tag);
      if (request.waits) this.#waiting = { tag, giveUp };
    } catch (error) {
      const { code, text, retryAfterMs } = failureOf(error);
      queue.settle(tag, errorOutcome(code, text, retryAfterMs));
    }
  }
}

const clientEnded = errorOutcome(
  "CLOSED",
  "the client has ended its side of the connection, so nothing is handed out to it",
);
