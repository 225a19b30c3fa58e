/**
 * The channel over TCP: requests in RESP over one pipelined connection at a time. A lost connection is made anew, with back-off, to the next address; what was in flight
 * is told UNKNOWNOUTCOME, what has not been sent waits for the next connection, or is told NOCONNECTION when no address answers.
 */
import type { Clock } from "../base/clock.ts";
import { assert, must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Address, Network } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import type {
  AnyDocumentRequest,
  DocumentRequestOf,
  DocumentResponseOf,
  DocumentVerb,
} from "../protocol/document-requests.ts";
import type { DocumentEvent } from "../protocol/documents.ts";
import type { RespReply } from "../protocol/resp-reply.ts";
import type {
  AnyRequest,
  DeliveredSession,
  DeliveredTask,
  RequestOf,
  ResponseOf,
  Verb,
} from "../protocol/requests.ts";
import { Backoff } from "./backoff.ts";
import type { CallOptions, Channel, SubscriptionSink, Watching, WatchSink } from "./channel.ts";
import { RespCall } from "./resp-call.ts";
import { documentAnswerIn } from "./resp-documents.ts";
import { RespGroup } from "./resp-group.ts";
import { type LinkOwner, RespLink } from "./resp-link.ts";
import { writeDocumentRequest, writeRequest } from "./resp-requests.ts";
import { readPush, RespSubscription, type Subject } from "./resp-subscription.ts";
import { takeWaiting } from "./resp-waiting.ts";

export interface RespChannelOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  /** One or more; tried in turn. */
  readonly addresses: readonly Address[];
  /** For a node that wants one. */
  readonly token?: string | undefined;
  /** What the connection calls itself in lists of clients. */
  readonly name?: string | undefined;
}

/** What waits for a connection. */
interface Unsent {
  send(link: RespLink): void;
  refuse(error: TrubaError): void;
}

/** A subscription of any kind: pushes are handed to it as they come. */
type AnySubscription =
  | RespSubscription<DeliveredTask>
  | RespSubscription<DeliveredSession>
  | RespSubscription<DocumentEvent>;

export class RespChannel implements Channel {
  readonly #options: RespChannelOptions;
  readonly #backoff: Backoff;
  readonly #subscriptions = new Set<AnySubscription>();
  /** Of the present connection, by the node's ids. */
  readonly #byId = new Map<number, AnySubscription>();
  #unsent: Unsent[] = [];
  #link: RespLink | undefined;
  /** Index of the address that is tried next. */
  #next = 0;
  #lossListeners: (() => void)[] = [];
  #closed = false;
  #wakeConnecting: (() => void) | undefined;

  constructor(options: RespChannelOptions) {
    assert(options.addresses.length > 0, "a channel needs an address");
    this.#options = options;
    this.#backoff = new Backoff(options.random, limits.clientRetryMinMs, limits.clientRetryMaxMs);
    void this.#connect();
  }

  call<V extends Verb>(
    verb: V,
    request: RequestOf<V>,
    options?: CallOptions,
  ): Promise<ResponseOf<V>>;
  call(verb: Verb, request: object, options: CallOptions = {}): Promise<object> {
    const asked = { verb, request } as AnyRequest;
    if (
      (asked.verb === "queue.pop" || asked.verb === "session.take") &&
      (asked.request.waitMs ?? 0) > 0
    )
      return takeWaiting(this, this.#options.clock, asked, options.signal);
    return new Promise((resolve, reject) => {
      const call = new RespCall({ resolve, reject, lost: () => reject(unknownOutcome()) });
      if (options.signal !== undefined) {
        call.heed(options.signal, (response) => this.#giveBack(asked, response));
        if (call.isSettled) return;
      }
      const link = this.#link;
      if (link !== undefined && this.#hasRoom(link)) {
        writeRequest(link.out, asked, options.requestId);
        link.expect(call);
        return;
      }
      this.#later({
        send(opened) {
          if (call.isSettled) return;
          writeRequest(opened.out, asked, options.requestId);
          opened.expect(call);
        },
        refuse: (error) => call.refuse(error),
      });
    });
  }

  document<V extends DocumentVerb>(
    verb: V,
    request: DocumentRequestOf<V>,
    options?: Pick<CallOptions, "signal">,
  ): Promise<DocumentResponseOf<V>>;
  document(
    verb: DocumentVerb,
    request: object,
    { signal }: Pick<CallOptions, "signal"> = {},
  ): Promise<object> {
    return new Promise((resolve, reject) => {
      const settled = { resolve, reject, lost: () => reject(unknownOutcome()) };
      const call = new RespCall(settled, documentAnswerIn);
      if (signal !== undefined) call.heed(signal, () => {});
      this.#later({
        send(link) {
          if (call.isSettled) return;
          writeDocumentRequest(link.out, { verb, request } as AnyDocumentRequest);
          link.expect(call);
        },
        refuse: (error) => call.refuse(error),
      });
    });
  }

  watch(document: string, sink: WatchSink): Watching {
    return this.#subscribe({ document }, 0, sink, () => {});
  }

  atomic(requests: readonly AnyRequest[], options: CallOptions = {}): Promise<readonly unknown[]> {
    if (requests.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const { signal, requestId } = options;
      const abort = (): void => reject(must(signal).reason as Error);
      if (signal?.aborted === true) {
        abort();
        return;
      }
      signal?.addEventListener("abort", abort, { once: true });
      const done = (): void => signal?.removeEventListener("abort", abort);
      const refuse = (error: TrubaError): void => {
        done();
        reject(error);
      };
      const group = new RespGroup(requests, {
        resolve: (responses) => {
          done();
          resolve(responses);
        },
        reject: refuse,
        lost: () => refuse(unknownOutcome()),
      });
      this.#later({
        send(link) {
          if (signal?.aborted !== true) group.write(link, requestId);
        },
        refuse,
      });
    });
  }

  tasks(
    request: { readonly queue: string; readonly leaseMs?: number; readonly credit: number },
    sink: SubscriptionSink<DeliveredTask>,
  ): RespSubscription<DeliveredTask> {
    const { queue, leaseMs, credit } = request;
    return this.#subscribe({ queue, leaseMs }, credit, sink, (tasks) =>
      this.#giveBackTasks(queue, tasks),
    );
  }

  sessions(
    request: { readonly kinds: readonly string[]; readonly credit: number },
    sink: SubscriptionSink<DeliveredSession>,
  ): RespSubscription<DeliveredSession> {
    const { kinds, credit } = request;
    return this.#subscribe({ kinds }, credit, sink, (sessions) => this.#giveBackSessions(sessions));
  }

  onLoss(listener: () => void): void {
    this.#lossListeners.push(listener);
  }

  serverNowMs(): number {
    return this.#link?.serverNowMs() ?? this.#options.clock.wallMs();
  }

  /** Resolves when there is a connection. Rejects with the error of the last attempt once every address was tried, or with CLOSED. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#later({ send: () => resolve(), refuse: reject });
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#wakeConnecting?.();
    this.#refuseUnsent(closed());
    const link = this.#link;
    this.#link = undefined;
    const over = link?.close();
    this.#endSubscriptions(closed());
    await over;
  }

  #subscribe<Item extends DeliveredTask | DeliveredSession | DocumentEvent>(
    subject: Subject,
    credit: number,
    sink: SubscriptionSink<Item>,
    tooLate: (items: readonly Item[]) => void,
  ): RespSubscription<Item> {
    const subscription = new RespSubscription<Item>({
      subject,
      credit,
      sink,
      tooLate,
      forget: () => this.#forget(subscription as unknown as AnySubscription),
    });
    const kept = subscription as unknown as AnySubscription;
    this.#subscriptions.add(kept);
    this.#later({
      send: (link) =>
        subscription.begin(link, () => void this.#byId.set(must(subscription.id), kept)),
      refuse: (error) => subscription.ended(error),
    });
    return subscription;
  }

  #forget(subscription: AnySubscription): void {
    this.#subscriptions.delete(subscription);
    const { id } = subscription;
    if (id !== undefined && this.#byId.get(id) === subscription) this.#byId.delete(id);
  }

  /** Sends at once, or when there is a connection. */
  #later(unsent: Unsent): void {
    const link = this.#link;
    if (this.#closed) unsent.refuse(closed());
    else if (link !== undefined) {
      if (this.#hasRoom(link)) unsent.send(link);
      else unsent.refuse(overloaded(link));
    } else if (this.#unsent.length >= limits.clientPendingMaxCount) unsent.refuse(overloaded());
    else this.#unsent.push(unsent);
  }

  #hasRoom(link: RespLink): boolean {
    return (
      link.inFlight < limits.clientPendingMaxCount &&
      link.unsentBytes < limits.clientPendingMaxBytes
    );
  }

  /** Tries the addresses in turn until one answers, round after round. */
  async #connect(): Promise<void> {
    const { addresses, clock } = this.#options;
    for (let round = 1; !this.#closed; round++) {
      let last: unknown;
      for (let i = 0; i < addresses.length && !this.#closed; i++) {
        const address = must(addresses[this.#next]);
        try {
          await this.#open(address);
          return;
        } catch (error) {
          last = error;
          this.#next = (this.#next + 1) % addresses.length;
        }
      }
      if (this.#closed) return;
      this.#refuseUnsent(last as TrubaError);
      await new Promise<void>((resolve) => {
        const timer = clock.after(this.#backoff.delayMs(round), resolve);
        this.#wakeConnecting = () => {
          timer.cancel();
          resolve();
        };
      });
    }
  }

  async #open(address: Address): Promise<void> {
    let link: RespLink | undefined;
    const owner: LinkOwner = {
      push: (items) => this.#push(items),
      lost: (reason) => {
        if (link !== undefined && link === this.#link) this.#lose(reason);
      },
    };
    const { network, clock, token, name } = this.#options;
    link = await RespLink.open({ network, clock, token, name, address, owner });
    if (this.#closed) {
      await link.close();
      return;
    }
    if (!link.isOpen) throw lost("it was closed again at once");
    this.#link = link;
    for (const unsent of this.#unsent.splice(0)) unsent.send(link);
  }

  #lose(reason: string): void {
    this.#link = undefined;
    // Before anybody hears of an unknown outcome, all hear that what they hold is gone.
    for (const listener of this.#lossListeners) listener();
    this.#endSubscriptions(lost(reason));
    void this.#connect();
  }

  #endSubscriptions(error: TrubaError): void {
    this.#byId.clear();
    for (const subscription of this.#subscriptions) subscription.ended(error);
  }

  #refuseUnsent(error: TrubaError): void {
    for (const unsent of this.#unsent.splice(0)) unsent.refuse(error);
  }

  #push(items: readonly RespReply[]): void {
    const push = readPush(items);
    if (push === undefined) return;
    const subscription = this.#byId.get(push.id);
    if (subscription === undefined) return;
    if (push.error !== undefined) subscription.ended(push.error);
    else subscription.items(push.items as never);
  }

  /** What a take brought whose caller has gone. */
  #giveBack(asked: AnyRequest, response: object): void {
    if (asked.verb === "queue.pop")
      this.#giveBackTasks(asked.request.queue, (response as ResponseOf<"queue.pop">).tasks);
    if (asked.verb === "session.take")
      this.#giveBackSessions((response as ResponseOf<"session.take">).sessions);
  }

  #giveBackTasks(queue: string, tasks: readonly DeliveredTask[]): void {
    if (tasks.length === 0 || this.#closed) return;
    const leases = tasks.map(({ task, lease }) => ({ task, lease }));
    // If it cannot be told, the lease ends by itself.
    this.call("queue.nack", { queue, leases, uncounted: true }).catch(() => {});
  }

  #giveBackSessions(sessions: readonly DeliveredSession[]): void {
    if (this.#closed) return;
    for (const { session, epoch } of sessions) {
      // If it cannot be told, its silence tells it.
      this.call("session.store", { session, epoch, afterMs: 0 }).catch(() => {});
    }
  }
}

function closed(): TrubaError {
  return new TrubaError("CLOSED", "the client is closed");
}

function lost(reason: string): TrubaError {
  return new TrubaError("NOCONNECTION", `the connection was lost: ${reason}`);
}

function unknownOutcome(): TrubaError {
  return new TrubaError("UNKNOWNOUTCOME", "the connection was lost before the answer came");
}

function overloaded(link?: RespLink): TrubaError {
  const count = link?.inFlight ?? limits.clientPendingMaxCount;
  return new TrubaError(
    "OVERLOADED",
    `the client has ${count} requests without an answer; the limit is ${limits.clientPendingMaxCount}, or ${limits.clientPendingMaxBytes} bytes that have not left`,
    { retryAfterMs: limits.overloadedRetryAfterMs },
  );
}
