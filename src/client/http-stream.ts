/** One subscription over HTTP: a stream of server-sent events, and requests that give it credit. */
import type { Clock, Timer } from "../base/clock.ts";
import { errorText, TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Subscription, SubscriptionSink } from "./channel.ts";
import { EventStreamDecoder, type ServerEvent } from "./event-stream.ts";
import { badAnswer, errorFrom, itemsFrom } from "./http-wire.ts";

export interface HttpStreamParts {
  readonly clock: Clock;
  /** Begins the stream. */
  open(signal: AbortSignal): Promise<Response>;
  /** Tells the node something of the subscription: `ID/credit`. */
  post(suffix: string, body: unknown): void;
  /** It is to bring nothing more. */
  remove(id: string): void;
  readonly sink: SubscriptionSink<unknown>;
  /** The stream has ended. */
  over(): void;
}

/** A stream that says nothing for so long, not even that it lives, is lost. */
const silenceMaxMs = limits.eventKeepAliveMs * 2.5;

export class HttpStream implements Subscription {
  readonly #parts: HttpStreamParts;
  readonly #controller = new AbortController();
  readonly #decoder = new EventStreamDecoder();
  #id: string | undefined;
  /** Granted before the node told the id. */
  #credit = 0;
  #state: "open" | "closing" | "over" = "open";
  #watch: Timer | undefined;

  constructor(parts: HttpStreamParts) {
    this.#parts = parts;
  }

  begin(): void {
    this.#run().then(
      () => this.#end(new TrubaError("NOCONNECTION", "the node ended the stream")),
      (error: unknown) => {
        const known =
          error instanceof TrubaError ? error : new TrubaError("NOCONNECTION", errorText(error));
        this.#end(known);
      },
    );
  }

  credit(count: number): void {
    if (this.#state !== "open") return;
    this.#credit += count;
    this.#tellCredit();
  }

  /** The stream stays, because what it brought would go back with it. */
  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    if (this.#id !== undefined) this.#parts.remove(this.#id);
  }

  release(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#watch?.cancel();
    this.#controller.abort();
    this.#parts.over();
  }

  async #run(): Promise<void> {
    this.#listen();
    const response = await this.#parts.open(this.#controller.signal);
    if (!response.ok) throw await this.#problem(response);
    if (response.body === null) throw badAnswer("a stream without a body");
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#listen();
      for (const event of this.#decoder.push(value as Uint8Array)) this.#take(event);
    }
  }

  async #problem(response: Response): Promise<TrubaError> {
    const answer: unknown = await response.json().catch(() => undefined);
    const error = errorFrom(answer, response.status);
    return error.code === "UNKNOWNOUTCOME" ? new TrubaError("NOCONNECTION", error.message) : error;
  }

  #take({ event, data }: ServerEvent): void {
    const value: unknown = JSON.parse(data);
    if (event === "subscription") this.#opened((value as { readonly id: string }).id);
    else if (event === "tasks" || event === "sessions") this.#items(itemsFrom(value));
    // A document's: they are as they are, and so is what stands in them.
    else if (event === "snapshot" || event === "change") this.#items([value as object]);
    else if (event === "ended") this.#ended(errorFrom(value, 500));
  }

  #opened(id: string): void {
    this.#id = id;
    if (this.#state === "open") this.#tellCredit();
    else this.#parts.remove(id);
  }

  /** The node ends the stream, and what it brought goes back with it. */
  #ended(error: TrubaError): void {
    const begunAnew = error.retryable
      ? new TrubaError("NOCONNECTION", `${error.code} ${error.message}`)
      : error;
    this.#end(begunAnew);
  }

  #items(items: readonly object[]): void {
    // What comes after `close` goes back when the stream ends.
    if (this.#state === "open") this.#parts.sink.items(items);
  }

  #tellCredit(): void {
    if (this.#id === undefined || this.#credit === 0) return;
    this.#parts.post(`${this.#id}/credit`, { count: this.#credit });
    this.#credit = 0;
  }

  /** Something came. */
  #listen(): void {
    this.#watch?.cancel();
    this.#watch = this.#parts.clock.after(silenceMaxMs, () => {
      this.#end(new TrubaError("NOCONNECTION", `the stream was silent for ${silenceMaxMs} ms`));
    });
  }

  #end(error: TrubaError): void {
    const wasOpen = this.#state === "open";
    this.release();
    if (wasOpen) this.#parts.sink.ended(error);
  }
}
