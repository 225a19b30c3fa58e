/**
 * Brings a plain peer, or whoever connects without a word, the transactions of one document: all of them in the order in which this node took them, then what comes. Three
 * fields, one transaction a message. Nothing that the other side says is believed, and nothing of it is waited for but that it takes what is sent.
 */
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { DocumentExchange } from "../exchange.ts";
import { countIn } from "../vector-clock.ts";
import type { Source, VectorClock } from "../vocabulary.ts";
import { refusalText } from "./link-inbox.ts";
import { type MessageLink, type MessageLinkEvents, closeCodes } from "./message-link.ts";
import { transactionText } from "./wire.ts";

export interface PlainPublisherParts {
  readonly exchange: DocumentExchange;
  readonly link: MessageLink;
  readonly document: string;
  /** What the other side has already; of each source the first so many are left out. */
  readonly since: VectorClock;
  ended(trouble: string): void;
}

export class PlainPublisher implements MessageLinkEvents {
  readonly document: string;
  readonly link: MessageLink;
  sent = 0;
  trouble = "";
  readonly #parts: PlainPublisherParts;
  /** How many of each source have been passed, sent or left out. */
  readonly #passed = new Map<Source, number>();
  #passedCount = 0;
  #skipped = 0;
  #cursor = 0;
  #running = false;
  #again = false;
  #over = false;

  constructor(parts: PlainPublisherParts) {
    this.#parts = parts;
    this.document = parts.document;
    this.link = parts.link;
  }

  begin(): void {
    this.link.bind(this);
    this.wake();
  }

  /** Transactions that are still to be sent. */
  get backlog(): number {
    const vclock = this.#parts.exchange.head(this.document)?.vclock ?? {};
    const all = Object.values(vclock).reduce((sum, count) => sum + count, 0);
    return Math.max(0, all - this.#passedCount);
  }

  end(code: number, reason: string): void {
    if (this.#over) return;
    this.link.close(code, reason);
    this.closed("");
  }

  /** There may be something new. */
  wake(): void {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  message(): void {}

  binary(): void {}

  drained(): void {
    this.wake();
  }

  closed(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts.ended(reason);
  }

  async #run(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        while (this.#maySend() && (await this.#sendSome()));
      }
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
      this.trouble = refusalText(error);
      this.end(closeCodes.goingAway, error.code);
    } finally {
      // In the same turn in which nothing more was found, so that no wake is lost.
      this.#running = false;
    }
  }

  #maySend(): boolean {
    const { exchange } = this.#parts;
    if (this.#over || this.link.bufferedBytes >= limits.documentLinkBufferMaxBytes) return false;
    return exchange.head(this.document) !== undefined;
  }

  /** Returns whether there was anything. */
  async #sendSome(): Promise<boolean> {
    const { exchange, since } = this.#parts;
    const maxBytes = limits.documentBatchMaxBytes;
    const some = await exchange.sequence(this.document, this.#cursor, maxBytes);
    this.#cursor = some.cursor;
    for (const transaction of some.transactions) {
      const { source, id } = transaction;
      const passed = (this.#passed.get(source) ?? 0) + 1;
      this.#passed.set(source, passed);
      this.#passedCount++;
      if (passed <= countIn(since, source)) continue;
      const text = transactionText(transaction);
      const bytes = Buffer.byteLength(text);
      if (bytes > limits.documentPlainMaxBytes) {
        this.#skipped++;
        this.trouble = `${this.#skipped} transactions are too long for plain peers, the last one ${source}:${id} with ${bytes} bytes; the limit is ${limits.documentPlainMaxBytes}`;
      } else if (!this.#over) {
        this.sent++;
        this.link.send(text, false);
      }
    }
    return some.transactions.length > 0;
  }
}
