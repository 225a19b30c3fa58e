/** Why a patch cannot be done on a document. Plain data: it travels, is compared, and is shown to people. */
import type { Json } from "./json.ts";

/**
 * - `missing`: the target, or a part of the way to it, does not exist
 * - `not-container`: the way leads through a value that has no members or elements
 * - `bad-index`: a part of the way is no array index (RFC 6901 §4), or is `-` where an element must exist
 * - `out-of-range`: an index behind the end of its array
 * - `test-failed`: another value is there
 * - `into-itself`: a move into a part of what is moved (RFC 6902 §4.4)
 * - `too-large`, `too-deep`: the document would go over its limits
 */
export type FailureReason =
  | "missing"
  | "not-container"
  | "bad-index"
  | "out-of-range"
  | "test-failed"
  | "into-itself"
  | "too-large"
  | "too-deep";

export interface PatchFailure {
  /** Which operation, from 0. */
  readonly operation: number;
  readonly op: string;
  /** The pointer at which it failed: of a move or copy this may be `from`. */
  readonly path: string;
  readonly reason: FailureReason;
  /** For people. */
  readonly text: string;
  /** Of a failed test: what it wanted and what is there. Left out where they are long. */
  readonly expected?: Json;
  readonly actual?: Json;
}
