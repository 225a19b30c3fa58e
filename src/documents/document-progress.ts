/**
 * What of a document is on its way to the disk, and who waits for it: nobody is shown or answered anything that a crash could take back (P1).
 *
 *     gathered   changes since the last batch, and who asked for the document as it is with them
 *     sealed     one for each batch in which the document has something, in order; when the batch is durable, watchers are told and those who asked are answered
 */
import { must } from "../base/assert.ts";
import type { Json } from "../patch/json.ts";
import { limits } from "../base/limits.ts";
import type { FoldChange } from "./fold-change.ts";
import type { DocumentEvent, DocumentView, Stamp, VectorClock, VerdictOf } from "./vocabulary.ts";

/** A document as of one batch. `text` and `hash` are there if somebody wanted them. */
export interface Version {
  readonly vclock: VectorClock;
  readonly transactions: number;
  readonly final: number;
  readonly rejected: number;
  readonly text: string | undefined;
  readonly hash: string | undefined;
}

export type Need = "facts" | "hash" | "text";

export interface Asker {
  readonly need: Need;
  readonly done: (version: Version) => void;
  readonly failed: (error: Error) => void;
}

/** What changed, of one batch or of several one behind the other. */
export class GatheredChange {
  /** `undefined`: too long to be told. */
  operations: Json[] | undefined = [];
  verdicts: VerdictOf[] = [];
  any = false;

  add(change: FoldChange): void {
    const { operations, verdicts } = change;
    if (operations === undefined) {
      this.operations = undefined;
      this.any = true;
    } else if (operations.length > 0) {
      this.any = true;
      if (this.operations !== undefined) {
        for (const operation of operations) this.operations.push(operation);
        if (this.operations.length > limits.documentChangeMaxOperations)
          this.operations = undefined;
      }
    }
    if (verdicts.length > 0) this.any = true;
    for (const verdict of verdicts) this.verdicts.push(verdict);
  }

  /** Only the newest word on each transaction. */
  newestVerdicts(): readonly VerdictOf[] {
    if (this.verdicts.length < 2) return this.verdicts;
    const newest = new Map<string, VerdictOf>();
    for (const verdict of this.verdicts) {
      const key = `${verdict.id} ${verdict.source}`;
      newest.delete(key);
      newest.set(key, verdict);
    }
    return [...newest.values()];
  }
}

export interface Sealed {
  /** The last journal entry in which the document has something. */
  readonly index: number;
  readonly change: GatheredChange;
  readonly version: Version;
  readonly askers: readonly Asker[];
  /** Own transactions at or before this are in this batch or in one before it. */
  readonly promise: Stamp | undefined;
}

export class DocumentProgress {
  #change = new GatheredChange();
  #askers: Asker[] = [];
  #sealed: Sealed[] = [];

  get change(): GatheredChange {
    return this.#change;
  }

  /** Nothing is gathered, and nothing sealed waits for the disk. */
  get idle(): boolean {
    return this.#sealed.length === 0 && this.#askers.length === 0 && !this.#change.any;
  }

  /** Sealed batches that are not durable. */
  get waiting(): number {
    return this.#sealed.length;
  }

  ask(asker: Asker): void {
    this.#askers.push(asker);
  }

  /** The strongest need of those who asked; `undefined`: nobody did. */
  get need(): Need | undefined {
    let need: Need | undefined;
    for (const asker of this.#askers) {
      if (asker.need === "text") return "text";
      if (asker.need === "hash" || need === undefined) need = asker.need;
    }
    return need;
  }

  /** Closes what was gathered. */
  seal(index: number, version: Version, promise: Stamp | undefined): void {
    this.#sealed.push({ index, version, promise, change: this.#change, askers: this.#askers });
    this.#change = new GatheredChange();
    this.#askers = [];
  }

  /** The next sealed batch that is durable; it is taken away. */
  takeDurable(durable: number): Sealed | undefined {
    if (this.#sealed.length === 0 || must(this.#sealed[0]).index > durable) return undefined;
    return this.#sealed.shift();
  }

  fail(error: Error): void {
    const sealed = this.#sealed;
    this.#sealed = [];
    for (const { askers } of sealed) for (const asker of askers) asker.failed(error);
    const askers = this.#askers;
    this.#askers = [];
    for (const asker of askers) asker.failed(error);
  }
}

/** What surfaces see of a version that was asked for with its text. */
export function viewOf(name: string, version: Version): DocumentView {
  const { vclock, transactions, final, rejected } = version;
  const text = must(version.text);
  return { name, text, hash: must(version.hash), vclock, transactions, final, rejected };
}

/** What watchers are told of a batch. `final` may have grown since the version was taken. */
export function eventOf(
  name: string,
  change: GatheredChange,
  version: Version,
  final: number,
): DocumentEvent {
  if (change.operations === undefined && version.text !== undefined)
    return { kind: "snapshot", ...viewOf(name, version) };
  const { vclock, transactions, rejected } = version;
  return {
    kind: "change",
    operations: change.operations ?? [],
    vclock,
    transactions,
    final: Math.min(final, transactions),
    rejected,
    verdicts: change.newestVerdicts(),
  };
}
