/**
 * What a client speaks through: a connection to a node (RESP), HTTP in a browser, or the node in this very process. All three take and answer the same requests, so
 * everything above, queues, sessions, records, workers, is written once.
 */
import type {
  DocumentRequestOf,
  DocumentResponseOf,
  DocumentVerb,
} from "../protocol/document-requests.ts";
import type { DocumentEvent } from "../protocol/documents.ts";
import type {
  AnyRequest,
  DeliveredSession,
  DeliveredTask,
  RequestOf,
  ResponseOf,
  Verb,
} from "../protocol/requests.ts";

export interface CallOptions {
  /** Makes a write exactly once (P3): the same id with the same request has the same outcome. */
  readonly requestId?: string;
  /** Ends the waiting: of a pop for tasks, of anything for its answer. What was sent may still be done. */
  readonly signal?: AbortSignal;
}

/** Told what a subscription brings. */
export interface SubscriptionSink<Item> {
  /** At most as many as there was credit for. */
  items(items: readonly Item[]): void;
  /**
   * It brings nothing more: the channel has ended, or the queue has. With NOCONNECTION, what it brought has gone back too. Told once, not after `close`.
   */
  ended(error: Error): void;
}

export interface Subscription {
  /** It may bring so many more. */
  credit(count: number): void;
  /** It brings nothing more. What it brought stays held. */
  close(): void;
  /** After `close`: nothing that it brought is held any more. For channels that keep something open until then. */
  release?(): void;
}

/** Told of a document as it changes. */
export interface WatchSink {
  /** First a snapshot; then changes, each from what was told before it, and a snapshot again instead of what was too much to be told. */
  items(events: readonly DocumentEvent[]): void;
  /** It brings nothing more. Told once, not after `close`. */
  ended(error: Error): void;
}

export interface Watching {
  /** It brings nothing more. */
  close(): void;
}

export interface Channel {
  /**
   * Does one request. Rejects with TrubaError: the code of the error table that the node answered, NOCONNECTION when nothing was sent, UNKNOWNOUTCOME when it was sent and no answer came,
   * CLOSED after `close`; or with the signal's reason.
   */
  call<V extends Verb>(
    verb: V,
    request: RequestOf<V>,
    options?: CallOptions,
  ): Promise<ResponseOf<V>>;
  /**
   * Does several writes as one atomic group: all or nothing. Resolves with a response for each. Rejects as `call`; when the group was not applied, with EXECABORT, whose cause is an
   * {@link GroupRefusal}.
   */
  atomic(requests: readonly AnyRequest[], options?: CallOptions): Promise<readonly unknown[]>;
  /** Brings tasks of a queue as they come, as far as there is credit; each is leased. */
  tasks(
    request: { readonly queue: string; readonly leaseMs?: number; readonly credit: number },
    sink: SubscriptionSink<DeliveredTask>,
  ): Subscription;
  /** Brings due sessions of these kinds, as far as there is credit. */
  sessions(
    request: { readonly kinds: readonly string[]; readonly credit: number },
    sink: SubscriptionSink<DeliveredSession>,
  ): Subscription;
  /** Does one request about a document. Rejects as `call`. A change takes no request id: sent twice it may take effect twice. */
  document<V extends DocumentVerb>(
    verb: V,
    request: DocumentRequestOf<V>,
    options?: Pick<CallOptions, "signal">,
  ): Promise<DocumentResponseOf<V>>;
  /** Tells of a document as it changes. One that does not exist is told as `{}`. */
  watch(document: string, sink: WatchSink): Watching;
  /**
   * Has `listener` told whenever a connection was lost and what was held through it, tasks and sessions that are not detached, has gone back. A channel without
   * connections does not have it.
   */
  onLoss?(listener: () => void): void;
  /** Milliseconds since 1970 as the node counts them, for request ids. */
  serverNowMs(): number;
  /** Ends it. What was held through it goes back at once, but for what is detached. */
  close(): Promise<void>;
}

/** Why an atomic group was not applied. */
export interface GroupRefusal {
  /** Which of its requests was refused, from 0. */
  readonly index: number;
  readonly code: string;
  readonly text: string;
}
