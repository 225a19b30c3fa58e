/**
 * A small RESP2 client for the benchmarks' own questions (loading, probing, checking). It is not the client of Truba and
 * shares no code with the server: the same mistake on both sides would go unseen.
 */

import type { Socket } from "node:net";
import { connect } from "node:net";

/** An error answer of the server. */
export class ReplyError extends Error {
  override readonly name = "ReplyError";
}

/** Strings are latin1, so that bytes come back as they went. */
export type Reply = string | number | null | ReplyError | Reply[];

/** A command as RESP wants it, in latin1. */
export function command(...words: string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
  return text;
}

/** Bytes in, replies out, whatever the cuts between them. Throws on bytes that are no RESP2. */
export class ReplyDecoder {
  #text = "";
  #at = 0;

  push(chunk: Buffer): Reply[] {
    this.#text = this.#text.slice(this.#at) + chunk.toString("latin1");
    this.#at = 0;
    const replies: Reply[] = [];
    for (;;) {
      const before = this.#at;
      const reply = this.#read();
      if (reply === undefined) {
        this.#at = before;
        return replies;
      }
      replies.push(reply);
    }
  }

  #read(): Reply | undefined {
    const end = this.#text.indexOf("\r\n", this.#at);
    if (end < 0) return undefined;
    const kind = this.#text.charAt(this.#at);
    const line = this.#text.slice(this.#at + 1, end);
    this.#at = end + 2;
    switch (kind) {
      case "+":
        return line;
      case "-":
        return new ReplyError(line);
      case ":":
        return Number(line);
      case "$":
        return this.#readBulk(Number(line));
      case "*":
        return this.#readArray(Number(line));
      default:
        throw new Error(`not RESP2: ${JSON.stringify(kind + line.slice(0, 40))}`);
    }
  }

  #readBulk(length: number): Reply | undefined {
    if (length < 0) return null;
    const start = this.#at;
    if (this.#text.length < start + length + 2) return undefined;
    this.#at = start + length + 2;
    return this.#text.slice(start, start + length);
  }

  #readArray(count: number): Reply | undefined {
    if (count < 0) return null;
    const items: Reply[] = [];
    for (let i = 0; i < count; i++) {
      const item = this.#read();
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }
}

/** One connection; replies come in the order of the commands. */
export class RespClient {
  readonly #socket: Socket;
  readonly #decoder = new ReplyDecoder();
  /** Called for every reply that no `pipeline` waits for. */
  onReply: ((reply: Reply) => void) | undefined;
  #wanted = 0;
  #received: Reply[] = [];
  #resolve: ((replies: Reply[]) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      for (const reply of this.#decoder.push(chunk)) this.#take(reply);
    });
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the server closed the connection")));
  }

  /** Rejects with the error of the socket (ECONNREFUSED, …) if nobody listens. */
  static connect(port: number): Promise<RespClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RespClient(socket));
      });
    });
  }

  /** Sends encoded commands and resolves to their replies. One pipeline at a time. */
  pipeline(text: string, replies: number): Promise<Reply[]> {
    if (this.#resolve !== undefined) throw new Error("a pipeline is under way");
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#wanted = replies;
      this.#received = [];
      this.#resolve = resolve;
      this.#reject = reject;
      this.#socket.write(text, "latin1");
    });
  }

  /** One command, one reply. An error reply is returned, not thrown. */
  async ask(...words: string[]): Promise<Reply> {
    const [reply] = await this.pipeline(command(...words), 1);
    return reply ?? null;
  }

  /** Sends without waiting; the replies go to `onReply`. */
  send(text: string): void {
    this.#socket.write(text, "latin1");
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(reply: Reply): void {
    if (this.#resolve === undefined) {
      this.onReply?.(reply);
      return;
    }
    this.#received.push(reply);
    if (this.#received.length < this.#wanted) return;
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#reject = undefined;
    resolve(this.#received);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const reject = this.#reject;
    this.#resolve = undefined;
    this.#reject = undefined;
    reject?.(error);
  }
}
