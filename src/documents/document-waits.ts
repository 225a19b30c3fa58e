/** Who waits for something to become of a document that may take long: a final verdict, the cut of an eviction. */
import type { Replica } from "./replica.ts";
import type { Source } from "./vocabulary.ts";

interface Finality {
  readonly source: Source;
  readonly id: number;
  readonly done: () => void;
}

interface Eviction {
  readonly source: Source;
  readonly done: (cut: number) => void;
}

export class DocumentWaits {
  readonly #finality = new Set<Finality>();
  readonly #evictions = new Set<Eviction>();
  /** How to end each wait. */
  readonly #ends = new Set<(error: Error) => void>();

  /** Nobody waits. */
  get none(): boolean {
    return this.#ends.size === 0;
  }

  /** Somebody waits for a verdict. */
  get forVerdicts(): boolean {
    return this.#finality.size > 0;
  }

  /** Resolves when the verdict on a transaction is final; rejects with the signal's reason. */
  forFinal(source: Source, id: number, signal?: AbortSignal): Promise<void> {
    return this.#wait(signal, (resolve: (value: void) => void) => {
      const waiting: Finality = { source, id, done: resolve };
      this.#finality.add(waiting);
      return () => this.#finality.delete(waiting);
    });
  }

  /** Resolves with the cut of a member that is being evicted. */
  forCut(source: Source, signal?: AbortSignal): Promise<number> {
    return this.#wait(signal, (resolve: (value: number) => void) => {
      const waiting: Eviction = { source, done: resolve };
      this.#evictions.add(waiting);
      return () => this.#evictions.delete(waiting);
    });
  }

  /** Something may have become final. */
  tellFinal(replica: Replica): void {
    for (const { source, id, done } of this.#finality)
      if (replica.verdictOf(source, id)?.final === true) done();
  }

  /** Something durable may have brought a cut. */
  tellCuts(replica: Replica): void {
    for (const { source, done } of this.#evictions) {
      const cut = replica.cutOf(source);
      if (cut !== undefined) done(cut);
    }
  }

  fail(error: Error): void {
    for (const end of this.#ends) end(error);
  }

  #wait<T>(
    signal: AbortSignal | undefined,
    begin: (resolve: (value: T) => void) => () => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(reasonOf(signal));
        return;
      }
      const close = (): void => {
        this.#ends.delete(end);
        signal?.removeEventListener("abort", aborted);
        forget();
      };
      const end = (error: Error): void => {
        close();
        reject(error);
      };
      const aborted = (): void => {
        if (signal !== undefined) end(reasonOf(signal));
      };
      const forget = begin((value) => {
        close();
        resolve(value);
      });
      this.#ends.add(end);
      signal?.addEventListener("abort", aborted, { once: true });
    });
  }
}

function reasonOf({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
