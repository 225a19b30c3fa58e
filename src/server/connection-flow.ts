/**
 * The flow of one connection, whatever protocol it speaks: requests are taken while there is room, answers leave in one write per turn, and a client that sends faster
 * than it reads is not read for a while.
 *
 *     reading ──too much waits, or a request is held──► paused ──half of it answered, nothing held──► reading
 *        └──────────────QUIT, end of input, broken protocol──────────────► ending ──all answered──► ended
 */
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/logger.ts";
import type { Connection } from "../base/network.ts";
import { ReplyQueue } from "./reply-queue.ts";

/** Answers that are written and not sent. */
export interface Output {
  readonly bufferedBytes: number;
  flushTo(connection: Connection): void;
}

interface FlowParts {
  /** For the log. */
  readonly id: number;
  readonly connection: Connection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly output: Output;
  readonly decoder: { readonly partial: boolean };
  /** Takes the next request that has arrived; says whether there was one. */
  takeNext(): boolean;
  /** Answers wait for {@link ConnectionFlow.flush} at the end of the turn. Told once until then. */
  answered(): void;
  /** Told whenever what was written has been sent, as far as the client takes it. */
  flushed?(): void;
}

/** A request that cannot be taken yet. */
interface Held {
  ready(): boolean;
  take(): void;
}

export class ConnectionFlow {
  /** The answers, in their order. */
  readonly queue: ReplyQueue;
  /** When the request that is arriving began, or when the client should have closed (monotonic ms); `undefined` between requests. */
  arrivingSinceMs: number | undefined;
  readonly #parts: FlowParts;
  readonly #connection: Connection;
  readonly #output: Output;
  #held: Held | undefined;
  #marked = false;
  #paused = false;
  #ending = false;
  #ended = false;
  #closed = false;

  constructor(parts: FlowParts) {
    this.#parts = parts;
    this.#connection = parts.connection;
    this.#output = parts.output;
    this.queue = new ReplyQueue(
      () => this.mark(),
      () => this.#waitingBytes <= limits.connectionOutputPauseBytes,
    );
  }

  /** Whether no more requests are taken: those behind QUIT or an error of the protocol. */
  get ending(): boolean {
    return this.#ending;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether so much waits to be taken by the client that nothing should be sent that was not asked for. */
  get full(): boolean {
    return this.#waitingBytes > limits.connectionOutputPauseBytes;
  }

  /** Takes the requests that have arrived. */
  read(): void {
    while (!this.#paused && !this.#closed && !this.#ending) {
      if (!this.#parts.takeNext()) break;
      if (
        this.queue.length >= limits.connectionPendingMaxCount ||
        this.#output.bufferedBytes > limits.connectionOutputPauseBytes
      )
        this.#pause();
    }
    this.#trackArrival();
    if (this.queue.length === 0 || this.#ending) this.flush();
    else if (this.#output.bufferedBytes > 0) this.mark();
  }

  /** Takes this request when it is ready, and until then no other. */
  hold(held: Held): void {
    this.#held = held;
    this.#pause();
  }

  /** Answers were written: they leave at the end of the turn. */
  mark(): void {
    if (this.#marked) return;
    this.#marked = true;
    this.#parts.answered();
  }

  /** Sends what has been answered. */
  flush(): void {
    this.#marked = false;
    if (this.#closed) return;
    for (;;) {
      this.#output.flushTo(this.#connection);
      const isFull = this.#connection.bufferedBytes > limits.connectionOutputPauseBytes;
      if (isFull || !this.queue.runnable) break;
      this.queue.advance();
    }
    if (this.#connection.bufferedBytes > limits.connectionOutputMaxBytes) {
      this.#parts.logger.warn(
        { session: this.#parts.id, bytes: this.#connection.bufferedBytes },
        "closed: the client does not take its answers",
      );
      this.#connection.destroy();
    } else if (this.#ending && this.queue.length === 0) this.#end();
    else {
      this.#maybeResume();
      this.#parts.flushed?.();
    }
  }

  /** Closes once what was answered and what is still to be answered is sent; takes no more requests. */
  closeAfterAnswers(): void {
    this.#ending = true;
    this.mark();
  }

  /** The client will send no more: what it asked is answered, then the connection is closed. */
  inputEnded(): void {
    this.#ending = true;
    if (this.queue.length === 0) this.flush();
  }

  connectionClosed(): void {
    this.#closed = true;
    this.#held = undefined;
  }

  get #waitingBytes(): number {
    return this.#output.bufferedBytes + this.#connection.bufferedBytes;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.end();
    this.arrivingSinceMs = this.#parts.clock.monotonicMs();
  }

  #trackArrival(): void {
    if (this.#ended) return;
    if (!this.#parts.decoder.partial || this.#paused) this.arrivingSinceMs = undefined;
    else this.arrivingSinceMs ??= this.#parts.clock.monotonicMs();
  }

  #pause(): void {
    this.#paused = true;
    this.#connection.pause();
  }

  #maybeResume(): void {
    if (!this.#paused) return;
    if (this.#held?.ready() === false) return;
    if (this.queue.length > limits.connectionPendingMaxCount / 2) return;
    if (this.#connection.bufferedBytes > limits.connectionOutputPauseBytes) return;
    this.#paused = false;
    this.#connection.resume();
    const held = this.#held;
    this.#held = undefined;
    held?.take();
    this.read();
  }
}
