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
  /** Who is evicted from which document, as far as that was seen. */
  readonly #evicted = new Map<string, Set<Source>>();

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

  /** The document was read: what happened before is over. */
  loaded(document: string, evicted: readonly Source[]): void {
    if (!this.#evicted.has(document)) this.#evicted.set(document, new Set(evicted));
  }

  /**
   * These are evicted from the document. Whoever is new among them and cannot be reached is not waited for in other documents that it has not written. Once only: who is
   * heard of after that lives, and would be forgotten and heard of for ever.
   */
  evictedFrom(
    document: string,
    evicted: readonly Source[],
    isLinked: (source: Source) => boolean,
  ): void {
    const seen = this.#evicted.get(document) ?? new Set();
    this.#evicted.set(document, seen);
    let any = false;
    for (const source of evicted) {
      if (seen.has(source)) continue;
      seen.add(source);
      if (!isLinked(source)) any = this.#sources.delete(source) || any;
    }
    if (any) this.restate();
  }

  /** Says all of them in the next batch. */
  restate(): void {
    this.#journal.known([...this.#sources]);
  }
}
