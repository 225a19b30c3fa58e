/**
 * What one peer is told of how documents stand here: of all of them at first, and then, at each heartbeat, of those that are not at rest: something is not final, or was
 * sent and not confirmed, or the peer asks. A heartbeat tells a bounded part, in turn.
 */
import type { DocumentExchange } from "../exchange.ts";
import type { PeerCursors } from "./peer-cursors.ts";
import type { Control, DocumentHeld } from "./wire.ts";

export interface HavesParts {
  readonly exchange: DocumentExchange;
  readonly cursors: PeerCursors;
  send(control: Control): void;
  /** How far others want the question for this document passed on to the peer; 0: they ask nothing. */
  askedByOthers(document: string): number;
}

/** Through how many nodes a question goes, at most. */
const openHops = 8;

/** Of one message, about. */
const messageBytes = 32_768;
/** Of one heartbeat, about. */
const beatBytes = 131_072;

export class Haves {
  readonly #parts: HavesParts;
  /** To be told at the next heartbeats, the one that is next first. */
  readonly #restless = new Set<string>();
  /** Documents of which the peer wants to hear. */
  readonly #asked = new Map<string, number>();

  constructor(parts: HavesParts) {
    this.#parts = parts;
  }

  /** The document is to be told of until it is at rest. */
  restless(document: string): void {
    this.#restless.add(document);
  }

  /** The peer has told of the document, and whether it wants to hear the same. */
  asked(document: string, open: number): void {
    if (open === 0) this.#asked.delete(document);
    else {
      this.#asked.set(document, open);
      this.#restless.add(document);
    }
  }

  /** How far the peer wants its question for the document to go; 0: it asks nothing. */
  askedFor(document: string): number {
    return this.#asked.get(document) ?? 0;
  }

  /** Tells of these, at once. */
  tell(documents: Iterable<string>): void {
    this.#tell(documents, Infinity, () => {});
  }

  /** Tells of all that there are. */
  tellAll(documents: Iterable<string>): void {
    this.tell(documents);
    for (const document of documents) this.#restless.add(document);
  }

  beat(): void {
    const documents = [...this.#restless];
    this.#tell(documents, beatBytes, (document, needed) => {
      this.#restless.delete(document);
      // Behind those that were not told this time.
      if (needed) this.#restless.add(document);
    });
  }

  #tell(
    documents: Iterable<string>,
    maxBytes: number,
    told: (document: string, needed: boolean) => void,
  ): void {
    let held: DocumentHeld[] = [];
    let bytes = 0;
    let allBytes = 0;
    const flush = (): void => {
      if (held.length > 0) this.#parts.send({ type: "have", documents: held });
      held = [];
      bytes = 0;
    };
    for (const document of documents) {
      if (allBytes > maxBytes) break;
      const one = this.#held(document);
      told(document, one !== undefined && (one.open > 0 || this.#asked.has(document)));
      if (one === undefined) continue;
      held.push(one);
      const more = 200 + 80 * one.clocks.size;
      bytes += more;
      allBytes += more;
      if (bytes > messageBytes) flush();
    }
    flush();
  }

  #held(document: string): DocumentHeld | undefined {
    const { exchange, cursors } = this.#parts;
    const head = exchange.head(document);
    if (head === undefined) return this.#asked.has(document) ? nothingOf(document) : undefined;
    const own = exchange.sourceOf(document);
    const clocks = new Map(head.clocks);
    const promise = exchange.clockFor(document);
    if (promise !== undefined) clocks.set(promise.source, promise);
    return {
      document,
      ...(own === exchange.source ? {} : { source: own }),
      vclock: head.vclock,
      clocks,
      hash: head.hash ?? null,
      open:
        head.tentative || cursors.unconfirmed(document)
          ? openHops
          : Math.max(0, this.#parts.askedByOthers(document) - 1),
    };
  }
}

/** What is said of a document that there is not, to one who asks. */
function nothingOf(document: string): DocumentHeld {
  return { document, vclock: {}, clocks: new Map(), hash: null, open: 0 };
}
