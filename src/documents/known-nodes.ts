/**
 * The Truba nodes that this one has met or heard of: members of every document, also of those that they have not written yet, so that nothing is called final that one of them may still come before.
 *
 * Whoever is told a clock is told before, on the same link, whom its teller knows (`links/truba-link.ts`). So a node that has been met by one is counted by all before clocks from after that meeting are.
 */
import { limits } from "../base/limits.ts";
import type { Journal } from "./journal.ts";
import type { Source } from "./vocabulary.ts";

export class KnownNodes {
  readonly #journal: Journal;
  readonly #sources: Set<Source>;

  constructor(journal: Journal, recovered: readonly Source[]) {
    this.#journal = journal;
    this.#sources = new Set(recovered);
  }

  get sources(): ReadonlySet<Source> {
    return this.#sources;
  }

  /** Answers those that are new. They are durable with the next batch. */
  add(sources: readonly Source[]): readonly Source[] {
    const fresh = [...new Set(sources)].filter((source) => !this.#sources.has(source));
    const room = limits.documentNodesMaxCount - this.#sources.size;
    const added = fresh.slice(0, Math.max(0, room));
    for (const source of added) this.#sources.add(source);
    if (added.length > 0) this.restate();
    return added;
  }

  /** These are gone for good. */
  forget(sources: readonly Source[]): void {
    let any = false;
    for (const source of sources) any = this.#sources.delete(source) || any;
    if (any) this.restate();
  }

  /** Says all of them in the next batch. */
  restate(): void {
    this.#journal.known([...this.#sources]);
  }
}
