/**
 * One RESP connection: requests in, answers out in their order, one write for all answers of a turn.
 */
import { unreachable } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import type { Address, Connection } from "../base/network.ts";
import { done } from "../machines/outcome.ts";
import type { Owner } from "../machines/owner.ts";
import { RespDecoder } from "../protocol/resp-decoder.ts";
import type { RespWriter } from "../protocol/resp-writer.ts";
import { Admission } from "./admission.ts";
import type { Call } from "./call.ts";
import type { CommandIndex } from "./command-index.ts";
import { ConnectionFlow } from "./connection-flow.ts";
import { CountedWriter } from "./counted-writer.ts";
import { type Failure, failure } from "./failure.ts";
import { RequestRunner } from "./request-runner.ts";
import type { ServerContext } from "./server-context.ts";
import { type Session, writeFailure } from "./session.ts";
import { Subscriptions } from "./subscriptions.ts";

export class RespSession implements Session {
  readonly protocol = "resp";
  readonly id: number;
  readonly context: ServerContext;
  readonly reply: RespWriter;
  readonly remote: Address;
  readonly connectedMs: number;
  readonly admission: Admission;
  readonly subscriptions: Subscriptions;
  name = "";
  libraryName = "";
  libraryVersion = "";
  lastCommand = "";
  readonly #connection: Connection;
  readonly #decoder = new RespDecoder();
  readonly #flow: ConnectionFlow;
  readonly #runner: RequestRunner;
  #owner: Owner | undefined;
  #gone: AbortController | undefined;
  #flushingSoon = false;
  /** Requests that have their turn, or wait for it. */
  #turns = 0;

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
    const { access, logger } = parts.context;
    this.admission = new Admission({ access, logger, remote: this.remote });
    this.#connection = parts.connection;
    this.#flow = new ConnectionFlow({
      id: this.id,
      connection: parts.connection,
      clock: parts.context.clock,
      logger,
      output: this.reply,
      decoder: this.#decoder,
      takeNext: () => this.#takeNext(),
      answered: () => parts.answered(this),
      flushed: () => this.subscriptions.resume(),
    });
    this.subscriptions = new Subscriptions(this.reply, this.#flow, () => this.#flushSoon());
    this.#runner = new RequestRunner({
      session: this,
      commands: parts.commands,
      flow: this.#flow,
    });
  }

  get owner(): Owner {
    this.#owner ??= this.context.node.requests.openOwner();
    return this.#owner;
  }

  get gone(): AbortSignal {
    this.#gone ??= new AbortController();
    return this.#gone.signal;
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

  /** When the request that is arriving began, or when the client should have closed (monotonic ms); `undefined` between requests. */
  get arrivingSinceMs(): number | undefined {
    return this.#flow.arrivingSinceMs;
  }

  data(chunk: Uint8Array): void {
    // Behind QUIT or an error of the protocol nothing is taken, and nothing is kept.
    if (this.#flow.ending) return;
    this.#decoder.push(chunk);
    this.#flow.read();
  }

  /** The client will send no more: answer what it asked, then close. */
  ended(): void {
    this.subscriptions.closeAll();
    this.#flow.inputEnded();
    this.#runner.inputEnded();
  }

  closed(): void {
    this.#flow.connectionClosed();
    this.#runner.close();
    this.subscriptions.closeAll();
    this.#gone?.abort();
    if (this.#owner !== undefined) this.context.node.requests.closeOwner(this.#owner);
  }

  drained(): void {
    this.#flow.flush();
  }

  kill(): void {
    this.#connection.destroy();
  }

  /** Sends what has been answered. */
  flush(): void {
    this.#flow.flush();
  }

  refuse(failed: Failure): void {
    this.#flow.queue.inTurn(() => writeFailure(this.reply, failed));
  }

  reject(failed: Failure): void {
    this.#runner.refuse(failed);
  }

  answer(write: (reply: RespWriter) => void): void {
    this.#flow.queue.inTurn(() => write(this.reply));
  }

  answerLater(): (write: (reply: RespWriter) => void) => void {
    this.#runner.beginElsewhere();
    let write: ((reply: RespWriter) => void) | undefined;
    const tag = this.#flow.queue.expect(() => write?.(this.reply));
    return (answer) => {
      write = answer;
      this.#flow.queue.settle(tag, done);
      this.#flushSoon();
    };
  }

  get hasTurns(): boolean {
    return this.#turns > 0;
  }

  answerInTurn(begin: (answer: (write: (reply: RespWriter) => void) => void) => void): void {
    let write: ((reply: RespWriter) => void) | undefined;
    this.#turns++;
    this.#flow.queue.expectInTurn(
      (tag) => {
        begin((answer) => {
          this.#turns--;
          write = answer;
          this.#flow.queue.settle(tag, done);
          this.#flushSoon();
        });
      },
      () => write?.(this.reply),
    );
  }

  quit(): void {
    this.answer((reply) => reply.ok());
    this.closeAfterAnswers();
  }

  closeAfterAnswers(): void {
    this.subscriptions.closeAll();
    this.#flow.closeAfterAnswers();
  }

  reset(): void {
    this.subscriptions.closeAll();
    this.#runner.forgetTransaction();
    this.admission.reset();
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

  /** No turn of the node may be coming that would send what was written. What is answered at one time leaves in one write. */
  #flushSoon(): void {
    if (this.#flushingSoon) return;
    this.#flushingSoon = true;
    this.context.clock.soon(() => {
      this.#flushingSoon = false;
      this.flush();
    });
  }

  #takeNext(): boolean {
    const event = this.#decoder.next();
    switch (event) {
      case "command":
        this.context.counters.commandsProcessed++;
        this.#runner.dispatch(this.#decoder);
        return true;
      case "toolarge":
        this.#runner.refuse(
          failure(
            "TOOLARGE",
            `the command is ${this.#decoder.tooLargeBytes} bytes; a value may be ${limits.valueMaxBytes}`,
          ),
        );
        return true;
      case "error":
        this.refuse(failure("ERR", this.#decoder.errorText));
        this.#flow.closeAfterAnswers();
        return false;
      case "none":
        return false;
      default:
        return unreachable(event);
    }
  }
}
