/**
 * One connection of the line protocol: `VERB key rest-of-line` in, one line out. The value of SET is the raw rest of its line.
 *
 *     SET key value     Created (1 replicas) | Updated (1 replicas)
 *     GET key           the value | Not found
 *     DELETE key        Deleted (1 replicas) | Not found
 *     HEARTBEAT         one line of JSON
 *     PING              PONG
 *     AUTH token        OK
 *
 * A verb that writes may follow `REQUEST id `. Errors are `Error: text`.
 */
import { limits } from "../base/limits.ts";
import type { Address, Connection } from "../base/network.ts";
import { type Outcome, done } from "../machines/outcome.ts";
import { LineDecoder } from "../protocol/line-decoder.ts";
import { LineRequest } from "../protocol/line-request.ts";
import type { NeededRole } from "./access.ts";
import { Admission } from "./admission.ts";
import { ConnectionFlow } from "./connection-flow.ts";
import { type Failure, failure } from "./failure.ts";
import { heartbeatOf } from "./heartbeat.ts";
import { type FoundRecord, findRecordAt } from "./record-read.ts";
import { LineWriter } from "./line-writer.ts";
import { checkRequestId } from "./request-id.ts";
import { RequestOrder } from "./request-order.ts";
import type { ListedSession, ServerContext } from "./server-context.ts";

/** Bytes `start` to `end` of a buffer, without the end of line. */
interface Line {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

const lineFeed = 0x0a;
const blank = 0x20;

const invalidCommand = failure("ERR", "invalid command");

export class LineSession implements ListedSession {
  readonly protocol = "line";
  readonly respVersion = 0;
  readonly id: number;
  readonly remote: Address;
  readonly connectedMs: number;
  readonly admission: Admission;
  name = "";
  libraryName = "";
  libraryVersion = "";
  lastCommand = "";
  readonly #context: ServerContext;
  readonly #connection: Connection;
  readonly #decoder = new LineDecoder();
  readonly #request = new LineRequest();
  readonly #reply: LineWriter;
  readonly #flow: ConnectionFlow;
  readonly #order: RequestOrder;
  /** The line being taken. */
  #line: Line = { buffer: Buffer.alloc(0), start: 0, end: 0 };

  constructor(parts: {
    id: number;
    context: ServerContext;
    connection: Connection;
    answered: (session: LineSession) => void;
  }) {
    this.id = parts.id;
    this.#context = parts.context;
    this.#connection = parts.connection;
    this.remote = parts.connection.remote;
    this.connectedMs = parts.context.clock.wallMs();
    const { access, logger } = parts.context;
    this.admission = new Admission({ access, logger, remote: this.remote });
    this.#reply = new LineWriter(parts.context.counters);
    this.#flow = new ConnectionFlow({
      id: this.id,
      connection: parts.connection,
      clock: parts.context.clock,
      logger,
      output: this.#reply,
      decoder: this.#decoder,
      takeNext: () => this.#takeNext(),
      answered: () => parts.answered(this),
    });
    this.#order = new RequestOrder(parts.context.node.partitions.length);
  }

  get heldBytes(): number {
    return this.#decoder.heldBytes;
  }

  get arrivingSinceMs(): number | undefined {
    return this.#flow.arrivingSinceMs;
  }

  data(chunk: Uint8Array): void {
    // Behind QUIT nothing is taken, and nothing is kept.
    if (this.#flow.ending) return;
    this.#decoder.push(chunk);
    this.#flow.read();
  }

  ended(): void {
    this.#flow.inputEnded();
  }

  closed(): void {
    this.#flow.connectionClosed();
  }

  drained(): void {
    this.#flow.flush();
  }

  kill(): void {
    this.#connection.destroy();
  }

  flush(): void {
    this.#flow.flush();
  }

  #takeNext(): boolean {
    const event = this.#decoder.next();
    if (event === "none") return false;
    if (event === "toolong")
      this.#refuse(failure("TOOLARGE", `the line is longer than ${limits.lineMaxBytes} bytes`));
    else {
      this.#context.counters.commandsProcessed++;
      this.#context.counters.lineCommandsProcessed++;
      this.#take(this.#decoder);
    }
    return true;
  }

  #take(line: Line): void {
    const request = this.#request;
    this.#line = line;
    const shape = request.split(line.buffer, line.start, line.end);
    if (shape === "empty") return;
    const { verb } = request;
    const refused =
      this.admission.refusalOf(neededBy(verb), verb) ??
      (shape === "malformed" ? invalidCommand : undefined);
    this.lastCommand = verb;
    if (refused !== undefined) this.#refuse(refused);
    if (this.admission.exhausted) this.#flow.closeAfterAnswers();
    if (refused !== undefined) return;
    switch (verb) {
      case "SET":
        this.#set(line.buffer, request);
        return;
      case "DELETE":
        this.#delete(line.buffer, request);
        return;
      case "GET":
        this.#get(line.buffer, request);
        return;
      case "HEARTBEAT":
        this.#flow.queue.inTurn(() => this.#reply.line(JSON.stringify(heartbeatOf(this.#context))));
        return;
      case "PING":
        this.#flow.queue.inTurn(() => this.#reply.line("PONG"));
        return;
      case "AUTH":
        this.#authenticate(line.buffer, request);
        return;
      case "QUIT":
        this.#flow.closeAfterAnswers();
        return;
      default:
        this.#refuse(failure("ERR", "unknown command"));
    }
  }

  /** The answer to a wrong token comes later each time; in the end the connection is closed. */
  #authenticate(line: Buffer, request: LineRequest): void {
    if (!keyOnly(line, request)) {
      this.#refuse(invalidCommand);
      return;
    }
    const { admission } = this;
    const attempt = admission.attempt(line.subarray(request.keyStart, request.keyEnd));
    const { failure: failed, afterMs } = attempt;
    if (failed === undefined) this.#flow.queue.inTurn(() => this.#reply.line("OK"));
    else if (afterMs === 0) this.#refuse(failed);
    else {
      const tag = this.#flow.queue.expect(() => this.#reply.error(failed.text));
      this.#context.clock.after(afterMs, () => {
        this.#flow.queue.settle(tag, done);
        // No turn of the node may be coming that would send it.
        this.flush();
      });
      if (admission.exhausted) this.#flow.closeAfterAnswers();
    }
  }

  #set(line: Buffer, request: LineRequest): void {
    if (!request.hasRest) {
      this.#refuse(invalidCommand);
      return;
    }
    const failed = this.#context.operation.takeSet({
      buffer: line,
      keyStart: request.keyStart,
      keyEnd: request.keyEnd,
      start: request.restStart,
      end: request.restEnd,
    });
    this.#submit(line, request, failed);
  }

  #delete(line: Buffer, request: LineRequest): void {
    const failed = keyOnly(line, request)
      ? this.#context.operation.takeDelete(line, request.keyStart, request.keyEnd)
      : invalidCommand;
    this.#submit(line, request, failed);
  }

  #get(line: Buffer, request: LineRequest): void {
    if (!keyOnly(line, request)) {
      this.#refuse(invalidCommand);
      return;
    }
    if (this.#flow.queue.length === 0) {
      this.#answerGet(line, request.keyStart, request.keyEnd);
      return;
    }
    const key = Buffer.from(line.subarray(request.keyStart, request.keyEnd));
    const parser = this.#context.key;
    const slot = parser.parse(key, 0, key.length) === undefined ? parser.slot : undefined;
    const ordered = slot !== undefined && this.#order.readWaits(slot);
    this.#flow.queue.inTurn(() => {
      if (ordered) this.#order.readDone(slot);
      this.#answerGet(key, 0, key.length);
    });
  }

  #answerGet(source: Buffer, start: number, end: number): void {
    const found = findRecordAt(source, { start, end }, this.#context);
    if (found.failure !== undefined) this.#reply.error(found.failure.text);
    else if (found.address === 0) this.#reply.line("Not found");
    else this.#writeValue(found);
  }

  #submit(line: Buffer, request: LineRequest, failed: Failure | undefined): void {
    const requestId =
      request.idEnd > request.idStart
        ? Buffer.from(line.subarray(request.idStart, request.idEnd))
        : undefined;
    const refused = failed ?? (requestId === undefined ? undefined : checkRequestId(requestId));
    if (refused !== undefined) {
      this.#refuse(refused);
      return;
    }
    const { operation } = this.#context;
    if (this.#order.holds(operation.slot)) {
      const copy = Buffer.from(line.subarray(this.#line.start, this.#line.end));
      this.#flow.hold({
        ready: () => !this.#order.holds("all"),
        take: () => this.#take({ buffer: copy, start: 0, end: copy.length }),
      });
      return;
    }
    this.#order.write(operation.slot, this.#flow.queue.length);
    this.#context.submit(
      operation,
      this.#flow.queue,
      this.#flow.queue.expect(this.#render),
      requestId,
    );
  }

  readonly #render = (outcome: Outcome): void => {
    if (outcome.kind === "error") {
      const retry =
        outcome.retryAfterMs === undefined ? "" : `; retry after ${outcome.retryAfterMs} ms`;
      this.#reply.error(`${outcome.text}${retry}`);
    } else if (outcome.kind !== "record") this.#reply.error(`unexpected outcome ${outcome.kind}`);
    else if (outcome.status === "created") this.#reply.line("Created (1 replicas)");
    else if (outcome.status === "updated") this.#reply.line("Updated (1 replicas)");
    else if (outcome.status === "deleted") this.#reply.line("Deleted (1 replicas)");
    else this.#reply.line("Not found");
  };

  #refuse(failed: Failure): void {
    this.#flow.queue.inTurn(() => this.#reply.error(failed.text));
  }

  /** A value that holds a line break cannot be one line. */
  #writeValue({ records, address }: FoundRecord): void {
    const value = records
      .buffer(address)
      .subarray(records.valueStart(address), records.valueEnd(address));
    if (value.includes(lineFeed))
      this.#reply.error("the value holds a line break; read it over RESP");
    else this.#reply.bytes(value);
  }
}

/** What each verb takes; one that is not known is told so to those who may read. */
function neededBy(verb: string): NeededRole | "none" {
  if (verb === "AUTH" || verb === "QUIT") return "none";
  return verb === "SET" || verb === "DELETE" ? "write" : "read";
}

/** Whether a key stands behind the verb and nothing but blanks behind the key. */
function keyOnly(line: Buffer, request: LineRequest): boolean {
  if (request.keyEnd === request.keyStart) return false;
  for (let at = request.restStart; at < request.restEnd; at++) if (line[at] !== blank) return false;
  return true;
}
