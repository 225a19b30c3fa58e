/**
 * Watched documents: each stream tells one client of one document, by server-sent events or by WebSocket.
 *
 *     snapshot   the document as it is; at first, and again when the client was too slow for what changed
 *     change     a JSON Patch that leads from what was told before to what is now, and verdicts
 *     ended      a problem; nothing follows
 *
 * Nothing is kept for a client that takes nothing: the document's service is told that the stream is not ready, gathers, and tells a snapshot when it is (P8).
 */
import { TrubaError } from "../../base/errors.ts";
import type { DocumentEvent, DocumentService } from "../../documents/vocabulary.ts";
import type { EventOutput } from "./event-output.ts";
import { bugProblem, problemOf } from "./problem.ts";

export class DocumentStreams {
  readonly #documents: DocumentService;
  readonly #open = new Set<DocumentStream>();
  /** All that watch a document are told the same event: it becomes text once. */
  readonly #texts = new WeakMap<DocumentEvent, string>();

  constructor(documents: DocumentService) {
    this.#documents = documents;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Throws TrubaError before anything is sent. */
  open(name: string, output: EventOutput): void {
    const stream = new DocumentStream({
      documents: this.#documents,
      name,
      output,
      textOf: (event) => this.#textOf(event),
    });
    this.#open.add(stream);
    output.onClosed(() => {
      this.#open.delete(stream);
      stream.closed();
    });
  }

  /** Ends all streams. */
  end(error: TrubaError): void {
    for (const stream of this.#open) stream.end(error);
  }

  #textOf(event: DocumentEvent): string {
    const known = this.#texts.get(event);
    if (known !== undefined) return known;
    const text = JSON.stringify(event);
    this.#texts.set(event, text);
    return text;
  }
}

interface StreamParts {
  readonly documents: DocumentService;
  readonly name: string;
  readonly output: EventOutput;
  readonly textOf: (event: DocumentEvent) => string;
}

class DocumentStream {
  readonly #output: EventOutput;
  readonly #watch: ReturnType<DocumentService["watch"]>;
  #ended = false;

  constructor({ documents, name, output, textOf }: StreamParts) {
    this.#output = output;
    this.#watch = documents.watch(name, {
      event: (event) => {
        if (!this.#ended) output.sendText(event.kind, textOf(event));
      },
      ready: () => !output.full,
      ended: (error) => this.end(error),
    });
    output.onDrained(() => {
      if (!this.#ended) this.#watch.resume();
    });
  }

  end(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#output.send("ended", error instanceof TrubaError ? problemOf(error) : bugProblem);
    this.#output.end();
  }

  /** The client is gone. */
  closed(): void {
    this.#ended = true;
    this.#watch.close();
  }
}
