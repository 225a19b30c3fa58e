/**
 * Does the requests of one RESP connection: finds the command, gives writes to their partitions, lets reads run in their turn, keeps the open group.
 */
import { type ErrorOutcome, type Outcome, errorOutcome } from "../machines/outcome.ts";
import type { OutcomeSink } from "../partition/answer.ts";
import type { Partition } from "../partition/partition.ts";
import { partitionOfSlot } from "../placement/slots.ts";
import { type Call, CallView, CopiedCall, isWord, quoted } from "./call.ts";
import type { CommandIndex } from "./command-index.ts";
import {
  type Command,
  type ManyCommand,
  type PlainCommand,
  type ReadCommand,
  type WriteCommand,
  isFailure,
} from "./command.ts";
import { type Failure, failure } from "./failure.ts";
import type { Operation } from "../machines/operation.ts";
import type { Render, ReplyQueue } from "./reply-queue.ts";
import { checkRequestId } from "./request-id.ts";
import { type ReadScope, RequestOrder } from "./request-order.ts";
import type { ServerContext } from "./server-context.ts";
import { type Session, writeFailure } from "./session.ts";
import { Transaction } from "./transaction.ts";

interface RequestRunnerParts {
  readonly session: Session;
  readonly commands: CommandIndex;
  readonly queue: ReplyQueue;
  /** Takes a request later, when {@link RequestRunner.holds} no more, and until then no other. */
  readonly hold: (request: () => void) => void;
}

export class RequestRunner {
  readonly #session: Session;
  readonly #context: ServerContext;
  readonly #commands: CommandIndex;
  readonly #queue: ReplyQueue;
  readonly #hold: (request: () => void) => void;
  readonly #order: RequestOrder;
  #transaction: Transaction | undefined;
  #rendered: WriteCommand | undefined;
  #render: Render = () => {};

  constructor({ session, commands, queue, hold }: RequestRunnerParts) {
    this.#session = session;
    this.#context = session.context;
    this.#commands = commands;
    this.#queue = queue;
    this.#hold = hold;
    this.#order = new RequestOrder(session.context.node.partitions.length);
  }

  get inTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  /** Whether reads wait that a held request must not overtake. */
  get holds(): boolean {
    return this.#order.holds("all");
  }

  dispatch(call: Call): void {
    const command = this.#commands.find(call);
    if (command === undefined) {
      this.refuse(failure("ERR", `unknown command ${quoted(call, 0)}`));
      return;
    }
    this.#session.lastCommand = command.name;
    if (command.arity > 0 ? call.count !== command.arity : call.count < -command.arity) {
      this.refuse(
        failure("ERR", `wrong number of arguments for '${command.name.toLowerCase()}' command`),
      );
      return;
    }
    if (command.kind === "control") command.control(call, this.#session);
    else if (this.#transaction !== undefined) this.#queueCommand(command, call, this.#transaction);
    else if (command.kind === "write") this.#write(command, call);
    else if (command.kind === "many") this.#writeMany(command, call);
    else if (this.#queue.length === 0) command.run(call, this.#session, this.#session.reply);
    else this.#readInTurn(command, new CopiedCall(call));
  }

  /** Refuses a request; inside MULTI, EXEC will refuse too. */
  refuse(failed: Failure): void {
    if (this.#transaction !== undefined) this.#transaction.broken = true;
    this.#session.refuse(failed);
  }

  /** Something is under way of which no one knows which partitions it needs. */
  beginElsewhere(): void {
    this.#order.writeAnywhere();
  }

  forgetTransaction(): void {
    this.#transaction = undefined;
  }

  beginTransaction(): void {
    if (this.#transaction !== undefined) {
      this.#session.refuse(failure("ERR", "MULTI calls can not be nested"));
      return;
    }
    const partitions = this.#context.node.partitions.length;
    this.#transaction = new Transaction((slot) => partitionOfSlot(slot, partitions));
    this.#session.answer((reply) => reply.ok());
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
      this.refuse(failed);
      return;
    }
    transaction?.setRequestId(call);
    this.#session.answer((reply) => reply.simple("QUEUED"));
  }

  discardTransaction(): void {
    if (this.#transaction === undefined) {
      this.#session.refuse(failure("ERR", "DISCARD without MULTI"));
      return;
    }
    this.#transaction = undefined;
    this.#session.answer((reply) => reply.ok());
  }

  executeTransaction(): void {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    if (transaction === undefined) {
      this.#session.refuse(failure("ERR", "EXEC without MULTI"));
      return;
    }
    if (transaction.broken) {
      this.#session.refuse(
        failure("EXECABORT", "Transaction discarded because of previous errors."),
      );
      return;
    }
    if (transaction.partition === undefined) {
      this.#session.answer((reply) => transaction.render([], reply));
      return;
    }
    if (this.#order.holds("all")) {
      this.#hold(() => {
        this.#transaction = transaction;
        this.executeTransaction();
      });
      return;
    }
    const partition = this.#context.node.partitions[transaction.partition] as Partition;
    this.#order.writeOn(transaction.partition, this.#queue.length);
    const tag = this.#queue.expect((outcome) => this.#renderGroup(transaction, outcome));
    const refusal = partition.admit();
    if (refusal !== undefined) {
      this.#queue.settle(tag, refusal);
      return;
    }
    const writer = partition.open();
    writer.beginGroup(transaction.operations, transaction.requestId);
    transaction.encode(writer, this.#session);
    writer.endGroup();
    partition.enqueue(this.#queue, tag);
  }

  /** A command that must not run before it has its turn. */
  #readInTurn(command: PlainCommand | ReadCommand, call: Call): void {
    const scope = this.#scopeOf(command, call);
    const ordered = scope !== undefined && this.#order.readWaits(scope);
    this.#queue.inTurn(() => {
      if (ordered) this.#order.readDone(scope);
      command.run(call, this.#session, this.#session.reply);
    });
  }

  /** What a command reads; `undefined` if that is no records. */
  #scopeOf({ flags, keys }: Command, call: Call): ReadScope | undefined {
    if (!flags.includes("readonly")) return undefined;
    const [first, last] = keys;
    const isOne = first > 0 && (last > 0 ? last : call.count + last) === first;
    if (!isOne) return "all";
    const { key } = this.#context;
    const failed = key.parse(call.buffer, call.start(first), call.end(first));
    return failed === undefined ? key.slot : undefined;
  }

  #write(command: WriteCommand, call: Call): void {
    const requestId = this.#requestIdOf(call, command);
    const parsed =
      requestId === undefined
        ? command.parse(call, this.#session)
        : this.#parseWithId(command, call, requestId);
    if (isFailure(parsed)) this.refuse(parsed);
    else if (this.#order.holds(parsed.slot)) {
      const copy = new CopiedCall(call);
      this.#hold(() => this.#write(command, copy));
    } else {
      this.#order.write(parsed.slot, this.#queue.length);
      const tag = this.#queue.expect(this.#renderOf(command));
      this.#context.submit(parsed, this.#queue, tag, requestId);
    }
  }

  #parseWithId(command: WriteCommand, call: Call, requestId: Buffer): Operation | Failure {
    const bare = new CallView(call, { nameIndex: 0, firstIndex: 1, end: call.count - 2 });
    return checkRequestId(requestId) ?? command.parse(bare, this.#session);
  }

  /** The id in a trailing `REQUEST id`. */
  #requestIdOf(call: Call, command: Command): Buffer | undefined {
    const bare = call.count - 2;
    if (bare < Math.abs(command.arity) || !isWord(call, bare, "REQUEST")) return undefined;
    return Buffer.from(call.buffer.subarray(call.start(bare + 1), call.end(bare + 1)));
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
    let slot = 0;
    for (let i = 1; i <= count; i++) {
      const parsed = failed ?? command.parse(call, i, this.#session);
      if (isFailure(parsed)) {
        this.refuse(parsed);
        return;
      }
      slot = parsed.slot;
      const refusal = this.#context.node.partitionOf(slot).admit();
      if (refusal !== undefined) {
        this.#queue.inTurn(() => this.#renderError(refusal));
        return;
      }
    }
    if (this.#order.holds(count === 1 ? slot : "all")) {
      const copy = new CopiedCall(call);
      this.#hold(() => this.#writeMany(command, copy));
      return;
    }
    if (count === 1) this.#order.write(slot, this.#queue.length);
    else this.#order.writeAnywhere();
    const outcomes: Outcome[] = [];
    const tag = this.#queue.expect((outcome) => {
      if (outcome.kind === "error") this.#renderError(outcome);
      else this.#session.reply.integer(outcomes.filter((each) => command.counts(each)).length);
    });
    const collect: OutcomeSink = {
      settle: (_, outcome) => {
        outcomes.push(outcome);
        if (outcomes.length < count) return;
        this.#queue.settle(tag, outcomes.find((each) => each.kind === "error") ?? outcome);
      },
    };
    for (let i = 1; i <= count; i++) {
      const parsed = command.parse(call, i, this.#session);
      if (!isFailure(parsed)) this.#context.submit(parsed, collect, 0, requestId);
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
        : transaction.queue(command, call, this.#session);
    if (failed === undefined) {
      this.#session.answer((reply) => reply.simple("QUEUED"));
      return;
    }
    this.refuse(failed);
  }

  /** Clients mostly repeat a command, so what renders the last one is kept: no closure for each write. */
  #renderOf(command: WriteCommand): Render {
    if (this.#rendered !== command) {
      this.#rendered = command;
      this.#render = (outcome) => {
        if (outcome.kind === "error") this.#renderError(outcome);
        else command.render(outcome, this.#session.reply);
      };
    }
    return this.#render;
  }

  #renderGroup(transaction: Transaction, outcome: Outcome): void {
    if (outcome.kind === "group") transaction.render(outcome.outcomes, this.#session.reply);
    else if (outcome.kind === "aborted") {
      const why = `${outcome.code} ${outcome.index} ${outcome.text}`;
      writeFailure(this.#session.reply, failure("EXECABORT", why));
    } else if (outcome.kind === "error") this.#renderError(outcome);
    else this.#renderError(errorOutcome("ERR", `a group has no outcome ${outcome.kind}`));
  }

  #renderError(outcome: ErrorOutcome): void {
    writeFailure(this.#session.reply, outcome, outcome.retryAfterMs);
  }
}
