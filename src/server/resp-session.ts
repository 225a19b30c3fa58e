/**
 * One RESP connection: requests in, answers out in their order, one write for all answers of a turn.
 */
import { limits } from "../base/limits.ts";
import type { Address, Connection } from "../base/network.ts";
import { type Outcome, done, errorOutcome } from "../machines/outcome.ts";
import type { OutcomeSink } from "../partition/answer.ts";
import type { Partition } from "../partition/partition.ts";
import { partitionOfSlot } from "../placement/slots.ts";
import { RespDecoder } from "../protocol/resp-decoder.ts";
import { RespWriter } from "../protocol/resp-writer.ts";
import { type Call, CallView, CopiedCall, isWord, quoted } from "./call.ts";
import type { CommandIndex } from "./command-index.ts";
import { type Command, type ManyCommand, type WriteCommand, isFailure } from "./command.ts";
import { type Failure, failure } from "./failure.ts";
import type { Operation } from "./operation.ts";
import { ReplyQueue } from "./reply-queue.ts";
import { checkRequestId } from "./request-id.ts";
import type { ServerContext } from "./server-context.ts";
import { type Session, writeFailure } from "./session.ts";
import { Transaction } from "./transaction.ts";

export class RespSession implements Session {
  readonly protocol = "resp";
  readonly id: number;
  readonly context: ServerContext;
  readonly reply = new RespWriter();
  readonly remote: Address;
  readonly connectedMs: number;
  name = "";
  libraryName = "";
  libraryVersion = "";
  lastCommand = "";
  /** When the request that is arriving began (monotonic ms); `undefined` between requests. */
  arrivingSinceMs: number | undefined;
  readonly #connection: Connection;
  readonly #commands: CommandIndex;
  readonly #decoder = new RespDecoder();
  readonly #queue: ReplyQueue;
  readonly #answered: (session: RespSession) => void;
  #marked = false;
  #paused = false;
  #ending = false;
  #closed = false;
  #transaction: Transaction | undefined;

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
    this.remote = parts.connection.remote;
    this.connectedMs = parts.context.clock.wallMs();
    this.#connection = parts.connection;
    this.#commands = parts.commands;
    this.#answered = parts.answered;
    this.#queue = new ReplyQueue(() => this.#mark());
  }

  get inTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  get respVersion(): 2 | 3 {
    return this.reply.resp3 ? 3 : 2;
  }

  get heldBytes(): number {
    return this.#decoder.heldBytes;
  }

  data(chunk: Uint8Array): void {
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
    this.#transaction = undefined;
  }

  drained(): void {
    this.#maybeResume();
  }

  kill(): void {
    this.#connection.destroy();
  }

  /** Sends what has been answered. */
  flush(): void {
    this.#marked = false;
    if (this.#closed) return;
    this.reply.flushTo(this.#connection);
    if (this.#connection.bufferedBytes > limits.connectionOutputMaxBytes) {
      this.context.logger.warn(
        { session: this.id, bytes: this.#connection.bufferedBytes },
        "closed: the client does not take its answers",
      );
      this.#connection.destroy();
    } else if (this.#ending && this.#queue.length === 0) {
      this.#connection.end();
    } else {
      this.#maybeResume();
    }
  }

  dispatch(call: Call): void {
    const command = this.#commands.find(call);
    if (command === undefined) {
      this.#refuseInTurn(failure("ERR", `unknown command ${quoted(call, 0)}`));
      return;
    }
    this.lastCommand = command.name;
    if (command.arity > 0 ? call.count !== command.arity : call.count < -command.arity) {
      this.#refuseInTurn(
        failure("ERR", `wrong number of arguments for '${command.name.toLowerCase()}' command`),
      );
      return;
    }
    if (command.kind === "control") command.control(call, this);
    else if (this.#transaction !== undefined) this.#queueCommand(command, call, this.#transaction);
    else if (command.kind === "write") this.#write(command, call);
    else if (command.kind === "many") this.#writeMany(command, call);
    else if (this.#queue.length === 0) command.run(call, this, this.reply);
    else {
      const copy = new CopiedCall(call);
      this.#queue.inTurn(() => command.run(copy, this, this.reply));
    }
  }

  refuse(failed: Failure): void {
    this.#queue.inTurn(() => this.#writeFailure(failed));
  }

  answer(write: (reply: RespWriter) => void): void {
    this.#queue.inTurn(() => write(this.reply));
  }

  answerLater(): (write: (reply: RespWriter) => void) => void {
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
    this.#transaction = undefined;
    this.name = "";
    this.answer((reply) => {
      reply.resp3 = false;
      reply.simple("RESET");
    });
  }

  beginTransaction(): void {
    if (this.#transaction !== undefined) {
      this.refuse(failure("ERR", "MULTI calls can not be nested"));
      return;
    }
    const partitions = this.context.node.partitions.length;
    this.#transaction = new Transaction((slot) => partitionOfSlot(slot, partitions));
    this.answer((reply) => reply.ok());
  }

  queueRequestId(call: Call): void {
    const transaction = this.#transaction;
    const failed =
      transaction === undefined
        ? failure("ERR", "REQUEST stands behind a write, or as a command of its own inside MULTI")
        : transaction.requestId !== undefined
          ? failure("ERR", "a group has one request id")
          : checkRequestId(call.buffer.subarray(call.start(1), call.end(1)));
    if (failed !== undefined) {
      this.#refuseInTurn(failed);
      return;
    }
    transaction?.setRequestId(call);
    this.answer((reply) => reply.simple("QUEUED"));
  }

  discardTransaction(): void {
    if (this.#transaction === undefined) {
      this.refuse(failure("ERR", "DISCARD without MULTI"));
      return;
    }
    this.#transaction = undefined;
    this.answer((reply) => reply.ok());
  }

  executeTransaction(): void {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    if (transaction === undefined) {
      this.refuse(failure("ERR", "EXEC without MULTI"));
      return;
    }
    if (transaction.broken) {
      this.refuse(failure("EXECABORT", "Transaction discarded because of previous errors."));
      return;
    }
    if (transaction.partition === undefined) {
      this.answer((reply) => transaction.render([], reply));
      return;
    }
    const partition = this.context.node.partitions[transaction.partition] as Partition;
    const tag = this.#queue.expect((outcome) => this.#renderGroup(transaction, outcome));
    const refusal = partition.admit();
    if (refusal !== undefined) {
      this.#queue.settle(tag, refusal);
      return;
    }
    const writer = partition.open();
    writer.beginGroup(transaction.operations, transaction.requestId);
    transaction.encode(writer, this);
    writer.endGroup();
    partition.enqueue(this.#queue, tag);
  }

  #read(): void {
    const { counters } = this.context;
    while (!this.#paused && !this.#closed && !this.#ending) {
      const event = this.#decoder.next();
      if (event === "command") {
        counters.commandsProcessed++;
        this.dispatch(this.#decoder);
      } else if (event === "toolarge") {
        this.#refuseInTurn(
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
    if (this.#queue.length > limits.connectionPendingMaxCount / 2) return;
    if (this.#connection.bufferedBytes > limits.connectionOutputPauseBytes) return;
    this.#paused = false;
    this.#connection.resume();
    this.#read();
  }

  #mark(): void {
    if (this.#marked) return;
    this.#marked = true;
    this.#answered(this);
  }

  #write(command: WriteCommand, call: Call): void {
    const requestId = this.#requestIdOf(call, command);
    if (requestId === undefined) {
      this.#submit(command.parse(call, this), undefined, (outcome) =>
        this.#render(command, outcome),
      );
      return;
    }
    const failed = checkRequestId(requestId);
    const bare = new CallView(call, { nameIndex: 0, firstIndex: 1, end: call.count - 2 });
    this.#submit(failed ?? command.parse(bare, this), requestId, (outcome) =>
      this.#render(command, outcome),
    );
  }

  /** The id in a trailing `REQUEST id`. */
  #requestIdOf(call: Call, command: Command): Buffer | undefined {
    const bare = call.count - 2;
    if (bare < Math.abs(command.arity) || !isWord(call, bare, "REQUEST")) return undefined;
    return Buffer.from(call.buffer.subarray(call.start(bare + 1), call.end(bare + 1)));
  }

  #submit(
    parsed: Operation | Failure,
    requestId: Buffer | undefined,
    render: (outcome: Outcome) => void,
  ): void {
    if (isFailure(parsed)) {
      this.refuse(parsed);
      return;
    }
    this.context.submit(parsed, { requestId, sink: this.#queue, tag: this.#queue.expect(render) });
  }

  /** Each key is an operation of its own; the answer counts those that did something. The first error, if any, is the answer. */
  #writeMany(command: ManyCommand, call: Call): void {
    const keys = call.count - 1;
    if (this.#requestIdOf(call, command) !== undefined && keys !== 3) {
      this.refuse(failure("ERR", "a request id goes with one key; put several into MULTI"));
      return;
    }
    const requestId = keys === 3 ? this.#requestIdOf(call, command) : undefined;
    const failed = requestId === undefined ? undefined : checkRequestId(requestId);
    const count = requestId === undefined ? keys : 1;
    for (let i = 1; i <= count; i++) {
      const parsed = failed ?? command.parse(call, i, this);
      if (!isFailure(parsed)) continue;
      this.refuse(parsed);
      return;
    }
    const outcomes: Outcome[] = [];
    const tag = this.#queue.expect((outcome) => {
      if (outcome.kind === "error") this.#renderError(outcome);
      else this.reply.integer(outcomes.filter((each) => command.counts(each)).length);
    });
    const collect: OutcomeSink = {
      settle: (_, outcome) => {
        outcomes.push(outcome);
        if (outcomes.length < count) return;
        this.#queue.settle(tag, outcomes.find((each) => each.kind === "error") ?? outcome);
      },
    };
    for (let i = 1; i <= count; i++) {
      const parsed = command.parse(call, i, this);
      if (!isFailure(parsed)) this.context.submit(parsed, { requestId, sink: collect, tag: 0 });
    }
  }

  #queueCommand(
    command: Exclude<Command, { kind: "control" }>,
    call: Call,
    transaction: Transaction,
  ): void {
    const failed =
      command.kind === "plain"
        ? failure("ERR", `${command.name} is not allowed inside MULTI`)
        : transaction.queue(command, call, this);
    if (failed === undefined) {
      this.answer((reply) => reply.simple("QUEUED"));
      return;
    }
    this.#refuseInTurn(failed);
  }

  /** Refuses a request; inside MULTI, EXEC will refuse too. */
  #refuseInTurn(failed: Failure): void {
    if (this.#transaction !== undefined) this.#transaction.broken = true;
    this.refuse(failed);
  }

  #render(command: WriteCommand, outcome: Outcome): void {
    if (outcome.kind === "error") this.#renderError(outcome);
    else command.render(outcome, this.reply);
  }

  #renderGroup(transaction: Transaction, outcome: Outcome): void {
    if (outcome.kind === "group") transaction.render(outcome.outcomes, this.reply);
    else if (outcome.kind === "aborted") {
      this.#writeFailure(failure("EXECABORT", `${outcome.code} ${outcome.index} ${outcome.text}`));
    } else if (outcome.kind === "error") this.#renderError(outcome);
    else this.#renderError(errorOutcome("ERR", `a group has no outcome ${outcome.kind}`));
  }

  #renderError(outcome: Extract<Outcome, { kind: "error" }>): void {
    this.context.counters.errorsAnswered++;
    writeFailure(this.reply, outcome, outcome.retryAfterMs);
  }

  #writeFailure(failed: Failure): void {
    this.context.counters.errorsAnswered++;
    writeFailure(this.reply, failed);
  }
}
