/**
 * Streams of server-sent events: tasks or sessions as they come. Each stream has an owner of its own, so what it has brought goes back as soon as its client is gone.
 *
 * A client gives credit; a part of it, `window`, is given on to the node at one time, and only while the client takes what is sent, so that one stream never keeps more
 * than that many payloads in memory.
 */
import { randomUUID } from "node:crypto";
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Owner } from "../../machines/owner.ts";
import type { Requests } from "../../node/requests.ts";
import type { ItemsSink, TakeSubscription } from "../../node/takes.ts";
import type { EventOutput } from "./event-output.ts";
import { problemOf } from "./problem.ts";
import { toWire } from "./wire.ts";

/** What a stream brings. */
export interface Subscribed {
  readonly event: "tasks" | "sessions";
  readonly credit: number;
  /** Throws TrubaError. */
  begin(owner: Owner, credit: number, sink: ItemsSink<object>): TakeSubscription;
}

export class Subscriptions {
  readonly #requests: Requests;
  readonly #open = new Map<string, EventSubscription>();

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Throws TrubaError before anything is sent. */
  open(subscribed: Subscribed, output: EventOutput): void {
    const id = randomUUID();
    const subscription = new EventSubscription(subscribed, this.#requests, output);
    this.#open.set(id, subscription);
    output.onClosed(() => {
      this.#open.delete(id);
      subscription.closed();
    });
    output.send("subscription", { id });
  }

  /** The stream may bring so many more; returns its credit. Throws TrubaError NOSUBSCRIPTION or BADVALUE. */
  credit(id: string, count: number): number {
    return this.#must(id).credit(count);
  }

  /** The stream brings nothing more. What it brought stays held until its client goes. Throws TrubaError NOSUBSCRIPTION. */
  stop(id: string): void {
    this.#must(id).stop();
  }

  /** Ends all streams. */
  end(error: TrubaError): void {
    for (const subscription of this.#open.values()) subscription.end(error);
  }

  #must(id: string): EventSubscription {
    const subscription = this.#open.get(id);
    if (subscription !== undefined) return subscription;
    throw new TrubaError(
      "NOSUBSCRIPTION",
      `there is no subscription ${JSON.stringify(id)}; its stream has ended`,
    );
  }
}

class EventSubscription {
  readonly #requests: Requests;
  readonly #owner: Owner;
  readonly #output: EventOutput;
  readonly #event: string;
  readonly #subscription: TakeSubscription;
  /** What the client allows and the node does not know yet. */
  #balance: number;
  /** What the node may bring. */
  #lent = 0;
  #stopped = false;

  constructor(subscribed: Subscribed, requests: Requests, output: EventOutput) {
    this.#requests = requests;
    this.#output = output;
    this.#event = subscribed.event;
    this.#owner = requests.openOwner();
    this.#lent = Math.min(subscribed.credit, limits.eventWindowCount);
    this.#balance = subscribed.credit - this.#lent;
    try {
      this.#subscription = subscribed.begin(this.#owner, this.#lent, {
        items: (items) => this.#items(items),
        ended: (error) => this.end(error),
      });
    } catch (error) {
      requests.closeOwner(this.#owner);
      throw error;
    }
    output.onDrained(() => this.#lend());
  }

  credit(count: number): number {
    const credit = this.#balance + this.#lent + count;
    if (credit > limits.creditMaxCount)
      throw new TrubaError(
        "BADVALUE",
        `the credit would be ${credit}; the limit is ${limits.creditMaxCount}`,
      );
    this.#balance += count;
    this.#lend();
    return credit;
  }

  stop(): void {
    this.#stopped = true;
    this.#subscription.close();
  }

  end(error: TrubaError): void {
    this.stop();
    this.#output.send("ended", problemOf(error));
    this.#output.end();
  }

  /** The client is gone. */
  closed(): void {
    this.stop();
    this.#requests.closeOwner(this.#owner);
  }

  #items(items: readonly object[]): void {
    this.#lent -= items.length;
    this.#output.send(this.#event, toWire(items));
    this.#lend();
  }

  #lend(): void {
    if (this.#stopped || this.#output.full) return;
    const more = Math.min(this.#balance, limits.eventWindowCount - this.#lent);
    if (more <= 0) return;
    this.#balance -= more;
    this.#lent += more;
    this.#subscription.credit(more);
  }
}
