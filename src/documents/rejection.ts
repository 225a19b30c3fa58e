/** Why a transaction was rejected, from what the patch engine says. */
import { jsonEqual } from "../patch/canonical.ts";
import type { PatchFailure } from "../patch/failure.ts";
import type { Rejection, Verdict } from "./vocabulary.ts";

export function rejectionOf(failure: PatchFailure): Rejection {
  const { operation, op, path, reason, text, expected, actual } = failure;
  return {
    kind: "rejected",
    operation,
    op,
    path,
    reason,
    text,
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
  };
}

/** Says whether two verdicts say the same. */
export function sameVerdict(a: Verdict, b: Verdict): boolean {
  if (a === b) return true;
  if (a.kind === "ok" || b.kind === "ok") return a.kind === b.kind;
  if (a.operation !== b.operation || a.reason !== b.reason || a.path !== b.path) return false;
  if (a.actual === undefined || b.actual === undefined) return a.actual === b.actual;
  return jsonEqual(a.actual, b.actual);
}
