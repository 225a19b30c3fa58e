/** An atomic group over RESP: MULTI, its requests, REQUEST id, EXEC, which stand together in the stream; their replies come one by one. */
import { must } from "../base/assert.ts";
import type { TrubaError } from "../base/errors.ts";
import { RespError, type RespReply } from "../protocol/resp-reply.ts";
import type { AnyRequest } from "../protocol/requests.ts";
import { fixedWord } from "./request-buffer.ts";
import type { ReplySink, RespLink } from "./resp-link.ts";
import { writeRequest } from "./resp-requests.ts";
import { badAnswer, errorIn, responseIn } from "./resp-responses.ts";

const words = {
  multi: fixedWord("MULTI"),
  request: fixedWord("REQUEST"),
  exec: fixedWord("EXEC"),
} as const;

export interface GroupSettled {
  resolve(responses: readonly unknown[]): void;
  reject(error: TrubaError): void;
  lost(): void;
}

export class RespGroup implements ReplySink {
  readonly #requests: readonly AnyRequest[];
  readonly #settled: GroupSettled;
  /** Replies that are still to come, EXEC's included. */
  #missing = 0;
  /** Why a request was refused while the group was put together: then EXEC's reply says less. */
  #refusal: TrubaError | undefined;

  constructor(requests: readonly AnyRequest[], settled: GroupSettled) {
    this.#requests = requests;
    this.#settled = settled;
  }

  write(link: RespLink, requestId: string | undefined): void {
    const { out } = link;
    out.begin(1);
    out.fixed(words.multi);
    for (const request of this.#requests) writeRequest(out, request, undefined);
    if (requestId !== undefined) {
      out.begin(2);
      out.fixed(words.request);
      out.text(requestId);
    }
    out.begin(1);
    out.fixed(words.exec);
    this.#missing = this.#requests.length + (requestId === undefined ? 2 : 3);
    const replies = this.#missing;
    for (let i = 0; i < replies; i++) link.expect(this);
  }

  reply(value: RespReply): void {
    this.#missing--;
    if (this.#missing > 0) {
      if (value instanceof RespError) this.#refusal ??= errorIn(value);
      return;
    }
    if (value instanceof RespError) this.#settled.reject(this.#refusal ?? errorIn(value));
    else this.#finish(value);
  }

  lost(): void {
    // Told for each reply that is missing.
    if (this.#missing > 0) this.#settled.lost();
    this.#missing = 0;
  }

  #finish(value: RespReply): void {
    try {
      if (!Array.isArray(value)) throw badAnswer("an array", value);
      // Behind them stands the OK for the request id.
      this.#settled.resolve(this.#requests.map((_, i) => responseIn(must(value[i]))));
    } catch (error) {
      this.#settled.reject(error as TrubaError);
    }
  }
}
