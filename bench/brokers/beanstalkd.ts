/** beanstalkd: its protocol over one pipelined connection, as no client for Node is kept up. A queue is a tube. */

import { connect, type Socket } from "node:net";

import {
  type Broker,
  IN_FLIGHT,
  PREFETCH,
  type Tasks,
  bulksInFlight,
  inFlight,
  payloadText,
} from "./broker.ts";

/** A line of reply, split at its blanks, and the bytes that follow it where the protocol says so. */
export interface BeanstalkdReply {
  readonly words: readonly string[];
  readonly body: Buffer | undefined;
}

/** Replies that announce a body, and the word that is its length in bytes. */
const BODY_LENGTH: Readonly<Record<string, number>> = { RESERVED: 2, FOUND: 2, OK: 1 };

/** Bytes in, replies out, however the bytes are cut. */
export class BeanstalkdDecoder {
  #rest: Buffer = Buffer.alloc(0);

  /** The replies that are complete. Throws on what is not the protocol. */
  push(chunk: Buffer): BeanstalkdReply[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const replies: BeanstalkdReply[] = [];
    let at = 0;
    for (;;) {
      const lineEnd = bytes.indexOf("\r\n", at, "latin1");
      if (lineEnd < 0) break;
      const words = bytes.toString("latin1", at, lineEnd).split(" ");
      const lengthWord = BODY_LENGTH[words[0] ?? ""];
      let next = lineEnd + 2;
      let body: Buffer | undefined;
      if (lengthWord !== undefined) {
        const length = Number(words[lengthWord]);
        if (!Number.isSafeInteger(length) || length < 0)
          throw new Error(`"${words.join(" ")}" is no reply of beanstalkd`);
        if (next + length + 2 > bytes.length) break;
        body = bytes.subarray(next, next + length);
        next += length + 2;
      }
      replies.push({ words, body });
      at = next;
    }
    this.#rest = bytes.subarray(at);
    return replies;
  }
}

interface Waiter {
  resolve(reply: BeanstalkdReply): void;
  reject(error: Error): void;
}

/** Commands in a row, replies in the same row. */
class Connection {
  readonly #socket: Socket;
  readonly #decoder = new BeanstalkdDecoder();
  #waiting: Waiter[] = [];
  #out = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    const lost = (): void => {
      for (const waiter of this.#waiting.splice(0))
        waiter.reject(new Error("beanstalkd closed the connection"));
    };
    socket.on("error", lost);
    socket.on("close", lost);
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () =>
        resolve(new Connection(socket)),
      );
      socket.once("error", reject);
    });
  }

  /** Rejects unless the reply begins with `expected`. All commands of one turn leave in one write. */
  ask(command: string, expected: string): Promise<BeanstalkdReply> {
    if (this.#out === "") setImmediate(() => this.#send());
    this.#out += command;
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        resolve: (reply) => {
          if (reply.words[0] === expected) resolve(reply);
          else reject(new Error(`beanstalkd answered "${reply.words.join(" ")}"`));
        },
        reject,
      });
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(): void {
    this.#socket.write(this.#out, "latin1");
    this.#out = "";
  }

  #take(chunk: Buffer): void {
    const replies = this.#decoder.push(chunk);
    for (let i = 0; i < replies.length; i++) {
      const reply = replies[i];
      if (reply !== undefined) this.#waiting[i]?.resolve(reply);
    }
    this.#waiting.splice(0, replies.length);
  }
}

export class BeanstalkdBroker implements Broker {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  static async connect(port: number): Promise<BeanstalkdBroker> {
    return new BeanstalkdBroker(await Connection.open(port));
  }

  /** Tubes make themselves. */
  make(): Promise<void> {
    return Promise.resolve();
  }

  async push(tasks: Tasks): Promise<number> {
    const one = await this.#putter(tasks);
    return inFlight(tasks.count, IN_FLIGHT, one);
  }

  async pushBulk(tasks: Tasks): Promise<number> {
    const one = await this.#putter(tasks);
    return bulksInFlight(tasks.count, (_from, size) =>
      Promise.all(Array.from({ length: size }, one)),
    );
  }

  async consume(queue: string, count: number): Promise<number> {
    await this.#connection.ask(`watch ${queue}\r\n`, "WATCHING");
    return inFlight(count, PREFETCH, async () => {
      const { words } = await this.#connection.ask("reserve\r\n", "RESERVED");
      await this.#connection.ask(`delete ${words[1]}\r\n`, "DELETED");
    });
  }

  close(): Promise<void> {
    this.#connection.close();
    return Promise.resolve();
  }

  async #putter({ queue, bytes }: Tasks): Promise<() => Promise<unknown>> {
    await this.#connection.ask(`use ${queue}\r\n`, "USING");
    // Priority 0, no delay, a minute to delete it in.
    const command = `put 0 0 60 ${bytes}\r\n${payloadText(bytes)}\r\n`;
    return () => this.#connection.ask(command, "INSERTED");
  }
}
