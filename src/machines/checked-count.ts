/** The check that most fields of requests need, in one place, so that its words are the same everywhere. */
import { type ErrorCode, TrubaError } from "../base/errors.ts";
import { shown } from "../base/shown-value.ts";

/** A whole number in a range. Throws TrubaError BADVALUE, or the code that the field has of its own. */
export function checkedCount(
  field: string,
  value: unknown,
  min: number,
  max: number,
  code: ErrorCode = "BADVALUE",
): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max)
    return value;
  throw new TrubaError(
    code,
    `${field} is ${shown(value)}; it must be a whole number from ${min} to ${max}`,
  );
}
