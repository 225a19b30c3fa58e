/**
 * Subscriptions of one connection: what they bring is pushed between answers (RESP3), as far as the client gave credit.
 *
 *     >3 truba.tasks <id> <array of tasks>
 *     >3 truba.sessions <id> <array of sessions>
 *     >3 truba.document <id> <event>          a map: see protocol/document-fields.ts
 *     >4 truba.ended <id> <code> <text>      it brings nothing more
 *
 * Documents take no credit: while a client does not take what is sent, changes are gathered by their document, and told as one snapshot when there is room again (P8).
 *
 * A client that does not take what is pushed loses its connection by the limits of answers, and what it was brought goes back.
 */
import { errorText, TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { DocumentListener, DocumentWatch } from "../documents/vocabulary.ts";
import type { TakeSubscription } from "../node/takes.ts";
import type { RespWriter } from "../protocol/resp-writer.ts";
import type { ConnectionFlow } from "./connection-flow.ts";
import { writeDocumentAnswer } from "./document-writer.ts";
import { writeResponse } from "./response-writer.ts";

/** What a subscription tells. */
export interface PushSink {
  items(items: readonly object[]): void;
  ended(error: TrubaError): void;
}

export class Subscriptions {
  readonly #open = new Map<number, TakeSubscription>();
  readonly #watches = new Set<DocumentWatch>();
  /** A watch was told that there is no room. */
  #held = false;
  readonly #reply: RespWriter;
  readonly #flow: ConnectionFlow;
  readonly #flushSoon: () => void;
  #nextId = 1;

  /** `flushSoon`: has what was pushed sent, when no turn of the node does. */
  constructor(reply: RespWriter, flow: ConnectionFlow, flushSoon: () => void) {
    this.#reply = reply;
    this.#flow = flow;
    this.#flushSoon = flushSoon;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Opens one; `kind` names its pushes. Returns its id, before anything is pushed. Throws TrubaError. */
  open(
    kind: "truba.tasks" | "truba.sessions",
    begin: (sink: PushSink) => TakeSubscription,
  ): number {
    this.#mustHaveRoom();
    const id = this.#nextId++;
    const subscription = begin({
      items: (items) => {
        this.#push(3, kind, id);
        writeResponse(items, this.#reply);
        this.#flow.mark();
      },
      ended: ({ code, message }) => {
        this.#open.delete(id);
        this.#push(4, "truba.ended", id);
        this.#reply.bulkText(code);
        this.#reply.bulkText(message);
        // No turn of the node may be coming that would send it.
        this.#flow.flush();
      },
    });
    this.#open.set(id, subscription);
    return id;
  }

  /** Watches a document. Returns its id, before anything is pushed. Throws TrubaError. */
  watch(begin: (listener: DocumentListener) => DocumentWatch): number {
    this.#mustHaveRoom();
    const id = this.#nextId++;
    const watch = begin({
      event: (event) => {
        this.#push(3, "truba.document", id);
        writeDocumentAnswer(event, this.#reply);
        this.#flushSoon();
      },
      ready: () => {
        if (!this.#flow.full) return true;
        this.#held = true;
        return false;
      },
      ended: (error) => {
        this.#watches.delete(watch);
        this.#open.delete(id);
        this.#push(4, "truba.ended", id);
        this.#reply.bulkText(error instanceof TrubaError ? error.code : "STOPPED");
        this.#reply.bulkText(errorText(error));
        this.#flushSoon();
      },
    });
    this.#watches.add(watch);
    this.#open.set(id, {
      credit() {},
      close: () => {
        this.#watches.delete(watch);
        watch.close();
      },
    });
    return id;
  }

  /** There is room again, perhaps. */
  resume(): void {
    if (!this.#held || this.#flow.full) return;
    this.#held = false;
    for (const watch of this.#watches) watch.resume();
  }

  /** Whether there is one of this id to give credit to. Throws TrubaError. */
  maybeCredit(id: number, count: number): boolean {
    const subscription = this.#open.get(id);
    subscription?.credit(count);
    return subscription !== undefined;
  }

  /** Whether there was one of this id. */
  maybeClose(id: number): boolean {
    const subscription = this.#open.get(id);
    if (subscription === undefined) return false;
    this.#open.delete(id);
    subscription.close();
    return true;
  }

  closeAll(): void {
    for (const subscription of this.#open.values()) subscription.close();
    this.#open.clear();
  }

  #mustHaveRoom(): void {
    if (this.#open.size < limits.connectionSubscriptionsMaxCount) return;
    throw new TrubaError(
      "TOOMANY",
      `the connection has ${this.#open.size} subscriptions; the limit is ${limits.connectionSubscriptionsMaxCount}`,
    );
  }

  #push(count: number, kind: string, id: number): void {
    this.#reply.push(count);
    this.#reply.bulkText(kind);
    this.#reply.integer(id);
  }
}
