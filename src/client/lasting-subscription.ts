/**
 * A subscription that lasts: it keeps its credit, and begins anew, with back-off, when its channel lost it. Tasks and sessions are consumed through it.
 */
import { assert } from "../base/assert.ts";
import type { Timer } from "../base/clock.ts";
import { type Caller, isTriedAgain } from "./caller.ts";
import type { Subscription, SubscriptionSink } from "./channel.ts";

export interface LastingOptions<Item> {
  readonly caller: Caller;
  /** Items that may be with the consumer at one time. */
  readonly credit: number;
  /** Subscribes. May throw what `ended` would tell. */
  subscribe(credit: number, sink: SubscriptionSink<Item>): Subscription;
  items(items: readonly Item[]): void;
  /** Resolves when the node has been told of all that was given back. */
  settled(): Promise<void>;
  /** What came so far has gone back, because a connection was lost; it begins anew. */
  lost(error: Error): void;
  /** It will not begin anew. Told once, and not after {@link LastingSubscription.close}. */
  ended(error: Error): void;
}

export class LastingSubscription<Item> {
  readonly #options: LastingOptions<Item>;
  #current: Subscription | undefined;
  /** Of the credit, what no item has used: granted to the channel, or about to be. */
  #free: number;
  /** Of it, what the channel has not been told yet. */
  #untold = 0;
  #tellingSoon = false;
  #failures = 0;
  #retry: Timer | undefined;
  #open = true;
  /** Counts subscriptions, so that what an old one tells late is not taken for news. */
  #round = 0;

  constructor(options: LastingOptions<Item>) {
    this.#options = options;
    this.#free = options.credit;
    // Not at once: the owner is still being made.
    options.caller.clock.soon(() => this.#subscribe());
  }

  /** So many of the items are with the consumer no more. Told to the channel once a turn. */
  giveBack(count: number): void {
    this.#free += count;
    assert(this.#free <= this.#options.credit, "no more items come back than came");
    if (!this.#open) this.#maybeRelease();
    if (!this.#open || this.#retry !== undefined) return;
    this.#untold += count;
    if (this.#tellingSoon) return;
    this.#tellingSoon = true;
    this.#options.caller.clock.soon(() => this.#tell());
  }

  /** Brings nothing more. */
  close(): void {
    this.#open = false;
    this.#retry?.cancel();
    this.#current?.close();
    this.#maybeRelease();
  }

  #maybeRelease(): void {
    const current = this.#current;
    if (this.#free < this.#options.credit || current === undefined) return;
    this.#current = undefined;
    // Else the node might hear of the end before it hears what became of the last items.
    void this.#options.settled().then(() => current.release?.());
  }

  #tell(): void {
    this.#tellingSoon = false;
    if (!this.#open || this.#retry !== undefined || this.#untold === 0) return;
    if (this.#current === undefined) this.#subscribe();
    else {
      this.#current.credit(this.#untold);
      this.#untold = 0;
    }
  }

  /** With all of the free credit; if there is none, as soon as there is some. */
  #subscribe(): void {
    this.#retry = undefined;
    this.#untold = 0;
    if (!this.#open || this.#current !== undefined || this.#free === 0) return;
    const round = ++this.#round;
    const sink: SubscriptionSink<Item> = {
      items: (items) => {
        if (round === this.#round) this.#take(items);
      },
      ended: (error) => {
        if (round === this.#round) this.#lose(error);
      },
    };
    try {
      const subscription = this.#options.subscribe(this.#free, sink);
      // It may have ended before it was here.
      if (round === this.#round) this.#current = subscription;
    } catch (error) {
      this.#lose(error as Error);
    }
  }

  #take(items: readonly Item[]): void {
    this.#failures = 0;
    this.#free -= items.length;
    assert(this.#free >= 0, "a subscription brings no more than its credit");
    this.#options.items(items);
  }

  #lose(error: Error): void {
    this.#round++;
    this.#current = undefined;
    if (!this.#open) return;
    if (!isTriedAgain(error)) {
      this.#open = false;
      this.#options.ended(error);
      return;
    }
    const { caller } = this.#options;
    const waitMs = caller.waitMs(++this.#failures, error);
    this.#retry = caller.clock.after(waitMs, () => this.#subscribe());
    if (error.code === "NOCONNECTION") this.#options.lost(error);
  }
}
