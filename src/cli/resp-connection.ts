/** A client's connection over RESP, for the commands that talk to a running node: requests out, replies in, in their order. */
import { errorText } from "../base/errors.ts";
import type { Address, Connection, Network } from "../base/network.ts";
import { RespReplyDecoder } from "../protocol/resp-reply-decoder.ts";
import { RespPush } from "../protocol/resp-reply.ts";
import type { RespReply } from "../protocol/resp-reply.ts";
import { encodeRequest } from "../protocol/resp-request-writer.ts";
import { addressText } from "./address.ts";

export interface ReplyReceiver {
  /** The next reply, an error reply perhaps. */
  reply(value: RespReply): void;
  /** All replies of what has just arrived were given: the time to send what follows from them. */
  arrived(): void;
  /** The connection is over; told once, and not after {@link RespConnection.close}. */
  closed(reason: string): void;
}

export class RespConnection {
  /** The other end, its host as a number. */
  readonly remote: Address;
  readonly #connection: Connection;
  readonly #decoder = new RespReplyDecoder();
  readonly #receiver: ReplyReceiver;
  #open = true;

  private constructor(connection: Connection, receiver: ReplyReceiver) {
    this.remote = connection.remote;
    this.#connection = connection;
    this.#receiver = receiver;
    connection.bind({
      data: (chunk) => this.#take(chunk),
      drained() {},
      ended: () => this.#end("the server closed the connection"),
      closed: () => this.#end("the connection was closed"),
    });
  }

  /** Throws the operating system's error. */
  static async connect(
    network: Network,
    address: Address,
    receiver: ReplyReceiver,
  ): Promise<RespConnection> {
    return new RespConnection(await network.connect(address), receiver);
  }

  /** Sends encoded requests. The bytes belong to the connection from now on. */
  send(requests: Uint8Array): void {
    this.#connection.writeBytes(requests);
  }

  close(): void {
    this.#open = false;
    this.#connection.destroy();
  }

  #take(chunk: Uint8Array): void {
    this.#decoder.push(chunk);
    for (;;) {
      if (!this.#open) return;
      const event = this.#decoder.next();
      if (event === "error") {
        this.#end(`what answers does not speak RESP: ${this.#decoder.errorText}`);
        return;
      }
      if (event === "none") break;
      if (!(this.#decoder.value instanceof RespPush)) this.#receiver.reply(this.#decoder.value);
    }
    this.#receiver.arrived();
  }

  #end(reason: string): void {
    if (!this.#open) return;
    this.close();
    this.#receiver.closed(reason);
  }
}

/**
 * Sends commands over a connection of their own and resolves with one reply for each. Rejects with an Error whose text names the address, also when the
 * replies are not there after `timeoutMs`.
 */
export function ask(
  network: Network,
  address: Address,
  commands: readonly (readonly string[])[],
  timeoutMs: number,
): Promise<readonly RespReply[]> {
  return new Promise((resolve, reject) => {
    const replies: RespReply[] = [];
    let connection: RespConnection | undefined;
    let over = false;
    const finish = (reason: string | undefined): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      connection?.close();
      if (reason === undefined) resolve(replies);
      else reject(new Error(`${addressText(address)}: ${reason}`));
    };
    const timer = setTimeout(() => finish(`no answer within ${timeoutMs / 1_000} s`), timeoutMs);
    const receiver: ReplyReceiver = {
      reply: (value) => void replies.push(value),
      arrived: () => {
        if (replies.length >= commands.length) finish(undefined);
      },
      closed: finish,
    };
    RespConnection.connect(network, address, receiver).then(
      (made) => {
        connection = made;
        if (over) made.close();
        else made.send(Buffer.concat(commands.map((command) => encodeRequest(command))));
      },
      (error: unknown) => finish(errorText(error)),
    );
  });
}
