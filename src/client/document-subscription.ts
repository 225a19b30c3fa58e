/** A document as an async iterator of what becomes of it, with a copy of it that follows. */
import { sha256Hex } from "../base/browser-sha256.ts";
import type { Json } from "../base/json.ts";
import { decodePatch } from "../patch/patch.ts";
import { parseJson } from "../patch/json-text.ts";
import { Tree } from "../patch/tree.ts";
import type { DocumentEvent, VectorClock, VerdictOf } from "../protocol/documents.ts";
import type { Running } from "./consumer.ts";
import { DocumentFeed } from "./document-feed.ts";
import type { DocumentParts } from "./document-values.ts";

/** Options of `subscribe`. */
export interface DocumentSubscribeOptions {
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal;
}

/** A document and what has just become of it. */
export interface DocumentUpdate<Out> {
  /** `snapshot`: at first, and instead of changes that were missed. */
  readonly kind: "snapshot" | "change";
  /**
   * The document. Without a schema it is the copy that follows the document itself: it changes when the loop asks for the next update. Whoever keeps it longer makes a copy
   * (`structuredClone`); nobody may change it.
   */
  readonly value: Out;
  /** Of a change: the JSON Patch that led from the update before to this one. What was undone to put another patch before it is in it. */
  readonly operations: readonly Json[];
  /** Of a change: what became of transactions that are new, that have another verdict now, or that are final now. */
  readonly verdicts: readonly VerdictOf[];
  readonly vclock: VectorClock;
  /** Transactions in the order; those of them that are final; those that are rejected. */
  readonly transactions: number;
  readonly final: number;
  readonly rejected: number;
}

/** What the node has applied fits in any case. */
const anyChange = { upsert: false, maxWeight: Infinity };

/**
 * A document as it changes: `for await (const update of subscription)`. The iteration ends when the loop is left, when the signal aborts and when the database is closed; it throws when the
 * document may not be read (NOPERM), cannot be (DOCUMENTDAMAGED), or does not fit its schema (BADVALUE). Lost connections are made anew without the loop noticing, but for a snapshot.
 */
export class DocumentSubscription<Out>
  implements AsyncIterableIterator<DocumentUpdate<Out>>, AsyncDisposable, Running
{
  readonly #parts: DocumentParts<never, Out>;
  readonly #feed: DocumentFeed;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.close();
  #tree: Tree | undefined;
  /** Steps are taken one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => {};
  #open = true;
  #failure: Error | undefined;

  /** Use `subscribe` of a document. */
  constructor(parts: DocumentParts<never, Out>, { signal }: DocumentSubscribeOptions) {
    this.#parts = parts;
    this.#signal = signal;
    this.#feed = new DocumentFeed({
      caller: parts.caller,
      name: parts.name,
      ready: () => this.#wake(),
      ended: (error) => {
        this.#failure = error;
        this.close();
      },
    });
    parts.running.add(this);
    if (signal?.aborted === true) this.close();
    else signal?.addEventListener("abort", this.#abort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next update, when there is one: what a loop calls. */
  next(): Promise<IteratorResult<DocumentUpdate<Out>, undefined>> {
    const step = this.#last.then(() => this.#next());
    this.#last = step.catch(() => {});
    return step;
  }

  /** Ends the iteration: what a loop calls that is left. */
  return(): Promise<IteratorResult<DocumentUpdate<Out>, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends the iteration. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#parts.running.delete(this);
    this.#feed.close();
    this.#wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #next(): Promise<IteratorResult<DocumentUpdate<Out>, undefined>> {
    for (;;) {
      if (!this.#open) {
        const failure = this.#failure;
        this.#failure = undefined;
        if (failure !== undefined) throw failure;
        return { done: true, value: undefined };
      }
      const event = this.#feed.take();
      if (event === undefined) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      const value = this.#follow(event);
      if (value !== undefined) return { done: false, value: await this.#updateOf(event, value) };
      // It does not fit what was told before: that cannot be, but of two copies the node's is the right one.
      this.#tree = undefined;
      this.#feed.restart();
    }
  }

  /** The document behind the event; `undefined`: it does not fit. */
  #follow(event: DocumentEvent): Json | undefined {
    if (event.kind === "snapshot") {
      if (sha256Hex(event.text) !== event.hash) return undefined;
      this.#tree = new Tree(parseJson(event.text, "the document"));
    } else {
      const failure = this.#tree?.apply(decodePatch(event.operations), undefined, anyChange);
      if (failure !== undefined) return undefined;
    }
    return this.#tree?.value;
  }

  async #updateOf(event: DocumentEvent, json: Json): Promise<DocumentUpdate<Out>> {
    let value: Out;
    try {
      value = await this.#parts.values.check(json);
    } catch (error) {
      this.close();
      throw error;
    }
    const { kind, vclock, transactions, final, rejected } = event;
    const { operations, verdicts } = kind === "change" ? event : { operations: [], verdicts: [] };
    return { kind, value, operations, verdicts, vclock, transactions, final, rejected };
  }
}
