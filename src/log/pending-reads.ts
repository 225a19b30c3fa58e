/**
 * Who waits for a linearizable read (thesis 6.4). All who ask in one turn share one round. Tokens count up and are never used twice by this copy in this
 * process, so that an answer can only be to the question that was asked.
 */
import type { Index, Term } from "../raft/vocabulary.ts";

interface Reader {
  resolve(index: Index): void;
  reject(error: Error): void;
}

export class PendingReads {
  #lastToken = 0;
  #asking: Reader[] = [];
  readonly #asked = new Map<number, readonly Reader[]>();
  /** Term in which they were asked; an answer of another one would prove nothing. */
  #term: Term = 0;

  get count(): number {
    return this.#asking.length + this.#asked.size;
  }

  get term(): Term {
    return this.#term;
  }

  ask(term: Term): Promise<Index> {
    this.#term = term;
    return new Promise((resolve, reject) => {
      this.#asking.push({ resolve, reject });
    });
  }

  /** The token under which all who have asked since the last call are now asked for; `undefined` if none has. */
  takeAsking(): number | undefined {
    if (this.#asking.length === 0) return undefined;
    const token = ++this.#lastToken;
    this.#asked.set(token, this.#asking);
    this.#asking = [];
    return token;
  }

  answered(token: number, index: Index): void {
    const readers = this.#asked.get(token);
    this.#asked.delete(token);
    for (const reader of readers ?? []) reader.resolve(index);
  }

  /** The question of this token was not even taken. */
  refused(token: number, error: Error): void {
    const readers = this.#asked.get(token);
    this.#asked.delete(token);
    for (const reader of readers ?? []) reader.reject(error);
  }

  rejectAll(error: Error): void {
    const readers = [...this.#asked.values(), this.#asking];
    this.#asked.clear();
    this.#asking = [];
    for (const some of readers) for (const reader of some) reader.reject(error);
  }
}
