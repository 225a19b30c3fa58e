/** Waits until a transaction of a document is final: nothing can come before it any more, so its verdict stays. */
import { TrubaError } from "../base/errors.ts";
import type { HistoryPage, Verdict } from "../protocol/documents.ts";
import type { Running } from "./consumer.ts";
import { DocumentFeed } from "./document-feed.ts";
import type { DocumentParts } from "./document-values.ts";

/** A transaction of a document, by its author and number. */
export interface TransactionName {
  readonly source: string;
  readonly id: number;
}

const pageCount = 1_000;

/** Resolves with the verdict that stays. Rejects with the signal's reason, with what ends the watching, or with CLOSED when the database is closed. */
export async function whenFinal(
  document: DocumentParts<never, unknown>,
  transaction: TransactionName,
  signal: AbortSignal | undefined,
): Promise<Verdict> {
  const { caller, name, running } = document;
  const waiting = new Waiting();
  const feed = new DocumentFeed({
    caller,
    name,
    ready: () => waiting.wake(),
    ended: (error) => waiting.fail(error),
  });
  const abort = (): void => waiting.fail(signal?.reason as Error);
  signal?.addEventListener("abort", abort, { once: true });
  running.add(waiting);
  try {
    signal?.throwIfAborted();
    for (;;) {
      const event = feed.take();
      if (event === undefined) {
        await waiting.turn();
        continue;
      }
      const verdict =
        event.kind === "snapshot"
          ? // It may have become final before.
            await finalVerdict(document, transaction, signal)
          : event.verdicts.find(
              ({ source, id, final }) =>
                final && source === transaction.source && id === transaction.id,
            )?.verdict;
      if (verdict !== undefined) return verdict;
    }
  } finally {
    feed.close();
    running.delete(waiting);
    signal?.removeEventListener("abort", abort);
  }
}

/** Somebody who waits for his next turn, or for the end. */
class Waiting implements Running {
  #resolve: (() => void) | undefined;
  #failure: Error | undefined;

  /** Resolves when there is something to do. Rejects with what ended it. */
  async turn(): Promise<void> {
    if (this.#failure === undefined)
      await new Promise<void>((resolve) => (this.#resolve = resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  wake(): void {
    this.#resolve?.();
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.wake();
  }

  close(): void {
    this.fail(new TrubaError("CLOSED", "the database was closed"));
  }
}

/** As history has it, looked for from its end on; `undefined`: it is not final. */
async function finalVerdict(
  { caller, name }: DocumentParts<never, unknown>,
  { source, id }: TransactionName,
  signal: AbortSignal | undefined,
): Promise<Verdict | undefined> {
  for (let back = pageCount; ; back *= 4) {
    let from: number | undefined = -back;
    let page: HistoryPage | undefined;
    while (from !== undefined) {
      page = await caller.document(
        "doc.history",
        { document: name, source, from, count: pageCount },
        { signal },
      );
      const found = page.transactions.find((one) => one.id === id);
      if (found !== undefined) return found.final ? found.verdict : undefined;
      from = page.next;
    }
    if (page === undefined || back >= page.total) return undefined;
  }
}
