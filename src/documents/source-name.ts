/** Names of sources: which there may be. The same for what users choose, what links bring and what transactions say. */
import { limits } from "../base/limits.ts";
import type { Source } from "./vocabulary.ts";

/** 1 to 128 bytes of UTF-8, without control characters and halves of surrogate pairs. */
export function isSource(value: unknown): value is Source {
  if (typeof value !== "string" || value === "" || value.length > limits.documentSourceMaxBytes)
    return false;
  for (let at = 0; at < value.length; at++) {
    const unit = value.charCodeAt(at);
    // Plain letters are the rule, and this is asked for each transaction.
    if (unit >= 0x20 && unit < 0x7f) continue;
    return isUnusual(value);
  }
  return true;
}

function isUnusual(value: string): boolean {
  return (
    Buffer.byteLength(value) <= limits.documentSourceMaxBytes &&
    !/[\p{Cc}\p{Surrogate}]/u.test(value)
  );
}
