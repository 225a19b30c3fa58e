/** Where a scan goes on behind an acknowledged batch that is damaged or gone, and whether records are lost on the way. */
import type { Survey, SegmentSource, Walked } from "./batch-reader.ts";
import type { Following } from "./evidence.ts";
import { commitBytes, formatVersion, hasWholeBody, isKind, segmentHeaderBytes } from "./format.ts";
import type { SegmentHeader } from "./format.ts";
import type { Found } from "./recovery-table.ts";

/** The next place to read: in this segment, or at the beginning of another. */
export interface Onward {
  readonly at: number;
  readonly segment: number | undefined;
}

/** A place of a segment where the next batch is not, although it was synced. */
export interface Broken {
  readonly source: SegmentSource;
  readonly at: number;
  readonly walked: Exclude<Walked, { state: "newer" }>;
  readonly found: Found;
  readonly rest: Survey;
  readonly following: Following;
  /** Sequence of the batch that should stand here. */
  readonly expected: number;
  readonly detail: string;
}

/** What is known of the batch that should stand there. */
export interface Surroundings {
  /** Every batch before it was found, so that a difference of sequences counts those that are lost. */
  readonly continuous: boolean;
  /** It is in the oldest segment. */
  readonly oldest: boolean;
  /** The header of the segment behind this one, where that is there and readable. */
  readonly nextHeader: SegmentHeader | undefined;
}

export interface Way extends Onward {
  /** Records that nothing else repeats may be gone, of any group. */
  readonly lost: boolean;
  /** Only the commit record is damaged: all records of the batch are there. */
  readonly complete: boolean;
  /** Of the batch at `at`. */
  readonly sequence: number;
}

/** `undefined` when nothing can be read behind the place. */
export function wayOn(broken: Broken, around: Surroundings): Way | undefined {
  const { at, found, rest, following, expected } = broken;
  if (found === "commit" && rest.own !== undefined) {
    const { end, records } = rest.own;
    const newer = records.some(({ version, kind }) => version > formatVersion || !isKind(kind));
    if (newer) return undefined;
    return { at: end, segment: undefined, lost: false, complete: false, sequence: expected + 1 };
  }
  // The first batch of a segment only states again what is known, unless what it repeats is gone.
  const restated = around.continuous && !around.oldest && at === segmentHeaderBytes ? 1 : 0;
  const { next } = rest;
  if (next !== undefined) {
    const complete = around.continuous && endsAtCommit(broken, next);
    const skipped = next.sequence - expected;
    const lost = around.continuous ? next.start === at || skipped > restated : next.start > at;
    const { start, sequence } = next;
    return { at: start, segment: undefined, lost: lost && !complete, complete, sequence };
  }
  const segment = following.ids[0];
  if (following.proof === undefined || segment === undefined) return undefined;
  const { nextHeader } = around;
  // The header names the last batch before the link: what lies from here up to it is lost, and a link is no loss.
  const skipped = nextHeader === undefined ? Infinity : nextHeader.sequence - expected + 1;
  const lost = !around.continuous || skipped > restated;
  return { at: segmentHeaderBytes, segment, lost, complete: false, sequence: 0 };
}

/**
 * Whether the next batch begins right where the commit record of the records that were read would end. Had the batch held one record more, its
 * commit record alone would be longer: so these are all.
 */
function endsAtCommit(
  { walked, expected }: Broken,
  next: { readonly start: number; readonly sequence: number },
): boolean {
  if (walked.state !== "broken" || next.sequence !== expected + 1) return false;
  const wholeBodies = walked.records.filter(({ kind }) => hasWholeBody(kind)).length;
  return next.start === walked.offset + commitBytes(walked.records.length, wholeBodies);
}
