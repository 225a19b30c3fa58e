/**
 * One connection of the line protocol: `VERB key rest-of-line` in, one line out. The value of SET is the raw rest of its line.
 *
 *     SET key value     Created (1 replicas) | Updated (1 replicas)
 *     GET key           the value | Not found
 *     DELETE key        Deleted (1 replicas) | Not found
 *     HEARTBEAT         one line of JSON
 *     PING              PONG
 *
 * A verb that writes may follow `REQUEST id `. Errors are `Error: text`.
 */
import { limits } from "../base/limits.ts";
import type { Address, Connection } from "../base/network.ts";
import type { Outcome } from "../machines/outcome.ts";
import { LineDecoder } from "../protocol/line-decoder.ts";
import { LineRequest } from "../protocol/line-request.ts";
import { type Failure, failure } from "./failure.ts";
import { heartbeatOf } from "./heartbeat.ts";
import { type FoundRecord, findRecordAt } from "./record-read.ts";
import { ReplyQueue } from "./reply-queue.ts";
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
  name = "";
  libraryName = "";
  libraryVersion = "";
  lastCommand = "";
  arrivingSinceMs: number | undefined;
  readonly #context: ServerContext;
  readonly #connection: Connection;
  readonly #answered: (session: LineSession) => void;
  readonly #decoder = new LineDecoder();
  readonly #request = new LineRequest();
  readonly #queue: ReplyQueue;
  readonly #order: RequestOrder;
  /** The line being taken. */
  #line: Line = { buffer: Buffer.alloc(0), start: 0, end: 0 };
  /** A write that waits for reads; the connection is paused meanwhile. */
  #held: Line | undefined;
  /** Answers, as bytes in characters. */
  #text = "";
  #marked = false;
  #paused = false;
  #ending = false;
  #closed = false;

  constructor(parts: {
    id: number;
    context: ServerContext;
    connection: Connection;
    answered: (session: LineSession) => void;
  }) {
    this.id = parts.id;
    this.#context = parts.context;
    this.#connection = parts.connection;
    this.#answered = parts.answered;
    this.remote = parts.connection.remote;
    this.connectedMs = parts.context.clock.wallMs();
    this.#queue = new ReplyQueue(
      () => this.#mark(),
      () => this.#text.length + this.#connection.bufferedBytes <= limits.connectionOutputPauseBytes,
    );
    this.#order = new RequestOrder(parts.context.node.partitions.length);
  }

  get heldBytes(): number {
    return this.#decoder.heldBytes;
  }

  data(chunk: Uint8Array): void {
    // Behind QUIT nothing is taken, and nothing is kept.
    if (this.#ending) return;
    this.#decoder.push(chunk);
    this.#read();
  }

  ended(): void {
    this.#ending = true;
    if (this.#queue.length === 0) this.flush();
  }

  closed(): void {
    this.#closed = true;
  }

  drained(): void {
    this.flush();
  }

  kill(): void {
    this.#connection.destroy();
  }

  flush(): void {
    this.#marked = false;
    if (this.#closed) return;
    for (;;) {
      if (this.#text !== "") this.#connection.writeText(this.#text);
      this.#text = "";
      if (
        !this.#queue.runnable ||
        this.#connection.bufferedBytes > limits.connectionOutputPauseBytes
      )
        break;
      this.#queue.advance();
    }
    if (this.#connection.bufferedBytes > limits.connectionOutputMaxBytes)
      this.#connection.destroy();
    else if (this.#ending && this.#queue.length === 0) {
      this.#connection.end();
      this.arrivingSinceMs = this.#context.clock.monotonicMs();
    } else this.#maybeResume();
  }

  #read(): void {
    while (!this.#paused && !this.#closed && !this.#ending) {
      const event = this.#decoder.next();
      if (event === "none") break;
      if (event === "toolong")
        this.#refuse(failure("TOOLARGE", `the line is longer than ${limits.lineMaxBytes} bytes`));
      else {
        this.#context.counters.commandsProcessed++;
        this.#take(this.#decoder);
      }
      if (
        this.#queue.length >= limits.connectionPendingMaxCount ||
        this.#text.length > limits.connectionOutputPauseBytes
      ) {
        this.#pause();
      }
    }
    if (!this.#decoder.partial || this.#paused) this.arrivingSinceMs = undefined;
    else this.arrivingSinceMs ??= this.#context.clock.monotonicMs();
    if (this.#queue.length === 0) this.flush();
    else if (this.#text !== "") this.#mark();
  }

  #maybeResume(): void {
    if (!this.#paused || this.#closed) return;
    if (this.#held !== undefined && this.#order.holds("all")) return;
    if (this.#queue.length > limits.connectionPendingMaxCount / 2) return;
    if (this.#connection.bufferedBytes > limits.connectionOutputPauseBytes) return;
    this.#paused = false;
    this.#connection.resume();
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#take(held);
    this.#read();
  }

  #pause(): void {
    this.#paused = true;
    this.#connection.pause();
  }

  #mark(): void {
    if (this.#marked) return;
    this.#marked = true;
    this.#answered(this);
  }

  #take(line: Line): void {
    const request = this.#request;
    this.#line = line;
    const shape = request.split(line.buffer, line.start, line.end);
    if (shape === "empty") return;
    if (shape === "malformed") {
      this.#refuse(invalidCommand);
      return;
    }
    this.lastCommand = request.verb;
    switch (request.verb) {
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
        this.#queue.inTurn(() => this.#write(JSON.stringify(heartbeatOf(this.#context))));
        return;
      case "PING":
        this.#queue.inTurn(() => this.#write("PONG"));
        return;
      case "QUIT":
        this.#ending = true;
        this.#mark();
        return;
      default:
        this.#refuse(failure("ERR", "unknown command"));
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
    if (this.#queue.length === 0) {
      this.#answerGet(line, request.keyStart, request.keyEnd);
      return;
    }
    const key = Buffer.from(line.subarray(request.keyStart, request.keyEnd));
    const parser = this.#context.key;
    const slot = parser.parse(key, 0, key.length) === undefined ? parser.slot : undefined;
    const ordered = slot !== undefined && this.#order.readWaits(slot);
    this.#queue.inTurn(() => {
      if (ordered) this.#order.readDone(slot);
      this.#answerGet(key, 0, key.length);
    });
  }

  #answerGet(source: Buffer, start: number, end: number): void {
    const found = findRecordAt(source, { start, end }, this.#context);
    if (found.failure !== undefined) this.#writeError(found.failure.text);
    else if (found.address === 0) this.#write("Not found");
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
      this.#held = { buffer: copy, start: 0, end: copy.length };
      this.#pause();
      return;
    }
    this.#order.write(operation.slot, this.#queue.length);
    this.#context.submit(operation, this.#queue, this.#queue.expect(this.#render), requestId);
  }

  readonly #render = (outcome: Outcome): void => {
    if (outcome.kind === "error") {
      const retry =
        outcome.retryAfterMs === undefined ? "" : `; retry after ${outcome.retryAfterMs} ms`;
      this.#writeError(`${outcome.text}${retry}`);
    } else if (outcome.kind !== "record") this.#writeError(`unexpected outcome ${outcome.kind}`);
    else if (outcome.status === "created") this.#write("Created (1 replicas)");
    else if (outcome.status === "updated") this.#write("Updated (1 replicas)");
    else if (outcome.status === "deleted") this.#write("Deleted (1 replicas)");
    else this.#write("Not found");
  };

  #refuse(failed: Failure): void {
    this.#queue.inTurn(() => this.#writeError(failed.text));
  }

  #writeError(text: string): void {
    this.#context.counters.errorsAnswered++;
    this.#write(`Error: ${text}`);
  }

  /** A value that holds a line break cannot be one line. */
  #writeValue({ records, address }: FoundRecord): void {
    const value = records
      .buffer(address)
      .subarray(records.valueStart(address), records.valueEnd(address));
    if (value.includes(lineFeed))
      this.#writeError("the value holds a line break; read it over RESP");
    else this.#text += `${value.toString("latin1")}\n`;
  }

  #write(line: string): void {
    this.#text += `${Buffer.from(line, "utf8").toString("latin1")}\n`;
  }
}

/** Whether a key stands behind the verb and nothing but blanks behind the key. */
function keyOnly(line: Buffer, request: LineRequest): boolean {
  if (request.keyEnd === request.keyStart) return false;
  for (let at = request.restStart; at < request.restEnd; at++) if (line[at] !== blank) return false;
  return true;
}
