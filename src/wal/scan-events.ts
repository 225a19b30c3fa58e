/** What a scan of a log yields. */
import type { ScannedRecord } from "./batch-reader.ts";
import type { SegmentHeader } from "./format.ts";
import type { RecoveryRow } from "./recovery-table.ts";

export interface ScannedSegment {
  readonly type: "segment";
  readonly file: string;
  readonly header: SegmentHeader;
}

export interface ScannedBatch {
  readonly type: "batch";
  readonly file: string;
  readonly segment: number;
  readonly offset: number;
  /** With the commit record. */
  readonly bytes: number;
  readonly sequence: number;
  readonly records: readonly ScannedRecord[];
}

/** Anything but a whole batch. The last event of a scan is one, of row 2, 4, 5 or a damaged or refused one. */
export interface Finding {
  readonly type: "finding";
  readonly row: RecoveryRow;
  readonly file: string;
  readonly segment: number;
  readonly offset: number;
  /** What and where, in words, and what is known to follow. */
  readonly text: string;
  /** The byte after what an unfinished write has left behind. */
  readonly remainsEnd: number;
  /** Damage behind which the scan goes on, because what it concerns is retired. */
  readonly goesOn: boolean;
  /** Of the last event: the log must go on in a new segment of this id, because its last one cannot be written. */
  readonly newSegment: number | undefined;
}

export type ScanEvent = ScannedSegment | ScannedBatch | Finding;
