/**
 * Requests until they are answered: a write gets its request id once and keeps it over all attempts, so it takes effect once (P3); what a later attempt can mend is
 * tried again, with back-off, for a limited time (P8). An outcome that stays unknown is told as unknown, whatever the last attempt met (P7).
 */
import { must } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { type ErrorCode, errorText, TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type {
  DocumentRequestOf,
  DocumentResponseOf,
  DocumentVerb,
} from "../protocol/document-requests.ts";
import { documentVerbs } from "../protocol/document-verbs.ts";
import type { AnyRequest, RequestOf, ResponseOf, Verb } from "../protocol/requests.ts";
import { type TableVerb, verbs } from "../protocol/verbs.ts";
import { Backoff, pause } from "./backoff.ts";
import type { CallOptions, Channel } from "./channel.ts";
import { RequestIds } from "./request-ids.ts";

/** How one call may be limited. */
export interface CallLimits {
  /** Ends the waiting, and rejects with the signal's reason. What was sent may still be done. */
  readonly signal?: AbortSignal | undefined;
}

const noLimits: CallLimits = {};

/** Retryable, but not by waiting: somebody must make room, and the caller should hear of it at once. */
const leftToTheCaller: ReadonlySet<ErrorCode> = new Set(["QUEUEFULL", "DISKFULL", "DATALOCKED"]);

export class Caller {
  readonly channel: Channel;
  readonly clock: Clock;
  readonly random: Random;
  readonly #timeoutMs: number;
  readonly #ids: RequestIds;
  readonly #backoff: Backoff;

  constructor(parts: { channel: Channel; clock: Clock; random: Random; timeoutMs: number }) {
    this.channel = parts.channel;
    this.clock = parts.clock;
    this.random = parts.random;
    this.#timeoutMs = parts.timeoutMs;
    this.#ids = new RequestIds(() => parts.channel.serverNowMs(), parts.random);
    this.#backoff = new Backoff(parts.random, limits.clientRetryMinMs, limits.clientRetryMaxMs);
  }

  /** Does one request. Rejects with TrubaError, or with the signal's reason. */
  call<V extends Verb>(
    verb: V,
    request: RequestOf<V>,
    { signal }: CallLimits = noLimits,
  ): Promise<ResponseOf<V>> {
    const requestId = takesRequestId(verb) ? this.#ids.next() : undefined;
    const options = callOptions(requestId, signal);
    return this.channel
      .call(verb, request, options)
      .catch((error: unknown) =>
        this.#again(() => this.channel.call(verb, request, options), error, signal),
      );
  }

  /** Does several as one atomic group, as {@link Channel.atomic}. */
  atomic(
    requests: readonly AnyRequest[],
    { signal }: CallLimits = noLimits,
  ): Promise<readonly unknown[]> {
    const options = callOptions(this.#ids.next(), signal);
    return this.channel
      .atomic(requests, options)
      .catch((error: unknown) =>
        this.#again(() => this.channel.atomic(requests, options), error, signal),
      );
  }

  /** Does one request about a document. A change whose outcome is unknown is not sent again: it has no request id that would keep it from taking effect twice (P3). */
  document<V extends DocumentVerb>(
    verb: V,
    request: DocumentRequestOf<V>,
    { signal }: CallLimits = noLimits,
  ): Promise<DocumentResponseOf<V>> {
    const options = callOptions(undefined, signal);
    const isRepeatable = documentVerbs[verb].kind === "read" || verb === "doc.evict";
    return this.channel
      .document(verb, request, options)
      .catch((error: unknown) =>
        this.#again(
          () => this.channel.document(verb, request, options),
          error,
          signal,
          isRepeatable ? isTriedAgain : isRefusal,
        ),
      );
  }

  /** Before the attempt that follows `attempts` failures, of whom the last was `error`. */
  waitMs(attempts: number, error: TrubaError | undefined): number {
    return Math.max(this.#backoff.delayMs(attempts), error?.retryAfterMs ?? 0);
  }

  async #again<T>(
    attempt: () => Promise<T>,
    first: unknown,
    signal: AbortSignal | undefined,
    mayTry: (error: unknown) => error is TrubaError = isTriedAgain,
  ): Promise<T> {
    const endMs = this.clock.monotonicMs() + this.#timeoutMs;
    let last = first;
    let maybeDone = false;
    for (let attempts = 1; ; attempts++) {
      maybeDone ||= last instanceof TrubaError && last.code === "UNKNOWNOUTCOME";
      if (!mayTry(last)) throw maybeDone && isClosed(last) ? unknownOutcome(last) : last;
      const waitMs = this.waitMs(attempts, last);
      if (this.clock.monotonicMs() + waitMs >= endMs) throw maybeDone ? unknownOutcome(last) : last;
      try {
        await pause(this.clock, waitMs, signal);
        return await attempt();
      } catch (error) {
        last = error;
      }
    }
  }
}

/** Whether another attempt may do better, without anybody doing anything. */
export function isTriedAgain(error: unknown): error is TrubaError {
  return error instanceof TrubaError && error.retryable && !leftToTheCaller.has(error.code);
}

/** Of these nobody can say that nothing was done. */
const openOutcomes: ReadonlySet<ErrorCode> = new Set(["UNKNOWNOUTCOME", "STOPPED"]);

/** Whether another attempt may do better, and this one has done nothing. */
function isRefusal(error: unknown): error is TrubaError {
  return isTriedAgain(error) && !openOutcomes.has(error.code);
}

const withoutId: ReadonlySet<Verb> = new Set(["record.get", "record.check", "queue.check"]);

/** Whether a verb is a write, which a request id makes exactly once. */
export function takesRequestId(verb: Verb): boolean {
  if (withoutId.has(verb)) return false;
  if (verb === "record.set" || verb === "record.delete") return true;
  const { kind } = must(verbs[verb as TableVerb]);
  return kind === "write" || kind === "admin";
}

function callOptions(requestId: string | undefined, signal: AbortSignal | undefined): CallOptions {
  return {
    ...(requestId === undefined ? {} : { requestId }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** The client was closed under it, which says nothing of the attempts before. */
function isClosed(error: unknown): error is TrubaError {
  return error instanceof TrubaError && error.code === "CLOSED";
}

function unknownOutcome(last: TrubaError): TrubaError {
  if (last.code === "UNKNOWNOUTCOME") return last;
  return new TrubaError(
    "UNKNOWNOUTCOME",
    `an attempt was sent and not answered, and later ones were refused: ${errorText(last)}`,
    { cause: last },
  );
}
