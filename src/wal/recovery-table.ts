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

/** What is done with a log that is damaged where the copies concerned are to be retired: see `onDamage` of the log's options. */
export type RetireDecision = "same" | "goOn" | "refuse";

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
  readonly retire: RetireDecision;
  /** The same decision in the words of the page. */
  readonly retireWords: string;
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
    retire: "same",
    retireWords: "the same",
  },
  {
    row: 2,
    found: "nothing",
    foundWords: "nothing: zeros or stale bytes",
    evidence: "no",
    decision: "end",
    words: "end of the log",
    retire: "same",
    retireWords: "the same",
  },
  {
    row: 3,
    found: "nothing",
    foundWords: "nothing: zeros or stale bytes",
    evidence: "yes",
    decision: "damaged",
    words: "damaged: a batch is lost",
    retire: "goOn",
    retireWords:
      "all groups, or none if nothing but a link or metadata stated again is lost; go on at the next batch",
  },
  {
    row: 4,
    found: "records",
    foundWords: "records without a valid commit",
    evidence: "no",
    decision: "torn",
    words: "torn: drop, an unfinished write was never acknowledged",
    retire: "same",
    retireWords: "the same",
  },
  {
    row: 5,
    found: "commit",
    foundWords: "a valid commit, but a header or body before it is damaged",
    evidence: "no",
    decision: "torn",
    words: "torn: drop. The write was cut and its end reached the disk first",
    retire: "same",
    retireWords: "the same",
  },
  {
    row: 6,
    found: "records",
    foundWords: "records without a valid commit, or a damaged commit",
    evidence: "yes",
    decision: "damaged",
    words: "damaged: acknowledged records, identities from what is readable",
    retire: "goOn",
    retireWords:
      "none if every record is readable and the next batch begins where the commit record must end, or if the batch is a link or metadata stated again; else all groups. Go on at the next batch",
  },
  {
    row: 7,
    found: "commit",
    foundWords: "a valid commit, but a header or body before it is damaged",
    evidence: "yes",
    decision: "damaged",
    words: "damaged: identities from the commit record",
    retire: "goOn",
    retireWords:
      "the groups of damaged entries and tokens; all else stands in the commit record. Go on behind it",
  },
  {
    row: 8,
    found: "misplaced",
    foundWords: "a valid commit with a sequence other than last + 1",
    evidence: "any",
    decision: "damaged",
    words: "damaged: a batch is lost or misplaced",
    retire: "goOn",
    retireWords: "all groups; go on at the next batch with a higher sequence",
  },
  {
    row: 9,
    found: "newer",
    foundWords: "format version above ours, or a record kind that we do not know",
    evidence: "any",
    decision: "refuse",
    words: "refuse: written by a newer Truba",
    retire: "refuse",
    retireWords: "refuse",
  },
  {
    row: 10,
    found: "lostSegment",
    foundWords:
      "link to a segment that is missing or whose header is damaged; a damaged header of the first segment",
    evidence: "-",
    decision: "damaged",
    words: "damaged: a lost segment",
    retire: "goOn",
    retireWords:
      "missing: all groups; go on in a new segment. Damaged header: none, the length of the file is the segment's; refuse if no header of the log is readable",
  },
  {
    row: 11,
    found: "unlinked",
    foundWords: "a segment without a link to it, after the last linked one",
    evidence: "-",
    decision: "unused",
    words: "unused: becomes a spare",
    retire: "same",
    retireWords: "the same",
  },
  {
    row: 12,
    found: "idGap",
    foundWords: "a gap in the ids of the segments",
    evidence: "-",
    decision: "damaged",
    words: "damaged: a lost segment",
    retire: "goOn",
    retireWords: "all groups; go on behind the gap",
  },
  {
    row: 13,
    found: "noSegment",
    foundWords: "no segment at all, although node.json exists",
    evidence: "-",
    decision: "damaged",
    words: "damaged: the log is lost (decided by the node)",
    retire: "refuse",
    retireWords: "refuse",
  },
  {
    row: 14,
    found: "entryGap",
    foundWords: "an entry that leaves a gap in its group's indexes",
    evidence: "-",
    decision: "damaged",
    words: "damaged: entries are lost",
    retire: "goOn",
    retireWords: "the group",
  },
  {
    row: 15,
    found: "entriesMissing",
    foundWords:
      "at the end, the first entry of a group lies above its trim or reset point + 1, or there is none although a last entry is named",
    evidence: "-",
    decision: "damaged",
    words: "damaged: entries are lost",
    retire: "goOn",
    retireWords: "the group",
  },
  {
    row: 16,
    found: "contradiction",
    foundWords:
      "a record that cannot be after those before it: one restated otherwise, a trim above the last entry or of another term, an entry of a lower term than the one before",
    evidence: "-",
    decision: "damaged",
    words: "damaged: records are lost",
    retire: "goOn",
    retireWords: "the group",
  },
  {
    row: 17,
    found: "short",
    foundWords: "a segment file shorter than its header says",
    evidence: "-",
    decision: "damaged",
    words: "damaged: the end of the file is lost",
    retire: "goOn",
    retireWords:
      "none if the log goes on in another segment and nothing but a link is lost, else all groups; of the last segment all groups, go on in a new one",
  },
  {
    row: 18,
    found: "foreign",
    foundWords: "a valid segment header with another segment's id or another node's",
    evidence: "-",
    decision: "damaged",
    words: "damaged: a misplaced segment",
    retire: "goOn",
    retireWords:
      "another node's: refuse. Another segment's: all groups; go on in the segment after it, or in a new one",
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
