/** Plain cells that all documents of a node count in since its start; metrics read them. */
import type { FoldChange } from "./fold-change.ts";

/** What a batch from a peer had that was not taken, and what it changed of what counted as final. */
export interface Refused {
  readonly forged: readonly unknown[];
  readonly evicted: number;
  readonly malformed: number;
  readonly late: number;
}

export class DocumentCounters {
  /** Transactions whose verdict became final. */
  ok = 0;
  rejected = 0;
  /** Transactions that were undone and done again, and the longest run of them. */
  redone = 0;
  redoneLongest = 0;
  /** Other payloads under a known Id. */
  forged = 0;
  /** Ids above the cut of an eviction. */
  evicted = 0;
  /** Messages that are no transactions. */
  malformed = 0;
  /** Transactions that came to stand before final ones, because their author was unknown. */
  late = 0;
  /** Members that said another hash for the same vector clock. */
  divergences = 0;

  changed({ undone, verdicts }: FoldChange): void {
    this.redone += undone;
    if (undone > this.redoneLongest) this.redoneLongest = undone;
    for (const { verdict, final } of verdicts) {
      if (!final) continue;
      if (verdict.kind === "ok") this.ok++;
      else this.rejected++;
    }
  }

  received({ forged, evicted, malformed, late }: Refused): void {
    this.forged += forged.length;
    this.evicted += evicted;
    this.malformed += malformed;
    this.late += late;
  }
}
