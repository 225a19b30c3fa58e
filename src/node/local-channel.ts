/** The channel to the node in this very process: requests go straight to it, without a connection in between. */
import { type Clock, nextTurn } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import type {
  CallOptions,
  Channel,
  Subscription,
  SubscriptionSink,
  Watching,
  WatchSink,
} from "../client/channel.ts";
import type { DocumentService } from "../documents/vocabulary.ts";
import type { Owner } from "../machines/owner.ts";
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
import { callDocument } from "./document-call.ts";
import type { Requests } from "./requests.ts";
import type { TakeSubscription } from "./takes.ts";

/** Calls after which the event loop gets a turn. */
const turnCalls = 1_024;

/** The node, as the channel to it sees it. */
export interface LocalNode {
  readonly requests: Requests;
  readonly documents: DocumentService;
}

export class LocalChannel implements Channel {
  readonly #requests: Requests;
  readonly #documents: DocumentService;
  readonly #clock: Clock;
  readonly #owner: Owner;
  readonly #subscriptions = new Set<TakeSubscription>();
  readonly #watches = new Set<Watching>();
  /** Pops and takes that wait. */
  readonly #waiting = new Set<AbortController>();
  readonly #onClose: () => Promise<void>;
  /** Calls since other things last had their turn: a loop of reads, each answered at once, must not keep them out. */
  #inTurn = 0;
  #closed = false;

  /** `onClose` ends what the channel is to: the node, if it was opened for it. */
  constructor({ requests, documents }: LocalNode, clock: Clock, onClose: () => Promise<void>) {
    this.#requests = requests;
    this.#documents = documents;
    this.#clock = clock;
    this.#owner = requests.openOwner();
    this.#onClose = onClose;
  }

  async call<V extends Verb>(
    verb: V,
    request: RequestOf<V>,
    options: CallOptions = {},
  ): Promise<ResponseOf<V>> {
    this.#mustBeOpen();
    const isLast = ++this.#inTurn >= turnCalls;
    if (isLast) this.#inTurn = 0;
    try {
      return await this.#do(verb, request, options);
    } finally {
      // The answer waits, not the request: what is called at once is done in the order of the calls.
      if (isLast) await nextTurn(this.#clock);
    }
  }

  async #do<V extends Verb>(
    verb: V,
    request: RequestOf<V>,
    options: CallOptions,
  ): Promise<ResponseOf<V>> {
    const { requestId, signal } = options;
    const context = { owner: this.#owner, requestId };
    if (verb !== "queue.pop" && verb !== "session.take")
      return this.#requests.call(verb, request, { ...context, signal });
    const waiting = new AbortController();
    const abort = (): void => waiting.abort(signal?.reason);
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.add(waiting);
    try {
      return await this.#requests.call(verb, request, { ...context, signal: waiting.signal });
    } finally {
      this.#waiting.delete(waiting);
      signal?.removeEventListener("abort", abort);
    }
  }

  async atomic(
    requests: readonly AnyRequest[],
    options: CallOptions = {},
  ): Promise<readonly unknown[]> {
    this.#mustBeOpen();
    return this.#requests.atomic(requests, { ...options, owner: this.#owner });
  }

  tasks(
    request: { readonly queue: string; readonly leaseMs?: number; readonly credit: number },
    sink: SubscriptionSink<DeliveredTask>,
  ): Subscription {
    this.#mustBeOpen();
    return this.#keep(this.#requests.takes.tasks(request, this.#owner, sink));
  }

  sessions(
    request: { readonly kinds: readonly string[]; readonly credit: number },
    sink: SubscriptionSink<DeliveredSession>,
  ): Subscription {
    this.#mustBeOpen();
    return this.#keep(this.#requests.takes.sessions(request, this.#owner, sink));
  }

  document<V extends DocumentVerb>(
    verb: V,
    request: DocumentRequestOf<V>,
    options?: Pick<CallOptions, "signal">,
  ): Promise<DocumentResponseOf<V>>;
  async document(
    verb: DocumentVerb,
    request: object,
    options: Pick<CallOptions, "signal"> = {},
  ): Promise<object> {
    this.#mustBeOpen();
    const node = { documents: this.#documents, clock: this.#clock };
    return callDocument(node, { verb, request } as AnyDocumentRequest, options.signal);
  }

  watch(document: string, sink: WatchSink): Watching {
    this.#mustBeOpen();
    const watch = this.#documents.watch(document, {
      event: (event) => sink.items([event]),
      // Whoever follows here bounds what waits for him by himself.
      ready: () => true,
      ended: (error) => {
        this.#watches.delete(watch);
        sink.ended(error);
      },
    });
    this.#watches.add(watch);
    return {
      close: () => {
        this.#watches.delete(watch);
        watch.close();
      },
    };
  }

  serverNowMs(): number {
    return this.#clock.wallMs();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const waiting of this.#waiting) waiting.abort(closed());
    for (const subscription of this.#subscriptions) subscription.close();
    for (const watch of this.#watches) watch.close();
    this.#requests.closeOwner(this.#owner);
    await this.#onClose();
  }

  #keep(subscription: TakeSubscription): Subscription {
    this.#subscriptions.add(subscription);
    return {
      credit: (count) => subscription.credit(count),
      close: () => {
        this.#subscriptions.delete(subscription);
        subscription.close();
      },
    };
  }

  #mustBeOpen(): void {
    if (this.#closed) throw closed();
  }
}

function closed(): TrubaError {
  return new TrubaError("CLOSED", "the database is closed");
}
