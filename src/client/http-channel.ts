/**
 * The channel over HTTP, for browsers: a request is a POST, a subscription a stream of server-sent events. What is taken here belongs to no connection: a task comes back
 * by the end of its lease, a session by its silence; but what a stream brought goes back when the stream ends.
 */
import type { Fetch } from "../base/browser-fetch.ts";
import type { Clock } from "../base/clock.ts";
import { errorText, TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type {
  AnyDocumentRequest,
  DocumentRequestOf,
  DocumentResponseOf,
  DocumentVerb,
} from "../protocol/document-requests.ts";
import type {
  AnyRequest,
  DeliveredSession,
  DeliveredTask,
  RequestOf,
  ResponseOf,
  Verb,
} from "../protocol/requests.ts";
import type {
  CallOptions,
  Channel,
  Subscription,
  SubscriptionSink,
  Watching,
  WatchSink,
} from "./channel.ts";
import { answerOf, documentExchange, documentPath } from "./http-documents.ts";
import { HttpStream } from "./http-stream.ts";
import { badAnswer, errorFrom, fromWire, toWire } from "./http-wire.ts";

export interface HttpChannelOptions {
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** `https://node.example`, without a slash at its end. */
  readonly url: string;
  /** For a node that wants one. */
  readonly token?: string | undefined;
}

/** What is sent. */
interface Sent {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** Becomes JSON. */
  readonly body?: unknown;
  /** Instead of `body`: what is JSON already. */
  readonly text?: { readonly text: string; readonly mediaType: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly requestId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the node may take to answer, beside the time that every answer may take. */
  readonly waitMs?: number;
  /** If no answer comes: whether something may have been changed. */
  readonly changes: boolean;
}

/** Server time is asked for again after so long. */
const timeGoodForMs = 600_000;

export class HttpChannel implements Channel {
  readonly #options: HttpChannelOptions;
  readonly #streams = new Set<HttpStream>();
  readonly #inFlight = new Set<AbortController>();
  #closed = false;
  /** Server time minus monotonic time, and when that was asked. */
  #offsetMs: number | undefined;
  #askedMs = 0;

  constructor(options: HttpChannelOptions) {
    this.#options = options;
  }

  call<V extends Verb>(
    verb: V,
    request: RequestOf<V>,
    options?: CallOptions,
  ): Promise<ResponseOf<V>>;
  async call(verb: Verb, request: object, options: CallOptions = {}): Promise<object> {
    const { requestId, signal } = options;
    const waitMs = "waitMs" in request ? Number(request.waitMs) : 0;
    const changes = requestId !== undefined;
    const path = `/v1/${verb}`;
    this.#refreshTime();
    const body = toWire(request);
    return fromWire(
      await this.#send({ method: "POST", path, body, requestId, signal, waitMs, changes }),
    );
  }

  async atomic(
    requests: readonly AnyRequest[],
    options: CallOptions = {},
  ): Promise<readonly unknown[]> {
    if (requests.length === 0) return [];
    const { requestId, signal } = options;
    this.#refreshTime();
    const body = toWire({ requests });
    const path = "/v1/batch";
    const answer = await this.#send({
      method: "POST",
      path,
      body,
      requestId,
      signal,
      changes: true,
    });
    const { responses } = answer as { readonly responses?: unknown };
    if (!Array.isArray(responses)) throw badAnswer("a batch without responses");
    return responses.map(fromWire);
  }

  tasks(
    request: { readonly queue: string; readonly leaseMs?: number; readonly credit: number },
    sink: SubscriptionSink<DeliveredTask>,
  ): Subscription {
    const { queue, leaseMs, credit } = request;
    const query = new URLSearchParams({ credit: String(credit) });
    if (leaseMs !== undefined) query.set("leaseMs", String(leaseMs));
    return this.#stream(`/v1/queues/${encodeURIComponent(queue)}/tasks?${query.toString()}`, sink);
  }

  sessions(
    request: { readonly kinds: readonly string[]; readonly credit: number },
    sink: SubscriptionSink<DeliveredSession>,
  ): Subscription {
    const { kinds, credit } = request;
    const query = new URLSearchParams({ kinds: kinds.join(","), credit: String(credit) });
    return this.#stream(`/v1/sessions/due?${query.toString()}`, sink);
  }

  document<V extends DocumentVerb>(
    verb: V,
    request: DocumentRequestOf<V>,
    options?: Pick<CallOptions, "signal">,
  ): Promise<DocumentResponseOf<V>>;
  async document(
    verb: DocumentVerb,
    request: object,
    { signal }: Pick<CallOptions, "signal"> = {},
  ): Promise<object> {
    const asked = { verb, request } as AnyDocumentRequest;
    const exchange = documentExchange(asked);
    return this.#send({ ...exchange, signal }, (response) => answerOf(asked, response));
  }

  watch(document: string, sink: WatchSink): Watching {
    const stream = this.#stream(`${documentPath(document)}/events`, sink);
    // Nothing that it brought is held, so it need not stay.
    return { close: () => stream.release() };
  }

  serverNowMs(): number {
    const { clock } = this.#options;
    if (this.#offsetMs === undefined) return clock.wallMs();
    return Math.round(clock.monotonicMs() + this.#offsetMs);
  }

  /** Resolves when the node has told its time. Rejects with TrubaError. */
  async ready(): Promise<void> {
    const { clock } = this.#options;
    this.#askedMs = clock.monotonicMs();
    const status = await this.#send({ method: "GET", path: "/v1/status", changes: false });
    const { timeMs } = status as { readonly timeMs?: unknown };
    if (typeof timeMs !== "number") throw badAnswer("a status without its time");
    this.#offsetMs = timeMs - clock.monotonicMs();
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    for (const stream of this.#streams) stream.release();
    for (const controller of this.#inFlight) controller.abort(closed());
    return Promise.resolve();
  }

  #refreshTime(): void {
    if (this.#options.clock.monotonicMs() - this.#askedMs < timeGoodForMs) return;
    this.ready().catch(() => {
      // The old one is still good; the next request asks again much later.
    });
  }

  #stream<Item>(path: string, sink: SubscriptionSink<Item>): HttpStream {
    if (this.#closed) throw closed();
    const stream = new HttpStream({
      clock: this.#options.clock,
      open: (signal) =>
        this.#options.fetch(this.#options.url + path, {
          headers: this.#headers({ accept: "text/event-stream" }),
          signal,
        }),
      post: (suffix, body) => this.#tell("POST", `/v1/subscriptions/${suffix}`, body),
      remove: (id) => this.#tell("DELETE", `/v1/subscriptions/${id}`),
      sink,
      over: () => void this.#streams.delete(stream),
    });
    this.#streams.add(stream);
    stream.begin();
    return stream;
  }

  /** About a subscription. If it does not arrive, the stream has ended, and tells that itself. */
  #tell(method: "POST" | "DELETE", path: string, body?: unknown): void {
    this.#send({ method, path, body, changes: false }).catch(() => {});
  }

  #send(sent: Sent): Promise<unknown>;
  #send<Answer>(sent: Sent, read: (response: Response) => Promise<Answer>): Promise<Answer>;
  async #send(
    sent: Sent,
    read: (response: Response) => Promise<unknown> = jsonOf,
  ): Promise<unknown> {
    if (this.#closed) throw closed();
    sent.signal?.throwIfAborted();
    const controller = new AbortController();
    const abort = (): void => controller.abort(sent.signal?.reason);
    sent.signal?.addEventListener("abort", abort, { once: true });
    const maxMs = limits.clientSilenceMs * 2 + (sent.waitMs ?? 0);
    const timer = this.#options.clock.after(maxMs, () =>
      controller.abort(new Error(`no answer within ${maxMs} ms`)),
    );
    this.#inFlight.add(controller);
    try {
      return await this.#exchange(sent, controller.signal, read);
    } catch (error) {
      if (error instanceof TrubaError || sent.signal?.aborted === true) throw error;
      const code = sent.changes ? "UNKNOWNOUTCOME" : "NOCONNECTION";
      const why = controller.signal.aborted ? controller.signal.reason : error;
      if (why instanceof TrubaError) throw why;
      throw new TrubaError(code, `${this.#options.url}: ${errorText(why)}`, { cause: error });
    } finally {
      timer.cancel();
      sent.signal?.removeEventListener("abort", abort);
      this.#inFlight.delete(controller);
    }
  }

  async #exchange(
    sent: Sent,
    signal: AbortSignal,
    read: (response: Response) => Promise<unknown>,
  ): Promise<unknown> {
    const { method, path, body, requestId } = sent;
    const headers = this.#headers({
      ...sent.headers,
      ...(requestId === undefined ? {} : { "idempotency-key": requestId }),
    });
    const text =
      body === undefined
        ? sent.text
        : { text: JSON.stringify(body), mediaType: "application/json" };
    const response = await this.#options.fetch(this.#options.url + path, {
      method,
      signal,
      headers: text === undefined ? headers : { ...headers, "content-type": text.mediaType },
      ...(text === undefined ? {} : { body: text.text }),
    });
    if (response.ok) return read(response);
    const error = errorFrom(await jsonOf(response), response.status);
    // Nothing was changed by what changes nothing.
    if (error.code === "UNKNOWNOUTCOME" && !sent.changes)
      throw new TrubaError("NOCONNECTION", error.message);
    throw error;
  }

  #headers(more: Readonly<Record<string, string>>): Record<string, string> {
    const { token } = this.#options;
    return token === undefined ? { ...more } : { ...more, authorization: `Bearer ${token}` };
  }
}

/** The JSON of an answer; `undefined` if it has none. */
export async function jsonOf(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function closed(): TrubaError {
  return new TrubaError("CLOSED", "the client is closed");
}
