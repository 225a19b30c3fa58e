/**
 * One connection to a node: requests out, replies in, in one order. It greets, keeps the node's time, and finds out when the other end is silent. What comes of a
 * lost connection is its owner's business.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { errorText, TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Address, Connection, Network } from "../base/network.ts";
import { RespReplyDecoder } from "../protocol/resp-reply-decoder.ts";
import { RespError, RespPush, type RespReply } from "../protocol/resp-reply.ts";
import { addressText } from "./addresses.ts";
import { RequestBuffer } from "./request-buffer.ts";
import { badAnswer, responseIn } from "./resp-responses.ts";

/** Waits for the reply of one request. */
export interface ReplySink {
  reply(value: RespReply): void;
  /** None will come: the connection is lost. */
  lost(): void;
}

export interface LinkOwner {
  /** The node sent this unasked. */
  push(items: readonly RespReply[]): void;
  /** Told once, before the sinks of what was in flight are; not after {@link RespLink.close}. */
  lost(reason: string): void;
}

export interface LinkOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly address: Address;
  readonly token: string | undefined;
  readonly name: string | undefined;
  readonly owner: LinkOwner;
}

export class RespLink {
  readonly address: Address;
  /** Where the next request is written; then {@link RespLink.expect}. */
  readonly out = new RequestBuffer();
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #owner: LinkOwner;
  readonly #decoder = new RespReplyDecoder();
  /** Sinks in the order of their requests; those before `#answered` have had their reply. */
  #sinks: ReplySink[] = [];
  #answered = 0;
  #sendingSoon = false;
  #open = true;
  #heard = true;
  #asked = false;
  #watch: Timer | undefined;
  #onClosed: (() => void) | undefined;
  /** Server time minus monotonic time. */
  #offsetMs = 0;

  private constructor(options: LinkOptions, connection: Connection) {
    this.address = options.address;
    this.#clock = options.clock;
    this.#owner = options.owner;
    this.#connection = connection;
    connection.bind({
      data: (chunk) => this.#take(chunk),
      drained() {},
      ended: () => this.#lose("the node closed the connection"),
      closed: () => {
        this.#onClosed?.();
        this.#lose("the connection was closed");
      },
    });
  }

  /** Connects and greets. Rejects with TrubaError: NOCONNECTION, or what the node says (NOAUTH, WRONGPASS, MAXCONNECTIONS, …). */
  static async open(options: LinkOptions): Promise<RespLink> {
    const { clock, address } = options;
    let timer: Timer | undefined;
    let link: RespLink | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = clock.after(limits.clientConnectMaxMs, () => {
        void link?.close();
        reject(noConnection(address, `no answer within ${limits.clientConnectMaxMs} ms`));
      });
    });
    const connected = options.network.connect(address).then(
      (connection) => {
        link = new RespLink(options, connection);
        return link.#greet(options).then(() => link as RespLink);
      },
      (error: unknown) => {
        throw noConnection(address, errorText(error));
      },
    );
    try {
      return await Promise.race([connected, tooLate]);
    } catch (error) {
      void link?.close();
      // A connection that comes later is closed; its greeting then fails unheard.
      connected.then(
        (late) => late.close(),
        () => {},
      );
      throw error;
    } finally {
      timer?.cancel();
    }
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get inFlight(): number {
    return this.#sinks.length - this.#answered;
  }

  /** Bytes of requests that have not left this process. */
  get unsentBytes(): number {
    return this.out.bytes + this.#connection.bufferedBytes;
  }

  serverNowMs(): number {
    return Math.round(this.#clock.monotonicMs() + this.#offsetMs);
  }

  /** Waits for the reply of the request that was just written. Requests of one turn are sent together. */
  expect(sink: ReplySink): void {
    this.#sinks.push(sink);
    if (this.#sendingSoon) return;
    this.#sendingSoon = true;
    this.#clock.soon(() => this.#send());
  }

  /** Sends what is written, then ends the connection. Sinks are told that no replies come. Resolves when the connection is over, or after a second. */
  close(): Promise<void> {
    if (!this.#open) return Promise.resolve();
    this.#send();
    this.#end();
    return new Promise((resolve) => {
      const timer = this.#clock.after(1_000, () => {
        this.#connection.destroy();
        resolve();
      });
      this.#onClosed = () => {
        timer.cancel();
        resolve();
      };
      this.#connection.end();
    });
  }

  #greet({ token, name }: LinkOptions): Promise<void> {
    const words = ["HELLO", "3"];
    if (token !== undefined) words.push("AUTH", "default", token);
    if (name !== undefined) words.push("SETNAME", name);
    return new Promise((resolve, reject) => {
      this.out.begin(words.length);
      for (const word of words) this.out.text(word);
      this.expect({
        reply: (value) => {
          try {
            this.#setTime(responseIn(value), "time_ms");
            this.#watchOn();
            resolve();
          } catch (error) {
            reject(error);
          }
        },
        lost: () =>
          reject(noConnection(this.address, "the connection was closed before its greeting")),
      });
    });
  }

  #setTime(response: object, field: string): void {
    const time = Reflect.get(response, field) as unknown;
    if (typeof time !== "number") throw badAnswer(`${field}, its time,`, time);
    this.#offsetMs = time - this.#clock.monotonicMs();
  }

  #send(): void {
    this.#sendingSoon = false;
    if (this.#open && this.out.bytes > 0) this.#connection.writeBytes(this.out.take());
  }

  #take(chunk: Uint8Array): void {
    this.#heard = true;
    this.#asked = false;
    const decoder = this.#decoder;
    decoder.push(chunk);
    while (this.#open) {
      const event = decoder.next();
      if (event === "none") break;
      if (event === "error") {
        this.#lose(`what answers does not speak RESP: ${decoder.errorText}`);
        return;
      }
      const { value } = decoder;
      if (value instanceof RespPush) this.#owner.push(value.items);
      else this.#answer(value);
    }
    // The sinks of this chunk are done with: room for the next ones.
    if (this.#answered === this.#sinks.length) this.#sinks = [];
    else this.#sinks.splice(0, this.#answered);
    this.#answered = 0;
  }

  #answer(value: RespReply): void {
    const sink = this.#sinks[this.#answered];
    if (sink === undefined) {
      // Nothing was asked: the node says why it closes the connection.
      const why =
        value instanceof RespError ? `${value.code} ${value.text}` : "an answer to nothing";
      this.#lose(`the node sent ${why}`);
      return;
    }
    this.#answered++;
    sink.reply(value);
  }

  /** The node is asked for its time now and then; a connection over which nothing came since the last time is lost. */
  #watchOn(): void {
    this.#watch = this.#clock.after(limits.clientSilenceMs, () => {
      if (!this.#open) return;
      if (!this.#heard && this.#asked) {
        this.#lose(`the node was silent for ${limits.clientSilenceMs} ms`);
        return;
      }
      this.#heard = false;
      this.#askTime();
      this.#watchOn();
    });
  }

  #askTime(): void {
    this.#asked = true;
    this.out.begin(1);
    this.out.text("HEARTBEAT");
    this.expect({
      reply: (value) => {
        if (value instanceof Map) this.#setTime(responseIn(value), "timeMs");
      },
      lost() {},
    });
  }

  #lose(reason: string): void {
    if (!this.#open) return;
    this.#connection.destroy();
    this.#owner.lost(reason);
    this.#end();
  }

  #end(): void {
    this.#open = false;
    this.#watch?.cancel();
    const sinks = this.#sinks.slice(this.#answered);
    this.#sinks = [];
    this.#answered = 0;
    for (const sink of sinks) sink.lost();
  }
}

export function noConnection(address: Address, why: string): TrubaError {
  return new TrubaError("NOCONNECTION", `${addressText(address)}: ${why}`);
}
