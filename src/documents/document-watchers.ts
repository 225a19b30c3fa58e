/**
 * Who follows a document: each is told a snapshot first, then one change per batch. One that is not ready is told nothing until it is, and then a snapshot again, so that a
 * slow one costs no memory.
 */
import type { DocumentEvent, DocumentListener, DocumentView, DocumentWatch } from "./vocabulary.ts";

/** Asks for the document as it is, durable; `take` is called in the order of changes, before this returns if it can be. */
export type AskView = (take: (view: DocumentView) => void) => void;

export class DocumentWatchers {
  readonly #ask: AskView;
  readonly #watchers = new Set<Watcher>();
  readonly #closed: () => void;

  /** `closed` is told of each that goes. */
  constructor(ask: AskView, closed: () => void) {
    this.#ask = ask;
    this.#closed = closed;
  }

  get count(): number {
    return this.#watchers.size;
  }

  add(listener: DocumentListener): DocumentWatch {
    const watcher = new Watcher(listener, this.#ask, () => {
      if (this.#watchers.delete(watcher)) this.#closed();
    });
    this.#watchers.add(watcher);
    watcher.begin();
    return watcher;
  }

  /** `snapshot` stands in for a change that is too long to be told. */
  tell(event: DocumentEvent): void {
    for (const watcher of this.#watchers) watcher.tell(event);
  }

  end(error: Error): void {
    for (const watcher of this.#watchers) watcher.end(error);
    this.#watchers.clear();
  }
}

class Watcher implements DocumentWatch {
  readonly #listener: DocumentListener;
  readonly #ask: AskView;
  readonly #remove: () => void;
  /** `asked`: a snapshot is on its way, and what comes before it is in it. */
  #state: "asked" | "live" | "behind" | "closed" = "asked";

  constructor(listener: DocumentListener, ask: AskView, remove: () => void) {
    this.#listener = listener;
    this.#ask = ask;
    this.#remove = remove;
  }

  begin(): void {
    this.#state = "asked";
    this.#ask((view) => {
      if (this.#state !== "asked") return;
      if (!this.#listener.ready()) {
        this.#state = "behind";
        return;
      }
      this.#state = "live";
      this.#listener.event({ kind: "snapshot", ...view });
    });
  }

  tell(event: DocumentEvent): void {
    if (this.#state !== "live") return;
    if (this.#listener.ready()) this.#listener.event(event);
    else this.#state = "behind";
  }

  end(error: Error): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#listener.ended(error);
  }

  resume(): void {
    if (this.#state === "behind") this.begin();
  }

  close(): void {
    this.#state = "closed";
    this.#remove();
  }
}
