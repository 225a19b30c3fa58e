/**
 * One RESP connection: requests in, answers out in their order, one write for all answers of a turn.
 */
import { limits } from "../base/limits.ts";
import type { Address, Connection } from "../base/network.ts";
import { done } from "../machines/outcome.ts";
import { RespDecoder } from "../protocol/resp-decoder.ts";
import type { RespWriter } from "../protocol/resp-writer.ts";
import type { Call } from "./call.ts";
import type { CommandIndex } from "./command-index.ts";
import { CountedWriter } from "./counted-writer.ts";
import { type Failure, failure } from "./failure.ts";
import { ReplyQueue } from "./reply-queue.ts";
import { RequestRunner } from "./request-runner.ts";
import type { ServerContext } from "./server-context.ts";
import { type Session, writeFailure } from "./session.ts";

export class RespSession implements Session {
  readonly protocol = "resp";
  readonly id: number;
  readonly context: ServerContext;
  readonly reply: RespWriter;
  readonly remote: Address;
  readonly connectedMs: number;
  name = "";
  libraryName = "";
  libraryVersion = "";
  lastCommand = "";
  /** When the request that is arriving began, or when the client should have closed (monotonic ms); `undefined` between requests. */
  arrivingSinceMs: number | undefined;
  readonly #connection: Connection;
  readonly #decoder = new RespDecoder();
  readonly #queue: ReplyQueue;
  readonly #answered: (session: RespSession) => void;
  readonly #runner: RequestRunner;
  /** A write that must wait for reads; the connection is paused meanwhile. */
  #held: (() => void) | undefined;
  #marked = false;
  #paused = false;
  #ending = false;
  #closed = false;

  /** `answered` is told when answers wait to be flushed at the end of the turn. */
  constructor(parts: {
    id: number;
    context: ServerContext;
    connection: Connection;
    commands: CommandIndex;
    answered: (session: RespSession) => void;
  }) {
    this.id = parts.id;
    this.context = parts.context;
    this.reply = new CountedWriter(parts.context.counters);
    this.remote = parts.connection.remote;
    this.connectedMs = parts.context.clock.wallMs();
    this.#connection = parts.connection;
    this.#answered = parts.answered;
    this.#queue = new ReplyQueue(
      () => this.#mark(),
      () =>
        this.reply.bufferedBytes + this.#connection.bufferedBytes <=
        limits.connectionOutputPauseBytes,
    );
    this.#runner = new RequestRunner({
      session: this,
      commands: parts.commands,
      queue: this.#queue,
      hold: (request) => {
        this.#held = request;
        this.#pause();
      },
    });
  }

  get inTransaction(): boolean {
    return this.#runner.inTransaction;
  }

  get respVersion(): 2 | 3 {
    return this.reply.resp3 ? 3 : 2;
  }

  get heldBytes(): number {
    return this.#decoder.heldBytes;
  }

  data(chunk: Uint8Array): void {
    // Behind QUIT or an error of the protocol nothing is taken, and nothing is kept.
    if (this.#ending) return;
    this.#decoder.push(chunk);
    this.#read();
  }

  /** The client will send no more: answer what it asked, then close. */
  ended(): void {
    this.#ending = true;
    if (this.#queue.length === 0) this.flush();
  }

  closed(): void {
    this.#closed = true;
    this.#runner.forgetTransaction();
    this.#held = undefined;
  }

  drained(): void {
    this.flush();
  }

  kill(): void {
    this.#connection.destroy();
  }

  /** Sends what has been answered. */
  flush(): void {
    this.#marked = false;
    if (this.#closed) return;
    for (;;) {
      this.reply.flushTo(this.#connection);
      if (
        !this.#queue.runnable ||
        this.#connection.bufferedBytes > limits.connectionOutputPauseBytes
      )
        break;
      this.#queue.advance();
    }
    if (this.#connection.bufferedBytes > limits.connectionOutputMaxBytes) {
      this.context.logger.warn(
        { session: this.id, bytes: this.#connection.bufferedBytes },
        "closed: the client does not take its answers",
      );
      this.#connection.destroy();
    } else if (this.#ending && this.#queue.length === 0) {
      this.#connection.end();
      this.arrivingSinceMs = this.context.clock.monotonicMs();
    } else {
      this.#maybeResume();
    }
  }

  refuse(failed: Failure): void {
    this.#queue.inTurn(() => writeFailure(this.reply, failed));
  }

  answer(write: (reply: RespWriter) => void): void {
    this.#queue.inTurn(() => write(this.reply));
  }

  answerLater(): (write: (reply: RespWriter) => void) => void {
    this.#runner.beginElsewhere();
    let write: ((reply: RespWriter) => void) | undefined;
    const tag = this.#queue.expect(() => write?.(this.reply));
    return (answer) => {
      write = answer;
      this.#queue.settle(tag, done);
      // No turn of the node may be coming that would send it.
      this.flush();
    };
  }

  quit(): void {
    this.answer((reply) => reply.ok());
    this.closeAfterAnswers();
  }

  closeAfterAnswers(): void {
    this.#ending = true;
    this.#mark();
  }

  reset(): void {
    this.#runner.forgetTransaction();
    this.name = "";
    this.answer((reply) => {
      reply.resp3 = false;
      reply.simple("RESET");
    });
  }

  dispatch(call: Call): void {
    this.#runner.dispatch(call);
  }

  beginTransaction(): void {
    this.#runner.beginTransaction();
  }

  queueRequestId(call: Call): void {
    this.#runner.queueRequestId(call);
  }

  executeTransaction(): void {
    this.#runner.executeTransaction();
  }

  discardTransaction(): void {
    this.#runner.discardTransaction();
  }

  #read(): void {
    const { counters } = this.context;
    while (!this.#paused && !this.#closed && !this.#ending) {
      const event = this.#decoder.next();
      if (event === "command") {
        counters.commandsProcessed++;
        this.#runner.dispatch(this.#decoder);
      } else if (event === "toolarge") {
        this.#runner.refuse(
          failure(
            "TOOLARGE",
            `the command is ${this.#decoder.tooLargeBytes} bytes; a value may be ${limits.valueMaxBytes}`,
          ),
        );
      } else if (event === "error") {
        this.#ending = true;
        this.refuse(failure("ERR", this.#decoder.errorText));
        this.#mark();
      } else break;
      if (
        this.#queue.length >= limits.connectionPendingMaxCount ||
        this.reply.bufferedBytes > limits.connectionOutputPauseBytes
      ) {
        this.#pause();
      }
    }
    this.#trackArrival();
    if (this.#queue.length === 0 || this.#ending) this.flush();
    else if (this.reply.bufferedBytes > 0) this.#mark();
  }

  #trackArrival(): void {
    if (!this.#decoder.partial || this.#paused) this.arrivingSinceMs = undefined;
    else this.arrivingSinceMs ??= this.context.clock.monotonicMs();
  }

  #pause(): void {
    this.#paused = true;
    this.#connection.pause();
  }

  #maybeResume(): void {
    if (!this.#paused || this.#closed) return;
    if (this.#held !== undefined && this.#runner.holds) return;
    if (this.#queue.length > limits.connectionPendingMaxCount / 2) return;
    if (this.#connection.bufferedBytes > limits.connectionOutputPauseBytes) return;
    this.#paused = false;
    this.#connection.resume();
    const held = this.#held;
    this.#held = undefined;
    held?.();
    this.#read();
  }

  #mark(): void {
    if (this.#marked) return;
    this.#marked = true;
    this.#answered(this);
  }
}
