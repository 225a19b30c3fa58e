/**
 * Sends one Truba peer what it lacks, from cursors into the log: in order for each source, in batches, and never more ahead of the network than a limit. Nothing is queued
 * for the peer: while it does not take what was sent, its cursors wait.
 */
import { TrubaError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { DocumentExchange } from "../exchange.ts";
import type { MessageLink } from "./message-link.ts";
import type { PeerCursors } from "./peer-cursors.ts";
import { transactionText } from "./wire.ts";

/** From so many characters on a message is worth compressing: catch-up, not what is live. */
export const compressFromBytes = 4_096;

export interface PumpParts {
  readonly exchange: DocumentExchange;
  readonly clock: Clock;
  readonly link: MessageLink;
  readonly cursors: PeerCursors;
  /** Whether anything may be sent now. */
  readonly open: () => boolean;
  /** What there is of the document could not be read. */
  readonly failed: (document: string, error: TrubaError) => void;
}

/** A message that is being made. */
interface Batch {
  readonly texts: string[];
  bytes: number;
}

export class LinkPump {
  /** Transactions that were sent. */
  sent = 0;
  readonly #parts: PumpParts;
  /** Documents of which there may be something to send, the one that is next first. */
  readonly #dirty = new Set<string>();
  /** Documents of which something is left to other links. */
  readonly #left = new Set<string>();
  /** Documents of which nothing is sent until then. */
  readonly #heldUntilMs = new Map<string, number>();
  #running = false;
  #again = false;

  constructor(parts: PumpParts) {
    this.#parts = parts;
  }

  /** There may be something new of the document. */
  changed(document: string): void {
    this.#dirty.add(document);
    this.wake();
  }

  /** Sends nothing of the document for a while: its peer could not take it. */
  hold(document: string, forMs: number): void {
    this.#heldUntilMs.set(document, this.#parts.clock.monotonicMs() + forMs);
  }

  /** The peer has something to say of the document again. */
  release(document: string): void {
    if (this.#heldUntilMs.delete(document)) this.changed(document);
  }

  /** A heartbeat has passed: what was left to others or held back is looked at again. */
  beat(): void {
    const { clock, cursors } = this.#parts;
    for (const document of this.#left) this.#dirty.add(document);
    this.#left.clear();
    const nowMs = clock.monotonicMs();
    for (const [document, untilMs] of this.#heldUntilMs) {
      if (nowMs < untilMs) continue;
      this.#heldUntilMs.delete(document);
      cursors.rewind(document);
      this.#dirty.add(document);
    }
    this.wake();
  }

  /** Transactions that are still to be sent. */
  get backlog(): number {
    const { exchange, cursors } = this.#parts;
    let backlog = 0;
    for (const document of new Set([...this.#dirty, ...this.#left, ...this.#heldUntilMs.keys()]))
      backlog += cursors.backlog(document, exchange.head(document)?.vclock ?? {});
    return backlog;
  }

  /** Goes on sending, if it may and there is something. */
  wake(): void {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        while (this.#maySend() && this.#dirty.size > 0) await this.#sendBatch();
      }
    } finally {
      // In the same turn in which nothing more was found, so that no wake is lost.
      this.#running = false;
    }
  }

  #maySend(): boolean {
    const { link, open } = this.#parts;
    return link.bufferedBytes < limits.documentLinkBufferMaxBytes && open();
  }

  /** Of as many documents as it takes to fill a message, or of all that have something. */
  async #sendBatch(): Promise<void> {
    const batch: Batch = { texts: [], bytes: 0 };
    const { link, open } = this.#parts;
    for (const document of this.#dirty) {
      this.#dirty.delete(document);
      if (this.#heldUntilMs.has(document)) continue;
      if (!(await this.#gather(document, batch))) {
        // It goes to the end, so that a long one does not keep the others waiting.
        this.#dirty.add(document);
        break;
      }
    }
    if (batch.texts.length === 0 || !open()) return;
    this.sent += batch.texts.length;
    const text = `[${batch.texts.join(",")}]`;
    link.send(text, text.length >= compressFromBytes);
  }

  /** Returns whether that was all of the document. */
  async #gather(document: string, batch: Batch): Promise<boolean> {
    const { exchange, clock, cursors } = this.#parts;
    const head = exchange.head(document);
    if (head === undefined) return true;
    const own = exchange.sourceOf(document);
    const nowMs = clock.monotonicMs();
    const left = (): void => {
      this.#left.add(document);
    };
    for (const { source, count } of cursors.behind(document, head.vclock, own, nowMs, left)) {
      let from = count;
      for (;;) {
        const room = limits.documentBatchMaxBytes - batch.bytes;
        if (room <= 0) return false;
        const more = await this.#read(document, source, from, room);
        if (more === undefined) return true;
        // The head speaks of what is durable; what is not there yet is told of when it is.
        if (more.length === 0) break;
        if (!cursors.sent(document, source, from, more.length, clock.monotonicMs())) return false;
        for (const transaction of more) {
          const text = transactionText(transaction, document);
          batch.texts.push(text);
          batch.bytes += text.length;
        }
        from += more.length;
        if (from >= (head.vclock[source] ?? 0)) break;
      }
    }
    return true;
  }

  async #read(document: string, source: string, count: number, maxBytes: number) {
    const { exchange, failed } = this.#parts;
    try {
      return await exchange.after(document, source, count, maxBytes);
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
      this.hold(document, limits.documentRedialMaxMs);
      failed(document, error);
      return undefined;
    }
  }
}
