/**
 * Subscriptions of one connection: what they bring is pushed between answers (RESP3), as far as the client gave credit.
 *
 *     >3 truba.tasks <id> <array of tasks>
 *     >3 truba.sessions <id> <array of sessions>
 *     >4 truba.ended <id> <code> <text>      it brings nothing more
 *
 * A client that does not take what is pushed loses its connection by the limits of answers, and what it was brought goes back.
 */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { TakeSubscription } from "../node/takes.ts";
import type { RespWriter } from "../protocol/resp-writer.ts";
import type { ConnectionFlow } from "./connection-flow.ts";
import { writeResponse } from "./response-writer.ts";

/** What a subscription tells. */
export interface PushSink {
  items(items: readonly object[]): void;
  ended(error: TrubaError): void;
}

export class Subscriptions {
  readonly #open = new Map<number, TakeSubscription>();
  readonly #reply: RespWriter;
  readonly #flow: ConnectionFlow;
  #nextId = 1;

  constructor(reply: RespWriter, flow: ConnectionFlow) {
    this.#reply = reply;
    this.#flow = flow;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Opens one; `kind` names its pushes. Returns its id, before anything is pushed. Throws TrubaError. */
  open(
    kind: "truba.tasks" | "truba.sessions",
    begin: (sink: PushSink) => TakeSubscription,
  ): number {
    if (this.#open.size >= limits.connectionSubscriptionsMaxCount)
      throw new TrubaError(
        "TOOMANY",
        `the connection has ${this.#open.size} subscriptions; the limit is ${limits.connectionSubscriptionsMaxCount}`,
      );
    const id = this.#nextId++;
    const subscription = begin({
      items: (items) => {
        this.#push(3, kind, id);
        writeResponse(items, this.#reply);
        this.#flow.mark();
      },
      ended: ({ code, message }) => {
        this.#open.delete(id);
        this.#push(4, "truba.ended", id);
        this.#reply.bulkText(code);
        this.#reply.bulkText(message);
        // No turn of the node may be coming that would send it.
        this.#flow.flush();
      },
    });
    this.#open.set(id, subscription);
    return id;
  }

  /** Whether there is one of this id to give credit to. Throws TrubaError. */
  maybeCredit(id: number, count: number): boolean {
    const subscription = this.#open.get(id);
    subscription?.credit(count);
    return subscription !== undefined;
  }

  /** Whether there was one of this id. */
  maybeClose(id: number): boolean {
    const subscription = this.#open.get(id);
    if (subscription === undefined) return false;
    this.#open.delete(id);
    subscription.close();
    return true;
  }

  closeAll(): void {
    for (const subscription of this.#open.values()) subscription.close();
    this.#open.clear();
  }

  #push(count: number, kind: string, id: number): void {
    this.#reply.push(count);
    this.#reply.bulkText(kind);
    this.#reply.integer(id);
  }
}
