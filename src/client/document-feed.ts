/**
 * What is told of a document, kept until it is taken: a watch that begins anew, with back-off, when its channel lost it, and that keeps no more than so much for who is slow. Whoever
 * misses something is told a snapshot.
 */
import type { Timer } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import { weightOf } from "../patch/weight.ts";
import type { DocumentEvent } from "../protocol/documents.ts";
import { type Caller, isTriedAgain } from "./caller.ts";
import type { Watching } from "./channel.ts";

export interface DocumentFeedOptions {
  readonly caller: Caller;
  readonly name: string;
  /** There is something to {@link DocumentFeed.take}. */
  ready(): void;
  /** Nothing comes any more. Told once, and not after {@link DocumentFeed.close}. */
  ended(error: Error): void;
}

export class DocumentFeed {
  readonly #options: DocumentFeedOptions;
  #pending: DocumentEvent[] = [];
  #pendingBytes = 0;
  #watching: Watching | undefined;
  #failures = 0;
  #retry: Timer | undefined;
  #open = true;
  /** Too much came: nothing more is listened to until somebody takes. */
  #overflown = false;
  /** Counts watches, so that what an old one tells late is not taken for news. */
  #round = 0;

  constructor(options: DocumentFeedOptions) {
    this.#options = options;
    // Not at once: the owner is still being made.
    options.caller.clock.soon(() => this.#watch());
  }

  /** The next that was told. */
  take(): DocumentEvent | undefined {
    if (this.#overflown) {
      this.#overflown = false;
      this.#watch();
      return undefined;
    }
    const event = this.#pending.shift();
    if (event !== undefined) this.#pendingBytes -= bytesOf(event);
    return event;
  }

  /** What was told does not fit: all of it is told anew, from a snapshot on. */
  restart(): void {
    this.#stop();
    this.#again(undefined);
  }

  close(): void {
    this.#open = false;
    this.#retry?.cancel();
    this.#stop();
  }

  #watch(): void {
    this.#retry = undefined;
    if (!this.#open) return;
    const round = ++this.#round;
    try {
      const { caller, name } = this.#options;
      const watching = caller.channel.watch(name, {
        items: (events) => {
          if (round === this.#round) for (const event of events) this.#keep(event);
        },
        ended: (error) => {
          if (round === this.#round) this.#lose(error);
        },
      });
      // It may have ended before it was here.
      if (round === this.#round) this.#watching = watching;
      else watching.close();
    } catch (error) {
      this.#lose(error as Error);
    }
  }

  #keep(event: DocumentEvent): void {
    if (!this.#open || this.#overflown) return;
    if (event.kind === "snapshot") {
      // What was told before is in it.
      this.#forget();
    } else this.#failures = 0;
    this.#pending.push(event);
    this.#pendingBytes += bytesOf(event);
    const isTooMuch =
      this.#pending.length > limits.clientDocumentPendingMaxCount ||
      (this.#pending.length > 1 && this.#pendingBytes > limits.clientDocumentPendingMaxBytes);
    if (isTooMuch) {
      this.#stop();
      this.#overflown = true;
    }
    this.#options.ready();
  }

  /** Listens to nothing any more, and forgets what came. */
  #stop(): void {
    this.#round++;
    this.#watching?.close();
    this.#watching = undefined;
    this.#forget();
  }

  #forget(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  #lose(error: Error): void {
    this.#round++;
    this.#watching = undefined;
    if (!this.#open) return;
    if (isTriedAgain(error)) this.#again(error);
    else {
      this.#open = false;
      this.#options.ended(error);
    }
  }

  #again(error: Parameters<Caller["waitMs"]>[1] | undefined): void {
    const { caller } = this.#options;
    const waitMs = caller.waitMs(++this.#failures, error);
    this.#retry = caller.clock.after(waitMs, () => this.#watch());
  }
}

/** About what it takes in memory. */
function bytesOf(event: DocumentEvent): number {
  return event.kind === "snapshot" ? event.text.length : weightOf(event.operations);
}
