/**
 * Does the requests of one RESP connection: finds the command, gives writes to their partitions, lets reads run in their turn, keeps the open group.
 */
import { must } from "../base/assert.ts";
import { type ErrorOutcome, type Outcome, errorOutcome } from "../machines/outcome.ts";
import type { OutcomeSink } from "../partition/answer.ts";
import { slotOf } from "../placement/slots.ts";
import type { NeededRole } from "./access.ts";
import { type Call, CallView, CopiedCall, isWord, quoted } from "./call.ts";
import type { CommandIndex } from "./command-index.ts";
import type { ConnectionFlow } from "./connection-flow.ts";
import {
  type Command,
  type LogCommand,
  type ManyCommand,
  type PlainCommand,
  type ReadCommand,
  type WriteCommand,
  isFailure,
} from "./command.ts";
import { type Failure, failure } from "./failure.ts";
import { LogRequests } from "./log-requests.ts";
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
  readonly flow: ConnectionFlow;
}

export class RequestRunner {
  readonly #session: Session;
  readonly #context: ServerContext;
  readonly #commands: CommandIndex;
  readonly #queue: ReplyQueue;
  readonly #flow: ConnectionFlow;
  readonly #order: RequestOrder;
  readonly #log: LogRequests;
  #transaction: Transaction | undefined;
  #rendered: WriteCommand | LogCommand | undefined;
  #render: Render = () => {};

  constructor({ session, commands, flow }: RequestRunnerParts) {
    this.#session = session;
    this.#context = session.context;
    this.#commands = commands;
    this.#queue = flow.queue;
    this.#flow = flow;
    this.#order = new RequestOrder(session.context.node.partitions.length);
    this.#log = new LogRequests(flow, this.#order);
  }

  get inTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  dispatch(call: Call): void {
    const command = this.#commands.find(call);
    if (!this.#isAllowed(command, call)) return;
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
    if (this.#transaction !== undefined && command.flags.includes("no_multi"))
      this.refuse(notInGroup(command));
    else if (command.kind === "control") command.control(call, this.#session);
    else if (this.#transaction !== undefined) this.#queueCommand(command, call, this.#transaction);
    else if (command.kind === "write") this.#write(command, call);
    else if (command.kind === "many") this.#writeMany(command, call);
    else if (command.kind === "log") this.#logRequest(command, call);
    else if (this.#queue.length === 0) command.run(call, this.#session, this.#session.reply);
    else this.#readInTurn(command, new CopiedCall(call));
  }

  /** The connection is gone: nothing is waited for, and a group that was not executed is forgotten. */
  close(): void {
    this.#transaction = undefined;
    this.#log.giveUp();
  }

  /** The client will send no more. */
  inputEnded(): void {
    this.#log.inputEnded();
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
    this.#transaction = new Transaction(this.#context.node.partitions.length);
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
    if (transaction.operations === 0) {
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
    const { node } = this.#context;
    const requestId = transaction.requestId?.toString("latin1");
    const index = transaction.place(() => node.requests.newTag({ requestId }));
    const partition = must(node.partitions[index]);
    this.#order.writeOn(index, this.#queue.length);
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

  /** The one place where it is seen what a connection may do. */
  #isAllowed(command: Command | undefined, call: Call): boolean {
    const { admission } = this.#session;
    const failed = admission.refusalOf(neededRole(command, call), command?.name ?? "");
    if (failed !== undefined) this.refuse(failed);
    if (admission.exhausted) this.#session.closeAfterAnswers();
    return failed === undefined;
  }

  #logRequest(command: LogCommand, call: Call): void {
    const requestId = command.takesRequestId ? this.#requestIdOf(call, command) : undefined;
    const bare = requestId === undefined ? call : withoutRequestId(call);
    const failed = requestId === undefined ? undefined : checkRequestId(requestId);
    const prepared = failed ?? command.prepare(bare, this.#session);
    if (isFailure(prepared)) this.refuse(prepared);
    else this.#log.take(prepared, requestId?.toString("latin1"), this.#renderOf(command));
  }

  /** Takes a request when no read waits any more that it must not overtake. */
  #hold(take: () => void): void {
    this.#flow.hold({ ready: () => !this.#order.holds("all"), take });
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
  #scopeOf({ flags, keys, group }: Command, call: Call): ReadScope | undefined {
    if (!flags.includes("readonly")) return undefined;
    const [first, last] = keys;
    const isOne = first > 0 && (last > 0 ? last : call.count + last) === first;
    if (!isOne) return "all";
    if (group !== "records") return slotOf(call.buffer, call.start(first), call.end(first));
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
    const failed = checkRequestId(requestId);
    if (failed !== undefined) return failed;
    const context = { requestId: requestId.toString("latin1") };
    return command.parse(withoutRequestId(call), this.#session, context);
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
      command.kind === "plain" || command.kind === "log"
        ? notInGroup(command)
        : transaction.queue(command, call, this.#session);
    if (failed === undefined) {
      this.#session.answer((reply) => reply.simple("QUEUED"));
      return;
    }
    this.refuse(failed);
  }

  /** Clients mostly repeat a command, so what renders the last one is kept: no closure for each write. */
  #renderOf(command: WriteCommand | LogCommand): Render {
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
    writeFailure(this.#session.reply, outcome);
  }
}

function notInGroup({ name, group }: Command): Failure {
  if (group === "documents") {
    return failure(
      "ERR",
      `${name} is not allowed inside MULTI: documents are on no partition and take no part in atomic groups`,
    );
  }
  return failure("ERR", `${name} is not allowed inside MULTI`);
}

/** A call whose last two arguments are `REQUEST id`, without them. */
function withoutRequestId(call: Call): CallView {
  return new CallView(call, { nameIndex: 0, firstIndex: 1, end: call.count - 2 });
}

/** What a call takes; one that is not known is told so to those who may read. */
function neededRole(command: Command | undefined, call: Call): NeededRole | "none" {
  if (command === undefined) return "read";
  if (command.subcommands === undefined || call.count < 2) return command.role;
  const subcommand = command.subcommands.find(({ name }) => isWord(call, 1, name));
  return subcommand?.role ?? command.role;
}
