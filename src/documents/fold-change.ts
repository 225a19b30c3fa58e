/** What one call did to a document: for watchers, for those who wait for a verdict, for counts. */
import type { Json } from "../patch/json.ts";
import type { VerdictOf } from "./vocabulary.ts";

export interface FoldChange {
  /** Transactions that were undone, and done again, because something came to stand before them. */
  readonly undone: number;
  /** All new transactions came to stand at the end. */
  readonly appendedOnly: boolean;
  /** A JSON Patch from the document before to the one now, which never fails; `undefined`: longer than `limits.documentChangeMaxOperations`. */
  readonly operations: readonly Json[] | undefined;
  /** Of new transactions, and of old ones whose verdict is another or has become final. */
  readonly verdicts: readonly VerdictOf[];
}

/** Nothing happened. */
export const noChange: FoldChange = {
  undone: 0,
  appendedOnly: true,
  operations: [],
  verdicts: [],
};
