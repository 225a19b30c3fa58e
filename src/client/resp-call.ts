/** One request in flight: its reply becomes the response. */
import type { TrubaError } from "../base/errors.ts";
import type { RespReply } from "../protocol/resp-reply.ts";
import type { ReplySink } from "./resp-link.ts";
import { responseIn } from "./resp-responses.ts";

export interface CallSettled {
  resolve(response: object): void;
  reject(error: Error): void;
  lost(): void;
}

export class RespCall implements ReplySink {
  readonly #read: (reply: RespReply) => object;
  readonly #settled: CallSettled;
  #signal: AbortSignal | undefined;
  #abort: (() => void) | undefined;
  #abandoned: ((response: object) => void) | undefined;
  #isSettled = false;

  /** `read` makes the response of the reply, or throws TrubaError. */
  constructor(settled: CallSettled, read: (reply: RespReply) => object = responseIn) {
    this.#settled = settled;
    this.#read = read;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** The caller waits only as long as the signal lets it; what comes after that goes to `abandoned`. */
  heed(signal: AbortSignal, abandoned: (response: object) => void): void {
    this.#signal = signal;
    this.#abandoned = abandoned;
    this.#abort = () => {
      this.#isSettled = true;
      this.#settled.reject(signal.reason as Error);
    };
    if (signal.aborted) this.#abort();
    else signal.addEventListener("abort", this.#abort, { once: true });
  }

  reply(value: RespReply): void {
    let response: object;
    try {
      response = this.#read(value);
    } catch (error) {
      this.refuse(error as TrubaError);
      return;
    }
    if (this.#isSettled) this.#abandoned?.(response);
    else {
      this.#settle();
      this.#settled.resolve(response);
    }
  }

  refuse(error: TrubaError): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#settled.reject(error);
  }

  lost(): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#settled.lost();
  }

  #settle(): void {
    this.#isSettled = true;
    if (this.#abort !== undefined) this.#signal?.removeEventListener("abort", this.#abort);
  }
}
