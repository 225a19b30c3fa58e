/**
 * What recovery decides, as a table: the one of `docs/wal-format.md`, word for word. Recovery looks its decisions up here, each
 * row has a test that names it, and a test holds this table and that page together.
 */
import { must } from "../base/assert.ts";

/** What stands at a place of the log, or is missing there. */
export type Found =
  | "whole"
  | "nothing"
  | "records"
  | "commit"
  | "misplaced"
  | "newer"
  | "lostSegment"
  | "unlinked"
  | "idGap"
  | "noSegment"
  | "entryGap"
  | "entriesMissing"
  | "contradiction"
  | "short"
  | "foreign";

export type Decision = "accept" | "end" | "torn" | "damaged" | "refuse" | "unused";

export interface RecoveryRow {
  readonly row: number;
  readonly found: Found;
  /** `found` in the words of the page. */
  readonly foundWords: string;
  /** Whether something proves that the batch had been synced; `any` and `-`: it does not matter. */
  readonly evidence: "yes" | "no" | "any" | "-";
  readonly decision: Decision;
  /** The decision in the words of the page. */
  readonly words: string;
}

export const recoveryTable: readonly RecoveryRow[] = [
  {
    row: 1,
    found: "whole",
    foundWords:
      "a whole batch: commit valid, sequence = last + 1, every header as the commit repeats it, every body right",
    evidence: "any",
    decision: "accept",
    words: "accept",
  },
  {
    row: 2,
    found: "nothing",
    foundWords: "nothing: zeros or stale bytes",
    evidence: "no",
    decision: "end",
    words: "end of the log",
  },
  {
    row: 3,
    found: "nothing",
    foundWords: "nothing: zeros or stale bytes",
    evidence: "yes",
    decision: "damaged",
    words: "damaged: a batch is lost",
  },
  {
    row: 4,
    found: "records",
    foundWords: "records without a valid commit",
    evidence: "no",
    decision: "torn",
    words: "torn: drop, an unfinished write was never acknowledged",
  },
  {
    row: 5,
    found: "commit",
    foundWords: "a valid commit, but a header or body before it is damaged",
    evidence: "no",
    decision: "torn",
    words: "torn: drop. The write was cut and its end reached the disk first",
  },
  {
    row: 6,
    found: "records",
    foundWords: "records without a valid commit, or a damaged commit",
    evidence: "yes",
    decision: "damaged",
    words: "damaged: acknowledged records, identities from what is readable",
  },
  {
    row: 7,
    found: "commit",
    foundWords: "a valid commit, but a header or body before it is damaged",
    evidence: "yes",
    decision: "damaged",
    words: "damaged: identities from the commit record",
  },
  {
    row: 8,
    found: "misplaced",
    foundWords: "a valid commit with a sequence other than last + 1",
    evidence: "any",
    decision: "damaged",
    words: "damaged: a batch is lost or misplaced",
  },
  {
    row: 9,
    found: "newer",
    foundWords: "format version above ours, or a record kind that we do not know",
    evidence: "any",
    decision: "refuse",
    words: "refuse: written by a newer Truba",
  },
  {
    row: 10,
    found: "lostSegment",
    foundWords:
      "link to a segment that is missing or whose header is damaged; a damaged header of the first segment",
    evidence: "-",
    decision: "damaged",
    words: "damaged: a lost segment",
  },
  {
    row: 11,
    found: "unlinked",
    foundWords: "a segment without a link to it, after the last linked one",
    evidence: "-",
    decision: "unused",
    words: "unused: becomes a spare",
  },
  {
    row: 12,
    found: "idGap",
    foundWords: "a gap in the ids of the segments",
    evidence: "-",
    decision: "damaged",
    words: "damaged: a lost segment",
  },
  {
    row: 13,
    found: "noSegment",
    foundWords: "no segment at all, although node.json exists",
    evidence: "-",
    decision: "damaged",
    words: "damaged: the log is lost (decided by the node)",
  },
  {
    row: 14,
    found: "entryGap",
    foundWords: "an entry that leaves a gap in its group's indexes",
    evidence: "-",
    decision: "damaged",
    words: "damaged: entries are lost",
  },
  {
    row: 15,
    found: "entriesMissing",
    foundWords:
      "at the end, the first entry of a group lies above its trim or reset point + 1, or there is none although a last entry is named",
    evidence: "-",
    decision: "damaged",
    words: "damaged: entries are lost",
  },
  {
    row: 16,
    found: "contradiction",
    foundWords: "a restated record that differs from what the records before it say",
    evidence: "-",
    decision: "damaged",
    words: "damaged: records are lost",
  },
  {
    row: 17,
    found: "short",
    foundWords: "a segment file shorter than its header says",
    evidence: "-",
    decision: "damaged",
    words: "damaged: the end of the file is lost",
  },
  {
    row: 18,
    found: "foreign",
    foundWords: "a valid segment header with another segment's id or another node's",
    evidence: "-",
    decision: "damaged",
    words: "damaged: a misplaced segment",
  },
];

/** The row for what was found. `evidence` counts only where the table asks for it. */
export function decide(found: Found, evidence = false): RecoveryRow {
  const given = evidence ? "yes" : "no";
  return must(
    recoveryTable.find(
      (row) =>
        row.found === found &&
        (row.evidence === given || row.evidence === "any" || row.evidence === "-"),
    ),
    `the recovery table has no row for ${found}`,
  );
}
