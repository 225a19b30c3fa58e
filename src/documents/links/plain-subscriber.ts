/**
 * Takes what a plain peer sends: its whole log, then what comes. It is read only: nothing is ever sent to it, not even a ping. What is no transaction is counted and passed
 * over, for a peer that knows no better must not be lost for one bad message.
 */
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { DocumentExchange, Gap, ReceivedSummary, WireTransaction } from "../exchange.ts";
import { LinkInbox, offence, refusalText } from "./link-inbox.ts";
import type { MessageLink, MessageLinkEvents } from "./message-link.ts";
import { decodePlain } from "./wire.ts";

export interface PlainSubscriberParts {
  readonly exchange: DocumentExchange;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly link: MessageLink;
  readonly document: string;
  ended(trouble: string): void;
}

const sender = { source: null, kind: "plain" } as const;

export class PlainSubscriber implements MessageLinkEvents {
  readonly link: MessageLink;
  readonly openedMs: number;
  readonly #parts: PlainSubscriberParts;
  readonly #inbox: LinkInbox;
  #garbage = 0;
  #lastGarbage = "";
  #offence = "";
  #gap: Gap | undefined;
  #refusal = "";
  #over = false;
  /** What came in this turn, and its length. */
  #gathered: WireTransaction[] = [];
  #gatheredWeight = 0;

  constructor(parts: PlainSubscriberParts) {
    const { exchange, clock, link, document } = parts;
    this.#parts = parts;
    this.link = link;
    this.openedMs = clock.monotonicMs();
    this.#inbox = new LinkInbox({
      exchange,
      link,
      taken: (_document, summary) => this.#taken(summary),
      refused: (_document, error) => {
        this.#refusal = `what it sends of ${document} is not taken: ${refusalText(error)}`;
      },
    });
  }

  begin(): void {
    this.link.bind(this);
  }

  get received(): number {
    return this.#inbox.received;
  }

  /** What is wrong with what it sends. */
  get trouble(): string {
    const gap = this.#gap;
    return [
      this.#refusal,
      this.#offence,
      gap === undefined
        ? ""
        : `lacks ${gap.source}:${gap.from} to ${gap.source}:${gap.to}; what comes behind waits`,
      this.#garbage === 0
        ? ""
        : `sent ${this.#garbage} messages that are no transactions; of the last, ${this.#lastGarbage}`,
    ]
      .filter((text) => text !== "")
      .join("; ");
  }

  end(code: number, reason: string): void {
    if (this.#over) return;
    this.link.close(code, reason);
    this.closed("");
  }

  message(text: string): void {
    if (this.#over) return;
    const { transactions, problem } = decodePlain(text);
    if (problem !== undefined) this.#wrong(problem);
    if (transactions.length === 0) return;
    // One message, one transaction: those that come together are taken together.
    if (this.#gathered.length === 0) this.#parts.clock.soon(() => this.#flush());
    this.#gathered.push(...transactions);
    this.#gatheredWeight += text.length;
  }

  binary(byteCount: number): void {
    this.#wrong(`a message of ${byteCount} bytes is not text`);
  }

  drained(): void {}

  closed(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts.ended(reason);
  }

  #flush(): void {
    const transactions = this.#gathered;
    const weight = this.#gatheredWeight;
    this.#gathered = [];
    this.#gatheredWeight = 0;
    this.#inbox.take(this.#parts.document, transactions, weight, sender);
  }

  #wrong(problem: string): void {
    this.#garbage++;
    this.#lastGarbage = problem;
  }

  #taken(summary: ReceivedSummary): void {
    this.#refusal = "";
    [this.#gap] = summary.missing;
    const told = offence(summary, this.#parts.document);
    if (told === undefined || told === this.#offence) return;
    this.#offence = told;
    this.#parts.logger.warn({ peer: this.link.remote }, told);
  }
}
