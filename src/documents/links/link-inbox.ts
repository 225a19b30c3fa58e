/** What comes on one link on its way to the documents: not read faster than it becomes durable, so that a link never holds more than a bounded part of what its peer has. */
import { TrubaError, errorText } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { DocumentExchange, ReceivedSummary, Sender, WireTransaction } from "../exchange.ts";
import type { MessageLink } from "./message-link.ts";
import type { PlacedOnWire } from "./wire.ts";

export interface InboxParts {
  readonly exchange: DocumentExchange;
  readonly link: MessageLink;
  /** What came is durable, and this is what became of it. */
  readonly taken: (document: string, summary: ReceivedSummary) => void;
  /** What came was not taken. */
  readonly refused: (document: string, error: TrubaError) => void;
}

export class LinkInbox {
  /** Transactions that came. */
  received = 0;
  readonly #parts: InboxParts;
  #held = 0;
  #paused = false;

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  /** Whether the link is not read, for what came before. */
  get paused(): boolean {
    return this.#paused;
  }

  /** `weight`: of the message that they came in, or of their part of it. */
  take(
    document: string,
    transactions: readonly WireTransaction[],
    weight: number,
    from: Sender,
  ): void {
    if (transactions.length === 0) return;
    this.received += transactions.length;
    this.#held += weight;
    if (!this.#paused && this.#held > limits.documentLinkBufferMaxBytes) {
      this.#paused = true;
      this.#parts.link.pause();
    }
    void this.#receive(document, transactions, from).finally(() => {
      this.#held -= weight;
      if (!this.#paused || this.#held > limits.documentLinkBufferMaxBytes / 2) return;
      this.#paused = false;
      this.#parts.link.resume();
    });
  }

  async #receive(
    document: string,
    transactions: readonly WireTransaction[],
    from: Sender,
  ): Promise<void> {
    const { exchange, taken, refused } = this.#parts;
    let summary: ReceivedSummary;
    try {
      summary = await exchange.receive(document, transactions, from);
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
      refused(document, error);
      return;
    }
    taken(document, summary);
  }
}

/** In words, what became of transactions that a peer should not have sent; `undefined`: nothing of the kind. */
export function offence(summary: ReceivedSummary, document: string): string | undefined {
  const { forged, evicted, malformed } = summary;
  const [first] = forged;
  if (first !== undefined)
    return `sends another transaction under the Id ${first.id} of ${first.source} in ${document}, which is known and stays: that node has restarted without its log and counts anew, or two nodes have that name`;
  if (evicted > 0) return `sends ${evicted} transactions of an evicted member in ${document}`;
  if (malformed > 0) return `sends ${malformed} in ${document} that are no transactions`;
  return undefined;
}

/** How long a peer waits before it sends again what was refused for this. */
export function retryMsOf(error: TrubaError): number {
  return error.retryAfterMs ?? limits.documentRedialMaxMs;
}

export function refusalText(error: TrubaError): string {
  return `${error.code}: ${errorText(error)}`;
}

/** The transactions of a message, apart for each document, in order. */
export function byDocument(transactions: readonly PlacedOnWire[]): Map<string, WireTransaction[]> {
  const documents = new Map<string, WireTransaction[]>();
  for (const { document, transaction } of transactions) {
    const others = documents.get(document);
    if (others === undefined) documents.set(document, [transaction]);
    else others.push(transaction);
  }
  return documents;
}
