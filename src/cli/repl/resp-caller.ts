/** Requests and their replies over one connection, as promises. */
import { must } from "../../base/assert.ts";
import { errorText } from "../../base/errors.ts";
import type { Address, Network } from "../../base/network.ts";
import { RespError } from "../../protocol/resp-reply.ts";
import type { RespReply } from "../../protocol/resp-reply.ts";
import { encodeRequest } from "../../protocol/resp-request-writer.ts";
import { type ReplyReceiver, RespConnection } from "../resp-connection.ts";

/** The connection ended before the reply came. What became of the request is not known. */
export class Disconnected extends Error {
  override readonly name = "Disconnected";
}

interface Waiter {
  resolve(reply: RespReply): void;
  reject(error: Disconnected): void;
}

export class RespCaller implements ReplyReceiver {
  readonly #onClosed: () => void;
  #connection: RespConnection | undefined;
  #waiters: Waiter[] = [];
  /** Why it is over. */
  #over: string | undefined;
  #farewell: string | undefined;

  private constructor(onClosed: () => void) {
    this.#onClosed = onClosed;
  }

  /** Connects. `onClosed` is told once when the connection ends by itself. Rejects with what the operating system says, or when it takes longer than `maxMs`. */
  static connect(
    network: Network,
    address: Address,
    { maxMs, onClosed }: { maxMs: number; onClosed: () => void },
  ): Promise<RespCaller> {
    const caller = new RespCaller(onClosed);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        caller.close();
        reject(new Error(`no connection within ${maxMs / 1_000} s`));
      }, maxMs);
      RespConnection.connect(network, address, caller).then(
        (connection) => {
          clearTimeout(timer);
          caller.#connection = connection;
          // It may come after it was given up.
          if (caller.#over === undefined) resolve(caller);
          else connection.close();
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(new Error(errorText(error)));
        },
      );
    });
  }

  /** Sends a request; resolves with its reply, an error reply perhaps. Rejects with {@link Disconnected}. */
  call(words: readonly (string | Uint8Array)[]): Promise<RespReply> {
    return new Promise((resolve, reject) => {
      if (this.#over !== undefined || this.#connection === undefined) {
        reject(new Disconnected(this.#over ?? "not connected"));
        return;
      }
      this.#waiters.push({ resolve, reject });
      this.#connection.send(encodeRequest(words));
    });
  }

  /** Whoever waits is told that it is disconnected. */
  close(): void {
    this.#finish("closed");
    this.#connection?.close();
  }

  /** The other end, its host as a number. */
  get remote(): Address {
    return must(this.#connection, "a caller that was handed out is connected").remote;
  }

  reply(value: RespReply): void {
    const waiter = this.#waiters.shift();
    waiter?.resolve(value);
    // A node that has no room says so unasked, and closes.
    if (waiter === undefined && value instanceof RespError) this.#farewell = value.text;
  }

  arrived(): void {}

  closed(reason: string): void {
    this.#finish(this.#farewell ?? reason);
    this.#onClosed();
  }

  #finish(reason: string): void {
    this.#over ??= reason;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(new Disconnected(this.#over));
  }
}
