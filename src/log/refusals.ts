/** Why a copy does not take an entry or a read, in the words of the error table. */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Refusal } from "../raft/options.ts";

const { notLeaderRetryAfterMs, overloadedRetryAfterMs, raftUncommittedMaxBytes } = limits;

const texts: Readonly<Record<Exclude<Refusal, "too much uncommitted">, string>> = {
  "no leader": "this copy does not lead, and knows of no leader",
  "not the leader": "this copy does not lead",
  transferring: "this copy is handing leadership to another one",
  "not a member": "this copy is no member of its group",
  witness: "this copy keeps no state: it leads only until another one can",
};

export function refusedBy(refusal: Refusal): TrubaError {
  if (refusal !== "too much uncommitted")
    return new TrubaError("NOTLEADER", texts[refusal], { retryAfterMs: notLeaderRetryAfterMs });
  return new TrubaError(
    "OVERLOADED",
    `the group has as much in hand as it may: ${raftUncommittedMaxBytes} bytes are proposed and not yet applied`,
    { retryAfterMs: overloadedRetryAfterMs },
  );
}

export function notLeading(): TrubaError {
  return refusedBy("not the leader");
}

export function unknownOutcome(why: string, cause?: Error): TrubaError {
  return new TrubaError("UNKNOWNOUTCOME", why, { cause });
}
