/**
 * The floor: the least a Node process can do and still answer `SET` over RESP only after fdatasync. It parses, appends
 * to a zero-filled file, syncs once per turn of the event loop, and answers from a Map. Truba is measured against it to
 * show what the structure above a bare log costs.
 *
 * It is a ceiling and no store: a value is in the Map before it is durable (another connection may read it early), the
 * log starts over at its front when the file is full, nothing is read back at start, and nothing limits a client that
 * does not read its answers. A client is still answered `+OK` only when its record is on the disk.
 *
 * The log is a row of batches, one for each turn that had a SET:
 *
 *     0        4        8                16
 *     +--------+--------+----------------+---------------------------------+
 *     | length | crc32  | batch number   | the SET commands, as received   |
 *     +--------+--------+----------------+---------------------------------+
 *
 * Integers are little-endian; `length` and `crc32` cover the commands only.
 *
 * It imports nothing of ours, so that the benchmark can translate this one file and run it on plain `node`.
 */

import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";

export const BATCH_HEADER_BYTES = 16;
const LOG_BYTES = 256 * 1024 * 1024;
const FIRST_BATCH_BYTES = 1024 * 1024;
const MAX_COMMAND_BYTES = 1024 * 1024;
const MAX_ARGUMENTS = 16;

const INCOMPLETE = -1;
const MALFORMED = -2;

const CR = 0x0d;
const LF = 0x0a;
const STAR = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;
const NINE = 0x39;
/** Turns an ASCII capital into its small letter. */
const LOWER = 0x20;

/** The group commit: what gathered in one turn goes out in one write and one fdatasync. */
export class Log {
  readonly #file: number;
  readonly #bytes: number;
  #batch = Buffer.allocUnsafeSlow(FIRST_BATCH_BYTES);
  #length = BATCH_HEADER_BYTES;
  #position = 0;
  #number = 0;

  /** Overwrites the log of an earlier run. Fills the file with zeros first: overwriting allocated blocks halves the price of fdatasync. */
  constructor(path: string, bytes = LOG_BYTES) {
    this.#bytes = bytes;
    this.#file = openSync(path, "w+");
    const zeros = Buffer.alloc(Math.min(bytes, 4 * 1024 * 1024));
    for (let at = 0; at < bytes; at += zeros.length) {
      writeSync(this.#file, zeros, 0, Math.min(zeros.length, bytes - at), at);
    }
    fdatasyncSync(this.#file);
  }

  add(source: Buffer, start: number, end: number): void {
    const needed = this.#length + end - start;
    if (needed > this.#batch.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#batch.length * 2));
      this.#batch.copy(larger, 0, 0, this.#length);
      this.#batch = larger;
    }
    source.copy(this.#batch, this.#length, start, end);
    this.#length = needed;
  }

  /** Durable on return. Throws what the disk throws: the process then ends, as nothing can be promised any more. */
  commit(): void {
    const batch = this.#batch;
    const length = this.#length;
    if (length > this.#bytes)
      throw new Error(`a batch of ${length} bytes; the log holds ${this.#bytes}`);
    this.#number++;
    batch.writeUInt32LE(length - BATCH_HEADER_BYTES, 0);
    batch.writeUInt32LE(crc32(batch.subarray(BATCH_HEADER_BYTES, length)), 4);
    batch.writeUInt32LE(this.#number >>> 0, 8);
    batch.writeUInt32LE(Math.floor(this.#number / 2 ** 32), 12);
    if (this.#position + length > this.#bytes) this.#position = 0;
    for (let done = 0; done < length;) {
      done += writeSync(this.#file, batch, done, length - done, this.#position + done);
    }
    fdatasyncSync(this.#file);
    this.#position += length;
    this.#length = BATCH_HEADER_BYTES;
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** One client: bytes of a command not complete yet, and the answers that leave in the next write. */
class Connection {
  readonly socket: Socket;
  rest: Buffer | undefined = undefined;
  answers = "";
  /** True while a SET of this turn is not durable yet: its answer and all behind it wait for the commit. */
  waiting = false;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  send(): void {
    if (this.answers !== "" && this.socket.writable) this.socket.write(this.answers, "latin1");
    this.answers = "";
  }
}

/** The server. It closes the log with itself. */
export class BareServer {
  readonly #log: Log;
  readonly #server: Server;
  readonly #values = new Map<string, string>();
  readonly #connections = new Set<Connection>();
  readonly #starts = new Int32Array(MAX_ARGUMENTS);
  readonly #ends = new Int32Array(MAX_ARGUMENTS);
  #count = 0;
  #waiting: Connection[] = [];

  constructor(log: Log) {
    this.#log = log;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Resolves to the port once clients can connect; 0 asks for any free one. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () =>
        resolve((this.#server.address() as AddressInfo).port),
      );
    });
  }

  close(): Promise<void> {
    for (const connection of this.#connections) connection.socket.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => {
        this.#log.close();
        resolve();
      });
    });
  }

  #accept(socket: Socket): void {
    const connection = new Connection(socket);
    this.#connections.add(connection);
    socket.on("data", (chunk: Buffer) => this.#receive(connection, chunk));
    // A client that goes away is no event for a benchmark; "close" follows and forgets it.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#connections.delete(connection));
  }

  #receive(connection: Connection, arrived: Buffer): void {
    const chunk =
      connection.rest === undefined ? arrived : Buffer.concat([connection.rest, arrived]);
    connection.rest = undefined;
    let at = 0;
    // Neighbouring SETs go into the log in one copy: [firstSet, at) is the stretch not copied yet.
    let firstSet = -1;
    while (at < chunk.length) {
      const next = this.#parse(chunk, at);
      if (next < 0) {
        if (next === MALFORMED || chunk.length - at > MAX_COMMAND_BYTES) {
          connection.answers += "-ERR Protocol error\r\n";
          connection.socket.pause();
          // Behind the commit of this turn, so that the answers to good commands before the bad one still leave.
          setImmediate(() => connection.socket.destroySoon());
        } else {
          connection.rest = at === 0 ? chunk : chunk.subarray(at);
        }
        break;
      }
      if (this.#execute(connection, chunk)) {
        if (firstSet < 0) firstSet = at;
      } else if (firstSet >= 0) {
        this.#log.add(chunk, firstSet, at);
        firstSet = -1;
      }
      at = next;
    }
    if (firstSet >= 0) this.#log.add(chunk, firstSet, at);
    if (!connection.waiting) connection.send();
  }

  /** Finds the arguments of the command at `at`; the offset behind it, or INCOMPLETE or MALFORMED. */
  #parse(chunk: Buffer, at: number): number {
    if (chunk[at] !== STAR) return MALFORMED;
    const end = chunk.length;
    let position = at + 1;
    let count = 0;
    let byte = 0;
    for (; position < end; position++) {
      byte = chunk[position] ?? 0;
      if (byte < ZERO || byte > NINE) break;
      count = count * 10 + byte - ZERO;
    }
    if (position + 2 > end) return count > MAX_ARGUMENTS ? MALFORMED : INCOMPLETE;
    if (byte !== CR || chunk[position + 1] !== LF) return MALFORMED;
    if (count < 1 || count > MAX_ARGUMENTS) return MALFORMED;
    position += 2;
    for (let i = 0; i < count; i++) {
      if (position >= end) return INCOMPLETE;
      if (chunk[position] !== DOLLAR) return MALFORMED;
      let length = 0;
      for (position++; position < end; position++) {
        byte = chunk[position] ?? 0;
        if (byte < ZERO || byte > NINE) break;
        length = length * 10 + byte - ZERO;
      }
      if (length > MAX_COMMAND_BYTES) return MALFORMED;
      if (position + 2 > end) return INCOMPLETE;
      if (byte !== CR || chunk[position + 1] !== LF) return MALFORMED;
      const start = position + 2;
      position = start + length + 2;
      if (position > end) return INCOMPLETE;
      if (chunk[position - 2] !== CR || chunk[position - 1] !== LF) return MALFORMED;
      this.#starts[i] = start;
      this.#ends[i] = position - 2;
    }
    this.#count = count;
    return position;
  }

  #argument(chunk: Buffer, index: number): string {
    return chunk.toString("latin1", this.#starts[index] ?? 0, this.#ends[index] ?? 0);
  }

  /** Answers the command just parsed. True if it is a SET, which must be in the log before the answer leaves. */
  #execute(connection: Connection, chunk: Buffer): boolean {
    const start = this.#starts[0] ?? 0;
    const length = (this.#ends[0] ?? 0) - start;
    const letter = (chunk[start] ?? 0) | LOWER;
    const second = (chunk[start + 1] ?? 0) | LOWER;
    if (length === 3 && second === 0x65 && letter === 0x73 && this.#count === 3) {
      this.#values.set(this.#argument(chunk, 1), this.#argument(chunk, 2));
      connection.answers += "+OK\r\n";
      this.#wait(connection);
      return true;
    }
    if (length === 3 && second === 0x65 && letter === 0x67 && this.#count === 2) {
      const value = this.#values.get(this.#argument(chunk, 1));
      connection.answers += value === undefined ? "$-1\r\n" : `$${value.length}\r\n${value}\r\n`;
      return false;
    }
    connection.answers += this.#rare(chunk);
    return false;
  }

  #rare(chunk: Buffer): string {
    const name = this.#argument(chunk, 0).toUpperCase();
    if (name === "PING") return "+PONG\r\n";
    // redis-benchmark asks for `save` and `appendonly` to print them above its report.
    if (name === "CONFIG" && this.#count === 3) {
      const option = this.#argument(chunk, 2);
      return `*2\r\n$${option.length}\r\n${option}\r\n$0\r\n\r\n`;
    }
    return `-ERR unknown command or wrong number of arguments for '${name.slice(0, 32)}'\r\n`;
  }

  #wait(connection: Connection): void {
    if (connection.waiting) return;
    connection.waiting = true;
    // Immediates run when all sockets of this turn have been read: that is the group of the group commit.
    if (this.#waiting.push(connection) === 1) setImmediate(() => this.#commit());
  }

  #commit(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#log.commit();
    for (const connection of waiting) {
      connection.waiting = false;
      connection.send();
    }
  }
}

/** `node bare-server.js PORT DIRECTORY` serves until it is killed. */
async function main(): Promise<void> {
  const port = Number(process.argv[2]);
  const directory = process.argv[3];
  if (!Number.isInteger(port) || directory === undefined) {
    process.stderr.write("usage: bare-server PORT DIRECTORY\n");
    process.exit(2);
  }
  const listening = await new BareServer(new Log(join(directory, "wal"))).listen(port);
  process.stdout.write(`bare server ready on 127.0.0.1:${listening}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
