/**
 * Requests that a client sends on one connection before the ones before are answered. Node hands them out at once and puts their answers in order; done one after the other, as
 * RFC 9112 §9.3.2 has it, a write is seen by the read behind it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

interface Line {
  count: number;
  /** Resolves when the last one of the line is answered. */
  last: Promise<void>;
}

export class Pipelines {
  readonly #lines = new WeakMap<Socket, Line>();

  /** Resolves when all earlier requests of the connection are answered; `undefined`: they are. Throws TrubaError OVERLOADED when too many wait. */
  turn({ socket }: IncomingMessage, response: ServerResponse): Promise<void> | undefined {
    const line = this.#lines.get(socket) ?? { count: 0, last: Promise.resolve() };
    this.#lines.set(socket, line);
    const before = line.count === 0 ? undefined : line.last;
    line.count++;
    line.last = new Promise((resolve) => {
      response.once("close", () => {
        line.count--;
        resolve();
      });
    });
    if (line.count <= limits.httpPipelinedMaxCount) return before;
    throw new TrubaError(
      "OVERLOADED",
      `${line.count} requests of the connection wait for their answers; the limit is ${limits.httpPipelinedMaxCount}`,
      { retryAfterMs: limits.overloadedRetryAfterMs },
    );
  }
}
